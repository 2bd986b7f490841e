"""``modelarts-magics install-lab``: install the JupyterLab extensions into the user's data folder.

On ModelArts the Jupyter server runs from an environment that pip in a notebook cannot change. A running JupyterLab
also serves extensions from the user's data folder, from the next page load, so this project's extension and
anywidget's are copied there. A marker file in each copy allows removing exactly these.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from modelarts_magics.commands.argument_parser import ArgumentParser
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EXTENSION_NAMES = ("modelarts-magics-lab", "anywidget")
"""The folder names of the extensions to copy."""
WIDGET_MANAGER = "@jupyter-widgets/jupyterlab-manager"
"""The ipywidgets front end; copied on request only, since most servers have a matching one."""
MARKER_FILE = ".installed-by-modelarts-magics"


def jupyter_data_folder(environ: Mapping[str, str], *, platform: str = sys.platform) -> Path:
    """Return the user's Jupyter data folder.

    Source: Jupyter's documentation, "Common directories and file locations".
    """
    if environ.get("JUPYTER_DATA_DIR"):
        return Path(environ["JUPYTER_DATA_DIR"])
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
    if platform == "darwin":
        return home / "Library" / "Jupyter"
    if platform == "win32":
        return Path(environ.get("APPDATA") or home / ".jupyter") / "jupyter"
    return Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "jupyter"


def install_extensions(
    source: Path, target: Path, *, include_widget_manager: bool = False
) -> list[str]:
    """Copy the extensions from `source` to `target`; an extension without our marker file is not replaced.

    Args:
        source: A folder of JupyterLab extensions, for example ``<prefix>/share/jupyter/labextensions``.
        target: The folder to copy to.
        include_widget_manager: Also copy the ipywidgets front end.

    Returns:
        A line of text for each extension.

    Raises:
        OSError: A file could not be written.
    """
    names = (*EXTENSION_NAMES, WIDGET_MANAGER) if include_widget_manager else EXTENSION_NAMES
    return [_install_extension(name, source / name, target / name) for name in names]


def remove_extensions(target: Path) -> list[str]:
    """Remove the extensions in `target` that have our marker file.

    Returns:
        A line of text for each extension.
    """
    lines = []
    for name in (*EXTENSION_NAMES, WIDGET_MANAGER):
        ours = (target / name / MARKER_FILE).is_file()
        if not ours and name == WIDGET_MANAGER:
            continue
        if ours:
            shutil.rmtree(target / name)
            if name == WIDGET_MANAGER:
                # The folder of the npm scope is not empty if other extensions use it.
                with contextlib.suppress(OSError):
                    (target / name).parent.rmdir()
        lines.append(text("lab.removed" if ours else "lab.not_installed", name=name, path=target))
    return lines


def _install_extension(name: str, source: Path, target: Path) -> str:
    if not (source / "package.json").is_file():
        return text("lab.missing", name=name, path=source)
    if target.exists() and not (target / MARKER_FILE).is_file():
        return text("lab.foreign_files", name=name, path=target)
    copy = target.with_name(f"{target.name}.new")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source, copy)
    (copy / MARKER_FILE).touch()
    shutil.rmtree(target, ignore_errors=True)
    copy.replace(target)
    return text("lab.installed", name=name, path=target)


def main(arguments: Sequence[str] | None = None) -> int:
    """Install or remove the extensions and print the outcome.

    Args:
        arguments: The arguments after ``install-lab``; None for those of the process.

    Returns:
        The exit status: 0, or 1 if a file could not be written.
    """
    parser = ArgumentParser("modelarts-magics install-lab", "lab.help")
    parser.add_argument("--remove", action="store_true", help=text("lab.help.remove"))
    parser.add_argument("--widgets", action="store_true", help=text("lab.help.widgets"))
    options = parser.parse_args(arguments)
    target = jupyter_data_folder(os.environ) / "labextensions"
    source = Path(sys.prefix) / "share" / "jupyter" / "labextensions"
    try:
        lines = (
            remove_extensions(target)
            if options.remove
            else install_extensions(source, target, include_widget_manager=options.widgets)
        )
    except OSError as error:
        sys.stderr.write(text("file.not_writable", path=error.filename or target) + "\n")
        return 1
    next_step = "lab.reload" if options.remove or options.widgets else "lab.reload.widgets"
    sys.stdout.write("\n".join([*lines, text(next_step)]) + "\n")
    return 0
