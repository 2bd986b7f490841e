"""Decide when to stop the instance after the work; pure, like the policy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

GRACE_PERIOD = timedelta(seconds=60)
"""The time after the work in which anything else cancels or postpones the stop."""
SAVE_LIMIT = timedelta(seconds=45)
"""How long to wait for open pages to save, so that stop and grace period stay below two minutes."""


@dataclass(frozen=True)
class PendingStop:
    """The stop of the instance after the work of a guard.

    Attributes:
        name: The name of the guard.
        since: When its work ended.
        quiet_since: Since when nothing else works.
        saving_since: Since when open pages save; None before.
        waiting_for: The running work that postpones the stop, as shown to the user.
    """

    name: str
    since: datetime
    quiet_since: datetime
    saving_since: datetime | None = None
    waiting_for: tuple[str, ...] = ()

    @property
    def stops_at(self) -> datetime | None:
        """When the instance is stopped if nothing else starts; None while the stop is postponed."""
        return None if self.waiting_for else self.quiet_since + GRACE_PERIOD


def advance(
    pending: PendingStop, *, now: datetime, busy: tuple[str, ...], pages_pending: bool
) -> tuple[PendingStop, bool]:
    """Return the pending stop after a look at what works, and whether to stop the instance now.

    Args:
        pending: The pending stop.
        now: The current time.
        busy: Other running work, as shown to the user.
        pages_pending: Whether an open page has not reported yet that it has saved.
    """
    if busy:
        return replace(pending, quiet_since=now, saving_since=None, waiting_for=busy), False
    pending = replace(pending, waiting_for=())
    if now - pending.quiet_since < GRACE_PERIOD:
        return pending, False
    saving_since = pending.saving_since or now
    pending = replace(pending, saving_since=saving_since)
    return pending, not (pages_pending and now - saving_since < SAVE_LIMIT)
