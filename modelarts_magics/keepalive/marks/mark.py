"""Marks: how long before the stop something happens, and what; each in a file that all processes can read.

The process that sets a mark writes its file into a folder of its own below that of the daemon, so that marks and
claims stay there when the daemon deletes its files.
"""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from modelarts_magics.config.atomic_file import replace_object
from modelarts_magics.config.private_file import read_private_object
from modelarts_magics.domain.durations import parse_duration
from modelarts_magics.errors import UsageError
from modelarts_magics.keepalive.folder import json_files
from modelarts_magics.keepalive.processes import is_process_alive, process_started
from modelarts_magics.session.notify import notify

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from modelarts_magics.domain.before_stop import BeforeStop

FORMAT_VERSION = 1
FOLDER_NAME = "marks"
PROCESSES, CELL, COMMAND, CALLBACK = "processes", "cell", "command", "callback"
"""The kinds: a signal for a command and the processes that it has started, a signal for the handler of the running
cell, a command of the settings, a Python function."""
READ_BEFORE = timedelta(seconds=10)
"""This long before a mark the instance is read again, because its stop time may have been moved elsewhere."""
FRESH = timedelta(seconds=15)
"""A reading that is younger is not repeated."""
_PREFIX = "mark-"


@dataclass(frozen=True)
class Mark:
    """A mark and what happens at it.

    Attributes:
        kind: One of the kinds above.
        before: The time left at which it fires.
        name: The work, as shown to the user.
        signal: The name of the signal, such as ``TERM``; "" for the other kinds.
        command: The command, for the shell; "" for the other kinds.
        pid: The process that is signalled; 0 for a command.
        started: What `process_started` returned for it.
        guard: The ID of the guard whose users are shown what came of it; "" if there is none.
        id: Identifies the mark and its file.
    """

    kind: str
    before: timedelta
    name: str = ""
    signal: str = ""
    command: str = ""
    pid: int = 0
    started: int | None = None
    guard: str = ""
    id: str = field(default_factory=lambda: os.urandom(4).hex())

    @property
    def claim_name(self) -> str:
        """The name of its claims: the same for a mark that was set twice, or again after a restart."""
        what = f"{self.signal}{self.command}@{self.before.total_seconds():.0f}"
        return f"{self.kind}/{self.pid}-{self.started or 0}/{what}"

    @property
    def is_alive(self) -> bool:
        """Whether the work that it belongs to goes on."""
        return self.kind == COMMAND or is_process_alive(self.pid, started=self.started)


class CellMarks(Protocol):
    """The marks of a kernel, at which the handler of a signal is called in the running cell."""

    @property
    def marks(self) -> Sequence[Mark]:
        """The marks, the earliest first."""

    def add(self, before: timedelta, signal_name: str) -> Mark:
        """Set a mark; the signal has a name such as ``TERM``."""

    def clear(self) -> None:
        """Remove all marks."""


def marks_folder(folder: Path) -> Path:
    """Return the folder of marks and claims, in that of the daemon; it may not exist yet."""
    return folder / FOLDER_NAME


def parse_signal_mark(text: str) -> tuple[str, timedelta]:
    """Return the signal and the time left of a text such as ``TERM@10m``.

    Raises:
        UsageError: There is no such signal, or the text has another form.
        DurationError: The time left is invalid.
    """
    name, separator, before = text.partition("@")
    if not separator:
        raise UsageError("usage.signal_mark", text=text)
    return parse_signal(name), parse_duration(before)


def parse_signal(text: str) -> str:
    """Return the name of a signal without ``SIG``; the text is such a name, or a number.

    Raises:
        UsageError: There is no such signal.
    """
    word = text.strip().upper()
    word = word.removeprefix("SIG")
    if word.isdecimal() and int(word) in set(signal.Signals):
        return signal.Signals(int(word)).name[3:]
    if not hasattr(signal, f"SIG{word}") or f"SIG{word}" not in signal.Signals.__members__:
        raise UsageError("usage.signal", text=text)
    return word


def signal_number(name: str) -> signal.Signals:
    """Return the signal of a name that `parse_signal` has returned."""
    return signal.Signals[f"SIG{name}"]


def command_mark(before_stop: BeforeStop) -> Mark:
    """Return the mark of the setting ``before_stop``."""
    command = before_stop.command
    return Mark(COMMAND, before_stop.before, command, command=command, id=COMMAND)


def own_process() -> dict[str, Any]:
    """Return the fields of a mark that name this process."""
    pid = os.getpid()
    return {"pid": pid, "started": process_started(pid)}


def save_mark(folder: Path, mark: Mark) -> None:
    """Create or replace the file of a mark, and wake the daemon.

    Args:
        folder: The folder of the daemon.
        mark: The mark.

    Raises:
        OSError: The file cannot be written.
    """
    data = {**asdict(mark), "before": mark.before.total_seconds(), "version": FORMAT_VERSION}
    replace_object(_path(folder, mark.id), data)
    notify(folder)


def remove_mark(folder: Path, mark: Mark) -> None:
    """Delete the file of a mark, so that it does not fire any more."""
    with contextlib.suppress(OSError):
        _path(folder, mark.id).unlink(missing_ok=True)


def read_marks(folder: Path) -> list[Mark]:
    """Return the marks that have a file, the earliest first; also those whose work has ended."""
    found = map(_read, json_files(marks_folder(folder), _PREFIX))
    return sorted((mark for mark in found if mark), key=lambda mark: (-mark.before, mark.id))


def needs_daemon(folder: Path) -> bool:
    """Return whether there is a mark whose work goes on; its guard may have ended, for example at its limit."""
    return any(mark.is_alive for mark in read_marks(folder))


def late_by(mark: Mark, stops_at: datetime, now: datetime) -> timedelta:
    """Return by how much the mark has passed; negative before it."""
    return now - (stops_at - mark.before)


def is_near(before: timedelta, stops_at: datetime, now: datetime) -> bool:
    """Return whether the time left at a mark is about now, so that the stop time has to be read again."""
    return -READ_BEFORE <= now - (stops_at - before) < READ_BEFORE


def _path(folder: Path, mark_id: str) -> Path:
    return marks_folder(folder) / f"{_PREFIX}{mark_id}.json"


def _read(path: Path) -> Mark | None:
    data = read_private_object(path, version=FORMAT_VERSION)
    data.pop("version", None)
    try:
        return Mark(**{**data, "before": timedelta(seconds=data["before"])})
    except (KeyError, TypeError, OverflowError):
        return None
