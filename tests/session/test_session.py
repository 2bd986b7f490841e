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
from generations import WRITING, base, meant, only_demanager
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelarts_magics.domain.clock import SYSTEM_CLOCK, Clock
from modelarts_magics.domain.description import FULL_WIDTH
from modelarts_magics.domain.models import Effect, EndUnknown, Mode
from modelarts_magics.domain.planning import Wish
from modelarts_magics.emulator.clock import ManualClock
from modelarts_magics.errors import (
    DescriptionError,
    DurationError,
    ForbiddenError,
    InputError,
    ModelArtsError,
    RefusedError,
    RejectedValueError,
    ServerError,
    StoreError,
    UnreachableError,
    UnsettledError,
    WrongStateError,
)
from modelarts_magics.session.updater import SECOND_LOOK

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Pastime
    from generations import Generation

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


def wishes(able: Capabilities) -> list[Wish]:
    """One of each sort that an API takes; off is tried also where it is not documented."""
    taken = [Wish(duration=2 * HOUR), Wish(enabled=False, insist=not able.off)]
    taken += [Wish(prompt=False)] if able.prompt else []
    return [*taken, Wish(mode=Mode.IDLE)] if able.idle else taken


@pytest.fixture
def emulator(make_emulator: Callable[..., LocalEmulator]) -> LocalEmulator:
    """One whose clock stands still, and that takes what is tried without being documented."""
    return make_emulator(clock=ManualClock(), patch_off="accept")


@pytest.fixture
def session(connected: Connect, emulator: LocalEmulator, pastime: Pastime) -> Session:
    """A session, by the emulator's clock, on an instance that stops in 40 minutes, after one hour."""
    now, plain = emulator.world.clock.now, pastime.clock
    return connected(clock=Clock(now=now, monotonic=plain.monotonic, sleep=plain.sleep))


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("before", DESCRIPTIONS)
def test_a_description_leaves_auto_stop_alone(  # noqa: PLR0913 - two dimensions and four fixtures
    before: str | None,
    stop: str,
    session: Session,
    put: Put,
    truth: Truth,
    writes: Writes,
) -> None:
    """In every state, whatever was stored before; and it replaces what could not be entered."""
    put(description=before, **STOPS[stop])
    was = truth()
    change = session.describe("after 之后 ☕")
    assert change.effect is Effect.NOW
    assert change.after is not None
    assert (change.before.description, change.after.description) == (before or "", "after 之后 ☕")
    assert truth() == {**was, "description": "after 之后 ☕"}
    assert [each["body"] for each in writes()] == [{"description": "after 之后 ☕"}]


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("before", DESCRIPTIONS)
def test_auto_stop_leaves_the_description_alone(  # noqa: PLR0913 - two dimensions and four fixtures
    before: str | None,
    stop: str,
    session: Session,
    put: Put,
    truth: Truth,
    generation: Generation,
) -> None:
    """And the reminder; where something stands in the way, nothing changes at all."""
    put(description=before, **STOPS[stop])
    was = truth()
    runs, kept = was["status"] == "RUNNING", session.capabilities.kept
    if not (runs or kept) or (before in (ILLEGAL, HALF) and not generation.apart):
        with pytest.raises(RejectedValueError if kept else RefusedError):
            session.set_auto_stop(Wish(duration=3 * HOUR))
        assert truth() == was
        return
    end = base(session, was) + 3 * HOUR if runs else None
    change = session.set_auto_stop(Wish(duration=3 * HOUR))
    now = truth()
    assert (now["description"] or "") == (before or "")
    assert (now["enable"], now.get("prompt")) == (True, was.get("prompt"))
    assert near(meant(session, now), end) if end else now["duration_s"] == 3 * 3600
    moved = now["stops_at"] != was["stops_at"]
    assert change.effect is (Effect.NOW if moved else Effect.NEXT_START)
    waits = not runs or (was["enable"] and not generation.follows)
    assert moved is not waits
    assert change.after is not None
    assert (change.after.auto_stop.duration == 3 * HOUR) is kept


