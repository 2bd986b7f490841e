"""Reports of open pages before a planned stop, as files in the folder of the daemon.

A page that learns of the stop registers. When the daemon asks for it, it saves its documents and reports that. The
stop waits for each registered page, but no longer than `stopping.SAVE_LIMIT`.
"""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING

from modelarts_magics.config.atomic_file import replace_object
from modelarts_magics.config.private_file import read_private_object
from modelarts_magics.keepalive.folder import json_files
from modelarts_magics.session.notify import notify

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

_PREFIX = "page-"


def report_page(folder: Path, *, tab: str, stop_since: datetime, saved: bool) -> None:
    """Register a page for a planned stop, or report that its documents are saved; wakes the daemon.

    Args:
        folder: The folder of the daemon.
        tab: Identifies the page.
        stop_since: When the work ended, which identifies the stop.
        saved: Whether the page has saved what it could.

    Raises:
        OSError: The file cannot be written.
    """
    # A name from a page is no name of a file.
    name = hashlib.sha256(tab.encode()).hexdigest()[:16]
    content = {"stop": stop_since.isoformat(), "saved": saved}
    replace_object(folder / f"{_PREFIX}{name}.json", content)
    notify(folder)


def are_pages_saved(folder: Path, stop_since: datetime) -> bool:
    """Return whether each page that is registered for a planned stop has saved its documents."""
    reports = [read_private_object(path) for path in json_files(folder, _PREFIX)]
    stop = stop_since.isoformat()
    return all(each.get("saved") is True for each in reports if each.get("stop") == stop)


def forget_pages(folder: Path) -> None:
    """Delete the reports of all pages."""
    for path in json_files(folder, _PREFIX):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
