"""Records of the output of guarded cells and commands: where they are, and the index of each.

A record is a file of entries, one JSON object in each line (`modelarts_magics.keepalive.record_writer`). Beside it
is a small index file, so that a list of the records needs no record to be read. Both have mode 0600 and are in the
place that is preserved when the instance stops.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from modelarts_magics.config.atomic_file import replace_file
from modelarts_magics.config.surviving_folder import surviving_folder
from modelarts_magics.keepalive.processes import is_process_alive, process_started

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from modelarts_magics.config.settings import Settings

FOLDER_NAME = ".modelarts-magics-records"
INDEX_VERSION = 1
MAX_RECORDS = 20
"""The number of records that are kept."""
MAX_TOTAL_BYTES = 500_000_000
"""The size of all records together; those that ended first are deleted first."""
CELL, COMMAND = "cell", "command"
"""The kinds of records."""
_ID_PATTERN = re.compile(r"[0-9a-f]{6}")
_INDEX_BLOCK = 1024
"""The size of an index is a multiple of this, so that it can be overwritten in place on a full disk."""


@dataclass(frozen=True)
class Record:
    """The index of a record.

    Attributes:
        id: Identifies the record and its files.
        name: The name to show: of the guard, or the command.
        kind: `CELL` or `COMMAND`.
        folder: The folder of the records.
        started_at: When recording began.
        ended_at: When it ended; None while it goes on, or if the recording process was killed.
        lines: The number of printed lines.
        size: The number of printed bytes, with those that were left out.
        missed: The number of bytes that could not be written, for example because the disk was full.
        writer: ID and start of the recording process, see `process_started`.
        details: What else is known, by name: ``cell_id``, ``language`` and more; JSON values.
    """

    id: str
    name: str
    kind: str
    folder: Path
    started_at: datetime
    ended_at: datetime | None = None
    lines: int = 0
    size: int = 0
    missed: int = 0
    writer: tuple[int, int | None] = (0, None)
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The file of the entries."""
        return self.folder / f"{self.id}.jsonl"

    @property
    def index_path(self) -> Path:
        """The file of this index."""
        return self.folder / f"{self.id}.json"

    @property
    def notebook_path(self) -> Path:
        """The notebook that is written from the record at its end."""
        return self.folder / f"{self.id}.ipynb"

    @property
    def is_running(self) -> bool:
        """Whether the recording goes on."""
        pid, started = self.writer
        return self.ended_at is None and is_process_alive(pid, started=started)

    def tail_paths(self) -> list[Path]:
        """Return the files that continue a long record while it is written, in order."""
        return sorted(self.folder.glob(f"{self.id}.tail-*.jsonl"))

    def end_time(self) -> datetime | None:
        """Return when the recording ended; for a killed process, when it last wrote; None while it goes on."""
        if self.ended_at is not None or self.is_running:
            return self.ended_at
        return self.written_at()

    def written_at(self) -> datetime:
        """Return when a file of the record was last written; its beginning if there is none."""
        # Another process may delete files at any time.
        found = [_status(path) for path in self.files()]
        times = [status.st_mtime for status in found if status]
        return datetime.fromtimestamp(max(times), timezone.utc) if times else self.started_at

    def files(self) -> list[Path]:
        """Return the files of the record that exist."""
        paths = [self.path, *self.tail_paths(), self.index_path, self.notebook_path]
        return [path for path in paths if path.exists()]

    def with_own_process(self) -> Record:
        """Return the record with this process as the one that writes it."""
        return replace(self, writer=(os.getpid(), process_started(os.getpid())))


def records_folder(settings: Settings, environ: Mapping[str, str]) -> Path:
    """Return the folder of the records, which may not exist yet."""
    return surviving_folder(settings, environ) / FOLDER_NAME


def new_record_id() -> str:
    """Return the ID of a new record, short enough to be typed."""
    return os.urandom(3).hex()


def list_records(folder: Path) -> list[Record]:
    """Return the index of each record, the newest first."""
    found = (read_index(path) for path in folder.glob("*.json") if is_record_id(path.stem))
    return sorted((each for each in found if each), key=lambda each: each.started_at, reverse=True)


