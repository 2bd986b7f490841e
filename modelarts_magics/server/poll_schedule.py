"""When to ask the cloud again. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from modelarts_magics.domain.models import Instance

NEAR_STOP_WINDOW = timedelta(minutes=10)
"""Before its end a run is looked at more often for so long."""
JITTER_FRACTION = 0.1
"""The part by which a pause is made longer or shorter, so that many servers do not ask at once."""
MAX_AGE_FRACTION = 0.8
"""The part of a pause within which somebody else's answer does."""
MAX_BACKOFF_FACTOR = 6
"""How many pauses long a pause may become while the cloud fails."""


@dataclass(frozen=True)
class PollSchedule:
    """How often to ask.

    Attributes:
        interval: The pause between two requests.
        interval_near_stop: The pause in the last ten minutes of a run, and while an instance starts or stops.
    """

    interval: timedelta = timedelta(minutes=5)
    interval_near_stop: timedelta = timedelta(minutes=1)

    @classmethod
    def from_interval(cls, interval_s: float) -> PollSchedule:
        """A rhythm with this usual pause, and a fifth of it in the last ten minutes."""
        return cls(timedelta(seconds=interval_s), timedelta(seconds=interval_s / 5))

    def max_age(self, instance: Instance | None, *, now: datetime) -> timedelta:
        """How old an answer may be that another process of this machine had, to do instead of one's own."""
        return self.next_delay(instance, now=now) * MAX_AGE_FRACTION

    def next_delay(
        self, instance: Instance | None, *, now: datetime, failures: int = 0, jitter: float = 0.0
    ) -> timedelta:
        """How long to wait from the last answer to the next request.

        Args:
            instance: What is known; None if nothing is.
            now: The cloud's time.
            failures: How many requests have failed since one succeeded.
            jitter: From -1 to 1; what random gives.
        """
        delay = self.interval if instance is None else self._base_delay(instance, now)
        backed_off: timedelta = (
            delay * min(2**failures, MAX_BACKOFF_FACTOR)
            if failures < MAX_BACKOFF_FACTOR
            else delay * MAX_BACKOFF_FACTOR
        )
        return backed_off * (1 + JITTER_FRACTION * jitter)

    def _base_delay(self, instance: Instance, now: datetime) -> timedelta:
        if not instance.running:
            return self.interval if instance.status.stopped else self.interval_near_stop
        stop_time = instance.auto_stop.stops_at
        if stop_time is None:
            return self.interval
        return max(self.interval_near_stop, min(self.interval, stop_time - now - NEAR_STOP_WINDOW))
