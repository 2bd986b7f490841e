"""The daemon as a process against the emulator at a time scale: it keeps, lets go, stops and survives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import pytest
from api_versions import API_VERSIONS
from background import repeated
from factories import HOUR, MINUTE

from modelarts_magics.commands.keep import end_all
from modelarts_magics.config.credential_chain import LOGIN
from modelarts_magics.config.credentials import FoundCredential, Token
from modelarts_magics.config.settings import Settings
from modelarts_magics.doctor.keep_alive import keep_alive_findings
from modelarts_magics.domain.models import Mode
from modelarts_magics.domain.planning import AutoStopRequest
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.errors import ModelArtsError, RefusedError
from modelarts_magics.keepalive import client
from modelarts_magics.keepalive.client import KeepRequest
from modelarts_magics.keepalive.folder import daemon_folder
from modelarts_magics.keepalive.guards import (
    API,
    NAMED,
    PID,
    STOP,
    list_guards,
    read_guards,
    remove_guard,
)
from modelarts_magics.keepalive.launch import (
    ensure_daemon,
    make_handover,
    restart_all_if_needed,
)
from modelarts_magics.keepalive.process import make_daemon
from modelarts_magics.keepalive.processes import is_process_alive, process_started
from modelarts_magics.keepalive.record_lock import RecordLock
from modelarts_magics.keepalive.requests import is_stop_pending
from modelarts_magics.keepalive.state import (
    LOCK_FILE,
    STATE_FILE,
    is_daemon_running,
    read_running_state,
    read_state,
)
from modelarts_magics.keepalive.switched_mode import DETAIL as SWITCH_MODE
from modelarts_magics.keepalive.switched_mode import is_mode_switched
from modelarts_magics.server.keep_payloads import keep_payload
from modelarts_magics.session.connect import open_session
from modelarts_magics.session.history import history_path, read_entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api_versions import ApiVersion

    from modelarts_magics.messages import Message
    from modelarts_magics.session.session import Session

pytestmark = pytest.mark.process

SCALE = 60.0
FOLLOWING = [each for each in API_VERSIONS if each.changes_current_run]
WORKER = """
import time
from modelarts_magics.session.connect import connect
session = connect()
with session.keep_alive(up_to="{up_to}", then="{then}", reason="test") as kept:
    print(kept, flush=True)
    time.sleep({seconds})
"""


class World:
    """An emulator, its environment, and the daemon's folder."""

    def __init__(self, version: ApiVersion, folder: Path, scale: float) -> None:
        self.emulator = LocalEmulator(
            api=version.api, edition=version.edition, time_scale=scale, minutes_left=40
        )
        self.emulator.start()
        self.environ = {
            **{name: os.environ[name] for name in ("PATH",)},
            **self.emulator.environment(),
            "HOME": str(folder),
            "MODELARTS_STATE_DIR": str(folder / "state"),
            "MODELARTS_LANGUAGE": "en",
            "MODELARTS_TIMEZONE": "+08:00",
        }
        settings = Settings.load(environ=self.environ)
        self.session: Session = open_session(settings, environ=self.environ)
        self.folder = daemon_folder(self.session.settings or settings)

    def instance(self) -> dict[str, Any]:
        """Return the instance in the emulator."""
        found = self.emulator.state()["instances"]
        return next(each for each in found if each["id"] == self.emulator.instance_id)

    def stops_at(self) -> datetime:
        """Return the stop time in the emulator."""
        return datetime.fromisoformat(self.instance()["stops_at"])

    def writes(self) -> int:
        """Return the number of writes that the emulator received."""
        return len([each for each in self.emulator.requests if each["method"] != "GET"])

    def start_worker(
        self, *, up_to: str = "8h", then: str = "leave", seconds: float = 60
    ) -> subprocess.Popen[str]:
        """Start a process that works under a guard, and wait until it works."""
        program = WORKER.format(up_to=up_to, then=then, seconds=seconds)
        worker = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", program], env=self.environ, stdout=subprocess.PIPE, text=True
        )
        assert worker.stdout
        assert worker.stdout.readline().startswith("Kept alive while this block runs")
        return worker

    def history(self) -> list[dict[str, Any]]:
        """Return the history, newest first."""
        return read_entries(history_path(Settings.load(environ=self.environ), self.environ))

    def close(self) -> None:
        """End everything."""
        end_all(self.folder)
        self.session.close()
        self.emulator.stop()


