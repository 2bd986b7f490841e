"""Every fault of the emulator x every command x every API and edition: no false success, no loss, no hang."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

import pytest
from api_versions import API_VERSIONS, duration_origin, expected_stop_time
from matrix import all_pairs

from modelarts_magics.api.request import MAX_RESPONSE_BYTES
from modelarts_magics.domain.clock import Clock
from modelarts_magics.domain.models import Change, Effect, Instance
from modelarts_magics.domain.planning import AutoStopRequest
from modelarts_magics.emulator.clock import ManualClock
from modelarts_magics.emulator.faults import FAULT_KINDS
from modelarts_magics.errors import ModelArtsError, PartialUpdateError

if TYPE_CHECKING:
    from api_versions import ApiVersion
    from conftest import InstantSleepClock

    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.session.session import Session

    Connect = Callable[..., Session]
    Put = Callable[..., dict[str, Any]]
    Truth = Callable[[], dict[str, Any]]

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
OLD, NEW = "原来的 description", "新的 description ☕"


@pytest.fixture
def emulator(make_emulator: Callable[..., LocalEmulator]) -> LocalEmulator:
    """One whose clock stands still, so that it can be put back to the same state exactly."""
    return make_emulator(clock=ManualClock())


@pytest.fixture
def opened(
    make_session: Connect, emulator: LocalEmulator, instant_clock: InstantSleepClock
) -> Callable[..., Session]:
    """Open sessions whose clock is the emulator's, and in which nobody waits."""
    now, plain = emulator.account.clock.now, instant_clock.clock
    clock = Clock(now=now, monotonic=plain.monotonic, sleep=plain.sleep)
    return lambda **how: make_session(clock=clock, **how)


ACTIONS: dict[str, Callable[[Session], Instance | Change]] = {
    "refresh": lambda session: session.refresh(),
    "describe": lambda session: session.describe(NEW),
    "auto-stop": lambda session: session.set_auto_stop(AutoStopRequest(duration=4 * HOUR)),
    "extend": lambda session: session.extend(HOUR),
    "shorten": lambda session: session.shorten(HOUR),
    "update": lambda session: session.update(
        description=NEW, auto_stop=AutoStopRequest(duration=4 * HOUR)
    ),
    "stop": lambda session: session.stop(),
}


class Aim(NamedTuple):
    """What an action would make of the instance."""

    description: str
    end: datetime
    status: str


def aim(action: str, session: Session, was: dict[str, Any]) -> Aim:
    """What it is after, from the state before."""
    ends = {
        "auto-stop": duration_origin(session, was) + 4 * HOUR,
        "extend": was["stops_at"] + HOUR,
        "shorten": was["stops_at"] - HOUR,
        "update": duration_origin(session, was) + 4 * HOUR,
    }
    return Aim(
        description=NEW if action in ("describe", "update") else OLD,
        end=ends.get(action, was["stops_at"]),
        status="STOPPING" if action == "stop" else "RUNNING",
    )


QUICK: list[tuple[str, str | None]] = [
    ("401", None),
    ("403", None),
    ("404", None),
    ("429", None),
    ("500", None),
    ("502", None),
    ("503", None),
    ("html", "200"),
    ("redirect", None),
    ("reset", None),
    ("bad-json", None),
    ("empty", None),
    ("no-content", None),
    ("truncated", None),
    ("reset-after", None),
    ("applied-500", None),
    ("oversized", str(MAX_RESPONSE_BYTES)),
    ("ignored", None),
    ("echoed", None),
    ("stale", None),
    ("wrong-types", None),
    ("no-stop-timestamp", None),
    ("no-remain-time", None),
    ("disagreeing-remain", None),
    ("no-date", None),
]
VARIANTS: list[tuple[str, str | None]] = [
    ("401", "APIGW.0301"),
    ("429", "2"),
    ("503", "2"),
    ("html", "503"),
    ("wrong-types", "stop_timestamp"),
    ("wrong-types", "duration"),
    ("wrong-types", "enable"),
]
"""For the actions that touch everything; what they vary is read in one place for all actions."""
SLOW = [("drip", "0.1"), ("delay", "60"), ("late-apply", "0.1")]
"""The first two take a minute or more, to tell who gives up in time from who does not."""
AT_MOST_S = 10
"""How long a call may take that is given up at once, on a machine that does much else."""


