"""Polling and notifications, in simulated time."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Callable

import pytest

from modelarts_magics.config.settings import Settings
from modelarts_magics.domain.clock import Clock
from modelarts_magics.emulator.clock import ManualClock, ScaledClock
from modelarts_magics.errors import NoCredentialsError
from modelarts_magics.server.executor import AsyncRuntime
from modelarts_magics.server.poller import (
    FIRST_RESPONSE_TIMEOUT_S,
    HELLO,
    MIN_REFRESH_INTERVAL_S,
    RECOVERY_CHECK_INTERVAL_S,
    Poller,
)
from modelarts_magics.server.session_provider import SessionFactory
from modelarts_magics.session.connect import open_session

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator
    from pathlib import Path

    from modelarts_magics.domain.models import Instance
    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.server.snapshot import Snapshot
    from modelarts_magics.session.session import Session

MINUTE = 60


class FakeTime:
    """Simulated time for the emulator and the poller.

    Attributes:
        api_clock: The emulator's clock.
        clock: The same time as a `Clock`.
        runtime: A runtime with this time, without threads and jitter; `advance` begins with a notification.
        followers: The callbacks that follow the state folder.
    """

    def __init__(self) -> None:
        self.api_clock = ManualClock(datetime.now(timezone.utc))
        self.clock = Clock(
            now=self.api_clock.now,
            monotonic=lambda: self.api_clock.now().timestamp(),
            sleep=lambda _seconds: None,
        )
        self.runtime = AsyncRuntime(
            sleep=self._sleep,
            run_blocking=self._run,
            follow_folder=self._follow_folder,
            jitter=lambda: 0.0,
        )
        self.followers: list[Callable[[], object]] = []
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    async def advance(self, seconds: float) -> None:
        """Let time pass and run everything that becomes due, in order."""
        end = self._elapsed + seconds
        await run_pending_tasks()
        for each in self.followers:
            each()
        await run_pending_tasks()
        while True:
            due = min((when for when, one in self._sleepers if not one.done()), default=end + 1)
            self._move_to(min(due, end))
            if due > end:
                return
            for when, one in self._sleepers:
                if when <= due and not one.done():
                    one.set_result(None)
            await run_pending_tasks()

    def _move_to(self, to: float) -> None:
        self.api_clock.advance(timedelta(seconds=to - self._elapsed))
        self._elapsed = to

    async def _sleep(self, seconds: float) -> None:
        entry = (self._elapsed + seconds, asyncio.get_running_loop().create_future())
        self._sleepers.append(entry)
        try:
            await entry[1]
        finally:
            self._sleepers.remove(entry)

    async def _run(self, call: Callable[[], Any]) -> Any:
        return call()

    def _follow_folder(self, _folder: Path, callback: Callable[[], object]) -> Callable[[], None]:
        self.followers.append(callback)
        return lambda: self.followers.remove(callback)


async def run_pending_tasks() -> None:
    """Run everything that can run without time passing."""
    await asyncio.sleep(0)
    while asyncio.get_running_loop()._ready:  # noqa: ASYNC110 - a loop has no event for being idle
        await asyncio.sleep(0)


class PollerHarness:
    """A poller and a record of its events.

    Attributes:
        events: The kinds of change that were announced.
        hello_count: The number of hello events.
        hold_before: Whether blocking calls wait for `release` before they start.
        hold_after: Whether the results of blocking calls wait for it.
        on_response: Called with each response of the API.
        listeners: The pages that receive events.
    """

    def __init__(self, emulator: LocalEmulator, environ: dict[str, str], time: FakeTime) -> None:
        self.events: list[str] = []
        self.hello_count = 0
        self.hold_before = self.hold_after = False
        self.on_response: Callable[[Session, Instance], None] = lambda _session, _instance: None
        self.listeners = {"a page"}
        self.environ = environ
        self.time = time
        self._emulator = emulator
        self._held_futures: list[asyncio.Future[None]] = []
        self.poller = Poller(
            SessionFactory({}, environ, time.clock),
            notify=self._notify,
            listeners=lambda: self.listeners,
            on_response=self._on_response,
            runtime=replace(time.runtime, run_blocking=self._run),
        )

    async def _run(self, call: Callable[[], Any]) -> Any:
        if self.hold_before:
            await self._hold()
        outcome = await self.time.runtime.run_blocking(call)
        if self.hold_after:
            await self._hold()
        return outcome

    def _hold(self) -> asyncio.Future[None]:
        self._held_futures.append(asyncio.get_running_loop().create_future())
        return self._held_futures[-1]

    def _on_response(self, session: Session, instance: Instance) -> None:
        self.on_response(session, instance)

    async def release(self) -> None:
        """Let the held calls go on."""
        self.hold_before = self.hold_after = False
        for each in self._held_futures:
            each.set_result(None)
        self._held_futures.clear()
        await run_pending_tasks()

    def _notify(self, kind: str) -> None:
        if kind == HELLO:
            self.hello_count += 1
        else:
            self.events.append(kind)

    async def refresh(self) -> Snapshot:
        """Refresh so long after the last refresh that it is not delayed."""
        await self.time.advance(MIN_REFRESH_INTERVAL_S)
        return await self.poller.refresh()

    async def requests_during(self, seconds: float) -> int:
        """Return how often the instance is read while time passes."""
        return await self.requests_caused_by(self.time.advance(seconds))

    async def requests_caused_by(self, work: Awaitable[Any]) -> int:
        """Return how often the instance is read by a coroutine."""
        self._emulator.clear_requests()
        await work
        wanted = f"/{self._emulator.instance_id}"
        return sum(one["path"].endswith(wanted) for one in self._emulator.requests)


@pytest.fixture
def time() -> FakeTime:
    """Return simulated time."""
    return FakeTime()


@pytest.fixture
def emulator(make_emulator: Callable[..., LocalEmulator], time: FakeTime) -> LocalEmulator:
    """Return an emulator in simulated time, with 40 minutes left."""
    return make_emulator(clock=time.api_clock)


@pytest.fixture
def environ(emulator: LocalEmulator, tmp_path: Path) -> dict[str, str]:
    """Return the environment variables of a server."""
    return {**emulator.environment(), "MODELARTS_STATE_DIR": str(tmp_path), "HOME": str(tmp_path)}


@pytest.fixture
def poller_harness(
    emulator: LocalEmulator, environ: dict[str, str], time: FakeTime, jp_asyncio_loop: Any
) -> Iterator[PollerHarness]:
    """Return a poller that has not started."""
    made = PollerHarness(emulator, environ, time)
    yield made
    jp_asyncio_loop.run_until_complete(made.poller.stop())


@pytest.fixture
def open_other_session(
    emulator: LocalEmulator, environ: dict[str, str], time: FakeTime, tmp_path: Path
) -> Iterator[Callable[[], Session]]:
    """Return a function that opens a session like that of another process, which shares only the state file.

    Subscriptions within a process go by the path of the file, so another path to the folder keeps them apart.
    """
    opened: list[Session] = []
    (tmp_path / "by another path").symlink_to(tmp_path)

    def open_one() -> Session:
        path = {"MODELARTS_STATE_DIR": str(tmp_path / "by another path")}
        variables = {**environ, **emulator.environment(), **path}
        settings = Settings.load(environ=variables)
        opened.append(open_session(settings, environ=variables, clock=time.clock))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


async def test_api_is_called_more_often_near_the_stop(
    poller_harness: PollerHarness,
) -> None:
    """Every five minutes, and every minute in the last ten."""
    poller_harness.poller.start()
    assert await poller_harness.requests_during(0) == 1
    assert await poller_harness.requests_during(29 * MINUTE) == 5
    assert await poller_harness.requests_during(2 * MINUTE) in (1, 2)
    assert await poller_harness.requests_during(5 * MINUTE) == 5


async def test_pages_do_not_cause_calls(poller_harness: PollerHarness) -> None:
    """A hundred reads cause no more calls than one page."""
    poller_harness.poller.start()
    await poller_harness.requests_during(0)
    for _ in range(10):
        views = await asyncio.gather(*(poller_harness.poller.get() for _ in range(10)))
        assert all(view.instance for view in views)
    assert await poller_harness.requests_during(25 * MINUTE + 1) == 5


async def test_simultaneous_refreshes_share_one_call(poller_harness: PollerHarness) -> None:
    """Ten pages that refresh at once cause one call."""
    poller_harness.poller.start()
    await poller_harness.requests_during(0)
    ten = asyncio.gather(*(poller_harness.poller.refresh() for _ in range(10)))
    assert await poller_harness.requests_caused_by(ten) == 1
    assert poller_harness.poller.snapshot.problem is None


async def test_refreshes_in_a_row_are_delayed(
    poller_harness: PollerHarness, emulator: LocalEmulator
) -> None:
    """Pages cause one call in a few seconds, and each gets a state that is newer than its request."""
    poller_harness.poller.start()
    await poller_harness.requests_during(0)
    assert await poller_harness.requests_caused_by(poller_harness.poller.refresh()) == 1
    emulator.set_instance(description="new")
    emulator.clear_requests()
    asking = [asyncio.ensure_future(poller_harness.poller.refresh()) for _ in range(20)]
    assert await poller_harness.requests_during(MIN_REFRESH_INTERVAL_S - 0.1) == 0
    assert await poller_harness.requests_during(0.2) == 1
    shown = [(await each).instance for each in asking]
    assert {each.description for each in shown if each} == {"new"}
    assert await poller_harness.requests_during(MIN_REFRESH_INTERVAL_S) == 0


@pytest.mark.parametrize("code", ["APIGW.0301", "ModelArts.0202"])
async def test_refused_server_asks_again_at_a_low_rate(
    poller_harness: PollerHarness, emulator: LocalEmulator, code: str
) -> None:
    """A gateway may have refused by mistake; every later request would succeed."""
    poller_harness.poller.start()
    await poller_harness.requests_during(0)
    emulator.add_fault("401", arg=code, methods=("GET",))
    await poller_harness.time.advance(6 * MINUTE)
    assert poller_harness.poller.snapshot.read_only
    assert await poller_harness.requests_during(9.5 * MINUTE) <= 1
    emulator.clear_faults()
    await poller_harness.time.advance(20 * MINUTE)
    assert poller_harness.poller.snapshot.problem is None
    assert not poller_harness.poller.snapshot.read_only


async def test_refused_server_asks_again_near_the_stop(
    poller_harness: PollerHarness, emulator: LocalEmulator
) -> None:
    """At ten minutes before the stop, and then every two."""
    poller_harness.poller.start()
    await poller_harness.requests_during(0)
    emulator.add_fault("401", methods=("GET",))
    # 40 minutes are left at first.
    await poller_harness.time.advance(29 * MINUTE)
    assert poller_harness.poller.snapshot.read_only
    assert await poller_harness.requests_during(2 * MINUTE) >= 1
    assert 3 <= await poller_harness.requests_during(8 * MINUTE) <= 5


async def test_refresh_calls_the_api_despite_a_recent_state(
    poller_harness: PollerHarness, open_other_session: Callable[[], Session]
) -> None:
    """It waits for a refresh that is under way, and calls the API after it."""
    open_other_session().refresh()
    poller_harness.hold_before = True
    poller_harness.poller.start()
    await run_pending_tasks()
    poller_harness.hold_before = False
    asking = asyncio.ensure_future(poller_harness.poller.refresh())
    await run_pending_tasks()
    assert not asking.done()
    assert await poller_harness.requests_caused_by(poller_harness.release()) == 1
    assert (await asking).instance is not None


async def test_late_response_does_not_replace_a_newer_state(
    poller_harness: PollerHarness, emulator: LocalEmulator
) -> None:
    """The newer state is kept and announced once."""
    poller_harness.poller.start()
    await poller_harness.requests_during(0)
    poller_harness.hold_after = True
    asking = asyncio.ensure_future(poller_harness.poller.refresh())
    await run_pending_tasks()
    poller_harness.hold_after = False
    emulator.set_instance(description="new")
    (await poller_harness.poller.get_session()).refresh()
    await poller_harness.release()
    shown = (await asking).instance
    assert shown is not None
    assert shown.description == "new"
    assert poller_harness.events == ["instance", "instance"]


async def test_closed_page_does_not_cancel_the_first_call(
    poller_harness: PollerHarness,
) -> None:
    """Neither does a page whose time limit has passed."""
    poller_harness.hold_before = True
    poller_harness.poller.start()
    await run_pending_tasks()
    poller_harness.hold_before = False
    page, closed = (asyncio.ensure_future(poller_harness.poller.get()) for _ in range(2))
    await poller_harness.time.advance(FIRST_RESPONSE_TIMEOUT_S - 1)
    assert not page.done()
    closed.cancel()
    await poller_harness.time.advance(2)
    assert page.done()
    assert page.result().is_empty
    await poller_harness.release()
    assert poller_harness.events == ["instance"]


async def test_unexpected_error_slows_polling_down(
    poller_harness: PollerHarness, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged and counts as a failure."""

    def fail(_session: Session, _instance: Instance) -> None:
        raise ZeroDivisionError

    poller_harness.on_response = fail
    poller_harness.poller.start()
    assert await poller_harness.requests_during(0) == 1
    assert await poller_harness.requests_during(9 * MINUTE) == 0
    assert await poller_harness.requests_during(20 * MINUTE) == 1
    assert "ZeroDivisionError" in caplog.text


