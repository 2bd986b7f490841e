"""Which version of the daemon takes over from which, and which daemons are restarted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from factories import HOUR, NOW

from modelarts_magics.config.settings import Settings
from modelarts_magics.keepalive.folder import FOLDER_SUFFIX
from modelarts_magics.keepalive.guards import NAMED, Guard, save_guard
from modelarts_magics.keepalive.launch import given_values, is_older, restart_all_if_needed
from modelarts_magics.keepalive.requests import current_settings, save_handover

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ASCENDING = [
    *("0.1.0.dev3", "0.1.0a1", "0.1.0b2", "0.1.0rc1", "0.1.0", "0.1.0.post1", "0.1.1", "0.2"),
    *("0.10.0", "1.2.0rc1", "1.2.0", "1.2.1.dev1+gabc.d2026"),
]


@pytest.mark.parametrize(("older", "newer"), list(zip(ASCENDING, ASCENDING[1:])))
def test_version_is_older(older: str, newer: str) -> None:
    """Releases are compared by number, and a pre-release comes before its release."""
    assert is_older(older, newer)
    assert not is_older(newer, older)


@pytest.mark.parametrize(("one", "other"), [("1.0", "1.0.0"), ("1.2.0", "1.2.0+local"), ("0", "")])
def test_equal_versions_do_not_replace_each_other(one: str, other: str) -> None:
    """Two processes of one version must not take turns."""
    assert not is_older(one, other)
    assert not is_older(other, one)


def test_every_daemon_is_restarted_despite_an_error(tmp_path: Path) -> None:
    """A damaged file of one instance does not keep the work on another one from running."""
    for name in ("one", "other"):
        folder = tmp_path / f"{name}{FOLDER_SUFFIX}"
        save_guard(folder, Guard("a", NAMED, os.getpid(), NOW, NOW + 24 * 365 * HOUR))
    started: list[Path] = []

    def start(folder: Path, _environ: Mapping[str, str]) -> None:
        started.append(folder)
        raise OSError

    restart_all_if_needed(tmp_path, {}, start=start)
    assert len(started) == 2


def test_setting_that_is_removed_from_the_file_does_not_come_back(tmp_path: Path) -> None:
    """The daemon reads such settings again from the file; what its starter was given otherwise holds."""
    folder, path = tmp_path / f"one{FOLDER_SUFFIX}", tmp_path / "settings.ini"
    folder.mkdir()
    path.write_text(
        "[modelarts]\nregion = cn-north-4\nbefore_stop = 10m: save\nwork_programs = prep\n"
    )
    environ = {"MODELARTS_CONFIG": str(path)}
    settings = Settings.load({"notify_limit": "7"}, environ=environ)
    assert (settings.before_stop, settings.get("work_programs")) != (None, "")
    save_handover(folder, {"settings": given_values(settings), "source": ""})
    path.write_text("[modelarts]\n")
    now = current_settings(folder, environ)
    assert (now.get("before_stop"), now.get("work_programs")) == ("", "")
    assert (now.get("notify_limit"), now.get("region")) == ("7", "cn-north-4")
    path.write_text("[modelarts]\nnotify_limit = 9\n")
    assert current_settings(folder, environ).get("notify_limit") == "9"
