"""When callbacks of widgets run: after pending messages, or once the kernel is idle."""

from __future__ import annotations

import threading
from typing import Callable

from IPython.core.getipython import get_ipython

CLICK_DELAY_S = 0.1
"""Long enough for an idle kernel to read its message queue, too short to be noticed."""
IDLE_DELAY_S = 0.5
"""The longest time that an idle kernel needs to process the messages that arrived during a cell."""


def run_after_delay(callback: Callable[[], None]) -> None:
    """Run `callback` in a daemon thread after `CLICK_DELAY_S`."""
    timer = threading.Timer(CLICK_DELAY_S, callback)
    timer.daemon = True
    timer.start()


def when_idle(callback: Callable[[], None]) -> None:
    """Run `callback` after pending widget messages have been processed.

    What the user types while a cell runs is queued behind that cell, so the fields change only after it. Without a
    kernel there are no such messages, and `callback` runs immediately.
    """
    loop = getattr(getattr(get_ipython(), "kernel", None), "io_loop", None)
    if loop is None:
        callback()
    else:
        loop.add_callback(lambda: loop.call_later(IDLE_DELAY_S, callback))
