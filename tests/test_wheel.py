"""What a person gets from the package index: built as for a release, installed where nothing else is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest
from wheel_builds import ROOT, BuiltPackages, VirtualEnvironment

from modelarts_magics.emulator.local import LocalEmulator

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.process

MINORS = ("3.9", "3.10", "3.11", "3.12", "3.13")
BUILT = ("modelarts_magics/static/countdown.js", "modelarts_magics/static/countdown.css")
"""What git does not know and a build makes; without the hook a wheel would silently lack it."""
NOT_IN_A_KERNEL = ("jupyter_server", "jupyterlab", "jsonschema", "nbformat", "tornado")

KERNEL_HALF = """
import json
import sys
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()


def run(cell):
    done = shell.run_cell(cell)
    done.raise_error()
    return done.result


run("%load_ext modelarts_magics")
cold = sorted({"httpx", "ipywidgets", "anywidget"} & set(sys.modules))
before = run("%modelarts status --json")
described = run("%modelarts describe from a wheel")
extended = run("%modelarts extend 30m --json")
refused = shell.run_cell("%modelarts describe a/b").error_in_exec
completed = shell.complete(None, "%modelarts ext", 14)[1]
run("%unload_ext modelarts_magics")
import modelarts_magics
from modelarts_magics.commands.render import render_text

print()
print(json.dumps({
    "version": list(sys.version_info[:2]),
    "home": modelarts_magics.__file__,
    "cold": cold,
    "before": before["auto_stop"]["stops_at"],
    "described": render_text(described),
    "after": extended["after"]["auto_stop"]["stops_at"],
    "effect": extended["effect"],
    "refused": str(refused),
    "completed": completed,
    "left": "modelarts" in shell.magics_manager.magics["line"],
}))
"""


def _interpreters() -> dict[str, str]:
    """Every CPython from 3.9 to 3.13 on this machine, by its minor version."""
    folders = [Path(folder) for folder in os.get_exec_path()]
    for home in ("~/.pyenv/versions", "~/.local/share/uv/python"):
        folders += sorted(Path(home).expanduser().glob("*/bin"))
    found = {"{}.{}".format(*sys.version_info): sys.executable}
    for minor in MINORS:
        for folder in folders:
            path = folder / f"python{minor}"
            if minor not in found and path.exists() and _is_cpython(path, minor):
                found[minor] = str(path)
    return {minor: found[minor] for minor in MINORS if minor in found}


def _is_cpython(path: Path, minor: str) -> bool:
    """Whether it runs and is what its name says; a version manager's stand-in may be neither."""
    asked = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2])"
    done = subprocess.run([str(path), "-c", asked], capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    return done.stdout.split() == ["cpython", minor]


INTERPRETERS = _interpreters()
OLDEST_AND_NEWEST = (*list(INTERPRETERS)[:1], *list(INTERPRETERS)[-1:])


@pytest.fixture(scope="module")
def empty(
    built_packages: BuiltPackages, tmp_path_factory: pytest.TempPathFactory
) -> VirtualEnvironment:
    """Install the wheel where nothing else is."""
    folder = tmp_path_factory.mktemp("empty") / "venv"
    return VirtualEnvironment(folder, built_packages.wheel)


@pytest.fixture
def emulator() -> Iterator[LocalEmulator]:
    """Serve an instance with 40 minutes left."""
    with LocalEmulator() as made:
        yield made


def test_the_wheel_has_the_package_and_nothing_else(built_packages: BuiltPackages) -> None:
    """Every module, the marker of types, the built widget, the notebooks, the licence; no test, no cache."""
    with zipfile.ZipFile(built_packages.wheel) as archive:
        names = {PurePosixPath(name) for name in archive.namelist()}
    package = ROOT / "modelarts_magics"
    texts = [*package.rglob("*.py"), *(package / "server").rglob("*.yaml"), package / "py.typed"]
    texts += (package / "locale").rglob("*.json")
    config = package / "server" / "jupyter_server_config.d" / "modelarts_magics.json"
    ours = [*texts, config, *(ROOT / "notebooks").glob("*.ipynb")]
    expected = {PurePosixPath(path.relative_to(ROOT).as_posix()) for path in ours}
    expected |= set(map(PurePosixPath, BUILT))
    expected = {
        "modelarts_magics" / path if path.parts[0] == "notebooks" else path for path in expected
    }
    packaged = {name for name in names if name.parts[0] == "modelarts_magics"}
    assert packaged == expected
    about = {str(PurePosixPath(*name.parts[1:])) for name in names if ".dist-info" in name.parts[0]}
    assert about == {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}


def test_the_wheel_has_the_front_end_and_the_server_config(built_packages: BuiltPackages) -> None:
    """Where Jupyter looks: the labextension with its schema and origin, and what switches the server half on."""
    with zipfile.ZipFile(built_packages.wheel) as archive:
        names = {PurePosixPath(name) for name in archive.namelist()}
    data = {str(PurePosixPath(*name.parts[2:])) for name in names if ".data" in name.parts[0]}
    lab = "share/jupyter/labextensions/modelarts-magics-lab"
    assert {f"{lab}/package.json", f"{lab}/install.json"} <= data
    assert any(name.startswith(f"{lab}/static/remoteEntry.") for name in data)
    assert any(name.startswith(f"{lab}/schemas/") and name.endswith(".json") for name in data)
    assert "etc/jupyter/jupyter_server_config.d/modelarts_magics.json" in data


def test_the_source_archive_has_what_a_build_and_a_test_need(built_packages: BuiltPackages) -> None:
    """Sources, tests, notebooks, Makefile and texts; nothing that was installed or made."""
    with tarfile.open(built_packages.sdist) as archive:
        names = {PurePosixPath(*PurePosixPath(name).parts[1:]) for name in archive.getnames()}
    texts = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "Makefile")
    inside = ("modelarts_magics/py.typed", "notebooks/01-quickstart.ipynb", "tests/test_wheel.py")
    for name in (*texts, *inside, *BUILT):
        assert PurePosixPath(name) in names
    parts = {part for name in names for part in name.parts}
    assert not parts & {"node_modules", "__pycache__", ".venv", ".cache", ".demo", ".hypothesis"}


