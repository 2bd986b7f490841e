"""Time as a parameter: what a test replaces so that it never waits."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Callable


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class Clock:
    """The three ways in which this package uses time.

    Attributes:
        now: The local wall clock, aware.
        monotonic: Seconds that never run backwards.
        sleep: Wait so many seconds.
    """

    now: Callable[[], datetime] = _utc_now
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


SYSTEM_CLOCK = Clock()


class Deadline:
    """A point on the monotonic clock by which a whole call must be over."""

    def __init__(self, timeout_s: float, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._monotonic = clock.monotonic
        self._expires_at = clock.monotonic() + timeout_s
        self.timeout_s = timeout_s

    @property
    def time_left_s(self) -> float:
        """Seconds left; zero or less when it is over."""
        return self._expires_at - self._monotonic()
