"""The command ``install-lab``: install the JupyterLab extensions into the user's data folder.

On ModelArts the Jupyter server runs from an environment that pip in a notebook cannot change. A running JupyterLab
also serves extensions from the user's data folder, from the next page load, so this project's extension and
anywidget's are copied there. A marker file in each copy allows removing exactly these.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from modelarts_magics.commands.results import TextResult
from modelarts_magics.config.jupyter_folders import jupyter_data_folder
from modelarts_magics.doctor.jupyter_server import JupyterServer, find_jupyter_server
from modelarts_magics.doctor.lab_extension import (
    EXTENSION_NAME,
    MARKER_FILE,
    WIDGET_MANAGER,
    LabExtension,
    is_disabled,
    packaged_extension,
    read_extension,
    served_extension,
)
from modelarts_magics.doctor.page_widgets import COUNTDOWN_FRONT_END
from modelarts_magics.errors import RefusedError
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from typing_extensions import Self

    from modelarts_magics.commands.context import CommandContext
    from modelarts_magics.commands.parser import CommandRequest

EXTENSION_NAMES = (EXTENSION_NAME, COUNTDOWN_FRONT_END)
"""The names of the extensions to copy; the ipywidgets front end is copied on request only."""
HELPER_FILE = Path("static") / "helper-kernel.json"
"""The file from which the page learns which kernel has the package."""


def install_lab(request: CommandRequest, context: CommandContext) -> TextResult:  # noqa: ARG001 - the signature of all commands
    """Install or remove the extensions, and return what was done.

    Raises:
        UsageError: Arguments were given.
        RefusedError: The server's JupyterLab cannot load them, there is nothing to install, or the folder is not
            writable.
    """
    request.reject_arguments()
    server = find_jupyter_server(os.environ)
    if request.has_option("--remove"):
        lines = remove_extensions(extension_folders(os.environ, server))
    else:
        lines = install_extensions(
            os.environ, server, include_widget_manager=request.has_option("--widgets")
        )
    return TextResult("\n".join(lines))


def extension_folders(environ: Mapping[str, str], server: JupyterServer | None) -> list[Path]:
    """Return the user's folders of extensions: that of the server first, if it is another one."""
    folders = [server.data_folder] if server else []
    folders.append(jupyter_data_folder(environ))
    return list(dict.fromkeys(each / "labextensions" for each in folders))


def install_extensions(
    environ: Mapping[str, str],
    server: JupyterServer | None,
    *,
    include_widget_manager: bool = False,
    activate: Path | None = None,
    find_source: Callable[[str], LabExtension | None] = packaged_extension,
) -> list[str]:
    """Copy the extensions to the user's folder; a folder without our marker file is not replaced.

    Args:
        environ: The environment variables of this process.
        server: The server whose pages shall load them; None if it is not known.
        include_widget_manager: Also copy the ipywidgets front end.
        activate: The file that makes this package importable; None if it is installed.
        find_source: Returns the extension of this environment.

    Returns:
        A line of text for each extension, and for each reason why it is not shown.

    Raises:
        RefusedError: The server's JupyterLab cannot load them, there is nothing to install, or the folder is not
            writable.
    """
    names = _names_to_install(server, include_widget_manager=include_widget_manager)
    target = extension_folders(environ, server)[0]
    source = find_source(EXTENSION_NAME)
    if source is None:
        raise RefusedError("lab.nothing_found", python=sys.executable)
    helper = {
        "kernel": kernel_spec_name(server.data_path if server else [target.parent], server),
        "activate": str(activate or ""),
        "version": source.version,
        "installed_at_ms": round(time.time() * 1000),
    }
    try:
        with _Copies(target) as copies:
            lines = [_install_extension(name, find_source(name), copies) for name in names]
            copies.write(EXTENSION_NAME, HELPER_FILE, json.dumps(helper))
            copies.commit()
    except OSError as error:
        raise RefusedError("lab.not_writable", path=error.filename or target) from None
    if server:
        lines += _reasons_not_shown(target, server, names)
        if EXTENSION_NAME not in names:
            lines.insert(0, text("lab.widgets_only", page=server.page_name))
    lines.append(text("lab.reload" if include_widget_manager else "lab.reload.widgets"))
    return lines


def _names_to_install(
    server: JupyterServer | None, *, include_widget_manager: bool
) -> tuple[str, ...]:
    """Return the extensions that the server's pages can load and lack.

    Raises:
        RefusedError: Its JupyterLab cannot load what is asked for.
    """
    names: tuple[str, ...] = EXTENSION_NAMES
    if server and not server.can_load_extension:
        if not server.can_load_widgets:
            raise RefusedError("lab.no_lab", page=server.page_name)
        if not include_widget_manager:
            raise RefusedError("lab.too_old", page=server.page_name)
        names = (COUNTDOWN_FRONT_END,)
    served = served_extension(WIDGET_MANAGER, server) if server else None
    # The server's own front end is left as it is: another one would show no widgets of its other kernels.
    if include_widget_manager and (served is None or served.is_ours):
        names = (*names, WIDGET_MANAGER)
    return names


