"""The same words over every API and edition, each claim held to what the emulator then holds."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import pytest
from emulator_harness import START, EmulatorHarness

import modelarts_magics
from modelarts_magics.commands.as_text import change_lines
from modelarts_magics.commands.undo import undo_command
from modelarts_magics.domain.models import Change, CountsFrom, Effect
from modelarts_magics.errors import ModelArtsError, RefusedError, WrongStateError

if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
OLD_END = START + 3 * HOUR
"""The end of the run in all tests, which began at START; half an hour of it is over."""
NOW = START + 30 * MINUTE


@dataclass(frozen=True)
class Kind:
    """A cloud, and what is known of it.

    Attributes:
        name: For the list of tests.
        options: The emulator's.
        lease: Whether a duration counts from now and there is an idle mode.
        follows: Whether the run follows a new duration.
        describes: Whether the description can be changed while the instance runs.
    """

    name: str
    options: dict[str, Any] = field(hash=False)
    lease: bool = False
    follows: bool = True
    describes: bool = True

    def __str__(self) -> str:
        return self.name


NOTEBOOKS = {"api": "notebooks"}
KINDS = [
    Kind("demanager-2019", {"edition": "2019"}),
    Kind("demanager-2021", {"edition": "2021"}, follows=False),
    Kind("notebooks", NOTEBOOKS, lease=True),
    Kind("notebooks-lower", {**NOTEBOOKS, "lease_type": "lower"}, lease=True),
    Kind(
        "notebooks-stubborn",
        {**NOTEBOOKS, "description_put_while_running": "refuse"},
        lease=True,
        describes=False,
    ),
]
LEASES = [kind for kind in KINDS if kind.lease]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., EmulatorHarness]]:
    """Make a cloud whose instance has run for half an hour of three."""
    made: list[EmulatorHarness] = []

    def start(kind: Kind, **more: object) -> EmulatorHarness:
        options = {"minutes_left": 180, "description": "old", **kind.options, **more}
        made.append(EmulatorHarness(tmp_path / str(len(made)), **options))
        made[-1].emulator.advance(30 * MINUTE)
        return made[-1]

    yield start
    for stage in made:
        stage.close()


def end_of(stage: EmulatorHarness) -> datetime | None:
    """When the run ends by the emulator itself."""
    end = stage.instance_state()["stops_at"]
    return None if end is None else datetime.fromisoformat(end)


def writes(stage: EmulatorHarness) -> list[dict[str, Any]]:
    """The writes that the emulator received."""
    return [one for one in stage.emulator.requests if one["method"] != "GET"]


LINES = [
    # what is typed, the end it means counted from the start of the run, or from now
    ("auto-stop 5h", START + 5 * HOUR, NOW + 5 * HOUR),
    ("auto-stop in 4h", NOW + 4 * HOUR, NOW + 4 * HOUR),
    ("auto-stop at 20:15", START + 4 * HOUR + 15 * MINUTE, START + 4 * HOUR + 15 * MINUTE),
    ("extend", OLD_END + HOUR, OLD_END + HOUR),
    ("extend 90m", OLD_END + 90 * MINUTE, OLD_END + 90 * MINUTE),
    ("shorten", OLD_END - HOUR, OLD_END - HOUR),
    ("shorten 45m", OLD_END - 45 * MINUTE, OLD_END - 45 * MINUTE),
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize(("line", "from_start", "from_now"), LINES)
def test_an_end_is_claimed_only_if_the_run_really_ends_then(
    make: Callable[..., EmulatorHarness],
    kind: Kind,
    line: str,
    from_start: datetime,
    from_now: datetime,
) -> None:
    """Now or at the next start: whichever is said is what the emulator holds."""
    stage = make(kind)
    change = stage.run_magic(line)
    expected = from_now if kind.lease else from_start
    assert change.effect is (Effect.NOW if kind.follows else Effect.NEXT_START)
    assert end_of(stage) == (expected if kind.follows else OLD_END)
    assert change.after.auto_stop.stops_at == end_of(stage)
    said = "\n".join(change_lines(change))
    shown = end_of(stage)
    assert shown is not None
    assert f"{shown + 8 * HOUR:%Y-%m-%d %H:%M} +08:00" in said
    assert ("NOT" in said) is not kind.follows
    assert stage.instance_state()["description"] == "old"
    if not kind.lease:
        assert stage.instance_state()["duration_s"] == (expected - START).total_seconds()


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("line", [line for line, *_ in LINES])
def test_the_undo_that_is_offered_undoes(
    make: Callable[..., EmulatorHarness], kind: Kind, line: str
) -> None:
    """Typed back as it is shown, it leaves the end that was there before, and the duration kept."""
    stage = make(kind)
    stage.emulator.set_instance(minutes_left=147.25)  # an end that is no whole minute
    before = stage.instance_state()
    change = stage.run_magic(line)
    assert stage.instance_state() != before
    command = undo_command(change)
    assert command
    assert stage.run_magic(command).effect is Effect.NOW  # the run ends when what is set says again
    assert stage.instance_state() == before


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_description_changes_nothing_else(
    make: Callable[..., EmulatorHarness], kind: Kind
) -> None:
    """Where it cannot be changed during a run that is said, and it stays."""
    stage = make(kind)
    if kind.describes:
        change = stage.run_magic("describe new")
        assert (change.effect, stage.instance_state()["description"]) == (Effect.NOW, "new")
        assert stage.run_magic(undo_command(change)).effect is Effect.NOW
    else:
        with pytest.raises(WrongStateError, match="only while the instance is stopped"):
            stage.run_magic("describe new")
    assert stage.instance_state()["description"] == "old"
    assert end_of(stage) == OLD_END


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_off_is_off_or_refused(make: Callable[..., EmulatorHarness], kind: Kind) -> None:
    """By what the API documents; "on" brings it back."""
    stage = make(kind)
    if kind.lease:
        with pytest.raises(RefusedError, match="does not document"):
            stage.run_magic("auto-stop off")
        assert (writes(stage), end_of(stage)) == ([], OLD_END)
        return
    change = stage.run_magic("auto-stop off")
    assert change.effect is Effect.NOW
    assert (stage.instance_state()["enable"], end_of(stage)) == (False, None)
    assert stage.run_magic("auto-stop on").effect is Effect.NOW
    assert (stage.instance_state()["enable"], end_of(stage)) == (True, OLD_END)


@pytest.mark.parametrize("kind", LEASES, ids=str)
def test_off_that_was_tried_is_turned_on_with_the_run_time_last_set(
    make: Callable[..., EmulatorHarness], kind: Kind
) -> None:
    """A lease keeps no duration for later; this package does."""
    stage = make(kind, patch_off="accept")
    stage.run_magic("auto-stop 2h")
    change = stage.run_magic("auto-stop off --try")
    assert (change.effect, end_of(stage)) == (Effect.NOW, None)
    stage.run_magic("auto-stop on")
    assert end_of(stage) == NOW + 2 * HOUR


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_on_where_it_is_on_moves_no_end(make: Callable[..., EmulatorHarness], kind: Kind) -> None:
    """Least of all to an earlier one, by a default that nobody named."""
    stage = make(kind)
    if kind.lease:
        with pytest.raises(RefusedError, match="is already on"):
            stage.run_magic("auto-stop on")
        assert writes(stage) == []
    else:
        stage.run_magic("auto-stop on")
    assert end_of(stage) == OLD_END


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_idle_is_idle_or_refused(make: Callable[..., EmulatorHarness], kind: Kind) -> None:
    """There is no end then, so none is shown, none is moved; a run time ends it."""
    stage = make(kind)
    if not kind.lease:
        with pytest.raises(RefusedError, match="no idle mode"):
            stage.run_magic("auto-stop idle")
        assert (writes(stage), end_of(stage)) == ([], OLD_END)
        return
    change = stage.run_magic("auto-stop idle")
    assert (change.effect, change.after.auto_stop.stops_at) == (Effect.NOW, None)
    assert (stage.instance_state()["type"], end_of(stage)) == ("IDLE", None)
    assert "CPU ≤ 5%" in "\n".join(change_lines(change))
    for line in ("extend", "shorten"):
        with pytest.raises(RefusedError, match="no fixed stop time"):
            stage.run_magic(line)
    assert undo_command(stage.run_magic("auto-stop idle")) == ""
    back = stage.run_magic("auto-stop 2h")
    assert (stage.instance_state()["type"], end_of(stage)) == ("TIMING", NOW + 2 * HOUR)
    assert undo_command(back) == "auto-stop idle"


@pytest.mark.parametrize("kind", LEASES, ids=str)
def test_on_after_idle_is_not_the_shortest_run(
    make: Callable[..., EmulatorHarness], kind: Kind
) -> None:
    """The duration that goes with idle mode is nobody's choice and is not remembered."""
    stage = make(kind)
    for line in ("auto-stop 5h", "auto-stop idle", "auto-stop on"):
        stage.run_magic(line)
    assert end_of(stage) == NOW + 5 * HOUR


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_stop_stops_the_instance(make: Callable[..., EmulatorHarness], kind: Kind) -> None:
    """Once; a second time is refused without a request."""
    stage = make(kind)
    change = stage.run_magic("stop --yes")
    assert change.effect is Effect.NOW
    assert stage.instance_state()["status"] == "STOPPING"
    for _ in range(2):
        with pytest.raises(RefusedError, match="already"):
            stage.run_magic("stop --yes")
        stage.emulator.advance(MINUTE)
    assert stage.instance_state()["status"] == "STOPPED"
    assert len(writes(stage)) == 1


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_stop_that_the_cloud_ignores_is_not_confirmed(
    make: Callable[..., EmulatorHarness], kind: Kind
) -> None:
    """It took the request, and the instance runs."""
    stage = make(kind)
    stage.emulator.add_fault("echoed", methods=("POST",))
    change = stage.run_magic("stop --yes")
    assert change.effect is Effect.UNCONFIRMED
    assert "NOT confirmed" in "\n".join(change_lines(change))
    assert stage.instance_state()["status"] == "RUNNING"


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("line", ["auto-stop in 2h", "extend", "shorten", "auto-stop at 20:00"])
def test_no_end_is_set_where_nothing_runs(
    make: Callable[..., EmulatorHarness], kind: Kind, line: str
) -> None:
    """There is no run that could end then."""
    stage = make(kind)
    stage.emulator.set_instance(status="STOPPED")
    with pytest.raises(RefusedError, match="STOPPED"):
        stage.run_magic(line)
    assert writes(stage) == []


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("line", ["auto-stop 2h", "auto-stop on"])
def test_a_duration_is_for_the_next_start_or_for_nothing(
    make: Callable[..., EmulatorHarness], kind: Kind, line: str
) -> None:
    """A lease is of this run alone, so there is nothing to keep it in."""
    stage = make(kind)
    stage.emulator.set_instance(status="STOPPED")
    if kind.lease:
        with pytest.raises(RefusedError, match="only while it runs"):
            stage.run_magic(line)
        assert writes(stage) == []
    else:
        assert stage.run_magic(line).effect is Effect.NEXT_START


