"""Read, change, read back: nothing is lost, and nothing is claimed that the API does not confirm."""

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
from modelarts_magics.emulator.clock import ManualClock, ScaledClock
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
"""States without reminder, if the API has one, because the default is on."""


def near(one: datetime, other: datetime) -> bool:
    """Return whether two times are equal within the duration of a test."""
    return abs(one - other) < 5 * SECOND


def make_requests(able: Capabilities) -> list[AutoStopRequest]:
    """Return one request of each kind that an API accepts, including undocumented ones."""
    taken = [
        AutoStopRequest(duration=2 * HOUR),
        AutoStopRequest(enabled=False, force=not able.can_disable),
    ]
    taken += [AutoStopRequest(prompt=False)] if able.supports_reminder else []
    return [*taken, AutoStopRequest(mode=Mode.IDLE)] if able.supports_idle else taken


@pytest.fixture
def emulator(make_emulator: Callable[..., LocalEmulator]) -> LocalEmulator:
    """Return an emulator whose clock stands still and that accepts undocumented requests."""
    return make_emulator(clock=ManualClock(), patch_off="accept")


@pytest.fixture
def session(
    make_session: Connect, emulator: LocalEmulator, instant_clock: InstantSleepClock
) -> Session:
    """Return a session with an instance that has 40 of 60 minutes left."""
    now, sleep = emulator.account.clock.now, instant_clock.clock.sleep
    return make_session(clock=Clock(now=now, monotonic=lambda: now().timestamp(), sleep=sleep))


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("before", DESCRIPTIONS)
def test_describe_changes_the_description_only(  # noqa: PLR0913 - two dimensions and four fixtures
    before: str | None,
    stop: str,
    session: Session,
    set_instance: Put,
    instance_state: Truth,
    write_requests: Writes,
) -> None:
    """In every state, and also if the stored description is invalid."""
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
def test_auto_stop_change_keeps_the_description(  # noqa: PLR0913 - two dimensions and four fixtures
    before: str | None,
    stop: str,
    session: Session,
    set_instance: Put,
    instance_state: Truth,
    api_version: ApiVersion,
) -> None:
    """Also the reminder; a refused request changes nothing."""
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
def test_reminder_request_changes_nothing_else(
    prompt: bool, stop: str, session: Session, set_instance: Put, instance_state: Truth
) -> None:
    """`enable` defaults to false and must not become false."""
    set_instance(**STOPS[stop])
    set_instance(auto_stop={"prompt": not prompt})
    was = instance_state()
    change = session.set_auto_stop(AutoStopRequest(prompt=prompt))
    assert instance_state() == {**was, "prompt": prompt}
    assert change.effect is Effect.NOW or (was["status"], was["enable"]) == ("STOPPED", True)


@pytest.mark.parametrize("stop", STOPS)
def test_auto_stop_can_be_turned_off_and_on(
    stop: str, session: Session, set_instance: Put, instance_state: Truth
) -> None:
    """Turning it on uses the previous duration, which the API no longer returns."""
    set_instance(**STOPS[stop])
    was = instance_state()
    session.refresh()
    able, runs = session.capabilities, was["status"] == "RUNNING"
    off, on = (
        AutoStopRequest(enabled=False, force=not able.can_disable),
        AutoStopRequest(enabled=True),
    )
    if not (runs or able.persists_duration):
        for requested in (off, on):
            with pytest.raises((RefusedError, WrongStateError)):
                session.set_auto_stop(requested)
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
    max_examples=settings().max_examples // 3,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    text=st.text(
        st.characters(
            exclude_categories=["Cs", "Cc"], exclude_characters="".join(FULL_WIDTH_FORMS)
        ),
        max_size=512,
    )
)
def test_any_valid_description_is_stored_unchanged(
    session: Session, instance_state: Truth, text: str
) -> None:
    """Emoji, right-to-left text and its invisible marks."""
    was = instance_state()
    assert session.describe(text).effect is Effect.NOW
    assert instance_state() == {**was, "description": text}


