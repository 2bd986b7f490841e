"""Every write is based on a recent read and sent in time; otherwise it is planned again, or nothing is sent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

import httpx
import pytest
from api_versions import API_VERSIONS, WRITE_METHODS, only_demanager
from emulator_harness import SETTING_PREFIXES

from modelarts_magics.commands.as_json import change_json
from modelarts_magics.commands.as_text import change_lines
from modelarts_magics.domain.browser_payloads import change_response
from modelarts_magics.domain.clock import Clock
from modelarts_magics.domain.models import Effect
from modelarts_magics.domain.planning import AutoStopRequest
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.errors import (
    DeadlineError,
    InvalidResponseError,
    PartialUpdateError,
    RefusedError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import InstantSleepClock

    from modelarts_magics.session.session import Session

    Connect = Callable[..., Session]
    Truth = Callable[[], dict[str, Any]]
    Writes = Callable[[], list[dict[str, Any]]]

HOUR = timedelta(hours=1)
OTHER = "by another client"


class Interposed(httpx.BaseTransport):
    """A transport that calls a function after the response to each read or write.

    Args:
        after_read: Called with the number of the read, from 1.
        after_write: Called before the instance is read back.
    """

    def __init__(
        self,
        after_read: Callable[[int], object] = lambda _: None,
        after_write: Callable[[], object] = lambda: None,
    ) -> None:
        self._transport = httpx.HTTPTransport(verify=False, trust_env=False)
        self._after_read, self._after_write = after_read, after_write
        self._reads = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on."""
        response = self._transport.handle_request(request)
        content = response.read()
        response.close()
        if request.method == "GET":
            self._reads += 1
            self._after_read(self._reads)
        else:
            self._after_write()
        return httpx.Response(response.status_code, headers=response.headers, content=content)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


ACTIONS: dict[str, Callable[[Session], Any]] = {
    "extend": lambda session: session.extend(HOUR),
    "auto-stop": lambda session: session.set_auto_stop(AutoStopRequest(time_left=3 * HOUR)),
}


@only_demanager
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("fault", ["429", "503"])
@pytest.mark.parametrize("pause_s", [2, 10])
def test_change_during_retry_after_is_not_overwritten(  # noqa: PLR0913 - three dimensions
    action: str,
    fault: str,
    pause_s: int,
    make_session: Connect,
    emulator: LocalEmulator,
    instant_clock: InstantSleepClock,
    instance_state: Truth,
) -> None:
    """The instance is read again after the wait, and the new description sent."""
    plain = instant_clock.clock

    def sleep(seconds: float) -> None:
        plain.sleep(seconds)
        if seconds >= pause_s:
            emulator.set_instance(description=OTHER)

    session = make_session(clock=Clock(now=plain.now, monotonic=plain.monotonic, sleep=sleep))
    emulator.add_fault(fault, arg=pause_s, times=1, methods=WRITE_METHODS)
    change = ACTIONS[action](session)
    assert change.effect is not Effect.UNCONFIRMED
    assert instance_state()["description"] == OTHER


@only_demanager
@pytest.mark.parametrize("clock_name", ["wall", "monotonic"])
@pytest.mark.parametrize("action", ACTIONS)
def test_change_while_suspended_is_not_overwritten(  # noqa: PLR0913 - two dimensions
    action: str,
    clock_name: str,
    make_session: Connect,
    emulator: LocalEmulator,
    instant_clock: InstantSleepClock,
    instance_state: Truth,
) -> None:
    """A suspended machine is seen by the wall clock only, a stopped process by both clocks."""

    def suspend(number: int) -> None:
        if number > 1:
            return
        emulator.set_instance(description=OTHER)
        if clock_name == "wall":
            instant_clock.offset += timedelta(seconds=5)
        else:
            instant_clock.clock.sleep(5)

    session = make_session(http=Interposed(suspend))
    assert ACTIONS[action](session).effect is not Effect.UNCONFIRMED
    assert instance_state()["description"] == OTHER


@pytest.mark.parametrize("action", [*ACTIONS, "stop"])
def test_nothing_is_sent_when_no_time_is_left(
    action: str, make_session: Connect, instant_clock: InstantSleepClock, write_requests: Writes
) -> None:
    """The read took all of it."""
    session = make_session(http=Interposed(lambda _: instant_clock.clock.sleep(40)))
    with pytest.raises(DeadlineError):
        (ACTIONS.get(action) or type(session).stop)(session)
    assert not write_requests()


def test_nothing_is_sent_when_planning_takes_all_time(
    make_session: Connect,
    emulator: LocalEmulator,
    instant_clock: InstantSleepClock,
    write_requests: Writes,
) -> None:
    """The error says so."""
    emulator.set_instance(minutes_left=1)
    session = make_session()
    # The extension is raised to the shortest one, which is a notice.
    session.on_notice = lambda _: instant_clock.clock.sleep(40)
    with pytest.raises(DeadlineError) as caught:
        session.extend("1s")
    assert "nothing was sent" in caught.value.message
    assert not caught.value.sent
    assert not write_requests()