@pytest.fixture(params=[FOLLOWING[-1], pytest.param(FOLLOWING[0], marks=pytest.mark.soak)], ids=str)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Return an instance whose API follows a renewal, with 40 minutes left."""
    made = World(request.param, tmp_path, SCALE)
    yield made
    made.close()


def wait_for(condition: Callable[[], object], *, seconds: float = 10) -> float:
    """Wait until a condition holds, and return how long that took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds
        time.sleep(0.01)
    return time.monotonic() - started


def test_work_is_kept_until_it_is_killed(world: World) -> None:
    """The run is extended at once and with a reason, and SIGKILL of the worker ends the guard within 2 s."""
    before = world.stops_at()
    with world.start_worker() as worker:
        assert world.stops_at() - before > HOUR / 2
        (guard,) = list_guards(world.folder)
        assert (guard.pid, guard.reason) == (worker.pid, "test")
        state = read_state(world.folder)
        assert state is not None
        assert state.covered_until is not None
        assert abs(state.covered_until - world.stops_at()) < MINUTE
        worker.kill()
    assert wait_for(lambda: not read_guards(world.folder)) < 2
    (entry,) = world.history()
    assert entry["action"] == "renew"
    assert entry["effect"] == "now"
    assert entry["reason"] == f"{guard.name}: test"
    assert entry["before"]["stops_at"] < entry["after"]["stops_at"]


def test_killed_daemon_is_restarted_by_the_worker(world: World) -> None:
    """The guard goes on under the next daemon, which does not renew again."""
    with world.start_worker() as worker:
        state = read_state(world.folder)
        assert state is not None
        writes = world.writes()
        os.kill(state.pid, signal.SIGKILL)
        wait_for(lambda: not is_daemon_running(world.folder))

        def restarted() -> bool:
            current = read_running_state(world.folder)
            return current is not None and current.pid != state.pid

        wait_for(restarted)
        wait_for(lambda: (read_state(world.folder) or state).covered_until is not None)
        assert [guard.pid for guard in list_guards(world.folder)] == [worker.pid]
        assert world.writes() == writes
        worker.kill()


@contextmanager
def daemon_without_components(world: World) -> Iterator[None]:
    """Run the daemon in this process, without a look at what else works on this machine."""
    lock = RecordLock(world.folder / LOCK_FILE)
    assert lock.acquire()
    handover = make_handover(world.session)
    daemon, interval_s = make_daemon(world.folder, handover, world.environ, factories={})
    try:
        with repeated(daemon.run_pass, interval_s=interval_s):
            yield
    finally:
        daemon.close()
        lock.release()


def test_instance_is_stopped_after_the_work(world: World) -> None:
    """With `stop`, the instance stops about a minute after the work if nothing else works."""
    with daemon_without_components(world):
        with world.start_worker(then="stop", seconds=0.1) as worker:
            started = time.monotonic()
            worker.wait()
        wait_for(lambda: world.instance()["status"] != "RUNNING", seconds=20)
        assert (time.monotonic() - started) * SCALE > 60
        assert not read_guards(world.folder)


def test_work_is_kept_and_stopped_where_auto_stop_is_off(world: World) -> None:
    """There is nothing to renew, which is said, and `stop` works."""
    world.emulator.set_instance(minutes_left=None)
    writes = world.writes()
    request = KeepRequest(API, "block", then=STOP)
    with daemon_without_components(world):
        with client.keep_alive(world.session, request, environ=world.environ) as kept:
            assert "there is nothing to extend" in str(kept)
            assert world.writes() == writes
        wait_for(lambda: world.instance()["status"] != "RUNNING", seconds=20)


