"""What the first page after a stop is told of the run before."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from factories import LEASE, MINUTE, NOW, idle, instance, off, stop_in

from modelarts_magics.domain.countdown import GRACE
from modelarts_magics.domain.durations import moment_to_ms
from modelarts_magics.domain.models import NOT_STATED, CountsFrom, EndUnknown, Mode, Status
from modelarts_magics.domain.planning import Circumstances, Wish
from modelarts_magics.server.request_models import Saved
from modelarts_magics.server.run_history import Runs, went_on
from modelarts_magics.server.run_store import (
    GRACE_MS,
    MOVED_MS,
    NAME,
    TO_THE_END_MS,
    Kept,
    place,
)
from modelarts_magics.server.saved_reports import MOST_PATHS, MOST_TABS
from modelarts_magics.server.snapshot import View

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from conftest import Ask

    from modelarts_magics.domain.models import AutoStop, Instance
    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.server.service import Desk
    from modelarts_magics.session.session import Session

SECOND = timedelta(seconds=1)
END_MS = 1_800_000_000_000
LATER_MS = END_MS + 3_600_000
WHO = "5c5efd15-18b3-4b14-959d-f11e5aff4244"
NOT_SAVED = [{"path": "b.py", "why": "changed on disk"}]
SAID: dict[str, Any] = {"saved": ["a.ipynb"], "not_saved": NOT_SAVED}


def run_that_ended(path: Path, *, before_ms: int = 60_000, **more: Any) -> Kept:
    """Return what a later server finds of a run that was last seen so long before its end."""
    said = {**SAID, **more}
    Kept(path).add(WHO, stops_at_ms=END_MS, duration_s=3600, seen_ms=END_MS - before_ms, **said)
    return Kept(path)


def test_a_server_that_starts_after_the_stop_tells_of_it(tmp_path: Path) -> None:
    """When and why the run ended, what was saved and what was not."""
    assert run_that_ended(tmp_path / NAME).last_run(WHO, started_ms=LATER_MS) == {
        "ended_at_ms": END_MS,
        "reason": "auto-stop",
        "duration_s": 3600,
        "saved": ["a.ipynb"],
        "not_saved": NOT_SAVED,
    }


def test_a_server_of_the_same_run_does_not(tmp_path: Path) -> None:
    """It was started again before the stop."""
    kept = run_that_ended(tmp_path / NAME)
    assert kept.last_run(WHO, started_ms=END_MS - 1) is None
    assert kept.last_run("another", started_ms=LATER_MS) is None


def test_a_run_that_vanished_long_before_its_end_is_not_blamed_on_auto_stop(tmp_path: Path) -> None:
    """Somebody may have stopped it by hand."""
    seen = TO_THE_END_MS + 1
    told = run_that_ended(tmp_path / NAME, before_ms=seen).last_run(WHO, started_ms=LATER_MS)
    assert told is not None
    assert (told["reason"], told["ended_at_ms"]) == ("unknown", END_MS - seen)


def lists(kept: Kept) -> tuple[list[str], list[dict[str, str]]]:
    """Return what the next server tells of the run: what was saved, and what was not."""
    told = kept.last_run(WHO, started_ms=LATER_MS)
    assert told is not None
    return told["saved"], told["not_saved"]


def report(kept: Kept, tab: str, saved: list[str], not_saved: list[dict[str, str]]) -> None:
    """Let a tab say what it saved."""
    times = {"stops_at_ms": END_MS, "duration_s": 3600, "seen_ms": END_MS}
    kept.add(WHO, **times, saved=saved, not_saved=not_saved, tab=tab)


def test_what_several_tabs_saved_is_put_together(tmp_path: Path) -> None:
    """A document that one of them could save and another could not is told as both: two copies of it differ."""
    kept = run_that_ended(tmp_path / NAME)
    report(kept, "2", ["b.py", "a.ipynb"], NOT_SAVED)
    assert lists(Kept(tmp_path / NAME)) == (["a.ipynb", "b.py"], NOT_SAVED)
    report(kept, "3", [], [{"path": "b.py", "why": "no right"}])
    assert lists(kept)[1] == [*NOT_SAVED, {"path": "b.py", "why": "no right"}]


def test_a_tab_that_says_more_later_replaces_what_it_said(tmp_path: Path) -> None:
    """What it could save at the second try is no longer among what it could not; others stand by theirs."""
    kept = run_that_ended(tmp_path / NAME, tab="1")
    report(kept, "2", ["c.py"], [])
    report(kept, "1", ["b.py"], [])
    assert lists(kept) == (["c.py", "b.py"], [])


def test_what_pages_of_two_processes_saved_is_put_together(tmp_path: Path) -> None:
    """As where two browsers have a helper kernel each; neither overwrites what the other one kept."""
    one, other = Kept(tmp_path / NAME), Kept(tmp_path / NAME)
    report(one, "1", ["a.ipynb"], [])
    report(other, "2", ["b.py"], [])
    report(one, "1", ["a.ipynb", "c.md"], NOT_SAVED)
    other.mute("another", muted=True)
    for kept in (one, other, Kept(tmp_path / NAME)):
        assert lists(kept) == (["b.py", "a.ipynb", "c.md"], NOT_SAVED)
        assert kept.muted("another")


def test_only_so_many_tabs_and_paths_are_kept(tmp_path: Path) -> None:
    """The tab that was silent the longest goes first."""
    kept = run_that_ended(tmp_path / NAME, tab="0")
    for n in range(1, MOST_TABS):
        report(kept, str(n), [f"{n}.py"], [])
    report(kept, "0", ["0.py"], [])
    report(kept, "last", [], [])
    assert sorted(lists(kept)[0]) == sorted(f"{n}.py" for n in range(MOST_TABS) if n != 1)
    report(kept, "last", [f"more/{n}.py" for n in range(MOST_PATHS)], [])
    assert len(lists(kept)[0]) == MOST_PATHS


def test_a_file_of_before_tabs_were_told_apart_is_read(tmp_path: Path) -> None:
    """Its lists are those of a tab without a name, which replaces them."""
    run = {"stops_at_ms": END_MS, "seen_ms": END_MS, "saved": ["a.ipynb"], "not_saved": NOT_SAVED}
    written = {"version": 1, "instances": {WHO: {"run": run}}}
    (tmp_path / NAME).write_text(json.dumps(written))
    kept = Kept(tmp_path / NAME)
    assert lists(kept) == (["a.ipynb"], NOT_SAVED)
    report(kept, "2", ["c.py"], [])
    assert lists(kept) == (["a.ipynb", "c.py"], NOT_SAVED)
    report(kept, "", ["b.py"], [])
    assert lists(kept) == (["c.py", "b.py"], [])


@pytest.mark.parametrize(
    ("after_ms", "told"),
    [(GRACE_MS, ("auto-stop", END_MS)), (GRACE_MS + 1, ("unknown", END_MS + GRACE_MS + 1))],
)
def test_a_run_that_was_seen_after_its_end_did_not_end_by_it(
    after_ms: int, told: tuple[str, int], tmp_path: Path
) -> None:
    """But for the minute that the cloud takes to stop it."""
    run = run_that_ended(tmp_path / NAME, before_ms=-after_ms).last_run(WHO, started_ms=LATER_MS)
    assert run is not None
    assert (run["reason"], run["ended_at_ms"]) == told


def test_only_the_run_that_is_meant_is_forgotten(tmp_path: Path) -> None:
    """Another may have been kept meanwhile."""
    kept = run_that_ended(tmp_path / NAME)
    kept.forget(WHO, stops_at_ms=END_MS - MOVED_MS - 1)
    assert kept.stop_of(WHO) == END_MS
    kept.forget(WHO, stops_at_ms=END_MS)
    assert kept.stop_of(WHO) is None


STOP_MS = moment_to_ms(NOW)
UNKNOWN = {"end_unknown": EndUnknown.PAST}


@pytest.mark.parametrize(
    ("stop", "seen_after", "expected"),
    [
        (stop_in(MINUTE), timedelta(0), False),
        (stop_in(MINUTE + SECOND), timedelta(0), True),
        (stop_in(-MINUTE - SECOND), -3 * MINUTE, True),
        (off(), -SECOND, True),
        (idle(), -SECOND, True),
        (NOT_STATED, -SECOND, True),
        (stop_in(None, **UNKNOWN), GRACE, False),
        (stop_in(None, **UNKNOWN), GRACE + SECOND, True),
        (stop_in(None, end_unknown=EndUnknown.DISAGREE), -3 * MINUTE, False),
        (stop_in(None, end_unknown=EndUnknown.MISSING), GRACE + SECOND, True),
    ],
)
def test_a_run_that_does_not_stop_then_went_on(
    stop: AutoStop, seen_after: timedelta, expected: object
) -> None:
    """It has another end, or none; or it is seen alive when the end that nobody knows must be past."""
    seen = instance(stop, observed_at=NOW + seen_after)
    assert went_on(seen, stop_ms=STOP_MS) is expected


def test_a_run_that_stops_did_not_go_on() -> None:
    """Whatever is set for the next."""
    assert not went_on(instance(off(), status=Status.STOPPED), stop_ms=STOP_MS)


class Ending:
    """An instance with little time left, whose server kept what was saved."""

    def __init__(self, kernel: Session, emulator: LocalEmulator, path: Path) -> None:
        self.kernel = kernel
        self.emulator = emulator
        self.kept = Kept(path)
        self.path = path
        emulator.set_instance(minutes_left=0.8)
        self.began = kernel.refresh().observed_at
        self.runs = Runs(self.kept, started=self.began)
        end = kernel.refresh().auto_stop.stops_at
        assert end is not None
        self.end = end
        what = Saved(moment_to_ms(self.end), ["a.ipynb"], [])
        self.runs.saved(kernel, kernel.refresh(), what)

    def goes_on(self, how: str) -> Instance:
        """Return the running instance after its end was taken away: off, idle, or by letting it pass."""
        now = self.kernel.refresh()
        past = replace(now.auto_stop, stops_at=None, end_unknown=EndUnknown.PAST)
        stops = {"off": off(), "idle": idle(), "past": past}
        seen = self.end + GRACE + SECOND if how == "past" else now.observed_at
        return replace(now, auto_stop=stops[how], observed_at=seen)

    def told_later(self, runs: Runs, instance: Instance) -> object:
        """Return how the last run ended, as the server says that has these runs."""
        return runs.last(View(instance=instance, session=self.kernel))


@pytest.fixture
def ending(kernel: Session, emulator: LocalEmulator, tmp_path: Path) -> Ending:
    """Return an instance that is about to stop."""
    return Ending(kernel, emulator, tmp_path / NAME)


@pytest.mark.parametrize("how", ["off", "idle", "past"])
def test_a_server_that_sees_a_run_go_on_forgets_its_end(how: str, ending: Ending) -> None:
    """At once, so that one that starts later has nothing to tell; the same in both APIs."""
    instance = ending.goes_on(how)
    ending.runs.saw(ending.kernel, instance)
    assert Kept(ending.path).stop_of(instance.id) is None
    later = Runs(Kept(ending.path), started=ending.end + 10 * MINUTE)
    assert ending.told_later(later, instance) is None


@pytest.mark.parametrize("how", ["off", "idle", "past"])
def test_a_server_that_starts_later_does_not_tell_of_a_run_that_went_on(
    how: str, ending: Ending
) -> None:
    """Where the API reveals when the run began; else what another saw in time does, be it only the store."""
    instance = ending.goes_on(how)
    later = Runs(Kept(ending.path), started=ending.end + 10 * MINUTE)
    seen_in_time = instance.observed_at <= ending.end
    reveals = ending.kernel.capabilities.counts_from is CountsFrom.RUN_START
    told = ending.told_later(later, instance)
    assert (told is None) == (seen_in_time or reveals)
    later.saw(ending.kernel, instance)
    assert (Kept(ending.path).stop_of(instance.id) is None) == (seen_in_time or reveals)


@pytest.mark.parametrize("reason", ["PAST", "DISAGREE"])
def test_an_end_that_is_not_known_for_a_moment_forgets_nothing(reason: str, ending: Ending) -> None:
    """The cloud takes up to a minute to stop it, and has contradicted itself before."""
    now = ending.kernel.refresh()
    stop = replace(now.auto_stop, stops_at=None, end_unknown=EndUnknown[reason])
    instance = replace(now, auto_stop=stop, observed_at=ending.end + GRACE)
    ending.runs.saw(ending.kernel, instance)
    assert ending.kept.stop_of(instance.id) == moment_to_ms(ending.end)


@pytest.mark.parametrize("ended_minutes_ago", [1, 30])
def test_a_server_tells_the_next_run_from_the_same(
    ended_minutes_ago: int, kernel: Session, emulator: LocalEmulator, tmp_path: Path
) -> None:
    """By when the run began where the API reveals that, else by when the server started."""
    now = kernel.refresh().observed_at
    kept, minutes = Kept(tmp_path / NAME), timedelta(minutes=1)
    ended_ms = moment_to_ms(now - ended_minutes_ago * minutes)
    kept.add(
        emulator.instance_id,
        stops_at_ms=ended_ms,
        duration_s=3600,
        seen_ms=ended_ms,
        saved=["a.ipynb"],
        not_saved=[],
    )
    runs = Runs(kept, started=now)
    instance = kernel.refresh()  # 20 minutes of its run have passed
    runs.saw(kernel, instance)
    told = runs.last(View(instance=instance, session=kernel))
    reveals = kernel.capabilities.counts_from is CountsFrom.RUN_START
    assert (told is None) == (reveals and ended_minutes_ago < 20)


def at(now: datetime, *, skew: timedelta = timedelta(0)) -> Session:
    """Return a session that knows what time it is, and nothing of when the run began."""
    made: Any = SimpleNamespace(
        now=lambda: now, skew=skew, circumstances=lambda seen: Circumstances(seen, LEASE)
    )
    return made


@pytest.mark.parametrize(
    ("left", "status", "kept"),
    [
        (timedelta(milliseconds=TO_THE_END_MS), Status.RUNNING, True),
        (timedelta(milliseconds=TO_THE_END_MS + 1), Status.RUNNING, False),
        (timedelta(0), Status.RUNNING, True),
        (-SECOND, Status.RUNNING, False),
        (MINUTE, Status.STOPPING, False),
        (None, Status.RUNNING, False),
    ],
)
def test_a_run_that_is_seen_shortly_before_its_end_is_kept(
    left: timedelta | None, status: Status, kept: object, tmp_path: Path
) -> None:
    """Not one that is far from it, past it, stopping for another reason, or without any."""
    seen = instance(stop_in(left), status=status)
    Runs(Kept(tmp_path / NAME), started=NOW).saw(at(NOW), seen)
    assert (Kept(tmp_path / NAME).stop_of(seen.id) is not None) is kept


def test_a_page_that_saves_shows_that_the_run_is_alive(tmp_path: Path) -> None:
    """Whenever the cloud was last asked: a stop soon after is auto-stop's."""
    runs = Runs(Kept(tmp_path / NAME), started=NOW)
    seen = instance(stop_in(MINUTE), observed_at=NOW - 5 * MINUTE)
    runs.saved(at(NOW), seen, Saved(moment_to_ms(NOW + MINUTE), [], []))
    run = Kept(tmp_path / NAME).last_run(seen.id, started_ms=moment_to_ms(NOW + 2 * MINUTE))
    assert run is not None
    assert run["reason"] == "auto-stop"