def test_slow_api_can_be_written(
    make_session: Connect, instant_clock: InstantSleepClock, write_requests: Writes
) -> None:
    """Each read takes longer than its age may be, so the limit grows."""
    session = make_session(http=Interposed(lambda _: instant_clock.clock.sleep(3)))
    assert session.describe("new").effect is Effect.NOW
    assert len(write_requests()) == 1


def test_conflict_during_the_wait_is_refused(
    make_session: Connect, emulator: LocalEmulator, instant_clock: InstantSleepClock
) -> None:
    """What the user saw is compared again with the second read."""
    plain = instant_clock.clock

    def sleep(seconds: float) -> None:
        plain.sleep(seconds)
        emulator.set_instance(minutes_left=200)

    session = make_session(clock=Clock(now=plain.now, monotonic=plain.monotonic, sleep=sleep))
    seen = session.refresh()
    emulator.add_fault("429", arg=9, times=1, methods=WRITE_METHODS)
    with pytest.raises(RefusedError) as caught:
        session.extend(HOUR, seen_stop_time=seen.auto_stop.stops_at)
    assert caught.value.code == "refuse.stop_time_changed"


@pytest.mark.parametrize("api_version", [API_VERSIONS[-1]], ids=str)
class TestTwoRequests:
    """A description and a lease are sent one after the other, each based on a recent read."""

    def update(self, session: Session) -> Any:  # noqa: ANN401 - the change
        """Change both."""
        seen = session.refresh()
        request = AutoStopRequest(time_left=3 * HOUR)
        return session.update(description="new", auto_stop=request, seen=seen)

    def test_lease_follows_after_a_wait(
        self, make_session: Connect, emulator: LocalEmulator, write_requests: Writes
    ) -> None:
        """The result has the description as it was before."""
        emulator.add_fault("429", arg=9, times=1, methods=("PATCH",))
        change = self.update(make_session())
        assert change.effect is Effect.NOW
        assert change.before.description == "Demo instance of the local emulator"
        assert [each["method"] for each in write_requests()] == ["PUT", "PATCH", "PATCH"]

    def test_saved_description_is_reported(
        self, make_session: Connect, emulator: LocalEmulator
    ) -> None:
        """The lease is refused after the wait."""
        emulator.add_fault("429", arg=9, times=1, methods=("PATCH",))
        emulator.add_fault("403", methods=("PATCH",))
        with pytest.raises(PartialUpdateError):
            self.update(make_session())


class TestOtherStateFolder:
    """A process that does not share the lock may overwrite a description; the one that notices says so."""

    def test_extension_reports_another_description(
        self, make_session: Connect, emulator: LocalEmulator
    ) -> None:
        """The description that was read back is compared, too; the extension is confirmed."""
        http = Interposed(after_write=lambda: emulator.set_instance(description=OTHER))
        change = make_session(http=http).extend(HOUR)
        assert change.effect is not Effect.UNCONFIRMED
        assert change.description_elsewhere == OTHER
        assert change_response(change)["values"]["description_elsewhere"] == OTHER
        assert change_json(change)["description_elsewhere"] == OTHER
        assert any(f"to “{OTHER}” (was “Demo" in line for line in change_lines(change))

    def test_description_overwritten_with_another_is_unconfirmed(
        self, make_session: Connect, emulator: LocalEmulator
    ) -> None:
        """The output has both."""
        http = Interposed(after_write=lambda: emulator.set_instance(description=OTHER))
        change = make_session(http=http).describe("mine")
        assert change.effect is Effect.UNCONFIRMED
        (line,) = change_lines(change)
        assert f"to “{OTHER}”. Yours was “mine”" in line

    @only_demanager
    def test_description_overwritten_by_an_extension_is_unconfirmed(
        self, make_session: Connect
    ) -> None:
        """The other process has read the old description and sends it along."""
        other = make_session(state="other")
        own = make_session(http=Interposed(after_write=lambda: release.set() or done.wait(10)))
        release, done = threading.Event(), threading.Event()
        read, plain = threading.Event(), other._backend.write

        def write_late(*arguments: Any, **options: Any) -> None:  # noqa: ANN401 - as the backend's
            read.set()
            release.wait(10)
            plain(*arguments, **options)

        other._backend.write = write_late  # type: ignore[method-assign]
        with ThreadPoolExecutor(1) as pool:
            extending = pool.submit(other.extend, HOUR)
            read.wait(10)
            extending.add_done_callback(lambda _: done.set())
            change = own.describe("mine")
            extending.result()
        assert change.effect is Effect.UNCONFIRMED
        assert "may have overwritten yours" in change_lines(change)[0]