@only_demanager
@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("prompt", [True, False])
def test_the_reminder_alone_changes_nothing_else(
    prompt: bool, stop: str, session: Session, put: Put, truth: Truth
) -> None:
    """`enable` is false by default and must not become so."""
    put(**STOPS[stop])
    put(auto_stop={"prompt": not prompt})
    was = truth()
    change = session.set_auto_stop(Wish(prompt=prompt))
    assert truth() == {**was, "prompt": prompt}
    assert change.effect is Effect.NOW or (was["status"], was["enable"]) == ("STOPPED", True)


@pytest.mark.parametrize("stop", STOPS)
def test_off_and_on_again(stop: str, session: Session, put: Put, truth: Truth) -> None:
    """Off holds at once; on takes the duration of before, though the cloud shows it no longer."""
    put(**STOPS[stop])
    was = truth()
    session.refresh()
    able, runs = session.capabilities, was["status"] == "RUNNING"
    off, on = Wish(enabled=False, insist=not able.off), Wish(enabled=True)
    if not (runs or able.kept):
        for wish in (off, on):
            with pytest.raises((RefusedError, WrongStateError)):
                session.set_auto_stop(wish)
        assert truth() == was
        return
    assert session.set_auto_stop(off).effect is Effect.NOW
    assert truth() == {**was, "enable": False, "stops_at": None}
    length = timedelta(seconds=was["duration_s"]) if able.kept and was["enable"] else HOUR
    end = base(session, was) + length if runs else None
    change = session.set_auto_stop(on)
    now = truth()
    assert (now["enable"], now.get("prompt")) == (True, was.get("prompt"))
    assert near(now["stops_at"], end) if end else now["stops_at"] is None
    assert timedelta(seconds=now["duration_s"]) == length or not able.kept
    assert change.effect is (Effect.NOW if runs else Effect.NEXT_START)


@settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    text=st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="".join(FULL_WIDTH)),
        max_size=512,
    )
)
def test_any_legal_text_arrives_as_it_is(session: Session, truth: Truth, text: str) -> None:
    """Control characters, emoji, right to left: what was entered is what is stored."""
    was = truth()
    assert session.describe(text).effect is Effect.NOW
    assert truth() == {**was, "description": text}


def test_full_width_forms_on_request(session: Session, truth: Truth) -> None:
    """Never silently, but where it is asked for."""
    session.describe("2026/11/23", full_width=True)
    assert truth()["description"] == "2026／11／23"  # noqa: RUF001 - full width is the point


def test_a_bad_description_is_not_even_read_for(session: Session, emulator: LocalEmulator) -> None:
    """Nothing at all is sent, in either way to set it."""
    for text in ["a/b", "<", "x" * 513, "ok \ud800", 'say "hi"', "it's", "a&b"]:
        with pytest.raises(DescriptionError):
            session.describe(text)
        with pytest.raises(DescriptionError):
            session.update(description=text, auto_stop=Wish(duration=2 * HOUR))
    assert not emulator.requests


def test_a_change_of_the_duration_says_when_it_holds(
    session: Session, truth: Truth, generation: Generation
) -> None:
    """Now, or from the next start in the edition of 2021; by what the cloud shows."""
    was = truth()
    wanted = base(session, was) + 2 * HOUR
    change = session.set_auto_stop(Wish(duration=2 * HOUR))
    assert change.effect is generation.effect
    assert change.after is not None
    assert change.after.auto_stop.stops_at is not None
    assert abs(change.after.auto_stop.stops_at - truth()["stops_at"]) < SECOND
    assert near(truth()["stops_at"], wanted if generation.follows else was["stops_at"])


