"""Decide when to stop the instance after the work, or when nothing works; pure, like the policy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from modelarts_magics.messages import Message

GRACE_PERIOD = timedelta(seconds=60)
"""The time after the work in which anything else cancels or postpones the stop."""
SAVE_LIMIT = timedelta(seconds=50)
"""How long the stop waits for open pages to save; with the grace period and the call of the API, 120 s at most."""
SAVE_SETTLE = timedelta(seconds=2)
"""How long the stop waits in any case, because a page may just be registering."""
ANNOUNCED_STOP_LIMIT = timedelta(seconds=60)
"""How long a stop that the user asks for waits for signalled commands and the command before each stop."""
WARNING_TIME = timedelta(minutes=10)
"""How long before a stop because nothing works it is announced."""


@dataclass(frozen=True)
class PendingStop:
    """The stop of the instance after the work of a guard, or because nothing works.

    Attributes:
        name: The name of the guard; "" if nothing works.
        since: When its work ended, or since when nothing works; identifies the stop.
        quiet_since: Since when nothing else works; if nothing works, when the stop was announced.
        waiting_for: The running work that postpones the stop, as shown to the user.
        saving_since: Since when open pages are asked to save; None before.
        idle_time: For how long nothing has worked at the stop; None for a stop after the work of a guard.
    """

    name: str
    since: datetime
    quiet_since: datetime
    waiting_for: tuple[str, ...] = ()
    saving_since: datetime | None = None
    idle_time: timedelta | None = None

    @property
    def grace_period(self) -> timedelta:
        """The time from `quiet_since` to the stop."""
        return GRACE_PERIOD if self.idle_time is None else WARNING_TIME

    @property
    def reason(self) -> str:
        """Why the instance is stopped, for the history."""
        if self.idle_time is None:
            return self.name
        return str(Message("idle_stop.reason", {"duration": self.idle_time}))

    @property
    def stops_at(self) -> datetime | None:
        """When the instance is stopped if nothing else starts; None while the stop is postponed."""
        return None if self.waiting_for else self.quiet_since + self.grace_period


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
    if now - pending.quiet_since < pending.grace_period:
        return pending, False
    if pending.saving_since is None:
        return replace(pending, saving_since=now), False
    saving = now - pending.saving_since
    return pending, saving >= SAVE_LIMIT or (is_saved and saving >= SAVE_SETTLE)
