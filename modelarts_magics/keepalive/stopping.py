"""Decide when to stop the instance after the work; pure, like the policy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

GRACE_PERIOD = timedelta(seconds=60)
"""The time after the work in which anything else cancels or postpones the stop."""
SAVE_LIMIT = timedelta(seconds=50)
"""How long the stop waits for open pages to save; with the grace period and the call of the API, 120 s at most."""
SAVE_SETTLE = timedelta(seconds=2)
"""How long the stop waits in any case, because a page may just be registering."""


@dataclass(frozen=True)
class PendingStop:
    """The stop of the instance after the work of a guard.

    Attributes:
        name: The name of the guard.
        since: When its work ended; identifies the stop.
        quiet_since: Since when nothing else works.
        waiting_for: The running work that postpones the stop, as shown to the user.
        saving_since: Since when open pages are asked to save; None before.
    """

    name: str
    since: datetime
    quiet_since: datetime
    waiting_for: tuple[str, ...] = ()
    saving_since: datetime | None = None

    @property
    def stops_at(self) -> datetime | None:
        """When the instance is stopped if nothing else starts; None while the stop is postponed."""
        return None if self.waiting_for else self.quiet_since + GRACE_PERIOD


def advance(
    pending: PendingStop, *, now: datetime, busy: tuple[str, ...], is_saved: bool
) -> tuple[PendingStop, bool]:
    """Return the pending stop after a look at what works, and whether to stop the instance now.

    Args:
        pending: The pending stop.
        now: The current time.
        busy: Other running work, as shown to the user.
        is_saved: Whether each open page has saved its documents.
    """
    if busy:
        return replace(pending, quiet_since=now, waiting_for=busy, saving_since=None), False
    pending = replace(pending, waiting_for=())
    if now - pending.quiet_since < GRACE_PERIOD:
        return pending, False
    if pending.saving_since is None:
        return replace(pending, saving_since=now), False
    saving = now - pending.saving_since
    return pending, saving >= SAVE_LIMIT or (is_saved and saving >= SAVE_SETTLE)
