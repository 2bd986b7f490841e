"""Reports about the last run and about saved documents."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Callable

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
from modelarts_magics.server.snapshot import Snapshot
from modelarts_magics.session.run_store import (
    AUTO_STOP_WINDOW_MS,
    MAX_PATHS,
    MAX_TABS,
    SAME_RUN_TOLERANCE_MS,
    STOP_GRACE_PERIOD_MS,
    RunStore,
)
from modelarts_magics.session.store import RUN_FILE_NAME

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
    """Return the store of a run that was last seen this long before its stop time."""
    said = {**REPORT, **more}
    RunStore(path).record_saved(
        INSTANCE_ID,
        stops_at_ms=STOP_TIME_MS,
        duration_s=3600,
        seen_ms=STOP_TIME_MS - before_ms,
        **said,
    )
    return RunStore(path)


def test_server_reports_a_run_that_ended_before_its_start(tmp_path: Path) -> None:
    """The report has the time, the reason and the documents."""
    assert store_with_ended_run(tmp_path / RUN_FILE_NAME).last_run(
        INSTANCE_ID, started_ms=LATER_MS
    ) == {
        "ended_at_ms": STOP_TIME_MS,
        "reason": "auto-stop",
        "duration_s": 3600,
        "saved": ["a.ipynb"],
        "not_saved": NOT_SAVED,
    }


def test_server_of_the_same_run_reports_nothing(tmp_path: Path) -> None:
    """The server was restarted before the stop."""
    store = store_with_ended_run(tmp_path / RUN_FILE_NAME)
    assert store.last_run(INSTANCE_ID, started_ms=STOP_TIME_MS - 1) is None
    assert store.last_run("another", started_ms=LATER_MS) is None


def test_early_end_is_not_reported_as_auto_stop(tmp_path: Path) -> None:
    """The run was last seen long before its stop time."""
    seen = AUTO_STOP_WINDOW_MS + 1
    reported = store_with_ended_run(tmp_path / RUN_FILE_NAME, before_ms=seen).last_run(
        INSTANCE_ID, started_ms=LATER_MS
    )
    assert reported is not None
    assert (reported["reason"], reported["ended_at_ms"]) == ("unknown", STOP_TIME_MS - seen)


def merged_lists(store: RunStore) -> tuple[list[str], list[dict[str, str]]]:
    """Return the documents that the next server reports as saved and as not saved."""
    reported = store.last_run(INSTANCE_ID, started_ms=LATER_MS)
    assert reported is not None
    return reported["saved"], reported["not_saved"]


def add_report(
    store: RunStore, tab: str, saved: list[str], not_saved: list[dict[str, str]]
) -> None:
    """Record the report of a tab."""
    times = {"stops_at_ms": STOP_TIME_MS, "duration_s": 3600, "seen_ms": STOP_TIME_MS}
    store.record_saved(INSTANCE_ID, **times, saved=saved, not_saved=not_saved, tab=tab)


def test_reports_of_several_tabs_are_merged(tmp_path: Path) -> None:
    """A document may be saved in one tab and unsaved in another."""
    store = store_with_ended_run(tmp_path / RUN_FILE_NAME)
    add_report(store, "2", ["b.py", "a.ipynb"], NOT_SAVED)
    assert merged_lists(RunStore(tmp_path / RUN_FILE_NAME)) == (["a.ipynb", "b.py"], NOT_SAVED)
    add_report(store, "3", [], [{"path": "b.py", "reason": "no right"}])
    assert merged_lists(store)[1] == [*NOT_SAVED, {"path": "b.py", "reason": "no right"}]


def test_second_report_of_a_tab_replaces_the_first(tmp_path: Path) -> None:
    """The reports of other tabs stay."""
    store = store_with_ended_run(tmp_path / RUN_FILE_NAME, tab="1")
    add_report(store, "2", ["c.py"], [])
    add_report(store, "1", ["b.py"], [])
    assert merged_lists(store) == (["c.py", "b.py"], [])


def test_reports_of_two_processes_are_merged(tmp_path: Path) -> None:
    """Two helper kernels do not overwrite each other's reports."""
    one, other = RunStore(tmp_path / RUN_FILE_NAME), RunStore(tmp_path / RUN_FILE_NAME)
    add_report(one, "1", ["a.ipynb"], [])
    add_report(other, "2", ["b.py"], [])
    add_report(one, "1", ["a.ipynb", "c.md"], NOT_SAVED)
    other.set_muted("another", muted=True)
    for store in (one, other, RunStore(tmp_path / RUN_FILE_NAME)):
        assert merged_lists(store) == (["b.py", "a.ipynb", "c.md"], NOT_SAVED)
        assert store.is_muted("another")


