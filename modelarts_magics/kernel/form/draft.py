"""What stands in the form's fields, what of it is to be sent, and what became of the rest. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from modelarts_magics.domain.description import check
from modelarts_magics.domain.durations import parse_duration
from modelarts_magics.domain.models import SAME, CountsFrom, Mode
from modelarts_magics.domain.planning import Wish, plan
from modelarts_magics.errors import DurationError, RefusedError
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from modelarts_magics.domain.models import Capabilities
    from modelarts_magics.domain.planning import Circumstances, Plan

PARTS = ("description", "auto_stop", "remind")
"""What can be changed, and be changed by somebody else, independently of the rest."""
PRESETS = tuple(timedelta(hours=hours) for hours in (1, 2, 4, 8, 12, 24, 48, 72))
_SPAN = re.compile(r"(\d{1,3})[:：](\d{1,2})(?:[:：](\d{1,2}))?", re.ASCII)  # noqa: RUF001 - as typed in Chinese
_UNREADABLE = ("duration.no_unit", "duration.is_clock", "duration.unreadable")
_SIXTY = 60


@dataclass(frozen=True)
class Fields:
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
class Wanted:
    """What to send; None leaves that part as it is."""

    description: str | None = None
    auto_stop: Wish | None = None


@dataclass(frozen=True)
class Merge:
    """What to show after somebody else's change.

    Attributes:
        fields: What to show: theirs where nothing was entered, mine elsewhere.
        base: What further entries are compared with.
        conflicts: The parts that both changed, each in another way.
    """

    fields: Fields
    base: Fields
    conflicts: tuple[str, ...]


def fields_of(given: Circumstances) -> Fields:
    """The instance as the fields show it."""
    stop = given.instance.auto_stop
    return Fields(
        description=given.instance.description,
        enabled=stop.enabled,
        mode=stop.mode if stop.enabled else Mode.TIMING,
        duration=written(given.usual_duration) if given.capabilities.kept else "",
        remind=bool(stop.prompt),
        stops_at=stop.stops_at,
    )


def written(duration: timedelta) -> str:
    """A duration as the field shows it: ``2:30``, and ``2:30:05`` where the seconds count."""
    minutes, seconds = divmod(round(duration.total_seconds()), _SIXTY)
    text = f"{minutes // _SIXTY}:{minutes % _SIXTY:02}"
    return f"{text}:{seconds:02}" if seconds else text


def parse_span(text: str) -> timedelta:
    """Read ``h:mm``, ``90m`` or ``2h30m``.

    Raises:
        DurationError: It is none of these, or not longer than zero.
    """
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        return _with_units(text)
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    if minutes >= _SIXTY or seconds >= _SIXTY:
        raise DurationError("form.duration", text=text.strip())
    duration = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if not duration:
        raise DurationError("duration.not_positive", text=text.strip())
    return duration


def _with_units(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except DurationError as error:
        if error.code in _UNREADABLE:
            raise DurationError("form.duration", text=text.strip()) from None
        raise


def presets(able: Capabilities) -> list[timedelta]:
    """The run times to offer by a button."""
    return [each for each in PRESETS if able.shortest <= each <= able.longest]


def touched(base: Fields, mine: Fields) -> tuple[str, ...]:
    """The parts in which something else stands than was loaded."""
    return tuple(part for part in PARTS if _raw(base, part) != _raw(mine, part))


def wanted(base: Fields, mine: Fields) -> Wanted:
    """What to send for what was entered; nothing of it where it means the same.

    Raises:
        InputError, RefusedError: What was entered is not valid, or would not count.
    """
    changed = mine.description != base.description
    wish = wished(base, mine)
    return Wanted(check(mine.description) if changed else None, None if wish == Wish() else wish)


def wished(base: Fields, mine: Fields) -> Wish:
    """What is wanted of auto-stop; an empty wish where that is nothing.

    Raises:
        DurationError, RefusedError: What was entered is not valid, or would not count.
    """
    prompt = mine.remind if mine.remind != base.remind else None
    if not mine.enabled or mine.mode is Mode.IDLE:
        return replace(_without_duration(base, mine), prompt=prompt)
    duration = _span_of(mine)
    if duration == _span_of(base) and base.enabled and base.mode is Mode.TIMING:
        return Wish(prompt=prompt)
    return Wish(enabled=True, mode=Mode.TIMING, duration=duration, prompt=prompt)


def _without_duration(base: Fields, mine: Fields) -> Wish:
    """Off, or on low use; a run time beside it would be entered for nothing."""
    if (mine.enabled, mine.mode) == (base.enabled, base.mode):
        if mine.duration != base.duration:
            raise RefusedError("form.unused_duration")
        return Wish()
    return Wish(enabled=True, mode=Mode.IDLE) if mine.enabled else Wish(enabled=False)


def _span_of(fields: Fields) -> timedelta | None:
    return parse_span(fields.duration) if fields.duration.strip() else None


def preview(wish: Wish, given: Circumstances, planned: Plan | None = None) -> Message:
    """When the instance would stop, were the wish applied now.

    Raises:
        DurationError, RefusedError: It would be refused; says why.
    """
    planned = planned or plan(wish, given)
    values = {"end": planned.stops_at, "duration": planned.edit.duration}
    if not planned.edit.enabled:
        return Message("form.would.off")
    if planned.edit.mode is Mode.IDLE:
        return Message("form.would.idle")
    if not given.instance.running:
        return Message("form.would.next_start", values)
    if planned.stops_at is None:
        return Message("form.would.unknown")
    if given.capabilities.counts_from is CountsFrom.NOW and wish != Wish(prompt=wish.prompt):
        return Message("form.would.from_now", values)
    return Message("form.would.stop", values)


def merge(base: Fields, mine: Fields, theirs: Fields) -> Merge:
    """Bring together what was entered and what somebody else changed, losing neither.

    Args:
        base: What the fields were loaded with.
        mine: What they hold now.
        theirs: What they would be loaded with now.
    """
    entered = set(touched(base, mine))
    conflicts = tuple(
        part
        for part in PARTS
        if part in entered and _changed(base, theirs, part) and not _same(mine, theirs, part)
    )
    keep = [part for part in entered if not _same(mine, theirs, part)]
    return Merge(take(theirs, mine, keep), take(theirs, base, conflicts), conflicts)


def take(fields: Fields, other: Fields, parts: Iterable[str]) -> Fields:
    """The fields, with some parts from another."""
    for part in parts:
        if part == "description":
            fields = replace(fields, description=other.description)
        elif part == "remind":
            fields = replace(fields, remind=other.remind)
        else:
            fields = replace(
                fields,
                enabled=other.enabled,
                mode=other.mode,
                duration=other.duration,
                stops_at=other.stops_at,
            )
    return fields


def _raw(fields: Fields, part: str) -> object:
    if part == "description":
        return fields.description
    return fields.remind if part == "remind" else (fields.enabled, fields.mode, fields.duration)


def _changed(base: Fields, theirs: Fields, part: str) -> bool:
    if _raw(base, part) != _raw(theirs, part):
        return True
    return part == "auto_stop" and not _near(base.stops_at, theirs.stops_at)


def _near(one: datetime | None, other: datetime | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= SAME


def _same(mine: Fields, theirs: Fields, part: str) -> bool:
    """Whether both mean the same, however it is written."""
    if part != "auto_stop":
        return _raw(mine, part) == _raw(theirs, part)
    return _meaning(mine) == _meaning(theirs)


def _meaning(fields: Fields) -> object:
    if not fields.enabled:
        return "off"
    if fields.mode is Mode.IDLE:
        return "idle"
    try:
        return _span_of(fields)
    except DurationError:
        return fields.duration
