"""Read, change, read back: nothing is lost, nothing is claimed that the cloud does not say."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Callable

import pytest
from api_versions import WRITE_METHODS, duration_origin, expected_stop_time, only_demanager
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelarts_magics.domain.clock import SYSTEM_CLOCK, Clock
from modelarts_magics.domain.description import FULL_WIDTH_FORMS
from modelarts_magics.domain.models import Effect, Mode, StopTimeUnknown
from modelarts_magics.domain.planning import AutoStopRequest
from modelarts_magics.emulator.clock import ManualClock
from modelarts_magics.errors import (
    DescriptionError,
    DurationError,
    ForbiddenError,
    InputError,
    LockTimeoutError,
    ModelArtsError,
    OutcomeUnknownError,
    RefusedError,
    RejectedValueError,
    ServerError,
    UnreachableError,
    WrongStateError,
)
from modelarts_magics.session.updater import READ_BACK_DELAY_S

if TYPE_CHECKING:
    from pathlib import Path

    from api_versions import ApiVersion
    from conftest import InstantSleepClock

    from modelarts_magics.domain.models import Capabilities
    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.session.session import Session

    Connect = Callable[..., Session]
    Put = Callable[..., dict[str, Any]]
    Truth = Callable[[], dict[str, Any]]
    Writes = Callable[[], list[dict[str, Any]]]

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
ILLEGAL = 'a/b & <c> "q"'
HALF = "half \ud83d"

DESCRIPTIONS = [None, "实验 ☕ 👩‍🔬", "two\nlines\t", ILLEGAL, HALF]
STOPS: dict[str, dict[str, Any]] = {
    "on": {"auto_stop": {"prompt": False}},
    "on, a long one": {
        "auto_stop": {"duration": 86400, "prompt": False},
        "minutes_left": 23 * 60 + 40,
    },
    "off": {"auto_stop": {"enable": False, "prompt": False}},
    "stopped": {"status": "STOPPED", "auto_stop": {"prompt": False}},
    "stopped and off": {"status": "STOPPED", "auto_stop": {"enable": False, "prompt": False}},
}
"""No reminder in any, where there is such a thing: the cloud's default is the other way."""


def near(one: datetime, other: datetime) -> bool:
    """Whether they are the same moment but for the time that a test takes."""
    return abs(one - other) < 5 * SECOND


def wishes(able: Capabilities) -> list[AutoStopRequest]:
    """One of each sort that an API takes; off is tried also where it is not documented."""
    taken = [
        AutoStopRequest(duration=2 * HOUR),
        AutoStopRequest(enabled=False, force=not able.can_disable),
    ]
    taken += [AutoStopRequest(prompt=False)] if able.supports_reminder else []
    return [*taken, AutoStopRequest(mode=Mode.IDLE)] if able.supports_idle else taken


@pytest.fixture
def emulator(make_emulator: Callable[..., LocalEmulator]) -> LocalEmulator:
    """One whose clock stands still, and that takes what is tried without being documented."""
    return make_emulator(clock=ManualClock(), patch_off="accept")


