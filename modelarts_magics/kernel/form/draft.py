"""The edited values of the form: reading, validating and merging them, without widgets or I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from modelarts_magics.domain.description import validate
from modelarts_magics.domain.durations import parse_duration
from modelarts_magics.domain.models import STOP_TIME_TOLERANCE, CountsFrom, Mode
from modelarts_magics.domain.planning import AutoStopRequest, plan_auto_stop
from modelarts_magics.errors import DurationError, RefusedError
from modelarts_magics.messages import Message, format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from modelarts_magics.domain.models import Capabilities, Instance
    from modelarts_magics.domain.planning import Plan, PlanContext

PARTS = ("description", "auto_stop", "remind")
"""The parts of the form that change, and are merged, independently of each other."""
PRESET_DURATIONS = tuple(timedelta(hours=hours) for hours in (1, 2, 4, 8, 12, 24, 48, 72))


@dataclass(frozen=True)
class FormFields:
    """The values of the fields.

    Attributes:
        description: The text as typed.
        enabled: Whether auto-stop is on.
        mode: The stop mode.
        duration: The run time as typed; empty if the API does not store one and none is requested.
        remind: Whether the console reminds before the stop.
        stops_at: The stop time when the fields were loaded; not editable.
    """

    description: str
    enabled: bool
    mode: Mode
    duration: str
    remind: bool
    stops_at: datetime | None = None


@dataclass(frozen=True)
class FormChanges:
    """The changes to send; None leaves a value as it is."""

    description: str | None = None
    auto_stop: AutoStopRequest | None = None


@dataclass(frozen=True)
class MergeResult:
    """The result of a three-way merge.

    Attributes:
        fields: The values to show: edited parts from this form, all others from the instance.
        base: The values that later edits are compared with.
        conflicts: The parts that were changed both here and elsewhere, to different values.
    """

    fields: FormFields
    base: FormFields
    conflicts: tuple[str, ...]


def fields_from_context(context: PlanContext) -> FormFields:
    """Return the values of the fields for an unedited instance."""
    stop = context.instance.auto_stop
    return FormFields(
        description=context.instance.description,
        enabled=stop.enabled,
        mode=stop.mode if stop.enabled else Mode.TIMING,
        duration=format_duration(context.default_duration)
        if context.capabilities.persists_duration
        else "",
        remind=bool(stop.prompt),
        stops_at=stop.stops_at,
    )


def preset_durations(capabilities: Capabilities) -> list[timedelta]:
    """Return the run times that have a button: the presets that the API accepts."""
    return [
        each
        for each in PRESET_DURATIONS
        if capabilities.min_duration <= each <= capabilities.max_duration
    ]


def edited_parts(base: FormFields, mine: FormFields) -> tuple[str, ...]:
    """Return the parts in which `mine` differs from `base`."""
    return tuple(part for part in PARTS if _part_value(base, part) != _part_value(mine, part))


def changes_to_send(base: FormFields, mine: FormFields) -> FormChanges:
    """Return the changes from `base` to `mine`, without those that mean the same value.

    Raises:
        InputError, RefusedError: A value is invalid or would have no effect.
    """
    changed = mine.description != base.description
    request = requested_auto_stop(base, mine)
    return FormChanges(
        validate(mine.description) if changed else None,
        None if request == AutoStopRequest() else request,
    )


def requested_auto_stop(base: FormFields, mine: FormFields) -> AutoStopRequest:
    """Return the requested change of auto-stop; an empty request if there is none.

    Raises:
        DurationError, RefusedError: A value is invalid or would have no effect.
    """
    prompt = mine.remind if mine.remind != base.remind else None
    if not mine.enabled or mine.mode is Mode.IDLE:
        return _request_without_duration(base, mine)._replace(prompt=prompt)
    duration = _field_duration(mine)
    if duration == _field_duration(base) and base.enabled and base.mode is Mode.TIMING:
        return AutoStopRequest(prompt=prompt)
    return AutoStopRequest(enabled=True, mode=Mode.TIMING, duration=duration, prompt=prompt)


def _request_without_duration(base: FormFields, mine: FormFields) -> AutoStopRequest:
    """Return the request to turn auto-stop off or to stop when idle, neither of which uses a run time."""
    if (mine.enabled, mine.mode) == (base.enabled, base.mode):
        if mine.duration != base.duration:
            raise RefusedError("form.duration_not_used")
        return AutoStopRequest()
    return (
        AutoStopRequest(enabled=True, mode=Mode.IDLE)
        if mine.enabled
        else AutoStopRequest(enabled=False)
    )


def _field_duration(fields: FormFields) -> timedelta | None:
    return parse_duration(fields.duration) if fields.duration.strip() else None


def preview(request: AutoStopRequest, context: PlanContext, planned: Plan | None = None) -> Message:
    """Return the message about the stop time if `request` was applied now.

    Args:
        request: The requested change.
        context: The instance and the limits of its API.
        planned: The plan for the request, if it was made already.

    Raises:
        DurationError, RefusedError: The request would be refused.
    """
    planned = planned or plan_auto_stop(request, context)
    values = {"stop_time": planned.stops_at, "duration": planned.edit.duration}
    if not planned.edit.enabled:
        return Message("form.preview.off")
    if planned.edit.mode is Mode.IDLE:
        return Message("form.preview.idle")
    if not context.instance.running:
        return Message("form.preview.next_start", values)
    if planned.stops_at is None:
        return Message("form.preview.unknown")
    if context.capabilities.counts_from is CountsFrom.NOW and request != AutoStopRequest(
        prompt=request.prompt
    ):
        return Message("form.preview.from_now", values)
    return Message("form.preview.stop", values)


def merge(base: FormFields, mine: FormFields, theirs: FormFields) -> MergeResult:
    """Merge the edits of this form with changes made elsewhere, losing neither.

    Args:
        base: The values that the fields were loaded with.
        mine: The values that the fields have now.
        theirs: The values of the instance now.
    """
    edited = set(edited_parts(base, mine))
    conflicts = tuple(
        part
        for part in PARTS
        if part in edited
        and _is_changed(base, theirs, part)
        and not _is_equivalent(mine, theirs, part)
    )
    keep = [part for part in edited if not _is_equivalent(mine, theirs, part)]
    return MergeResult(
        copy_parts(theirs, mine, keep), copy_parts(theirs, base, conflicts), conflicts
    )


def copy_parts(fields: FormFields, source: FormFields, parts: Iterable[str]) -> FormFields:
    """Return `fields` with the given parts from `source`."""
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
    """Return whether both mean the same value, however it is written."""
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


class FormState:
    """The values that the edits of a form are compared with. Not thread-safe.

    Attributes:
        instance: The latest instance.
        base_instance: The instance that an applied change is based on.
        base: The values that the fields were loaded with, updated part by part.
        conflicts: The parts that were changed both here and elsewhere.
    """

    def __init__(self, instance: Instance, fields: FormFields) -> None:
        self.instance = self.base_instance = instance
        self.base = self._theirs = fields
        self.conflicts: tuple[str, ...] = ()

    def set_latest(self, instance: Instance, theirs: FormFields) -> None:
        """Set the latest instance and its values."""
        self.instance, self._theirs = instance, theirs

    def rebase(self) -> None:
        """Compare later edits with the latest instance."""
        self.base, self.base_instance, self.conflicts = self._theirs, self.instance, ()

    def merge_latest(self, mine: FormFields) -> FormFields:
        """Return `mine` with all parts that were not edited from the latest instance."""
        merged = merge(self.base, mine, self._theirs)
        self.base, self.conflicts = merged.base, merged.conflicts
        if not self.conflicts:
            self.base_instance = self.instance
        return merged.fields

    def take_theirs(self, mine: FormFields) -> FormFields:
        """Return `mine` with all parts in conflict from the latest instance."""
        fields = copy_parts(mine, self._theirs, self.conflicts)
        self.rebase()
        return fields

    def reload(self, mine: FormFields, sent: FormFields | None) -> FormFields:
        """Return the values of the latest instance with the edits made after `sent`.

        Args:
            mine: The values that the fields have now.
            sent: The values that were applied; None keeps all edits.
        """
        kept = set(edited_parts(self.base, mine))
        if sent is not None:
            kept &= set(edited_parts(sent, mine))
        self.rebase()
        return copy_parts(self._theirs, mine, kept)