OUT_OF_BOUNDS = [
    # minutes left, what is typed, the bound that is named (by the clock of Shanghai)
    (2, "extend 30m", "refuse.too_early", "2026-11-23 17:30 +08:00, in 1 h"),
    (90, "shorten 1h", "refuse.too_early", "2026-11-23 17:30 +08:00, in 1 h"),
    (90, "auto-stop in 59m", "refuse.too_early", "2026-11-23 17:30 +08:00, in 1 h"),
    (90, "auto-stop at 17:29", "refuse.too_early", "2026-11-23 17:30 +08:00, in 1 h"),
    (90, "extend 71h", "refuse.too_late", "2026-11-26 16:30 +08:00"),
    (90, "auto-stop in 73h", "refuse.too_late", "2026-11-26 16:30 +08:00"),
    (90, "auto-stop at 2026-11-26 16:31", "refuse.too_late", "2026-11-26 16:30 +08:00"),
    (90, "auto-stop 73h", "duration.out_of_range", "1 h to 72 h"),
    (90, "auto-stop 59m", "duration.out_of_range", "1 h to 72 h"),
    (90, "shorten 2h", "refuse.time_in_past", "2026-11-23 16:00 +08:00 is in the past"),
]


@pytest.mark.parametrize("kind", LEASES, ids=str)
@pytest.mark.parametrize(("minutes", "line", "code", "words"), OUT_OF_BOUNDS)
def test_a_lease_out_of_bounds_is_refused_with_what_is_possible(  # noqa: PLR0913 - the columns of a table
    make: Callable[..., EmulatorHarness],
    kind: Kind,
    minutes: float,
    line: str,
    code: str,
    words: str,
) -> None:
    """One hour from now at least, 72 at most; nothing is sent."""
    stage = make(kind)
    stage.emulator.set_instance(minutes_left=minutes)
    before = stage.instance_state()
    with pytest.raises(ModelArtsError) as caught:
        stage.run_magic(line)
    assert caught.value.code == code
    assert words in caught.value.message
    assert (writes(stage), stage.instance_state()) == ([], before)


