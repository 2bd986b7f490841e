"""The same commands with every API and edition; each result is compared with the emulator."""

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
from modelarts_magics.domain.models import Change, CountsFrom, Effect
from modelarts_magics.domain.undo import undo_command
from modelarts_magics.errors import ModelArtsError, RefusedError, WrongStateError

if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
OLD_STOP_TIME = START + 3 * HOUR
"""The stop time in all tests; the run began at START, half an hour ago."""
NOW = START + 30 * MINUTE


@dataclass(frozen=True)
class Kind:
    """An API with what is expected of it.

    Attributes:
        name: The name in test IDs.
        options: The options of the emulator.
        lease: Whether a duration counts from now and there is an idle mode.
        follows: Whether a run follows a new duration.
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
    """Start an emulator whose instance has run for half an hour of three."""
    made: list[EmulatorHarness] = []

    def start(kind: Kind, **more: object) -> EmulatorHarness:
        options = {"minutes_left": 180, "description": "old", **kind.options, **more}
        made.append(EmulatorHarness(tmp_path / str(len(made)), **options))
        made[-1].emulator.advance(30 * MINUTE)
        return made[-1]

    yield start
    for stage in made:
        stage.close()


def stop_time_of(stage: EmulatorHarness) -> datetime | None:
    """Return the stop time according to the emulator."""
    end = stage.instance_state()["stops_at"]
    return None if end is None else datetime.fromisoformat(end)


def writes(stage: EmulatorHarness) -> list[dict[str, Any]]:
    """Return the writes that the emulator received."""
    return [one for one in stage.emulator.requests if one["method"] != "GET"]


LINES = [
    # Command, stop time counted from the start of the run, stop time counted from now.
    ("auto-stop 5h", START + 5 * HOUR, NOW + 5 * HOUR),
    ("auto-stop in 4h", NOW + 4 * HOUR, NOW + 4 * HOUR),
    ("auto-stop at 20:15", START + 4 * HOUR + 15 * MINUTE, START + 4 * HOUR + 15 * MINUTE),
    ("extend", OLD_STOP_TIME + HOUR, OLD_STOP_TIME + HOUR),
    ("extend 90m", OLD_STOP_TIME + 90 * MINUTE, OLD_STOP_TIME + 90 * MINUTE),
    ("shorten", OLD_STOP_TIME - HOUR, OLD_STOP_TIME - HOUR),
    ("shorten 45m", OLD_STOP_TIME - 45 * MINUTE, OLD_STOP_TIME - 45 * MINUTE),
]
FOR_ONE_RUN = ("auto-stop in 4h", "auto-stop at 20:15")
"""Commands about the stop time of one run, which set the run time of later starts back where they missed it."""


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize(("line", "from_start", "from_now"), LINES)
def test_reported_stop_time_matches_the_emulator(
    make: Callable[..., EmulatorHarness],
    kind: Kind,
    line: str,
    from_start: datetime,
    from_now: datetime,
) -> None:
    """Whether it applies now or at the next start."""
    stage = make(kind)
    change = stage.run_magic(line)
    expected = from_now if kind.lease else from_start
    assert change.effect is (Effect.NOW if kind.follows else Effect.NEXT_START)
    assert stop_time_of(stage) == (expected if kind.follows else OLD_STOP_TIME)
    assert change.after.auto_stop.stops_at == stop_time_of(stage)
    said = "\n".join(change_lines(change))
    shown = stop_time_of(stage)
    assert shown is not None
    assert f"{shown + 8 * HOUR:%Y-%m-%d %H:%M} +08:00" in said
    assert ("NOT" in said) is not kind.follows
    assert stage.instance_state()["description"] == "old"
    if not kind.lease:
        is_taken_back = line in FOR_ONE_RUN and not kind.follows
        stored = OLD_STOP_TIME if is_taken_back else expected
        assert stage.instance_state()["duration_s"] == (stored - START).total_seconds()
        assert ("Later starts run 3 h, as before." in said) is is_taken_back


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("line", [line for line, *_ in LINES])
def test_suggested_undo_restores_the_state(
    make: Callable[..., EmulatorHarness], kind: Kind, line: str
) -> None:
    """Entered as shown, it restores the stop time and the stored duration."""
    stage = make(kind)
    # A stop time that is no whole minute.
    stage.emulator.set_instance(minutes_left=147.25)
    before = stage.instance_state()
    change = stage.run_magic(line)
    command = undo_command(change)
    if line in FOR_ONE_RUN and not kind.follows:
        # Nothing is left to undo: it was set, missed this run, and was set back.
        assert (command, stage.instance_state()) == ("", before)
        assert len(writes(stage)) == 2
        return
    assert stage.instance_state() != before
    assert command
    # The stop time agrees with the duration again.
    assert stage.run_magic(command).effect is Effect.NOW
    assert stage.instance_state() == before


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_describe_changes_nothing_else(make: Callable[..., EmulatorHarness], kind: Kind) -> None:
    """If it is impossible during a run, the error says so."""
    stage = make(kind)
    if kind.describes:
        change = stage.run_magic("describe new")
        assert (change.effect, stage.instance_state()["description"]) == (Effect.NOW, "new")
        assert stage.run_magic(undo_command(change)).effect is Effect.NOW
    else:
        with pytest.raises(WrongStateError, match="only while the instance is stopped"):
            stage.run_magic("describe new")
    assert stage.instance_state()["description"] == "old"
    assert stop_time_of(stage) == OLD_STOP_TIME


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_off_turns_auto_stop_off_or_is_refused(
    make: Callable[..., EmulatorHarness], kind: Kind
) -> None:
    """As the API documents it; "on" turns it on again."""
    stage = make(kind)
    if kind.lease:
        with pytest.raises(RefusedError, match="does not document"):
            stage.run_magic("auto-stop off")
        assert (writes(stage), stop_time_of(stage)) == ([], OLD_STOP_TIME)
        return
    change = stage.run_magic("auto-stop off")
    assert change.effect is Effect.NOW
    assert (stage.instance_state()["enable"], stop_time_of(stage)) == (False, None)
    assert stage.run_magic("auto-stop on").effect is Effect.NOW
    assert (stage.instance_state()["enable"], stop_time_of(stage)) == (True, OLD_STOP_TIME)


@pytest.mark.parametrize("kind", LEASES, ids=str)
def test_on_after_forced_off_uses_the_last_run_time(
    make: Callable[..., EmulatorHarness], kind: Kind
) -> None:
    """A lease stores no duration, the cache does."""
    stage = make(kind, patch_off="accept")
    stage.run_magic("auto-stop 2h")
    change = stage.run_magic("auto-stop off --try")
    assert (change.effect, stop_time_of(stage)) == (Effect.NOW, None)
    stage.run_magic("auto-stop on")
    assert stop_time_of(stage) == NOW + 2 * HOUR


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_on_while_on_keeps_the_stop_time(make: Callable[..., EmulatorHarness], kind: Kind) -> None:
    """A default duration never moves it."""
    stage = make(kind)
    if kind.lease:
        with pytest.raises(RefusedError, match="is already on"):
            stage.run_magic("auto-stop on")
        assert writes(stage) == []
    else:
        stage.run_magic("auto-stop on")
    assert stop_time_of(stage) == OLD_STOP_TIME


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_idle_mode_has_no_stop_time_or_is_refused(
    make: Callable[..., EmulatorHarness], kind: Kind
) -> None:
    """No stop time is shown or moved; a run time ends the mode."""
    stage = make(kind)
    if not kind.lease:
        with pytest.raises(RefusedError, match="no idle mode"):
            stage.run_magic("auto-stop idle")
        assert (writes(stage), stop_time_of(stage)) == ([], OLD_STOP_TIME)
        return
    change = stage.run_magic("auto-stop idle")
    assert (change.effect, change.after.auto_stop.stops_at) == (Effect.NOW, None)
    assert (stage.instance_state()["type"], stop_time_of(stage)) == ("IDLE", None)
    assert "CPU ≤ 5%" in "\n".join(change_lines(change))
    for line in ("extend", "shorten"):
        with pytest.raises(RefusedError, match="no fixed stop time"):
            stage.run_magic(line)
    assert undo_command(stage.run_magic("auto-stop idle")) == ""
    back = stage.run_magic("auto-stop 2h")
    assert (stage.instance_state()["type"], stop_time_of(stage)) == ("TIMING", NOW + 2 * HOUR)
    assert undo_command(back) == "auto-stop idle"


@pytest.mark.parametrize("kind", LEASES, ids=str)
def test_on_after_idle_uses_the_last_run_time(
    make: Callable[..., EmulatorHarness], kind: Kind
) -> None:
    """The duration that is sent with idle mode does not count."""
    stage = make(kind)
    for line in ("auto-stop 5h", "auto-stop idle", "auto-stop on"):
        stage.run_magic(line)
    assert stop_time_of(stage) == NOW + 5 * HOUR


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_stop_stops_the_instance(make: Callable[..., EmulatorHarness], kind: Kind) -> None:
    """A second stop is refused without a request."""
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
def test_ignored_stop_is_not_confirmed(make: Callable[..., EmulatorHarness], kind: Kind) -> None:
    """The request was accepted, and the instance still runs."""
    stage = make(kind)
    stage.emulator.add_fault("echoed", methods=("POST",))
    change = stage.run_magic("stop --yes")
    assert change.effect is Effect.UNCONFIRMED
    assert "NOT confirmed" in "\n".join(change_lines(change))
    assert stage.instance_state()["status"] == "RUNNING"


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("line", ["auto-stop in 2h", "extend", "shorten", "auto-stop at 20:00"])
def test_stop_time_needs_a_running_instance(
    make: Callable[..., EmulatorHarness], kind: Kind, line: str
) -> None:
    """Without a run there is no stop time to set."""
    stage = make(kind)
    stage.emulator.set_instance(status="STOPPED")
    with pytest.raises(RefusedError, match="STOPPED"):
        stage.run_magic(line)
    assert writes(stage) == []


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("line", ["auto-stop 2h", "auto-stop on"])
def test_duration_when_stopped_applies_at_next_start_or_is_refused(
    make: Callable[..., EmulatorHarness], kind: Kind, line: str
) -> None:
    """A lease is for the present run only."""
    stage = make(kind)
    stage.emulator.set_instance(status="STOPPED")
    if kind.lease:
        with pytest.raises(RefusedError, match="only while it runs"):
            stage.run_magic(line)
        assert writes(stage) == []
    else:
        assert stage.run_magic(line).effect is Effect.NEXT_START


OUT_OF_BOUNDS = [
    # Minutes left, command, and the limit in the error (in the time of Shanghai).
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
def test_lease_out_of_range_is_refused(  # noqa: PLR0913 - the columns of a table
    make: Callable[..., EmulatorHarness],
    kind: Kind,
    minutes: float,
    line: str,
    code: str,
    words: str,
) -> None:
    """From one hour to 72 hours from now; nothing is sent."""
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
def test_limits_of_a_lease_are_accepted(
    make: Callable[..., EmulatorHarness], kind: Kind, line: str, left: timedelta
) -> None:
    """The shortest and the longest lease, in each form."""
    stage = make(kind)
    stage.emulator.set_instance(minutes_left=90)
    assert stage.run_magic(line).effect is Effect.NOW
    assert stop_time_of(stage) == NOW + left


@pytest.mark.parametrize("kind", LEASES, ids=str)
@pytest.mark.parametrize("left", [30 * MINUTE, HOUR, HOUR + MINUTE])
def test_no_undo_is_suggested_that_soon_becomes_impossible(
    make: Callable[..., EmulatorHarness], kind: Kind, left: timedelta
) -> None:
    """A lease cannot set a stop time within the next hour."""
    stage = make(kind)
    stage.emulator.set_instance(minutes_left=left / MINUTE)
    assert undo_command(stage.run_magic("extend 2h")) == ""


@pytest.mark.parametrize("kind", LEASES, ids=str)
@pytest.mark.parametrize("fault", ["echoed", "ignored"])
def test_ignored_renewal_is_not_confirmed(
    make: Callable[..., EmulatorHarness], kind: Kind, fault: str
) -> None:
    """The result of reading back counts."""
    stage = make(kind)
    stage.emulator.add_fault(fault, methods=("PATCH",))
    change = stage.run_magic("extend")
    assert change.effect is Effect.UNCONFIRMED
    assert stop_time_of(stage) == OLD_STOP_TIME


@pytest.mark.parametrize("kind", LEASES, ids=str)
def test_passed_stop_time_is_unknown_and_not_moved(
    make: Callable[..., EmulatorHarness], kind: Kind
) -> None:
    """There is no countdown and nothing to shorten."""
    stage = make(kind)
    stage.emulator.set_instance(stops_on_time=False, minutes_left=-5)
    stop = stage.run_magic("status").auto_stop
    assert (stop.stops_at, stop.stop_time_unknown) == (None, "passed")
    with pytest.raises(RefusedError, match="stop time has passed"):
        stage.run_magic("shorten")
    assert writes(stage) == []
    assert stage.run_magic("auto-stop 2h").effect is Effect.NOW
    assert stop_time_of(stage) == NOW + 2 * HOUR


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_capabilities_match_the_api(make: Callable[..., EmulatorHarness], kind: Kind) -> None:
    """All differences between the APIs follow from them."""
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
def test_reminder_is_refused_if_unsupported(
    make: Callable[..., EmulatorHarness], kind: Kind, option: str
) -> None:
    """Also with a duration, which is then not set either."""
    stage = make(kind)
    for line in (f"auto-stop {option}", f"auto-stop 2h {option}"):
        with pytest.raises(RefusedError, match="no console reminder"):
            stage.run_magic(line)
    assert writes(stage) == []


# No other code compares the name of an API.

PACKAGE = Path(modelarts_magics.__file__).parent
APIS = {"demanager", "notebooks"}
ALLOWED = ("api/", "emulator/")
"""The modules that may compare the names of the APIs: their implementations and the emulator."""


def _names(node: ast.AST) -> bool:
    return any(isinstance(each, ast.Constant) and each.value in APIS for each in ast.walk(node))


def api_name_comparisons(source: str) -> list[int]:
    """Return the lines in which code compares the name of an API."""
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
def test_search_finds_api_name_comparisons(source: str) -> None:
    """The search of the next test works."""
    assert api_name_comparisons(source) == [1]


def test_no_code_outside_the_apis_compares_their_names() -> None:
    """It reads the capabilities."""
    files = sorted(PACKAGE.rglob("*.py"))
    guilty = {
        str(path.relative_to(PACKAGE)): found
        for path in files
        if not path.relative_to(PACKAGE).as_posix().startswith(ALLOWED)
        if (found := api_name_comparisons(path.read_text(encoding="utf-8")))
    }
    assert len(files) > 50
    assert guilty == {}


def test_change_has_its_action(make: Callable[..., EmulatorHarness]) -> None:
    """The messages depend on it."""
    change = make(KINDS[0]).run_magic("extend")
    assert isinstance(change, Change)
    assert change.action == "extend"