@pytest.mark.parametrize(
    ("wish", "left"),
    [
        (lambda _: Wish(within=90 * MINUTE), 90 * MINUTE),
        (lambda now: Wish(until=now + 3 * HOUR), 3 * HOUR),
    ],
)
def test_an_end_is_counted_from_where_the_api_counts(
    wish: Callable[[datetime], Wish],
    left: timedelta,
    session: Session,
    truth: Truth,
    generation: Generation,
) -> None:
    """What a person wants from now, one API wants from the start of the run: 20 minutes more."""
    was = truth()
    over = session.now() - base(session, was)
    change = session.set_auto_stop(wish(session.now()))
    assert change.effect is generation.effect
    assert change.edit.auto_stop is not None
    assert change.edit.auto_stop.duration is not None
    assert abs(change.edit.auto_stop.duration - left - over) < 2 * SECOND
    assert near(meant(session, truth()), session.now() + left)
    assert over == (timedelta(0) if generation.apart else 20 * MINUTE)


def test_extend_and_shorten_move_the_end(
    session: Session, truth: Truth, generation: Generation
) -> None:
    """By so much; where a run keeps its end, from what is saved for the next start by then."""
    was = truth()["stops_at"]
    longer = session.extend("2h30m")
    assert longer.effect is generation.effect
    assert near(meant(session, truth()), was + 2.5 * HOUR)
    assert near(truth()["stops_at"], was + 2.5 * HOUR if generation.follows else was)
    shorter = session.shorten(HOUR)
    assert shorter.effect is generation.effect
    assert near(meant(session, truth()), was + 1.5 * HOUR)
    assert near(truth()["stops_at"], was + 1.5 * HOUR if generation.follows else was)


def test_up_to_the_longest_and_not_a_second_beyond(
    session: Session, truth: Truth, writes: Writes
) -> None:
    """Counted from where the API counts; a second more is not sent."""
    able, was = session.capabilities, truth()
    room = able.longest - (was["stops_at"] - base(session, was))
    with pytest.raises(RefusedError) as late:
        session.extend(room + SECOND)
    assert late.value.code == "refuse.too_late"
    assert not writes()
    session.extend(room)
    assert meant(session, truth()) == base(session, was) + able.longest


def test_down_to_the_shortest_and_not_a_second_below(
    session: Session, put: Put, truth: Truth, writes: Writes
) -> None:
    """Counted from where the API counts; a second less is not sent."""
    put(auto_stop={"duration": 7200}, minutes_left=100)
    able, was = session.capabilities, truth()
    room = was["stops_at"] - base(session, was) - able.shortest
    with pytest.raises(RefusedError) as early:
        session.shorten(room + SECOND)
    assert early.value.code == "refuse.too_early"
    assert not writes()
    session.shorten(room)
    assert meant(session, truth()) == base(session, was) + able.shortest


