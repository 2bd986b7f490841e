"""What the first page after a stop is told of the run before."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from factories import (
    MINUTE,
    NOTEBOOKS_CAPABILITIES,
    NOW,
    disabled_auto_stop,
    idle_auto_stop,
    make_instance,
    timed_auto_stop,
)

from modelarts_magics.domain.countdown import STOP_GRACE_PERIOD
from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.domain.models import (
    UNKNOWN_AUTO_STOP,
    CountsFrom,
    Mode,
    Status,
    StopTimeUnknown,
)
from modelarts_magics.domain.planning import AutoStopRequest, PlanContext
from modelarts_magics.server.request_models import SaveReport
from modelarts_magics.server.run_history import RunHistory, run_continued
from modelarts_magics.server.run_store import (
    AUTO_STOP_WINDOW_MS,
    FILE_NAME,
    MAX_PATHS,
    MAX_TABS,
    SAME_RUN_TOLERANCE_MS,
    STOP_GRACE_PERIOD_MS,
    RunStore,
    default_path,
)
from modelarts_magics.server.snapshot import Snapshot

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from conftest import SendRequest

    from modelarts_magics.domain.models import AutoStop, Instance
    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.server.service import InstanceService
    from modelarts_magics.session.session import Session

SECOND = timedelta(seconds=1)
STOP_TIME_MS = 1_800_000_000_000
LATER_MS = STOP_TIME_MS + 3_600_000
INSTANCE_ID = "5c5efd15-18b3-4b14-959d-f11e5aff4244"
NOT_SAVED = [{"path": "b.py", "reason": "changed on disk"}]
REPORT: dict[str, Any] = {"saved": ["a.ipynb"], "not_saved": NOT_SAVED}


def store_with_ended_run(path: Path, *, before_ms: int = 60_000, **more: Any) -> RunStore:
    """Return what a later server finds of a run that was last seen so long before its end."""
    said = {**REPORT, **more}
    RunStore(path).record_saved(
        INSTANCE_ID,
        stops_at_ms=STOP_TIME_MS,
        duration_s=3600,
        seen_ms=STOP_TIME_MS - before_ms,
        **said,
    )
    return RunStore(path)


def test_a_server_that_starts_after_the_stop_tells_of_it(tmp_path: Path) -> None:
    """When and why the run ended, what was saved and what was not."""
    assert store_with_ended_run(tmp_path / FILE_NAME).last_run(
        INSTANCE_ID, started_ms=LATER_MS
    ) == {
        "ended_at_ms": STOP_TIME_MS,
        "reason": "auto-stop",
        "duration_s": 3600,
        "saved": ["a.ipynb"],
        "not_saved": NOT_SAVED,
    }


def test_a_server_of_the_same_run_does_not(tmp_path: Path) -> None:
    """It was started again before the stop."""
    kept = store_with_ended_run(tmp_path / FILE_NAME)
    assert kept.last_run(INSTANCE_ID, started_ms=STOP_TIME_MS - 1) is None
    assert kept.last_run("another", started_ms=LATER_MS) is None


def test_a_run_that_vanished_long_before_its_end_is_not_blamed_on_auto_stop(tmp_path: Path) -> None:
    """Somebody may have stopped it by hand."""
    seen = AUTO_STOP_WINDOW_MS + 1
    told = store_with_ended_run(tmp_path / FILE_NAME, before_ms=seen).last_run(
        INSTANCE_ID, started_ms=LATER_MS
    )
    assert told is not None
    assert (told["reason"], told["ended_at_ms"]) == ("unknown", STOP_TIME_MS - seen)


def merged_lists(kept: RunStore) -> tuple[list[str], list[dict[str, str]]]:
    """Return what the next server tells of the run: what was saved, and what was not."""
    told = kept.last_run(INSTANCE_ID, started_ms=LATER_MS)
    assert told is not None
    return told["saved"], told["not_saved"]


def add_report(kept: RunStore, tab: str, saved: list[str], not_saved: list[dict[str, str]]) -> None:
    """Let a tab say what it saved."""
    times = {"stops_at_ms": STOP_TIME_MS, "duration_s": 3600, "seen_ms": STOP_TIME_MS}
    kept.record_saved(INSTANCE_ID, **times, saved=saved, not_saved=not_saved, tab=tab)


def test_what_several_tabs_saved_is_put_together(tmp_path: Path) -> None:
    """A document that one of them could save and another could not is told as both: two copies of it differ."""
    kept = store_with_ended_run(tmp_path / FILE_NAME)
    add_report(kept, "2", ["b.py", "a.ipynb"], NOT_SAVED)
    assert merged_lists(RunStore(tmp_path / FILE_NAME)) == (["a.ipynb", "b.py"], NOT_SAVED)
    add_report(kept, "3", [], [{"path": "b.py", "reason": "no right"}])
    assert merged_lists(kept)[1] == [*NOT_SAVED, {"path": "b.py", "reason": "no right"}]


def test_a_tab_that_says_more_later_replaces_what_it_said(tmp_path: Path) -> None:
    """What it could save at the second try is no longer among what it could not; others stand by theirs."""
    kept = store_with_ended_run(tmp_path / FILE_NAME, tab="1")
    add_report(kept, "2", ["c.py"], [])
    add_report(kept, "1", ["b.py"], [])
    assert merged_lists(kept) == (["c.py", "b.py"], [])


def test_what_pages_of_two_processes_saved_is_put_together(tmp_path: Path) -> None:
    """As where two browsers have a helper kernel each; neither overwrites what the other one kept."""
    one, other = RunStore(tmp_path / FILE_NAME), RunStore(tmp_path / FILE_NAME)
    add_report(one, "1", ["a.ipynb"], [])
    add_report(other, "2", ["b.py"], [])
    add_report(one, "1", ["a.ipynb", "c.md"], NOT_SAVED)
    other.set_muted("another", muted=True)
    for kept in (one, other, RunStore(tmp_path / FILE_NAME)):
        assert merged_lists(kept) == (["b.py", "a.ipynb", "c.md"], NOT_SAVED)
        assert kept.is_muted("another")


def test_only_so_many_tabs_and_paths_are_kept(tmp_path: Path) -> None:
    """The tab that was silent the longest goes first."""
    kept = store_with_ended_run(tmp_path / FILE_NAME, tab="0")
    for n in range(1, MAX_TABS):
        add_report(kept, str(n), [f"{n}.py"], [])
    add_report(kept, "0", ["0.py"], [])
    add_report(kept, "last", [], [])
    assert sorted(merged_lists(kept)[0]) == sorted(f"{n}.py" for n in range(MAX_TABS) if n != 1)
    add_report(kept, "last", [f"more/{n}.py" for n in range(MAX_PATHS)], [])
    assert len(merged_lists(kept)[0]) == MAX_PATHS


def test_a_file_of_before_tabs_were_told_apart_is_read(tmp_path: Path) -> None:
    """Its lists are those of a tab without a name, which replaces them."""
    run = {
        "stops_at_ms": STOP_TIME_MS,
        "seen_ms": STOP_TIME_MS,
        "saved": ["a.ipynb"],
        "not_saved": NOT_SAVED,
    }
    written = {"version": 1, "instances": {INSTANCE_ID: {"run": run}}}
    (tmp_path / FILE_NAME).write_text(json.dumps(written))
    kept = RunStore(tmp_path / FILE_NAME)
    assert merged_lists(kept) == (["a.ipynb"], NOT_SAVED)
    add_report(kept, "2", ["c.py"], [])
    assert merged_lists(kept) == (["a.ipynb", "c.py"], NOT_SAVED)
    add_report(kept, "", ["b.py"], [])
    assert merged_lists(kept) == (["c.py", "b.py"], [])


@pytest.mark.parametrize(
    ("after_ms", "told"),
    [
        (STOP_GRACE_PERIOD_MS, ("auto-stop", STOP_TIME_MS)),
        (STOP_GRACE_PERIOD_MS + 1, ("unknown", STOP_TIME_MS + STOP_GRACE_PERIOD_MS + 1)),
    ],
)
def test_a_run_that_was_seen_after_its_end_did_not_end_by_it(
    after_ms: int, told: tuple[str, int], tmp_path: Path
) -> None:
    """But for the minute that the cloud takes to stop it."""
    run = store_with_ended_run(tmp_path / FILE_NAME, before_ms=-after_ms).last_run(
        INSTANCE_ID, started_ms=LATER_MS
    )
    assert run is not None
    assert (run["reason"], run["ended_at_ms"]) == told


def test_only_the_run_that_is_meant_is_forgotten(tmp_path: Path) -> None:
    """Another may have been kept meanwhile."""
    kept = store_with_ended_run(tmp_path / FILE_NAME)
    kept.delete_run(INSTANCE_ID, stops_at_ms=STOP_TIME_MS - SAME_RUN_TOLERANCE_MS - 1)
    assert kept.recorded_stop_ms(INSTANCE_ID) == STOP_TIME_MS
    kept.delete_run(INSTANCE_ID, stops_at_ms=STOP_TIME_MS)
    assert kept.recorded_stop_ms(INSTANCE_ID) is None


STOP_MS = datetime_to_ms(NOW)
UNKNOWN = {"stop_time_unknown": StopTimeUnknown.PAST}


@pytest.mark.parametrize(
    ("stop", "seen_after", "expected"),
    [
        (timed_auto_stop(MINUTE), timedelta(0), False),
        (timed_auto_stop(MINUTE + SECOND), timedelta(0), True),
        (timed_auto_stop(-MINUTE - SECOND), -3 * MINUTE, True),
        (disabled_auto_stop(), -SECOND, True),
        (idle_auto_stop(), -SECOND, True),
        (UNKNOWN_AUTO_STOP, -SECOND, True),
        (timed_auto_stop(None, **UNKNOWN), STOP_GRACE_PERIOD, False),
        (timed_auto_stop(None, **UNKNOWN), STOP_GRACE_PERIOD + SECOND, True),
        (timed_auto_stop(None, stop_time_unknown=StopTimeUnknown.INCONSISTENT), -3 * MINUTE, False),
        (
            timed_auto_stop(None, stop_time_unknown=StopTimeUnknown.MISSING),
            STOP_GRACE_PERIOD + SECOND,
            True,
        ),
    ],
)
def test_a_run_that_does_not_stop_then_went_on(
    stop: AutoStop, seen_after: timedelta, expected: object
) -> None:
    """It has another end, or none; or it is seen alive when the end that nobody knows must be past."""
    seen = make_instance(stop, observed_at=NOW + seen_after)
    assert run_continued(seen, planned_stop_ms=STOP_MS) is expected


def test_a_run_that_stops_did_not_go_on() -> None:
    """Whatever is set for the next."""
    assert not run_continued(
        make_instance(disabled_auto_stop(), status=Status.STOPPED), planned_stop_ms=STOP_MS
    )


class InstanceBeforeStop:
    """An instance with little time left, whose server kept what was saved."""

    def __init__(self, kernel: Session, emulator: LocalEmulator, path: Path) -> None:
        self.kernel = kernel
        self.emulator = emulator
        self.run_store = RunStore(path)
        self.path = path
        emulator.set_instance(minutes_left=0.8)
        self.started = kernel.refresh().observed_at
        self.run_history = RunHistory(self.run_store, server_started=self.started)
        end = kernel.refresh().auto_stop.stops_at
        assert end is not None
        self.stop_time = end
        what = SaveReport(datetime_to_ms(self.stop_time), ["a.ipynb"], [])
        self.run_history.record_saved(kernel, kernel.refresh(), what)

    def continued_instance(self, how: str) -> Instance:
        """Return the running instance after its end was taken away: off, idle, or by letting it pass."""
        now = self.kernel.refresh()
        past = replace(now.auto_stop, stops_at=None, stop_time_unknown=StopTimeUnknown.PAST)
        stops = {"off": disabled_auto_stop(), "idle": idle_auto_stop(), "past": past}
        seen = self.stop_time + STOP_GRACE_PERIOD + SECOND if how == "past" else now.observed_at
        return replace(now, auto_stop=stops[how], observed_at=seen)

    def later_last_run(self, runs: RunHistory, instance: Instance) -> object:
        """Return how the last run ended, as the server says that has these runs."""
        return runs.last_run(Snapshot(instance=instance, session=self.kernel))


@pytest.fixture
def instance_before_stop(
    other_session: Session, emulator: LocalEmulator, tmp_path: Path
) -> InstanceBeforeStop:
    """Return an instance that is about to stop."""
    return InstanceBeforeStop(other_session, emulator, tmp_path / FILE_NAME)


@pytest.mark.parametrize("how", ["off", "idle", "past"])
def test_a_server_that_sees_a_run_go_on_forgets_its_end(
    how: str, instance_before_stop: InstanceBeforeStop
) -> None:
    """At once, so that one that starts later has nothing to tell; the same in both APIs."""
    instance = instance_before_stop.continued_instance(how)
    instance_before_stop.run_history.record_alive(instance_before_stop.kernel, instance)
    assert RunStore(instance_before_stop.path).recorded_stop_ms(instance.id) is None
    later = RunHistory(
        RunStore(instance_before_stop.path),
        server_started=instance_before_stop.stop_time + 10 * MINUTE,
    )
    assert instance_before_stop.later_last_run(later, instance) is None


@pytest.mark.parametrize("how", ["off", "idle", "past"])
def test_a_server_that_starts_later_does_not_tell_of_a_run_that_went_on(
    how: str, instance_before_stop: InstanceBeforeStop
) -> None:
    """Where the API reveals when the run began; else what another saw in time does, be it only the store."""
    instance = instance_before_stop.continued_instance(how)
    later = RunHistory(
        RunStore(instance_before_stop.path),
        server_started=instance_before_stop.stop_time + 10 * MINUTE,
    )
    seen_in_time = instance.observed_at <= instance_before_stop.stop_time
    reveals = instance_before_stop.kernel.capabilities.counts_from is CountsFrom.RUN_START
    told = instance_before_stop.later_last_run(later, instance)
    assert (told is None) == (seen_in_time or reveals)
    later.record_alive(instance_before_stop.kernel, instance)
    assert (RunStore(instance_before_stop.path).recorded_stop_ms(instance.id) is None) == (
        seen_in_time or reveals
    )


@pytest.mark.parametrize("reason", ["PAST", "INCONSISTENT"])
def test_an_end_that_is_not_known_for_a_moment_forgets_nothing(
    reason: str, instance_before_stop: InstanceBeforeStop
) -> None:
    """The cloud takes up to a minute to stop it, and has contradicted itself before."""
    now = instance_before_stop.kernel.refresh()
    stop = replace(now.auto_stop, stops_at=None, stop_time_unknown=StopTimeUnknown[reason])
    instance = replace(
        now, auto_stop=stop, observed_at=instance_before_stop.stop_time + STOP_GRACE_PERIOD
    )
    instance_before_stop.run_history.record_alive(instance_before_stop.kernel, instance)
    assert instance_before_stop.run_store.recorded_stop_ms(instance.id) == datetime_to_ms(
        instance_before_stop.stop_time
    )


@pytest.mark.parametrize("ended_minutes_ago", [1, 30])
def test_a_server_tells_the_next_run_from_the_same(
    ended_minutes_ago: int, other_session: Session, emulator: LocalEmulator, tmp_path: Path
) -> None:
    """By when the run began where the API reveals that, else by when the server started."""
    now = other_session.refresh().observed_at
    kept, minutes = RunStore(tmp_path / FILE_NAME), timedelta(minutes=1)
    ended_ms = datetime_to_ms(now - ended_minutes_ago * minutes)
    kept.record_saved(
        emulator.instance_id,
        stops_at_ms=ended_ms,
        duration_s=3600,
        seen_ms=ended_ms,
        saved=["a.ipynb"],
        not_saved=[],
    )
    runs = RunHistory(kept, server_started=now)
    instance = other_session.refresh()  # 20 minutes of its run have passed
    runs.record_alive(other_session, instance)
    told = runs.last_run(Snapshot(instance=instance, session=other_session))
    reveals = other_session.capabilities.counts_from is CountsFrom.RUN_START
    assert (told is None) == (reveals and ended_minutes_ago < 20)


def session_at(now: datetime, *, skew: timedelta = timedelta(0)) -> Session:
    """Return a session that knows what time it is, and nothing of when the run began."""
    made: Any = SimpleNamespace(
        now=lambda: now,
        skew=skew,
        plan_context=lambda seen: PlanContext(seen, NOTEBOOKS_CAPABILITIES),
    )
    return made


@pytest.mark.parametrize(
    ("left", "status", "kept"),
    [
        (timedelta(milliseconds=AUTO_STOP_WINDOW_MS), Status.RUNNING, True),
        (timedelta(milliseconds=AUTO_STOP_WINDOW_MS + 1), Status.RUNNING, False),
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
    seen = make_instance(timed_auto_stop(left), status=status)
    RunHistory(RunStore(tmp_path / FILE_NAME), server_started=NOW).record_alive(
        session_at(NOW), seen
    )
    assert (RunStore(tmp_path / FILE_NAME).recorded_stop_ms(seen.id) is not None) is kept


def test_a_page_that_saves_shows_that_the_run_is_alive(tmp_path: Path) -> None:
    """Whenever the cloud was last asked: a stop soon after is auto-stop's."""
    runs = RunHistory(RunStore(tmp_path / FILE_NAME), server_started=NOW)
    seen = make_instance(timed_auto_stop(MINUTE), observed_at=NOW - 5 * MINUTE)
    runs.record_saved(session_at(NOW), seen, SaveReport(datetime_to_ms(NOW + MINUTE), [], []))
    run = RunStore(tmp_path / FILE_NAME).last_run(
        seen.id, started_ms=datetime_to_ms(NOW + 2 * MINUTE)
    )
    assert run is not None
    assert run["reason"] == "auto-stop"


