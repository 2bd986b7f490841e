"""The report of the watcher, which panel, notebook and terminal read from a file of the daemon's folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from modelarts_magics.config.atomic_file import replace_object
from modelarts_magics.config.private_file import read_private_text
from modelarts_magics.keepalive.activity.source import Source, is_anything_busy

if TYPE_CHECKING:
    from pathlib import Path

FORMAT_VERSION = 1
REPORT_FILE = "activity.json"


@dataclass(frozen=True)
class ActivityReport:
    """The state of all sources of activity.

    Attributes:
        sources: The sources.
        watched_since: Since when they are watched, by the clock of the API.
        watcher: The process that watches.
        is_complete: Whether every kind of source has been looked at.
    """

    sources: tuple[Source, ...]
    watched_since: datetime
    watcher: int
    is_complete: bool

    @property
    def busy(self) -> bool | None:
        """Whether anything works; None if nothing is known to work, but something cannot be known."""
        return is_anything_busy(self.sources)

    def to_json(self) -> dict[str, Any]:
        """Return the fields that ``activity --json`` shows."""
        return {"busy": self.busy, "sources": [source.to_json() for source in self.sources]}


def save_report(folder: Path, report: ActivityReport) -> None:
    """Replace the report of a daemon's folder.

    Raises:
        OSError: The file cannot be written.
    """
    data = {
        "version": FORMAT_VERSION,
        "watched_since": report.watched_since.isoformat(),
        "watcher": report.watcher,
        "is_complete": report.is_complete,
        "sources": [source.to_state() for source in report.sources],
    }
    replace_object(folder / REPORT_FILE, data)


def load_report(folder: Path) -> ActivityReport | None:
    """Return the report that was written last; None if there is none that can be read."""
    try:
        data = json.loads(read_private_text(folder / REPORT_FILE))
        if data["version"] != FORMAT_VERSION:
            return None
        return ActivityReport(
            sources=tuple(Source.from_state(each) for each in data["sources"]),
            watched_since=datetime.fromisoformat(data["watched_since"]),
            watcher=int(data["watcher"]),
            is_complete=bool(data["is_complete"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