REFUSED: dict[str, tuple[dict[str, Any], Callable[[Session], object], type[ModelArtsError]]] = {
    "extend off": (STOPS["off"], lambda one: one.extend(), RefusedError),
    "shorten off": (STOPS["off"], lambda one: one.shorten(), RefusedError),
    "extend stopped": (STOPS["stopped"], lambda one: one.extend(), RefusedError),
    "extend starting": ({"status": "STARTING"}, lambda one: one.extend(), RefusedError),
    "extend past": (
        {"runs_down": False, "minutes_left": -5},
        lambda one: one.extend(),
        RefusedError,
    ),
    "extend too far": ({}, lambda one: one.extend(one.capabilities.longest), RefusedError),
    "extend for ever": ({}, lambda one: one.extend(timedelta(days=9999)), RefusedError),
    "extend by nothing": ({}, lambda one: one.extend(timedelta(0)), InputError),
    "extend backwards": ({}, lambda one: one.extend(-HOUR), InputError),
    "extend by words": ({}, lambda one: one.extend("a while"), DurationError),
    "shorten too far": ({}, lambda one: one.shorten("36m"), RefusedError),
    "too short": ({}, lambda one: one.set_auto_stop(Wish(duration=59 * MINUTE)), DurationError),
    "too long": (
        {},
        lambda one: one.set_auto_stop(Wish(duration=one.capabilities.longest + SECOND)),
        DurationError,
    ),
    "until a past moment": (
        {},
        lambda one: one.set_auto_stop(Wish(until=datetime(2020, 1, 1, tzinfo=timezone.utc))),
        RefusedError,
    ),
    "until next year": (
        {},
        lambda one: one.set_auto_stop(Wish(within=timedelta(days=365))),
        RefusedError,
    ),
    "until, but stopped": (
        STOPS["stopped"],
        lambda one: one.set_auto_stop(Wish(within=2 * HOUR)),
        RefusedError,
    ),
    "a good description beside it": (
        {},
        lambda one: one.update(
            description="good", auto_stop=Wish(duration=one.capabilities.longest + SECOND)
        ),
        DurationError,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_sense_is_not_sent(
    name: str, session: Session, put: Put, truth: Truth, writes: Writes
) -> None:
    """The reason comes from here, with a hint, and the instance is as it was."""
    state, ask, kind = REFUSED[name]
    put(**state)
    was = truth()
    with pytest.raises(kind) as caught:
        ask(session)
    assert caught.value.message
    assert caught.value.hint
    assert not writes()
    assert truth() == was


@only_demanager
@pytest.mark.parametrize(
    ("left", "duration"),
    [(10 * MINUTE, 2 * HOUR), (63 * MINUTE, 4 * HOUR)],
    ids=["past", "in 3 minutes"],
)
def test_a_run_that_would_end_at_once_is_not_asked_for(  # noqa: PLR0913 - two values and four fixtures
    left: timedelta, duration: timedelta, session: Session, put: Put, truth: Truth, writes: Writes
) -> None:
    """Of a run of five hours, so much is over that the shorter one would be."""
    put(auto_stop={"duration": 18000}, minutes_left=left / MINUTE)
    was = truth()
    with pytest.raises(RefusedError) as caught:
        session.set_auto_stop(Wish(duration=duration))
    assert caught.value.hint
    assert not writes()
    assert truth() == was


@only_demanager
def test_an_end_that_is_told_in_two_ways_is_not_extended(
    session: Session, emulator: LocalEmulator
) -> None:
    """Where the cloud's two statements disagree, nothing is made of either."""
    emulator.fault("disagreeing-remain")
    assert session.refresh().auto_stop.end_unknown is EndUnknown.DISAGREE
    with pytest.raises(RefusedError) as caught:
        session.extend()
    assert caught.value.code == "refuse.unknown_end"


def test_an_end_that_is_not_told_is_not_extended(session: Session, emulator: LocalEmulator) -> None:
    """Nothing is made up."""
    emulator.fault("no-stop-timestamp")
    emulator.fault("no-remain-time")
    assert session.refresh().auto_stop.end_unknown is EndUnknown.MISSING
    with pytest.raises(RefusedError) as caught:
        session.extend()
    assert caught.value.code == "refuse.unknown_end"


def test_description_and_auto_stop_are_set_in_one_go(
    session: Session, truth: Truth, generation: Generation
) -> None:
    """However many requests that takes, there is one outcome for both."""
    end = base(session, truth()) + 2 * HOUR
    change = session.update(description="both", auto_stop=Wish(duration=2 * HOUR))
    assert change.effect is generation.effect
    assert truth()["description"] == "both"
    assert near(meant(session, truth()), end)


@only_demanager
def test_description_and_auto_stop_travel_in_one_put(session: Session, writes: Writes) -> None:
    """Both or none."""
    session.update(description="both", auto_stop=Wish(duration=2 * HOUR))
    stop = {"enable": True, "duration": 7200, "prompt": True}
    assert [each["body"] for each in writes()] == [
        {"description": "both", "spec": {"auto_stop": stop}}
    ]


def test_what_this_cloud_does_is_said_before_writing(
    connected: Connect, writes: Writes, generation: Generation
) -> None:
    """Once it was seen to let a duration wait; also in a session that did not see it."""
    told: list[tuple[str, int]] = []
    first, second = connected(), connected()
    for session in (first, second):
        session.notice = lambda message: told.append((str(message), len(writes())))
    first.extend()
    assert not told
    second.extend(2 * HOUR)
    second.describe("which needs no warning")
    if second.capabilities.prompt:  # nor does this
        second.set_auto_stop(Wish(prompt=False))
    if second.capabilities.off:
        second.set_auto_stop(Wish(enabled=False))
    if generation.follows:
        assert not told
    else:
        ((words, sent),) = told
        assert "next start" in words
        assert sent == 1


def test_undoing_what_waits_holds_at_once_and_unteaches_nothing(
    session: Session, generation: Generation
) -> None:
    """The run never followed, so its end is the one that is asked for again."""
    session.extend()
    undone = session.set_auto_stop(Wish(duration=HOUR))
    assert undone.effect is Effect.NOW
    assert bool(session._memory.waits) is not generation.follows


def test_a_read_back_that_fails_leaves_the_effect_open(
    session: Session, emulator: LocalEmulator, truth: Truth
) -> None:
    """The write was accepted; whether it holds was not said."""
    emulator.fault("500", methods=("GET",), skip=1)
    change = session.describe("new")
    assert change.effect is Effect.UNCONFIRMED
    assert change.after is None
    assert isinstance(change.problem, ServerError)
    assert truth()["description"] == "new"


def test_a_late_read_back_is_looked_at_again(
    session: Session, emulator: LocalEmulator, truth: Truth
) -> None:
    """A cloud whose reads lag behind its writes is given a second."""
    emulator.fault("stale", methods=("GET",), skip=1, times=1)
    assert session.describe("new").effect is Effect.NOW
    assert truth()["description"] == "new"


@pytest.mark.parametrize("fault", ["ignored", "echoed"])
def test_a_change_that_does_not_show_is_not_claimed(
    fault: str, session: Session, emulator: LocalEmulator, truth: Truth
) -> None:
    """Whatever the answer of the write pretends."""
    emulator.fault(fault, methods=WRITING)
    was = truth()
    assert session.describe("new").effect is Effect.UNCONFIRMED
    assert session.extend().effect is Effect.UNCONFIRMED
    for wish in wishes(session.capabilities):
        assert session.set_auto_stop(wish).effect is Effect.UNCONFIRMED
    assert truth() == was


@pytest.mark.parametrize("fault", ["applied-500", "reset-after", "truncated", "bad-json"])
def test_a_write_that_failed_and_holds_is_a_success(
    fault: str, session: Session, emulator: LocalEmulator, writes: Writes, truth: Truth
) -> None:
    """Reading back settles it, without a second write."""
    emulator.fault(fault, methods=WRITING)
    assert session.describe("new").effect is Effect.NOW
    assert len(writes()) == 1
    assert truth()["description"] == "new"


@pytest.mark.parametrize("fault", ["500", "502", "503", "reset", "html", "redirect"])
def test_a_write_that_failed_and_does_not_show_is_sent_once_more(
    fault: str, session: Session, emulator: LocalEmulator, writes: Writes, truth: Truth
) -> None:
    """It is the same twice as once."""
    emulator.fault(fault, methods=WRITING, times=1)
    assert session.describe("new").effect is Effect.NOW
    assert len(writes()) == 2
    assert truth()["description"] == "new"


def test_a_write_that_never_shows_says_what_holds(
    session: Session, emulator: LocalEmulator, writes: Writes, truth: Truth
) -> None:
    """End and description as read back, and why it failed."""
    emulator.set_instance(description="as it was")
    was = truth()
    emulator.fault("500", methods=WRITING)
    with pytest.raises(UnsettledError) as caught:
        session.extend()
    assert len(writes()) == 2
    assert truth() == was
    end = was["stops_at"].astimezone(timezone(8 * HOUR))
    assert "as it was" in caught.value.message
    assert f"{end:%H:%M}" in caught.value.message
    assert "ModelArts.0010" in caught.value.message
    assert isinstance(caught.value.cause, ServerError)
    assert caught.value.hint


def test_a_write_refused_at_the_second_try_says_what_holds(
    session: Session, emulator: LocalEmulator
) -> None:
    """The first may yet arrive, so the refusal of the second is not the whole answer."""
    emulator.fault("500", methods=WRITING, times=1)
    emulator.fault("403", methods=WRITING)
    with pytest.raises(UnsettledError) as caught:
        session.describe("new")
    assert caught.value.code == "unsettled.not_applied"
    assert isinstance(caught.value.cause, ForbiddenError)
    assert "Demo instance" in caught.value.message


def test_a_second_try_that_cannot_be_read_back_is_unconfirmed(
    session: Session, emulator: LocalEmulator, truth: Truth
) -> None:
    """It was accepted: that is no failure, and no proof."""
    emulator.fault("500", methods=WRITING, times=1)
    emulator.fault("500", methods=("GET",), skip=2)
    change = session.describe("new")
    assert (change.effect, change.after) == (Effect.UNCONFIRMED, None)
    assert isinstance(change.problem, ServerError)
    assert truth()["description"] == "new"


def test_a_second_try_that_fails_too_and_cannot_be_read_back_is_unsettled(
    session: Session, emulator: LocalEmulator
) -> None:
    """What was read back after the first tells nothing of the second."""
    emulator.fault("500", methods=WRITING)
    emulator.fault("500", methods=("GET",), skip=2)
    with pytest.raises(UnsettledError) as caught:
        session.describe("new")
    assert caught.value.code == "unsettled.unread"
    assert isinstance(caught.value.cause, ServerError)


def test_the_last_read_back_of_a_write_that_failed_is_looked_at_again(
    session: Session, emulator: LocalEmulator, pastime: Pastime
) -> None:
    """The one before the second try is not: that settles it."""
    emulator.fault("500", methods=WRITING, times=1)
    assert session.describe("new").effect is Effect.NOW
    assert SECOND_LOOK not in pastime.slept
    emulator.fault("500", methods=WRITING, times=1)
    emulator.fault("applied-500", methods=WRITING, skip=1, times=1)
    emulator.fault("stale", methods=("GET",), skip=2, times=1)
    assert session.describe("newer").effect is Effect.NOW
    assert pastime.slept.count(SECOND_LOOK) == 1


def test_a_failed_write_that_cannot_be_read_back_is_unsettled(
    session: Session, emulator: LocalEmulator
) -> None:
    """Neither the outcome nor the instance is known, and that is what is said."""
    emulator.fault("reset-after", methods=WRITING)
    emulator.fault("500", methods=("GET",), skip=1)
    with pytest.raises(UnsettledError) as caught:
        session.extend()
    assert caught.value.code == "unsettled.unread"
    assert isinstance(caught.value.cause, UnreachableError)


@only_demanager
def test_a_stored_description_that_is_illegal_is_named(
    session: Session, emulator: LocalEmulator, truth: Truth, writes: Writes
) -> None:
    """Which character, where; it was carried as it is, and nothing changed."""
    emulator.set_instance(description="见 http://x")
    was = truth()
    with pytest.raises(RejectedValueError) as caught:
        session.extend()
    assert caught.value.code == "cloud.stored_description"
    assert "'/' at position 8" in caught.value.message
    assert caught.value.error_code == "ModelArts.6334"
    assert writes()[0]["body"]["description"] == "见 http://x"
    assert truth() == was
    assert session.describe("see there").effect is Effect.NOW
    assert session.extend().effect is not Effect.UNCONFIRMED


def test_each_call_has_a_time_of_its_own(connected: Connect, emulator: LocalEmulator) -> None:
    """A cloud that only drips ends the call, and neither lock nor session stays stuck."""
    session = connected(clock=SYSTEM_CLOCK, total_timeout="0.4")
    emulator.fault("drip", arg=0.05, times=1)
    with pytest.raises(UnreachableError):
        session.describe("new")
    assert connected(clock=SYSTEM_CLOCK).describe("newer").effect is Effect.NOW
    assert session.describe("newest").effect is Effect.NOW


def test_a_lock_that_is_held_for_too_long_is_an_error(connected: Connect, writes: Writes) -> None:
    """Reading needs no lock; writing waits for it, in vain."""
    holder, waiting = connected(), connected()
    with holder._alone():
        assert waiting.refresh()
        with pytest.raises(StoreError):
            waiting.describe("new")
        assert not writes()
    assert waiting.describe("new").effect is Effect.NOW


def test_without_a_place_for_the_store_everything_works(
    connected: Connect, tmp_path: Path, generation: Generation
) -> None:
    """Reading, changing, extending, and the knowledge of this run's start."""
    (tmp_path / "file").write_text("")
    session = connected(state="file/state")
    assert session.last_known() is None
    assert session.extend().effect is generation.effect
    assert session.extend(2 * HOUR).effect is generation.effect
    known = session.last_known()
    assert known is not None
    assert session.status(max_age=MINUTE) == known


def test_the_last_known_costs_nothing(connected: Connect, emulator: LocalEmulator) -> None:
    """It is what any process saw, and None where none did."""
    session = connected()
    assert session.last_known() is None
    assert not emulator.requests
    seen = connected().refresh()
    assert session.last_known() == seen
    assert len(emulator.requests) == 1


def test_a_change_is_known_everywhere_at_once(connected: Connect, emulator: LocalEmulator) -> None:
    """What a magic changed, the server reads from the store."""
    watcher = connected()
    watcher.refresh()
    change = connected().describe("new")
    count = len(emulator.requests)
    assert watcher.status(max_age=MINUTE) == change.after
    assert len(emulator.requests) == count


def test_many_threads_that_want_to_know_ask_once(
    connected: Connect, emulator: LocalEmulator
) -> None:
    """One session or several, it is one question to the cloud."""
    sessions = [connected(clock=SYSTEM_CLOCK) for _ in range(4)]
    with ThreadPoolExecutor(12) as pool:
        seen = list(pool.map(lambda one: one.status(max_age=MINUTE), sessions * 3))
    assert len(emulator.requests) == 1
    assert all(each == seen[0] for each in seen)


def test_who_wants_it_fresher_asks_again(connected: Connect, emulator: LocalEmulator) -> None:
    """And who asks for no age at all, always."""
    session = connected()
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


def test_processes_that_want_to_know_ask_once(emulator: LocalEmulator, tmp_path: Path) -> None:
    """One instance, one voice."""
    act_at_once(emulator, tmp_path, *["session.status(max_age=timedelta(minutes=1))"] * 3)
    assert len(emulator.requests) == 1


def test_processes_that_change_at_once_lose_nothing(
    session: Session,
    emulator: LocalEmulator,
    tmp_path: Path,
    truth: Truth,
) -> None:
    """Two extensions and a description: none of them puts back what another changed."""
    was = truth()["stops_at"]
    act_at_once(
        emulator, tmp_path, "session.extend()", "session.describe('new')", "session.extend()"
    )
    assert truth()["description"] == "new"
    moved = meant(session, truth()) - was  # the cloud's clock stands still, and theirs goes on
    assert abs(moved - 2 * HOUR) < MINUTE


@pytest.mark.parametrize("what", [{"stops_at": None}, {"mode": Mode.IDLE}])
def test_what_was_seen_of_auto_stop_must_still_hold(
    connected: Callable[..., Session], emulator: LocalEmulator, what: dict[str, Any]
) -> None:
    """Also its mode, and that no end was known; nothing is sent."""
    session = connected()
    now = session.refresh()
    seen = replace(now, auto_stop=replace(now.auto_stop, **what))
    with pytest.raises(RefusedError) as caught:
        session.update(auto_stop=Wish(within=2 * HOUR), seen=seen)
    assert caught.value.code == "refuse.changed_elsewhere"
    assert {one["method"] for one in emulator.requests} == {"GET"}