def test_number_of_tabs_and_paths_is_limited(tmp_path: Path) -> None:
    """The tab that reported longest ago is dropped first."""
    store = store_with_ended_run(tmp_path / RUN_FILE_NAME, tab="0")
    for n in range(1, MAX_TABS):
        add_report(store, str(n), [f"{n}.py"], [])
    add_report(store, "0", ["0.py"], [])
    add_report(store, "last", [], [])
    assert sorted(merged_lists(store)[0]) == sorted(f"{n}.py" for n in range(MAX_TABS) if n != 1)
    add_report(store, "last", [f"more/{n}.py" for n in range(MAX_PATHS)], [])
    assert len(merged_lists(store)[0]) == MAX_PATHS


def test_file_without_tabs_is_read(tmp_path: Path) -> None:
    """Its lists count as those of a tab without a name."""
    run = {
        "stops_at_ms": STOP_TIME_MS,
        "seen_ms": STOP_TIME_MS,
        "saved": ["a.ipynb"],
        "not_saved": NOT_SAVED,
    }
    written = {"version": 1, "instances": {INSTANCE_ID: {"run": run}}}
    (tmp_path / RUN_FILE_NAME).write_text(json.dumps(written))
    store = RunStore(tmp_path / RUN_FILE_NAME)
    assert merged_lists(store) == (["a.ipynb"], NOT_SAVED)
    add_report(store, "2", ["c.py"], [])
    assert merged_lists(store) == (["a.ipynb", "c.py"], NOT_SAVED)
    add_report(store, "", ["b.py"], [])
    assert merged_lists(store) == (["c.py", "b.py"], [])


@pytest.mark.parametrize(
    ("after_ms", "reported"),
    [
        (STOP_GRACE_PERIOD_MS, ("auto-stop", STOP_TIME_MS)),
        (STOP_GRACE_PERIOD_MS + 1, ("unknown", STOP_TIME_MS + STOP_GRACE_PERIOD_MS + 1)),
    ],
)
def test_run_seen_after_its_stop_time_did_not_auto_stop(
    after_ms: int, reported: tuple[str, int], tmp_path: Path
) -> None:
    """The API has a minute to stop the instance."""
    run = store_with_ended_run(tmp_path / RUN_FILE_NAME, before_ms=-after_ms).last_run(
        INSTANCE_ID, started_ms=LATER_MS
    )
    assert run is not None
    assert (run["reason"], run["ended_at_ms"]) == reported


def test_delete_leaves_a_run_with_another_stop_time(tmp_path: Path) -> None:
    """Another process may have recorded it meanwhile."""
    store = store_with_ended_run(tmp_path / RUN_FILE_NAME)
    store.delete_run(INSTANCE_ID, stops_at_ms=STOP_TIME_MS - SAME_RUN_TOLERANCE_MS - 1)
    assert store.recorded_stop_ms(INSTANCE_ID) == STOP_TIME_MS
    store.delete_run(INSTANCE_ID, stops_at_ms=STOP_TIME_MS)
    assert store.recorded_stop_ms(INSTANCE_ID) is None


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
def test_run_with_another_stop_time_continued(
    stop: AutoStop, seen_after: timedelta, expected: object
) -> None:
    """So did a run without a stop time, and one that is alive after it."""
    seen = make_instance(stop, observed_at=NOW + seen_after)
    assert run_continued(seen, planned_stop_ms=STOP_MS) is expected