def test_a_server_starts_by_the_clouds_clock(tmp_path: Path) -> None:
    """As its stops are told by that one, too; else it would take the last run for its own."""
    ahead = at(NOW + 11 * MINUTE, skew=10 * MINUTE)
    seen = instance(stop_in(2 * 60 * MINUTE), observed_at=NOW + 11 * MINUTE)
    runs = Runs(Kept(tmp_path / NAME), started=NOW)
    runs.saved(ahead, seen, Saved(moment_to_ms(NOW + 5 * MINUTE), ["a.ipynb"], []))
    assert runs.last(View(instance=seen, session=ahead)) is not None


def test_another_run_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    """Its lists begin anew."""
    kept = run_that_ended(tmp_path / NAME)
    kept.note(WHO, stops_at_ms=LATER_MS, duration_s=7200, seen_ms=LATER_MS)
    assert kept.this_run(WHO, stops_at_ms=LATER_MS) == {
        "stops_at_ms": LATER_MS,
        "saved": [],
        "not_saved": [],
    }


def test_it_lies_where_it_survives(tmp_path: Path) -> None:
    """In ~/work if there is one."""
    environ = {"HOME": str(tmp_path)}
    assert place(environ, str(tmp_path / "state")) == tmp_path / "state" / NAME
    (tmp_path / "work").mkdir()
    assert place(environ, str(tmp_path / "state")) == tmp_path / "work" / NAME


