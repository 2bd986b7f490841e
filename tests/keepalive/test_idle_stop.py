"""Stop when nothing works: the setting, the announcement, what cancels it, and the stop itself."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from factories import HOUR, MINUTE, NOW
from keep_simulation import Scenario, Simulation, Trouble
from keepalive.activity.test_watcher import GPU_UNKNOWN, TRAINING, VIM

from modelarts_magics.errors import DurationError, ForbiddenError, RefusedError
from modelarts_magics.keepalive.activity.report import ActivityReport
from modelarts_magics.keepalive.activity.source import TERMINAL, Source
from modelarts_magics.keepalive.components import ComponentContext, ComponentRunner
from modelarts_magics.keepalive.daemon import Daemon, Identity
from modelarts_magics.keepalive.daemon_host import DaemonHost
from modelarts_magics.keepalive.guards import NAMED, STOP, Guard, remove_guard, save_guard
from modelarts_magics.keepalive.idle_stop import (
    IdleStop,
    load_idle_stop,
    make_idle_stop,
    postpone_idle_stop,
    save_idle_stop,
)
from modelarts_magics.keepalive.requests import load_pending_stop, save_pending_stop
from modelarts_magics.keepalive.state import read_state
from modelarts_magics.keepalive.stopping import PendingStop
from modelarts_magics.keepalive.terminal_warning import warn_terminals
from modelarts_magics.messages import Message
from modelarts_magics.session.run_store import RunStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from modelarts_magics.domain.models import Instance
    from modelarts_magics.keepalive.components import Component

IDLE = replace(TRAINING, busy=False)
STEP = 10 * timedelta(seconds=1)
HALF_AN_HOUR = 30 * MINUTE


class FakeWatcher:
    """A component that reports what a test says."""

    def __init__(self) -> None:
        self.report: ActivityReport | None = None

    def show(self, *sources: Source, is_complete: bool = True) -> None:
        """Report these sources."""
        self.report = ActivityReport(sources, NOW, 1, is_complete=is_complete)

    def update(self, _guards: Sequence[Guard], _now: object) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Instant:
    """An instance with hours left, its daemon, and a clock that the test moves.

    Attributes:
        warnings: The stops that were announced.
    """

    def __init__(
        self, folder: Path, *, api: str = "notebooks", troubles: tuple[Trouble, ...] = ()
    ) -> None:
        self.folder = folder
        self.watcher = FakeWatcher()
        self.watcher.show(IDLE)
        self.warnings: list[PendingStop] = []
        self.simulation = Simulation(Scenario(api, left=8 * HOUR, works=(), troubles=troubles))
        self.api = self.simulation.api
        self.run_store = RunStore(folder / "run.json")
        self.daemon = self.start_daemon()

    def start_daemon(self) -> Daemon:
        """Return a new daemon."""
        self.host = DaemonHost(
            self.folder,
            history=self.folder / "history",
            pending_restores=self.folder / "restore",
            run_store=self.run_store,
        )
        keeper = self.simulation.keeper
        keeper._host = self.host
        component: Component = self.watcher
        return Daemon(
            self.folder,
            keeper=keeper,
            host=self.host,
            components=ComponentRunner(
                ComponentContext(self.folder, {}), {"activity": lambda _: component}
            ),
            identity=Identity(1, NOW, "0"),
            # A lambda, because `now` changes.
            monotonic=lambda: (self.api.now - NOW).total_seconds(),  # noqa: PLW0108
            start_thread=lambda call: call(),
            announce=lambda pending, _: self.warnings.append(pending),
        )

    def turn_on(self, idle_time: timedelta = HALF_AN_HOUR) -> None:
        """Turn the setting on."""
        save_idle_stop(self.folder, make_idle_stop(idle_time))

    def wait(self, duration: timedelta) -> timedelta | None:
        """Let the daemon run; return when the instance stopped, from the start; None while it runs."""
        end = self.api.now + duration
        while self.api.now < end and self.api.stopped_at is None:
            self.daemon.run_pass()
            self.api.advance(STEP)
        return None if self.api.stopped_at is None else self.api.stopped_at - NOW

    @property
    def planned(self) -> PendingStop | None:
        """The announced stop."""
        return self.simulation.keeper.pending_stop


@pytest.fixture
def run(tmp_path: Path) -> Instant:
    """Return an instance on which nothing works."""
    return Instant(tmp_path)


def test_off_by_default(run: Instant) -> None:
    """Nothing is stopped unless the user asks for it."""
    assert run.wait(3 * HOUR) is None
    assert run.warnings == []


def test_instance_stops_after_the_idle_time_with_a_warning(run: Instant) -> None:
    """Nothing works for half an hour; ten minutes before the end it is announced, once."""
    run.turn_on()
    assert run.wait(19 * MINUTE) is None
    assert (run.planned, run.warnings) == (None, [])
    run.wait(2 * MINUTE)
    (announced,) = run.warnings
    state = read_state(run.folder)
    assert state is not None
    assert state.stop is not None
    assert (state.stop.stops_at, state.stop.idle_time) == (announced.stops_at, HALF_AN_HOUR)
    stopped = run.wait(HOUR)
    assert stopped is not None
    assert HALF_AN_HOUR <= stopped <= HALF_AN_HOUR + 2 * MINUTE
    assert len(run.warnings) == 1


def test_next_run_knows_why_this_one_was_stopped(run: Instant) -> None:
    """The record in the folder that survives the stop has reason and time."""
    run.turn_on()
    run.wait(HOUR)
    instance: Instance = run.api.instance()
    found = run.run_store.last_run(instance.id, started_ms=2**42)
    assert found is not None
    assert (found["reason"], found["idle_s"]) == ("idle", 1800)


@pytest.mark.parametrize("sources", [(TRAINING,), (IDLE, GPU_UNKNOWN)], ids=["working", "unknown"])
def test_work_and_unknown_sources_prevent_the_stop(
    run: Instant, sources: tuple[Source, ...]
) -> None:
    """A GPU that cannot be known counts as working where stopping is the question."""
    run.turn_on()
    run.watcher.show(*sources)
    assert run.wait(3 * HOUR) is None
    assert run.warnings == []


def test_editors_do_not_prevent_the_stop(run: Instant) -> None:
    """A program that does not count as work is no reason to keep the instance."""
    run.turn_on()
    run.watcher.show(IDLE, VIM)
    assert run.wait(HOUR) is not None


def test_nothing_is_stopped_before_everything_was_looked_at(run: Instant) -> None:
    """A new daemon, and one whose activity component fails, know nothing."""
    run.turn_on()
    run.watcher.show(is_complete=False)
    assert run.wait(HOUR) is None
    run.watcher.report = None
    assert run.wait(HOUR) is None


def test_work_cancels_an_announced_stop(run: Instant) -> None:
    """A cell that starts after the warning ends it, and the idle time begins again after the cell."""
    run.turn_on()
    run.wait(25 * MINUTE)
    assert run.planned is not None
    run.watcher.show(TRAINING)
    run.wait(MINUTE)
    assert run.planned is None
    assert load_pending_stop(run.folder) is None
    run.watcher.show(IDLE)
    assert run.wait(29 * MINUTE) is None
    assert run.wait(3 * MINUTE) is not None
    assert len(run.warnings) == 2


def test_never_stops_while_guarded(run: Instant) -> None:
    """A guard by name keeps the instance also when nothing works."""
    run.turn_on()
    run.wait(25 * MINUTE)
    guard = Guard("upload", NAMED, os.getpid(), NOW, NOW + 5 * HOUR)
    save_guard(run.folder, guard)
    run.wait(MINUTE)
    assert run.planned is None
    assert run.wait(2 * HOUR) is None
    remove_guard(run.folder, guard)
    assert run.wait(29 * MINUTE) is None
    assert run.wait(4 * MINUTE) is not None


def test_keep_for_an_hour(run: Instant) -> None:
    """“Keep 1 h” takes back the warning; the next one comes ten minutes before the hour is over."""
    run.turn_on()
    run.wait(25 * MINUTE)
    postpone_idle_stop(run.folder, run.api.now)
    run.wait(MINUTE)
    assert run.planned is None
    assert run.wait(48 * MINUTE) is None
    assert len(run.warnings) == 1
    stopped = run.wait(HOUR)
    assert stopped is not None
    assert 85 * MINUTE <= stopped <= 88 * MINUTE
    assert len(run.warnings) == 2


def test_cancelled_stop_is_announced_again_after_the_next_work(run: Instant) -> None:
    """“Do Not Stop” holds until something works and ends."""
    run.turn_on()
    run.wait(25 * MINUTE)
    save_pending_stop(run.folder, None)
    assert run.wait(2 * HOUR) is None
    run.watcher.show(TRAINING)
    run.wait(MINUTE)
    run.watcher.show(IDLE)
    assert run.wait(HOUR) is not None


def test_turning_off_cancels_an_announced_stop(run: Instant) -> None:
    """The stop is not carried out although nothing works."""
    run.turn_on()
    run.wait(25 * MINUTE)
    save_idle_stop(run.folder, None)
    assert run.wait(HOUR) is None
    assert run.planned is None


def test_stop_after_work_comes_first(run: Instant) -> None:
    """The stop that was asked for with the work is neither replaced nor delayed."""
    run.turn_on()
    guard = Guard("train", NAMED, os.getpid(), NOW, NOW + MINUTE, then=STOP)
    save_guard(run.folder, replace(guard, details={"admitted": True}))
    stopped = run.wait(20 * MINUTE)
    assert stopped is not None
    assert stopped <= 5 * MINUTE
    found = run.run_store.last_run(run.api.instance().id, started_ms=2**42)
    assert found is not None
    assert (found["reason"], found["work"]) == ("after-work", "train")


def test_new_daemon_watches_before_it_stops(run: Instant) -> None:
    """Nothing is known about the time in which no daemon ran."""
    run.turn_on()
    run.wait(28 * MINUTE)
    run.daemon = run.start_daemon()
    assert run.wait(28 * MINUTE) is None
    assert run.wait(4 * MINUTE) is not None


@pytest.mark.parametrize("trouble", ["", "slow", "failing"])
def test_forbidden_stop_shortens_the_run_and_says_so(
    tmp_path: Path, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the permission to stop, the run ends as early as the API allows, after failures too, and once."""
    slow = (Trouble(timedelta(0), 8 * HOUR, "slow"),) if trouble == "slow" else ()
    run = Instant(tmp_path, troubles=slow)

    def refuse(**_: object) -> None:
        if trouble == "failing":
            failing = Trouble(run.api.now - NOW, 2 * MINUTE, "failing")
            run.api.scenario = replace(run.api.scenario, troubles=(failing,))
        raise ForbiddenError("api.403.0108", status=403)

    monkeypatch.setattr(run.api, "stop", refuse)
    run.turn_on()
    run.wait(40 * MINUTE)
    assert run.api.stops_at is not None
    assert run.api.stops_at - NOW < 2 * HOUR
    state = read_state(run.folder)
    assert state is not None
    assert state.failed_stop is not None
    assert state.failed_stop.code == "keep.stop_forbidden"
    run.wait(20 * MINUTE)
    assert len(run.warnings) == 1
    assert len(run.api.renewals) == 1


