"""Records for tests."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from modelarts_magics.keepalive.records import COMMAND, Record, new_record_id, read_entries

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 11, 28, tzinfo=timezone.utc)


class FinishedProcess:
    """A process that has ended."""

    def poll(self) -> int:
        """Return the exit status."""
        return 0


def new_record(folder: Path, *, started_at: datetime = START) -> Record:
    """Return a record without files."""
    return Record(new_record_id(), "train", COMMAND, folder, started_at)


def text_of(record: Record) -> str:
    """Return the printed text in a record."""
    entries = (each for each in read_entries(record) if each["type"] == "stream")
    return "".join(each["content"]["text"] for each in entries)


def gaps_of(record: Record) -> list[dict[str, object]]:
    """Return the notes about missing parts."""
    return [each["content"] for each in read_entries(record) if each["type"] == "gap"]
