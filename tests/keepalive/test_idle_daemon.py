"""The daemon as a process up to a stop because nothing works, and the page after the next start."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from api_versions import API_VERSIONS
from factories import MINUTE
from keepalive.activity.test_terminal_matrix import Terminal
from keepalive.test_daemon import World
from waiting import wait_until

from modelarts_magics.config.settings import Settings
from modelarts_magics.domain.clock import SYSTEM_CLOCK
from modelarts_magics.keepalive import requests
from modelarts_magics.keepalive.activity.report import load_report
from modelarts_magics.keepalive.launch import make_handover
from modelarts_magics.keepalive.state import is_daemon_running, read_running_state
from modelarts_magics.keepalive.stopping import WARNING_TIME
from modelarts_magics.server.keep_payloads import keep_payload
from modelarts_magics.server.run_history import RunHistory
from modelarts_magics.server.snapshot import Snapshot
from modelarts_magics.session.run_store import RunStore
from modelarts_magics.session.store import run_file_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelarts_magics.keepalive.state import PlannedStop

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="Terminals are found in /proc"),
    # pty.fork in a process with threads; the child executes another program at once.
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
]
SCALE = 120.0
SECOND = timedelta(seconds=1)
IDLE_TIME = 12 * MINUTE
PROGRAM = Path(__file__).with_name("isolated_daemon.py")


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """Return a terminal at its prompt."""
    opened = Terminal()
    yield opened
    opened.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return an instance with hours left."""
    version = next(each for each in API_VERSIONS if each.api == "notebooks")
    made = World(version, tmp_path, SCALE)
    made.emulator.set_instance(minutes_left=600)
    yield made
    made.close()


@contextmanager
def running_daemon(world: World, terminal: Terminal) -> Iterator[None]:
    """Run the daemon in a process that sees this terminal only."""
    requests.save_handover(world.folder, make_handover(world.session))
    # Nothing needs it until the setting is on.
    requests.request_daemon_until(world.folder, SYSTEM_CLOCK.now() + MINUTE)
    command = [sys.executable, str(PROGRAM), str(world.folder), str(terminal.pid)]
    with subprocess.Popen(command, env=world.environ) as process:  # noqa: S603 - our own program
        try:
            wait_until(lambda: is_daemon_running(world.folder))
            yield
        finally:
            process.terminate()


def announced_stop(world: World) -> PlannedStop | None:
    """Return the stop that the daemon has announced."""
    state = read_running_state(world.folder)
    return state.stop if state else None


def stop_entry(world: World) -> dict[str, Any] | None:
    """Return the entry of the stop in the history."""
    return next((each for each in world.history() if each["action"] == "stop"), None)


def test_idle_instance_is_stopped_and_the_next_run_says_why(
    world: World, terminal: Terminal
) -> None:
    """After the last program, terminal and pages are warned; ten minutes later it stops, with the reason."""
    turn_on = [sys.executable, "-m", "modelarts_magics", "stop", "--when-idle", "12m"]
    with running_daemon(world, terminal):
        terminal.type("sleep 3600\n")
        done = subprocess.run(  # noqa: S603 - our own program
            turn_on, env=world.environ, capture_output=True, text=True, check=True
        )
        assert "nothing has worked for 12 min" in done.stdout
        report = wait_until(lambda: (found := load_report(world.folder)) and found.busy and found)
        assert "sleep 3600" in str(report.to_json())
        assert announced_stop(world) is None
        terminal.type("\x03")
        stop = wait_until(lambda: announced_stop(world))
        assert stop.stops_at is not None
        assert (stop.name, stop.idle_time) == ("", IDLE_TIME)
        assert stop.stops_at - world.session.now() <= WARNING_TIME
        payload = keep_payload(world.session)
        assert payload is not None
        assert payload["stop"]["idle_s"] == IDLE_TIME.total_seconds()
        wait_until(lambda: b"--when-idle keep" in terminal.output)
        entry = wait_until(lambda: stop_entry(world))
        assert world.instance()["status"] != "RUNNING"
    assert entry["reason"] == "nothing worked for 12 min"
    assert datetime.fromisoformat(entry["at"]) + SECOND > stop.stops_at
    world.emulator.set_instance(status="RUNNING", minutes_left=60)
    settings = Settings.load(environ=world.environ)
    run_store = RunStore(run_file_path(settings, world.environ))
    history = RunHistory(run_store, server_age_s=lambda: 0)
    snapshot = Snapshot(world.session.refresh(), session=world.session)
    last_run = history.last_run(snapshot)
    assert last_run is not None
    assert last_run["reason_text"] == entry["reason"]