def test_the_terminal_does_the_main_job(empty: VirtualEnvironment, emulator: LocalEmulator) -> None:
    """See, describe, extend, by both names of the program; the package is the installed one."""
    assert empty.run(empty.executable, emulator=emulator).stdout.startswith(
        "demo-notebook · RUNNING"
    )
    status, out, err = empty.run_cli("describe", "from a wheel", emulator=emulator)
    assert (status, err) == (0, "")
    assert "Description saved: “from a wheel”" in out
    status, out, err = empty.run_cli("extend", "30m", "--json", emulator=emulator)
    assert (status, err) == (0, "")
    changed = json.loads(out)
    assert changed["effect"] == "now"
    seen = emulator.state()["instances"][0]
    assert seen["description"] == "from a wheel"
    assert changed["after"]["auto_stop"]["duration_s"] == seen["duration_s"] == 1.5 * 3600
    assert empty.run_cli("describe", "a/b", emulator=emulator)[0] == 1
    assert empty.run_cli("statsu", emulator=emulator)[0] == 2


def test_nothing_of_a_server_comes_with_it(empty: VirtualEnvironment) -> None:
    """The base install stays light: no server, no schema checker, no front end."""
    asked = "import importlib.util as u, sys; print(*(n for n in sys.argv[1:] if u.find_spec(n)))"
    done = empty.run(empty.python, "-c", asked, *NOT_IN_A_KERNEL, "httpx", "IPython", "anywidget")
    assert done.stdout.split() == ["httpx", "IPython", "anywidget"]


@pytest.mark.parametrize("program", ["emulator", "demo"])
def test_a_missing_extra_is_one_line_with_what_to_do(
    empty: VirtualEnvironment, program: str
) -> None:
    """The line can be copied as it is; the exit status says that it failed."""
    status, out, err = empty.run_cli(program)
    assert (status, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert "pip install 'modelarts-magics[demo]'" in err


def test_a_python_to_try_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    """At least one; which ones is said, so that a log shows what was covered."""
    with capsys.disabled():
        sys.stdout.write(f"\nkernel half on CPython {', '.join(INTERPRETERS)}\n")
    assert INTERPRETERS


@pytest.mark.parametrize(
    "minor",
    [
        pytest.param(minor, marks=() if minor in OLDEST_AND_NEWEST else pytest.mark.soak)
        for minor in INTERPRETERS
    ],
)
def test_the_kernel_half_works(
    built_packages: BuiltPackages, emulator: LocalEmulator, tmp_path: Path, minor: str
) -> None:
    """Load, see, describe, extend, a refusal, completion, unload, in plain IPython on each Python."""
    environment = VirtualEnvironment(
        tmp_path / "venv", built_packages.wheel, python=INTERPRETERS[minor]
    )
    done = environment.run(environment.python, "-c", KERNEL_HALF, emulator=emulator)
    assert done.returncode == 0, done.stdout + done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert ".".join(map(str, seen["version"])) == minor
    assert Path(seen["home"]).is_relative_to(environment.folder)
    assert seen["cold"] == []
    assert "Description saved: “from a wheel”" in seen["described"]
    assert seen["effect"] == "now"
    assert seen["before"] < seen["after"]
    assert "add --replace" in seen["refused"]
    assert "extend" in seen["completed"]
    assert seen["left"] is False
    shutil.rmtree(environment.folder)  # five of them are 200 MB


def test_jupyter_lists_both_halves_as_fine(
    built_packages: BuiltPackages, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One install without Node, and JupyterLab and its server know the extension."""
    folder = tmp_path_factory.mktemp("lab") / "venv"
    place = VirtualEnvironment(folder, f"modelarts-magics[lab] @ {built_packages.wheel.as_uri()}")
    lab = place.run(place.folder / "bin" / "jupyter", "labextension", "list")
    assert re.search(r"modelarts-magics-lab v\S+ .*enabled.*OK", lab.stdout + lab.stderr)
    server = place.run(place.folder / "bin" / "jupyter", "server", "extension", "list")
    assert re.search(r"modelarts_magics \d\S+.*OK", server.stdout + server.stderr)
