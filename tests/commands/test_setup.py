"""The copy of the package in ``~/work`` and its start file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import pytest

from modelarts_magics.commands.context import CommandContext
from modelarts_magics.commands.parser import parse_line
from modelarts_magics.commands.setup import setup
from modelarts_magics.commands.work_copy import (
    OWN,
    Part,
    normalized_name,
    parts_to_copy,
    start_file_text,
    write_copy,
)
from modelarts_magics.config.work_folder import python_folder_name
from modelarts_magics.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


def installed_at(times: Mapping[str, float]) -> Callable[[metadata.Distribution], float]:
    """Return a function that returns the time of a distribution, by default 0."""
    return lambda each: times.get(normalized_name(each.metadata["Name"]), 0.0)


@pytest.mark.parametrize(
    ("boot", "times", "copied"),
    [
        (1000, {OWN: 2000, "httpcore": 2000, "anywidget": 2000}, {"anywidget", "httpcore"}),
        (1000, {OWN: 2000, "ipywidgets": 500, "httpcore": 1500, "ipython": 500}, {"httpcore"}),
        (0, {OWN: 2000, "ipython": 500, "httpcore": 520, "anywidget": 1999}, {"anywidget"}),
        (0, {OWN: 20, "ipython": 10, "httpcore": 15}, {"httpcore"}),
    ],
    ids=["installed after the start", "httpcore earlier", "image after the start", "all together"],
)
def test_only_what_the_image_lacks_is_copied(
    boot: float, times: dict[str, float], copied: set[str]
) -> None:
    """By the time of installation; what every kernel has is never copied."""
    parts = parts_to_copy(boot_time_s=boot, installed_at_s=installed_at(times))
    assert parts[0].name == OWN
    assert {each.name for each in parts[1:]} == copied


def test_everything_newer_than_the_image_has_its_oldest_version() -> None:
    """The start file uses the copy only where the environment has none that is new enough."""
    parts = parts_to_copy(boot_time_s=0, installed_at_s=lambda _each: 1.0)
    minimums = {each.name: each.minimum for each in parts}
    assert minimums["httpcore"] == "1"
    assert minimums["anywidget"] == "0.9.13"
    assert {"httpcore", "h11", "certifi", "psygnal"} <= set(minimums)
    assert not {"ipython", "ipykernel", "traitlets", "jupyterlab", "pytest"} & set(minimums)


@pytest.fixture(scope="module")
def work_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy with everything, in a folder of its own."""
    folder = tmp_path_factory.mktemp("work") / ".modelarts-magics"
    folder.mkdir()
    parts = parts_to_copy(boot_time_s=0, installed_at_s=lambda _each: 1.0)
    write_copy(folder, parts, widgets=False)
    (folder.parent / "modelarts.py").write_text(start_file_text(), encoding="utf-8")
    return folder


def run_python(code: str, *options: str, cwd: Path | None = None) -> str:
    """Run code in another process, and return its output."""
    done = subprocess.run(  # noqa: S603 - fixed arguments
        [sys.executable, *options, "-c", code],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd or "/nowhere")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.process
def test_copy_works_without_the_packages_of_the_environment(work_copy: Path) -> None:
    """The package, its metadata and what it needs are found in the copy."""
    code = f"""
import runpy
assert runpy.run_path({str(work_copy / "activate.py")!r})["is_active"]
import httpcore, modelarts_magics
from modelarts_magics.doctor.lab_extension import packaged_extension
print(modelarts_magics.__version__)
print(modelarts_magics.__file__)
print(packaged_extension("modelarts-magics-lab").folder)
print(httpcore.__file__)
"""
    # Without site-packages, as in an image that has none of this.
    version, *paths = run_python(code, "-S").splitlines()
    assert version == metadata.version(OWN)
    assert all(Path(each).is_relative_to(work_copy) for each in paths)


@pytest.mark.process
def test_start_file_is_a_program_in_a_terminal(work_copy: Path) -> None:
    """It takes the commands of the terminal, and needs no installation either."""
    command = [sys.executable, "-S", str(work_copy.parent / "modelarts.py"), "help"]
    environ = {"PATH": os.environ["PATH"], "HOME": str(work_copy.parent.parent)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)  # noqa: S603 - fixed arguments
    assert (done.returncode, done.stderr) == (0, "")
    assert "extend" in done.stdout


@pytest.mark.process
def test_packages_of_the_environment_are_preferred(work_copy: Path) -> None:
    """As far as they are new enough."""
    code = f"""
import runpy, sys
runpy.run_path({str(work_copy / "activate.py")!r})
print([each for each in sys.path if each.startswith({str(work_copy)!r})])
"""
    assert run_python(code) == "[]"


@pytest.mark.process
def test_copy_of_another_python_version_is_not_used(work_copy: Path, tmp_path: Path) -> None:
    """The output says what to do, in both languages."""
    other = tmp_path / ".modelarts-magics"
    (other / "py2.7").mkdir(parents=True)
    (other / "activate.py").write_bytes((work_copy / "activate.py").read_bytes())
    code = f"import runpy; runpy.run_path({str(other / 'activate.py')!r}, run_name='__main__')"
    output = run_python(code)
    assert "setup was run with 2.7" in output
    assert "请在此内核中" in output