@pytest.fixture
def session(
    make_session: Connect, emulator: LocalEmulator, instant_clock: InstantSleepClock
) -> Session:
    """A session, by the emulator's clock, on an instance that stops in 40 minutes, after one hour."""
    now, plain = emulator.account.clock.now, instant_clock.clock
    return make_session(clock=Clock(now=now, monotonic=plain.monotonic, sleep=plain.sleep))


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("before", DESCRIPTIONS)
def test_a_description_leaves_auto_stop_alone(  # noqa: PLR0913 - two dimensions and four fixtures
    before: str | None,
    stop: str,
    session: Session,
    set_instance: Put,
    instance_state: Truth,
    write_requests: Writes,
) -> None:
    """In every state, whatever was stored before; and it replaces what could not be entered."""
    set_instance(description=before, **STOPS[stop])
    was = instance_state()
    change = session.describe("after 之后 ☕")
    assert change.effect is Effect.NOW
    assert change.after is not None
    assert (change.before.description, change.after.description) == (before or "", "after 之后 ☕")
    assert instance_state() == {**was, "description": "after 之后 ☕"}
    assert [each["body"] for each in write_requests()] == [{"description": "after 之后 ☕"}]


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("before", DESCRIPTIONS)
def test_auto_stop_leaves_the_description_alone(  # noqa: PLR0913 - two dimensions and four fixtures
    before: str | None,
    stop: str,
    session: Session,
    set_instance: Put,
    instance_state: Truth,
    api_version: ApiVersion,
) -> None:
    """And the reminder; where something stands in the way, nothing changes at all."""
    set_instance(description=before, **STOPS[stop])
    was = instance_state()
    runs, kept = was["status"] == "RUNNING", session.capabilities.persists_duration
    if not (runs or kept) or (
        before in (ILLEGAL, HALF) and not api_version.separate_auto_stop_request
    ):
        with pytest.raises(RejectedValueError if kept else RefusedError):
            session.set_auto_stop(AutoStopRequest(duration=3 * HOUR))
        assert instance_state() == was
        return
    end = duration_origin(session, was) + 3 * HOUR if runs else None
    change = session.set_auto_stop(AutoStopRequest(duration=3 * HOUR))
    now = instance_state()
    assert (now["description"] or "") == (before or "")
    assert (now["enable"], now.get("prompt")) == (True, was.get("prompt"))
    assert near(expected_stop_time(session, now), end) if end else now["duration_s"] == 3 * 3600
    moved = now["stops_at"] != was["stops_at"]
    assert change.effect is (Effect.NOW if moved else Effect.NEXT_START)
    waits = not runs or (was["enable"] and not api_version.changes_current_run)
    assert moved is not waits
    assert change.after is not None
    assert (change.after.auto_stop.duration == 3 * HOUR) is kept


@only_demanager
@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("prompt", [True, False])
def test_the_reminder_alone_changes_nothing_else(
    prompt: bool, stop: str, session: Session, set_instance: Put, instance_state: Truth
) -> None:
    """`enable` is false by default and must not become so."""
    set_instance(**STOPS[stop])
    set_instance(auto_stop={"prompt": not prompt})
    was = instance_state()
    change = session.set_auto_stop(AutoStopRequest(prompt=prompt))
    assert instance_state() == {**was, "prompt": prompt}
    assert change.effect is Effect.NOW or (was["status"], was["enable"]) == ("STOPPED", True)


@pytest.mark.parametrize("stop", STOPS)
def test_off_and_on_again(
    stop: str, session: Session, set_instance: Put, instance_state: Truth
) -> None:
    """Off holds at once; on takes the duration of before, though the cloud shows it no longer."""
    set_instance(**STOPS[stop])
    was = instance_state()
    session.refresh()
    able, runs = session.capabilities, was["status"] == "RUNNING"
    off, on = (
        AutoStopRequest(enabled=False, force=not able.can_disable),
        AutoStopRequest(enabled=True),
    )
    if not (runs or able.persists_duration):
        for wish in (off, on):
            with pytest.raises((RefusedError, WrongStateError)):
                session.set_auto_stop(wish)
        assert instance_state() == was
        return
    assert session.set_auto_stop(off).effect is Effect.NOW
    assert instance_state() == {**was, "enable": False, "stops_at": None}
    length = (
        timedelta(seconds=was["duration_s"]) if able.persists_duration and was["enable"] else HOUR
    )
    end = duration_origin(session, was) + length if runs else None
    change = session.set_auto_stop(on)
    now = instance_state()
    assert (now["enable"], now.get("prompt")) == (True, was.get("prompt"))
    assert near(now["stops_at"], end) if end else now["stops_at"] is None
    assert timedelta(seconds=now["duration_s"]) == length or not able.persists_duration
    assert change.effect is (Effect.NOW if runs else Effect.NEXT_START)


@settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    text=st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="".join(FULL_WIDTH_FORMS)),
        max_size=512,
    )
)
def test_any_legal_text_arrives_as_it_is(
    session: Session, instance_state: Truth, text: str
) -> None:
    """Control characters, emoji, right to left: what was entered is what is stored."""
    was = instance_state()
    assert session.describe(text).effect is Effect.NOW
    assert instance_state() == {**was, "description": text}


