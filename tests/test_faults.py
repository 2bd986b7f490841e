"""Every fault with every command, API and edition: no false success, no loss, no hang."""

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
    """Return an emulator whose clock stands still, so that its state can be restored exactly."""
    return make_emulator(clock=ManualClock())


@pytest.fixture
def opened(
    make_session: Connect, emulator: LocalEmulator, instant_clock: InstantSleepClock
) -> Callable[..., Session]:
    """Open sessions with the clock of the emulator and without waiting."""
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


class ExpectedState(NamedTuple):
    """The state that an action should produce."""

    description: str
    end: datetime
    status: str


def expected_state(action: str, session: Session, was: dict[str, Any]) -> ExpectedState:
    """Return the expected state after an action."""
    ends = {
        "auto-stop": duration_origin(session, was) + 4 * HOUR,
        "extend": was["stops_at"] + HOUR,
        "shorten": was["stops_at"] - HOUR,
        "update": duration_origin(session, was) + 4 * HOUR,
    }
    return ExpectedState(
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
    ("other-value", "prompt=1"),
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
    ("other-value", "duration=-3600"),
    ("other-value", "remain_time=7200000"),
]
"""The variants of a fault, for the actions that use everything; the others use one variant."""
SLOW = [("drip", "0.1"), ("delay", "60"), ("late-apply", "0.1")]
"""The first two faults take a minute or more, to show whether a call ends at its timeout."""
AT_MOST_S = 10
"""Seconds that a call may take that ends at once, on a busy machine."""


FULLY_TESTED = ("refresh", "update", "stop")
"""The actions that are tested with a fault at every request; the others are parts of them."""


def methods(action: str, generation: ApiVersion) -> tuple[str, ...]:
    """Return the methods of the requests of an action, in order."""
    if action in ("describe", "stop"):
        return ("PUT",) if action == "describe" else ("POST",)
    both = action == "update" and generation.separate_auto_stop_request
    return ("PUT", generation.auto_stop_method) if both else (generation.auto_stop_method,)


def fault_positions(action: str, generation: ApiVersion) -> dict[str, dict[str, Any]]:
    """Return the requests at which a fault can occur."""
    reads = {"methods": ("GET",)}
    if action == "refresh":
        return {"the read, once": {**reads, "times": 1}, "every read": reads}
    sent = methods(action, generation)
    found: dict[str, dict[str, Any]] = {
        **{f"{verb}, once": {"methods": (verb,), "times": 1} for verb in sent},
        "all but the first read": {"skip": 1},
    }
    if action in FULLY_TESTED:
        found["the first read"] = {**reads, "times": 1}
        found.update({verb: {"methods": (verb,)} for verb in sent})
        found["the reading back, once"] = {**reads, "skip": 1, "times": 1}
        found["the reading back"] = {**reads, "skip": 1}
    return found


def named(case: tuple[str, str | None]) -> str:
    """Return the fault in the form of the command line."""
    name, arg = case
    return name if arg is None else f"{name}:{arg}"


def cell_name(value: object) -> str:
    """Return the part of a test ID for a fault, an action or an API."""
    return named(value) if isinstance(value, tuple) else str(value)


def prepare(emulator: LocalEmulator, put: Put) -> None:
    """Set two of three hours left, a description and no reminder."""
    emulator.clear_faults()
    put(
        description=OLD,
        status="RUNNING",
        auto_stop={"enable": True, "duration": 3 * 3600, "prompt": False},
        minutes_left=120,
    )


CHANGED_BY = ("description", "status", "stops_at", "running_since", "duration_s")
"""The fields that an action may change; all others stay the same."""


def check(
    outcome: object,
    session: Session,
    aimed: ExpectedState,
    *,
    was: dict[str, Any],
    now: dict[str, Any],
) -> None:
    """Compare an outcome with the state of the emulator."""
    assert {**now, **{key: was[key] for key in CHANGED_BY}} == was
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
    """Check that an error has a message and a hint, and that what it says is true."""
    assert error.message.strip()
    assert error.hint.strip()
    if isinstance(error, PartialUpdateError):
        assert now["description"] == NEW
        assert near(expected_stop_time(session, now), was["stops_at"])
    elif error.code == "outcome_unknown.not_applied":
        assert f"“{now['description']}”" in error.message