def written_run(**fields: object) -> str:
    """Return a file with a run that ended, and some fields of it."""
    run = {"stops_at_ms": END_MS, "seen_ms": END_MS, **fields}
    return json.dumps({"version": 1, "instances": {WHO: {"run": run}}})


@pytest.mark.parametrize(
    "written",
    [
        "",
        "[]",
        "{",
        written_run().replace('"version": 1', '"version": 2'),
        json.dumps({"version": 1, "instances": {WHO: {"run": 5}}}),
        written_run(seen_ms="x"),
        written_run(saved=None),
        written_run(saved=[1]),
        written_run(not_saved=["b.py"]),
        written_run(not_saved=[{"path": "b.py"}]),
        written_run(tabs=[]),
        written_run(tabs={"1": 5}),
        written_run(tabs={"1": {"saved": []}}),
        written_run(tabs={"1": {"saved": [], "not_saved": [{"path": "b.py", "why": 5}]}}),
    ],
)
def test_a_file_that_makes_no_sense_is_no_obstacle(written: str, tmp_path: Path) -> None:
    """It is as if there were none."""
    (tmp_path / NAME).write_text(written)
    kept = Kept(tmp_path / NAME)
    assert kept.last_run(WHO, started_ms=LATER_MS) is None
    kept.mute(WHO, muted=True)
    assert Kept(tmp_path / NAME).muted(WHO)


