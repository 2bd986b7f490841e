"""Determine the effect of a change by comparing what the API returned before and after it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from modelarts_magics.domain.models import CountsFrom, Effect, Mode, same_stop_time

if TYPE_CHECKING:
    from modelarts_magics.domain.models import AutoStop, AutoStopEdit, Capabilities, Edit, Instance

EXPECTED_STOP_TOLERANCE = timedelta(seconds=60)
"""How far the stop time may be from the expected one and still count as reached.

The API counts from the moment at which the request arrives.
"""
RESOLUTION = timedelta(seconds=1)
"""The API counts in seconds, so a shorter difference between two stop times is none."""


def determine_effect(
    before: Instance,
    after: Instance,
    edit: Edit,
    *,
    expected: datetime | None,
    capabilities: Capabilities,
) -> Effect:
    """Return the effect of an edit.

    Args:
        before: The instance as read before the write.
        after: The instance as read back.
        edit: The edit that was sent.
        expected: The stop time of this run if the edit takes effect at once; None if not known.
        capabilities: How this API counts and stores a duration.
    """
    if edit.description is not None and after.description != edit.description:
        return Effect.UNCONFIRMED
    if edit.auto_stop is None:
        return Effect.NOW
    if not _is_accepted(after.auto_stop, edit.auto_stop):
        return Effect.UNCONFIRMED
    if not edit.auto_stop.enabled:
        return _effect_of_disabling(before, after)
    if edit.auto_stop.mode is Mode.IDLE:
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


def _effect_of_disabling(before: Instance, after: Instance) -> Effect:
    """Auto-stop is off for this run only if the API reports no coming stop time beside it."""
    reported = after.auto_stop.stop_timestamp
    still_stops = reported is not None and reported > after.observed_at
    if before.auto_stop.enabled and after.running and still_stops:
        return Effect.UNCONFIRMED
    return Effect.NOW


def _effect_of_renewal(before: Instance, after: Instance, expected: datetime | None) -> Effect:
    """A lease was renewed if this run now stops at the expected time."""
    stop_time = after.auto_stop.stops_at
    if stop_time and _matches_expected(stop_time, expected, before.auto_stop.stops_at):
        return Effect.NOW
    return Effect.UNCONFIRMED


def _effect_of_duration(
    before: Instance, after: Instance, edit: AutoStopEdit, expected: datetime | None
) -> Effect:
    """A duration is stored either way; the stop time shows whether this run follows it."""
    if after.auto_stop.duration != edit.duration:
        return Effect.UNCONFIRMED
    stop_time = after.auto_stop.reported_stop_time
    if stop_time is None or not after.running:
        return _effect_without_stop_time(before, after, edit)
    previous = before.auto_stop.stops_at or before.auto_stop.stop_timestamp
    if _matches_expected(stop_time, expected, previous):
        return Effect.NOW
    if previous is None:
        # With auto-stop on before, there is no earlier stop time to compare with.
        return Effect.UNCONFIRMED if before.auto_stop.enabled else Effect.NOW
    return Effect.NEXT_START if same_stop_time(stop_time, previous) else Effect.NOW


def _effect_without_stop_time(before: Instance, after: Instance, edit: AutoStopEdit) -> Effect:
    if _changes_only_prompt(before.auto_stop, edit):
        return Effect.NOW
    return Effect.UNCONFIRMED if after.running else Effect.NEXT_START


def _matches_expected(
    stop_time: datetime, expected: datetime | None, previous_stop_time: datetime | None
) -> bool:
    """Whether the stop time is the expected one, and nearer to it than to a previous one that differs."""
    if expected is None or abs(stop_time - expected) > EXPECTED_STOP_TOLERANCE:
        return False
    # A run that stops at the expected time already need not move.
    return (
        previous_stop_time is None
        or abs(expected - previous_stop_time) < RESOLUTION
        or abs(stop_time - expected) <= abs(stop_time - previous_stop_time)
    )


def _changes_only_prompt(auto_stop: AutoStop, edit: AutoStopEdit) -> bool:
    """Whether the edit changes the reminder, which takes effect at once, and nothing else."""
    same = (auto_stop.enabled, auto_stop.mode, auto_stop.duration) == (
        edit.enabled,
        edit.mode,
        edit.duration,
    )
    return same and auto_stop.prompt != edit.prompt
