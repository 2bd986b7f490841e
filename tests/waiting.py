"""Wait for what another thread or process brings about."""

from __future__ import annotations

import time
from typing import Callable, TypeVar

Found = TypeVar("Found")


def wait_until(
    get: Callable[[], Found],
    step: Callable[[], object] = lambda: None,
    *,
    within_s: float = 30,
    every_s: float = 0.01,
) -> Found:
    """Wait until a function returns something that is true, and return it.

    Args:
        get: The function.
        step: Called before each further call of it.
        within_s: The longest time, in seconds.
        every_s: The time between two calls, in seconds.
    """
    end = time.monotonic() + within_s
    while not (found := get()):
        assert time.monotonic() < end, found
        step()
        time.sleep(every_s)
    return found