def test_a_server_starts_by_the_clouds_clock(tmp_path: Path) -> None:
    """As its stops are told by that one, too; else it would take the last run for its own."""
    ahead = session_at(NOW + 11 * MINUTE, skew=10 * MINUTE)
    seen = make_instance(timed_auto_stop(2 * 60 * MINUTE), observed_at=NOW + 11 * MINUTE)
    runs = RunHistory(RunStore(tmp_path / FILE_NAME), server_started=NOW)
    runs.record_saved(ahead, seen, SaveReport(datetime_to_ms(NOW + 5 * MINUTE), ["a.ipynb"], []))
    assert runs.last_run(Snapshot(instance=seen, session=ahead)) is not None


def test_another_run_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    """Its lists begin anew."""
    kept = store_with_ended_run(tmp_path / FILE_NAME)
    kept.record_alive(INSTANCE_ID, stops_at_ms=LATER_MS, duration_s=7200, seen_ms=LATER_MS)
    assert kept.this_run(INSTANCE_ID, stops_at_ms=LATER_MS) == {
        "stops_at_ms": LATER_MS,
        "saved": [],
        "not_saved": [],
    }


def test_it_lies_where_it_survives(tmp_path: Path) -> None:
    """In ~/work if there is one."""
    environ = {"HOME": str(tmp_path)}
    assert default_path(environ, str(tmp_path / "state")) == tmp_path / "state" / FILE_NAME
    (tmp_path / "work").mkdir()
    assert default_path(environ, str(tmp_path / "state")) == tmp_path / "work" / FILE_NAME