def remove_extensions(folders: Iterable[Path]) -> list[str]:
    """Remove the extensions that have our marker file.

    Returns:
        A line of text for each folder of an extension.

    Raises:
        RefusedError: A folder is not writable.
    """
    lines = []
    for folder in folders:
        for name in (*EXTENSION_NAMES, WIDGET_MANAGER):
            copy = folder / name
            if (copy / MARKER_FILE).is_file():
                _remove_folder(copy)
                lines.append(text("lab.removed", name=name, path=folder))
            elif copy.exists() and name == EXTENSION_NAME:
                lines.append(text("lab.foreign_files", name=name, path=copy))
    return [*lines, text("lab.reload")] if lines else [text("lab.not_installed")]


def _remove_folder(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise RefusedError("lab.not_writable", path=error.filename or folder) from None
    _remove_empty_scope(folder.parent)


def _remove_empty_scope(folder: Path) -> None:
    """Remove the folder of an npm scope, unless other extensions use it."""
    if folder.name.startswith("@"):
        with contextlib.suppress(OSError):
            folder.rmdir()


def _install_extension(name: str, source: LabExtension | None, copies: _Copies) -> str:
    """Copy an extension unless another program has installed it, and return what was done."""
    target = copies.target
    folder = target / name
    if source is None:
        return text("lab.missing", name=name, python=sys.executable)
    present = read_extension(name, folder)
    if folder.exists() and folder.resolve() == source.folder.resolve():
        return text("lab.by_pip", name=name, version=source.version, path=folder)
    if folder.exists() and (present is None or not present.is_ours):
        version = (present.version if present else "") or text("word.empty")
        return text("lab.foreign_version", name=name, version=version, path=folder)
    copies.add(name, source.folder)
    if present and present.version != source.version:
        return text(
            "lab.updated", name=name, previous=present.version, version=source.version, path=target
        )
    return text("lab.installed", name=name, version=source.version, path=target)


class _Copies:
    """Copies of folders, which replace the present ones together or not at all.

    Args:
        target: The folder to copy to.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self._staged: dict[str, Path] = {}
        self._missing = [each for each in (target, *target.parents) if not each.exists()]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """Remove what was not committed."""
        for copy in self._staged.values():
            shutil.rmtree(copy, ignore_errors=True)
            _remove_empty_scope(copy.parent)
        for each in self._missing:
            with contextlib.suppress(OSError):
                each.rmdir()

    def add(self, name: str, source: Path) -> None:
        """Copy a folder beside its place."""
        copy = self.target / f"{name}.new"
        self._staged[name] = copy
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(source, copy)
        (copy / MARKER_FILE).touch()

    def write(self, name: str, file: Path, content: str) -> None:
        """Write a file into a copy, if there is one."""
        if name in self._staged:
            path = self._staged[name] / file
            path.parent.mkdir(exist_ok=True)
            path.write_text(content, encoding="utf-8")

    def commit(self) -> None:
        """Replace the present folders by the copies."""
        for name, copy in self._staged.items():
            old = self.target / f"{name}.old"
            shutil.rmtree(old, ignore_errors=True)
            if (self.target / name).exists():
                (self.target / name).replace(old)
            copy.replace(self.target / name)
            shutil.rmtree(old, ignore_errors=True)


def _reasons_not_shown(target: Path, server: JupyterServer, names: Iterable[str]) -> list[str]:
    """Return why the server does not serve the copies, or its pages do not show them."""
    if target not in server.extension_folders:
        return [text("lab.not_served", path=target, page=server.page_name)]
    lines = []
    for name in names:
        served = served_extension(name, server)
        if served and served.folder != target / name:
            lines.append(
                text("lab.shadowed", name=name, version=served.version, path=served.folder)
            )
        if is_disabled(name, server):
            lines.append(text("lab.disabled", name=name, python=server.python))
    return lines


def kernel_spec_name(data_path: Iterable[Path], server: JupyterServer | None = None) -> str:
    """Return the name of the kernel spec that starts this interpreter; "" if there is none.

    Args:
        data_path: Jupyter's folders with kernel specs.
        server: The server; its own environment has a kernel without a file.
    """
    for folder in data_path:
        for file in sorted((folder / "kernels").glob("*/kernel.json")):
            try:
                program = json.loads(file.read_text(encoding="utf-8"))["argv"][0]
            except (OSError, ValueError, KeyError, IndexError, TypeError):
                continue
            if _is_this_interpreter(str(program)):
                return file.parent.name
    if server and server.prefix == Path(sys.prefix):
        return "python3"
    return ""


def _is_this_interpreter(program: str) -> bool:
    path, own = Path(program), Path(sys.executable)
    # The links of several virtual environments lead to the same program, but not from the same folder.
    return path.is_absolute() and path.parent.resolve() == own.parent.resolve()
