"""Rich output and the extension after %autoreload, after a new version was installed, and after a failed load."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from emulator_harness import EmulatorHarness
from kernel_session import KernelSession

import modelarts_magics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import NotebookShell

PACKAGE = Path(modelarts_magics.__file__).parent
SENTENCES = {
    "%modelarts status": "Stops at ",
    "kept": "Stops at ",
    "%modelarts status --all": "auto_stop.enabled",
    "%modelarts extend 1m": "Extended. Stops at ",
    "%modelarts describe new": "Description saved",
    "%modelarts doctor --all": "demo-notebook",
}


class InstalledPackage:
    """A kernel that imports a copy of this package, whose files a test may replace."""

    def __init__(self, folder: Path) -> None:
        self.harness = EmulatorHarness(folder, real_time=True)
        # IPython reloads a module below "site-packages" even if only its time has changed.
        self._path = folder / "site-packages"
        unused = shutil.ignore_patterns("labextension", "notebooks", "__pycache__")
        shutil.copytree(PACKAGE, self._path / PACKAGE.name, ignore=unused)
        self._kernel = KernelSession({**self.harness.environ, "PYTHONPATH": str(self._path)})

    def run(self, cell: str) -> str:
        """Run a cell that has to succeed, and return its output."""
        status, output = self._kernel.run(cell)
        assert status == "ok", output
        return output

    def replace(self, pattern: str, *, added: str = "") -> None:
        """Replace files by newer ones, as an upgrade does."""
        moment = time.time() + 10
        for file in self._path.rglob(pattern):
            file.write_text(file.read_text(encoding="utf-8") + added, encoding="utf-8")
            os.utime(file, (moment, moment))

    def close(self) -> None:
        """End the kernel and the emulator."""
        self._kernel.close()
        self.harness.close()


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[InstalledPackage]:
    """Return a kernel in which commands of the extension have run."""
    package = InstalledPackage(tmp_path)
    package.run("%load_ext autoreload\n%autoreload 2\n%load_ext modelarts_magics")
    package.run("kept = %modelarts status")
    package.run("%modelarts extend 1m\n%modelarts describe old\n%modelarts doctor")
    package.run("1")
    yield package
    package.close()


@pytest.mark.process
@pytest.mark.parametrize(
    "pattern", ["*.py", "models.py", pytest.param("magics.py", marks=pytest.mark.soak)]
)
def test_results_are_sentences_after_autoreload(installed: InstalledPackage, pattern: str) -> None:
    """The extension can also be reloaded, unloaded and loaded again."""
    installed.replace(pattern, added="\n_NEW_VERSION = True\n")
    for cell, sentence in SENTENCES.items():
        assert sentence in installed.run(cell)
    assert installed.run("%reload_ext modelarts_magics") == ""
    assert "Stops at " in installed.run("%modelarts")
    assert installed.run("%unload_ext modelarts_magics") == ""
    assert "modelarts" not in installed.run("%lsmagic")
    assert installed.run("%load_ext modelarts_magics") == ""
    assert "Extended. Stops at " in installed.run("%modelarts extend 1m")


@pytest.mark.process
def test_results_are_sentences_after_the_package_is_imported_again(
    installed: InstalledPackage,
) -> None:
    """Values of both versions are shown as sentences, and the extension is that of the new version."""
    installed.run("%autoreload off")
    installed.replace("*.py")
    installed.run(
        "import sys\nfor name in list(sys.modules):\n  if 'modelarts' in name: del sys.modules[name]"
    )
    installed.run("from modelarts_magics import connect")
    for cell in ("kept", "connect().refresh()", "connect().extend('1m').after"):
        assert "Stops at " in installed.run(cell)
    assert installed.run("%unload_ext modelarts_magics\n%load_ext modelarts_magics") == ""
    for cell, sentence in SENTENCES.items():
        assert sentence in installed.run(cell)


def test_results_are_sentences_without_the_extension(notebook: NotebookShell) -> None:
    """A script or notebook that only imports the package shows the same text and HTML."""
    notebook.run("%modelarts\nshown = %modelarts extend 1m")
    with_extension = notebook.mimebundle(notebook.variable("shown"))
    notebook.run("%unload_ext modelarts_magics")
    assert notebook.mimebundle(notebook.variable("shown")) == with_extension
    assert set(with_extension) == {"text/plain", "text/html"}
    assert "Stops at " in notebook.run("from modelarts_magics import connect\nconnect().refresh()")


def test_failed_load_leaves_nothing_behind(notebook: NotebookShell) -> None:
    """After the cause is removed, %reload_ext and %load_ext work."""
    notebook.run("%unload_ext modelarts_magics")
    shell: Any = notebook.shell
    before = notebook.registrations()
    shell.config.ModelArts.remind = "neither true nor false"
    for line in ("%load_ext", "%reload_ext"):
        result, _ = notebook.run_allowing_errors(f"{line} modelarts_magics")
        assert not result.success
        assert notebook.registrations() == before
    assert "not loaded" in notebook.run("%unload_ext modelarts_magics")
    del shell.config["ModelArts"]
    for line in ("%reload_ext", "%reload_ext", "%unload_ext", "%load_ext"):
        assert notebook.run(f"{line} modelarts_magics") == ""
    assert "Stops at " in notebook.run("%modelarts")


def test_unloading_works_after_another_extension_took_the_name(notebook: NotebookShell) -> None:
    """It is no error if others have removed a registration."""
    shell: Any = notebook.shell
    shell.events.callbacks["post_run_cell"].clear()
    shell.Completer.custom_matchers.clear()
    shell.magics_manager.magics["line"].pop("modelarts")
    assert notebook.run("%reload_ext modelarts_magics") == ""
    assert "Stops at " in notebook.run("%modelarts")
    assert notebook.run("%unload_ext modelarts_magics") == ""