def test_stopped_run_did_not_continue() -> None:
    """The settings for the next start do not matter."""
    assert not run_continued(
        make_instance(disabled_auto_stop(), status=Status.STOPPED), planned_stop_ms=STOP_MS
    )


def age_of_server(session: Session, started: datetime) -> Callable[[], float]:
    """Return a function that returns the seconds since a server started, where it started at a given time."""

    def age_s() -> float:
        return (session.now() - started).total_seconds()

    return age_s


class InstanceBeforeStop:
    """An instance shortly before its stop, whose server has recorded a report."""

    def __init__(self, kernel: Session, emulator: LocalEmulator, path: Path) -> None:
        self.kernel = kernel
        self.emulator = emulator
        self.run_store = RunStore(path)
        self.path = path
        emulator.set_instance(minutes_left=0.8)
        self.started = kernel.refresh().observed_at
        self.run_history = RunHistory(
            self.run_store, server_age_s=age_of_server(kernel, self.started)
        )
        end = kernel.refresh().auto_stop.stops_at
        assert end is not None
        self.stop_time = end
        what = SaveReport(datetime_to_ms(self.stop_time), ["a.ipynb"], [])
        self.run_history.record_saved(kernel, kernel.refresh(), what)

    def continued_instance(self, how: str) -> Instance:
        """Return the running instance after its stop time was removed or has passed."""
        now = self.kernel.refresh()
        past = replace(now.auto_stop, stops_at=None, stop_time_unknown=StopTimeUnknown.PAST)
        stops = {"off": disabled_auto_stop(), "idle": idle_auto_stop(), "past": past}
        seen = self.stop_time + STOP_GRACE_PERIOD + SECOND if how == "past" else now.observed_at
        return replace(now, auto_stop=stops[how], observed_at=seen)

    def later_last_run(self, runs: RunHistory, instance: Instance) -> object:
        """Return the last run as a server with this history reports it."""
        return runs.last_run(Snapshot(instance=instance, session=self.kernel))


@pytest.fixture
def instance_before_stop(
    other_session: Session, emulator: LocalEmulator, tmp_path: Path
) -> InstanceBeforeStop:
    """Return an instance that is about to stop."""
    return InstanceBeforeStop(other_session, emulator, tmp_path / RUN_FILE_NAME)


@pytest.mark.parametrize("how", ["off", "idle", "past"])
def test_server_deletes_the_report_of_a_continued_run(
    how: str, instance_before_stop: InstanceBeforeStop
) -> None:
    """A later server has nothing to report, with both APIs."""
    instance = instance_before_stop.continued_instance(how)
    instance_before_stop.run_history.record_alive(instance_before_stop.kernel, instance)
    assert RunStore(instance_before_stop.path).recorded_stop_ms(instance.id) is None
    later = RunHistory(
        RunStore(instance_before_stop.path),
        server_age_s=age_of_server(
            instance_before_stop.kernel, instance_before_stop.stop_time + 10 * MINUTE
        ),
    )
    assert instance_before_stop.later_last_run(later, instance) is None