def test_the_file_is_private_and_written_only_on_change(tmp_path: Path) -> None:
    """It is said anew with each answer of the cloud near the end of a run."""
    kept = run_that_ended(tmp_path / NAME)
    before = (tmp_path / NAME).stat()
    assert stat.S_IMODE(before.st_mode) == 0o600
    kept.add(WHO, stops_at_ms=END_MS, duration_s=3600, seen_ms=END_MS - 60_000, **SAID)
    assert (tmp_path / NAME).stat().st_ino == before.st_ino
    kept.mute(WHO, muted=True)
    assert (tmp_path / NAME).stat().st_ino != before.st_ino


def test_what_cannot_be_put_in_its_place_leaves_nothing_over(tmp_path: Path) -> None:
    """A folder is in the way."""
    (tmp_path / NAME).mkdir()
    Kept(tmp_path / NAME).mute(WHO, muted=True)
    assert [each.name for each in tmp_path.iterdir()] == [NAME]


def test_a_folder_that_cannot_be_written_costs_only_the_memory(tmp_path: Path) -> None:
    """Until the server ends everything works."""
    (tmp_path / "file").write_text("")
    kept = Kept(tmp_path / "file" / NAME)
    kept.mute(WHO, muted=True)
    assert kept.muted(WHO)


async def test_the_first_page_after_a_stop_is_told(ask: Ask) -> None:
    """Until it says that it was read."""
    now_ms = (await ask("instance")).body["server_now_ms"]
    ended_ms = now_ms - 3_600_000
    body = {"stops_at_ms": ended_ms, "saved": ["a.ipynb"], "not_saved": NOT_SAVED}
    kept = await ask("saved", "POST", body)
    assert kept.status == 200
    told = (await ask("instance")).body["last_run"]
    assert told["saved"] == ["a.ipynb"]
    assert told["not_saved"] == NOT_SAVED
    assert (await ask("saved")).body["last_run"] == told
    assert (await ask("saved", "DELETE")).body["last_run"] is None
    assert (await ask("instance")).body["last_run"] is None


