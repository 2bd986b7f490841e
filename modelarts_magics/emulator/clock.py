"""Clock of the emulated server: real time, scaled time, or set by a test.

The server takes every time from one clock: the `Date` header, all timestamps, the time left, and the age
of a signature. With a time scale of 60, this clock runs 60 times faster than real time from the start of
the server. Durations are not scaled: an hour remains 3600 s in a response, and passes in one real minute.
A client that takes its clock offset from the `Date` header is right after each response; between two
responses its countdown runs at the real rate. The header `X-Emulator-Time-Scale`, sent if the scale is not
1, gives the factor to a front end. A signature older than 15 minutes of the server's clock is refused, so
with a scale of 60 a client that was idle for 15 s has to correct its clock and sign again.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Callable, Protocol


def utc_now() -> datetime:
    """Return the current time of this machine in UTC."""
    return datetime.now(timezone.utc)


def to_ms(moment: datetime) -> int:
    """Return the timestamp of a time in ms since 1970, rounded down."""
    return (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)


def from_ms(timestamp_ms: int) -> datetime:
    """Return the UTC time of a timestamp in ms since 1970."""
    return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=timestamp_ms)


class AdjustableClock(Protocol):
    """Clock that can be advanced."""

    def now(self) -> datetime:
        """Return the time of the server in UTC."""
        ...

    def advance(self, by: timedelta) -> None:
        """Advance the clock.

        Args:
            by: By how much; negative to set it back.
        """
        ...


class ScaledClock:
    """Clock that runs `scale` times faster than `source` from its creation.

    Args:
        scale: Seconds of this clock per second of `source`.
        source: The underlying clock.
    """

    def __init__(self, *, scale: float = 1.0, source: Callable[[], datetime] = utc_now) -> None:
        self._scale = scale
        self._source = source
        self._start = source()
        self._offset = timedelta()

    def now(self) -> datetime:
        """Return the scaled time in UTC."""
        elapsed = (self._source() - self._start) * self._scale
        return self._start + elapsed + self._offset

    def advance(self, by: timedelta) -> None:
        """Advance the clock by a duration of scaled time."""
        self._offset += by


class ManualClock:
    """Clock that changes only when it is advanced.

    Args:
        start: The initial time, with a time zone; the current time if None.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._now = utc_now() if start is None else start

    def now(self) -> datetime:
        """Return the time that was set."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Advance the clock; a negative duration sets it back."""
        self._now += by
