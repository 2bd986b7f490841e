"""The built wheel and source archive, and their installation."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest
from wheel_builds import ROOT, BuiltPackages, VirtualEnvironment, find_interpreters

from modelarts_magics.emulator.local import LocalEmulator

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.process

BUILT = ("modelarts_magics/static/countdown.js", "modelarts_magics/static/countdown.css")
"""Generated files that the build adds to the wheel; they are not in the repository."""
SERVER_PACKAGES = ("jupyter_server", "jupyterlab", "jsonschema", "nbformat", "tornado")

KERNEL_CODE = """
import json
import sys
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()


def run(cell):
    done = shell.run_cell(cell)
    done.raise_error()
    return done.result


run("%load_ext modelarts_magics")
imported = sorted({"httpx", "ipywidgets", "anywidget"} & set(sys.modules))
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
    "imported": imported,
    "before": before["auto_stop"]["stops_at"],
    "described": render_text(described),
    "after": extended["after"]["auto_stop"]["stops_at"],
    "effect": extended["effect"],
    "refused": str(refused),
    "completed": completed,
    "left": "modelarts" in shell.magics_manager.magics["line"],
}))
"""


INTERPRETERS = find_interpreters()
OLDEST_AND_NEWEST = (*list(INTERPRETERS)[:1], *list(INTERPRETERS)[-1:])


@pytest.fixture(scope="module")
def wheel_only(
    built_packages: BuiltPackages, tmp_path_factory: pytest.TempPathFactory
) -> VirtualEnvironment:
    """Install only the wheel."""
    folder = tmp_path_factory.mktemp("wheel") / "venv"
    return VirtualEnvironment(folder, built_packages.wheel)


@pytest.fixture
def emulator() -> Iterator[LocalEmulator]:
    """Serve an instance with 40 minutes left."""
    with LocalEmulator() as running:
        yield running


def test_wheel_contains_exactly_the_package(built_packages: BuiltPackages) -> None:
    """The wheel has all modules, the built widget, the notebooks and the licence, and no test or cache."""
    with zipfile.ZipFile(built_packages.wheel) as archive:
        names = {PurePosixPath(name) for name in archive.namelist()}
    package = ROOT / "modelarts_magics"
    texts = [*package.rglob("*.py"), *(package / "server").rglob("*.yaml"), package / "py.typed"]
    texts += (package / "locale").rglob("*.json")
    texts += (package / "commands" / "templates").glob("*.txt")
    config = package / "server" / "jupyter_server_config.d" / "modelarts_magics.json"
    ours = [*texts, config, *(ROOT / "notebooks").glob("*.ipynb")]
    expected = {PurePosixPath(path.relative_to(ROOT).as_posix()) for path in ours}
    expected |= set(map(PurePosixPath, BUILT))
    expected = {
        "modelarts_magics" / path if path.parts[0] == "notebooks" else path for path in expected
    }
    packaged = {name for name in names if name.parts[0] == "modelarts_magics"}
    assert packaged == expected
    metadata = {
        str(PurePosixPath(*name.parts[1:])) for name in names if ".dist-info" in name.parts[0]
    }
    assert metadata == {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}


def test_wheel_contains_front_end_and_server_config(built_packages: BuiltPackages) -> None:
    """JupyterLab finds the extension with its schema, and the server is configured to load its extension."""
    with zipfile.ZipFile(built_packages.wheel) as archive:
        names = {PurePosixPath(name) for name in archive.namelist()}
    data = {str(PurePosixPath(*name.parts[2:])) for name in names if ".data" in name.parts[0]}
    lab = "share/jupyter/labextensions/modelarts-magics-lab"
    assert {f"{lab}/package.json", f"{lab}/install.json"} <= data
    assert any(name.startswith(f"{lab}/static/remoteEntry.") for name in data)
    assert any(name.startswith(f"{lab}/schemas/") and name.endswith(".json") for name in data)
    assert "etc/jupyter/jupyter_server_config.d/modelarts_magics.json" in data


def test_source_archive_contains_build_and_test_files(built_packages: BuiltPackages) -> None:
    """The archive has sources, tests, notebooks and documents, and no generated file."""
    with tarfile.open(built_packages.sdist) as archive:
        names = {PurePosixPath(*PurePosixPath(name).parts[1:]) for name in archive.getnames()}
    texts = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "Makefile")
    inside = ("modelarts_magics/py.typed", "notebooks/01-quickstart.ipynb", "tests/test_wheel.py")
    for name in (*texts, *inside, *BUILT):
        assert PurePosixPath(name) in names
    parts = {part for name in names for part in name.parts}
    assert not parts & {"node_modules", "__pycache__", ".venv", ".cache", ".demo", ".hypothesis"}


def test_terminal_command_works(wheel_only: VirtualEnvironment, emulator: LocalEmulator) -> None:
    """Both names of the program show, describe and extend the instance."""
    assert wheel_only.run(wheel_only.executable, emulator=emulator).stdout.startswith(
        "demo-notebook · RUNNING"
    )
    status, out, err = wheel_only.run_cli("describe", "from a wheel", emulator=emulator)
    assert (status, err) == (0, "")
    assert "Description saved: “from a wheel”" in out
    status, out, err = wheel_only.run_cli("extend", "30m", "--json", emulator=emulator)
    assert (status, err) == (0, "")
    changed = json.loads(out)
    assert changed["effect"] == "now"
    found = emulator.state()["instances"][0]
    assert found["description"] == "from a wheel"
    assert changed["after"]["auto_stop"]["duration_s"] == found["duration_s"] == 1.5 * 3600
    assert wheel_only.run_cli("describe", "a/b", emulator=emulator)[0] == 1
    assert wheel_only.run_cli("statsu", emulator=emulator)[0] == 2


def test_base_install_has_no_server_packages(wheel_only: VirtualEnvironment) -> None:
    """The base install has no server, schema validator or front end."""
    code = "import importlib.util as u, sys; print(*(n for n in sys.argv[1:] if u.find_spec(n)))"
    done = wheel_only.run(
        wheel_only.python, "-c", code, *SERVER_PACKAGES, "httpcore", "IPython", "anywidget"
    )
    assert done.stdout.split() == ["httpcore", "IPython", "anywidget"]


@pytest.mark.parametrize("program", ["emulator", "demo"])
def test_missing_extra_prints_the_install_command(
    wheel_only: VirtualEnvironment, program: str
) -> None:
    """One line shows the command, and the status is 1."""
    status, out, err = wheel_only.run_cli(program)
    assert (status, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert "pip install 'modelarts-magics[demo]'" in err


def test_interpreters_are_found(capsys: pytest.CaptureFixture[str]) -> None:
    """At least one interpreter is tested; the log names them."""
    with capsys.disabled():
        sys.stdout.write(f"\nIPython extension on CPython {', '.join(INTERPRETERS)}\n")
    assert INTERPRETERS


@pytest.mark.parametrize(
    "minor",
    [
        pytest.param(minor, marks=() if minor in OLDEST_AND_NEWEST else pytest.mark.soak)
        for minor in INTERPRETERS
    ],
)
def test_extension_works_in_ipython(
    built_packages: BuiltPackages, emulator: LocalEmulator, tmp_path: Path, minor: str
) -> None:
    """Loading, commands, an error, completion and unloading work in IPython on each Python."""
    environment = VirtualEnvironment(
        tmp_path / "venv", built_packages.wheel, python=INTERPRETERS[minor]
    )
    done = environment.run(environment.python, "-c", KERNEL_CODE, emulator=emulator)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert ".".join(map(str, found["version"])) == minor
    assert Path(found["home"]).is_relative_to(environment.folder)
    assert found["imported"] == []
    assert "Description saved: “from a wheel”" in found["described"]
    assert found["effect"] == "now"
    assert found["before"] < found["after"]
    assert "add --replace" in found["refused"]
    assert "extend" in found["completed"]
    assert found["left"] is False
    # Five environments would take 200 MB.
    shutil.rmtree(environment.folder)


def test_jupyter_lists_both_extensions(
    built_packages: BuiltPackages, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """After an install without Node.js, JupyterLab and its server list the extensions as valid."""
    folder = tmp_path_factory.mktemp("lab") / "venv"
    environment = VirtualEnvironment(
        folder, f"modelarts-magics[lab] @ {built_packages.wheel.as_uri()}"
    )
    lab = environment.run(environment.folder / "bin" / "jupyter", "labextension", "list")
    assert re.search(r"modelarts-magics-lab v\S+ .*enabled.*OK", lab.stdout + lab.stderr)
    server = environment.run(environment.folder / "bin" / "jupyter", "server", "extension", "list")
    assert re.search(r"modelarts_magics \d\S+.*OK", server.stdout + server.stderr)
