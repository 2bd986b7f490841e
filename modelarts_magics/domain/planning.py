"""From what a person asks of auto-stop to what is written, or to the reason why not. Pure.

What a duration counts from is the API's own affair (`Capabilities.counts_from`); a plan always names
the stop time that would result, so that no message has to.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from modelarts_magics.domain.durations import UTC, parse_clock
from modelarts_magics.domain.models import SAME, AutoStopEdit, CountsFrom, Mode
from modelarts_magics.errors import DurationError, RefusedError
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from modelarts_magics.domain.models import AutoStop, Capabilities, Instance

SHORTEST_NOTICE = timedelta(minutes=5)
"""An end closer than this is refused: it would stop the instance under the person's hands."""
DEFAULT_DURATION = timedelta(hours=1)
LONGEST_SHIFT = timedelta(days=36500)
"""No API comes near it, and a calendar can add it to any date."""
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Wish:
    """What a person asks of auto-stop; None leaves that part as it is.

    Attributes:
        enabled: On or off.
        duration: A run time, counted from where the API counts.
        within: A run time from now.
        until: The moment to stop at.
        at: The same as a person writes it, as ``18:00``; read by the cloud's clock, in `zone`.
        zone: The zone of a time written without an offset; None for UTC.
        prompt: Whether to be reminded.
        mode: By time or by low use.
        insist: Try what the API does not document (turning auto-stop off).
    """

    enabled: bool | None = None
    duration: timedelta | None = None
    within: timedelta | None = None
    until: datetime | None = None
    at: str | None = None
    zone: tzinfo | None = None
    prompt: bool | None = None
    mode: Mode | None = None
    insist: bool = False


@dataclass(frozen=True)
class Circumstances:
    """What a plan depends on beside the wish.

    Attributes:
        instance: The instance as just read.
        capabilities: What its API can do.
        started_at: When this run started, if that is known.
        last_duration: The run time that was last seen set, if one was.
        waits: Whether this cloud was seen to let a new duration wait for the next start; None: not seen.
    """

    instance: Instance
    capabilities: Capabilities
    started_at: datetime | None = None
    last_duration: timedelta | None = None
    waits: bool | None = None

    @property
    def now(self) -> datetime:
        """The cloud's time when it was asked."""
        return self.instance.observed_at

    @property
    def usual_duration(self) -> timedelta:
        """The run time to take where none is named: the one that is set, else the last known."""
        kept = self.instance.auto_stop.duration if self.capabilities.kept else None
        return kept or self.last_duration or DEFAULT_DURATION

    @property
    def base(self) -> datetime | None:
        """What a duration in a request counts from; None where that is not known."""
        if self.capabilities.counts_from is CountsFrom.NOW:
            return self.now
        return self.started_at if self.instance.running else None


@dataclass(frozen=True)
class Plan:
    """What to write, and when the run would end if it takes effect at once (None: not known)."""

    edit: AutoStopEdit
    stops_at: datetime | None = None


def plan(wish: Wish, given: Circumstances) -> Plan:
    """Decide what to write for a wish.

    Raises:
        DurationError: A duration outside the API's bounds.
        RefusedError: The end would be past, too soon or beyond what is possible, or is not computable.
    """
    prompt = _prompt(wish, given)
    if wish.enabled is False:
        return _off(wish, given, prompt)
    if wish.mode is Mode.IDLE:
        return _idle(given, prompt)
    end = _end_of(wish, given)
    if end is not None:
        return _end_at(end, given, prompt)
    if wish.duration is not None:
        return _of_duration(wish.duration, given, prompt)
    if wish.enabled:
        return _on(given, prompt)
    return _keep(given, prompt)


def bounds(given: Circumstances) -> tuple[datetime, datetime] | None:
    """The earliest and the latest end that may be asked for; None where that is not computable."""
    if given.base is None or not given.instance.running:
        return None
    able = given.capabilities
    earliest = max(given.base + able.shortest, given.now + SHORTEST_NOTICE)
    return earliest, given.base + able.longest


def shift(by: timedelta, given: Circumstances) -> Plan:
    """Decide what to write to move the end of this run by a positive or negative duration.

    Raises:
        DurationError: It is longer than a century.
        RefusedError: There is no end to move, or it would leave the bounds.
    """
    instance = given.instance
    stop = instance.auto_stop
    _check_running(given)
    if not instance.running:
        raise RefusedError("refuse.not_running", status=instance.status.value)
    if given.waits and stop.enabled and stop.duration:
        return _of_duration(stop.duration + by, given, stop.prompt)
    if stop.stops_at is None:
        verb = Message("verb.extend" if by > timedelta(0) else "verb.shorten")
        raise RefusedError(_why_no_end(stop), verb=verb)
    return _end_at(_later(stop.stops_at, by, given), given, stop.prompt)


def _why_no_end(stop: AutoStop) -> str:
    if stop.stated and not stop.enabled:
        return "refuse.off"
    return "refuse.idle" if stop.mode is Mode.IDLE else "refuse.unknown_end"


