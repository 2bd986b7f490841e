"""The command ``setup``: keep this package in ``~/work``, so that it survives a stop of the instance."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from modelarts_magics.commands.install_lab import (
    extension_folders,
    install_extensions,
    remove_extensions,
)
from modelarts_magics.commands.prompts import is_confirmed
from modelarts_magics.commands.results import TextResult
from modelarts_magics.commands.work_copy import (
    ACTIVATE_FILE_NAME,
    START_FILE_MARK,
    folder_size,
    parts_to_copy,
    start_file_text,
    write_copy,
)
from modelarts_magics.config.atomic_file import replace_file
from modelarts_magics.config.work_folder import COPY_FOLDER, START_FILE, work_folder
from modelarts_magics.doctor.jupyter_server import find_jupyter_server
from modelarts_magics.errors import RefusedError
from modelarts_magics.messages import join_list, text

if TYPE_CHECKING:
    from pathlib import Path

    from modelarts_magics.commands.context import CommandContext
    from modelarts_magics.commands.parser import CommandRequest


def setup(request: CommandRequest, context: CommandContext) -> TextResult:
    """Write the package to ``~/work`` and install the sidebar, or remove both.

    Raises:
        UsageError: Arguments were given.
        RefusedError: There is no ``~/work``, a file of the user has the name of the start file, the answer is not
            yes, or a folder is not writable.
    """
    request.reject_arguments()
    work = work_folder(os.environ)
    if not work.is_dir():
        raise RefusedError("setup.no_work", path=work)
    _reject_foreign_start_file(work / START_FILE)
    if request.has_option("--remove"):
        return TextResult("\n".join(_remove(work)))
    return TextResult("\n".join(_set_up(work, request, context)))


def _reject_foreign_start_file(start_file: Path) -> None:
    try:
        is_foreign = START_FILE_MARK not in start_file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    except (OSError, ValueError):
        is_foreign = True
    if is_foreign:
        raise RefusedError("setup.foreign_file", path=start_file)


def _set_up(work: Path, request: CommandRequest, context: CommandContext) -> list[str]:
    folder, start_file = work / COPY_FOLDER, work / START_FILE
    parts = parts_to_copy()
    names = join_list(part.name for part in parts)
    question = text("setup.question", folder=folder, file=start_file, names=names)
    if not request.has_option("--yes") and not is_confirmed(context, question):
        raise RefusedError("setup.declined")
    widgets = request.has_option("--widgets")
    try:
        folder.mkdir(exist_ok=True)
        write_copy(folder, parts, widgets=widgets)
        replace_file(start_file, start_file_text().encode())
    except OSError as error:
        raise RefusedError("setup.not_writable", path=error.filename or folder) from None
    size = folder_size(folder)
    lines = [text("setup.written", folder=folder, file=start_file, names=names, bytes=size)]
    lines += _install_sidebar(folder / ACTIVATE_FILE_NAME, widgets=widgets)
    return [*lines, text("setup.next_start")]


def _install_sidebar(activate: Path, *, widgets: bool) -> list[str]:
    """Install the sidebar; a reason why it cannot be is no error, because the rest works without it."""
    server = find_jupyter_server(os.environ)
    try:
        return install_extensions(
            os.environ, server, include_widget_manager=widgets, activate=activate
        )
    except RefusedError as error:
        return [error.message]


def _remove(work: Path) -> list[str]:
    lines = []
    folder, start_file = work / COPY_FOLDER, work / START_FILE
    try:
        if folder.exists():
            shutil.rmtree(folder)
            lines.append(text("setup.removed", path=folder))
        if start_file.exists():
            start_file.unlink()
            lines.append(text("setup.removed", path=start_file))
        for compiled in (work / "__pycache__").glob(f"{start_file.stem}.*.pyc"):
            compiled.unlink()
    except OSError as error:
        raise RefusedError("setup.not_writable", path=error.filename or folder) from None
    server = find_jupyter_server(os.environ)
    nothing = [text("lab.not_installed")]
    removed = remove_extensions(extension_folders(os.environ, server))
    return lines if lines and removed == nothing else lines + removed
