"""Single passes of the daemon and steps of the keeper, without a process and without waiting."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Callable

import pytest
from factories import HOUR, MINUTE, NOW
from keep_simulation import SECOND, Scenario, Simulation, Trouble

from modelarts_magics.keepalive import requests
from modelarts_magics.keepalive.components import ComponentContext, ComponentRunner
from modelarts_magics.keepalive.daemon import Daemon, Identity
from modelarts_magics.keepalive.daemon_host import DaemonHost
from modelarts_magics.keepalive.guards import NAMED, Guard, remove_guard, save_guard
from modelarts_magics.keepalive.keeper import JobKind
from modelarts_magics.keepalive.pages import are_pages_saved, report_page
from modelarts_magics.keepalive.state import read_state
from modelarts_magics.keepalive.stopping import GRACE_PERIOD, PendingStop

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from modelarts_magics.keepalive.components import RunView
    from modelarts_magics.keepalive.keeper import Keeper

    StartThread = Callable[[Callable[[], None]], None]

QUIET = Scenario("notebooks", left=4 * HOUR, works=())


def test_restarted_daemon_waits_before_a_planned_stop() -> None:
    """Nothing watched what works while no daemon ran, so the time in which a stop is postponed begins again."""
    simulation = Simulation(QUIET)
    keeper, api = simulation.keeper, simulation.api
    keeper.set_pending_stop(PendingStop("train", since=NOW - HOUR, quiet_since=NOW - HOUR))
    kinds = []
    while api.stopped_at is None and api.now < NOW + 10 * MINUTE:
        job = keeper.next_job(())
        if job is None:
            api.advance(GRACE_PERIOD / 20)
            continue
        kinds.append(job.kind)
        keeper.finish(job, job.call(), ())
    assert kinds == [JobKind.OPEN, JobKind.READ, JobKind.STOP]
    assert api.now - NOW >= GRACE_PERIOD


def make_daemon(
    folder: Path,
    keeper: Keeper,
    start_thread: StartThread,
    monotonic: Callable[[], float] = lambda: 0.0,
) -> Daemon:
    """Return a daemon without components."""
    return Daemon(
        folder,
        keeper=keeper,
        host=DaemonHost(folder, history=folder / "h", pending_restores=folder / "r"),
        components=ComponentRunner(ComponentContext(folder, {}), {}),
        identity=Identity(1, NOW, "0"),
        monotonic=monotonic,
        start_thread=start_thread,
    )


class PlannedStopRun:
    """A daemon whose work has ended at `NOW`, with one open page.

    Args:
        folder: The folder of the daemon.
        save_time: How long the page takes to save; None for one that was closed.
    """

    def __init__(self, folder: Path, save_time: timedelta | None) -> None:
        self._folder = folder
        self._save_time = save_time
        simulation = Simulation(QUIET)
        self.api = simulation.api
        self.daemon = make_daemon(folder, simulation.keeper, lambda call: call())
        pending = PendingStop("train", since=NOW, quiet_since=NOW)
        requests.save_pending_stop(folder, pending)
        simulation.keeper.set_pending_stop(pending)
        report_page(folder, tab="one", stop_since=NOW, saved=False)
        # A report about an earlier stop.
        report_page(folder, tab="two", stop_since=NOW - HOUR, saved=False)

    def run(self) -> timedelta:
        """Run passes until the instance stops; return how long it was billed after the work."""
        asked_at = None
        while self.api.stopped_at is None and self.api.now < NOW + 10 * MINUTE:
            self.daemon.run_pass()
            state = read_state(self._folder)
            if asked_at is None and state is not None and state.stop and state.stop.is_saving:
                asked_at = self.api.now
            is_saved = asked_at is not None and self._save_time is not None
            if is_saved and self.api.now >= asked_at + self._save_time:
                report_page(self._folder, tab="one", stop_since=NOW, saved=True)
            self.api.advance(SECOND)
        return self.api.now - NOW


@pytest.mark.parametrize(
    ("save_time", "least", "most"),
    [(3 * SECOND, 63, 70), (30 * SECOND, 90, 97), (None, 105, 120)],
    ids=["fast", "slow", "closed"],
)
def test_planned_stop_waits_until_pages_have_saved(
    tmp_path: Path, save_time: timedelta | None, least: int, most: int
) -> None:
    """After the grace period pages are asked to save; the stop follows their reports, within 120 s of billing."""
    billed = PlannedStopRun(tmp_path, save_time).run()
    assert least * SECOND <= billed <= most * SECOND


def test_reports_of_pages_end_with_the_stop(tmp_path: Path) -> None:
    """A stop that was cancelled leaves nothing for the next one."""
    report_page(tmp_path, tab="one", stop_since=NOW, saved=False)
    host = DaemonHost(tmp_path, history=tmp_path / "h", pending_restores=tmp_path / "r")
    host.pending_stop_changed(PendingStop("train", since=NOW, quiet_since=NOW))
    report_page(tmp_path, tab="one", stop_since=NOW, saved=False)
    assert not are_pages_saved(tmp_path, NOW)
    host.pending_stop_changed(None)
    assert are_pages_saved(tmp_path, NOW)


def test_request_to_end_is_kept_during_a_call(tmp_path: Path) -> None:
    """A daemon that writes ends as soon as the call has ended, and not only when it has been idle."""
    calls: list[Callable[[], None]] = []
    simulation = Simulation(Scenario("notebooks", left=20 * MINUTE, works=()))
    daemon = make_daemon(tmp_path, simulation.keeper, calls.append)
    guard = Guard("g", NAMED, os.getpid(), NOW, NOW + 8 * HOUR)
    save_guard(tmp_path, guard)
    for _ in (JobKind.OPEN, JobKind.READ):
        daemon.run_pass()
        calls.pop()()
    daemon.run_pass()
    assert calls, "The renewal is being sent"
    remove_guard(tmp_path, guard)
    requests.send_request(tmp_path, requests.END)
    assert daemon.run_pass()
    assert simulation.api.renewals == []
    calls.pop()()
    assert simulation.api.renewals
    assert not daemon.run_pass()


def test_daemon_that_cannot_read_ends(tmp_path: Path) -> None:
    """It reads again every 30 s, ends when nothing has needed it for 30 s, and at once when it is asked to."""
    downtime = Trouble(timedelta(0), HOUR, "down")
    simulation = Simulation(replace(QUIET, troubles=(downtime,)))
    api, attempts = simulation.api, []

    def attempt(call: Callable[[], None]) -> None:
        attempts.append(api.now)
        call()

    daemon = make_daemon(
        tmp_path,
        simulation.keeper,
        attempt,
        lambda: (api.now - NOW).total_seconds(),  # noqa: PLW0108 - `now` changes
    )
    guard = Guard("g", NAMED, os.getpid(), NOW, NOW + HOUR, details={"admitted": True})
    save_guard(tmp_path, guard)
    while api.now < NOW + 10 * MINUTE:
        assert daemon.run_pass()
        api.advance(SECOND)
    # The session is opened at once; a failing read takes 5 s.
    assert 15 <= len(attempts) <= 22
    remove_guard(tmp_path, guard)
    removed_at = api.now
    while daemon.run_pass():
        api.advance(SECOND)
    assert api.now - removed_at <= MINUTE
    requests.send_request(tmp_path, requests.END)
    assert not daemon.run_pass()


def test_new_work_is_answered_while_attempts_to_read_are_paused(tmp_path: Path) -> None:
    """It is refused after an attempt of its own, and not only after the pause."""
    downtime = Trouble(timedelta(0), HOUR, "down")
    simulation = Simulation(replace(QUIET, troubles=(downtime,)))
    daemon = make_daemon(tmp_path, simulation.keeper, lambda call: call())
    for _ in range(3):
        daemon.run_pass()
    guard = Guard("g", NAMED, os.getpid(), NOW, NOW + HOUR, id="g")
    save_guard(tmp_path, guard)
    paused_at = simulation.api.now
    for _ in range(2):
        daemon.run_pass()
    assert simulation.api.now - paused_at < 10 * SECOND
    assert simulation.keeper.admissions["g"].refusal is not None


class WatchingPart:
    """A component that needs the daemon, and sees the run."""

    def __init__(self) -> None:
        self.is_needed = True
        self.views: list[RunView] = []

    def needs_daemon(self) -> bool:
        """Return what the test has set."""
        return self.is_needed

    def observe(self, view: RunView) -> None:
        """Keep the view for the test."""
        self.views.append(view)

    def wants_reading(self, _now: datetime) -> bool:
        """Return that each pass shall read the instance."""
        return True

    def update(self, _guards: object, _now: datetime) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def test_component_keeps_the_daemon_and_its_readings(tmp_path: Path) -> None:
    """Without guards, the daemon reads the instance for a component that needs it, and then ends."""
    simulation, part, seconds = Simulation(QUIET), WatchingPart(), [0.0]
    daemon = Daemon(
        tmp_path,
        keeper=simulation.keeper,
        host=DaemonHost(tmp_path, history=tmp_path / "h", pending_restores=tmp_path / "r"),
        components=ComponentRunner(ComponentContext(tmp_path, {}), {"part": lambda _: part}),
        identity=Identity(1, NOW, "0"),
        monotonic=lambda: seconds[0],
        start_thread=lambda call: call(),
    )
    observed = set()
    for _ in range(10):
        assert daemon.run_pass()
        seconds[0] += 60
        simulation.api.advance(MINUTE)
        instance = part.views[-1].instance
        observed.add(instance.observed_at if instance else None)
    assert len(observed) > 5
    part.is_needed = False
    passes = []
    while len(passes) < 10 and all(passes):
        passes.append(daemon.run_pass())
        seconds[0] += 60
    assert not passes[-1]