async def test_a_page_says_which_tab_it_is(ask: Ask) -> None:
    """By which its second report replaces the first, and not that of another."""
    end_ms = (await ask("instance")).body["state"]["stops_at_ms"]
    for tab, paths in (("one", ["a.py"]), ("other", ["b.py"]), ("one", ["c.py"])):
        got = await ask("saved", "POST", {"stops_at_ms": end_ms, "saved": paths, "tab": tab})
    assert got.body["this_run"]["saved"] == ["b.py", "c.py"]


async def test_a_run_near_its_end_is_kept_without_any_page(
    ask: Ask, emulator: LocalEmulator
) -> None:
    """So that the next server can tell, also where there was nothing to save."""
    emulator.set_instance(minutes_left=2)
    seen = (await ask("instance", params={"refresh": "1"})).body
    this = (await ask("saved")).body["this_run"]
    assert this == {"stops_at_ms": seen["state"]["stops_at_ms"], "saved": [], "not_saved": []}


async def test_a_page_that_is_opened_again_before_the_stop_is_told(
    ask: Ask, emulator: LocalEmulator
) -> None:
    """What was saved, with everything else that it shows; and nothing of it in a run that nobody saved."""
    assert (await ask("instance")).body["this_run"] is None
    emulator.set_instance(minutes_left=2)
    end_ms = (await ask("instance", params={"refresh": "1"})).body["state"]["stops_at_ms"]
    what = {"stops_at_ms": end_ms, "saved": ["a.ipynb"], "not_saved": NOT_SAVED}
    await ask("saved", "POST", what)
    told = (await ask("instance")).body
    assert (told["this_run"], told["last_run"]) == (what, None)


async def test_a_stop_that_is_called_off_is_forgotten_at_once(
    ask: Ask, emulator: LocalEmulator, kernel: Session, desk: Desk
) -> None:
    """Also by who only looks: a server that is started again must not tell of it."""
    emulator.set_instance(minutes_left=0.8)
    seen = (await ask("instance", params={"refresh": "1"})).body
    what = {"stops_at_ms": seen["state"]["stops_at_ms"], "saved": ["a.ipynb"]}
    await ask("saved", "POST", what)
    assert desk._kept.stop_of(emulator.instance_id) == what["stops_at_ms"]
    able = kernel.capabilities
    kernel.set_auto_stop(Wish(enabled=False) if able.off else Wish(mode=Mode.IDLE))
    await ask("instance", params={"refresh": "1"})
    assert desk._kept.stop_of(emulator.instance_id) is None
