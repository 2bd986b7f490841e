"""Where a demo works: the notebooks in sight, everything else out of the person's way."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

QUICKSTART = "01-quickstart.ipynb"
WORK_FOLDER = ".demo"
EXCLUDED_PREFIXES = ("MODELARTS_", "HUAWEICLOUD_SDK_", "JUPYTER", "JPY_")
"""What the demo does not take from the environment: it would lead elsewhere than to the emulator."""
PASSED_VARIABLES = ("MODELARTS_TIMEZONE", "MODELARTS_LANGUAGE")
NOTIFICATION_SETTINGS = {"fetchNews": "false", "checkForUpdates": False}
"""JupyterLab shall not ask whether it may fetch news: the question covers the page."""


@dataclass(frozen=True)
class DemoWorkspace:
    """Where a demo works.

    Attributes:
        work_folder: The folder with the notebooks.
        private_folder: The folder with everything else.
        environment: The variables of JupyterLab and of the kernels.
    """

    work_folder: Path
    private_folder: Path
    environment: Mapping[str, str]

    @property
    def log_path(self) -> Path:
        """What JupyterLab has to say."""
        return self.private_folder / "jupyter.log"


def example_notebooks_folder() -> Path:
    """Where the example notebooks are: in the installed package, or beside it in a source tree."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "notebooks"
    return installed if installed.is_dir() else package.parent / "notebooks"


@contextlib.contextmanager
def temporary_workspace(
    variables: Mapping[str, str], notebooks: Path | None = None
) -> Iterator[DemoWorkspace]:
    """A place whose private folder goes at the end.

    Args:
        variables: What points to the emulator.
        notebooks: The folder with the notebooks; the private one if None.
    """
    private = Path(tempfile.mkdtemp(prefix="modelarts-demo-"))
    try:
        _write_lab_settings(private)
        yield DemoWorkspace(
            notebooks or private, private, {**_build_environment(private), **variables}
        )
    finally:
        shutil.rmtree(private, ignore_errors=True)


@contextlib.contextmanager
def notebook_copies() -> Iterator[Path]:
    """``./.demo`` with the notebooks; one that was edited stays there, also for the next demo."""
    work = Path.cwd() / WORK_FOLDER
    work.mkdir(exist_ok=True)
    originals = sorted(example_notebooks_folder().glob("*.ipynb"))
    for original in originals:
        if not (work / original.name).exists():
            shutil.copyfile(original, work / original.name)
    try:
        yield work
    finally:
        _remove_unchanged(work, originals)


def _build_environment(private: Path) -> dict[str, str]:
    kept = {
        n: v
        for n, v in os.environ.items()
        if n in PASSED_VARIABLES or not n.startswith(EXCLUDED_PREFIXES)
    }
    own = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
        "MODELARTS_STATE_DIR": "state",
    }
    folders = {name: str(private / folder) for name, folder in own.items()}
    # So that `!modelarts-magics` in a cell, and a terminal, find this very installation.
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
    # A Node that JupyterLab finds on the way would leave a cache in the person's folder for temporary files.
    return {**kept, **folders, "PATH": path, "NODE_DISABLE_COMPILE_CACHE": "1"}


def _write_lab_settings(private: Path) -> None:
    folder = private / "settings" / "@jupyterlab" / "apputils-extension"
    folder.mkdir(parents=True)
    settings = folder / "notification.jupyterlab-settings"
    settings.write_text(json.dumps(NOTIFICATION_SETTINGS), encoding="utf-8")


def _remove_unchanged(work: Path, originals: Sequence[Path]) -> None:
    """Remove what is as it was delivered, outputs aside."""
    for original in originals:
        copy = work / original.name
        if copy.exists() and _cell_sources(copy) == _cell_sources(original):
            copy.unlink()
    shutil.rmtree(work / ".ipynb_checkpoints", ignore_errors=True)
    with contextlib.suppress(OSError):  # something of the person's is in it
        work.rmdir()


def _cell_sources(notebook: Path) -> object:
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        return [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    except (ValueError, KeyError, TypeError):
        return None
