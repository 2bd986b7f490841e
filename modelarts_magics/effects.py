"""What became of a change, decided from the cloud's own answer alone. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from modelarts_magics.models import CountsFrom, Effect, Mode

if TYPE_CHECKING:
    from modelarts_magics.models import AutoStop, AutoStopEdit, Capabilities, Edit, Instance

SAME = timedelta(seconds=5)
"""Two statements of one stop time may differ by this much."""
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
        return _from_now(after, expected)
    return _from_run_start(before, after, edit.auto_stop, expected)


def _accepted(stop: AutoStop, edit: AutoStopEdit) -> bool:
    prompt = edit.prompt is None or stop.prompt == edit.prompt
    return stop.enabled == edit.enabled and prompt and (stop.mode is edit.mode or not stop.enabled)


def _from_now(after: Instance, expected: datetime | None) -> Effect:
    """The lease was renewed if this run now ends when it should."""
    end = after.auto_stop.stops_at
    held = end is not None and expected is not None and abs(end - expected) <= ON_TIME
    return Effect.NOW if held else Effect.UNCONFIRMED


def _from_run_start(
    before: Instance, after: Instance, edit: AutoStopEdit, expected: datetime | None
) -> Effect:
    """The duration is saved either way; whether this run follows it shows in its stop time."""
    end, old_end = after.auto_stop.stops_at, before.auto_stop.stops_at
    if after.auto_stop.duration != edit.duration:
        return Effect.UNCONFIRMED
    if not after.running:
        return Effect.NEXT_START
    if end is None:
        return Effect.UNCONFIRMED
    if expected is not None and abs(end - expected) <= ON_TIME:
        return Effect.NOW
    stayed = old_end is not None and abs(end - old_end) <= SAME
    return Effect.NEXT_START if stayed else Effect.NOW
