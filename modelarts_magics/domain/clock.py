"""Time as a parameter, so that tests replace it and never wait."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Callable


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class Clock:
    """The functions through which this package uses time.

    Attributes:
        now: Returns the local wall-clock time, aware.
        monotonic: Returns seconds that never run backwards.
        sleep: Waits for a number of seconds.
    """

    now: Callable[[], datetime] = _utc_now
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


SYSTEM_CLOCK = Clock()


class Deadline:
    """A point on the monotonic clock by which a whole call must have ended.

    Args:
        timeout_s: Seconds from now.
        clock: The clock to read; replaced in tests.
    """

    def __init__(self, timeout_s: float, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._monotonic = clock.monotonic
        self._expires_at = clock.monotonic() + timeout_s
        self.timeout_s = timeout_s

    @property
    def time_left_s(self) -> float:
        """Seconds left; zero or negative after the deadline."""
        return self._expires_at - self._monotonic()
