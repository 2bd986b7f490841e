"""The marks of this kernel: the handler of a signal is called in the running cell."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Callable

from IPython.core.getipython import get_ipython
from IPython.core.interactiveshell import InteractiveShell

from modelarts_magics.keepalive.claims import Claims
from modelarts_magics.keepalive.folder import folder_of_session
from modelarts_magics.keepalive.marks.mark import (
    CELL,
    Mark,
    marks_folder,
    own_process,
    remove_mark,
    save_mark,
    signal_number,
)
from modelarts_magics.keepalive.marks.remaining import RemainingTime
from modelarts_magics.keepalive.marks.result import Result, record_of_session
from modelarts_magics.kernel.main_thread_signal import call_handler

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from types import FrameType

    from modelarts_magics.session.session import Session

RETRY_S = 5.0
"""Seconds to try again while the main thread is between two steps of an asynchronous cell."""


class CellMarks:
    """The marks of this kernel, as the command ``before`` sets them.

    Args:
        get_session: Returns the session.
    """

    def __init__(self, get_session: Callable[[], Session]) -> None:
        self._get_session = get_session
        self._remaining: RemainingTime | None = None
        self._marks: dict[str, Mark] = {}

    @property
    def marks(self) -> list[Mark]:
        """The marks, the earliest first."""
        return sorted(self._marks.values(), key=lambda mark: (-mark.before, mark.signal))

    def add(self, before: timedelta, signal_name: str) -> Mark:
        """Call the handler of a signal at a mark; one that is there already stays as it is.

        Args:
            before: The time left at the mark.
            signal_name: The name of the signal, such as ``TERM``.

        Raises:
            OSError: The mark cannot be saved.
        """
        session = self._get_session()
        mark = Mark(CELL, before, signal=signal_name, **own_process())
        mark = self._marks.setdefault(mark.claim_name, mark)
        save_mark(folder_of_session(session), mark)
        if self._remaining is None:
            self._remaining = RemainingTime(self._get_session, scale=session.time_scale)
        self._remaining.call_at(before, mark.claim_name, partial(self._fire, mark))
        return mark

    def clear(self) -> None:
        """Remove all marks of this kernel."""
        while self._marks:
            name, mark = self._marks.popitem()
            remove_mark(folder_of_session(self._get_session()), mark)
            if self._remaining is not None:
                self._remaining.cancel(name)

    def _fire(self, mark: Mark, stops_at: datetime, now: datetime) -> None:
        # In a thread of its own: a cell may take long until its next step, and another mark may be due.
        call = partial(self._deliver, mark, stops_at, now)
        threading.Thread(target=call, name="modelarts-mark", daemon=True).start()

    def _deliver(self, mark: Mark, stops_at: datetime, now: datetime) -> None:
        session = self._get_session()
        claims = Claims(marks_folder(folder_of_session(session)))
        claim = claims.claim(mark.claim_name, stops_at=stops_at, now=now)
        if claim is None:
            return
        with claim:
            number = signal_number(mark.signal)
            outcome = call_handler(number, is_in_cell=is_in_cell, retry_s=RETRY_S, wake=_wake)
            claim.finish(outcome)
        left = stops_at - session.now()
        result = Result(mark, outcome, left, repeated=claim.is_repeat)
        record_of_session(session, result, actor="notebook")
        print(result.message(), flush=True)  # noqa: T201 - the output of the cell


def _wake() -> None:
    """Let the loop of the main thread make a step."""
    loop = getattr(getattr(get_ipython(), "kernel", None), "io_loop", None)
    if loop is not None:
        loop.add_callback(lambda: None)


def is_in_cell(frame: FrameType | None) -> bool:
    """Return whether a frame runs the code of a cell: IPython shows what such code raises, and goes on."""
    frame = frame.f_back if frame is not None else None
    while frame is not None:
        if frame.f_code is InteractiveShell.run_code.__code__:
            return True
        frame = frame.f_back
    return False
