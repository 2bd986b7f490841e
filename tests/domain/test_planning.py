"""From a wish to what is written, or to why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from factories import (
    HOUR,
    LEASE,
    MINUTE,
    NOW,
    SEED,
    examples,
    idle,
    instance,
    off,
    stop_in,
)
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics.domain.models import NOT_STATED, AutoStopEdit, Capabilities, Mode, Status
from modelarts_magics.domain.planning import (
    SHORTEST_NOTICE,
    Circumstances,
    Wish,
    bounds,
    plan,
    shift,
)
from modelarts_magics.errors import DurationError, InputError, RefusedError

SECOND = timedelta(seconds=1)
STARTED = NOW - HOUR
"""This run is an hour old and, with two hours set, has an hour to go."""


def circumstances(  # noqa: PLR0913 - each is one thing that a plan depends on
    auto_stop: object = None,
    *,
    able: Capabilities = SEED,
    status: Status = Status.RUNNING,
    started_at: datetime | None = STARTED,
    last: timedelta | None = None,
    observed_at: datetime = NOW,
) -> Circumstances:
    """An instance with an hour left of two, if nothing else is said."""
    some = instance(auto_stop or stop_in(HOUR), status=status, observed_at=observed_at)  # type: ignore[arg-type]
    return Circumstances(some, able, started_at, last)


def refusal(wish: Wish | timedelta, given_: Circumstances) -> InputError | RefusedError:
    """Why a wish, or a shift by so much, is not written; its words must be wordable."""
    with pytest.raises((DurationError, RefusedError)) as caught:
        plan(wish, given_) if isinstance(wish, Wish) else shift(wish, given_)
    assert len(caught.value.message.splitlines()) == 1
    assert len(caught.value.hint.splitlines()) == 1
    return caught.value


@pytest.mark.parametrize(
    ("wish", "duration", "stops_at"),
    [
        (Wish(duration=3 * HOUR), 3 * HOUR, NOW + 2 * HOUR),
        (Wish(duration=24 * HOUR), 24 * HOUR, NOW + 23 * HOUR),
        (Wish(duration=HOUR + 5 * MINUTE), HOUR + 5 * MINUTE, NOW + 5 * MINUTE),
        (Wish(within=HOUR), 2 * HOUR, NOW + HOUR),
        (Wish(within=23 * HOUR), 24 * HOUR, NOW + 23 * HOUR),
        (Wish(within=5 * MINUTE), HOUR + 5 * MINUTE, NOW + 5 * MINUTE),
        (Wish(until=NOW + 2 * HOUR), 3 * HOUR, NOW + 2 * HOUR),
        (Wish(until=NOW + 5 * MINUTE), HOUR + 5 * MINUTE, NOW + 5 * MINUTE),
        (Wish(at="10:52"), 3 * HOUR, NOW + 2 * HOUR),
        (Wish(at="10:52", zone=timezone(-HOUR)), 4 * HOUR, NOW + 3 * HOUR),
        (Wish(at="tomorrow 07:52"), 24 * HOUR, NOW + 23 * HOUR),
        (Wish(enabled=True), 2 * HOUR, NOW + HOUR),
        (Wish(enabled=True, duration=4 * HOUR), 4 * HOUR, NOW + 3 * HOUR),
        (Wish(), 2 * HOUR, NOW + HOUR),
    ],
)
def test_a_duration_counts_from_the_start_of_the_run(
    wish: Wish, duration: timedelta, stops_at: datetime
) -> None:
    """What is written is the whole run time; the end that results is named; reminding is kept."""
    planned = plan(wish, circumstances())
    assert planned.edit == AutoStopEdit(enabled=True, duration=duration, prompt=True)
    assert planned.stops_at == stops_at


@pytest.mark.parametrize(
    ("wish", "duration"),
    [
        (Wish(duration=HOUR), HOUR),
        (Wish(duration=72 * HOUR), 72 * HOUR),
        (Wish(within=3 * HOUR), 3 * HOUR),
        (Wish(until=NOW + 71 * HOUR), 71 * HOUR),
    ],
)
def test_a_duration_counts_from_now_where_the_api_does_so(wish: Wish, duration: timedelta) -> None:
    """On such an API the start of the run does not matter."""
    planned = plan(wish, circumstances(able=LEASE))
    assert (planned.edit.duration, planned.stops_at) == (duration, NOW + duration)


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        (Wish(duration=HOUR - SECOND), "duration.bounds"),
        (Wish(duration=24 * HOUR + SECOND), "duration.bounds"),
        (Wish(duration=timedelta(0)), "duration.bounds"),
        (Wish(duration=-HOUR), "duration.bounds"),
        (Wish(duration=timedelta.max), "duration.bounds"),
        (Wish(within=timedelta.max), "duration.bounds"),
        (Wish(within=timedelta.min), "duration.bounds"),
        (Wish(enabled=True, duration=25 * HOUR), "duration.bounds"),
        (Wish(duration=HOUR), "refuse.past"),
        (Wish(duration=HOUR + 4 * MINUTE), "refuse.too_soon"),
        (Wish(duration=HOUR + 5 * MINUTE - SECOND), "refuse.too_soon"),
        (Wish(within=timedelta(0)), "refuse.end_past"),
        (Wish(within=-HOUR), "refuse.end_past"),
        (Wish(within=5 * MINUTE - SECOND), "refuse.too_early"),
        (Wish(within=23 * HOUR + SECOND), "refuse.too_late"),
        (Wish(within=20_000 * 24 * HOUR), "refuse.too_late"),
        (Wish(until=NOW), "refuse.end_past"),
        (Wish(until=NOW - SECOND), "refuse.end_past"),
        (Wish(until=NOW + 23 * HOUR + SECOND), "refuse.too_late"),
        (Wish(at="today 08:00"), "refuse.end_past"),
        (Wish(at="08:51"), "refuse.too_late"),
        (Wish(at="9998-12-31 23:59"), "refuse.too_late"),
        (Wish(at="noon"), "clock.unreadable"),
        (Wish(mode=Mode.IDLE), "refuse.no_idle"),
    ],
)
def test_what_makes_no_sense_is_refused_before_it_is_sent(wish: Wish, code: str) -> None:
    """Outside the bounds, past, too soon or too late: each has its own words."""
    assert refusal(wish, circumstances()).code == code


def test_an_end_that_is_past_is_refused_even_where_it_is_the_present_one() -> None:
    """A run that has not ended yet by its end may keep one that is near; one that is past it may not."""
    wish, started_at = Wish(duration=2 * HOUR), NOW - 2 * HOUR
    near = circumstances(stop_in(MINUTE), started_at=started_at + MINUTE)
    assert plan(wish, near).stops_at == NOW + MINUTE
    past = circumstances(stop_in(-MINUTE), started_at=started_at - MINUTE)
    assert refusal(wish, past).code == "refuse.past"


def test_too_soon_offers_the_same_from_now() -> None:
    """Who forgot that a duration counts from the start is told the end and what to type instead."""
    error = refusal(Wish(duration=2 * HOUR), circumstances(started_at=NOW - 2 * HOUR + 4 * MINUTE))
    assert error.message == "2 h from the start of this run is 2026-11-23 08:56 +00:00, in 4 min."
    assert error.hint.startswith("For 2 h from now: %modelarts auto-stop in 2h")


@pytest.mark.parametrize(("waits", "doubtful"), [(None, True), (False, False)])
def test_a_start_that_is_only_derived_is_said_to_be(waits: bool | None, doubtful: bool) -> None:
    """Where somebody saved another run time meanwhile, the way out is named."""
    given = circumstances(started_at=NOW - 2 * HOUR + 4 * MINUTE)
    error = refusal(Wish(duration=2 * HOUR), replace(given, waits=waits))
    assert ("auto-stop 24h makes the cloud say" in error.hint) is doubtful


def test_too_late_names_the_latest_possible_end() -> None:
    """It is the start of the run and 24 hours."""
    error = refusal(Wish(within=48 * HOUR), circumstances())
    assert error.values["latest"] == STARTED + 24 * HOUR
    assert "2026-11-24 07:52" in error.message


@pytest.mark.parametrize(
    ("started_at", "earliest"),
    [(NOW - HOUR, NOW + 5 * MINUTE), (NOW - 10 * MINUTE, NOW + 50 * MINUTE)],
)
def test_too_early_names_the_earliest_possible_end(
    started_at: datetime, earliest: datetime
) -> None:
    """It is five minutes ahead, or where the shortest duration ends."""
    error = refusal(Wish(within=MINUTE), circumstances(started_at=started_at))
    assert (error.code, error.values["earliest"]) == ("refuse.too_early", earliest)


@pytest.mark.parametrize("wish", [Wish(within=2 * HOUR), Wish(until=NOW + HOUR), Wish(at="10:52")])
@pytest.mark.parametrize(
    ("given_", "code"),
    [
        (circumstances(started_at=None), "refuse.no_start"),
        (circumstances(status=Status.STOPPED), "refuse.not_running"),
        (circumstances(status=Status.STARTING), "refuse.not_running"),
    ],
)
def test_an_end_needs_a_run_whose_start_is_known(
    wish: Wish, given_: Circumstances, code: str
) -> None:
    """Without one, what to write for an end cannot be computed."""
    assert refusal(wish, given_).code == code


@pytest.mark.parametrize(
    "given_", [circumstances(started_at=None), circumstances(status=Status.STOPPED)]
)
def test_a_duration_needs_no_known_start(given_: Circumstances) -> None:
    """It is kept for later starts; what it means for this run is then not claimed."""
    planned = plan(Wish(duration=3 * HOUR), given_)
    assert (planned.edit.duration, planned.stops_at) == (3 * HOUR, None)


@pytest.mark.parametrize("status", [Status.STOPPED, Status.STARTING])
def test_no_end_is_claimed_for_an_instance_that_does_not_run(status: Status) -> None:
    """The duration is kept for the next start; a stale start of another run does not count."""
    assert plan(Wish(duration=2 * HOUR), circumstances(status=status)).stops_at is None


@pytest.mark.parametrize("status", [Status.STOPPED, Status.STARTING])
@pytest.mark.parametrize(
    "wish",
    [Wish(duration=2 * HOUR), Wish(within=2 * HOUR), Wish(enabled=True), Wish(mode=Mode.IDLE)],
)
def test_a_duration_that_is_not_kept_needs_a_run(wish: Wish, status: Status) -> None:
    """Where a lease is for the present run only, there must be one."""
    error = refusal(wish, circumstances(able=LEASE, status=status))
    assert error.code == "refuse.lease_not_running"


def test_a_lease_takes_the_last_known_run_time_and_not_its_own() -> None:
    """What a lease shows counts from its last renewal: it is no run time that somebody chose."""
    given_ = circumstances(stop_in(None, duration=9 * HOUR), able=LEASE, last=3 * HOUR)
    assert plan(Wish(enabled=True), given_).edit.duration == 3 * HOUR


def test_a_fraction_of_a_second_is_rounded_up() -> None:
    """The API counts whole seconds; the end named is the one that will be."""
    planned = plan(Wish(duration=3 * HOUR + timedelta(milliseconds=1)), circumstances())
    assert planned.edit.duration == 3 * HOUR + SECOND
    assert planned.stops_at == NOW + 2 * HOUR + SECOND


@pytest.mark.parametrize(
    ("set_", "last", "expected"),
    [
        (stop_in(HOUR, duration=3 * HOUR), 5 * HOUR, 3 * HOUR),
        (off(), 5 * HOUR, 5 * HOUR),
        (off(), None, HOUR),
    ],
)
def test_on_takes_the_last_known_duration(
    set_: object, last: timedelta | None, expected: timedelta
) -> None:
    """What is set, else what was last seen set, else an hour."""
    planned = plan(Wish(enabled=True), circumstances(set_, started_at=None, last=last))
    assert planned.edit == AutoStopEdit(enabled=True, duration=expected, prompt=True)


def test_off_sends_no_duration_and_keeps_the_reminder() -> None:
    """Off is off; the wish to be reminded stays as it was."""
    planned = plan(Wish(enabled=False), circumstances(stop_in(HOUR, prompt=False)))
    assert planned.edit == AutoStopEdit(enabled=False, prompt=False)
    assert planned.stops_at is None


def test_off_is_tried_only_on_request_where_it_is_not_documented() -> None:
    """It is refused with what is possible instead, unless the person insists."""
    error = refusal(Wish(enabled=False), circumstances(able=LEASE))
    assert error.code == "refuse.no_off"
    assert "auto-stop 72h" in error.hint
    insisted = plan(Wish(enabled=False, insist=True), circumstances(able=LEASE))
    assert insisted.edit.enabled is False


def test_idle_has_no_end() -> None:
    """Where the API stops on low use, the plan claims no stop time."""
    planned = plan(Wish(mode=Mode.IDLE), circumstances(able=LEASE))
    assert (planned.edit.mode, planned.edit.enabled, planned.stops_at) == (Mode.IDLE, True, None)
    assert planned.edit.duration is not None


@pytest.mark.parametrize("kept", [True, False, None])
@pytest.mark.parametrize(
    "wish", [Wish(), Wish(enabled=False), Wish(duration=3 * HOUR), Wish(within=HOUR)]
)
def test_the_reminder_is_kept_unless_asked(wish: Wish, kept: bool | None) -> None:
    """Whatever else is written, the wish to be reminded is what the cloud had."""
    assert plan(wish, circumstances(stop_in(HOUR, prompt=kept))).edit.prompt is kept


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("set_", [off(), stop_in(HOUR), stop_in(None, duration=HOUR)])
def test_a_wish_to_be_reminded_changes_nothing_else(set_: object, wanted: bool) -> None:
    """On stays on with its duration, off stays off, and an unknown end stays unknown."""
    given_ = circumstances(set_)
    before, planned = given_.instance.auto_stop, plan(Wish(prompt=wanted), given_)
    assert planned.edit.prompt is wanted
    assert (planned.edit.enabled, planned.edit.duration) == (before.enabled, before.duration)
    assert planned.stops_at == before.stops_at


def test_a_stored_duration_outside_the_bounds_is_carried_along() -> None:
    """Bounds are about what a person enters; what the cloud has is not judged."""
    given_ = circumstances(stop_in(HOUR, duration=48 * HOUR))
    assert plan(Wish(prompt=False), given_).edit.duration == 48 * HOUR


def test_what_cannot_be_carried_along_is_refused() -> None:
    """On without a duration cannot be written back, and the API has no such wish to keep."""
    assert refusal(Wish(prompt=True), circumstances(stop_in(HOUR, duration=None))).code == (
        "refuse.no_duration"
    )
    assert refusal(Wish(prompt=True), circumstances(able=LEASE)).code == "refuse.no_prompt"


def test_a_wish_to_be_reminded_never_turns_off_what_the_cloud_did_not_state() -> None:
    """Off would be written, since no part of auto-stop can be left out."""
    assert refusal(Wish(prompt=True), circumstances(NOT_STATED)).code == "refuse.no_duration"


def test_a_wish_to_be_reminded_sends_no_duration_with_off() -> None:
    """Also where the cloud still names one."""
    edit = plan(Wish(prompt=False), circumstances(off(duration=HOUR))).edit
    assert edit == AutoStopEdit(enabled=False, prompt=False)


def test_there_are_no_bounds_without_a_run() -> None:
    """There is no end to ask for, whatever a duration counts from."""
    assert bounds(circumstances(able=LEASE)) == (NOW + LEASE.shortest, NOW + LEASE.longest)
    assert bounds(circumstances(able=LEASE, status=Status.STOPPED)) is None
    assert bounds(circumstances(status=Status.STOPPED)) is None


@pytest.mark.parametrize(
    ("set_", "status", "code"),
    [
        (off(), Status.RUNNING, "refuse.off"),
        (idle(), Status.RUNNING, "refuse.idle"),
        (stop_in(None), Status.RUNNING, "refuse.unknown_end"),
        (stop_in(HOUR), Status.STOPPED, "refuse.not_running"),
        (stop_in(HOUR), Status.STOPPING, "refuse.not_running"),
        (stop_in(HOUR), Status("NEW_WORD"), "refuse.not_running"),
        (off(), Status.STOPPED, "refuse.not_running"),
    ],
)
@pytest.mark.parametrize("by", [HOUR, -10 * MINUTE])
@pytest.mark.parametrize("able", [SEED, LEASE])
def test_there_must_be_an_end_to_move(
    set_: object, status: Status, code: str, by: timedelta, able: Capabilities
) -> None:
    """An instance without a known end never gets one by accident."""
    if able is LEASE and code == "refuse.not_running":
        code = "refuse.lease_not_running"  # nothing would keep it for the next start
    given_ = circumstances(set_, status=status, able=able)
    assert refusal(by, given_).code == code
    if status is not Status.RUNNING:
        assert refusal(by, replace(given_, waits=True)).code == code


@pytest.mark.parametrize(
    ("by", "duration"),
    [
        (HOUR, 3 * HOUR),
        (22 * HOUR, 24 * HOUR),
        (-55 * MINUTE, HOUR + 5 * MINUTE),
        (SECOND, 2 * HOUR + SECOND),
    ],
)
def test_moving_the_end_counts_from_the_start(by: timedelta, duration: timedelta) -> None:
    """The end moves by what was asked; what is written is the run time that gives it."""
    planned = shift(by, circumstances())
    assert planned.edit == AutoStopEdit(enabled=True, duration=duration, prompt=True)
    assert planned.stops_at == NOW + HOUR + by


@pytest.mark.parametrize(
    ("by", "code"),
    [
        (22 * HOUR + SECOND, "refuse.too_late"),
        (-55 * MINUTE - SECOND, "refuse.too_early"),
        (-HOUR, "refuse.end_past"),
        (-5 * HOUR, "refuse.end_past"),
        (timedelta.max, "duration.bounds"),
        (timedelta.min + timedelta(days=1), "duration.bounds"),
    ],
)
def test_an_end_cannot_be_moved_out_of_bounds(by: timedelta, code: str) -> None:
    """What would be past, too soon or too late is refused with what is possible."""
    assert refusal(by, circumstances()).code == code


def test_moving_follows_the_real_end_where_another_duration_waits() -> None:
    """With 8 h saved for the next start, this run still ends in an hour: 1 h more makes 3 h, not 9 h."""
    given_ = circumstances(stop_in(HOUR, duration=8 * HOUR))
    assert shift(HOUR, given_).edit.duration == 3 * HOUR


DURATIONS = st.timedeltas(timedelta(days=-4), timedelta(days=4)) | st.timedeltas()
WISHES = st.builds(
    Wish,
    enabled=st.sampled_from([None, True]),
    duration=st.none() | DURATIONS,
    within=st.none() | DURATIONS,
    until=st.none() | st.timedeltas(timedelta(days=-4), timedelta(days=4)).map(lambda by: NOW + by),
    at=st.none() | st.sampled_from(["10:00", "08:53", "tomorrow 08:00", "today 01:00"]),
)
GIVEN = st.builds(
    circumstances,
    st.sampled_from([stop_in(HOUR), stop_in(None), off(), idle(), stop_in(3 * MINUTE)]),
    able=st.sampled_from([SEED, LEASE]),
    status=st.sampled_from([Status.RUNNING, Status.STOPPED]),
    started_at=st.none()
    | st.timedeltas(timedelta(0), timedelta(days=2)).map(lambda ago: NOW - ago),
    last=st.none() | st.timedeltas(HOUR, 24 * HOUR),
    observed_at=st.timedeltas(timedelta(0), timedelta(seconds=3)).map(lambda by: NOW + by),
)


@examples
@given(WISHES.filter(lambda wish: wish != Wish()) | DURATIONS, GIVEN)
def test_nothing_out_of_bounds_is_ever_sent(wish: Wish | timedelta, given_: Circumstances) -> None:
    """What is written is whole seconds within the API's bounds, and never ends too soon."""
    try:
        planned = plan(wish, given_) if isinstance(wish, Wish) else shift(wish, given_)
    except (DurationError, RefusedError) as error:
        assert len(str(error).splitlines()) == 2  # noqa: PT017 - or no error
        return
    able, duration = given_.capabilities, planned.edit.duration
    assert duration is not None
    assert able.shortest <= duration <= able.longest
    assert duration.microseconds == 0
    assert planned.edit.enabled
    if planned.stops_at is not None:
        assert planned.stops_at - given_.now >= SHORTEST_NOTICE
        assert given_.base is not None
        assert abs(given_.base + duration - planned.stops_at) < SECOND


def test_keeping_what_is_set_never_moves_an_end() -> None:
    """Where a duration counts from now, sending the same one again would."""
    keep = Wish(mode=Mode.TIMING)
    assert refusal(keep, circumstances(able=LEASE)).code == "refuse.on"
    assert plan(keep, circumstances()).stops_at == NOW + HOUR