def find_record(folder: Path, record_id: str) -> Record | None:
    """Return the index of a record; None if there is none."""
    return read_index(folder / f"{record_id}.json") if is_record_id(record_id) else None


def is_record_id(text: str) -> bool:
    """Return whether a text has the form of a record's ID."""
    return bool(_ID_PATTERN.fullmatch(text))


def prune(folder: Path) -> None:
    """Delete records so that the rest is within the limits: those that ended first, and none that is written.

    A record that took hours is the newest at its end, whatever has been recorded meanwhile.
    """
    newest_first = sorted(
        list_records(folder),
        key=lambda each: (each.is_running, each.end_time() or each.started_at),
        reverse=True,
    )
    size = 0
    for number, record in enumerate(newest_first, 1):
        files = record.files()
        size += sum(_size(path) for path in files)
        if (number > MAX_RECORDS or size > MAX_TOTAL_BYTES) and not record.is_running:
            for path in files:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)


def save_index(record: Record) -> None:
    """Write the index of a record.

    On a full disk the old file is overwritten, which needs no space.

    Raises:
        OSError: The index cannot be written.
    """
    data = {
        "version": INDEX_VERSION,
        "name": record.name,
        "kind": record.kind,
        "started_at": record.started_at.isoformat(),
        "ended_at": record.ended_at.isoformat() if record.ended_at else None,
        "lines": record.lines,
        "bytes": record.size,
        "missed": record.missed,
        "writer": list(record.writer),
        "details": dict(record.details),
    }
    content = json.dumps(data).encode()
    padded = content.ljust(-(-len(content) // _INDEX_BLOCK) * _INDEX_BLOCK)
    try:
        replace_file(record.index_path, padded)
    except OSError:
        if len(padded) > _size(record.index_path):
            raise
        with record.index_path.open("r+b") as file:
            file.write(padded.ljust(_size(record.index_path)))


def read_index(path: Path) -> Record | None:
    """Return the index in a file; None if there is none, or one of another version."""
    try:
        data = json.loads(path.read_bytes())
        if data["version"] != INDEX_VERSION:
            return None
        pid, started = data["writer"]
        return Record(
            id=path.stem,
            name=str(data["name"]),
            kind=str(data["kind"]),
            folder=path.parent,
            started_at=datetime.fromisoformat(data["started_at"]),
            ended_at=datetime.fromisoformat(data["ended_at"]) if data["ended_at"] else None,
            lines=int(data["lines"]),
            size=int(data["bytes"]),
            missed=int(data["missed"]),
            writer=(int(pid), started),
            details=dict(data["details"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_entries(record: Record) -> Iterator[dict[str, Any]]:
    """Yield the entries of a record in order: ``type``, ``content``, and ``t``, the time in seconds since 1970.

    An entry of the type ``gap`` stands for the part that the record's limit left out. A line that was not written
    in whole is skipped.
    """
    last, position = 0, {"lines": 0, "bytes": 0, "gaps": 0}
    for entry in _raw_entries([record.path, *record.tail_paths()]):
        number, content = entry["n"], entry["content"]
        if entry["type"] == "position":
            if number > last:
                left_out = {name: content[name] - position[name] for name in position}
                yield {**entry, "type": "gap", "content": {"reason": "limit", **left_out}}
            position = content
        # A process that was killed while it joined the files left some entries in two of them.
        elif number <= last:
            continue
        else:
            yield entry
        last = max(last, number)


def _raw_entries(paths: list[Path]) -> Iterator[dict[str, Any]]:
    for path in paths:
        # The file may be joined to the first one, and deleted, at any time.
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            for line in file:
                entry = _parse_entry(line)
                if entry is not None:
                    yield entry


def _parse_entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    if not isinstance(entry, dict) or not isinstance(entry.get("content"), dict):
        return None
    return entry if isinstance(entry.get("n"), int) and "type" in entry else None


def _size(path: Path) -> int:
    status = _status(path)
    return status.st_size if status else 0


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
