"""Decide when to call the API again. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from modelarts_magics.domain.models import Instance

NEAR_STOP_WINDOW = timedelta(minutes=10)
"""The time before the stop in which the API is called more often."""
FAR_FROM_STOP = timedelta(hours=1)
"""With more time left than this and no page open, the API is called less often."""
WITHOUT_PAGE_FACTOR = 3
"""The number of usual intervals between two calls while no page is open."""
JITTER_FRACTION = 0.1
"""The largest part by which a delay is lengthened at random, so that many servers do not call at the same time."""
MAX_AGE_FRACTION = 0.8
"""The part of a delay during which the response to another process is used instead of a call."""
FAILURE_FACTOR_NEAR_STOP = 2
"""The same near the stop time."""
MAX_BACKOFF_FACTOR = 6
"""The largest factor by which failures lengthen a delay."""


@dataclass(frozen=True)
class PollSchedule:
    """The intervals between calls of the API.

    Attributes:
        interval: The usual interval.
        interval_near_stop: The interval in the last ten minutes of a run, and while an instance starts or stops.
    """

    interval: timedelta = timedelta(minutes=5)
    interval_near_stop: timedelta = timedelta(minutes=1)

    @classmethod
    def from_interval(cls, interval_s: float) -> PollSchedule:
        """Return a schedule with this usual interval in seconds, and a fifth of it near the stop time."""
        return cls(timedelta(seconds=interval_s), timedelta(seconds=interval_s / 5))

    def max_age(self, instance: Instance | None, *, now: datetime, page_open: bool) -> timedelta:
        """Return how old the response to another process of this machine may be to be used instead of a call."""
        return self.next_delay(instance, now=now, page_open=page_open) * MAX_AGE_FRACTION

    def next_delay(
        self,
        instance: Instance | None,
        *,
        now: datetime,
        page_open: bool = True,
        failures: int = 0,
        jitter: float = 0.0,
    ) -> timedelta:
        """Return the time from the last response to the next call.

        Args:
            instance: The last known state; None if there is none.
            now: The current time by the API's clock.
            page_open: Whether a page shows the instance.
            failures: The number of calls that have failed since the last success.
            jitter: A random number from 0 to 1.
        """
        delay = self.interval if instance is None else self._base_delay(instance, now, page_open)
        # The exponent is limited, too: failures may go on for days.
        factor = min(2 ** min(failures, MAX_BACKOFF_FACTOR), MAX_BACKOFF_FACTOR)
        delayed: timedelta = delay * factor
        if failures and instance is not None:
            delayed = min(delayed, self._longest_delay_before_stop(instance, now))
        return delayed * (1 + JITTER_FRACTION * jitter)

    def _longest_delay_before_stop(self, instance: Instance, now: datetime) -> timedelta:
        """Return the longest delay after a failure, so that the API is called again near the stop time."""
        stop_time = instance.auto_stop.stops_at
        if stop_time is None or now > stop_time + NEAR_STOP_WINDOW:
            return timedelta.max
        until_near = stop_time - now - NEAR_STOP_WINDOW
        return max(until_near, FAILURE_FACTOR_NEAR_STOP * self.interval_near_stop)

    def _base_delay(self, instance: Instance, now: datetime, page_open: bool) -> timedelta:
        longest = self.interval if page_open else self.interval * WITHOUT_PAGE_FACTOR
        if not instance.running:
            return longest if instance.status.stopped else self.interval_near_stop
        stop_time = instance.auto_stop.stops_at
        if stop_time is None:
            return longest
        time_left = stop_time - now
        until_near = max(self.interval_near_stop, min(self.interval, time_left - NEAR_STOP_WINDOW))
        return max(until_near, min(longest, time_left - FAR_FROM_STOP))
