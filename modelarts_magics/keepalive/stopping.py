"""Decide when to stop the instance after the work; pure, like the policy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

GRACE_PERIOD = timedelta(seconds=60)
"""The time after the work in which anything else cancels or postpones the stop."""


@dataclass(frozen=True)
class PendingStop:
    """The stop of the instance after the work of a guard.

    Attributes:
        name: The name of the guard.
        since: When its work ended.
        quiet_since: Since when nothing else works.
        waiting_for: The running work that postpones the stop, as shown to the user.
    """

    name: str
    since: datetime
    quiet_since: datetime
    waiting_for: tuple[str, ...] = ()

    @property
    def stops_at(self) -> datetime | None:
        """When the instance is stopped if nothing else starts; None while the stop is postponed."""
        return None if self.waiting_for else self.quiet_since + GRACE_PERIOD


def advance(
    pending: PendingStop, *, now: datetime, busy: tuple[str, ...]
) -> tuple[PendingStop, bool]:
    """Return the pending stop after a look at what works, and whether to stop the instance now.

    Args:
        pending: The pending stop.
        now: The current time.
        busy: Other running work, as shown to the user.
    """
    if busy:
        return replace(pending, quiet_since=now, waiting_for=busy), False
    return replace(pending, waiting_for=()), now - pending.quiet_since >= GRACE_PERIOD