class OtherInstance(Interposed):
    """A transport that returns another instance, as a cache may, from some read on."""

    def __init__(self, first_read: int) -> None:
        super().__init__()
        self._first_read = first_read

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Replace the ID of the instance."""
        response = super().handle_request(request)
        if request.method != "GET" or self._reads < self._first_read:
            return response
        return httpx.Response(200, json={**response.json(), "id": "another-instance"})


def test_response_about_another_instance_is_rejected(
    make_session: Connect, write_requests: Writes
) -> None:
    """Nothing is sent; the error names both."""
    session = make_session(http=OtherInstance(1))
    for call in (session.refresh, session.extend):
        with pytest.raises(InvalidResponseError) as caught:
            call()
        assert caught.value.code == "response.other_instance"
        assert "another-instance" in caught.value.message
    assert session.last_known() is None
    assert not write_requests()


def test_read_back_of_another_instance_confirms_nothing(make_session: Connect) -> None:
    """The description of the other one may be the same by chance."""
    change = make_session(http=OtherInstance(2)).describe("new")
    assert (change.effect, change.after) == (Effect.UNCONFIRMED, None)
    assert isinstance(change.read_back_error, InvalidResponseError)


def start(emulator: LocalEmulator, home: Path, *words: str, **more: str) -> subprocess.Popen[str]:
    """Start a command in a process of its own."""
    plain = {
        name: value for name, value in os.environ.items() if not name.startswith(SETTING_PREFIXES)
    }
    return subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "modelarts_magics", *words],
        env={**plain, **emulator.environment(), "HOME": str(home), "LANG": "C.UTF-8", **more},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def wait_for(emulator: LocalEmulator, method: str, count: int = 1) -> None:
    """Wait until the emulator has received so many requests of a method."""
    pause = threading.Event()
    for _ in range(1500):
        if sum(each["method"] == method for each in emulator.requests) >= count:
            return
        pause.wait(0.01)
    raise AssertionError(f"no {method}")


def description(emulator: LocalEmulator) -> str:
    """Return the description according to the emulator."""
    found: str = next(
        each["description"]
        for each in emulator.state()["instances"]
        if each["id"] == emulator.instance_id
    )
    return found


@pytest.fixture
def demanager() -> Iterator[LocalEmulator]:
    """Return an emulator of the API whose writes carry the description along."""
    with LocalEmulator() as emulator:
        yield emulator


@pytest.mark.process
def test_process_reads_again_after_retry_after(demanager: LocalEmulator, tmp_path: Path) -> None:
    """Another client changes the description while the process waits."""
    demanager.add_fault("429", arg=2, times=1, methods=("PUT",))
    process = start(demanager, tmp_path, "auto-stop", "in", "3h")
    wait_for(demanager, "PUT")
    demanager.set_instance(description=OTHER)
    assert process.communicate(timeout=30)[1] == ""
    assert (process.returncode, description(demanager)) == (0, OTHER)


@pytest.mark.process
@pytest.mark.parametrize(("timeout_s", "status"), [("30", 0), ("2", 1)])
def test_stopped_process_overwrites_nothing(
    demanager: LocalEmulator, tmp_path: Path, timeout_s: str, status: int
) -> None:
    """It goes on with a new read, or with an error that nothing was sent when its time is over."""
    demanager.add_fault("delay", arg=1, times=1, methods=("GET",))
    process = start(demanager, tmp_path, "extend", "1h", MODELARTS_TOTAL_TIMEOUT=timeout_s)
    wait_for(demanager, "GET")
    process.send_signal(signal.SIGSTOP)
    demanager.set_instance(description=OTHER)
    time.sleep(2.5)
    process.send_signal(signal.SIGCONT)
    errors = process.communicate(timeout=30)[1]
    assert (process.returncode, description(demanager)) == (status, OTHER), errors
    assert any(each["method"] == "PUT" for each in demanager.requests) is (status == 0)


@pytest.mark.process
def test_suspended_holder_of_the_lock_is_named(demanager: LocalEmulator, tmp_path: Path) -> None:
    """Reads go on; a write fails after five seconds, and works when the holder was ended as advised."""
    demanager.add_fault("delay", arg=60, times=1, methods=("PUT",))
    holder = start(demanager, tmp_path, "describe", "first")
    try:
        wait_for(demanager, "PUT")
        holder.send_signal(signal.SIGSTOP)
        begun = time.monotonic()
        waiting = start(demanager, tmp_path, "describe", "second")
        reading = start(demanager, tmp_path, "status")
        reading.communicate(timeout=30)
        assert reading.returncode == 0
        assert waiting.poll() is None
        errors = waiting.communicate(timeout=30)[1]
        assert (waiting.returncode, time.monotonic() - begun >= 5) == (1, True)
        assert f"process {holder.pid}, " in errors
        assert "modelarts_magics describe first" in errors
        assert f"kill -9 {holder.pid}" in errors
        assert sum(each["method"] == "PUT" for each in demanager.requests) == 1
    finally:
        holder.kill()
        holder.communicate(timeout=30)
    third = start(demanager, tmp_path, "describe", "third")
    assert third.communicate(timeout=30)[1] == ""
    assert description(demanager) == "third"