EVERYWHERE = ("refresh", "update", "stop")
"""Actions that are struck in every place; the others go one of their ways, with less to write."""


def verbs(action: str, generation: ApiVersion) -> tuple[str, ...]:
    """What an action is sent by, in this order."""
    if action in ("describe", "stop"):
        return ("PUT",) if action == "describe" else ("POST",)
    both = action == "update" and generation.separate_auto_stop_request
    return ("PUT", generation.auto_stop_method) if both else (generation.auto_stop_method,)


def scenes(action: str, generation: ApiVersion) -> dict[str, dict[str, Any]]:
    """Where a fault can strike; one that strikes all reads of a write shows in reading already."""
    reads = {"methods": ("GET",)}
    if action == "refresh":
        return {"the read, once": {**reads, "times": 1}, "every read": reads}
    sent = verbs(action, generation)
    found: dict[str, dict[str, Any]] = {
        **{f"{verb}, once": {"methods": (verb,), "times": 1} for verb in sent},
        "all but the first read": {"skip": 1},
    }
    if action in EVERYWHERE:
        found["the first read"] = {**reads, "times": 1}
        found.update({verb: {"methods": (verb,)} for verb in sent})
        found["the reading back, once"] = {**reads, "skip": 1, "times": 1}
        found["the reading back"] = {**reads, "skip": 1}
    return found


def named(case: tuple[str, str | None]) -> str:
    """The fault as the command line writes it."""
    name, arg = case
    return name if arg is None else f"{name}:{arg}"


def cell_name(value: object) -> str:
    """The part of a test's id for a fault, an action or an API."""
    return named(value) if isinstance(value, tuple) else str(value)


def prepare(emulator: LocalEmulator, put: Put) -> None:
    """Two of three hours left, a description that could be lost, no reminder."""
    emulator.clear_faults()
    put(
        description=OLD,
        status="RUNNING",
        auto_stop={"enable": True, "duration": 3 * 3600, "prompt": False},
        minutes_left=120,
    )


AIMED_AT = ("description", "status", "stops_at", "running_since", "duration_s")
"""What an action may change; nothing else ever changes."""


def check(
    outcome: object, session: Session, aimed: Aim, *, was: dict[str, Any], now: dict[str, Any]
) -> None:
    """Hold an outcome against what the emulator itself has."""
    assert {**now, **{key: was[key] for key in AIMED_AT}} == was
    assert now["description"] in (OLD, aimed.description)
    assert now["status"] in ("RUNNING", aimed.status)
    if now["status"] == "RUNNING":
        kept = near(expected_stop_time(session, now), was["stops_at"])
        assert kept or near(expected_stop_time(session, now), aimed.end)
        assert now["stops_at"] == was["stops_at"] or not kept
    if isinstance(outcome, ModelArtsError):
        check_error(outcome, session, was=was, now=now)
    elif isinstance(outcome, Instance):
        check_instance(outcome, now)
    else:
        assert isinstance(outcome, Change)
        check_change(outcome, session, aimed, now=now)


def check_error(
    error: ModelArtsError, session: Session, *, was: dict[str, Any], now: dict[str, Any]
) -> None:
    """It has words and a way out; and what it says of the instance is so."""
    assert error.message.strip()
    assert error.hint.strip()
    if isinstance(error, PartialUpdateError):
        assert now["description"] == NEW
        assert near(expected_stop_time(session, now), was["stops_at"])
    elif error.code == "outcome_unknown.not_applied":
        assert f"“{now['description']}”" in error.message


def check_instance(seen: Instance, now: dict[str, Any]) -> None:
    """What is said of the instance is so; what is not known is not said."""
    stop = seen.auto_stop
    assert (seen.description, seen.status.value) == (now["description"], now["status"])
    assert (stop.enabled, stop.prompt) == (now["enable"], now.get("prompt"))
    if stop.duration is None:  # without what it counts from, no run time is said
        assert stop.stops_at is None
    else:
        assert abs(stop.duration - timedelta(seconds=now["duration_s"])) < SECOND
    if seen.running:
        assert (stop.stops_at is None) is (stop.stop_time_unknown is not None)
    if stop.stops_at is not None:
        assert near(stop.stops_at, now["stops_at"])


