"""Call the Python handler of a signal in the main thread, without sending the signal.

A signal without a Python handler would end the kernel. So the main thread itself looks for the handler, between
two steps of the running cell, and then lets the interpreter call it as if the signal had arrived: the handler sees
the frame of the cell, and what it raises reaches the cell.

Source: https://docs.python.org/3/c-api/exceptions.html#c.PyErr_SetInterruptEx and
https://docs.python.org/3/c-api/threads.html#c.Py_AddPendingCall.
"""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
from typing import TYPE_CHECKING, Callable

from modelarts_magics.keepalive.marks.result import NO_CELL, NO_HANDLER, RAN

if TYPE_CHECKING:
    from types import FrameType

_PendingCall = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
_RETRY_S = 0.1


def call_handler(
    number: signal.Signals,
    *,
    is_in_cell: Callable[[FrameType | None], bool],
    retry_s: float,
    wake: Callable[[], None] = lambda: None,
    interrupt: ctypes.c_void_p | None = None,
) -> str:
    """Call the handler of a signal in the main thread, and wait until that has been reached.

    Args:
        number: The signal.
        is_in_cell: Returns whether a frame of the main thread belongs to the running cell.
        retry_s: How long to try again, in seconds, while the main thread is not in a cell.
        wake: Lets the main thread make a step if it waits for the next cell.
        interrupt: The C function that lets the interpreter call a handler; None for that of this version.

    Returns:
        `RAN`, `NO_HANDLER` or `NO_CELL`.
    """
    waited = threading.Event()
    for _ in range(max(1, round(retry_s / _RETRY_S))):
        attempt = _Attempt(number, is_in_cell, interrupt or interrupt_function())
        attempt.add()
        wake()
        attempt.done.wait()
        if attempt.outcome != NO_CELL:
            break
        waited.wait(_RETRY_S)
    return attempt.outcome


class _Attempt:
    """One look of the main thread at the handler."""

    def __init__(
        self,
        number: signal.Signals,
        is_in_cell: Callable[[FrameType | None], bool],
        interrupt: ctypes.c_void_p,
    ) -> None:
        self._interrupt = interrupt
        self._number = number
        self._is_in_cell = is_in_cell
        self.outcome = NO_CELL
        self.done = threading.Event()
        # The interpreter does not keep it.
        self._callback = _PendingCall(self._look)

    def add(self) -> None:
        """Let the main thread look at its next step."""
        _add_pending_call(ctypes.cast(self._callback, ctypes.c_void_p), 0)

    def _look(self, _argument: object) -> int:
        if not callable(signal.getsignal(self._number)):
            self.outcome = NO_HANDLER
        elif self._is_in_cell(sys._getframe(1)):  # noqa: SLF001 - the frame that was interrupted
            # As another call, which follows this one at once: what a handler raises in this one would be lost. No
            # step of the cell lies between them, and no other thread can change a handler.
            _add_pending_call(self._interrupt, int(self._number))
            self.outcome = RAN
        self.done.set()
        return 0


def _add_pending_call(function: ctypes.c_void_p, argument: int) -> None:
    ctypes.pythonapi.Py_AddPendingCall(function, ctypes.c_void_p(argument))


def interrupt_function(*, version: tuple[int, int] = sys.version_info[:2]) -> ctypes.c_void_p:
    """Return the C function that lets the interpreter call a handler, with the number as its argument.

    Args:
        version: The version of Python; replaced in tests.
    """
    # It does nothing if there is no handler. Before Python 3.10 the signal itself has to be raised.
    library = ctypes.pythonapi if version >= (3, 10) else ctypes.CDLL(None)
    function = getattr(library, "PyErr_SetInterruptEx" if version >= (3, 10) else "raise")
    return ctypes.cast(function, ctypes.c_void_p)
