"""Plan what to write for a request, or refuse it.

`Capabilities.counts_from` says from when the API counts a duration. A plan always has the resulting
stop time, so that no message has to compute it.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, NamedTuple

from modelarts_magics.domain.durations import MAX_DURATION, UTC, parse_clock_time
from modelarts_magics.domain.models import (
    STOP_TIME_TOLERANCE,
    AutoStopEdit,
    CountsFrom,
    Mode,
    StopTimeUnknown,
    same_stop_time,
)
from modelarts_magics.errors import DurationError, RefusedError
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from modelarts_magics.domain.models import AutoStop, Capabilities, Instance

MIN_TIME_LEFT = timedelta(minutes=5)
"""The shortest time left that may be requested; a stop that is closer would surprise the user."""
DEFAULT_DURATION = timedelta(hours=1)
SECOND = timedelta(seconds=1)


class AutoStopRequest(NamedTuple):
    """A requested change of auto-stop; a field that is None leaves that part as it is.

    Attributes:
        enabled: Turn auto-stop on or off.
        duration: A run time, counted from where the API counts.
        time_left: A run time from now.
        stop_time: The stop time, aware.
        clock_time: The stop time as entered, such as ``18:00``; read in `timezone`.
        timezone: The time zone of a clock time without an offset; None for UTC.
        prompt: Turn the reminder of the console on or off.
        mode: Stop at a fixed time or on low use.
        force: Send a request that the API does not document (turning auto-stop off).

    Example:
        >>> request = AutoStopRequest(stop_time=datetime(2026, 11, 23, 18, 0, tzinfo=UTC))
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

    @property
    def names_stop_time(self) -> bool:
        """Whether it is about the stop time of this run, and not about a run time."""
        return any(each is not None for each in (self.time_left, self.stop_time, self.clock_time))


class PlanContext(NamedTuple):
    """The inputs of a plan besides the request.

    Attributes:
        instance: The instance as just read.
        capabilities: The capabilities of its API.
        started_at: When this run started, if known.
        last_duration: The run time that was set last, if known.
        defers_duration: Whether this API applies a new duration at the next start only, as observed
            before; None if not observed.
    """

    instance: Instance
    capabilities: Capabilities
    started_at: datetime | None = None
    last_duration: timedelta | None = None
    defers_duration: bool | None = None

    @property
    def now(self) -> datetime:
        """The time of the API when the instance was read."""
        return self.instance.observed_at

    @property
    def default_duration(self) -> timedelta:
        """The run time if the request has none: the one that is set, else the last one, else 1 h."""
        stored = self.instance.auto_stop.duration if self.capabilities.persists_duration else None
        return stored or self.last_duration or DEFAULT_DURATION

    @property
    def reference_time(self) -> datetime | None:
        """The time from which a duration in a request counts; None if unknown."""
        if self.capabilities.counts_from is CountsFrom.NOW:
            return self.now
        return self.started_at if self.instance.running else None


class Plan(NamedTuple):
    """The write that fulfils a request.

    Attributes:
        edit: The auto-stop to write.
        stops_at: The stop time of this run if the edit takes effect at once; None if unknown.
        raised: Whether the stop time is later than requested, because the API accepts none that is earlier.
    """

    edit: AutoStopEdit
    stops_at: datetime | None = None
    raised: bool = False


def plan_auto_stop(request: AutoStopRequest, context: PlanContext) -> Plan:
    """Return what to write for a request.

    Raises:
        DurationError: The duration is outside the range of the API.
        RefusedError: The stop time would be past, too soon, too late or cannot be computed.
    """
    prompt = _resolve_prompt(request, context)
    if request.enabled is False:
        return _plan_disable(request, context, prompt)
    if request.mode is Mode.IDLE:
        return _plan_idle(context, prompt)
    stop_time = _requested_stop_time(request, context)
    if stop_time is not None:
        return _plan_stop_time(stop_time, context, prompt)
    if request.duration is not None:
        return _plan_duration(request.duration, context, prompt)
    if request.enabled:
        return _plan_enable(context, prompt)
    return _plan_unchanged(context, prompt)


def stop_time_bounds(context: PlanContext) -> tuple[datetime, datetime] | None:
    """Return the earliest and latest stop time that may be requested; None if unknown."""
    if context.reference_time is None or not context.instance.running:
        return None
    capabilities = context.capabilities
    earliest = max(context.reference_time + capabilities.min_duration, context.now + MIN_TIME_LEFT)
    return earliest, context.reference_time + capabilities.max_duration