def test_full_width_forms_on_request(session: Session, instance_state: Truth) -> None:
    """Never silently, but where it is asked for."""
    session.describe("2026/11/23", full_width=True)
    assert instance_state()["description"] == "2026／11／23"  # noqa: RUF001 - full width is the point


def test_a_bad_description_is_not_even_read_for(session: Session, emulator: LocalEmulator) -> None:
    """Nothing at all is sent, in either way to set it."""
    for text in ["a/b", "<", "x" * 513, "ok \ud800", 'say "hi"', "it's", "a&b"]:
        with pytest.raises(DescriptionError):
            session.describe(text)
        with pytest.raises(DescriptionError):
            session.update(description=text, auto_stop=AutoStopRequest(duration=2 * HOUR))
    assert not emulator.requests


def test_a_change_of_the_duration_says_when_it_holds(
    session: Session, instance_state: Truth, api_version: ApiVersion
) -> None:
    """Now, or from the next start in the edition of 2021; by what the cloud shows."""
    was = instance_state()
    wanted = duration_origin(session, was) + 2 * HOUR
    change = session.set_auto_stop(AutoStopRequest(duration=2 * HOUR))
    assert change.effect is api_version.run_time_effect
    assert change.after is not None
    assert change.after.auto_stop.stops_at is not None
    assert abs(change.after.auto_stop.stops_at - instance_state()["stops_at"]) < SECOND
    assert near(
        instance_state()["stops_at"], wanted if api_version.changes_current_run else was["stops_at"]
    )


@pytest.mark.parametrize(
    ("wish", "left"),
    [
        (lambda _: AutoStopRequest(time_left=90 * MINUTE), 90 * MINUTE),
        (lambda now: AutoStopRequest(stop_time=now + 3 * HOUR), 3 * HOUR),
    ],
)
def test_an_end_is_counted_from_where_the_api_counts(
    wish: Callable[[datetime], AutoStopRequest],
    left: timedelta,
    session: Session,
    instance_state: Truth,
    api_version: ApiVersion,
) -> None:
    """What a person wants from now, one API wants from the start of the run: 20 minutes more."""
    was = instance_state()
    over = session.now() - duration_origin(session, was)
    change = session.set_auto_stop(wish(session.now()))
    assert change.effect is api_version.run_time_effect
    assert change.edit.auto_stop is not None
    assert change.edit.auto_stop.duration is not None
    assert abs(change.edit.auto_stop.duration - left - over) < 2 * SECOND
    assert near(expected_stop_time(session, instance_state()), session.now() + left)
    assert over == (timedelta(0) if api_version.separate_auto_stop_request else 20 * MINUTE)


def test_extend_and_shorten_move_the_end(
    session: Session, instance_state: Truth, api_version: ApiVersion
) -> None:
    """By so much; where a run keeps its end, from what is saved for the next start by then."""
    was = instance_state()["stops_at"]
    longer = session.extend("2h30m")
    assert longer.effect is api_version.run_time_effect
    assert near(expected_stop_time(session, instance_state()), was + 2.5 * HOUR)
    assert near(
        instance_state()["stops_at"], was + 2.5 * HOUR if api_version.changes_current_run else was
    )
    shorter = session.shorten(HOUR)
    assert shorter.effect is api_version.run_time_effect
    assert near(expected_stop_time(session, instance_state()), was + 1.5 * HOUR)
    assert near(
        instance_state()["stops_at"], was + 1.5 * HOUR if api_version.changes_current_run else was
    )


def test_up_to_the_longest_and_not_a_second_beyond(
    session: Session, instance_state: Truth, write_requests: Writes
) -> None:
    """Counted from where the API counts; a second more is not sent."""
    able, was = session.capabilities, instance_state()
    room = able.max_duration - (was["stops_at"] - duration_origin(session, was))
    with pytest.raises(RefusedError) as late:
        session.extend(room + SECOND)
    assert late.value.code == "refuse.too_late"
    assert not write_requests()
    session.extend(room)
    assert (
        expected_stop_time(session, instance_state())
        == duration_origin(session, was) + able.max_duration
    )