def test_daemon_runs_while_the_setting_is_on(run: Instant) -> None:
    """It has to watch also without a guard."""
    run.turn_on()
    run.wait(2 * MINUTE)
    assert run.daemon.run_pass()
    save_idle_stop(run.folder, None)
    run.wait(MINUTE)
    assert not run.daemon.run_pass()


def test_shortest_idle_time_is_ten_minutes() -> None:
    """Less leaves no time for the warning."""
    assert make_idle_stop(10 * MINUTE).idle_time == 10 * MINUTE
    with pytest.raises(DurationError):
        make_idle_stop(9 * MINUTE)


def test_setting_ends_with_the_run(tmp_path: Path) -> None:
    """A file that another start of the instance has left does not count, and neither does a broken one."""
    save_idle_stop(tmp_path, IdleStop(HOUR, postponed_until=NOW))
    assert load_idle_stop(tmp_path) == IdleStop(HOUR, NOW)
    path = tmp_path / "idle-stop.json"
    content = path.read_text()
    for other in (content.replace('"run": ', '"run": 1'), "{", '{"run": []}', "[]"):
        path.write_text(other)
        assert load_idle_stop(tmp_path) is None
    with pytest.raises(RefusedError):
        postpone_idle_stop(tmp_path, NOW)


def test_warning_is_written_to_terminals_that_can_be_written_to(tmp_path: Path) -> None:
    """A line in each terminal, also in one that shows an editor; not in a client of tmux, and never an error."""
    prompt = Message("activity.terminal.prompt")
    tmux = Message("activity.terminal.multiplexer", {"program": "tmux"})
    sources = (
        Source(TERMINAL, "pts/1", False, NOW, prompt),
        replace(VIM, name="pts/2"),
        Source(TERMINAL, "pts/3", False, NOW, tmux),
        Source(TERMINAL, "pts/4", False, NOW, prompt),
        IDLE,
    )
    (tmp_path / "pts").mkdir()
    for number in (1, 2, 3):
        (tmp_path / f"pts/{number}").touch()
    pending = PendingStop("", NOW, NOW, idle_time=HOUR)
    report = ActivityReport(sources, NOW, 1, is_complete=True)
    warn_terminals(pending, report, devices=tmp_path)
    shown = [(tmp_path / f"pts/{number}").read_text() for number in (1, 2, 3)]
    assert "--when-idle keep" in shown[0]
    assert shown == [shown[0], shown[0], ""]