@pytest.mark.parametrize("how", ["off", "idle", "past"])
def test_later_server_does_not_report_a_continued_run(
    how: str, instance_before_stop: InstanceBeforeStop
) -> None:
    """It recognises the run by its start, or by the state file."""
    instance = instance_before_stop.continued_instance(how)
    later = RunHistory(
        RunStore(instance_before_stop.path),
        server_age_s=age_of_server(
            instance_before_stop.kernel, instance_before_stop.stop_time + 10 * MINUTE
        ),
    )
    seen_in_time = instance.observed_at <= instance_before_stop.stop_time
    reveals = instance_before_stop.kernel.capabilities.counts_from is CountsFrom.RUN_START
    reported = instance_before_stop.later_last_run(later, instance)
    assert (reported is None) == (seen_in_time or reveals)
    later.record_alive(instance_before_stop.kernel, instance)
    assert (RunStore(instance_before_stop.path).recorded_stop_ms(instance.id) is None) == (
        seen_in_time or reveals
    )


@pytest.mark.parametrize("reason", ["PAST", "INCONSISTENT"])
def test_unknown_stop_time_deletes_no_report(
    reason: str, instance_before_stop: InstanceBeforeStop
) -> None:
    """The API takes up to a minute to stop an instance."""
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
def test_server_recognises_the_next_run(
    ended_minutes_ago: int, other_session: Session, emulator: LocalEmulator, tmp_path: Path
) -> None:
    """By the start of the run if the API has it, else by the start of the server."""
    now = other_session.refresh().observed_at
    store, minutes = RunStore(tmp_path / RUN_FILE_NAME), timedelta(minutes=1)
    ended_ms = datetime_to_ms(now - ended_minutes_ago * minutes)
    store.record_saved(
        emulator.instance_id,
        stops_at_ms=ended_ms,
        duration_s=3600,
        seen_ms=ended_ms,
        saved=["a.ipynb"],
        not_saved=[],
    )
    runs = RunHistory(store, server_age_s=age_of_server(other_session, now))
    # 20 minutes of its run have passed.
    instance = other_session.refresh()
    runs.record_alive(other_session, instance)
    reported = runs.last_run(Snapshot(instance=instance, session=other_session))
    reveals = other_session.capabilities.counts_from is CountsFrom.RUN_START
    assert (reported is None) == (reveals and ended_minutes_ago < 20)


def session_at(now: datetime, *, time_scale: float = 1) -> Session:
    """Return a session with a fixed time that does not know the start of the run."""
    made: Any = SimpleNamespace(
        now=lambda: now,
        time_scale=time_scale,
        plan_context=lambda seen: PlanContext(seen, NOTEBOOKS_CAPABILITIES),
    )
    return made


@pytest.mark.parametrize(
    ("left", "status", "is_recorded"),
    [
        (timedelta(milliseconds=AUTO_STOP_WINDOW_MS), Status.RUNNING, True),
        (timedelta(milliseconds=AUTO_STOP_WINDOW_MS + 1), Status.RUNNING, False),
        (timedelta(0), Status.RUNNING, True),
        (-SECOND, Status.RUNNING, False),
        (MINUTE, Status.STOPPING, False),
        (None, Status.RUNNING, False),
    ],
)
def test_run_is_recorded_shortly_before_its_stop_time(
    left: timedelta | None, status: Status, is_recorded: object, tmp_path: Path
) -> None:
    """Not earlier, not later, and not without a stop time."""
    seen = make_instance(timed_auto_stop(left), status=status)
    RunHistory(RunStore(tmp_path / RUN_FILE_NAME), server_age_s=lambda: 0).record_alive(
        session_at(NOW), seen
    )
    assert (RunStore(tmp_path / RUN_FILE_NAME).recorded_stop_ms(seen.id) is not None) is is_recorded


def test_save_report_proves_that_the_run_is_alive(tmp_path: Path) -> None:
    """A stop soon after it is an auto-stop."""
    runs = RunHistory(RunStore(tmp_path / RUN_FILE_NAME), server_age_s=lambda: 0)
    seen = make_instance(timed_auto_stop(MINUTE), observed_at=NOW - 5 * MINUTE)
    runs.record_saved(session_at(NOW), seen, SaveReport(datetime_to_ms(NOW + MINUTE), [], []))
    run = RunStore(tmp_path / RUN_FILE_NAME).last_run(
        seen.id, started_ms=datetime_to_ms(NOW + 2 * MINUTE)
    )
    assert run is not None
    assert run["reason"] == "auto-stop"