def plan_stop_time_shift(delta: timedelta, context: PlanContext) -> Plan:
    """Return what to write to move the stop time of this run.

    Args:
        delta: How far to move it; negative for an earlier stop. An extension counts from now if the stop time
            has passed, and is raised to the shortest run time that the API accepts.
        context: The inputs of the plan.

    Raises:
        DurationError: The shift is longer than `MAX_DURATION`.
        RefusedError: There is no stop time, or the new one is outside the range of the API.
    """
    _check_running(context)
    auto_stop = context.instance.auto_stop
    if context.defers_duration and auto_stop.enabled and auto_stop.duration:
        return _plan_duration(auto_stop.duration + delta, context, auto_stop.prompt)
    extends = delta > timedelta(0)
    current = auto_stop.stops_at
    if extends and auto_stop.stop_time_unknown is StopTimeUnknown.PAST:
        current = context.now
    if current is None:
        verb = Message("verb.extend" if extends else "verb.shorten")
        raise RefusedError(_no_stop_time_code(auto_stop), verb=verb)
    if not extends:
        return _plan_stop_time(_add_delta(current, delta, context), context, auto_stop.prompt)
    stop_time = _add_delta(max(current, context.now), delta, context)
    bounds = stop_time_bounds(context)
    raised = max(stop_time, bounds[0]) if bounds else stop_time
    plan = _plan_stop_time(raised, context, auto_stop.prompt)
    return plan._replace(raised=raised > stop_time)


def _no_stop_time_code(auto_stop: AutoStop) -> str:
    if auto_stop.is_known and not auto_stop.enabled:
        return "refuse.auto_stop_off"
    if auto_stop.mode is Mode.IDLE:
        return "refuse.idle_mode"
    passed = auto_stop.stop_time_unknown is StopTimeUnknown.PAST
    return "refuse.stop_time_passed" if passed else "refuse.stop_time_unknown"


def _requested_stop_time(request: AutoStopRequest, context: PlanContext) -> datetime | None:
    if request.clock_time is not None:
        return parse_clock_time(request.clock_time, now=context.now, zone=request.timezone or UTC)
    if request.time_left is not None:
        return _add_delta(context.now.replace(microsecond=0), request.time_left, context)
    return request.stop_time


def _add_delta(start: datetime, delta: timedelta, context: PlanContext) -> datetime:
    if abs(delta) > MAX_DURATION:
        raise _out_of_range(abs(delta), context)
    return start + delta


def _out_of_range(duration: timedelta, context: PlanContext) -> DurationError:
    shortest, longest = context.capabilities.min_duration, context.capabilities.max_duration
    return DurationError(
        "duration.out_of_range", duration=duration, shortest=shortest, longest=longest
    )


def _resolve_prompt(request: AutoStopRequest, context: PlanContext) -> bool | None:
    if request.prompt is None:
        return context.instance.auto_stop.prompt
    if not context.capabilities.supports_reminder:
        raise RefusedError("refuse.no_reminder")
    return request.prompt