class BrokenListeners(set[str]):
    """Listeners that cannot be counted or listed, as with another version of Jupyter's event logger."""

    def __len__(self) -> int:
        """Raise an exception."""
        raise ZeroDivisionError

    def __iter__(self) -> Iterator[str]:
        """Raise an exception."""
        raise ZeroDivisionError


async def test_polling_and_greeting_go_on_after_an_error(
    poller_harness: PollerHarness, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged; without the tasks, pages would receive nothing until the server is restarted."""
    poller_harness.poller.start()
    await poller_harness.time.advance(MINUTE)
    greeted = poller_harness.hello_count
    poller_harness.listeners = BrokenListeners()
    await poller_harness.time.advance(10 * MINUTE)
    assert "ZeroDivisionError" in caplog.text
    poller_harness.listeners = {"another page"}
    assert await poller_harness.requests_during(10 * MINUTE) > 0
    assert poller_harness.hello_count > greeted


async def test_state_folder_is_followed_after_an_error(
    emulator: LocalEmulator, environ: dict[str, str], time: FakeTime
) -> None:
    """A thread or a socket can be refused once; both tasks that need the folder have tried by then."""
    follow_folder, refusals = time.runtime.follow_folder, [OSError(24, "") for _ in range(2)]

    def follow(folder: Path, callback: Callable[[], object]) -> Callable[[], None]:
        if refusals:
            raise refusals.pop()
        return follow_folder(folder, callback)

    time.runtime = replace(time.runtime, follow_folder=follow)
    harness = PollerHarness(emulator, environ, time)
    harness.poller.start()
    await time.advance(MINUTE)
    assert (len(refusals), len(time.followers)) == (0, 1)
    await harness.poller.stop()
    assert time.followers == []


async def test_repeated_problem_is_announced_once(
    poller_harness: PollerHarness, emulator: LocalEmulator
) -> None:
    """Another problem is announced again."""
    poller_harness.poller.start()
    await poller_harness.requests_during(0)
    emulator.add_fault("503", methods=("GET",))
    for _ in range(2):
        await poller_harness.refresh()
    assert poller_harness.events == ["instance", "problem"]
    emulator.clear_faults()
    emulator.add_fault("403", methods=("GET",))
    await poller_harness.refresh()
    assert poller_harness.events == ["instance", "problem", "problem"]


async def test_page_does_not_wait_after_a_failed_call(
    poller_harness: PollerHarness, emulator: LocalEmulator
) -> None:
    """It gets the problem at once."""
    emulator.add_fault("503", methods=("GET",))
    poller_harness.poller.start()
    await poller_harness.time.advance(0)
    assert await poller_harness.requests_caused_by(poller_harness.poller.get()) == 0
    assert poller_harness.poller.snapshot.problem is not None


async def test_failures_lengthen_the_interval(
    poller_harness: PollerHarness, emulator: LocalEmulator
) -> None:
    """Ten minutes, twenty, then thirty; a success restores the usual interval."""
    emulator.set_instance(minutes_left=1000)
    poller_harness.poller.start()
    await poller_harness.requests_during(0)
    emulator.stop()
    await poller_harness.time.advance(5 * MINUTE + 1)
    assert poller_harness.poller.snapshot.problem is not None
    assert poller_harness.poller.snapshot.read_only is False
    assert poller_harness.events == ["instance", "problem"]
    emulator.start()
    emulator.add_fault("503", methods=("GET",))
    assert await poller_harness.requests_during(9 * MINUTE) == 0
    assert await poller_harness.requests_during(2 * MINUTE) > 0
    assert await poller_harness.requests_during(18 * MINUTE) == 0
    assert await poller_harness.requests_during(3 * MINUTE) > 0
    emulator.clear_faults()
    assert await poller_harness.requests_during(31 * MINUTE) == 1
    assert poller_harness.poller.snapshot.problem is None
    assert await poller_harness.requests_during(10 * MINUTE) == 2


@pytest.mark.parametrize("fault", ["401", "403"])
async def test_permanent_error_slows_polling_down(
    fault: str, poller_harness: PollerHarness, emulator: LocalEmulator, environ: dict[str, str]
) -> None:
    """Until credentials change or a page refreshes: then the API is called at once."""
    emulator.set_instance(minutes_left=1000)
    poller_harness.poller.start()
    await poller_harness.requests_during(0)
    emulator.add_fault(fault, methods=("GET",))
    await poller_harness.time.advance(6 * MINUTE)
    assert poller_harness.poller.snapshot.read_only
    assert 1 <= await poller_harness.requests_during(3600) <= 3
    assert 1 <= await poller_harness.requests_during(3600) <= 3
    emulator.clear_faults()
    environ["MODELARTS_TOTAL_TIMEOUT"] = "29"
    assert await poller_harness.requests_during(RECOVERY_CHECK_INTERVAL_S + 1) == 1
    assert not poller_harness.poller.snapshot.read_only


async def test_refresh_works_after_a_permanent_error(
    poller_harness: PollerHarness, emulator: LocalEmulator
) -> None:
    """Polling continues if it succeeds."""
    emulator.add_fault("403", methods=("GET",))
    poller_harness.poller.start()
    await poller_harness.time.advance(MINUTE)
    assert poller_harness.poller.snapshot.read_only
    emulator.clear_faults()
    view = await poller_harness.poller.refresh()
    assert view.problem is None
    assert view.instance is not None


async def test_change_by_another_process_is_shown_and_verified(
    poller_harness: PollerHarness,
    open_other_session: Callable[[], Session],
    emulator: LocalEmulator,
) -> None:
    """It comes through the state file; the API is called once."""
    poller_harness.poller.start()
    await poller_harness.time.advance(1)
    emulator.set_instance(status="STOPPED")
    open_other_session().describe("by a magic")
    assert await poller_harness.requests_during(2) == 1
    assert poller_harness.poller.snapshot.instance is not None
    assert poller_harness.poller.snapshot.instance.description == "by a magic"
    assert poller_harness.events == ["instance", "instance"]
    assert await poller_harness.requests_during(4 * MINUTE) == 0


async def test_outdated_state_file_is_corrected_at_once(
    poller_harness: PollerHarness,
    open_other_session: Callable[[], Session],
    emulator: LocalEmulator,
) -> None:
    """Another process may have been slow to write an old response."""
    poller_harness.poller.start()
    await poller_harness.time.advance(1)
    emulator.set_instance(description="old")
    open_other_session().refresh()
    emulator.set_instance(description="new")
    await poller_harness.time.advance(2)
    assert poller_harness.poller.snapshot.instance is not None
    assert poller_harness.poller.snapshot.instance.description == "new"


async def test_invalidate_calls_the_api_at_once(poller_harness: PollerHarness) -> None:
    """As after a change that the API did not confirm."""
    poller_harness.poller.start()
    await poller_harness.requests_during(0)
    poller_harness.poller.invalidate()
    assert await poller_harness.requests_during(0) == 1
    assert await poller_harness.requests_during(4 * MINUTE) == 0


async def test_several_invalidations_cause_one_call(
    poller_harness: PollerHarness, emulator: LocalEmulator
) -> None:
    """Afterwards a recent response is used again, and no task is left."""
    poller_harness.poller.start()
    await poller_harness.requests_during(0)
    waiting = len(asyncio.all_tasks())
    for _ in range(5):
        poller_harness.poller.invalidate()
        await run_pending_tasks()
    assert len(asyncio.all_tasks()) == waiting
    emulator.set_instance(minutes_left=20)
    (await poller_harness.poller.get_session()).refresh()
    assert await poller_harness.requests_during(0) == 0
    assert poller_harness.events == ["instance", "instance"]


async def test_missing_credentials_are_announced_to_all_pages(
    poller_harness: PollerHarness, environ: dict[str, str]
) -> None:
    """The state becomes read-only."""
    poller_harness.poller.start()
    await poller_harness.time.advance(1)
    del environ["MODELARTS_AUTH_TOKEN"]
    with pytest.raises(NoCredentialsError):
        await poller_harness.poller.get_session()
    assert poller_harness.poller.snapshot.read_only
    assert poller_harness.events == ["instance", "problem"]


async def test_stop_ends_tasks_and_connections(poller_harness: PollerHarness) -> None:
    """Also during a call of the API."""
    before = asyncio.all_tasks()
    poller_harness.poller.start()
    await poller_harness.time.advance(1)
    assert poller_harness.poller._session_provider.current is not None
    poller_harness.hold_before = True
    asking = asyncio.ensure_future(poller_harness.poller.refresh())
    await run_pending_tasks()
    poller_harness.hold_before = False
    await poller_harness.poller.stop()
    await run_pending_tasks()
    assert asking.cancelled()
    assert asyncio.all_tasks() == before
    assert poller_harness.poller._session_provider.current is None


async def test_page_that_connects_is_greeted(poller_harness: PollerHarness) -> None:
    """Once per connection; nothing is sent without a page."""
    poller_harness.poller.start()
    await poller_harness.time.advance(10)
    assert poller_harness.hello_count == 1
    poller_harness.listeners = {"a page", "another"}
    await poller_harness.time.advance(10)
    assert poller_harness.hello_count == 2
    poller_harness.listeners = set()
    await poller_harness.time.advance(10)
    assert poller_harness.hello_count == 2
    poller_harness.listeners = {"a page"}
    await poller_harness.time.advance(10)
    assert poller_harness.hello_count == 3


async def test_changes_elsewhere_are_followed_without_a_page(
    poller_harness: PollerHarness,
    open_other_session: Callable[[], Session],
    emulator: LocalEmulator,
) -> None:
    """The first page that opens sees them at once."""
    poller_harness.listeners = set()
    poller_harness.poller.start()
    await poller_harness.time.advance(1)
    emulator.set_instance(status="STOPPED")
    open_other_session().describe("by a magic")
    await poller_harness.time.advance(10)
    assert poller_harness.events == ["instance", "instance"]
    assert poller_harness.poller.snapshot.instance is not None
    assert poller_harness.poller.snapshot.instance.description == "by a magic"


async def test_without_a_page_the_api_is_called_four_times_an_hour(
    poller_harness: PollerHarness, emulator: LocalEmulator
) -> None:
    """While the stop is over an hour away; from then on every five minutes."""
    poller_harness.listeners = set()
    emulator.set_instance(minutes_left=200)
    poller_harness.poller.start()
    assert await poller_harness.requests_during(1) == 1
    assert await poller_harness.requests_during(60 * MINUTE) == 4
    assert await poller_harness.requests_during(60 * MINUTE) == 4
    assert await poller_harness.requests_during(60 * MINUTE) > 8


async def test_page_that_opens_gets_a_recent_state(
    poller_harness: PollerHarness, emulator: LocalEmulator
) -> None:
    """The API is called if its last response is older than five minutes, and every five minutes from then on."""
    poller_harness.listeners = set()
    emulator.set_instance(minutes_left=1000)
    poller_harness.poller.start()
    await poller_harness.requests_during(14 * MINUTE)
    await poller_harness.poller.get()
    assert await poller_harness.requests_during(2) == 1
    await poller_harness.poller.get()
    assert await poller_harness.requests_during(4 * MINUTE) == 0
    poller_harness.listeners = {"a page"}
    assert await poller_harness.requests_during(60 * MINUTE) == 12


async def test_change_of_the_api_clock_is_announced(
    poller_harness: PollerHarness, emulator: LocalEmulator
) -> None:
    """Once for each change: the pages count by this clock."""
    poller_harness.poller.start()
    await poller_harness.time.advance(6 * MINUTE)
    assert poller_harness.events == ["instance"]
    emulator.account.clock = ManualClock(poller_harness.time.api_clock.now() + timedelta(minutes=2))
    for _ in range(2):
        await poller_harness.refresh()
    assert poller_harness.events.count("clock") == 1


async def test_time_left_is_counted_by_the_api_clock(
    poller_harness: PollerHarness, emulator: LocalEmulator
) -> None:
    """By the local clock, the stop would seem far away."""
    local_clock = poller_harness.time.api_clock
    emulator.account.clock = ScaledClock(source=lambda: local_clock.now() + timedelta(minutes=25))
    emulator.set_instance(minutes_left=8)
    poller_harness.poller.start()
    # The second request confirms the difference.
    assert await poller_harness.requests_during(0) == 2
    assert await poller_harness.requests_during(3 * MINUTE + 1) == 3


async def test_change_of_the_stop_time_is_announced_once(
    poller_harness: PollerHarness, emulator: LocalEmulator
) -> None:
    """An unchanged state is not announced."""
    poller_harness.poller.start()
    await poller_harness.time.advance(6 * MINUTE)
    assert poller_harness.events == ["instance"]
    emulator.set_instance(minutes_left=20)
    await poller_harness.time.advance(6 * MINUTE)
    assert poller_harness.events == ["instance", "instance"]


class TestWithoutCredentials:
    """A server without credentials, beside a kernel with credentials."""

    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        """Return the environment variables of a server."""
        return {k: v for k, v in environ.items() if k != "MODELARTS_AUTH_TOKEN"}

    async def test_saved_state_is_shown_read_only(
        self,
        poller_harness: PollerHarness,
        open_other_session: Callable[[], Session],
        emulator: LocalEmulator,
    ) -> None:
        """The problem has a hint; the API is not called."""
        open_other_session().refresh()
        poller_harness.poller.start()
        assert await poller_harness.requests_during(3600) == 0
        view = await poller_harness.poller.get()
        assert view.instance is not None
        assert view.instance.id == emulator.instance_id
        assert view.read_only
        assert view.problem is not None
        assert view.problem.code == "server.no_credentials"

    async def test_changes_by_other_processes_are_shown(
        self,
        poller_harness: PollerHarness,
        open_other_session: Callable[[], Session],
        emulator: LocalEmulator,
    ) -> None:
        """Also if the other process starts later."""
        poller_harness.poller.start()
        await poller_harness.time.advance(5)
        assert poller_harness.poller.snapshot.instance is None
        other = open_other_session()
        other.refresh()
        await poller_harness.time.advance(2)
        assert poller_harness.poller.snapshot.instance is not None
        emulator.set_instance(status="STOPPED")
        other.describe("by a magic")
        await poller_harness.time.advance(2)
        assert poller_harness.poller.snapshot.instance.description == "by a magic"

    async def test_saved_state_is_read_without_a_page(
        self, poller_harness: PollerHarness, open_other_session: Callable[[], Session]
    ) -> None:
        """The first page has it at once."""
        open_other_session().refresh()
        poller_harness.listeners = set()
        poller_harness.poller.start()
        await poller_harness.time.advance(0)
        assert poller_harness.poller.snapshot.instance is not None

    async def test_polling_starts_with_new_credentials(
        self, poller_harness: PollerHarness, emulator: LocalEmulator, environ: dict[str, str]
    ) -> None:
        """As after `login --save`."""
        poller_harness.poller.start()
        await poller_harness.time.advance(5)
        folder = f"{environ['HOME']}/.huaweicloud"
        os.makedirs(folder)  # noqa: PTH103 - the name is text
        with open(f"{folder}/credentials", "w") as handle:  # noqa: ASYNC230, PTH123 - a small local file
            handle.write(f"[basic]\nak = {emulator.ak}\nsk = {emulator.sk}\n")
        await poller_harness.time.advance(RECOVERY_CHECK_INTERVAL_S + 1)
        assert poller_harness.poller.snapshot.problem is None
        assert poller_harness.poller.snapshot.instance is not None


SDK_SOURCE = """
import json, pathlib

FILE = pathlib.Path(__file__).with_name("keys.json")

class Session:
    project_id = region_name = ""

    def __init__(self):
        keys = json.loads(FILE.read_text())
        FILE.write_text(json.dumps({**keys, "looked": keys["looked"] + 1}))
        self.access_key, self.secret_key, self.security_token = [*keys["key"], ""][:3]
"""


class SimulatedSdk:
    """The `modelarts` package of the platform, with a key that the test sets."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "modelarts" / "keys.json"
        self._file.parent.mkdir()
        (folder / "modelarts" / "__init__.py").write_text("")
        (folder / "modelarts" / "session.py").write_text(SDK_SOURCE)

    def set_key(self, *key: str) -> None:
        """Set the access key; without one the session raises an error."""
        self._file.write_text(json.dumps({"key": key, "looked": 0}))

    @property
    def reads(self) -> int:
        """How often the session was created since."""
        return int(json.loads(self._file.read_text())["looked"])


class TestPlatformKeys:
    """A server with keys from the platform's session, where they rotate."""

    @pytest.fixture
    def platform(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, emulator: LocalEmulator
    ) -> Iterator[SimulatedSdk]:
        """Return the platform with a valid key."""
        place = tmp_path / "site"
        place.mkdir()
        made = SimulatedSdk(place)
        made.set_key(emulator.ak, emulator.sk)
        monkeypatch.syspath_prepend(str(place))
        yield made
        for name in ("modelarts", "modelarts.session"):
            sys.modules.pop(name, None)

    @pytest.fixture
    def environ(self, environ: dict[str, str], platform: SimulatedSdk) -> dict[str, str]:  # noqa: ARG002
        """Return the environment variables of a server."""
        return {k: v for k, v in environ.items() if k != "MODELARTS_AUTH_TOKEN"}

    async def test_keys_are_not_read_again_while_calls_succeed(
        self, poller_harness: PollerHarness, platform: SimulatedSdk, emulator: LocalEmulator
    ) -> None:
        """Neither polling nor a page reads them."""
        emulator.set_instance(minutes_left=1000)
        poller_harness.poller.start()
        await poller_harness.requests_during(MINUTE)
        before = platform.reads
        assert await poller_harness.requests_during(3600) > 10
        await poller_harness.poller.get()
        await poller_harness.poller.get_session()
        assert platform.reads == before

    @pytest.mark.parametrize("fault", ["401", "403"])
    async def test_new_key_ends_a_permanent_error(
        self,
        fault: str,
        poller_harness: PollerHarness,
        platform: SimulatedSdk,
        emulator: LocalEmulator,
    ) -> None:
        """Also a missing permission; the same key does not."""
        emulator.set_instance(minutes_left=1000)
        poller_harness.poller.start()
        await poller_harness.requests_during(MINUTE)
        emulator.add_fault(fault, methods=("GET",))
        await poller_harness.time.advance(6 * MINUTE)
        assert poller_harness.poller.snapshot.read_only
        assert 1 <= await poller_harness.requests_during(3600) <= 9
        emulator.clear_faults()
        key = (emulator.temporary_ak, emulator.temporary_sk, emulator.security_token)
        platform.set_key(*key)
        assert await poller_harness.requests_during(RECOVERY_CHECK_INTERVAL_S + 1) == 1
        assert not poller_harness.poller.snapshot.read_only

    async def test_refused_new_key_is_tried_once(
        self, poller_harness: PollerHarness, platform: SimulatedSdk, emulator: LocalEmulator
    ) -> None:
        """A session without a key is no reason to try; the next key is."""
        platform.set_key("ROTATEDAWAY", "of-old")
        poller_harness.poller.start()
        await poller_harness.time.advance(MINUTE)
        assert poller_harness.poller.snapshot.read_only
        platform.set_key("NEVERWAS", "of-none")
        assert (
            await self.requests_during(RECOVERY_CHECK_INTERVAL_S + 1, poller_harness, emulator) > 0
        )
        assert poller_harness.poller.snapshot.read_only
        assert await self.requests_during(3600, poller_harness, emulator) <= 9
        platform.set_key()
        # The key in memory is tried once more.
        assert await self.requests_during(3600, poller_harness, emulator) <= 1
        platform.set_key(emulator.ak, emulator.sk)
        await poller_harness.time.advance(RECOVERY_CHECK_INTERVAL_S + 1)
        assert poller_harness.poller.snapshot.problem is None

    @staticmethod
    async def requests_during(
        seconds: float, watched: PollerHarness, emulator: LocalEmulator
    ) -> int:
        """Return how many requests of any kind the API receives while time passes."""
        emulator.clear_requests()
        await watched.time.advance(seconds)
        return len(emulator.requests)


class TestWithoutSettings:
    """A server without any setting, beside a kernel with settings."""

    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        """Return the environment variables of a server."""
        return {k: environ[k] for k in ("MODELARTS_STATE_DIR", "HOME")}

    async def test_last_confirmed_instance_is_shown(
        self,
        poller_harness: PollerHarness,
        open_other_session: Callable[[], Session],
        emulator: LocalEmulator,
    ) -> None:
        """Read-only, with the missing setting as the problem; changes are followed."""
        other = open_other_session()
        other.refresh()
        poller_harness.poller.start()
        assert await poller_harness.requests_during(MINUTE) == 0
        view = await poller_harness.poller.get()
        assert view.instance is not None
        assert view.read_only
        assert view.problem is not None
        assert view.problem.code.startswith("config.missing_")
        emulator.set_instance(status="STOPPED")
        other.describe("by a magic")
        await poller_harness.time.advance(2)
        assert poller_harness.poller.snapshot.instance is not None
        assert poller_harness.poller.snapshot.instance.description == "by a magic"

    async def test_state_of_another_instance_is_not_shown(
        self,
        poller_harness: PollerHarness,
        open_other_session: Callable[[], Session],
        environ: dict[str, str],
    ) -> None:
        """Only the configured instance is shown."""
        environ["MODELARTS_INSTANCE_ID"] = "another"
        open_other_session().refresh()
        poller_harness.poller.start()
        await poller_harness.time.advance(5)
        assert (await poller_harness.poller.get()).instance is None
