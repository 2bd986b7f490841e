"""Work in the background of a test."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def repeated(step: Callable[[], object], *, interval_s: float) -> Iterator[None]:
    """Call a function again and again in a thread during a block."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(interval_s):
            step()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