@pytest.mark.parametrize("kind", LEASES, ids=str)
@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("auto-stop 1h", HOUR),
        ("auto-stop 72h", 72 * HOUR),
        ("auto-stop in 1h", HOUR),
        ("auto-stop in 72h", 72 * HOUR),
        ("shorten 30m", HOUR),
        ("extend 70h30m", 72 * HOUR),
    ],
)
def test_the_bounds_themselves_are_taken(
    make: Callable[..., EmulatorHarness], kind: Kind, line: str, left: timedelta
) -> None:
    """The shortest and the longest lease, however they are asked for."""
    stage = make(kind)
    stage.emulator.set_instance(minutes_left=90)
    assert stage.run_magic(line).effect is Effect.NOW
    assert end_of(stage) == NOW + left


@pytest.mark.parametrize("kind", LEASES, ids=str)
@pytest.mark.parametrize("left", [30 * MINUTE, HOUR, HOUR + MINUTE])
def test_no_undo_is_offered_that_the_next_minute_makes_impossible(
    make: Callable[..., EmulatorHarness], kind: Kind, left: timedelta
) -> None:
    """An end closer than an hour cannot be set again."""
    stage = make(kind)
    stage.emulator.set_instance(minutes_left=left / MINUTE)
    assert undo_command(stage.run_magic("extend 2h")) == ""