@pytest.mark.parametrize(
    ("time_scale", "age_s", "is_reported"),
    [(1, 60, True), (60, 1, True), (1, 600, False), (60, 10, False)],
)
def test_start_of_the_server_is_by_the_api_clock(
    time_scale: float, age_s: float, is_reported: object, tmp_path: Path
) -> None:
    """Otherwise it would take the last run for the current one, or the other way round."""
    ahead = session_at(NOW + 11 * MINUTE, time_scale=time_scale)
    seen = make_instance(timed_auto_stop(2 * 60 * MINUTE), observed_at=NOW + 11 * MINUTE)
    runs = RunHistory(RunStore(tmp_path / RUN_FILE_NAME), server_age_s=lambda: age_s)
    runs.record_saved(ahead, seen, SaveReport(datetime_to_ms(NOW + 5 * MINUTE), ["a.ipynb"], []))
    reported = runs.last_run(Snapshot(instance=seen, session=ahead))
    assert (reported is not None) is is_reported


def test_next_run_replaces_the_recorded_one(tmp_path: Path) -> None:
    """Its lists start empty."""
    store = store_with_ended_run(tmp_path / RUN_FILE_NAME)
    store.record_alive(INSTANCE_ID, stops_at_ms=LATER_MS, duration_s=7200, seen_ms=LATER_MS)
    assert store.this_run(INSTANCE_ID, stops_at_ms=LATER_MS) == {
        "stops_at_ms": LATER_MS,
        "saved": [],
        "not_saved": [],
    }


@pytest.mark.parametrize("kind", ["link", "pipe", "writable by others"])
def test_file_that_others_may_write_is_not_read(kind: str, tmp_path: Path) -> None:
    """Nor is a link followed, nor does a pipe block."""
    path, target = tmp_path / RUN_FILE_NAME, tmp_path / "target"
    target.write_text(run_file_text())
    if kind == "link":
        path.symlink_to(target)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_text(run_file_text())
        path.chmod(0o666)
    store = RunStore(path)
    assert store.recorded_stop_ms(INSTANCE_ID) is None
    store.set_muted(INSTANCE_ID, muted=True)
    assert RunStore(path).is_muted(INSTANCE_ID)
    assert target.read_text() == run_file_text()


@pytest.mark.parametrize("field", ["stops_at_ms", "seen_ms"])
@pytest.mark.parametrize("value", [-1, 10**17, True, 1e12, "1"])
def test_implausible_time_counts_as_missing(field: str, value: object, tmp_path: Path) -> None:
    """A page could not show it."""
    path = tmp_path / RUN_FILE_NAME
    path.write_text(run_file_text(**{field: value}))
    assert RunStore(path).recorded_stop_ms(INSTANCE_ID) is None


def run_file_text(**fields: object) -> str:
    """Return the content of a file with an ended run and some other fields."""
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
def test_invalid_file_counts_as_empty(written: str, tmp_path: Path) -> None:
    """Reading and writing work."""
    (tmp_path / RUN_FILE_NAME).write_text(written)
    store = RunStore(tmp_path / RUN_FILE_NAME)
    assert store.last_run(INSTANCE_ID, started_ms=LATER_MS) is None
    store.set_muted(INSTANCE_ID, muted=True)
    assert RunStore(tmp_path / RUN_FILE_NAME).is_muted(INSTANCE_ID)