def _plan_disable(request: AutoStopRequest, context: PlanContext, prompt: bool | None) -> Plan:
    if not (context.capabilities.can_disable or request.force):
        raise RefusedError(
            "refuse.cannot_disable",
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
    """Turn auto-stop on with the default duration."""
    _check_no_stop_time(context)
    return _plan_duration(context.default_duration, context, prompt)


def _check_no_stop_time(context: PlanContext) -> None:
    """Refuse if the request would move an existing stop time by accident.

    Where the API stores no duration, each one that is sent counts from now.
    """
    if context.capabilities.persists_duration or not context.instance.running:
        return
    stop_time = context.instance.auto_stop.stops_at
    if stop_time is not None:
        raise RefusedError("refuse.already_on", stop_time=stop_time)


def _plan_unchanged(context: PlanContext, prompt: bool | None) -> Plan:
    """Write the present auto-stop again; only the reminder may differ."""
    _check_no_stop_time(context)
    current = context.instance.auto_stop
    duration = current.duration if current.enabled else None
    if (current.enabled and duration is None) or not current.is_known:
        raise RefusedError("refuse.no_duration")
    edit = AutoStopEdit(
        enabled=current.enabled, mode=current.mode, duration=duration, prompt=prompt
    )
    return Plan(edit, current.stops_at)


def _plan_duration(duration: timedelta, context: PlanContext, prompt: bool | None) -> Plan:
    capabilities = context.capabilities
    if not capabilities.min_duration <= duration <= capabilities.max_duration:
        raise _out_of_range(duration, context)
    _check_applicable(context)
    duration = _round_up_to_seconds(duration)
    start = context.reference_time if context.instance.running else None
    stop_time = start + duration if start else None
    if stop_time and not context.defers_duration and _is_too_soon(stop_time, context):
        code = "refuse.duration_elapsed" if stop_time <= context.now else "refuse.too_soon"
        left, doubt = stop_time - context.now, _start_uncertainty(context)
        raise RefusedError(
            code, duration=duration, stop_time=stop_time, time_left=left, uncertainty=doubt
        )
    return Plan(AutoStopEdit(enabled=True, duration=duration, prompt=prompt), stop_time)


def _is_too_soon(stop_time: datetime, context: PlanContext) -> bool:
    """Whether the stop time is too close; the present stop time of the run may always be kept."""
    unchanged = same_stop_time(stop_time, context.instance.auto_stop.stops_at)
    if unchanged and stop_time > context.now:
        return False
    return stop_time - context.now < MIN_TIME_LEFT


def _start_uncertainty(context: PlanContext) -> Message | str:
    """Return a remark on the start of the run if it is only derived, else an empty string.

    It follows from the duration that is set, which may have been changed since.
    """
    derived = (
        context.capabilities.counts_from is CountsFrom.RUN_START and context.defers_duration is None
    )
    longest = context.capabilities.max_duration
    return Message("refuse.start_uncertain", {"longest": longest}) if derived else ""


def _plan_stop_time(stop_time: datetime, context: PlanContext, prompt: bool | None) -> Plan:
    capabilities = context.capabilities
    _check_running(context)
    if stop_time <= context.now:
        raise RefusedError("refuse.time_in_past", stop_time=stop_time)
    bounds = stop_time_bounds(context)
    if context.reference_time is None or bounds is None:
        raise RefusedError("refuse.start_unknown", longest=capabilities.max_duration)
    earliest, latest = bounds
    duration = _round_up_to_seconds(stop_time - context.reference_time)
    if duration > capabilities.max_duration:
        raise RefusedError(
            "refuse.too_late",
            stop_time=stop_time,
            latest=latest,
            uncertainty=_start_uncertainty(context),
            way=_way_to_keep_running(stop_time, context),
        )
    if duration < capabilities.min_duration or stop_time - context.now < MIN_TIME_LEFT:
        raise RefusedError(
            "refuse.too_early",
            stop_time=stop_time,
            earliest=earliest,
            time_left=earliest - context.now,
            alternative="" if _is_later(stop_time, context) else Message("refuse.or_stop_now"),
        )
    duration = _without_inaccuracy(duration, stop_time, context)
    return Plan(AutoStopEdit(enabled=True, duration=duration, prompt=prompt), stop_time)


def _without_inaccuracy(
    duration: timedelta, stop_time: datetime, context: PlanContext
) -> timedelta:
    """Return the run time for a stop time, changed by as much as the stop time moves if that is nearly the same.

    The reported stop time varies by seconds, and would make 3 h 0 min 4 s of 2 h and one hour more.
    """
    current = context.instance.auto_stop
    if current.reported_stop_time is None or current.duration is None:
        return duration
    moved = _round_up_to_seconds(current.duration + (stop_time - current.reported_stop_time))
    able = context.capabilities
    is_near = abs(moved - duration) <= STOP_TIME_TOLERANCE
    return moved if is_near and able.min_duration <= moved <= able.max_duration else duration


def _is_later(stop_time: datetime, context: PlanContext) -> bool:
    """Whether a stop time is later than the present one, so that the user wants this run to go on."""
    current = context.instance.auto_stop.reported_stop_time
    return current is not None and stop_time > current


def _way_to_keep_running(stop_time: datetime, context: PlanContext) -> Message | str:
    """Return what may keep this run beyond the longest run time; "" if the stop is to be earlier."""
    if not _is_later(stop_time, context):
        return ""
    return Message("refuse.or_keep_running", {"way": keep_running_advice(context.capabilities)})


def keep_running_advice(capabilities: Capabilities) -> Message:
    """Return a message that names the command that may keep this run if it cannot be extended."""
    return Message(f"advice.keep_running.{capabilities.keeps_running}")


def _check_applicable(context: PlanContext) -> None:
    """Refuse if the API stores no duration and there is no run to apply it to."""
    if not context.capabilities.persists_duration and not context.instance.running:
        raise RefusedError("refuse.lease_not_running", status=context.instance.status.value)


def _check_running(context: PlanContext) -> None:
    _check_applicable(context)
    if not context.instance.running:
        raise RefusedError("refuse.not_running", status=context.instance.status.value)


def _round_up_to_seconds(duration: timedelta) -> timedelta:
    return timedelta(seconds=-(-duration // SECOND))