def run_file_text(**fields: object) -> str:
    """Return a file with a run that ended, and some fields of it."""
    run = {"stops_at_ms": STOP_TIME_MS, "seen_ms": STOP_TIME_MS, **fields}
    return json.dumps({"version": 1, "instances": {INSTANCE_ID: {"run": run}}})


@pytest.mark.parametrize(
    "written",
    [
        "",
        "[]",
        "{",
        run_file_text().replace('"version": 1', '"version": 2'),
        json.dumps({"version": 1, "instances": {INSTANCE_ID: {"run": 5}}}),
        run_file_text(seen_ms="x"),
        run_file_text(saved=None),
        run_file_text(saved=[1]),
        run_file_text(not_saved=["b.py"]),
        run_file_text(not_saved=[{"path": "b.py"}]),
        run_file_text(tabs=[]),
        run_file_text(tabs={"1": 5}),
        run_file_text(tabs={"1": {"saved": []}}),
        run_file_text(tabs={"1": {"saved": [], "not_saved": [{"path": "b.py", "reason": 5}]}}),
    ],
)
def test_a_file_that_makes_no_sense_is_no_obstacle(written: str, tmp_path: Path) -> None:
    """It is as if there were none."""
    (tmp_path / FILE_NAME).write_text(written)
    kept = RunStore(tmp_path / FILE_NAME)
    assert kept.last_run(INSTANCE_ID, started_ms=LATER_MS) is None
    kept.set_muted(INSTANCE_ID, muted=True)
    assert RunStore(tmp_path / FILE_NAME).is_muted(INSTANCE_ID)


