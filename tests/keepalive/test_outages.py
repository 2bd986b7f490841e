"""Guarded work through outages and other trouble, against the emulator: a simulated minute takes a second."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from factories import HOUR
from keepalive.test_daemon import FOLLOWING, SCALE, World, daemon_without_components, wait_for

from modelarts_magics.keepalive import client
from modelarts_magics.keepalive.client import KeepRequest
from modelarts_magics.keepalive.guards import NAMED, list_guards, read_guards
from modelarts_magics.keepalive.state import read_state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.process, pytest.mark.soak]

OUTAGES = [("reset", None, 20), ("429", "30", 60), ("401", None, 20), ("503", "60", 50)]
RENEWAL_DUE_MIN = 50
"""A little before the second renewal: the first one sets a stop time in two hours."""


@pytest.fixture(params=FOLLOWING, ids=str)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Return an instance whose API follows a renewal, with 40 minutes left."""
    made = World(request.param, tmp_path, SCALE)
    yield made
    made.close()


def pass_minutes(minutes: float) -> None:
    """Let simulated time pass."""
    time.sleep(minutes * 60 / SCALE)


def fill_disk(path: Path) -> None:
    """Write until there is no space."""
    with path.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 512):
            pass


def renewals(world: World) -> int:
    """Return the number of renewals in the history."""
    return sum(entry["action"] == "renew" for entry in world.history())


@pytest.mark.parametrize(("fault", "arg", "minutes"), OUTAGES, ids=[each[0] for each in OUTAGES])
def test_work_outlives_an_outage(world: World, fault: str, arg: str | None, minutes: float) -> None:
    """Renewals are retried while time remains, the problem is shown near the stop, and the run goes on."""
    with world.start_worker(seconds=600) as worker:
        first = world.stops_at()
        pass_minutes(RENEWAL_DUE_MIN)
        world.emulator.add_fault(fault, arg=arg)
        pass_minutes(minutes)
        state = read_state(world.folder)
        assert state is not None
        assert state.problem is not None
        near_stop = RENEWAL_DUE_MIN + minutes > 2 * 60 - 30
        assert state.problem_urgent == near_stop
        world.emulator.clear_faults()
        wait_for(lambda: world.stops_at() - first > HOUR / 2, seconds=12)
        wait_for(lambda: not (read_state(world.folder) or state).problem)
        assert world.instance()["status"] == "RUNNING"
        worker.kill()
    wait_for(lambda: not read_guards(world.folder))


def test_job_of_three_hours_outlives_its_auto_stop_and_is_stopped(world: World) -> None:
    """The instance, which had 40 minutes left, runs for three hours and stops within two minutes afterwards."""
    with daemon_without_components(world):
        with world.start_worker(then="stop", seconds=3 * 3600 / SCALE) as worker:
            worker.wait()
        assert world.instance()["status"] == "RUNNING"
        ended = time.monotonic()
        wait_for(lambda: world.instance()["status"] != "RUNNING", seconds=20)
        assert (time.monotonic() - ended) * SCALE <= 150
    assert renewals(world) <= 4


def test_thirty_guards_are_kept_with_the_renewals_of_one(world: World) -> None:
    """At most two renewals an hour, whatever the number of guards."""
    before = renewals(world)
    for number in range(30):
        request = KeepRequest(NAMED, f"job-{number}", HOUR * (3 + number % 5))
        client.add_guard(world.session, request, environ=world.environ)
    assert len(list_guards(world.folder)) == 30
    pass_minutes(60)
    assert renewals(world) - before <= 4
    state = read_state(world.folder)
    assert state is not None
    assert all(each.accepted for each in state.guards.values())


def test_guard_holds_while_the_gil_is_held(world: World) -> None:
    """A computation without a pause for other threads neither ends the guard nor outlives it."""
    program = (
        "from modelarts_magics.session.connect import connect\n"
        "with connect().keep_alive(up_to='8h') as kept:\n"
        "    print(kept, flush=True)\n"
        "    7 ** 14_000_000\n"
    )
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", program], env=world.environ, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout
        assert worker.stdout.readline().startswith("Kept alive")
        started = time.monotonic()
        while worker.poll() is None:
            assert [guard.pid for guard in list_guards(world.folder)] in ([worker.pid], [])
            time.sleep(0.1)
        assert time.monotonic() - started > 5
    wait_for(lambda: not read_guards(world.folder), seconds=3)


def test_right_to_renew_that_is_withdrawn_is_reported(world: World) -> None:
    """The problem is shown when the stop is near, and the guard goes on in case the right comes back."""
    with world.start_worker(seconds=600) as worker:
        pass_minutes(RENEWAL_DUE_MIN)
        world.emulator.add_fault("403", methods=("PUT", "PATCH"))
        pass_minutes(45)
        state = read_state(world.folder)
        assert state is not None
        assert state.problem_urgent
        assert list_guards(world.folder)
        worker.kill()


def test_renewals_go_on_without_space_on_the_disk(world: World) -> None:
    """The folder of the daemon is full: its state cannot be written, and the run is renewed all the same."""
    world.folder.mkdir(mode=0o700, parents=True)
    mounted = subprocess.run(  # noqa: S603 - a disk of 64 kB
        ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", str(world.folder)],  # noqa: S607 - as above
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("a file system cannot be mounted")
    try:
        with world.start_worker(seconds=600) as worker:
            first = world.stops_at()
            fill_disk(world.folder / "filler")
            pass_minutes(RENEWAL_DUE_MIN + 15)
            assert world.stops_at() - first > HOUR / 2
            worker.kill()
        state = read_state(world.folder)
        if state is not None:
            os.kill(state.pid, signal.SIGTERM)
    finally:
        subprocess.run(["umount", "-l", str(world.folder)], check=False)  # noqa: S603, S607 - as above