def test_run_is_shortened_where_stopping_is_forbidden(world: World) -> None:
    """The run ends as early as the API accepts, and the event says when and what it costs."""
    world.emulator.add_fault("403", methods=("POST",))
    with daemon_without_components(world):
        with client.keep_alive(
            world.session, KeepRequest(API, "block", then=STOP), environ=world.environ
        ):
            kept_until = world.stops_at()
        state = read_state(world.folder)

        def failed_stop() -> Message | None:
            state = read_state(world.folder)
            return state.failed_stop if state else None

        wait_for(failed_stop, seconds=20)
    assert state is not None
    message = failed_stop()
    assert message is not None
    assert message.code == "keep.stop_forbidden"
    assert world.instance()["status"] == "RUNNING"
    assert kept_until - world.stops_at() > HOUR / 4
    assert abs(message.values["stop_time"] - world.stops_at()) < MINUTE


def test_typed_in_login_reaches_the_daemon_and_no_file(world: World) -> None:
    """It goes through a pipe, the guarantee says that it ends with the daemon, and the next daemon lacks it."""
    token = world.emulator.auth_token
    environ = {each: value for each, value in world.environ.items() if value != token}
    found = FoundCredential(Token(token), LOGIN)
    settings = Settings.load(environ=environ)
    with open_session(settings, environ=environ, interactive=found) as session:
        before = world.stops_at()
        kept = client.add_guard(session, KeepRequest(NAMED, "upload"), environ=environ)
        assert "holds the login in its memory only" in str(kept)
        assert world.stops_at() > before
        files = [path for path in world.folder.parent.rglob("*") if path.is_file()]
        assert files
        assert not any(token.encode() in path.read_bytes() for path in files)
        state = read_state(world.folder)
        assert state is not None
        assert token not in _command_line(state.pid)
    os.kill(state.pid, signal.SIGKILL)
    wait_for(lambda: not is_daemon_running(world.folder))
    restart_all_if_needed(world.folder.parent, environ)

    def problem() -> Message | None:
        current = read_running_state(world.folder)
        return current.problem if current else None

    wait_for(problem)
    second = read_running_state(world.folder)
    assert second is not None
    end_all(world.folder)
    # Without a login it can do nothing, and it does not stay.
    assert not world.folder.exists()
    wait_for(lambda: not is_process_alive(second.pid))


def _command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text() + Path(f"/proc/{pid}/environ").read_text()


def test_newer_version_takes_over_from_an_older_one(world: World) -> None:
    """The guard goes on under the new daemon, which knows the renewals of the old one."""
    client.add_guard(world.session, KeepRequest(NAMED, "upload"), environ=world.environ)
    first = read_state(world.folder)
    assert first is not None
    writes = world.writes()
    ensure_daemon(world.folder, world.session, world.environ)
    # One of this version stays.
    assert read_state(world.folder) == first
    path = world.folder / STATE_FILE
    path.write_text(path.read_text().replace(f'"{first.package}"', '"0.0.1"'))
    ensure_daemon(world.folder, world.session, world.environ)

    def is_taken_over() -> bool:
        current = read_running_state(world.folder)
        return current is not None and current.pid != first.pid and bool(current.covered_until)

    wait_for(is_taken_over)
    wait_for(lambda: not is_process_alive(first.pid))
    assert [guard.name for guard in list_guards(world.folder)] == ["upload"]
    assert world.writes() == writes


def test_named_guard_postpones_the_stop(world: World) -> None:
    """The instance is not stopped while another guard is there, and the state says so."""
    with daemon_without_components(world):
        with world.start_worker(then="stop", seconds=0.1) as worker:
            client.add_guard(world.session, KeepRequest(NAMED, "upload"), environ=world.environ)
            worker.wait()
        wait_for(lambda: is_stop_pending(world.folder))
        time.sleep(120 / SCALE)
        state = read_state(world.folder)
        assert state is not None
        assert state.stop is not None
        assert state.stop.waiting_for == ("upload",)
        assert world.instance()["status"] == "RUNNING"


def test_stop_is_cancelled_by_ending_all(world: World) -> None:
    """After the pending stop was cancelled, the instance goes on."""
    with world.start_worker(then="stop", seconds=0.1) as worker:
        worker.wait()
    end_all(world.folder)
    assert not world.folder.exists()
    time.sleep(180 / SCALE)
    assert world.instance()["status"] == "RUNNING"