def test_the_file_is_private_and_written_only_on_change(tmp_path: Path) -> None:
    """It is said anew with each answer of the cloud near the end of a run."""
    kept = store_with_ended_run(tmp_path / FILE_NAME)
    before = (tmp_path / FILE_NAME).stat()
    assert stat.S_IMODE(before.st_mode) == 0o600
    kept.record_saved(
        INSTANCE_ID,
        stops_at_ms=STOP_TIME_MS,
        duration_s=3600,
        seen_ms=STOP_TIME_MS - 60_000,
        **REPORT,
    )
    assert (tmp_path / FILE_NAME).stat().st_ino == before.st_ino
    kept.set_muted(INSTANCE_ID, muted=True)
    assert (tmp_path / FILE_NAME).stat().st_ino != before.st_ino


def test_what_cannot_be_put_in_its_place_leaves_nothing_over(tmp_path: Path) -> None:
    """A folder is in the way."""
    (tmp_path / FILE_NAME).mkdir()
    RunStore(tmp_path / FILE_NAME).set_muted(INSTANCE_ID, muted=True)
    assert [each.name for each in tmp_path.iterdir()] == [FILE_NAME]


def test_a_folder_that_cannot_be_written_costs_only_the_memory(tmp_path: Path) -> None:
    """Until the server ends everything works."""
    (tmp_path / "file").write_text("")
    kept = RunStore(tmp_path / "file" / FILE_NAME)
    kept.set_muted(INSTANCE_ID, muted=True)
    assert kept.is_muted(INSTANCE_ID)