def _end_of(wish: Wish, given: Circumstances) -> datetime | None:
    if wish.at is not None:
        return parse_clock(wish.at, now=given.now, zone=wish.zone or UTC)
    if wish.within is not None:
        return _later(given.now.replace(microsecond=0), wish.within, given)
    return wish.until


def _later(moment: datetime, by: timedelta, given: Circumstances) -> datetime:
    if abs(by) > LONGEST_SHIFT:
        able = given.capabilities
        raise DurationError(
            "duration.bounds", duration=abs(by), shortest=able.shortest, longest=able.longest
        )
    return moment + by


def _prompt(wish: Wish, given: Circumstances) -> bool | None:
    if wish.prompt is None:
        return given.instance.auto_stop.prompt
    if not given.capabilities.prompt:
        raise RefusedError("refuse.no_prompt")
    return wish.prompt


def _off(wish: Wish, given: Circumstances, prompt: bool | None) -> Plan:
    if not (given.capabilities.off or wish.insist):
        raise RefusedError(
            "refuse.no_off", longest=given.capabilities.longest, idle=given.capabilities.idle
        )
    return Plan(AutoStopEdit(enabled=False, prompt=prompt))


def _idle(given: Circumstances, prompt: bool | None) -> Plan:
    _check_running(given)
    if not given.capabilities.idle:
        raise RefusedError("refuse.no_idle")
    duration = given.capabilities.shortest
    return Plan(AutoStopEdit(enabled=True, mode=Mode.IDLE, duration=duration, prompt=prompt))


def _on(given: Circumstances, prompt: bool | None) -> Plan:
    """With the usual duration."""
    _check_no_end(given)
    return _of_duration(given.usual_duration, given, prompt)


def _check_no_end(given: Circumstances) -> None:
    """Where no duration is kept, each that is sent counts from now, and moves the end of a run that has one."""
    end = given.instance.auto_stop.stops_at
    if given.instance.running and end is not None and not given.capabilities.kept:
        raise RefusedError("refuse.on", end=end)


def _keep(given: Circumstances, prompt: bool | None) -> Plan:
    """Everything as it is; only the wish to be reminded may differ."""
    _check_no_end(given)
    stop = given.instance.auto_stop
    duration = stop.duration if stop.enabled else None
    if (stop.enabled and duration is None) or not stop.stated:
        raise RefusedError("refuse.no_duration")
    edit = AutoStopEdit(enabled=stop.enabled, mode=stop.mode, duration=duration, prompt=prompt)
    return Plan(edit, stop.stops_at)


def _of_duration(duration: timedelta, given: Circumstances, prompt: bool | None) -> Plan:
    able = given.capabilities
    if not able.shortest <= duration <= able.longest:
        raise DurationError(
            "duration.bounds", duration=duration, shortest=able.shortest, longest=able.longest
        )
    _check_running(given)
    duration = _whole_seconds(duration)
    end = given.base + duration if given.base and given.instance.running else None
    if end and not given.waits and _comes_too_soon(end, given):
        code = "refuse.past" if end <= given.now else "refuse.too_soon"
        left, doubt = end - given.now, _doubt(given)
        raise RefusedError(code, duration=duration, end=end, left=left, doubt=doubt)
    return Plan(AutoStopEdit(enabled=True, duration=duration, prompt=prompt), end)


def _comes_too_soon(end: datetime, given: Circumstances) -> bool:
    """Whether the end would surprise; one that this run has already cannot."""
    present = given.instance.auto_stop.stops_at
    already = present is not None and end > given.now and abs(end - present) <= SAME
    return end - given.now < SHORTEST_NOTICE and not already


def _doubt(given: Circumstances) -> Message:
    """A start of the run is derived from the set duration, which somebody may have changed since."""
    derived = given.capabilities.counts_from is CountsFrom.RUN_START and given.waits is None
    longest = given.capabilities.longest
    return Message("refuse.doubt", {"longest": longest}) if derived else Message("word.nothing")


def _end_at(end: datetime, given: Circumstances, prompt: bool | None) -> Plan:
    instance, able = given.instance, given.capabilities
    _check_running(given)
    if not instance.running:
        raise RefusedError("refuse.not_running", status=instance.status.value)
    if end <= given.now:
        raise RefusedError("refuse.end_past", end=end)
    possible = bounds(given)
    if given.base is None or possible is None:
        raise RefusedError("refuse.no_start", longest=able.longest)
    earliest, latest = possible
    duration = _whole_seconds(end - given.base)
    if duration > able.longest:
        raise RefusedError("refuse.too_late", end=end, latest=latest, doubt=_doubt(given))
    if duration < able.shortest or end - given.now < SHORTEST_NOTICE:
        raise RefusedError(
            "refuse.too_early", end=end, earliest=earliest, left=earliest - given.now
        )
    return Plan(AutoStopEdit(enabled=True, duration=duration, prompt=prompt), end)


def _check_running(given: Circumstances) -> None:
    """Refuse where a duration is not kept for the next start and there is no run to apply it to."""
    if not given.capabilities.kept and not given.instance.running:
        raise RefusedError("refuse.lease_not_running", status=given.instance.status.value)


def _whole_seconds(duration: timedelta) -> timedelta:
    return timedelta(seconds=-(-duration // SECOND))
