"""Time as a parameter, so that tests replace it and never wait."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Callable, NamedTuple, TypeVar

_T = TypeVar("_T")


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


def _monotonic_clock() -> Callable[[], float]:
    """Return a monotonic clock that also runs while the machine is suspended, where there is one."""
    number: int = getattr(time, "CLOCK_BOOTTIME", -1)
    try:
        time.clock_gettime(number)
    except (AttributeError, OSError):
        return time.monotonic
    return partial(time.clock_gettime, number)


class Clock(NamedTuple):
    """The functions through which this package uses time.

    Attributes:
        now: Returns the local wall-clock time, aware.
        monotonic: Returns seconds that never run backwards.
        sleep: Waits for a number of seconds.
        scale: Seconds of `now` per second of `monotonic`; not 1 only with the emulator.
    """

    now: Callable[[], datetime] = _utc_now
    monotonic: Callable[[], float] = _monotonic_clock()
    sleep: Callable[[float], None] = time.sleep
    scale: float = 1.0


SYSTEM_CLOCK = Clock()


def steady_clock(*, scale: float = 1.0, base: Clock = SYSTEM_CLOCK) -> Clock:
    """Return a clock that starts at the current time and follows the monotonic clock.

    Setting the clock of the machine does not change it. `now` and `sleep` are scaled; `monotonic` is not, so
    that the timeouts of requests remain real.

    Args:
        scale: Seconds of the new clock per second of the machine.
        base: The clock of the machine; replaced in tests.
    """
    start, started_s = base.now(), base.monotonic()

    def now() -> datetime:
        return start + timedelta(seconds=(base.monotonic() - started_s) * scale)

    return Clock(now, base.monotonic, lambda seconds: base.sleep(seconds / scale), scale)


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

    def check_send(self) -> None:
        """Check that there is time left; called as the last step before the bytes of a write.

        Raises:
            TimeoutError: The deadline has passed.
        """
        if self.time_left_s <= 0:
            raise TimeoutError


def wait_until(condition: Callable[[], _T], *, timeout_s: float, interval_s: float = 0.02) -> _T:
    """Ask again and again until the answer is true or the time is over; return the last answer.

    Args:
        condition: Called at least once.
        timeout_s: The longest time to wait, in seconds.
        interval_s: The seconds between two calls.
    """
    deadline = Deadline(timeout_s)
    while not (answer := condition()) and deadline.time_left_s > 0:
        time.sleep(interval_s)
    return answer


class Stopwatch:
    """The time since it was created, by the clock that has advanced more.

    The monotonic clock may stand still while the machine is suspended, and the wall clock may be set back.

    Args:
        clock: The clock to read; replaced in tests.
    """

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._started_at = clock.now()
        self._started_s = clock.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the creation."""
        wall_s = (self._clock.now() - self._started_at).total_seconds() / self._clock.scale
        return max(wall_s, self._clock.monotonic() - self._started_s)


class OutdatedReadError(Exception):
    """A write was not sent, because it is based on a read that is too old.

    Attributes:
        description_saved: Whether a request before it saved the description.
    """

    description_saved = False


class WriteDeadline(Deadline):
    """The deadline of a write, which also depends on the age of the read that it is based on.

    Args:
        timeout_s: Seconds from now.
        read_age: The time since the read was requested.
        max_age_s: The age in seconds up to which the write may be sent.
        clock: The clock to read; replaced in tests.
    """

    def __init__(
        self,
        timeout_s: float,
        *,
        read_age: Stopwatch,
        max_age_s: float,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__(timeout_s, clock=clock)
        self._read_age = read_age
        self._max_age_s = max_age_s

    def check_send(self) -> None:
        """Check that there is time left and that the read is recent.

        Raises:
            TimeoutError: The deadline has passed.
            OutdatedReadError: The read is too old.
        """
        super().check_send()
        if self._read_age.elapsed_s > self._max_age_s:
            raise OutdatedReadError
