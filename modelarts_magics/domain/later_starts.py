"""The run time of later starts after a change that was meant for one run.

Where the API stores a duration and counts it from the start of a run, a longer run also lengthens every later one.
Setting the usual run time again at once would move the stop time of this run, so it has to wait.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from modelarts_magics.domain.models import Mode, PendingRestore, Status

if TYPE_CHECKING:
    from modelarts_magics.domain.models import AutoStop, Change
    from modelarts_magics.domain.planning import PlanContext

SAME_RUN_TOLERANCE = timedelta(minutes=2)
"""The start of a run is computed, and differs a little from one response to the next."""


def is_same_run(one: datetime | None, other: datetime | None) -> bool:
    """Return whether both starts are known and belong to the same run."""
    return one is not None and other is not None and abs(one - other) <= SAME_RUN_TOLERANCE


def is_due(pending: PendingRestore, context: PlanContext) -> bool:
    """Return whether the usual run time can be set without moving the stop time of the run that was changed."""
    if not pending.planned:
        return False
    if context.instance.status is Status.STOPPED:
        return True
    if not context.instance.running:
        return False
    if context.defers_duration:
        return True
    # A start that is unknown may be that of the run that was changed.
    known = context.started_at is not None and pending.run_started_at is not None
    return known and not is_same_run(pending.run_started_at, context.started_at)


def is_replaced(pending: PendingRestore, auto_stop: AutoStop) -> bool:
    """Return whether something else has set another run time since."""
    return not _has_run_time(auto_stop) or auto_stop.duration != pending.set_duration


def restore_after(
    change: Change, known: PendingRestore | None, started_at: datetime | None
) -> PendingRestore | None:
    """Return the run time to restore after a change; None if there is none.

    A run time is only offered, unless the change was about the stop time of this run alone.

    Args:
        change: The change.
        known: The run time to restore before the change.
        started_at: When the run that was changed started.
    """
    before, after = change.before, change.after
    if after is None or change.edit.auto_stop is None or not change.capabilities.persists_duration:
        return known
    old, new = before.auto_stop, after.auto_stop
    if old.duration == new.duration or not _has_run_time(new) or new.duration is None:
        return known
    if not before.running or not _has_run_time(old) or old.duration is None:
        return None
    known = _still_valid(known, old, started_at)
    shifts = change.this_run_only or change.action in ("extend", "shorten")
    planned = change.this_run_only or (known is not None and known.planned and shifts)
    is_usual = known is not None and (known.planned or not change.this_run_only)
    usual = known.duration if known and is_usual else old.duration
    return (
        None if usual == new.duration else PendingRestore(usual, started_at, new.duration, planned)
    )


def _still_valid(
    known: PendingRestore | None, auto_stop: AutoStop, started_at: datetime | None
) -> PendingRestore | None:
    """Return a run time to restore unless it was replaced, or offered in an earlier run."""
    if known is None or is_replaced(known, auto_stop):
        return None
    same_run = is_same_run(known.run_started_at, started_at)
    return known if known.planned or same_run else None


def _has_run_time(auto_stop: AutoStop) -> bool:
    return auto_stop.enabled and auto_stop.mode is not Mode.IDLE
