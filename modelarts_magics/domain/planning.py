"""From what a person asks of auto-stop to what is written, or to the reason why not. Pure.

What a duration counts from is the API's own affair (`Capabilities.counts_from`); a plan always names
the stop time that would result, so that no message has to.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from modelarts_magics.domain.durations import UTC, parse_clock_time
from modelarts_magics.domain.models import (
    STOP_TIME_TOLERANCE,
    AutoStopEdit,
    CountsFrom,
    Mode,
    StopTimeUnknown,
)
from modelarts_magics.errors import DurationError, RefusedError
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from modelarts_magics.domain.models import AutoStop, Capabilities, Instance

MIN_TIME_LEFT = timedelta(minutes=5)
"""An end closer than this is refused: it would stop the instance under the person's hands."""
DEFAULT_DURATION = timedelta(hours=1)
MAX_DURATION = timedelta(days=36500)
"""No API comes near it, and a calendar can add it to any date."""
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class AutoStopRequest:
    """What a person asks of auto-stop; None leaves that part as it is.

    Attributes:
        enabled: On or off.
        duration: A run time, counted from where the API counts.
        time_left: A run time from now.
        stop_time: The moment to stop at.
        clock_time: The same as a person writes it, as ``18:00``; read by the cloud's clock, in `zone`.
        timezone: The zone of a time written without an offset; None for UTC.
        prompt: Whether to be reminded.
        mode: By time or by low use.
        force: Try what the API does not document (turning auto-stop off).
    """

    enabled: bool | None = None
    duration: timedelta | None = None
    time_left: timedelta | None = None
    stop_time: datetime | None = None
    clock_time: str | None = None
    timezone: tzinfo | None = None
    prompt: bool | None = None
    mode: Mode | None = None
    force: bool = False


@dataclass(frozen=True)
class PlanContext:
    """What a plan depends on beside the wish.

    Attributes:
        instance: The instance as just read.
        capabilities: What its API can do.
        started_at: When this run started, if that is known.
        last_duration: The run time that was last seen set, if one was.
        defers_duration: Whether this cloud was seen to let a new duration wait for the next start; None: not seen.
    """

    instance: Instance
    capabilities: Capabilities
    started_at: datetime | None = None
    last_duration: timedelta | None = None
    defers_duration: bool | None = None

    @property
    def now(self) -> datetime:
        """The cloud's time when it was asked."""
        return self.instance.observed_at

    @property
    def default_duration(self) -> timedelta:
        """The run time to take where none is named: the one that is set, else the last known."""
        kept = self.instance.auto_stop.duration if self.capabilities.persists_duration else None
        return kept or self.last_duration or DEFAULT_DURATION

    @property
    def reference_time(self) -> datetime | None:
        """What a duration in a request counts from; None where that is not known."""
        if self.capabilities.counts_from is CountsFrom.NOW:
            return self.now
        return self.started_at if self.instance.running else None


@dataclass(frozen=True)
class Plan:
    """What to write, and when the run would end if it takes effect at once (None: not known)."""

    edit: AutoStopEdit
    stops_at: datetime | None = None


def plan_auto_stop(request: AutoStopRequest, context: PlanContext) -> Plan:
    """Decide what to write for a wish.

    Raises:
        DurationError: A duration outside the API's bounds.
        RefusedError: The end would be past, too soon or beyond what is possible, or is not computable.
    """
    prompt = _resolve_prompt(request, context)
    if request.enabled is False:
        return _plan_disable(request, context, prompt)
    if request.mode is Mode.IDLE:
        return _plan_idle(context, prompt)
    end = _requested_stop_time(request, context)
    if end is not None:
        return _plan_stop_time(end, context, prompt)
    if request.duration is not None:
        return _plan_duration(request.duration, context, prompt)
    if request.enabled:
        return _plan_enable(context, prompt)
    return _plan_unchanged(context, prompt)


def stop_time_bounds(context: PlanContext) -> tuple[datetime, datetime] | None:
    """The earliest and the latest end that may be asked for; None where that is not computable."""
    if context.reference_time is None or not context.instance.running:
        return None
    able = context.capabilities
    earliest = max(context.reference_time + able.min_duration, context.now + MIN_TIME_LEFT)
    return earliest, context.reference_time + able.max_duration


def plan_stop_time_shift(delta: timedelta, context: PlanContext) -> Plan:
    """Decide what to write to move the end of this run by a positive or negative duration.

    Raises:
        DurationError: It is longer than a century.
        RefusedError: There is no end to move, or it would leave the bounds.
    """
    instance = context.instance
    stop = instance.auto_stop
    _check_applicable(context)
    if not instance.running:
        raise RefusedError("refuse.not_running", status=instance.status.value)
    if context.defers_duration and stop.enabled and stop.duration:
        return _plan_duration(stop.duration + delta, context, stop.prompt)
    if stop.stops_at is None:
        verb = Message("verb.extend" if delta > timedelta(0) else "verb.shorten")
        raise RefusedError(_no_stop_time_code(stop), verb=verb)
    return _plan_stop_time(_add_delta(stop.stops_at, delta, context), context, stop.prompt)


def _no_stop_time_code(auto_stop: AutoStop) -> str:
    if auto_stop.is_known and not auto_stop.enabled:
        return "refuse.off"
    if auto_stop.mode is Mode.IDLE:
        return "refuse.idle"
    passed = auto_stop.stop_time_unknown is StopTimeUnknown.PAST
    return "refuse.stop_time_passed" if passed else "refuse.unknown_end"


def _requested_stop_time(request: AutoStopRequest, context: PlanContext) -> datetime | None:
    if request.clock_time is not None:
        return parse_clock_time(request.clock_time, now=context.now, zone=request.timezone or UTC)
    if request.time_left is not None:
        return _add_delta(context.now.replace(microsecond=0), request.time_left, context)
    return request.stop_time


