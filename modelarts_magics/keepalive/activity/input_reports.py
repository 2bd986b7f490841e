"""Reports of pages that they show a prompt of ``input()``, as files in the folder of the daemon.

A prompt reaches only the page that runs the cell, which so learns that the cell waits for its user.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from modelarts_magics.config.atomic_file import replace_file
from modelarts_magics.config.private_file import read_private_text

if TYPE_CHECKING:
    from pathlib import Path

_PREFIX = "input-"
_KERNEL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def report_input(folder: Path, kernel_id: str, since: datetime | None) -> None:
    """Report that a page shows a prompt of a kernel, or no longer.

    Args:
        folder: The folder of the daemon.
        kernel_id: The ID of the kernel; another text than an ID is ignored.
        since: Since when, aware, by the clock of the API; None if it no longer does.

    Raises:
        OSError: The file cannot be written.
    """
    if not _KERNEL_ID.fullmatch(kernel_id):
        return
    path = _path(folder, kernel_id)
    if since is None:
        path.unlink(missing_ok=True)
    elif folder.exists():
        # Without a daemon there is no reader.
        replace_file(path, since.isoformat().encode())


def has_input_report(folder: Path, kernel_id: str) -> bool:
    """Return whether there is a report about a kernel."""
    return _path(folder, kernel_id).exists()


def input_report(folder: Path, kernel_id: str) -> datetime | None:
    """Return since when a page shows a prompt of a kernel; None if none does."""
    if not has_input_report(folder, kernel_id):
        return None
    try:
        since = datetime.fromisoformat(read_private_text(_path(folder, kernel_id)))
    except (OSError, ValueError, TypeError):
        return None
    return since if since.tzinfo is not None else None


def _path(folder: Path, kernel_id: str) -> Path:
    return folder / f"{_PREFIX}{kernel_id}"