async def test_the_first_page_after_a_stop_is_told(send_request: SendRequest) -> None:
    """Until it says that it was read."""
    now_ms = (await send_request("instance")).body["server_now_ms"]
    ended_ms = now_ms - 3_600_000
    body = {"stops_at_ms": ended_ms, "saved": ["a.ipynb"], "not_saved": NOT_SAVED}
    kept = await send_request("saved", "POST", body)
    assert kept.status == 200
    told = (await send_request("instance")).body["last_run"]
    assert told["saved"] == ["a.ipynb"]
    assert told["not_saved"] == NOT_SAVED
    assert (await send_request("saved", "DELETE")).body["last_run"] is None
    assert (await send_request("instance")).body["last_run"] is None


async def test_a_page_says_which_tab_it_is(send_request: SendRequest) -> None:
    """By which its second report replaces the first, and not that of another."""
    end_ms = (await send_request("instance")).body["instance"]["stops_at_ms"]
    for tab, paths in (("one", ["a.py"]), ("other", ["b.py"]), ("one", ["c.py"])):
        got = await send_request(
            "saved", "POST", {"stops_at_ms": end_ms, "saved": paths, "tab": tab}
        )
    assert got.body["this_run"]["saved"] == ["b.py", "c.py"]


async def test_a_run_near_its_end_is_kept_without_any_page(
    send_request: SendRequest, emulator: LocalEmulator
) -> None:
    """So that the next server can tell, also where there was nothing to save."""
    emulator.set_instance(minutes_left=2)
    seen = (await send_request("instance", params={"refresh": "1"})).body
    this = (await send_request("instance")).body["this_run"]
    assert this == {"stops_at_ms": seen["instance"]["stops_at_ms"], "saved": [], "not_saved": []}