def check_instance(seen: Instance, now: dict[str, Any]) -> None:
    """Check that an instance equals the state of the emulator, or is unknown."""
    stop, odd = seen.auto_stop, seen.implausible
    assert seen.description == now["description"] or "description" in odd
    assert seen.status.value == now["status"] or "status" in odd
    assert stop.enabled == now["enable"] or not stop.is_known
    assert stop.prompt == now.get("prompt") or (stop.prompt is None and odd)
    # Without its start a lease has no run time.
    if stop.duration is None:
        assert stop.stops_at is None or odd
    else:
        assert abs(stop.duration - timedelta(seconds=now["duration_s"])) < SECOND
    if seen.running:
        assert (stop.stops_at is None) is (stop.stop_time_unknown is not None)
    if stop.stops_at is not None:
        assert near(stop.stops_at, now["stops_at"])


def check_change(
    change: Change, session: Session, aimed: ExpectedState, *, now: dict[str, Any]
) -> None:
    """Check that a reported effect is that of the emulator."""
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
    """Return whether two times are equal; requests have whole seconds."""
    return abs(one - other) <= 2 * SECOND


def run_action(action: str, session: Session, truth: Truth) -> object:
    """Run an action within its timeout and check the outcome."""
    was, start = truth(), time.monotonic()
    aimed = expected_state(action, session, was)
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
        *all_pairs(VARIANTS, FULLY_TESTED, API_VERSIONS, name=cell_name),
    ],
)
def test_outcome_with_a_fault_is_true(  # noqa: PLR0913 - two dimensions and five fixtures
    case: tuple[str, str | None],
    action: str,
    emulator: LocalEmulator,
    api_version: ApiVersion,
    opened: Connect,
    set_instance: Put,
    instance_state: Truth,
) -> None:
    """At every request; the same session works afterwards."""
    name, arg = case
    for scene, how in fault_positions(action, api_version).items():
        prepare(emulator, set_instance)
        emulator.add_fault(name, arg=arg, **how)
        session = opened(state=scene)
        run_action(action, session, instance_state)
        emulator.clear_faults()
        check_instance(session.refresh(), instance_state())
        session.close()


@pytest.mark.parametrize(
    ("case", "action", "api_version"),
    all_pairs(SLOW, list(ACTIONS), API_VERSIONS, name=cell_name),
)
def test_slow_fault_ends_at_the_timeout(  # noqa: PLR0913 - two dimensions and five fixtures
    case: tuple[str, str],
    action: str,
    emulator: LocalEmulator,
    api_version: ApiVersion,
    opened: Connect,
    set_instance: Put,
    instance_state: Truth,
) -> None:
    """After the total timeout of the call."""
    prepare(emulator, set_instance)
    how = {} if action == "refresh" else {"methods": methods(action, api_version)[-1:], "times": 1}
    emulator.add_fault(case[0], arg=case[1], **how)
    run_action(action, opened(total_timeout="0.15"), instance_state)
    emulator.clear_faults()
    assert opened().refresh()


@pytest.mark.parametrize("action", ACTIONS)
def test_actions_succeed_without_a_fault(  # noqa: PLR0913 - one dimension and five fixtures
    action: str,
    emulator: LocalEmulator,
    opened: Connect,
    set_instance: Put,
    instance_state: Truth,
    api_version: ApiVersion,
) -> None:
    """The other tests do not pass because nothing succeeds."""
    prepare(emulator, set_instance)
    session, was = opened(), instance_state()
    aimed = expected_state(action, session, was)
    outcome, now = run_action(action, session, instance_state), instance_state()
    assert (now["description"], now["status"]) == (aimed.description, aimed.status)
    if aimed.status == "RUNNING":
        assert near(expected_stop_time(session, now), aimed.end)
    if isinstance(outcome, Change):
        of_the_run = aimed.end != was["stops_at"]
        assert outcome.effect is (api_version.run_time_effect if of_the_run else Effect.NOW)


def test_every_fault_is_covered() -> None:
    """A new fault of the emulator must be added here."""
    assert {name for name, _ in [*QUICK, *SLOW]} == set(FAULT_KINDS)