@pytest.mark.parametrize("kind", LEASES, ids=str)
@pytest.mark.parametrize("fault", ["echoed", "ignored"])
def test_a_renewal_that_the_cloud_forgets_is_not_confirmed(
    make: Callable[..., EmulatorHarness], kind: Kind, fault: str
) -> None:
    """Whatever its answer to the renewal was, what is read back counts."""
    stage = make(kind)
    stage.emulator.add_fault(fault, methods=("PATCH",))
    change = stage.run_magic("extend")
    assert change.effect is Effect.UNCONFIRMED
    assert end_of(stage) == OLD_END


@pytest.mark.parametrize("kind", LEASES, ids=str)
def test_an_end_that_is_past_is_not_known_and_not_moved(
    make: Callable[..., EmulatorHarness], kind: Kind
) -> None:
    """The instance runs on beyond its lease: no countdown, and no sum with a false term."""
    stage = make(kind)
    stage.emulator.set_instance(stops_on_time=False, minutes_left=-5)
    stop = stage.run_magic("status").auto_stop
    assert (stop.stops_at, stop.stop_time_unknown) == (None, "passed")
    with pytest.raises(RefusedError, match="stop time of this run is unknown"):
        stage.run_magic("extend")
    assert writes(stage) == []
    assert stage.run_magic("auto-stop 2h").effect is Effect.NOW
    assert end_of(stage) == NOW + 2 * HOUR


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_what_an_api_can_do_is_said_by_it_alone(
    make: Callable[..., EmulatorHarness], kind: Kind
) -> None:
    """The words of the rest follow from these."""
    able = make(kind).run_magic("extend").capabilities
    assert (able.counts_from is CountsFrom.NOW) is kind.lease
    assert (
        able.supports_idle,
        able.can_disable,
        able.supports_reminder,
        able.persists_duration,
    ) == ((kind.lease,) + 3 * (not kind.lease,))


@pytest.mark.parametrize("kind", LEASES, ids=str)
@pytest.mark.parametrize("option", ["--remind", "--no-remind"])
def test_a_wish_to_be_reminded_is_refused_where_nobody_keeps_it(
    make: Callable[..., EmulatorHarness], kind: Kind, option: str
) -> None:
    """Also beside a duration, which is then not set either."""
    stage = make(kind)
    for line in (f"auto-stop {option}", f"auto-stop 2h {option}"):
        with pytest.raises(RefusedError, match="no console reminder"):
            stage.run_magic(line)
    assert writes(stage) == []


# nobody asks for an API's name

PACKAGE = Path(modelarts_magics.__file__).parent
APIS = {"demanager", "notebooks"}
KNOWING = ("api/", "emulator/")
"""Who knows the APIs by name: the modules that speak them, and the cloud that is played."""


def _names(node: ast.AST) -> bool:
    return any(isinstance(each, ast.Constant) and each.value in APIS for each in ast.walk(node))


def decisions(source: str) -> list[int]:
    """The lines where a program decides something by the name of an API."""
    found = []
    for node in ast.walk(ast.parse(source)):
        compared = isinstance(node, ast.Compare) and _names(node)
        matched = isinstance(node, ast.MatchValue) if hasattr(ast, "MatchValue") else False
        if compared or (matched and _names(node)):
            found.append(node.lineno)
    return found


@pytest.mark.parametrize(
    "source",
    [
        'if instance.api == "notebooks": pass',
        'x = 1 if "demanager" != api else 2',
        'while api in ("notebooks", "other"): pass',
        'if api == Api("demanager"): pass',
    ],
)
def test_a_decision_by_name_would_be_seen(source: str) -> None:
    """The search below finds what it looks for."""
    assert decisions(source) == [1]


def test_nobody_outside_the_apis_decides_by_their_names() -> None:
    """What differs is asked of the capabilities."""
    files = sorted(PACKAGE.rglob("*.py"))
    guilty = {
        str(path.relative_to(PACKAGE)): found
        for path in files
        if not path.relative_to(PACKAGE).as_posix().startswith(KNOWING)
        if (found := decisions(path.read_text(encoding="utf-8")))
    }
    assert len(files) > 50
    assert guilty == {}


def test_a_change_names_its_action(make: Callable[..., EmulatorHarness]) -> None:
    """Which the words above depend on."""
    change = make(KINDS[0]).run_magic("extend")
    assert isinstance(change, Change)
    assert change.action == "extend"
