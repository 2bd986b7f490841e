"""``modelarts-magics install-lab``: the front ends into the person's own folder of lab extensions.

On the platform the Jupyter server runs from an environment that pip in a notebook does not reach. A running
JupyterLab also serves what lies in the person's own data folder, at its next page load; so our extension and
anywidget's are copied there. A mark in each copy makes it possible to take back exactly that.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from modelarts_magics import messages
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EXTENSION_NAMES = ("modelarts-magics-lab", "anywidget")
"""The extensions to copy, by the folder that each has."""
WIDGET_MANAGER = "@jupyter-widgets/jupyterlab-manager"
"""What shows widgets at all; only if asked for, since most servers have one that suits them."""
MARKER_FILE = ".installed-by-modelarts-magics"


def jupyter_data_folder(environ: Mapping[str, str], *, platform: str = sys.platform) -> Path:
    """The person's own Jupyter data folder.

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
    """Copy the extensions that `source` has; one that somebody else put into `target` stays.

    Args:
        source: A folder of lab extensions, as ``<prefix>/share/jupyter/labextensions``.
        target: Another one.
        include_widget_manager: Also what shows widgets at all.

    Returns:
        What was done, a line for each extension.

    Raises:
        OSError: Something could not be written.
    """
    names = (*EXTENSION_NAMES, WIDGET_MANAGER) if include_widget_manager else EXTENSION_NAMES
    return [_install_extension(name, source / name, target / name) for name in names]


def remove_extensions(target: Path) -> list[str]:
    """Take back what `install` put into `target`, and nothing else.

    Returns:
        What was done, a line for each extension.
    """
    lines = []
    for name in (*EXTENSION_NAMES, WIDGET_MANAGER):
        ours = (target / name / MARKER_FILE).is_file()
        if not ours and name == WIDGET_MANAGER:
            continue
        if ours:
            shutil.rmtree(target / name)
            if name == WIDGET_MANAGER:
                with contextlib.suppress(OSError):  # others of the same scope are there
                    (target / name).parent.rmdir()
        lines.append(text("lab.removed" if ours else "lab.not_ours", name=name, path=target))
    return lines


def _install_extension(name: str, source: Path, target: Path) -> str:
    if not (source / "package.json").is_file():
        return text("lab.missing", name=name, path=source)
    if target.exists() and not (target / MARKER_FILE).is_file():
        return text("lab.kept", name=name, path=target)
    fresh = target.with_name(f"{target.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(source, fresh)
    (fresh / MARKER_FILE).touch()
    shutil.rmtree(target, ignore_errors=True)
    fresh.replace(target)
    return text("lab.installed", name=name, path=target)


def main(arguments: Sequence[str] | None = None) -> int:
    """Install or remove, and say what was done.

    Returns:
        0, or 1 if something could not be written.
    """
    messages.use_language(os.environ.get("MODELARTS_LANGUAGE"))
    parser = argparse.ArgumentParser(
        prog="modelarts-magics install-lab", description=text("lab.help")
    )
    parser.add_argument("--remove", action="store_true", help=text("lab.help.remove"))
    parser.add_argument("--widgets", action="store_true", help=text("lab.help.widgets"))
    given = parser.parse_args(arguments)
    target = jupyter_data_folder(os.environ) / "labextensions"
    source = Path(sys.prefix) / "share" / "jupyter" / "labextensions"
    try:
        lines = (
            remove_extensions(target)
            if given.remove
            else install_extensions(source, target, include_widget_manager=given.widgets)
        )
    except OSError as error:
        sys.stderr.write(text("lab.failed", path=error.filename or target) + "\n")
        return 1
    then = "lab.reload" if given.remove or given.widgets else "lab.reload.widgets"
    sys.stdout.write("\n".join([*lines, text(then)]) + "\n")
    return 0