async def test_a_page_that_is_opened_again_before_the_stop_is_told(
    send_request: SendRequest, emulator: LocalEmulator
) -> None:
    """What was saved, with everything else that it shows; and nothing of it in a run that nobody saved."""
    assert (await send_request("instance")).body["this_run"] is None
    emulator.set_instance(minutes_left=2)
    end_ms = (await send_request("instance", params={"refresh": "1"})).body["instance"][
        "stops_at_ms"
    ]
    what = {"stops_at_ms": end_ms, "saved": ["a.ipynb"], "not_saved": NOT_SAVED}
    await send_request("saved", "POST", what)
    told = (await send_request("instance")).body
    assert (told["this_run"], told["last_run"]) == (what, None)


async def test_a_stop_that_is_called_off_is_forgotten_at_once(
    send_request: SendRequest,
    emulator: LocalEmulator,
    other_session: Session,
    service: InstanceService,
) -> None:
    """Also by who only looks: a server that is started again must not tell of it."""
    emulator.set_instance(minutes_left=0.8)
    seen = (await send_request("instance", params={"refresh": "1"})).body
    what = {"stops_at_ms": seen["instance"]["stops_at_ms"], "saved": ["a.ipynb"]}
    await send_request("saved", "POST", what)
    assert service._run_store.recorded_stop_ms(emulator.instance_id) == what["stops_at_ms"]
    able = other_session.capabilities
    other_session.set_auto_stop(
        AutoStopRequest(enabled=False) if able.can_disable else AutoStopRequest(mode=Mode.IDLE)
    )
    await send_request("instance", params={"refresh": "1"})
    assert service._run_store.recorded_stop_ms(emulator.instance_id) is None
