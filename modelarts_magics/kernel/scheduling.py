"""Doing what would change a field only when the kernel has heard what its pages typed meanwhile."""

from __future__ import annotations

from typing import Callable

from IPython.core.getipython import get_ipython

IDLE_DELAY_S = 0.5
"""How long an idle kernel needs at most to read what came in while a cell ran."""


def when_idle(callback: Callable[[], None]) -> None:
    """Do the job once the kernel has read what the pages sent while it was busy.

    What a person types waits behind the running cell, so until then the kernel cannot know of it. Where there
    is no kernel nobody types, and the job is done at once.
    """
    loop = getattr(getattr(get_ipython(), "kernel", None), "io_loop", None)
    if loop is None:
        callback()
    else:
        loop.add_callback(lambda: loop.call_later(IDLE_DELAY_S, callback))
