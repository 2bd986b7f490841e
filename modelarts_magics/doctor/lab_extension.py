"""Find the copies of JupyterLab extensions: in this environment, and those that a server serves."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from modelarts_magics.doctor.jupyter_server import JupyterServer

EXTENSION_NAME = "modelarts-magics-lab"
"""The name of this project's extension."""
WIDGET_MANAGER = "@jupyter-widgets/jupyterlab-manager"
"""The name of the ipywidgets front end."""
DISTRIBUTIONS = {
    EXTENSION_NAME: "modelarts-magics",
    "anywidget": "anywidget",
    WIDGET_MANAGER: "jupyterlab_widgets",
}
"""The Python package that contains each extension."""
MARKER_FILE = ".installed-by-modelarts-magics"
"""A file in each copy that `install-lab` has made."""


@dataclass(frozen=True)
class LabExtension:
    """A folder with a JupyterLab extension.

    Attributes:
        name: The name of the extension.
        folder: The folder.
        version: Its version; "" if it is unknown.
        is_ours: Whether `install-lab` has made this copy.
    """

    name: str
    folder: Path
    version: str
    is_ours: bool


def read_extension(name: str, folder: Path) -> LabExtension | None:
    """Return the extension in a folder; None if there is none."""
    if not (folder / "package.json").is_file():
        return None
    version = _read_json(folder / "package.json").get("version")
    marker = (folder / MARKER_FILE).is_file()
    return LabExtension(name, folder, version if isinstance(version, str) else "", marker)


def packaged_extension(name: str) -> LabExtension | None:
    """Return the extension that this environment has; None if there is none.

    The files are found by the metadata of the Python package, so that those of an installation with ``--user`` or
    ``--target`` are found, too.
    """
    found = (read_extension(name, folder) for folder in _packaged_folders(name))
    return next((each for each in found if each), None)


def _packaged_folders(name: str) -> Iterator[Path]:
    ending = f"labextensions/{name}/package.json"
    # The copy in `~/work` has all extensions beside this package.
    for distribution in _distributions(DISTRIBUTIONS[name], DISTRIBUTIONS[EXTENSION_NAME]):
        for file in distribution.files or ():
            if file.as_posix().endswith(ending):
                yield Path(os.path.normpath(str(distribution.locate_file(file)))).parent
        # With `--target` the files are beside the packages, although the metadata says otherwise.
        root = Path(str(distribution.locate_file("")))
        yield root / "share" / "jupyter" / "labextensions" / name
    yield Path(sys.prefix) / "share" / "jupyter" / "labextensions" / name
    if name == EXTENSION_NAME:
        # A checkout with a built front end.
        yield Path(__file__).parents[1] / "labextension"


def _distributions(*names: str) -> Iterator[metadata.Distribution]:
    for name in names:
        with contextlib.suppress(metadata.PackageNotFoundError):
            yield metadata.distribution(name)


def served_extension(name: str, server: JupyterServer) -> LabExtension | None:
    """Return the copy of an extension that a server serves; None if there is none."""
    found = (read_extension(name, folder / name) for folder in server.extension_folders)
    return next((each for each in found if each), None)


def is_built_in(name: str, server: JupyterServer) -> bool:
    """Return whether a JupyterLab was built with the extension, as ``jupyter labextension install`` does."""
    build = server.prefix / "share" / "jupyter" / "lab" / "static" / "package.json"
    extensions = _read_json(build).get("jupyterlab", {}).get("extensions", {})
    return name in extensions


def is_disabled(name: str, server: JupyterServer) -> bool:
    """Return whether the extension, or its first plugin, is disabled for the pages of a server."""
    return any(
        disabled in (name, f"{name}:manager", f"{name}:plugin")
        for disabled in _disabled_extensions(server.config_path, server.prefix)
    )


def _disabled_extensions(config_path: Iterable[Path], prefix: Path) -> Iterator[str]:
    """Yield the names in ``disabledExtensions``; a folder of higher precedence can enable one again."""
    merged: dict[str, Any] = {}
    folders = [prefix / "share" / "jupyter" / "lab" / "settings"]
    folders += [each / "labconfig" for each in reversed([*config_path])]
    for folder in folders:
        disabled = _read_json(folder / "page_config.json").get("disabledExtensions")
        if isinstance(disabled, list):
            disabled = dict.fromkeys(disabled, True)
        merged.update(disabled if isinstance(disabled, dict) else {})
    yield from (str(name) for name, value in merged.items() if value)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
