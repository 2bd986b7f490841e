"""When to ask the cloud again. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from modelarts_magics.domain.models import Instance

LAST = timedelta(minutes=10)
"""Before its end a run is looked at more often for so long."""
JITTER = 0.1
"""The part by which a pause is made longer or shorter, so that many servers do not ask at once."""
FRESH = 0.8
"""The part of a pause within which somebody else's answer does."""
LONGEST = 6
"""How many pauses long a pause may become while the cloud fails."""


@dataclass(frozen=True)
class Rhythm:
    """How often to ask.

    Attributes:
        usual: The pause between two requests.
        near: The pause in the last ten minutes of a run, and while an instance starts or stops.
    """

    usual: timedelta = timedelta(minutes=5)
    near: timedelta = timedelta(minutes=1)

    @classmethod
    def every(cls, seconds: float) -> Rhythm:
        """A rhythm with this usual pause, and a fifth of it in the last ten minutes."""
        return cls(timedelta(seconds=seconds), timedelta(seconds=seconds / 5))

    def fresh(self, instance: Instance | None, *, now: datetime) -> timedelta:
        """How old an answer may be that another process of this machine had, to do instead of one's own."""
        return self.pause(instance, now=now) * FRESH

    def pause(
        self, instance: Instance | None, *, now: datetime, failures: int = 0, jitter: float = 0.0
    ) -> timedelta:
        """How long to wait from the last answer to the next request.

        Args:
            instance: What is known; None if nothing is.
            now: The cloud's time.
            failures: How many requests have failed since one succeeded.
            jitter: From -1 to 1; what random gives.
        """
        base = self.usual if instance is None else self._base(instance, now)
        grown: timedelta = (
            base * min(2**failures, LONGEST) if failures < LONGEST else base * LONGEST
        )
        return grown * (1 + JITTER * jitter)

    def _base(self, instance: Instance, now: datetime) -> timedelta:
        if not instance.running:
            return self.usual if instance.status.stopped else self.near
        end = instance.auto_stop.stops_at
        if end is None:
            return self.usual
        return max(self.near, min(self.usual, end - now - LAST))
