"""Single passes of the daemon and steps of the keeper, without a process and without waiting."""

from __future__ import annotations

from factories import HOUR, MINUTE, NOW
from keep_simulation import Scenario, Simulation

from modelarts_magics.keepalive.keeper import JobKind
from modelarts_magics.keepalive.stopping import GRACE_PERIOD, PendingStop

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
