"""Every fault of the emulator x every command x every edition: no false success, no loss, no hang."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

import pytest

from modelarts_magics.emulator.clock import ManualClock
from modelarts_magics.emulator.faults import KINDS
from modelarts_magics.errors import ModelArtsError
from modelarts_magics.models import Change, Effect, Instance
from modelarts_magics.planning import Wish

if TYPE_CHECKING:
    from conftest import Generation

    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.session import Session

    Connect = Callable[..., Session]
    Truth = Callable[[], dict[str, Any]]

HOUR = timedelta(hours=1)
NEAR = timedelta(seconds=60)
OLD, NEW = "原来的 description", "新的 description ☕"


@pytest.fixture
def emulator(make_emulator: Callable[..., LocalEmulator]) -> LocalEmulator:
    """One whose clock stands still, so that it can be put back to the same state exactly."""
    return make_emulator(clock=ManualClock())


ACTIONS: dict[str, Callable[[Session], Instance | Change]] = {
    "refresh": lambda session: session.refresh(),
    "describe": lambda session: session.describe(NEW),
    "auto-stop": lambda session: session.set_auto_stop(Wish(duration=4 * HOUR)),
    "extend": lambda session: session.extend(HOUR),
    "shorten": lambda session: session.shorten(HOUR),
}
DURATIONS = {"refresh": 3, "describe": 3, "auto-stop": 4, "extend": 4, "shorten": 2}
"""What the duration would be, in hours, after each; three before."""

QUICK: list[tuple[str, str | None]] = [
    ("401", None),
    ("401", "APIGW.0301"),
    ("403", None),
    ("404", None),
    ("429", None),
    ("429", "2"),
    ("500", None),
    ("502", None),
    ("503", None),
    ("503", "2"),
    ("html", "200"),
    ("html", "503"),
    ("redirect", None),
    ("reset", None),
    ("bad-json", None),
    ("empty", None),
    ("no-content", None),
    ("truncated", None),
    ("reset-after", None),
    ("applied-500", None),
    ("oversized", str(2 << 20)),
    ("ignored", None),
    ("echoed", None),
    ("stale", None),
    ("wrong-types", None),
    ("wrong-types", "stop_timestamp"),
    ("wrong-types", "enable"),
    ("no-stop-timestamp", None),
    ("no-remain-time", None),
    ("disagreeing-remain", None),
    ("no-date", None),
]
SLOW = [("drip", "0.05"), ("delay", "0.5"), ("late-apply", "0.1")]

ANY: tuple[str, ...] = ()
ALWAYS: dict[str, Any] = {"methods": ANY}
OF_A_READ: dict[str, dict[str, Any]] = {
    "the read, once": {"methods": ("GET",), "times": 1},
    "every read": {"methods": ("GET",)},
}
OF_A_WRITE: dict[str, dict[str, Any]] = {
    "the first read": {"methods": ("GET",), "times": 1},
    "the write, once": {"methods": ("PUT",), "times": 1},
    "the write": {"methods": ("PUT",)},
    "the reading back, once": {"methods": ("GET",), "skip": 1, "times": 1},
    "the reading back": {"methods": ("GET",), "skip": 1},
    "all but the first read": {"methods": ANY, "skip": 1},
}
"""Where a fault can strike; one that strikes all reads of a write shows in reading already."""


def named(case: tuple[str, str | None]) -> str:
    """The fault as the command line writes it."""
    name, arg = case
    return name if arg is None else f"{name}:{arg}"


def prepare(emulator: LocalEmulator) -> None:
    """Two of three hours left, a description that could be lost, no reminder."""
    emulator.clear_faults()
    emulator.set_instance(
        description=OLD,
        status="RUNNING",
        auto_stop={"enable": True, "duration": 3 * 3600, "prompt": False},
        minutes_left=120,
    )


def check(action: str, outcome: object, *, was: dict[str, Any], now: dict[str, Any]) -> None:
    """Hold an outcome against what the emulator itself has."""
    kept_description, kept_hours = (OLD,), (3,)
    if action == "describe":
        kept_description = (OLD, NEW)
    else:
        kept_hours = (3, DURATIONS[action])
    assert now["description"] in kept_description
    assert now["duration_s"] / 3600 in kept_hours
    assert (now["enable"], now["prompt"], now["status"]) == (True, False, "RUNNING")
    if now["duration_s"] == was["duration_s"]:
        assert now["stops_at"] == was["stops_at"]
    if isinstance(outcome, ModelArtsError):
        assert outcome.message.strip()
        assert outcome.hint.strip()
    elif isinstance(outcome, Instance):
        check_instance(outcome, now)
    else:
        assert isinstance(outcome, Change)
        check_change(outcome, was=was, now=now)


def check_instance(seen: Instance, now: dict[str, Any]) -> None:
    """What is said of the instance is so; what is not known is not said."""
    stop = seen.auto_stop
    assert (seen.description, seen.status.value) == (now["description"], now["status"])
    assert (stop.enabled, stop.prompt) == (now["enable"], now["prompt"])
    assert stop.duration == timedelta(seconds=now["duration_s"])
    assert (stop.stops_at is None) is (stop.end_unknown is not None)
    if stop.stops_at is not None:
        assert abs(stop.stops_at - now["stops_at"]) < NEAR


def check_change(change: Change, *, was: dict[str, Any], now: dict[str, Any]) -> None:
    """An effect that is claimed is there."""
    assert (change.after is None) is (change.problem is not None)
    if change.effect is Effect.UNCONFIRMED:
        return
    assert change.after is not None
    check_instance(change.after, now)
    if change.edit.description is not None:
        assert now["description"] == change.edit.description
    if change.edit.auto_stop is not None:
        assert change.edit.auto_stop.duration == timedelta(seconds=now["duration_s"])
        moved = abs(now["stops_at"] - was["stops_at"]) > NEAR
        assert change.effect is (Effect.NOW if moved else Effect.NEXT_START)


def play(action: str, session: Session, truth: Truth, *, at_most: float) -> object:
    """Do it, in time, and hold the outcome against the truth."""
    was, start = truth(), time.monotonic()
    outcome: object
    try:
        outcome = ACTIONS[action](session)
    except ModelArtsError as error:
        outcome = error
    assert time.monotonic() - start < at_most
    check(action, outcome, was=was, now=truth())
    return outcome


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("case", QUICK, ids=named)
def test_a_fault_is_survived(
    case: tuple[str, str | None],
    action: str,
    emulator: LocalEmulator,
    connected: Connect,
    truth: Truth,
) -> None:
    """In every place where it can strike; and the same session works when it is over."""
    name, arg = case
    for scene, how in (OF_A_READ if action == "refresh" else OF_A_WRITE).items():
        prepare(emulator)
        emulator.fault(name, arg=arg, **how)
        session = connected(state=scene)
        play(action, session, truth, at_most=5)
        emulator.clear_faults()
        check_instance(session.refresh(), truth())
        session.close()


@pytest.mark.parametrize("how", [OF_A_WRITE["the write, once"], ALWAYS], ids=["write", "always"])
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("case", SLOW, ids=named)
def test_a_fault_that_takes_time_is_given_up(  # noqa: PLR0913 - three dimensions and three fixtures
    case: tuple[str, str],
    action: str,
    how: dict[str, Any],
    emulator: LocalEmulator,
    connected: Connect,
    truth: Truth,
) -> None:
    """Within the time that the whole call has, and a second for a busy machine."""
    prepare(emulator)
    emulator.fault(case[0], arg=case[1], **how)
    play(action, connected(total_timeout="0.15"), truth, at_most=1.15)
    emulator.clear_faults()
    assert connected().refresh().status.running


@pytest.mark.parametrize("action", ACTIONS)
def test_without_a_fault_it_works(
    action: str, emulator: LocalEmulator, connected: Connect, truth: Truth, generation: Generation
) -> None:
    """So that the tests above do not hold because nothing ever succeeds."""
    prepare(emulator)
    outcome = play(action, connected(), truth, at_most=5)
    assert truth()["duration_s"] == DURATIONS[action] * 3600
    if isinstance(outcome, Change):
        waits = action != "describe" and generation.edition == "2021"
        assert outcome.effect is (Effect.NEXT_START if waits else Effect.NOW)


def test_no_fault_is_left_out() -> None:
    """One that is added to the emulator has to be added here."""
    assert {name for name, _ in [*QUICK, *SLOW]} == set(KINDS)
