"""Folders and environment of the demo: copies of the notebooks, and a temporary folder for all other files."""

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

from modelarts_magics import messages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

QUICKSTART = "01-quickstart.ipynb"
TRANSLATED_QUICKSTARTS = {"zh_CN": "01-quickstart.zh-CN.ipynb"}
WORK_FOLDER = ".demo"
# Variables that could connect the demo to something else than the emulator.
EXCLUDED_PREFIXES = ("MODELARTS_", "HUAWEICLOUD_SDK_", "JUPYTER", "JPY_")
PASSED_VARIABLES = ("MODELARTS_TIMEZONE", "MODELARTS_LANGUAGE")
# Prevents the dialog in which JupyterLab asks for permission to fetch news; it covers the page.
NOTIFICATION_SETTINGS = {"fetchNews": "false", "checkForUpdates": False}
# As ipykernel reports it, whose import would create a folder in the user's home.
_LANGUAGE = {
    "name": "python",
    "version": sys.version.split()[0],
    "mimetype": "text/x-python",
    "codemirror_mode": {"name": "ipython", "version": 3},
    "pygments_lexer": "ipython3",
    "nbconvert_exporter": "python",
    "file_extension": ".py",
}


@dataclass(frozen=True)
class DemoWorkspace:
    """Folders and environment of the demo.

    Attributes:
        work_folder: The folder with the notebooks.
        private_folder: The temporary folder with all other files.
        environment: The environment variables of JupyterLab and the kernels.
    """

    work_folder: Path
    private_folder: Path
    environment: Mapping[str, str]

    @property
    def log_path(self) -> Path:
        """The log file of JupyterLab."""
        return self.private_folder / "jupyter.log"


def quickstart_name() -> str:
    """Return the file name of the quickstart in the language of the messages."""
    return TRANSLATED_QUICKSTARTS.get(messages.language(), QUICKSTART)


def example_notebooks_folder() -> Path:
    """Return the folder of the example notebooks in the installed package or the source tree."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "notebooks"
    return installed if installed.is_dir() else package.parent / "notebooks"


@contextlib.contextmanager
def temporary_workspace(
    variables: Mapping[str, str], notebooks: Path | None = None
) -> Iterator[DemoWorkspace]:
    """Create a workspace whose private folder is removed when the block ends.

    Args:
        variables: The environment variables that connect a client to the emulator.
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
    """Copy the notebooks to `./.demo`; edited copies are kept there, also for the next demo."""
    work = Path.cwd() / WORK_FOLDER
    work.mkdir(exist_ok=True)
    originals = sorted(example_notebooks_folder().glob("*.ipynb"))
    for original in originals:
        if not (work / original.name).exists():
            copy_with_kernel(original, work / original.name)
    try:
        yield work
    finally:
        _remove_unchanged(work, originals)


def copy_with_kernel(original: Path, copy: Path) -> None:
    """Copy a notebook, and name the kernel that runs it.

    JupyterLab fills this in when the kernel has started, and would show an open notebook as changed.
    """
    notebook = json.loads(original.read_text(encoding="utf-8"))
    notebook["metadata"]["language_info"] = _LANGUAGE
    copy.write_text(json.dumps(notebook, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _build_environment(private: Path) -> dict[str, str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name in PASSED_VARIABLES or not name.startswith(EXCLUDED_PREFIXES)
    }
    private_folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
        "MODELARTS_STATE_DIR": "state",
    }
    folders = {name: str(private / folder) for name, folder in private_folders.items()}
    # `!modelarts-magics` in a cell, and a terminal, run this installation.
    path = os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", os.defpath)])
    # Prevents that a Node.js found by JupyterLab writes a cache to the user's temporary folder.
    return {**inherited, **folders, "PATH": path, "NODE_DISABLE_COMPILE_CACHE": "1"}


def _write_lab_settings(private: Path) -> None:
    folder = private / "settings" / "@jupyterlab" / "apputils-extension"
    folder.mkdir(parents=True)
    settings = folder / "notification.jupyterlab-settings"
    settings.write_text(json.dumps(NOTIFICATION_SETTINGS), encoding="utf-8")


def _remove_unchanged(work: Path, originals: Sequence[Path]) -> None:
    """Remove the copies whose cells are unchanged; outputs do not count."""
    for original in originals:
        copy = work / original.name
        if copy.exists() and _cell_sources(copy) == _cell_sources(original):
            copy.unlink()
    shutil.rmtree(work / ".ipynb_checkpoints", ignore_errors=True)
    # The folder may contain files of the user; then it is kept.
    with contextlib.suppress(OSError):
        work.rmdir()


def _cell_sources(notebook: Path) -> object:
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        return [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    except (ValueError, KeyError, TypeError):
        return None
