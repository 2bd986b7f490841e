"""Built packages, and virtual environments that install them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from modelarts_magics.emulator.local import LocalEmulator

ROOT = Path(__file__).parents[1]
MINORS = ("3.9", "3.10", "3.11", "3.12", "3.13")


class BuiltPackages(NamedTuple):
    """Wheel and source archive of a release."""

    wheel: Path
    sdist: Path


class VirtualEnvironment:
    """Virtual environment for a test.

    Args:
        folder: The folder to create.
        packages: What to install; wheels by their path.
        python: The interpreter.
    """

    def __init__(self, folder: Path, *packages: str | Path, python: str = sys.executable) -> None:
        self.folder = folder
        windows = os.name == "nt"
        self.python = folder / ("Scripts/python.exe" if windows else "bin/python")
        self.executable = folder / (
            "Scripts/modelarts-magics.exe" if windows else "bin/modelarts-magics"
        )
        run_uv("venv", "--python", python, str(folder))
        run_uv("pip", "install", "--python", str(self.python), *map(str, packages))

    def run(
        self, *command: str | Path, emulator: LocalEmulator | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command outside the source tree, without the environment variables of this process."""
        variables = {
            "PATH": os.pathsep.join((str(self.python.parent), os.environ["PATH"])),
            "HOME": str(self.folder),
            "IPYTHONDIR": str(self.folder / "ipython"),
            "PYTHONUTF8": "1",
        }
        emulator_variables = emulator.environment() if emulator else {}
        return subprocess.run(  # noqa: S603 - fixed arguments
            [str(word) for word in command],
            capture_output=True,
            encoding="utf-8",
            env={**variables, **emulator_variables},
            cwd=self.folder,
            check=False,
            timeout=60,
        )

    def run_cli(
        self, *arguments: str, emulator: LocalEmulator | None = None
    ) -> tuple[int, str, str]:
        """Run `python -m modelarts_magics` and return status, output and errors."""
        done = self.run(self.python, "-m", "modelarts_magics", *arguments, emulator=emulator)
        return done.returncode, done.stdout, done.stderr


def run_uv(*arguments: str, timeout_s: float = 300) -> None:
    """Run `uv`, for a limited time in seconds."""
    command = [sys.executable, "-m", "uv", "--quiet", "--no-progress", "--no-config", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s)  # noqa: S603 - fixed arguments
    assert done.returncode == 0, done.stderr


def build_packages(folder: Path) -> BuiltPackages:
    """Build the source archive, and the wheel from it, as for a release."""
    words = ["-m", "build", "--installer", "uv", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(  # noqa: S603 - fixed arguments
        [sys.executable, *words], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return BuiltPackages(next(folder.glob("*.whl")), next(folder.glob("*.tar.gz")))


def find_interpreters() -> dict[str, str]:
    """Return the CPython interpreters from 3.9 to 3.13 on this machine by their minor version."""
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
    """Return whether an interpreter is what its name says; the shim of a version manager may not be."""
    code = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2])"
    done = subprocess.run([str(path), "-c", code], capture_output=True, text=True, check=False)  # noqa: S603 - fixed arguments
    return done.stdout.split() == ["cpython", minor]