def test_daemon_leaves_nothing_behind(world: World) -> None:
    """Ending all guards ends the daemon and deletes its folder."""
    client.add_guard(world.session, KeepRequest(NAMED, "upload"), environ=world.environ)
    state = read_state(world.folder)
    assert state is not None
    end_all(world.folder)
    wait_for(lambda: not is_process_alive(state.pid))
    assert not world.folder.exists()


def test_earlier_stop_time_of_the_user_ends_the_guard(world: World) -> None:
    """A stop time that was changed elsewhere stays as it is, and the worker is informed."""
    reports: list[str] = []
    request = KeepRequest(API, "block")
    with client.keep_alive(
        world.session,
        request,
        environ=world.environ,
        report=lambda message: reports.append(message.code),
    ):
        world.session.shorten(timedelta(minutes=20))
        changed = world.stops_at()
        wait_for(lambda: not list_guards(world.folder))
        wait_for(lambda: reports)
    assert reports == ["keep.changed.earlier"]
    assert abs(world.stops_at() - changed) < timedelta(seconds=1)


def test_process_is_kept_and_let_go(world: World) -> None:
    """A guard of a process ends with the process."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        details = {"process_started": process_started(process.pid)}
        request = KeepRequest(PID, "job", 5 * HOUR, pid=process.pid, details=details)
        kept = client.add_guard(world.session, request, environ=world.environ)
        assert "5 h more of billing" in str(kept)
        process.kill()
        process.wait()
        assert wait_for(lambda: not read_guards(world.folder)) < 2


def test_bound_is_changed_and_checked(world: World) -> None:
    """A later bound is accepted; one that the API cannot reach is refused, and the old one stands."""
    kept = client.add_guard(
        world.session, KeepRequest(NAMED, "job", 3 * HOUR), environ=world.environ
    )
    assert "nothing is extended" not in str(kept)
    short = client.add_guard(
        world.session, KeepRequest(NAMED, "short", MINUTE), environ=world.environ
    )
    assert "so nothing is extended" in str(short)
    remove_guard(world.folder, short.guard)
    (guard,) = list_guards(world.folder)
    client.extend_guard(world.session, guard, guard.until + 2 * HOUR)
    (changed,) = list_guards(world.folder)
    assert changed.until == guard.until + 2 * HOUR
    if world.session.capabilities.persists_duration:
        with pytest.raises(RefusedError) as caught:
            client.extend_guard(world.session, changed, guard.until + 30 * HOUR)
        assert caught.value.code == "keep.refused.too_late"
        assert [each.until for each in list_guards(world.folder)] == [changed.until]


def test_without_permission_the_work_does_not_start(world: World) -> None:
    """A renewal that is refused is the reason, and no guard remains."""
    world.emulator.add_fault("403", methods=("PUT", "PATCH"))
    request = KeepRequest(API, "block")
    with (
        pytest.raises(RefusedError) as caught,
        client.keep_alive(world.session, request, environ=world.environ),
    ):
        pytest.fail("the block must not run")
    assert caught.value.code == "keep.refused.renewal_failed"
    assert read_guards(world.folder) == []


def test_server_restarts_a_daemon_that_a_name_needs(world: World) -> None:
    """A guard that belongs to no process is kept on by the next process that looks."""
    client.add_guard(world.session, KeepRequest(NAMED, "upload"), environ=world.environ)
    state = read_state(world.folder)
    assert state is not None
    os.kill(state.pid, signal.SIGKILL)
    wait_for(lambda: not is_daemon_running(world.folder))
    restart_all_if_needed(world.folder.parent, world.environ)
    wait_for(lambda: is_daemon_running(world.folder))
    assert [guard.name for guard in list_guards(world.folder)] == ["upload"]


@pytest.fixture
def idle_world(tmp_path: Path) -> Iterator[World]:
    """Return an instance that stops when idle."""
    version = next(each for each in FOLLOWING if each.api == "notebooks")
    world = World(version, tmp_path, SCALE)
    world.session.set_auto_stop(AutoStopRequest(mode=Mode.IDLE))
    yield world
    world.close()


SWITCHING = KeepRequest(NAMED, "job", 5 * HOUR, details={SWITCH_MODE: True})


def test_idle_mode_is_replaced_while_guarded_and_restored(idle_world: World) -> None:
    """The lease is TIMING with a stop time while guarded, which all views say, and IDLE afterwards."""
    world = idle_world
    with pytest.raises(RefusedError) as caught:
        client.add_guard(world.session, KeepRequest(NAMED, "plain"), environ=world.environ)
    assert caught.value.code == "keep.refused.idle"
    kept = client.add_guard(world.session, SWITCHING, environ=world.environ)
    assert "goes back to idle mode" in str(kept)
    assert world.instance()["type"] == "TIMING"
    assert is_mode_switched(world.folder)
    findings = [str(each) for each in keep_alive_findings(world.session.settings)]
    payload = keep_payload(world.session)
    assert payload is not None
    assert "goes back to idle mode" in payload["switched_mode"]
    assert any("goes back to idle mode" in each for each in findings)
    remove_guard(world.folder, *list_guards(world.folder))
    wait_for(lambda: world.instance()["type"] == "IDLE")
    wait_for(lambda: not is_mode_switched(world.folder))


def test_block_switches_the_mode_or_runs_anyway_on_request(
    idle_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block has the same choices as a cell; without them it does not run in idle mode."""
    session = idle_world.session
    for name, value in idle_world.environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RefusedError), session.keep_alive():
        pytest.fail("the block must not run")
    with session.keep_alive(anyway=True) as unguarded:
        assert "idle" in str(unguarded)
        assert list_guards(idle_world.folder) == []
        assert idle_world.instance()["type"] == "IDLE"
    with session.keep_alive(switch_mode=True) as kept:
        assert "goes back to idle mode" in str(kept)
        assert idle_world.instance()["type"] == "TIMING"