def test_down_to_the_shortest_and_not_a_second_below(
    session: Session, set_instance: Put, instance_state: Truth, write_requests: Writes
) -> None:
    """Counted from where the API counts; a second less is not sent."""
    set_instance(auto_stop={"duration": 7200}, minutes_left=100)
    able, was = session.capabilities, instance_state()
    room = was["stops_at"] - duration_origin(session, was) - able.min_duration
    with pytest.raises(RefusedError) as early:
        session.shorten(room + SECOND)
    assert early.value.code == "refuse.too_early"
    assert not write_requests()
    session.shorten(room)
    assert (
        expected_stop_time(session, instance_state())
        == duration_origin(session, was) + able.min_duration
    )


REFUSED: dict[str, tuple[dict[str, Any], Callable[[Session], object], type[ModelArtsError]]] = {
    "extend off": (STOPS["off"], lambda one: one.extend(), RefusedError),
    "shorten off": (STOPS["off"], lambda one: one.shorten(), RefusedError),
    "extend stopped": (STOPS["stopped"], lambda one: one.extend(), RefusedError),
    "extend starting": ({"status": "STARTING"}, lambda one: one.extend(), RefusedError),
    "extend past": (
        {"stops_on_time": False, "minutes_left": -5},
        lambda one: one.extend(),
        RefusedError,
    ),
    "extend too far": ({}, lambda one: one.extend(one.capabilities.max_duration), RefusedError),
    "extend for ever": ({}, lambda one: one.extend(timedelta(days=9999)), RefusedError),
    "extend by nothing": ({}, lambda one: one.extend(timedelta(0)), InputError),
    "extend backwards": ({}, lambda one: one.extend(-HOUR), InputError),
    "extend by words": ({}, lambda one: one.extend("a while"), DurationError),
    "shorten too far": ({}, lambda one: one.shorten("36m"), RefusedError),
    "too short": (
        {},
        lambda one: one.set_auto_stop(AutoStopRequest(duration=59 * MINUTE)),
        DurationError,
    ),
    "too long": (
        {},
        lambda one: one.set_auto_stop(
            AutoStopRequest(duration=one.capabilities.max_duration + SECOND)
        ),
        DurationError,
    ),
    "until a past moment": (
        {},
        lambda one: one.set_auto_stop(
            AutoStopRequest(stop_time=datetime(2020, 1, 1, tzinfo=timezone.utc))
        ),
        RefusedError,
    ),
    "until next year": (
        {},
        lambda one: one.set_auto_stop(AutoStopRequest(time_left=timedelta(days=365))),
        RefusedError,
    ),
    "until, but stopped": (
        STOPS["stopped"],
        lambda one: one.set_auto_stop(AutoStopRequest(time_left=2 * HOUR)),
        RefusedError,
    ),
    "a good description beside it": (
        {},
        lambda one: one.update(
            description="good",
            auto_stop=AutoStopRequest(duration=one.capabilities.max_duration + SECOND),
        ),
        DurationError,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_sense_is_not_sent(
    name: str, session: Session, set_instance: Put, instance_state: Truth, write_requests: Writes
) -> None:
    """The reason comes from here, with a hint, and the instance is as it was."""
    state, ask, kind = REFUSED[name]
    set_instance(**state)
    was = instance_state()
    with pytest.raises(kind) as caught:
        ask(session)
    assert caught.value.message
    assert caught.value.hint
    assert not write_requests()
    assert instance_state() == was


@only_demanager
@pytest.mark.parametrize(
    ("left", "duration"),
    [(10 * MINUTE, 2 * HOUR), (63 * MINUTE, 4 * HOUR)],
    ids=["past", "in 3 minutes"],
)
def test_a_run_that_would_end_at_once_is_not_asked_for(  # noqa: PLR0913 - two values and four fixtures
    left: timedelta,
    duration: timedelta,
    session: Session,
    set_instance: Put,
    instance_state: Truth,
    write_requests: Writes,
) -> None:
    """Of a run of five hours, so much is over that the shorter one would be."""
    set_instance(auto_stop={"duration": 18000}, minutes_left=left / MINUTE)
    was = instance_state()
    with pytest.raises(RefusedError) as caught:
        session.set_auto_stop(AutoStopRequest(duration=duration))
    assert caught.value.hint
    assert not write_requests()
    assert instance_state() == was


@only_demanager
def test_an_end_that_is_told_in_two_ways_is_not_extended(
    session: Session, emulator: LocalEmulator
) -> None:
    """Where the cloud's two statements disagree, nothing is made of either."""
    emulator.add_fault("disagreeing-remain")
    assert session.refresh().auto_stop.stop_time_unknown is StopTimeUnknown.INCONSISTENT
    with pytest.raises(RefusedError) as caught:
        session.extend()
    assert caught.value.code == "refuse.stop_time_unknown"


def test_an_end_that_is_not_told_is_not_extended(session: Session, emulator: LocalEmulator) -> None:
    """Nothing is made up."""
    emulator.add_fault("no-stop-timestamp")
    emulator.add_fault("no-remain-time")
    assert session.refresh().auto_stop.stop_time_unknown is StopTimeUnknown.MISSING
    with pytest.raises(RefusedError) as caught:
        session.extend()
    assert caught.value.code == "refuse.stop_time_unknown"


def test_description_and_auto_stop_are_set_in_one_go(
    session: Session, instance_state: Truth, api_version: ApiVersion
) -> None:
    """However many requests that takes, there is one outcome for both."""
    end = duration_origin(session, instance_state()) + 2 * HOUR
    change = session.update(description="both", auto_stop=AutoStopRequest(duration=2 * HOUR))
    assert change.effect is api_version.run_time_effect
    assert instance_state()["description"] == "both"
    assert near(expected_stop_time(session, instance_state()), end)


@only_demanager
def test_description_and_auto_stop_travel_in_one_put(
    session: Session, write_requests: Writes
) -> None:
    """Both or none."""
    session.update(description="both", auto_stop=AutoStopRequest(duration=2 * HOUR))
    stop = {"enable": True, "duration": 7200, "prompt": True}
    assert [each["body"] for each in write_requests()] == [
        {"description": "both", "spec": {"auto_stop": stop}}
    ]


def test_what_this_cloud_does_is_said_before_writing(
    make_session: Connect, write_requests: Writes, api_version: ApiVersion
) -> None:
    """Once it was seen to let a duration wait; also in a session that did not see it."""
    told: list[tuple[str, int]] = []
    first, second = make_session(), make_session()
    for session in (first, second):
        session.on_notice = lambda message: told.append((str(message), len(write_requests())))
    first.extend()
    assert not told
    second.extend(2 * HOUR)
    second.describe("which needs no warning")
    if second.capabilities.supports_reminder:  # nor does this
        second.set_auto_stop(AutoStopRequest(prompt=False))
    if second.capabilities.can_disable:
        second.set_auto_stop(AutoStopRequest(enabled=False))
    if api_version.changes_current_run:
        assert not told
    else:
        ((words, sent),) = told
        assert "next start" in words
        assert sent == 1


def test_undoing_what_waits_holds_at_once_and_unteaches_nothing(
    session: Session, api_version: ApiVersion
) -> None:
    """The run never followed, so its end is the one that is asked for again."""
    session.extend()
    undone = session.set_auto_stop(AutoStopRequest(duration=HOUR))
    assert undone.effect is Effect.NOW
    assert bool(session._cache.defers_duration) is not api_version.changes_current_run


def test_a_read_back_that_fails_leaves_the_effect_open(
    session: Session, emulator: LocalEmulator, instance_state: Truth
) -> None:
    """The write was accepted; whether it holds was not said."""
    emulator.add_fault("500", methods=("GET",), skip=1)
    change = session.describe("new")
    assert change.effect is Effect.UNCONFIRMED
    assert change.after is None
    assert isinstance(change.read_back_error, ServerError)
    assert instance_state()["description"] == "new"


def test_a_late_read_back_is_looked_at_again(
    session: Session, emulator: LocalEmulator, instance_state: Truth
) -> None:
    """A cloud whose reads lag behind its writes is given a second."""
    emulator.add_fault("stale", methods=("GET",), skip=1, times=1)
    assert session.describe("new").effect is Effect.NOW
    assert instance_state()["description"] == "new"


@pytest.mark.parametrize("fault", ["ignored", "echoed"])
def test_a_change_that_does_not_show_is_not_claimed(
    fault: str, session: Session, emulator: LocalEmulator, instance_state: Truth
) -> None:
    """Whatever the answer of the write pretends."""
    emulator.add_fault(fault, methods=WRITE_METHODS)
    was = instance_state()
    assert session.describe("new").effect is Effect.UNCONFIRMED
    assert session.extend().effect is Effect.UNCONFIRMED
    for wish in wishes(session.capabilities):
        assert session.set_auto_stop(wish).effect is Effect.UNCONFIRMED
    assert instance_state() == was


@pytest.mark.parametrize("fault", ["applied-500", "reset-after", "truncated", "bad-json"])
def test_a_write_that_failed_and_holds_is_a_success(
    fault: str,
    session: Session,
    emulator: LocalEmulator,
    write_requests: Writes,
    instance_state: Truth,
) -> None:
    """Reading back settles it, without a second write."""
    emulator.add_fault(fault, methods=WRITE_METHODS)
    assert session.describe("new").effect is Effect.NOW
    assert len(write_requests()) == 1
    assert instance_state()["description"] == "new"


@pytest.mark.parametrize("fault", ["500", "502", "503", "reset", "html", "redirect"])
def test_a_write_that_failed_and_does_not_show_is_sent_once_more(
    fault: str,
    session: Session,
    emulator: LocalEmulator,
    write_requests: Writes,
    instance_state: Truth,
) -> None:
    """It is the same twice as once."""
    emulator.add_fault(fault, methods=WRITE_METHODS, times=1)
    assert session.describe("new").effect is Effect.NOW
    assert len(write_requests()) == 2
    assert instance_state()["description"] == "new"


def test_a_write_that_never_shows_says_what_holds(
    session: Session, emulator: LocalEmulator, write_requests: Writes, instance_state: Truth
) -> None:
    """End and description as read back, and why it failed."""
    emulator.set_instance(description="previous run time")
    was = instance_state()
    emulator.add_fault("500", methods=WRITE_METHODS)
    with pytest.raises(OutcomeUnknownError) as caught:
        session.extend()
    assert len(write_requests()) == 2
    assert instance_state() == was
    end = was["stops_at"].astimezone(timezone(8 * HOUR))
    assert "previous run time" in caught.value.message
    assert f"{end:%H:%M}" in caught.value.message
    assert "ModelArts.0010" in caught.value.message
    assert isinstance(caught.value.cause, ServerError)
    assert caught.value.hint


def test_a_write_refused_at_the_second_try_says_what_holds(
    session: Session, emulator: LocalEmulator
) -> None:
    """The first may yet arrive, so the refusal of the second is not the whole answer."""
    emulator.add_fault("500", methods=WRITE_METHODS, times=1)
    emulator.add_fault("403", methods=WRITE_METHODS)
    with pytest.raises(OutcomeUnknownError) as caught:
        session.describe("new")
    assert caught.value.code == "outcome_unknown.not_applied"
    assert isinstance(caught.value.cause, ForbiddenError)
    assert "Demo instance" in caught.value.message


def test_a_second_try_that_cannot_be_read_back_is_unconfirmed(
    session: Session, emulator: LocalEmulator, instance_state: Truth
) -> None:
    """It was accepted: that is no failure, and no proof."""
    emulator.add_fault("500", methods=WRITE_METHODS, times=1)
    emulator.add_fault("500", methods=("GET",), skip=2)
    change = session.describe("new")
    assert (change.effect, change.after) == (Effect.UNCONFIRMED, None)
    assert isinstance(change.read_back_error, ServerError)
    assert instance_state()["description"] == "new"


def test_a_second_try_that_fails_too_and_cannot_be_read_back_is_unsettled(
    session: Session, emulator: LocalEmulator
) -> None:
    """What was read back after the first tells nothing of the second."""
    emulator.add_fault("500", methods=WRITE_METHODS)
    emulator.add_fault("500", methods=("GET",), skip=2)
    with pytest.raises(OutcomeUnknownError) as caught:
        session.describe("new")
    assert caught.value.code == "outcome_unknown.not_read_back"
    assert isinstance(caught.value.cause, ServerError)


def test_the_last_read_back_of_a_write_that_failed_is_looked_at_again(
    session: Session, emulator: LocalEmulator, instant_clock: InstantSleepClock
) -> None:
    """The one before the second try is not: that settles it."""
    emulator.add_fault("500", methods=WRITE_METHODS, times=1)
    assert session.describe("new").effect is Effect.NOW
    assert READ_BACK_DELAY_S not in instant_clock.sleeps
    emulator.add_fault("500", methods=WRITE_METHODS, times=1)
    emulator.add_fault("applied-500", methods=WRITE_METHODS, skip=1, times=1)
    emulator.add_fault("stale", methods=("GET",), skip=2, times=1)
    assert session.describe("newer").effect is Effect.NOW
    assert instant_clock.sleeps.count(READ_BACK_DELAY_S) == 1


def test_a_failed_write_that_cannot_be_read_back_is_unsettled(
    session: Session, emulator: LocalEmulator
) -> None:
    """Neither the outcome nor the instance is known, and that is what is said."""
    emulator.add_fault("reset-after", methods=WRITE_METHODS)
    emulator.add_fault("500", methods=("GET",), skip=1)
    with pytest.raises(OutcomeUnknownError) as caught:
        session.extend()
    assert caught.value.code == "outcome_unknown.not_read_back"
    assert isinstance(caught.value.cause, UnreachableError)


@only_demanager
def test_a_stored_description_that_is_illegal_is_named(
    session: Session, emulator: LocalEmulator, instance_state: Truth, write_requests: Writes
) -> None:
    """Which character, where; it was carried as it is, and nothing changed."""
    emulator.set_instance(description="见 http://x")
    was = instance_state()
    with pytest.raises(RejectedValueError) as caught:
        session.extend()
    assert caught.value.code == "api.stored_description"
    assert "'/' (position 8)" in caught.value.message
    assert caught.value.error_code == "ModelArts.6334"
    assert write_requests()[0]["body"]["description"] == "见 http://x"
    assert instance_state() == was
    assert session.describe("see there").effect is Effect.NOW
    assert session.extend().effect is not Effect.UNCONFIRMED


def test_each_call_has_a_time_of_its_own(make_session: Connect, emulator: LocalEmulator) -> None:
    """A cloud that only drips ends the call, and neither lock nor session stays stuck."""
    session = make_session(clock=SYSTEM_CLOCK, total_timeout="0.4")
    emulator.add_fault("drip", arg=0.05, times=1)
    with pytest.raises(UnreachableError):
        session.describe("new")
    assert make_session(clock=SYSTEM_CLOCK).describe("newer").effect is Effect.NOW
    assert session.describe("newest").effect is Effect.NOW


def test_a_lock_that_is_held_for_too_long_is_an_error(
    make_session: Connect, write_requests: Writes
) -> None:
    """Reading needs no lock; writing waits for it, in vain."""
    holder, waiting = make_session(), make_session()
    with holder._locked():
        assert waiting.refresh()
        with pytest.raises(LockTimeoutError):
            waiting.describe("new")
        assert not write_requests()
    assert waiting.describe("new").effect is Effect.NOW


def test_without_a_place_for_the_store_everything_works(
    make_session: Connect, tmp_path: Path, api_version: ApiVersion
) -> None:
    """Reading, changing, extending, and the knowledge of this run's start."""
    (tmp_path / "file").write_text("")
    session = make_session(state="file/state")
    assert session.last_known() is None
    assert session.extend().effect is api_version.run_time_effect
    assert session.extend(2 * HOUR).effect is api_version.run_time_effect
    known = session.last_known()
    assert known is not None
    assert session.status(max_age=MINUTE) == known


def test_the_last_known_costs_nothing(make_session: Connect, emulator: LocalEmulator) -> None:
    """It is what any process saw, and None where none did."""
    session = make_session()
    assert session.last_known() is None
    assert not emulator.requests
    seen = make_session().refresh()
    assert session.last_known() == seen
    assert len(emulator.requests) == 1


def test_a_change_is_known_everywhere_at_once(
    make_session: Connect, emulator: LocalEmulator
) -> None:
    """What a magic changed, the server reads from the store."""
    watcher = make_session()
    watcher.refresh()
    change = make_session().describe("new")
    count = len(emulator.requests)
    assert watcher.status(max_age=MINUTE) == change.after
    assert len(emulator.requests) == count


def test_many_threads_that_want_to_know_ask_once(
    make_session: Connect, emulator: LocalEmulator
) -> None:
    """One session or several, it is one question to the cloud."""
    sessions = [make_session(clock=SYSTEM_CLOCK) for _ in range(4)]
    with ThreadPoolExecutor(12) as pool:
        seen = list(pool.map(lambda one: one.status(max_age=MINUTE), sessions * 3))
    assert len(emulator.requests) == 1
    assert all(each == seen[0] for each in seen)


def test_who_wants_it_fresher_asks_again(make_session: Connect, emulator: LocalEmulator) -> None:
    """And who asks for no age at all, always."""
    session = make_session()
    for _ in range(2):
        session.status(max_age=timedelta(0))
        session.refresh()
    assert len(emulator.requests) == 4


ACT = """
import sys
from datetime import timedelta
from modelarts_magics.session.connect import connect
session = connect()
change = eval(sys.argv[1])
session.close()
"""


def act_at_once(emulator: LocalEmulator, folder: Path, *actions: str) -> None:
    """Do each action in a process of its own, all at the same time."""
    environment = {
        **emulator.environment(),
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "MODELARTS_STATE_DIR": str(folder / "shared"),
    }
    running = [
        subprocess.Popen([sys.executable, "-c", ACT, action], env=environment)  # noqa: S603 - ours
        for action in actions
    ]
    assert [each.wait(120) for each in running] == [0] * len(actions)


@pytest.mark.process
def test_processes_that_want_to_know_ask_once(emulator: LocalEmulator, tmp_path: Path) -> None:
    """One instance, one voice."""
    act_at_once(emulator, tmp_path, *["session.status(max_age=timedelta(minutes=1))"] * 3)
    assert len(emulator.requests) == 1


@pytest.mark.process
def test_processes_that_change_at_once_lose_nothing(
    session: Session,
    emulator: LocalEmulator,
    tmp_path: Path,
    instance_state: Truth,
) -> None:
    """Two extensions and a description: none of them puts back what another changed."""
    was = instance_state()["stops_at"]
    act_at_once(
        emulator, tmp_path, "session.extend()", "session.describe('new')", "session.extend()"
    )
    assert instance_state()["description"] == "new"
    moved = (
        expected_stop_time(session, instance_state()) - was
    )  # the cloud's clock stands still, and theirs goes on
    assert abs(moved - 2 * HOUR) < MINUTE


@pytest.mark.parametrize("what", [{"stops_at": None}, {"mode": Mode.IDLE}])
def test_what_was_seen_of_auto_stop_must_still_hold(
    make_session: Callable[..., Session], emulator: LocalEmulator, what: dict[str, Any]
) -> None:
    """Also its mode, and that no end was known; nothing is sent."""
    session = make_session()
    now = session.refresh()
    seen = replace(now, auto_stop=replace(now.auto_stop, **what))
    with pytest.raises(RefusedError) as caught:
        session.update(auto_stop=AutoStopRequest(time_left=2 * HOUR), seen=seen)
    assert caught.value.code == "refuse.edit_conflict"
    assert {one["method"] for one in emulator.requests} == {"GET"}
