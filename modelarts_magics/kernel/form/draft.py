"""What stands in the form's fields, what of it is to be sent, and what became of the rest. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from modelarts_magics.domain.description import validate
from modelarts_magics.domain.durations import parse_duration
from modelarts_magics.domain.models import STOP_TIME_TOLERANCE, CountsFrom, Mode
from modelarts_magics.domain.planning import AutoStopRequest, plan_auto_stop
from modelarts_magics.errors import DurationError, RefusedError
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from modelarts_magics.domain.models import Capabilities
    from modelarts_magics.domain.planning import Plan, PlanContext

PARTS = ("description", "auto_stop", "remind")
"""What can be changed, and be changed by somebody else, independently of the rest."""
PRESET_DURATIONS = tuple(timedelta(hours=hours) for hours in (1, 2, 4, 8, 12, 24, 48, 72))
_CLOCK_FORMAT = re.compile(r"(\d{1,3})[:：](\d{1,2})(?:[:：](\d{1,2}))?", re.ASCII)  # noqa: RUF001 - as typed in Chinese
_UNPARSABLE_CODES = ("duration.no_unit", "duration.is_clock", "duration.unreadable")
_SIXTY = 60


@dataclass(frozen=True)
class FormFields:
    """What the fields hold.

    Attributes:
        description: As typed.
        enabled: Whether auto-stop is on.
        mode: What stops the instance.
        duration: As typed; empty where a run time is not kept and none is asked for.
        remind: Whether to be reminded.
        stops_at: The end that was shown when they were loaded; no field of its own.
    """

    description: str
    enabled: bool
    mode: Mode
    duration: str
    remind: bool
    stops_at: datetime | None = None


@dataclass(frozen=True)
class FormChanges:
    """What to send; None leaves that part as it is."""

    description: str | None = None
    auto_stop: AutoStopRequest | None = None


@dataclass(frozen=True)
class MergeResult:
    """What to show after somebody else's change.

    Attributes:
        fields: What to show: theirs where nothing was entered, mine elsewhere.
        base: What further entries are compared with.
        conflicts: The parts that both changed, each in another way.
    """

    fields: FormFields
    base: FormFields
    conflicts: tuple[str, ...]


def fields_from_context(context: PlanContext) -> FormFields:
    """The instance as the fields show it."""
    stop = context.instance.auto_stop
    return FormFields(
        description=context.instance.description,
        enabled=stop.enabled,
        mode=stop.mode if stop.enabled else Mode.TIMING,
        duration=format_field_duration(context.default_duration)
        if context.capabilities.persists_duration
        else "",
        remind=bool(stop.prompt),
        stops_at=stop.stops_at,
    )


def format_field_duration(duration: timedelta) -> str:
    """A duration as the field shows it: ``2:30``, and ``2:30:05`` where the seconds count."""
    minutes, seconds = divmod(round(duration.total_seconds()), _SIXTY)
    text = f"{minutes // _SIXTY}:{minutes % _SIXTY:02}"
    return f"{text}:{seconds:02}" if seconds else text


def parse_field_duration(text: str) -> timedelta:
    """Read ``h:mm``, ``90m`` or ``2h30m``.

    Raises:
        DurationError: It is none of these, or not longer than zero.
    """
    match = _CLOCK_FORMAT.fullmatch(text.strip())
    if match is None:
        return _parse_with_units(text)
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    if minutes >= _SIXTY or seconds >= _SIXTY:
        raise DurationError("form.duration", text=text.strip())
    duration = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if not duration:
        raise DurationError("duration.not_positive", text=text.strip())
    return duration


def _parse_with_units(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except DurationError as error:
        if error.code in _UNPARSABLE_CODES:
            raise DurationError("form.duration", text=text.strip()) from None
        raise


def preset_durations(capabilities: Capabilities) -> list[timedelta]:
    """The run times to offer by a button."""
    return [
        each
        for each in PRESET_DURATIONS
        if capabilities.min_duration <= each <= capabilities.max_duration
    ]


def edited_parts(base: FormFields, mine: FormFields) -> tuple[str, ...]:
    """The parts in which something else stands than was loaded."""
    return tuple(part for part in PARTS if _part_value(base, part) != _part_value(mine, part))


def changes_to_send(base: FormFields, mine: FormFields) -> FormChanges:
    """What to send for what was entered; nothing of it where it means the same.

    Raises:
        InputError, RefusedError: What was entered is not valid, or would not count.
    """
    changed = mine.description != base.description
    wish = requested_auto_stop(base, mine)
    return FormChanges(
        validate(mine.description) if changed else None, None if wish == AutoStopRequest() else wish
    )


def requested_auto_stop(base: FormFields, mine: FormFields) -> AutoStopRequest:
    """What is wanted of auto-stop; an empty wish where that is nothing.

    Raises:
        DurationError, RefusedError: What was entered is not valid, or would not count.
    """
    prompt = mine.remind if mine.remind != base.remind else None
    if not mine.enabled or mine.mode is Mode.IDLE:
        return replace(_request_without_duration(base, mine), prompt=prompt)
    duration = _field_duration(mine)
    if duration == _field_duration(base) and base.enabled and base.mode is Mode.TIMING:
        return AutoStopRequest(prompt=prompt)
    return AutoStopRequest(enabled=True, mode=Mode.TIMING, duration=duration, prompt=prompt)


def _request_without_duration(base: FormFields, mine: FormFields) -> AutoStopRequest:
    """Off, or on low use; a run time beside it would be entered for nothing."""
    if (mine.enabled, mine.mode) == (base.enabled, base.mode):
        if mine.duration != base.duration:
            raise RefusedError("form.unused_duration")
        return AutoStopRequest()
    return (
        AutoStopRequest(enabled=True, mode=Mode.IDLE)
        if mine.enabled
        else AutoStopRequest(enabled=False)
    )


def _field_duration(fields: FormFields) -> timedelta | None:
    return parse_field_duration(fields.duration) if fields.duration.strip() else None


def preview(request: AutoStopRequest, context: PlanContext, planned: Plan | None = None) -> Message:
    """When the instance would stop, were the wish applied now.

    Raises:
        DurationError, RefusedError: It would be refused; says why.
    """
    planned = planned or plan_auto_stop(request, context)
    values = {"end": planned.stops_at, "duration": planned.edit.duration}
    if not planned.edit.enabled:
        return Message("form.would.off")
    if planned.edit.mode is Mode.IDLE:
        return Message("form.would.idle")
    if not context.instance.running:
        return Message("form.would.next_start", values)
    if planned.stops_at is None:
        return Message("form.would.unknown")
    if context.capabilities.counts_from is CountsFrom.NOW and request != AutoStopRequest(
        prompt=request.prompt
    ):
        return Message("form.would.from_now", values)
    return Message("form.would.stop", values)


def merge(base: FormFields, mine: FormFields, theirs: FormFields) -> MergeResult:
    """Bring together what was entered and what somebody else changed, losing neither.

    Args:
        base: What the fields were loaded with.
        mine: What they hold now.
        theirs: What they would be loaded with now.
    """
    entered = set(edited_parts(base, mine))
    conflicts = tuple(
        part
        for part in PARTS
        if part in entered
        and _is_changed(base, theirs, part)
        and not _is_equivalent(mine, theirs, part)
    )
    keep = [part for part in entered if not _is_equivalent(mine, theirs, part)]
    return MergeResult(
        copy_parts(theirs, mine, keep), copy_parts(theirs, base, conflicts), conflicts
    )


def copy_parts(fields: FormFields, source: FormFields, parts: Iterable[str]) -> FormFields:
    """The fields, with some parts from another."""
    for part in parts:
        if part == "description":
            fields = replace(fields, description=source.description)
        elif part == "remind":
            fields = replace(fields, remind=source.remind)
        else:
            fields = replace(
                fields,
                enabled=source.enabled,
                mode=source.mode,
                duration=source.duration,
                stops_at=source.stops_at,
            )
    return fields


def _part_value(fields: FormFields, part: str) -> object:
    if part == "description":
        return fields.description
    return fields.remind if part == "remind" else (fields.enabled, fields.mode, fields.duration)


def _is_changed(base: FormFields, theirs: FormFields, part: str) -> bool:
    if _part_value(base, part) != _part_value(theirs, part):
        return True
    return part == "auto_stop" and not _is_same_stop_time(base.stops_at, theirs.stops_at)


def _is_same_stop_time(one: datetime | None, other: datetime | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= STOP_TIME_TOLERANCE


def _is_equivalent(mine: FormFields, theirs: FormFields, part: str) -> bool:
    """Whether both mean the same, however it is written."""
    if part != "auto_stop":
        return _part_value(mine, part) == _part_value(theirs, part)
    return _normalised_auto_stop(mine) == _normalised_auto_stop(theirs)


def _normalised_auto_stop(fields: FormFields) -> object:
    if not fields.enabled:
        return "off"
    if fields.mode is Mode.IDLE:
        return "idle"
    try:
        return _field_duration(fields)
    except DurationError:
        return fields.duration
