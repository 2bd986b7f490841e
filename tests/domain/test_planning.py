"""Plans for requests, and refusals."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from factories import (
    DEMANAGER_CAPABILITIES,
    HOUR,
    MINUTE,
    NOTEBOOKS_CAPABILITIES,
    NOW,
    disabled_auto_stop,
    idle_auto_stop,
    make_instance,
    timed_auto_stop,
)
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics.domain.models import (
    STOP_TIME_TOLERANCE,
    UNKNOWN_AUTO_STOP,
    AutoStop,
    AutoStopEdit,
    Capabilities,
    Mode,
    Status,
    StopTimeUnknown,
)
from modelarts_magics.domain.planning import (
    MIN_TIME_LEFT,
    AutoStopRequest,
    PlanContext,
    plan_auto_stop,
    plan_stop_time_shift,
    stop_time_bounds,
)
from modelarts_magics.errors import DurationError, InputError, RefusedError

SECOND = timedelta(seconds=1)
STARTED = NOW - HOUR
"""The run is an hour old; with two hours set, one hour is left."""


def plan_context(  # noqa: PLR0913 - what a plan depends on
    auto_stop: object = None,
    *,
    able: Capabilities = DEMANAGER_CAPABILITIES,
    status: Status = Status.RUNNING,
    started_at: datetime | None = STARTED,
    last: timedelta | None = None,
    observed_at: datetime = NOW,
) -> PlanContext:
    """Return the context of an instance with one hour left of two."""
    some = make_instance(auto_stop or timed_auto_stop(HOUR), status=status, observed_at=observed_at)  # type: ignore[arg-type]
    return PlanContext(some, able, started_at, last)


def refusal(
    requested: AutoStopRequest | timedelta, context: PlanContext
) -> InputError | RefusedError:
    """Return the error for a request or a shift; its message and hint are one line each."""
    with pytest.raises((DurationError, RefusedError)) as caught:
        plan_auto_stop(requested, context) if isinstance(
            requested, AutoStopRequest
        ) else plan_stop_time_shift(requested, context)
    assert len(caught.value.message.splitlines()) == 1
    assert len(caught.value.hint.splitlines()) == 1
    return caught.value


@pytest.mark.parametrize(
    ("requested", "duration", "stops_at"),
    [
        (AutoStopRequest(duration=3 * HOUR), 3 * HOUR, NOW + 2 * HOUR),
        (AutoStopRequest(duration=24 * HOUR), 24 * HOUR, NOW + 23 * HOUR),
        (AutoStopRequest(duration=HOUR + 5 * MINUTE), HOUR + 5 * MINUTE, NOW + 5 * MINUTE),
        (AutoStopRequest(time_left=HOUR), 2 * HOUR, NOW + HOUR),
        (AutoStopRequest(time_left=23 * HOUR), 24 * HOUR, NOW + 23 * HOUR),
        (AutoStopRequest(time_left=5 * MINUTE), HOUR + 5 * MINUTE, NOW + 5 * MINUTE),
        (AutoStopRequest(stop_time=NOW + 2 * HOUR), 3 * HOUR, NOW + 2 * HOUR),
        (AutoStopRequest(stop_time=NOW + 5 * MINUTE), HOUR + 5 * MINUTE, NOW + 5 * MINUTE),
        (AutoStopRequest(clock_time="10:52"), 3 * HOUR, NOW + 2 * HOUR),
        (AutoStopRequest(clock_time="10:52", timezone=timezone(-HOUR)), 4 * HOUR, NOW + 3 * HOUR),
        (AutoStopRequest(clock_time="tomorrow 07:52"), 24 * HOUR, NOW + 23 * HOUR),
        (AutoStopRequest(enabled=True), 2 * HOUR, NOW + HOUR),
        (AutoStopRequest(enabled=True, duration=4 * HOUR), 4 * HOUR, NOW + 3 * HOUR),
        (AutoStopRequest(), 2 * HOUR, NOW + HOUR),
    ],
)
def test_duration_counts_from_run_start(
    requested: AutoStopRequest, duration: timedelta, stops_at: datetime
) -> None:
    """The whole run time is written, the resulting stop time is returned, the reminder is unchanged."""
    planned = plan_auto_stop(requested, plan_context())
    assert planned.edit == AutoStopEdit(enabled=True, duration=duration, prompt=True)
    assert planned.stops_at == stops_at


@pytest.mark.parametrize(
    ("requested", "duration"),
    [
        (AutoStopRequest(duration=HOUR), HOUR),
        (AutoStopRequest(duration=72 * HOUR), 72 * HOUR),
        (AutoStopRequest(time_left=3 * HOUR), 3 * HOUR),
        (AutoStopRequest(stop_time=NOW + 71 * HOUR), 71 * HOUR),
    ],
)
def test_duration_counts_from_now_for_a_lease(
    requested: AutoStopRequest, duration: timedelta
) -> None:
    """On such an API the start of the run does not matter."""
    planned = plan_auto_stop(requested, plan_context(able=NOTEBOOKS_CAPABILITIES))
    assert (planned.edit.duration, planned.stops_at) == (duration, NOW + duration)


@pytest.mark.parametrize(
    ("requested", "code"),
    [
        (AutoStopRequest(duration=HOUR - SECOND), "duration.out_of_range"),
        (AutoStopRequest(duration=24 * HOUR + SECOND), "duration.out_of_range"),
        (AutoStopRequest(duration=timedelta(0)), "duration.out_of_range"),
        (AutoStopRequest(duration=-HOUR), "duration.out_of_range"),
        (AutoStopRequest(duration=timedelta.max), "duration.out_of_range"),
        (AutoStopRequest(time_left=timedelta.max), "duration.out_of_range"),
        (AutoStopRequest(time_left=timedelta.min), "duration.out_of_range"),
        (AutoStopRequest(enabled=True, duration=25 * HOUR), "duration.out_of_range"),
        (AutoStopRequest(duration=HOUR), "refuse.duration_elapsed"),
        (AutoStopRequest(duration=HOUR + 4 * MINUTE), "refuse.too_soon"),
        (AutoStopRequest(duration=HOUR + 5 * MINUTE - SECOND), "refuse.too_soon"),
        (AutoStopRequest(time_left=timedelta(0)), "refuse.time_in_past"),
        (AutoStopRequest(time_left=-HOUR), "refuse.time_in_past"),
        (AutoStopRequest(time_left=5 * MINUTE - SECOND), "refuse.too_early"),
        (AutoStopRequest(time_left=23 * HOUR + SECOND), "refuse.too_late"),
        (AutoStopRequest(time_left=20_000 * 24 * HOUR), "refuse.too_late"),
        (AutoStopRequest(stop_time=NOW), "refuse.time_in_past"),
        (AutoStopRequest(stop_time=NOW - SECOND), "refuse.time_in_past"),
        (AutoStopRequest(stop_time=NOW + 23 * HOUR + SECOND), "refuse.too_late"),
        (AutoStopRequest(clock_time="today 08:00"), "refuse.time_in_past"),
        (AutoStopRequest(clock_time="08:51"), "refuse.too_late"),
        (AutoStopRequest(clock_time="9998-12-31 23:59"), "refuse.too_late"),
        (AutoStopRequest(clock_time="noon"), "clock_time.invalid"),
        (AutoStopRequest(mode=Mode.IDLE), "refuse.no_idle"),
    ],
)
def test_impossible_request_is_refused_with_its_reason(
    requested: AutoStopRequest, code: str
) -> None:
    """Out of range, past, too soon and too late have different errors."""
    assert refusal(requested, plan_context()).code == code


def test_passed_stop_time_is_refused_even_if_unchanged() -> None:
    """A close stop time may be kept, a passed one may not."""
    requested, started_at = AutoStopRequest(duration=2 * HOUR), NOW - 2 * HOUR
    near = plan_context(timed_auto_stop(MINUTE), started_at=started_at + MINUTE)
    assert plan_auto_stop(requested, near).stops_at == NOW + MINUTE
    past = plan_context(timed_auto_stop(-MINUTE), started_at=started_at - MINUTE)
    assert refusal(requested, past).code == "refuse.duration_elapsed"


def test_too_soon_suggests_the_duration_from_now() -> None:
    """The hint suggests the same duration counted from now."""
    error = refusal(
        AutoStopRequest(duration=2 * HOUR), plan_context(started_at=NOW - 2 * HOUR + 4 * MINUTE)
    )
    assert (
        error.message
        == "2 h from the start of this run is 2026-11-23 08:56 +00:00: only 4 min left."
    )
    assert error.hint.startswith("To run for 2 h from now: %modelarts auto-stop in 2h")


@pytest.mark.parametrize(("waits", "doubtful"), [(None, True), (False, False)])
def test_derived_run_start_is_mentioned(waits: bool | None, doubtful: bool) -> None:
    """The error mentions that the run time may have been changed since."""
    given = plan_context(started_at=NOW - 2 * HOUR + 4 * MINUTE)
    error = refusal(AutoStopRequest(duration=2 * HOUR), given._replace(defers_duration=waits))
    assert ("%modelarts auto-stop 24h" in error.hint) is doubtful


def test_too_late_names_the_latest_stop_time() -> None:
    """It is 24 hours after the start of the run."""
    error = refusal(AutoStopRequest(time_left=48 * HOUR), plan_context())
    assert error.values["latest"] == STARTED + 24 * HOUR
    assert "2026-11-24 07:52" in error.message


@pytest.mark.parametrize(
    ("started_at", "earliest"),
    [(NOW - HOUR, NOW + 5 * MINUTE), (NOW - 10 * MINUTE, NOW + 50 * MINUTE)],
)
def test_too_early_names_the_earliest_stop_time(started_at: datetime, earliest: datetime) -> None:
    """It is five minutes ahead, or where the shortest duration ends."""
    error = refusal(AutoStopRequest(time_left=MINUTE), plan_context(started_at=started_at))
    assert (error.code, error.values["earliest"]) == ("refuse.too_early", earliest)


@pytest.mark.parametrize(
    "requested",
    [
        AutoStopRequest(time_left=2 * HOUR),
        AutoStopRequest(stop_time=NOW + HOUR),
        AutoStopRequest(clock_time="10:52"),
    ],
)
@pytest.mark.parametrize(
    ("context", "code"),
    [
        (plan_context(started_at=None), "refuse.start_unknown"),
        (plan_context(status=Status.STOPPED), "refuse.not_running"),
        (plan_context(status=Status.STARTING), "refuse.not_running"),
    ],
)
def test_stop_time_needs_a_known_run_start(
    requested: AutoStopRequest, context: PlanContext, code: str
) -> None:
    """Without the start, the duration for a stop time cannot be computed."""
    assert refusal(requested, context).code == code


@pytest.mark.parametrize(
    "context", [plan_context(started_at=None), plan_context(status=Status.STOPPED)]
)
def test_duration_needs_no_run_start(context: PlanContext) -> None:
    """It is stored for later runs; no stop time is claimed for this run."""
    planned = plan_auto_stop(AutoStopRequest(duration=3 * HOUR), context)
    assert (planned.edit.duration, planned.stops_at) == (3 * HOUR, None)


@pytest.mark.parametrize("status", [Status.STOPPED, Status.STARTING])
def test_no_stop_time_for_an_instance_that_does_not_run(status: Status) -> None:
    """The duration is stored for the next start; the start of an earlier run does not count."""
    assert (
        plan_auto_stop(AutoStopRequest(duration=2 * HOUR), plan_context(status=status)).stops_at
        is None
    )


@pytest.mark.parametrize("status", [Status.STOPPED, Status.STARTING])
@pytest.mark.parametrize(
    "requested",
    [
        AutoStopRequest(duration=2 * HOUR),
        AutoStopRequest(time_left=2 * HOUR),
        AutoStopRequest(enabled=True),
        AutoStopRequest(mode=Mode.IDLE),
    ],
)
def test_lease_needs_a_run(requested: AutoStopRequest, status: Status) -> None:
    """A lease is for the present run only."""
    error = refusal(requested, plan_context(able=NOTEBOOKS_CAPABILITIES, status=status))
    assert error.code == "refuse.lease_not_running"


def test_lease_uses_last_run_time_by_default() -> None:
    """The duration of a lease counts from its last renewal, so it is not a run time."""
    context = plan_context(
        timed_auto_stop(None, duration=9 * HOUR), able=NOTEBOOKS_CAPABILITIES, last=3 * HOUR
    )
    assert plan_auto_stop(AutoStopRequest(enabled=True), context).edit.duration == 3 * HOUR


def test_fraction_of_a_second_is_rounded_up() -> None:
    """The API counts whole seconds."""
    planned = plan_auto_stop(
        AutoStopRequest(duration=3 * HOUR + timedelta(milliseconds=1)), plan_context()
    )
    assert planned.edit.duration == 3 * HOUR + SECOND
    assert planned.stops_at == NOW + 2 * HOUR + SECOND


@pytest.mark.parametrize(
    ("set_", "last", "expected"),
    [
        (timed_auto_stop(HOUR, duration=3 * HOUR), 5 * HOUR, 3 * HOUR),
        (disabled_auto_stop(), 5 * HOUR, 5 * HOUR),
        (disabled_auto_stop(), None, HOUR),
    ],
)
def test_on_uses_the_last_known_duration(
    set_: object, last: timedelta | None, expected: timedelta
) -> None:
    """The duration that is set, else the last one, else one hour."""
    planned = plan_auto_stop(
        AutoStopRequest(enabled=True), plan_context(set_, started_at=None, last=last)
    )
    assert planned.edit == AutoStopEdit(enabled=True, duration=expected, prompt=True)


def test_off_sends_no_duration_and_keeps_reminder() -> None:
    """Turning auto-stop off changes nothing else."""
    planned = plan_auto_stop(
        AutoStopRequest(enabled=False), plan_context(timed_auto_stop(HOUR, prompt=False))
    )
    assert planned.edit == AutoStopEdit(enabled=False, prompt=False)
    assert planned.stops_at is None


def test_undocumented_off_needs_force() -> None:
    """Otherwise it is refused with alternatives."""
    error = refusal(AutoStopRequest(enabled=False), plan_context(able=NOTEBOOKS_CAPABILITIES))
    assert error.code == "refuse.cannot_disable"
    assert "auto-stop 72h" in error.hint
    insisted = plan_auto_stop(
        AutoStopRequest(enabled=False, force=True), plan_context(able=NOTEBOOKS_CAPABILITIES)
    )
    assert insisted.edit.enabled is False


def test_idle_mode_has_no_stop_time() -> None:
    """The plan has no stop time."""
    planned = plan_auto_stop(
        AutoStopRequest(mode=Mode.IDLE), plan_context(able=NOTEBOOKS_CAPABILITIES)
    )
    assert (planned.edit.mode, planned.edit.enabled, planned.stops_at) == (Mode.IDLE, True, None)
    assert planned.edit.duration is not None


@pytest.mark.parametrize("kept", [True, False, None])
@pytest.mark.parametrize(
    "requested",
    [
        AutoStopRequest(),
        AutoStopRequest(enabled=False),
        AutoStopRequest(duration=3 * HOUR),
        AutoStopRequest(time_left=HOUR),
    ],
)
def test_reminder_is_kept_unless_requested(requested: AutoStopRequest, kept: bool | None) -> None:
    """Any other request keeps the reminder as it is."""
    assert (
        plan_auto_stop(requested, plan_context(timed_auto_stop(HOUR, prompt=kept))).edit.prompt
        is kept
    )


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize(
    "set_", [disabled_auto_stop(), timed_auto_stop(HOUR), timed_auto_stop(None, duration=HOUR)]
)
def test_reminder_request_changes_nothing_else(set_: object, wanted: bool) -> None:
    """On stays on with its duration, off stays off, an unknown stop time stays unknown."""
    context = plan_context(set_)
    before, planned = (
        context.instance.auto_stop,
        plan_auto_stop(AutoStopRequest(prompt=wanted), context),
    )
    assert planned.edit.prompt is wanted
    assert (planned.edit.enabled, planned.edit.duration) == (before.enabled, before.duration)
    assert planned.stops_at == before.stops_at


def test_stored_duration_out_of_range_is_kept() -> None:
    """Only entered durations are checked."""
    context = plan_context(timed_auto_stop(HOUR, duration=48 * HOUR))
    assert plan_auto_stop(AutoStopRequest(prompt=False), context).edit.duration == 48 * HOUR


def test_reminder_request_is_refused_without_duration() -> None:
    """Auto-stop without a duration cannot be written, and some APIs have no reminder."""
    assert refusal(
        AutoStopRequest(prompt=True), plan_context(timed_auto_stop(HOUR, duration=None))
    ).code == ("refuse.no_duration")
    assert (
        refusal(AutoStopRequest(prompt=True), plan_context(able=NOTEBOOKS_CAPABILITIES)).code
        == "refuse.no_reminder"
    )


def test_reminder_request_is_refused_when_auto_stop_is_unknown() -> None:
    """It would have to write "off", since no field can be left out."""
    assert (
        refusal(AutoStopRequest(prompt=True), plan_context(UNKNOWN_AUTO_STOP)).code
        == "refuse.no_duration"
    )


def test_reminder_request_sends_no_duration_when_off() -> None:
    """Also if the API still returns a duration."""
    edit = plan_auto_stop(
        AutoStopRequest(prompt=False), plan_context(disabled_auto_stop(duration=HOUR))
    ).edit
    assert edit == AutoStopEdit(enabled=False, prompt=False)


def test_no_bounds_without_a_run() -> None:
    """An instance that does not run has no stop time to request."""
    assert stop_time_bounds(plan_context(able=NOTEBOOKS_CAPABILITIES)) == (
        NOW + NOTEBOOKS_CAPABILITIES.min_duration,
        NOW + NOTEBOOKS_CAPABILITIES.max_duration,
    )
    assert (
        stop_time_bounds(plan_context(able=NOTEBOOKS_CAPABILITIES, status=Status.STOPPED)) is None
    )
    assert stop_time_bounds(plan_context(status=Status.STOPPED)) is None


@pytest.mark.parametrize(
    ("set_", "status", "code"),
    [
        (disabled_auto_stop(), Status.RUNNING, "refuse.auto_stop_off"),
        (idle_auto_stop(), Status.RUNNING, "refuse.idle_mode"),
        (timed_auto_stop(None), Status.RUNNING, "refuse.stop_time_unknown"),
        (timed_auto_stop(HOUR), Status.STOPPED, "refuse.not_running"),
        (timed_auto_stop(HOUR), Status.STOPPING, "refuse.not_running"),
        (timed_auto_stop(HOUR), Status("NEW_WORD"), "refuse.not_running"),
        (disabled_auto_stop(), Status.STOPPED, "refuse.not_running"),
    ],
)
@pytest.mark.parametrize("by", [HOUR, -10 * MINUTE])
@pytest.mark.parametrize("able", [DEMANAGER_CAPABILITIES, NOTEBOOKS_CAPABILITIES])
def test_shift_needs_a_stop_time(
    set_: object, status: Status, code: str, by: timedelta, able: Capabilities
) -> None:
    """An instance without a known stop time gets none by accident."""
    if able is NOTEBOOKS_CAPABILITIES and code == "refuse.not_running":
        # No API stores it for the next start.
        code = "refuse.lease_not_running"
    context = plan_context(set_, status=status, able=able)
    assert refusal(by, context).code == code
    if status is not Status.RUNNING:
        assert refusal(by, context._replace(defers_duration=True)).code == code


@pytest.mark.parametrize(
    ("by", "duration"),
    [
        (HOUR, 3 * HOUR),
        (22 * HOUR, 24 * HOUR),
        (-55 * MINUTE, HOUR + 5 * MINUTE),
        (SECOND, 2 * HOUR + SECOND),
    ],
)
def test_shift_writes_run_time_from_run_start(by: timedelta, duration: timedelta) -> None:
    """The stop time moves by the shift; the run time that gives it is written."""
    planned = plan_stop_time_shift(by, plan_context())
    assert planned.edit == AutoStopEdit(enabled=True, duration=duration, prompt=True)
    assert planned.stops_at == NOW + HOUR + by


@pytest.mark.parametrize(
    ("by", "code"),
    [
        (22 * HOUR + SECOND, "refuse.too_late"),
        (-55 * MINUTE - SECOND, "refuse.too_early"),
        (-HOUR, "refuse.time_in_past"),
        (-5 * HOUR, "refuse.time_in_past"),
        (timedelta.max, "duration.out_of_range"),
        (timedelta.min + timedelta(days=1), "duration.out_of_range"),
    ],
)
def test_shift_out_of_range_is_refused(by: timedelta, code: str) -> None:
    """A past, too early or too late stop time is refused."""
    assert refusal(by, plan_context()).code == code


PAST = timed_auto_stop(
    None, stop_time_unknown=StopTimeUnknown.PAST, stop_timestamp=NOW - 10 * MINUTE
)


@pytest.mark.parametrize("able", [DEMANAGER_CAPABILITIES, NOTEBOOKS_CAPABILITIES])
@pytest.mark.parametrize("auto_stop", [PAST, timed_auto_stop(-30 * SECOND)])
def test_extension_counts_from_now_after_the_stop_time(
    auto_stop: AutoStop, able: Capabilities
) -> None:
    """The last chance: the instance still runs."""
    planned = plan_stop_time_shift(HOUR, plan_context(auto_stop, able=able))
    assert (planned.stops_at, planned.raised) == (NOW + HOUR, False)


@pytest.mark.parametrize(
    ("able", "auto_stop", "by", "least"),
    [
        (NOTEBOOKS_CAPABILITIES, PAST, SECOND, HOUR),
        (NOTEBOOKS_CAPABILITIES, timed_auto_stop(10 * MINUTE), 30 * MINUTE, HOUR),
        (DEMANAGER_CAPABILITIES, PAST, SECOND, MIN_TIME_LEFT),
        (DEMANAGER_CAPABILITIES, timed_auto_stop(MINUTE), MINUTE, MIN_TIME_LEFT),
    ],
)
def test_short_extension_is_raised_to_the_minimum(
    able: Capabilities, auto_stop: AutoStop, by: timedelta, least: timedelta
) -> None:
    """A user who extends is never refused because the extension is too short."""
    planned = plan_stop_time_shift(by, plan_context(auto_stop, able=able))
    assert (planned.stops_at, planned.raised) == (NOW + least, True)


def test_passed_stop_time_is_not_shortened() -> None:
    """There is nothing to shorten."""
    assert refusal(-MINUTE, plan_context(PAST)).code == "refuse.stop_time_passed"


@pytest.mark.parametrize(
    ("auto_stop", "advises"), [(timed_auto_stop(2 * HOUR), True), (timed_auto_stop(MINUTE), False)]
)
def test_stopping_is_advised_only_for_an_earlier_stop(auto_stop: AutoStop, advises: bool) -> None:
    """Stopping the instance is suggested only for an earlier stop time."""
    request = AutoStopRequest(time_left=30 * MINUTE)
    error = refusal(request, plan_context(auto_stop, able=NOTEBOOKS_CAPABILITIES))
    assert error.code == "refuse.too_early"
    assert ("stop the instance" in error.hint) is advises


def test_too_late_extension_names_a_way() -> None:
    """The run can be kept beyond its longest run time."""
    error = refusal(24 * HOUR, plan_context())
    assert error.code == "refuse.too_late"
    assert "auto-stop off" in error.hint


def test_shift_follows_actual_stop_time() -> None:
    """With 8 h saved for the next start and 1 h left, 1 h more makes 3 h, not 9 h."""
    context = plan_context(timed_auto_stop(HOUR, duration=8 * HOUR))
    assert plan_stop_time_shift(HOUR, context).edit.duration == 3 * HOUR


@pytest.mark.parametrize("seconds", [-5, 4])
def test_inaccurate_stop_time_leaves_no_odd_seconds_in_run_time(seconds: int) -> None:
    """One hour more makes 3 h of 2 h, although the reported stop time differs from that of the last read."""
    reported = HOUR + timedelta(seconds=seconds)
    planned = plan_stop_time_shift(HOUR, plan_context(timed_auto_stop(reported)))
    assert planned.edit.duration == 3 * HOUR
    assert planned.stops_at == NOW + reported + HOUR


DURATIONS = st.timedeltas(timedelta(days=-4), timedelta(days=4)) | st.timedeltas()
REQUESTS = st.builds(
    AutoStopRequest,
    enabled=st.sampled_from([None, True]),
    duration=st.none() | DURATIONS,
    time_left=st.none() | DURATIONS,
    stop_time=st.none()
    | st.timedeltas(timedelta(days=-4), timedelta(days=4)).map(lambda by: NOW + by),
    clock_time=st.none() | st.sampled_from(["10:00", "08:53", "tomorrow 08:00", "today 01:00"]),
)
GIVEN = st.builds(
    plan_context,
    st.sampled_from(
        [
            timed_auto_stop(HOUR),
            timed_auto_stop(None),
            disabled_auto_stop(),
            idle_auto_stop(),
            timed_auto_stop(3 * MINUTE),
        ]
    ),
    able=st.sampled_from([DEMANAGER_CAPABILITIES, NOTEBOOKS_CAPABILITIES]),
    status=st.sampled_from([Status.RUNNING, Status.STOPPED]),
    started_at=st.none()
    | st.timedeltas(timedelta(0), timedelta(days=2)).map(lambda ago: NOW - ago),
    last=st.none() | st.timedeltas(HOUR, 24 * HOUR),
    observed_at=st.timedeltas(timedelta(0), timedelta(seconds=3)).map(lambda by: NOW + by),
)


# A request of no time at all leaves everything as it is.
@given(
    REQUESTS.filter(lambda requested: any(each is not None for each in requested[:5])) | DURATIONS,
    GIVEN,
)
def test_plan_is_always_within_range(
    requested: AutoStopRequest | timedelta, context: PlanContext
) -> None:
    """Any plan has whole seconds within the range of the API and never stops too soon."""
    try:
        planned = (
            plan_auto_stop(requested, context)
            if isinstance(requested, AutoStopRequest)
            else plan_stop_time_shift(requested, context)
        )
    except (DurationError, RefusedError) as error:
        assert len(str(error).splitlines()) == 2  # noqa: PT017 - or no error
        return
    able, duration = context.capabilities, planned.edit.duration
    assert duration is not None
    assert able.min_duration <= duration <= able.max_duration
    assert duration.microseconds == 0
    assert planned.edit.enabled
    if planned.stops_at is not None:
        assert planned.stops_at - context.now >= MIN_TIME_LEFT
        assert context.reference_time is not None
        inaccuracy = abs(context.reference_time + duration - planned.stops_at)
        assert inaccuracy < STOP_TIME_TOLERANCE + SECOND


def test_unchanged_duration_never_moves_stop_time() -> None:
    """Where a duration counts from now, sending the same one again would move it."""
    keep = AutoStopRequest(mode=Mode.TIMING)
    assert refusal(keep, plan_context(able=NOTEBOOKS_CAPABILITIES)).code == "refuse.already_on"
    assert plan_auto_stop(keep, plan_context()).stops_at == NOW + HOUR