def test_full_width_replacement_needs_an_option(session: Session, instance_state: Truth) -> None:
    """It is never silent."""
    session.describe("2026/11/23", full_width=True)
    assert instance_state()["description"] == "2026／11／23"  # noqa: RUF001 - full-width form


def test_invalid_description_sends_no_request(session: Session, emulator: LocalEmulator) -> None:
    """With describe and with update."""
    for text in ["a/b", "<", "x" * 513, "ok \ud800", 'say "hi"', "it's", "a&b"]:
        with pytest.raises(DescriptionError):
            session.describe(text)
        with pytest.raises(DescriptionError):
            session.update(description=text, auto_stop=AutoStopRequest(duration=2 * HOUR))
    assert not emulator.requests


def test_duration_change_reports_when_it_applies(
    session: Session, instance_state: Truth, api_version: ApiVersion
) -> None:
    """Now, or at the next start in the edition of 2021, as the API shows."""
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
    ("requested", "left"),
    [
        (lambda _: AutoStopRequest(time_left=90 * MINUTE), 90 * MINUTE),
        (lambda now: AutoStopRequest(stop_time=now + 3 * HOUR), 3 * HOUR),
    ],
)
def test_stop_time_is_counted_from_the_reference_time(
    requested: Callable[[datetime], AutoStopRequest],
    left: timedelta,
    session: Session,
    instance_state: Truth,
    api_version: ApiVersion,
) -> None:
    """A time from now is counted from the start of the run, 20 minutes more, on one API."""
    was = instance_state()
    over = session.now() - duration_origin(session, was)
    change = session.set_auto_stop(requested(session.now()))
    assert change.effect is api_version.run_time_effect
    assert change.edit.auto_stop is not None
    assert change.edit.auto_stop.duration is not None
    assert abs(change.edit.auto_stop.duration - left - over) < 2 * SECOND
    assert near(expected_stop_time(session, instance_state()), session.now() + left)
    assert over == (timedelta(0) if api_version.separate_auto_stop_request else 20 * MINUTE)


def test_extend_and_shorten_move_the_stop_time(
    session: Session, instance_state: Truth, api_version: ApiVersion
) -> None:
    """If a run keeps its stop time, the saved duration changes."""
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


def test_longest_duration_is_the_limit(
    session: Session, instance_state: Truth, write_requests: Writes
) -> None:
    """One second more is not sent."""
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


