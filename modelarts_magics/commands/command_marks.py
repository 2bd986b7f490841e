"""The marks of a command that ``run --signal`` has started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from modelarts_magics.keepalive.marks.mark import (
    PROCESSES,
    Mark,
    parse_signal_mark,
    remove_mark,
    save_mark,
)
from modelarts_magics.keepalive.processes import process_started
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from modelarts_magics.keepalive.guards import Guard


class CommandMarks:
    """The marks of a command, at which the daemon signals its process group.

    Args:
        texts: The values of ``--signal``, such as ``TERM@10m``.

    Raises:
        UsageError, DurationError: A value is invalid.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._wanted = [parse_signal_mark(each) for each in texts]
        self._marks: list[Mark] = []
        self._place: tuple[Path, Guard] | None = None
        self._say: Callable[[str], None] = print

    def attach(self, place: tuple[Path, Guard] | None, say: Callable[[str], None]) -> None:
        """Take the place of the marks, and say so if no signal can be sent without one.

        Args:
            place: The folder of the daemon and the guard of the command; None if it is not guarded.
            say: Prints a line of our own.
        """
        self._place, self._say = place, say
        if self._wanted and place is None:
            say(text("run.no_signals"))

    def set(self, pid: int) -> None:
        """Set the marks for the command, which has been started."""
        if self._place is None:
            return
        folder, guard = self._place
        started = process_started(pid)
        for name, before in self._wanted:
            mark = Mark(
                PROCESSES, before, guard.name, name, pid=pid, started=started, guard=guard.id
            )
            try:
                save_mark(folder, mark)
            except OSError as error:
                cause = error.strerror
                self._say(text("keep.cannot_write", path=folder, cause=cause))
            self._marks.append(mark)

    def remove(self) -> None:
        """Remove the marks, because the command has ended."""
        for mark in self._marks:
            if self._place is not None:
                remove_mark(self._place[0], mark)
