"""The folder of the files that survive a stop, which is the same one for all of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from emulator_harness import environment_variables

from modelarts_magics.config.settings import Settings
from modelarts_magics.config.surviving_folder import surviving_folder
from modelarts_magics.config.work_folder import work_folder
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.keepalive.folder import daemon_folder
from modelarts_magics.keepalive.launch import make_handover
from modelarts_magics.keepalive.records import records_folder
from modelarts_magics.session.connect import open_session
from modelarts_magics.session.history import history_path
from modelarts_magics.session.restore import restore_path
from modelarts_magics.session.store import run_file_path

if TYPE_CHECKING:
    from pathlib import Path

FILES = [history_path, records_folder, restore_path, run_file_path]
"""Each returns the path of one kind of state that survives a stop."""
STATE_DIR = "MODELARTS_STATE_DIR"


def folders(environ: dict[str, str], **traits: str) -> set[Path]:
    """Return the folders of all these files."""
    with environment_variables(environ):
        settings = Settings.load(traits=traits)
        return {path(settings, os.environ).parent for path in FILES}


def test_work_folder_holds_what_survives(tmp_path: Path) -> None:
    """Without it, the state folder holds all."""
    environ = {"HOME": str(tmp_path)}
    assert folders(environ) == {tmp_path / ".modelarts-magics"}
    (tmp_path / "work").mkdir()
    assert folders(environ) == {tmp_path / "work"}


@pytest.mark.parametrize("name", ["elsewhere", ".modelarts-magics", "work/state"])
def test_state_folder_that_is_set_holds_all_state(tmp_path: Path, name: str) -> None:
    """Also if it is the default one, by a variable and by ``%config``."""
    (tmp_path / "work").mkdir()
    state, home = tmp_path / name, {"HOME": str(tmp_path)}
    assert folders({**home, STATE_DIR: str(state)}) == {state}
    assert folders({**home, STATE_DIR: f"~/{name}"}) == {state}
    assert folders(home, state_dir=str(state)) == {state}


@pytest.mark.parametrize("home", ["~", "relative", "./x"])
def test_relative_home_gets_no_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    """No folder named ~ is created, and nothing in the current folder is taken for the home."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / home / "work").mkdir(parents=True)
    (folder,) = folders({"HOME": home})
    with pytest.raises(OSError, match="null"):
        folder.mkdir(parents=True)
    assert not work_folder({"HOME": home}).is_dir()


@pytest.mark.parametrize("chosen", [False, True], ids=["default", "set"])
def test_change_is_recorded_in_the_folder_of_the_daemon(tmp_path: Path, *, chosen: bool) -> None:
    """A session writes where the daemon, which gets its settings, writes too."""
    (tmp_path / "work").mkdir()
    with LocalEmulator() as emulator:
        environ = {**emulator.environment(), "HOME": str(tmp_path)}
        environ.pop(STATE_DIR, None)
        if chosen:
            environ[STATE_DIR] = str(tmp_path / "state")
        with environment_variables(environ):
            session = open_session(Settings.load(), actor="terminal")
            session.describe("new")
            handed_over = Settings.load(make_handover(session)["settings"])
            folder = surviving_folder(handed_over, os.environ)
            session.close()
    assert folder == tmp_path / ("state" if chosen else "work")
    assert history_path(handed_over, environ).is_file()
    others = {path.name for path in (tmp_path / "work").iterdir()}
    assert others == (set() if chosen else {history_path(handed_over, environ).name})
    assert daemon_folder(handed_over).parent.name == ("state" if chosen else ".modelarts-magics")