@pytest.mark.process
@pytest.mark.parametrize("package", [True, False])
def test_start_file_does_not_hide_the_platform_package(
    work_copy: Path, tmp_path: Path, package: bool
) -> None:
    """It has the same name, and a notebook in ``~/work`` imports it first."""
    sdk = tmp_path / "sdk"
    (sdk / "modelarts").mkdir(parents=True)
    if package:
        (sdk / "modelarts" / "__init__.py").write_text("name = 'platform'")
        (sdk / "modelarts" / "session.py").write_text("class Session: pass")
    code = f"""
import sys
sys.path.append({str(sdk)!r})
try:
    from modelarts.session import Session
    import modelarts
    print(modelarts.name)
except ModuleNotFoundError as error:
    print(error.name)
"""
    assert run_python(code, cwd=work_copy.parent) == ("platform" if package else "modelarts")


class Home:
    """A home with ``~/work``.

    Attributes:
        questions: The questions that were asked.
    """

    def __init__(self, folder: Path) -> None:
        self.work = folder / "work"
        self.work.mkdir()
        self.questions: list[str] = []

    def run(self, line: str, *, answer: str = "no") -> str:
        """Run the command, and return its result."""

        def ask(question: str) -> str:
            self.questions.append(question)
            return answer

        context = CommandContext(_fail, _fail, "%modelarts", ask=ask)
        return str(setup(parse_line(line), context))


def _fail() -> None:
    raise AssertionError("not needed")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Return a home without a Jupyter server."""
    for name in list(os.environ):
        if name.startswith(("JUPYTER", "XDG")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(
        "modelarts_magics.commands.setup.find_jupyter_server", lambda _environ: None
    )
    return Home(tmp_path)


def test_setup_asks_and_can_be_removed(home: Home) -> None:
    """The question names what is written; afterwards nothing is left."""
    with pytest.raises(RefusedError, match="Nothing was written"):
        home.run("setup", answer="no")
    assert list(home.work.iterdir()) == []
    output = home.run("setup", answer="yes")
    assert str(home.work / "modelarts.py") in home.questions[-1]
    assert "%run ~/work/modelarts.py" in output
    folder = home.work / ".modelarts-magics"
    assert sum(each.stat().st_size for each in folder.rglob("*") if each.is_file()) < 15_000_000
    extensions = home.work.parent / ".local/share/jupyter/labextensions/modelarts-magics-lab"
    record = json.loads((extensions / "static" / "helper-kernel.json").read_text())
    assert record["activate"] == str(folder / "activate.py")
    home.run("setup --yes")
    assert len(home.questions) == 2
    assert {each.name for each in folder.iterdir()} == {"activate.py", python_folder_name()}
    assert "Removed" in home.run("setup --remove")
    assert list(home.work.iterdir()) == []
    assert not extensions.exists()
    assert "Nothing to remove" in home.run("setup --remove")


def test_removal_does_not_say_that_there_was_nothing(home: Home) -> None:
    """Also where the sidebar was removed before."""
    (home.work / ".modelarts-magics").mkdir()
    removed = home.run("setup --remove")
    assert "Removed" in removed
    assert "Nothing to remove" not in removed


def test_setup_leaves_a_foreign_file_alone(home: Home) -> None:
    """Nothing is written beside it."""
    file = home.work / "modelarts.py"
    file.write_text("print('mine')")
    for line in ("setup --yes", "setup --remove"):
        with pytest.raises(RefusedError, match="not a file of this package"):
            home.run(line)
    assert file.read_text() == "print('mine')"
    assert [each.name for each in home.work.iterdir()] == ["modelarts.py"]


def test_setup_needs_the_work_folder(home: Home) -> None:
    """Elsewhere there is nothing to keep."""
    home.work.rmdir()
    with pytest.raises(RefusedError, match="no folder"):
        home.run("setup --yes")
    with pytest.raises(UsageError):
        home.run("setup now")


def test_failed_copy_keeps_the_earlier_one(work_copy: Path, tmp_path: Path) -> None:
    """A part that cannot be copied leaves no half copy."""
    folder = tmp_path / "copy"
    own = Part(metadata.distribution(OWN), "")
    folder.mkdir()
    (folder / python_folder_name()).mkdir()
    (folder / python_folder_name() / "earlier").touch()

    class Broken(metadata.Distribution):
        files = (metadata.PackagePath("missing.py"),)

        def read_text(self, _name: str) -> str:
            return "Metadata-Version: 2.1\nName: broken\nVersion: 1\n"

        def locate_file(self, path: object) -> Path:
            return tmp_path / "nowhere" / str(path)

    with pytest.raises(FileNotFoundError):
        write_copy(folder, [own, Part(Broken(), "")], widgets=False)
    assert [each.name for each in folder.iterdir()] == [python_folder_name()]
    assert (folder / python_folder_name() / "earlier").exists()
    assert work_copy.exists()
