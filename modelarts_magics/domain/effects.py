"""What became of a change, decided from the cloud's own answer alone. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from modelarts_magics.domain.models import STOP_TIME_TOLERANCE, CountsFrom, Effect, Mode

if TYPE_CHECKING:
    from modelarts_magics.domain.models import AutoStop, AutoStopEdit, Capabilities, Edit, Instance

EXPECTED_STOP_TOLERANCE = timedelta(seconds=60)
"""How far the cloud's stop time may be from the expected one: the request took time to get there."""


def determine_effect(
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
    if not _is_accepted(after.auto_stop, edit.auto_stop):
        return Effect.UNCONFIRMED
    if not edit.auto_stop.enabled or edit.auto_stop.mode is Mode.IDLE:
        return Effect.NOW
    if capabilities.counts_from is CountsFrom.NOW:
        return _effect_of_renewal(before, after, expected)
    return _effect_of_duration(before, after, edit.auto_stop, expected)


def _is_accepted(auto_stop: AutoStop, edit: AutoStopEdit) -> bool:
    prompt = edit.prompt is None or auto_stop.prompt == edit.prompt
    return (
        auto_stop.is_known
        and auto_stop.enabled == edit.enabled
        and prompt
        and (auto_stop.mode is edit.mode or not auto_stop.enabled)
    )


def _effect_of_renewal(before: Instance, after: Instance, expected: datetime | None) -> Effect:
    """The lease was renewed if this run now ends when it should."""
    end = after.auto_stop.stops_at
    if end is None or not _matches_expected(end, expected, before.auto_stop.stops_at):
        return Effect.UNCONFIRMED
    return Effect.NOW


def _effect_of_duration(
    before: Instance, after: Instance, edit: AutoStopEdit, expected: datetime | None
) -> Effect:
    """The duration is saved either way; whether this run follows it shows in its stop time."""
    end = after.auto_stop.stops_at
    old_end = before.auto_stop.stops_at or before.auto_stop.stop_timestamp
    if after.auto_stop.duration != edit.duration:
        return Effect.UNCONFIRMED
    if (end is None or not after.running) and _changes_only_prompt(before.auto_stop, edit):
        return Effect.NOW
    if not after.running:
        return Effect.NEXT_START
    if end is None:
        return Effect.UNCONFIRMED
    if _matches_expected(end, expected, old_end):
        return Effect.NOW
    if old_end is None and before.auto_stop.enabled:  # nothing to compare the end with
        return Effect.UNCONFIRMED
    stayed = old_end is not None and abs(end - old_end) <= STOP_TIME_TOLERANCE
    return Effect.NEXT_START if stayed else Effect.NOW


def _matches_expected(
    stop_time: datetime, expected: datetime | None, previous_stop_time: datetime | None
) -> bool:
    """Whether this run ends when it should; a small move must not be mistaken for none."""
    if expected is None or abs(stop_time - expected) > EXPECTED_STOP_TOLERANCE:
        return False
    return previous_stop_time is None or abs(stop_time - expected) <= abs(
        stop_time - previous_stop_time
    )


def _changes_only_prompt(auto_stop: AutoStop, edit: AutoStopEdit) -> bool:
    """Whether the edit changes the wish to be reminded, which holds at once, and nothing else."""
    same = (auto_stop.enabled, auto_stop.mode, auto_stop.duration) == (
        edit.enabled,
        edit.mode,
        edit.duration,
    )
    return same and auto_stop.prompt != edit.prompt
