"""Single passes of the daemon and steps of the keeper, without a process and without waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from factories import HOUR, MINUTE, NOW
from keep_simulation import Scenario, Simulation

from modelarts_magics.keepalive import requests
from modelarts_magics.keepalive.components import ComponentContext, ComponentRunner
from modelarts_magics.keepalive.daemon import Daemon, Identity
from modelarts_magics.keepalive.daemon_host import DaemonHost
from modelarts_magics.keepalive.keeper import JobKind
from modelarts_magics.keepalive.stopping import GRACE_PERIOD, PendingStop

if TYPE_CHECKING:
    from pathlib import Path

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


def test_request_to_end_is_kept_during_a_call(tmp_path: Path) -> None:
    """The daemon ends as soon as the call of the API has ended, and not only when it has been idle."""
    calls: list[Callable[[], None]] = []
    daemon = Daemon(
        tmp_path,
        keeper=Simulation(QUIET).keeper,
        host=DaemonHost(tmp_path, history=tmp_path / "h", pending_restores=tmp_path / "r"),
        components=ComponentRunner(ComponentContext(tmp_path, {}), {}),
        identity=Identity(1, NOW, "0"),
        monotonic=lambda: 0.0,
        start_thread=calls.append,
    )
    assert daemon.run_pass()
    requests.send_request(tmp_path, requests.END)
    assert daemon.run_pass()
    going_on = [True]
    while going_on[-1] and calls:
        calls.pop()()
        going_on.append(daemon.run_pass())
    assert not going_on[-1]