def check_change(change: Change, session: Session, aimed: Aim, *, now: dict[str, Any]) -> None:
    """An effect that is claimed is there, all of it."""
    assert (change.after is None) is (change.read_back_error is not None)
    if change.effect is Effect.UNCONFIRMED:
        return
    assert change.after is not None
    check_instance(change.after, now)
    assert (now["description"], now["status"]) == (aimed.description, aimed.status)
    if aimed.status == "RUNNING":
        assert near(expected_stop_time(session, now), aimed.end)
        followed = near(now["stops_at"], aimed.end)
        assert change.effect is (Effect.NOW if followed else Effect.NEXT_START)


def near(one: datetime, other: datetime) -> bool:
    """Whether two moments are the same; requests have whole seconds."""
    return abs(one - other) <= 2 * SECOND


def play(action: str, session: Session, truth: Truth) -> object:
    """Do it, in time, and hold the outcome against the truth."""
    was, start = truth(), time.monotonic()
    aimed = aim(action, session, was)
    outcome: object
    try:
        outcome = ACTIONS[action](session)
    except ModelArtsError as error:
        outcome = error
    assert time.monotonic() - start < AT_MOST_S
    check(outcome, session, aimed, was=was, now=truth())
    return outcome


@pytest.mark.parametrize(
    ("case", "action", "api_version"),
    [
        *all_pairs(QUICK, list(ACTIONS), API_VERSIONS, name=cell_name),
        *all_pairs(VARIANTS, EVERYWHERE, API_VERSIONS, name=cell_name),
    ],
)
def test_a_fault_is_survived(  # noqa: PLR0913 - two dimensions and five fixtures
    case: tuple[str, str | None],
    action: str,
    emulator: LocalEmulator,
    api_version: ApiVersion,
    opened: Connect,
    set_instance: Put,
    instance_state: Truth,
) -> None:
    """In every place where it can strike; and the same session works when it is over."""
    name, arg = case
    for scene, how in scenes(action, api_version).items():
        prepare(emulator, set_instance)
        emulator.add_fault(name, arg=arg, **how)
        session = opened(state=scene)
        play(action, session, instance_state)
        emulator.clear_faults()
        check_instance(session.refresh(), instance_state())
        session.close()


@pytest.mark.parametrize(
    ("case", "action", "api_version"),
    all_pairs(SLOW, list(ACTIONS), API_VERSIONS, name=cell_name),
)
def test_a_fault_that_takes_time_is_given_up(  # noqa: PLR0913 - two dimensions and five fixtures
    case: tuple[str, str],
    action: str,
    emulator: LocalEmulator,
    api_version: ApiVersion,
    opened: Connect,
    set_instance: Put,
    instance_state: Truth,
) -> None:
    """Once the time is over that the whole call has, whatever is still to come."""
    prepare(emulator, set_instance)
    how = {} if action == "refresh" else {"methods": verbs(action, api_version)[-1:], "times": 1}
    emulator.add_fault(case[0], arg=case[1], **how)
    play(action, opened(total_timeout="0.15"), instance_state)
    emulator.clear_faults()
    assert opened().refresh()


@pytest.mark.parametrize("action", ACTIONS)
def test_without_a_fault_it_works(  # noqa: PLR0913 - one dimension and five fixtures
    action: str,
    emulator: LocalEmulator,
    opened: Connect,
    set_instance: Put,
    instance_state: Truth,
    api_version: ApiVersion,
) -> None:
    """So that the tests above do not hold because nothing ever succeeds."""
    prepare(emulator, set_instance)
    session, was = opened(), instance_state()
    aimed = aim(action, session, was)
    outcome, now = play(action, session, instance_state), instance_state()
    assert (now["description"], now["status"]) == (aimed.description, aimed.status)
    if aimed.status == "RUNNING":
        assert near(expected_stop_time(session, now), aimed.end)
    if isinstance(outcome, Change):
        of_the_run = aimed.end != was["stops_at"]
        assert outcome.effect is (api_version.run_time_effect if of_the_run else Effect.NOW)


def test_no_fault_is_left_out() -> None:
    """One that is added to the emulator has to be added here."""
    assert {name for name, _ in [*QUICK, *SLOW]} == set(FAULT_KINDS)