def test_file_is_private_and_written_only_on_change(tmp_path: Path) -> None:
    """The same data is recorded with each response near the stop time."""
    store = store_with_ended_run(tmp_path / RUN_FILE_NAME)
    before = (tmp_path / RUN_FILE_NAME).stat()
    assert stat.S_IMODE(before.st_mode) == 0o600
    store.record_saved(
        INSTANCE_ID,
        stops_at_ms=STOP_TIME_MS,
        duration_s=3600,
        seen_ms=STOP_TIME_MS - 60_000,
        **REPORT,
    )
    assert (tmp_path / RUN_FILE_NAME).stat().st_ino == before.st_ino
    store.set_muted(INSTANCE_ID, muted=True)
    assert (tmp_path / RUN_FILE_NAME).stat().st_ino != before.st_ino


def test_failed_write_leaves_no_temporary_file(tmp_path: Path) -> None:
    """A folder has the name of the file."""
    (tmp_path / RUN_FILE_NAME).mkdir()
    RunStore(tmp_path / RUN_FILE_NAME).set_muted(INSTANCE_ID, muted=True)
    assert [each.name for each in tmp_path.iterdir()] == [RUN_FILE_NAME]


def test_data_is_kept_in_memory_without_a_folder(tmp_path: Path) -> None:
    """It lasts until the server ends."""
    (tmp_path / "file").write_text("")
    store = RunStore(tmp_path / "file" / RUN_FILE_NAME)
    store.set_muted(INSTANCE_ID, muted=True)
    assert store.is_muted(INSTANCE_ID)


async def test_first_page_after_a_stop_gets_the_report(send_request: SendRequest) -> None:
    """Until it acknowledges the report."""
    now_ms = (await send_request("instance")).body["server_now_ms"]
    ended_ms = now_ms - 3_600_000
    body = {"stops_at_ms": ended_ms, "saved": ["a.ipynb"], "not_saved": NOT_SAVED}
    store = await send_request("saved", "POST", body)
    assert store.status == 200
    reported = (await send_request("instance")).body["last_run"]
    assert reported["saved"] == ["a.ipynb"]
    assert reported["not_saved"] == NOT_SAVED
    assert (await send_request("saved", "DELETE")).body["last_run"] is None
    assert (await send_request("instance")).body["last_run"] is None


async def test_report_names_its_tab(send_request: SendRequest) -> None:
    """It replaces the earlier report of the same tab only."""
    end_ms = (await send_request("instance")).body["instance"]["stops_at_ms"]
    for tab, paths in (("one", ["a.py"]), ("other", ["b.py"]), ("one", ["c.py"])):
        got = await send_request(
            "saved", "POST", {"stops_at_ms": end_ms, "saved": paths, "tab": tab}
        )
    assert got.body["this_run"]["saved"] == ["b.py", "c.py"]


async def test_run_near_its_stop_is_recorded_without_a_page(
    send_request: SendRequest, emulator: LocalEmulator
) -> None:
    """The next server can report it, also if nothing had to be saved."""
    emulator.set_instance(minutes_left=2)
    seen = (await send_request("instance", params={"refresh": "1"})).body
    this = (await send_request("instance")).body["this_run"]
    assert this == {"stops_at_ms": seen["instance"]["stops_at_ms"], "saved": [], "not_saved": []}


async def test_page_opened_before_the_stop_gets_the_report(
    send_request: SendRequest, emulator: LocalEmulator
) -> None:
    """There is no report in a run without one."""
    assert (await send_request("instance")).body["this_run"] is None
    emulator.set_instance(minutes_left=2)
    end_ms = (await send_request("instance", params={"refresh": "1"})).body["instance"][
        "stops_at_ms"
    ]
    what = {"stops_at_ms": end_ms, "saved": ["a.ipynb"], "not_saved": NOT_SAVED}
    await send_request("saved", "POST", what)
    reported = (await send_request("instance")).body
    assert (reported["this_run"], reported["last_run"]) == (what, None)


async def test_report_is_deleted_when_auto_stop_is_turned_off(
    send_request: SendRequest,
    emulator: LocalEmulator,
    other_session: Session,
    service: InstanceService,
) -> None:
    """A server that is restarted must not report the stop."""
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