def test_killed_daemon_leaves_the_wish_to_the_next_process(idle_world: World) -> None:
    """The next process of ours, here one that shows the status, has idle mode restored."""
    world = idle_world
    client.add_guard(world.session, SWITCHING, environ=world.environ)
    state = read_state(world.folder)
    assert state is not None
    os.kill(state.pid, signal.SIGKILL)
    wait_for(lambda: not is_daemon_running(world.folder))
    remove_guard(world.folder, *list_guards(world.folder))
    command = [sys.executable, "-m", "modelarts_magics", "status"]
    done = subprocess.run(command, env=world.environ, capture_output=True, text=True, check=True)  # noqa: S603 - our own program
    assert "goes back to idle mode" in done.stderr
    wait_for(lambda: world.instance()["type"] == "IDLE")


def test_stop_time_that_the_user_sets_is_not_replaced_by_idle_mode(idle_world: World) -> None:
    """A change of auto-stop while guarded is the user's wish, also after the guard."""
    world = idle_world
    client.add_guard(world.session, SWITCHING, environ=world.environ)
    world.session.set_auto_stop(AutoStopRequest(time_left=9 * HOUR))
    remove_guard(world.folder, *list_guards(world.folder))
    end_all(world.folder)
    wait_for(lambda: not is_mode_switched(world.folder), seconds=40)
    assert world.instance()["type"] == "TIMING"


def test_api_that_defers_is_refused_and_restored(tmp_path: Path) -> None:
    """Where a run does not follow a renewal, the work does not start and later runs stay as long as before."""
    deferring = next(each for each in API_VERSIONS if not each.changes_current_run)
    world = World(deferring, tmp_path, SCALE)
    try:
        before = world.instance()["duration_s"]
        with pytest.raises(RefusedError) as caught:
            client.add_guard(world.session, KeepRequest(NAMED, "job"), environ=world.environ)
        assert caught.value.code == "keep.refused.next_start"
        wait_for(lambda: world.instance()["duration_s"] == before)
    finally:
        world.close()


def test_scaled_time_needs_the_emulator(tmp_path: Path) -> None:
    """A time scale with an endpoint on another machine is an error."""
    environ = {
        "MODELARTS_ENDPOINT": "https://modelarts.example",
        "MODELARTS_TIME_SCALE": "60",
        "HOME": str(tmp_path),
    }
    with pytest.raises(ModelArtsError) as caught:
        open_session(Settings.load(environ=environ), environ=environ)
    assert caught.value.code == "config.time_scale_remote"
