"""The server's clock: real, faster than real, or moved by hand."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Callable, Protocol


def utc_now() -> datetime:
    """Return the machine's time, aware, in UTC."""
    return datetime.now(timezone.utc)


def to_ms(moment: datetime) -> int:
    """Return the 13-digit timestamp that the wire uses, in ms since 1970, rounded down."""
    return (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)


def from_ms(timestamp_ms: int) -> datetime:
    """Return the aware moment of a 13-digit timestamp."""
    return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=timestamp_ms)


class AdjustableClock(Protocol):
    """What the server needs of a clock."""

    def now(self) -> datetime:
        """Return the server's time, aware, in UTC."""
        ...

    def advance(self, by: timedelta) -> None:
        """Jump: forward, or back to play a server whose clock is slow."""
        ...


class ScaledClock:
    """Runs `scale` times faster than `source`, from the moment it is made.

    Args:
        scale: Seconds that pass here in one second of `source`.
        source: The clock behind it.
    """

    def __init__(self, *, scale: float = 1.0, source: Callable[[], datetime] = utc_now) -> None:
        self._scale = scale
        self._source = source
        self._start = source()
        self._offset = timedelta()

    def now(self) -> datetime:
        """Return the scaled time."""
        elapsed = (self._source() - self._start) * self._scale
        return self._start + elapsed + self._offset

    def advance(self, by: timedelta) -> None:
        """Jump by a span of this clock."""
        self._offset += by


class ManualClock:
    """Stands still until it is advanced.

    Args:
        start: The first moment, aware; the machine's time if left out.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._now = utc_now() if start is None else start

    def now(self) -> datetime:
        """Return the moment it stands at."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move to a later (or earlier) moment."""
        self._now += by