def _add_delta(start: datetime, delta: timedelta, context: PlanContext) -> datetime:
    if abs(delta) > MAX_DURATION:
        able = context.capabilities
        raise DurationError(
            "duration.bounds",
            duration=abs(delta),
            shortest=able.min_duration,
            longest=able.max_duration,
        )
    return start + delta


def _resolve_prompt(request: AutoStopRequest, context: PlanContext) -> bool | None:
    if request.prompt is None:
        return context.instance.auto_stop.prompt
    if not context.capabilities.supports_reminder:
        raise RefusedError("refuse.no_prompt")
    return request.prompt


def _plan_disable(request: AutoStopRequest, context: PlanContext, prompt: bool | None) -> Plan:
    if not (context.capabilities.can_disable or request.force):
        raise RefusedError(
            "refuse.no_off",
            longest=context.capabilities.max_duration,
            idle=context.capabilities.supports_idle,
        )
    return Plan(AutoStopEdit(enabled=False, prompt=prompt))


def _plan_idle(context: PlanContext, prompt: bool | None) -> Plan:
    _check_applicable(context)
    if not context.capabilities.supports_idle:
        raise RefusedError("refuse.no_idle")
    duration = context.capabilities.min_duration
    return Plan(AutoStopEdit(enabled=True, mode=Mode.IDLE, duration=duration, prompt=prompt))


def _plan_enable(context: PlanContext, prompt: bool | None) -> Plan:
    """With the usual duration."""
    _check_no_stop_time(context)
    return _plan_duration(context.default_duration, context, prompt)


def _check_no_stop_time(context: PlanContext) -> None:
    """Where no duration is kept, each that is sent counts from now, and moves the end of a run that has one."""
    end = context.instance.auto_stop.stops_at
    if context.instance.running and end is not None and not context.capabilities.persists_duration:
        raise RefusedError("refuse.on", end=end)


def _plan_unchanged(context: PlanContext, prompt: bool | None) -> Plan:
    """Everything as it is; only the wish to be reminded may differ."""
    _check_no_stop_time(context)
    stop = context.instance.auto_stop
    duration = stop.duration if stop.enabled else None
    if (stop.enabled and duration is None) or not stop.is_known:
        raise RefusedError("refuse.no_duration")
    edit = AutoStopEdit(enabled=stop.enabled, mode=stop.mode, duration=duration, prompt=prompt)
    return Plan(edit, stop.stops_at)


def _plan_duration(duration: timedelta, context: PlanContext, prompt: bool | None) -> Plan:
    able = context.capabilities
    if not able.min_duration <= duration <= able.max_duration:
        raise DurationError(
            "duration.bounds",
            duration=duration,
            shortest=able.min_duration,
            longest=able.max_duration,
        )
    _check_applicable(context)
    duration = _round_up_to_seconds(duration)
    end = (
        context.reference_time + duration
        if context.reference_time and context.instance.running
        else None
    )
    if end and not context.defers_duration and _is_too_soon(end, context):
        code = "refuse.past" if end <= context.now else "refuse.too_soon"
        left, doubt = end - context.now, _start_uncertainty(context)
        raise RefusedError(code, duration=duration, end=end, left=left, doubt=doubt)
    return Plan(AutoStopEdit(enabled=True, duration=duration, prompt=prompt), end)


def _is_too_soon(stop_time: datetime, context: PlanContext) -> bool:
    """Whether the end would surprise; one that this run has already cannot."""
    present = context.instance.auto_stop.stops_at
    already = (
        present is not None
        and stop_time > context.now
        and abs(stop_time - present) <= STOP_TIME_TOLERANCE
    )
    return stop_time - context.now < MIN_TIME_LEFT and not already


def _start_uncertainty(context: PlanContext) -> Message:
    """A start of the run is derived from the set duration, which somebody may have changed since."""
    derived = (
        context.capabilities.counts_from is CountsFrom.RUN_START and context.defers_duration is None
    )
    longest = context.capabilities.max_duration
    return Message("refuse.doubt", {"longest": longest}) if derived else Message("word.nothing")


def _plan_stop_time(stop_time: datetime, context: PlanContext, prompt: bool | None) -> Plan:
    instance, able = context.instance, context.capabilities
    _check_applicable(context)
    if not instance.running:
        raise RefusedError("refuse.not_running", status=instance.status.value)
    if stop_time <= context.now:
        raise RefusedError("refuse.end_past", end=stop_time)
    possible = stop_time_bounds(context)
    if context.reference_time is None or possible is None:
        raise RefusedError("refuse.no_start", longest=able.max_duration)
    earliest, latest = possible
    duration = _round_up_to_seconds(stop_time - context.reference_time)
    if duration > able.max_duration:
        raise RefusedError(
            "refuse.too_late", end=stop_time, latest=latest, doubt=_start_uncertainty(context)
        )
    if duration < able.min_duration or stop_time - context.now < MIN_TIME_LEFT:
        raise RefusedError(
            "refuse.too_early", end=stop_time, earliest=earliest, left=earliest - context.now
        )
    return Plan(AutoStopEdit(enabled=True, duration=duration, prompt=prompt), stop_time)


def _check_applicable(context: PlanContext) -> None:
    """Refuse where a duration is not kept for the next start and there is no run to apply it to."""
    if not context.capabilities.persists_duration and not context.instance.running:
        raise RefusedError("refuse.lease_not_running", status=context.instance.status.value)


def _round_up_to_seconds(duration: timedelta) -> timedelta:
    return timedelta(seconds=-(-duration // SECOND))
