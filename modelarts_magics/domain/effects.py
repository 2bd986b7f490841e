"""What became of a change, decided from the cloud's own answer alone. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from modelarts_magics.domain.models import SAME, CountsFrom, Effect, Mode

if TYPE_CHECKING:
    from modelarts_magics.domain.models import AutoStop, AutoStopEdit, Capabilities, Edit, Instance

ON_TIME = timedelta(seconds=60)
"""How far the cloud's stop time may be from the expected one: the request took time to get there."""


def effect_of(
    before: Instance,
    after: Instance,
    edit: Edit,
    *,
    expected: datetime | None,
    capabilities: Capabilities,
) -> Effect:
    """The effect of an edit, by comparing what the cloud said before and after.

    Args:
        before: As read before the write.
        after: As read back.
        edit: What was sent.
        expected: When this run would end if the edit took effect at once.
        capabilities: How this API counts and keeps a duration.
    """
    if edit.description is not None and after.description != edit.description:
        return Effect.UNCONFIRMED
    if edit.auto_stop is None:
        return Effect.NOW
    if not _accepted(after.auto_stop, edit.auto_stop):
        return Effect.UNCONFIRMED
    if not edit.auto_stop.enabled or edit.auto_stop.mode is Mode.IDLE:
        return Effect.NOW
    if capabilities.counts_from is CountsFrom.NOW:
        return _from_now(before, after, expected)
    return _from_run_start(before, after, edit.auto_stop, expected)


def _accepted(stop: AutoStop, edit: AutoStopEdit) -> bool:
    prompt = edit.prompt is None or stop.prompt == edit.prompt
    return (
        stop.stated
        and stop.enabled == edit.enabled
        and prompt
        and (stop.mode is edit.mode or not stop.enabled)
    )


def _from_now(before: Instance, after: Instance, expected: datetime | None) -> Effect:
    """The lease was renewed if this run now ends when it should."""
    end = after.auto_stop.stops_at
    if end is None or not _follows(end, expected, before.auto_stop.stops_at):
        return Effect.UNCONFIRMED
    return Effect.NOW


def _from_run_start(
    before: Instance, after: Instance, edit: AutoStopEdit, expected: datetime | None
) -> Effect:
    """The duration is saved either way; whether this run follows it shows in its stop time."""
    end = after.auto_stop.stops_at
    old_end = before.auto_stop.stops_at or before.auto_stop.stop_timestamp
    if after.auto_stop.duration != edit.duration:
        return Effect.UNCONFIRMED
    if (end is None or not after.running) and _only_prompt(before.auto_stop, edit):
        return Effect.NOW
    if not after.running:
        return Effect.NEXT_START
    if end is None:
        return Effect.UNCONFIRMED
    if _follows(end, expected, old_end):
        return Effect.NOW
    if old_end is None and before.auto_stop.enabled:  # nothing to compare the end with
        return Effect.UNCONFIRMED
    stayed = old_end is not None and abs(end - old_end) <= SAME
    return Effect.NEXT_START if stayed else Effect.NOW


def _follows(end: datetime, expected: datetime | None, old_end: datetime | None) -> bool:
    """Whether this run ends when it should; a small move must not be mistaken for none."""
    if expected is None or abs(end - expected) > ON_TIME:
        return False
    return old_end is None or abs(end - expected) <= abs(end - old_end)


def _only_prompt(stop: AutoStop, edit: AutoStopEdit) -> bool:
    """Whether the edit changes the wish to be reminded, which holds at once, and nothing else."""
    same = (stop.enabled, stop.mode, stop.duration) == (edit.enabled, edit.mode, edit.duration)
    return same and stop.prompt != edit.prompt