def test_shortest_duration_is_the_limit(
    session: Session, set_instance: Put, instance_state: Truth, write_requests: Writes
) -> None:
    """One second less is not sent."""
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
    "shorten past": (
        {"stops_on_time": False, "minutes_left": -5},
        lambda one: one.shorten(),
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
def test_impossible_request_is_not_sent(
    name: str, session: Session, set_instance: Put, instance_state: Truth, write_requests: Writes
) -> None:
    """The error has a hint, and the instance is unchanged."""
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
def test_duration_that_has_elapsed_is_refused(  # noqa: PLR0913 - two values and four fixtures
    left: timedelta,
    duration: timedelta,
    session: Session,
    set_instance: Put,
    instance_state: Truth,
    write_requests: Writes,
) -> None:
    """More of a run of five hours is over than the requested duration."""
    set_instance(auto_stop={"duration": 18000}, minutes_left=left / MINUTE)
    was = instance_state()
    with pytest.raises(RefusedError) as caught:
        session.set_auto_stop(AutoStopRequest(duration=duration))
    assert caught.value.hint
    assert not write_requests()
    assert instance_state() == was


@only_demanager
def test_inconsistent_stop_time_is_not_extended(session: Session, emulator: LocalEmulator) -> None:
    """The two stop times of the API disagree."""
    emulator.add_fault("disagreeing-remain")
    assert session.refresh().auto_stop.stop_time_unknown is StopTimeUnknown.INCONSISTENT
    with pytest.raises(RefusedError) as caught:
        session.extend()
    assert caught.value.code == "refuse.stop_time_unknown"


def test_missing_stop_time_is_not_extended(session: Session, emulator: LocalEmulator) -> None:
    """No stop time is made up."""
    emulator.add_fault("no-stop-timestamp")
    emulator.add_fault("no-remain-time")
    assert session.refresh().auto_stop.stop_time_unknown is StopTimeUnknown.MISSING
    with pytest.raises(RefusedError) as caught:
        session.extend()
    assert caught.value.code == "refuse.stop_time_unknown"


def test_update_sets_description_and_auto_stop(
    session: Session, instance_state: Truth, api_version: ApiVersion
) -> None:
    """There is one result for both, however many requests are sent."""
    end = duration_origin(session, instance_state()) + 2 * HOUR
    change = session.update(description="both", auto_stop=AutoStopRequest(duration=2 * HOUR))
    assert change.effect is api_version.run_time_effect
    assert instance_state()["description"] == "both"
    assert near(expected_stop_time(session, instance_state()), end)


@only_demanager
def test_update_sends_one_put(session: Session, write_requests: Writes) -> None:
    """Both are applied or none."""
    session.update(description="both", auto_stop=AutoStopRequest(duration=2 * HOUR))
    stop = {"enable": True, "duration": 7200, "prompt": True}
    assert [each["body"] for each in write_requests()] == [
        {"description": "both", "spec": {"auto_stop": stop}}
    ]


def test_deferral_is_announced_before_the_write(
    make_session: Connect, write_requests: Writes, api_version: ApiVersion
) -> None:
    """Once it was observed, also in another session."""
    received: list[tuple[str, int]] = []
    first, second = make_session(), make_session()
    for session in (first, second):
        session.on_notice = lambda message: received.append((str(message), len(write_requests())))
    first.extend()
    received.clear()
    second.extend(2 * HOUR)
    second.describe("which needs no warning")
    # Nor does this session.
    if second.capabilities.supports_reminder:
        second.set_auto_stop(AutoStopRequest(prompt=False))
    if second.capabilities.can_disable:
        second.set_auto_stop(AutoStopRequest(enabled=False))
    deferred = [each for each in received if "next start" in each[0]]
    assert [sent for _, sent in deferred] == ([] if api_version.changes_current_run else [1])


def test_undoing_a_deferred_duration_keeps_the_observation(
    session: Session, api_version: ApiVersion
) -> None:
    """The run never followed, so its stop time is unchanged."""
    session.extend()
    undone = session.set_auto_stop(AutoStopRequest(duration=HOUR))
    assert undone.effect is Effect.NOW
    assert bool(session._cache.defers_duration) is not api_version.changes_current_run


def test_failed_read_back_is_unconfirmed(
    session: Session, emulator: LocalEmulator, instance_state: Truth
) -> None:
    """The write was accepted."""
    emulator.add_fault("500", methods=("GET",), skip=1)
    change = session.describe("new")
    assert change.effect is Effect.UNCONFIRMED
    assert change.after is None
    assert isinstance(change.read_back_error, ServerError)
    assert instance_state()["description"] == "new"


def test_delayed_change_is_read_back_twice(
    session: Session, emulator: LocalEmulator, instance_state: Truth
) -> None:
    """The API may return the old state for a second."""
    emulator.add_fault("stale", methods=("GET",), skip=1, times=1)
    assert session.describe("new").effect is Effect.NOW
    assert instance_state()["description"] == "new"


@pytest.mark.parametrize("fault", ["stale", "500", "reset-after"])
def test_unconfirmed_change_is_read_until_it_shows(
    fault: str, session: Session, emulator: LocalEmulator
) -> None:
    """Old states and failed reads in between do not end the waiting."""
    emulator.add_fault(fault, methods=("GET",), skip=1, times=6)
    change = session.describe("new")
    assert change.effect is Effect.UNCONFIRMED
    confirmed = session.wait_until_confirmed(change)
    assert confirmed.effect is Effect.NOW
    assert confirmed.after is not None
    assert confirmed.after.description == "new"


def test_waiting_for_a_change_ends(
    make_session: Connect, emulator: LocalEmulator, instant_clock: InstantSleepClock
) -> None:
    """A change that never shows stays unconfirmed after the given time."""
    session = make_session()
    emulator.add_fault("ignored", methods=WRITE_METHODS)
    change = session.describe("new")
    waited_before = sum(instant_clock.sleeps)
    assert session.wait_until_confirmed(change, timeout_s=60).effect is Effect.UNCONFIRMED
    assert 50 <= sum(instant_clock.sleeps) - waited_before <= 60


@pytest.mark.parametrize("fault", ["ignored", "echoed"])
def test_invisible_change_is_unconfirmed(
    fault: str, session: Session, emulator: LocalEmulator, instance_state: Truth
) -> None:
    """Whatever the response of the write was."""
    emulator.add_fault(fault, methods=WRITE_METHODS)
    was = instance_state()
    assert session.describe("new").effect is Effect.UNCONFIRMED
    assert session.extend().effect is Effect.UNCONFIRMED
    for requested in make_requests(session.capabilities):
        assert session.set_auto_stop(requested).effect is Effect.UNCONFIRMED
    assert instance_state() == was


@pytest.mark.parametrize("fault", ["applied-500", "reset-after", "truncated", "bad-json"])
def test_failed_write_that_was_applied_succeeds(
    fault: str,
    session: Session,
    emulator: LocalEmulator,
    write_requests: Writes,
    instance_state: Truth,
) -> None:
    """Reading back shows it, without a second write."""
    emulator.add_fault(fault, methods=WRITE_METHODS)
    assert session.describe("new").effect is Effect.NOW
    assert len(write_requests()) == 1
    assert instance_state()["description"] == "new"


@pytest.mark.parametrize("fault", ["500", "502", "503", "reset", "html", "redirect"])
def test_failed_write_that_was_not_applied_is_retried(
    fault: str,
    session: Session,
    emulator: LocalEmulator,
    write_requests: Writes,
    instance_state: Truth,
) -> None:
    """Sending it twice has the same effect as once."""
    emulator.add_fault(fault, methods=WRITE_METHODS, times=1)
    assert session.describe("new").effect is Effect.NOW
    assert len(write_requests()) == 2
    assert instance_state()["description"] == "new"


def test_write_that_is_never_applied_reports_current_values(
    session: Session, emulator: LocalEmulator, write_requests: Writes, instance_state: Truth
) -> None:
    """Description and stop time as read back, and the cause."""
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


def test_refused_retry_reports_current_values(session: Session, emulator: LocalEmulator) -> None:
    """The first write may still be applied."""
    emulator.add_fault("500", methods=WRITE_METHODS, times=1)
    emulator.add_fault("403", methods=WRITE_METHODS)
    with pytest.raises(OutcomeUnknownError) as caught:
        session.describe("new")
    assert caught.value.code == "outcome_unknown.not_applied"
    assert isinstance(caught.value.cause, ForbiddenError)
    assert "Demo instance" in caught.value.message


def test_retry_without_read_back_is_unconfirmed(
    session: Session, emulator: LocalEmulator, instance_state: Truth
) -> None:
    """It was accepted, which is neither a failure nor a proof."""
    emulator.add_fault("500", methods=WRITE_METHODS, times=1)
    emulator.add_fault("500", methods=("GET",), skip=2)
    change = session.describe("new")
    assert (change.effect, change.after) == (Effect.UNCONFIRMED, None)
    assert isinstance(change.read_back_error, ServerError)
    assert instance_state()["description"] == "new"


def test_failed_retry_without_read_back_has_unknown_outcome(
    session: Session, emulator: LocalEmulator
) -> None:
    """The read-back after the first attempt does not show the second."""
    emulator.add_fault("500", methods=WRITE_METHODS)
    emulator.add_fault("500", methods=("GET",), skip=2)
    with pytest.raises(OutcomeUnknownError) as caught:
        session.describe("new")
    assert caught.value.code == "outcome_unknown.not_read_back"
    assert isinstance(caught.value.cause, ServerError)


def test_last_read_back_of_a_failed_write_is_repeated(
    session: Session, emulator: LocalEmulator, instant_clock: InstantSleepClock
) -> None:
    """The read-back before the retry is not."""
    emulator.add_fault("500", methods=WRITE_METHODS, times=1)
    assert session.describe("new").effect is Effect.NOW
    assert READ_BACK_DELAY_S not in instant_clock.sleeps
    emulator.add_fault("500", methods=WRITE_METHODS, times=1)
    emulator.add_fault("applied-500", methods=WRITE_METHODS, skip=1, times=1)
    emulator.add_fault("stale", methods=("GET",), skip=2, times=1)
    assert session.describe("newer").effect is Effect.NOW
    assert instant_clock.sleeps.count(READ_BACK_DELAY_S) == 1


def test_failed_write_without_read_back_has_unknown_outcome(
    session: Session, emulator: LocalEmulator
) -> None:
    """The error says that neither outcome nor state is known."""
    emulator.add_fault("reset-after", methods=WRITE_METHODS)
    emulator.add_fault("500", methods=("GET",), skip=1)
    with pytest.raises(OutcomeUnknownError) as caught:
        session.extend()
    assert caught.value.code == "outcome_unknown.not_read_back"
    assert isinstance(caught.value.cause, UnreachableError)


@only_demanager
def test_invalid_stored_description_is_named(
    session: Session, emulator: LocalEmulator, instance_state: Truth, write_requests: Writes
) -> None:
    """The error names the character and its position; nothing changed."""
    emulator.set_instance(description="见 http://x")
    was = instance_state()
    with pytest.raises(RejectedValueError) as caught:
        session.extend()
    assert caught.value.code == "api.stored_description"
    assert "“/” (position 8)" in caught.value.message
    assert caught.value.error_code == "ModelArts.6334"
    assert write_requests()[0]["body"]["description"] == "见 http://x"
    assert instance_state() == was
    assert session.describe("see there").effect is Effect.NOW
    assert session.extend().effect is not Effect.UNCONFIRMED


def test_each_call_has_its_own_deadline(make_session: Connect, emulator: LocalEmulator) -> None:
    """A slow API ends the call, and the lock is free again."""
    session = make_session(clock=SYSTEM_CLOCK, total_timeout="0.4")
    emulator.add_fault("drip", arg=0.05, times=1)
    with pytest.raises(UnreachableError):
        session.describe("new")
    assert make_session(clock=SYSTEM_CLOCK).describe("newer").effect is Effect.NOW
    assert session.describe("newest").effect is Effect.NOW


def test_held_lock_is_an_error_for_writes(make_session: Connect, write_requests: Writes) -> None:
    """Reading needs no lock."""
    holder, waiting = make_session(), make_session()
    with holder._locked():
        assert waiting.refresh()
        with pytest.raises(LockTimeoutError):
            waiting.describe("new")
        assert not write_requests()
    assert waiting.describe("new").effect is Effect.NOW


def test_session_works_without_a_state_folder(
    make_session: Connect, tmp_path: Path, api_version: ApiVersion
) -> None:
    """Reading, changing, extending, and the start of the run."""
    (tmp_path / "file").write_text("")
    session = make_session(state="file/state")
    assert session.last_known() is None
    assert session.extend().effect is api_version.run_time_effect
    assert session.extend(2 * HOUR).effect is api_version.run_time_effect
    known = session.last_known()
    assert known is not None
    assert session.status(max_age=MINUTE) == known


def test_last_known_sends_no_request(make_session: Connect, emulator: LocalEmulator) -> None:
    """It is what any process read, or None."""
    session = make_session()
    assert session.last_known() is None
    assert not emulator.requests
    seen = make_session().refresh()
    assert session.last_known() == seen
    assert len(emulator.requests) == 1


def test_change_is_visible_to_other_processes(
    make_session: Connect, emulator: LocalEmulator
) -> None:
    """A server reads the change of a magic from the state file."""
    watcher = make_session()
    watcher.refresh()
    change = make_session().describe("new")
    count = len(emulator.requests)
    assert watcher.status(max_age=MINUTE) == change.after
    assert len(emulator.requests) == count


def test_concurrent_threads_send_one_request(
    make_session: Connect, emulator: LocalEmulator
) -> None:
    """In one session or several."""
    sessions = [make_session(clock=SYSTEM_CLOCK) for _ in range(4)]
    with ThreadPoolExecutor(12) as pool:
        seen = list(pool.map(lambda one: one.status(max_age=MINUTE), sessions * 3))
    assert len(emulator.requests) == 1
    assert all(each == seen[0] for each in seen)


def test_smaller_max_age_sends_a_request(make_session: Connect, emulator: LocalEmulator) -> None:
    """A maximum age of zero always does."""
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


def run_concurrently(emulator: LocalEmulator, folder: Path, *actions: str) -> None:
    """Run each action in a process of its own, all at the same time."""
    environment = {
        **emulator.environment(),
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "MODELARTS_STATE_DIR": str(folder / "shared"),
    }
    running = [
        subprocess.Popen([sys.executable, "-c", ACT, action], env=environment)  # noqa: S603 - a fixed script
        for action in actions
    ]
    assert [each.wait(120) for each in running] == [0] * len(actions)


@pytest.mark.process
def test_concurrent_processes_send_one_request(emulator: LocalEmulator, tmp_path: Path) -> None:
    """They share the response."""
    # Another time than theirs would have to be confirmed by a second request.
    emulator.account.clock = ScaledClock()
    run_concurrently(emulator, tmp_path, *["session.status(max_age=timedelta(minutes=1))"] * 3)
    assert len(emulator.requests) == 1


@pytest.mark.process
def test_concurrent_changes_are_all_applied(
    session: Session,
    emulator: LocalEmulator,
    tmp_path: Path,
    instance_state: Truth,
) -> None:
    """Two extensions and a description: none undoes another."""
    was = instance_state()["stops_at"]
    run_concurrently(
        emulator, tmp_path, "session.extend()", "session.describe('new')", "session.extend()"
    )
    assert instance_state()["description"] == "new"
    moved = (
        expected_stop_time(session, instance_state()) - was
        # The clock of the emulator stands still, that of the processes does not.
    )
    assert abs(moved - 2 * HOUR) < MINUTE


@pytest.mark.parametrize("what", [{"stops_at": None}, {"mode": Mode.IDLE}])
def test_update_is_refused_if_auto_stop_has_changed(
    make_session: Callable[..., Session], emulator: LocalEmulator, what: dict[str, Any]
) -> None:
    """Mode and unknown stop time count, too; nothing is sent."""
    session = make_session()
    now = session.refresh()
    seen = replace(now, auto_stop=replace(now.auto_stop, **what))
    with pytest.raises(RefusedError) as caught:
        session.update(auto_stop=AutoStopRequest(time_left=2 * HOUR), seen=seen)
    assert caught.value.code == "refuse.edit_conflict"
    assert {one["method"] for one in emulator.requests} == {"GET"}


def test_check_publishes_changes_that_were_read_already(
    make_session: Callable[..., Session],
) -> None:
    """A command may have read the change from the store before; subscribers are notified once."""
    session, other = make_session(), make_session()
    session.refresh()
    descriptions: list[str] = []
    unsubscribe = session.subscribe(
        lambda instance: descriptions.append(instance.description), follow_store=False
    )
    # Sessions with one key notify each other within the process.
    other._cache._key = "another process"
    other.describe("from afar")
    # Reading the cache does not notify subscribers.
    assert session.last_known().description == "from afar"
    assert descriptions == []
    session.check_for_updates()
    session.check_for_updates()
    session.refresh()
    assert descriptions == ["from afar"]
    unsubscribe()
