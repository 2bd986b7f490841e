"""Wait for what another thread or process brings about."""

from __future__ import annotations

import time
from typing import Callable, TypeVar

Found = TypeVar("Found")
TIMEOUT_S = 30


def wait_until(get: Callable[[], Found], step: Callable[[], object] = lambda: None) -> Found:
    """Wait until a function returns something that is true, and return it.

    Args:
        get: The function.
        step: Called before each further call of it.
    """
    end = time.monotonic() + TIMEOUT_S
    while not (found := get()):
        assert time.monotonic() < end, found
        step()
        time.sleep(0.01)
    return found
