"""How often the cloud is asked, and when the pages are told; in time that the tests move."""

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
from modelarts_magics.emulator.clock import ManualClock
from modelarts_magics.errors import NoCredentialsError
from modelarts_magics.server.executor import AsyncRuntime
from modelarts_magics.server.poller import (
    FIRST_RESPONSE_TIMEOUT_S,
    HELLO,
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
    from modelarts_magics.session.session import Session

MINUTE = 60


class FakeTime:
    """The present, for the emulator and for everybody who waits for a moment to come.

    Attributes:
        api_clock: The emulator's clock.
        clock: The same time for who does not wait.
        runtime: What a monitor waits and works with: this time, no thread, no chance.
    """

    def __init__(self) -> None:
        self.api_clock = ManualClock(datetime.now(timezone.utc))
        self.clock = Clock(now=self.api_clock.now, sleep=lambda _seconds: None)
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
        """Let time pass, and everybody do what was due, in order."""
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
    """Let everything run that can run without time passing."""
    await asyncio.sleep(0)
    while asyncio.get_running_loop()._ready:  # noqa: ASYNC110 - a loop has no event for being idle
        await asyncio.sleep(0)


class PollerHarness:
    """A monitor, and what it does.

    Attributes:
        events: The kinds of change that were announced.
        hello_count: How often somebody was greeted.
        hold_before: Whether blocking work that begins now waits for `release`.
        hold_after: Whether what comes of blocking work now waits for it.
        on_response: Told of each answer.
        listeners: Who wants to be told.
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
        """Let all end that was held up."""
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

    async def requests_during(self, seconds: float) -> int:
        """Return how often the instance is asked for while so much time passes."""
        return await self.requests_caused_by(self.time.advance(seconds))

    async def requests_caused_by(self, work: Awaitable[Any]) -> int:
        """Return how often the instance is asked for by some work."""
        self._emulator.clear_requests()
        await work
        wanted = f"/{self._emulator.instance_id}"
        return sum(one["path"].endswith(wanted) for one in self._emulator.requests)


@pytest.fixture
def time() -> FakeTime:
    """Return the present, which only the test moves."""
    return FakeTime()


@pytest.fixture
def emulator(make_emulator: Callable[..., LocalEmulator], time: FakeTime) -> LocalEmulator:
    """Return an emulator in that present, with 40 minutes left."""
    return make_emulator(clock=time.api_clock)


@pytest.fixture
def environ(emulator: LocalEmulator, tmp_path: Path) -> dict[str, str]:
    """Return what a server finds in its environment."""
    return {**emulator.environment(), "MODELARTS_STATE_DIR": str(tmp_path), "HOME": str(tmp_path)}


@pytest.fixture
def poller_harness(
    emulator: LocalEmulator, environ: dict[str, str], time: FakeTime, jp_asyncio_loop: Any
) -> Iterator[PollerHarness]:
    """Return a monitor that has not begun."""
    made = PollerHarness(emulator, environ, time)
    yield made
    jp_asyncio_loop.run_until_complete(made.poller.stop())


@pytest.fixture
def open_other_session(
    emulator: LocalEmulator, environ: dict[str, str], time: FakeTime, tmp_path: Path
) -> Iterator[Callable[[], Session]]:
    """Return what opens a session as another process has it: it shares nothing but the store.

    News of one process go by the store's path, so another path to the same folder keeps them apart.
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


async def test_it_asks_every_five_minutes_and_every_minute_near_the_end(
    poller_harness: PollerHarness,
) -> None:
    """Of a run with 40 minutes left."""
    poller_harness.poller.start()
    assert await poller_harness.requests_during(0) == 1
    assert await poller_harness.requests_during(29 * MINUTE) == 5
    assert await poller_harness.requests_during(2 * MINUTE) in (1, 2)
    assert await poller_harness.requests_during(5 * MINUTE) == 5


async def test_pages_do_not_make_it_ask(poller_harness: PollerHarness) -> None:
    """Ten that read all the time cost what one costs."""
    poller_harness.poller.start()
    await poller_harness.requests_during(0)
    for _ in range(10):
        views = await asyncio.gather(*(poller_harness.poller.get() for _ in range(10)))
        assert all(view.instance for view in views)
    assert await poller_harness.requests_during(25 * MINUTE + 1) == 5


async def test_who_asks_at_the_same_time_shares_the_answer(poller_harness: PollerHarness) -> None:
    """Ten that retry at once make one request."""
    poller_harness.poller.start()
    await poller_harness.requests_during(0)
    ten = asyncio.gather(*(poller_harness.poller.refresh() for _ in range(10)))
    assert await poller_harness.requests_caused_by(ten) == 1
    assert poller_harness.poller.snapshot.problem is None


async def test_who_asks_anew_does_not_do_with_what_others_know(
    poller_harness: PollerHarness, open_other_session: Callable[[], Session]
) -> None:
    """As the question may that is under way: it is waited for, and the cloud is asked after it."""
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


async def test_an_answer_that_is_late_takes_nothing_back(
    poller_harness: PollerHarness, emulator: LocalEmulator
) -> None:
    """What was learned after it was given stands, and is told once."""
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


async def test_a_page_that_waits_no_longer_ends_nobodys_question(
    poller_harness: PollerHarness,
) -> None:
    """Neither the first one, whose patience is short, nor one that is closed."""
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


async def test_a_mistake_of_ours_is_not_made_as_often_as_usual(
    poller_harness: PollerHarness, caplog: pytest.LogCaptureFixture
) -> None:
    """What nobody foresaw counts as a failure, is logged, and ends nothing."""

    def fail(_session: Session, _instance: Instance) -> None:
        raise ZeroDivisionError

    poller_harness.on_response = fail
    poller_harness.poller.start()
    assert await poller_harness.requests_during(0) == 1
    assert await poller_harness.requests_during(9 * MINUTE) == 0
    assert await poller_harness.requests_during(20 * MINUTE) == 1
    assert "ZeroDivisionError" in caplog.text


async def test_the_same_problem_again_is_not_told_again(
    poller_harness: PollerHarness, emulator: LocalEmulator
) -> None:
    """Another one is."""
    poller_harness.poller.start()
    await poller_harness.requests_during(0)
    emulator.add_fault("503", methods=("GET",))
    for _ in range(2):
        await poller_harness.poller.refresh()
    assert poller_harness.events == ["instance", "problem"]
    emulator.clear_faults()
    emulator.add_fault("403", methods=("GET",))
    await poller_harness.poller.refresh()
    assert poller_harness.events == ["instance", "problem", "problem"]


async def test_a_page_waits_for_no_answer_where_the_cloud_gave_none(
    poller_harness: PollerHarness, emulator: LocalEmulator
) -> None:
    """Once the first question failed, that is what it is told."""
    emulator.add_fault("503", methods=("GET",))
    poller_harness.poller.start()
    await poller_harness.time.advance(0)
    assert await poller_harness.requests_caused_by(poller_harness.poller.get()) == 0
    assert poller_harness.poller.snapshot.problem is not None


async def test_a_failing_cloud_is_asked_less_and_less(
    poller_harness: PollerHarness, emulator: LocalEmulator
) -> None:
    """After ten minutes, then twenty, then every thirty; and again as usual once it answers."""
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
async def test_what_asking_does_not_mend_is_not_asked_again(
    fault: str, poller_harness: PollerHarness, emulator: LocalEmulator, environ: dict[str, str]
) -> None:
    """Until credentials change, or a person retries."""
    emulator.set_instance(minutes_left=1000)
    poller_harness.poller.start()
    await poller_harness.requests_during(0)
    emulator.add_fault(fault, methods=("GET",))
    await poller_harness.time.advance(6 * MINUTE)
    assert poller_harness.poller.snapshot.read_only
    assert await poller_harness.requests_during(3600) == 0
    emulator.clear_faults()
    assert await poller_harness.requests_during(3600) == 0
    environ["MODELARTS_TOTAL_TIMEOUT"] = "29"
    assert await poller_harness.requests_during(RECOVERY_CHECK_INTERVAL_S + 1) == 1
    assert not poller_harness.poller.snapshot.read_only


async def test_a_retry_asks_also_where_it_was_given_up(
    poller_harness: PollerHarness, emulator: LocalEmulator
) -> None:
    """And goes on as usual when that succeeds."""
    emulator.add_fault("403", methods=("GET",))
    poller_harness.poller.start()
    await poller_harness.time.advance(MINUTE)
    assert poller_harness.poller.snapshot.read_only
    emulator.clear_faults()
    view = await poller_harness.poller.refresh()
    assert view.problem is None
    assert view.instance is not None


async def test_a_change_elsewhere_is_seen_within_two_seconds(
    poller_harness: PollerHarness,
    open_other_session: Callable[[], Session],
    emulator: LocalEmulator,
) -> None:
    """Through the store; the cloud is asked once whether it holds, and then as usual."""
    poller_harness.poller.start()
    await poller_harness.time.advance(1)
    emulator.set_instance(status="STOPPED")
    open_other_session().describe("by a magic")
    assert await poller_harness.requests_during(2) == 1
    assert poller_harness.poller.snapshot.instance is not None
    assert poller_harness.poller.snapshot.instance.description == "by a magic"
    assert poller_harness.events == ["instance", "instance"]
    assert await poller_harness.requests_during(4 * MINUTE) == 0


async def test_what_the_store_says_wrongly_is_put_right_at_once(
    poller_harness: PollerHarness,
    open_other_session: Callable[[], Session],
    emulator: LocalEmulator,
) -> None:
    """As when an old answer was slow to be written, and the cloud has moved on meanwhile."""
    poller_harness.poller.start()
    await poller_harness.time.advance(1)
    emulator.set_instance(description="old")
    open_other_session().refresh()
    emulator.set_instance(description="new")
    await poller_harness.time.advance(2)
    assert poller_harness.poller.snapshot.instance is not None
    assert poller_harness.poller.snapshot.instance.description == "new"


async def test_what_is_doubtful_is_asked_at_once(poller_harness: PollerHarness) -> None:
    """As after a change that the cloud did not confirm."""
    poller_harness.poller.start()
    await poller_harness.requests_during(0)
    poller_harness.poller.invalidate()
    assert await poller_harness.requests_during(0) == 1
    assert await poller_harness.requests_during(4 * MINUTE) == 0


async def test_what_was_doubtful_is_so_once(
    poller_harness: PollerHarness, emulator: LocalEmulator
) -> None:
    """Afterwards what this process just learned does again; and nothing is left of what was waited for."""
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


async def test_a_change_that_cannot_begin_is_told_to_all(
    poller_harness: PollerHarness, environ: dict[str, str]
) -> None:
    """As where the credentials were taken away: nothing can be changed here any more."""
    poller_harness.poller.start()
    await poller_harness.time.advance(1)
    del environ["MODELARTS_AUTH_TOKEN"]
    with pytest.raises(NoCredentialsError):
        await poller_harness.poller.get_session()
    assert poller_harness.poller.snapshot.read_only
    assert poller_harness.events == ["instance", "problem"]


async def test_nothing_goes_on_after_the_end(poller_harness: PollerHarness) -> None:
    """Neither a task nor a connection, also where the cloud is being asked."""
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


async def test_who_begins_to_listen_is_greeted(poller_harness: PollerHarness) -> None:
    """Each once, also who comes back; nobody by an empty room."""
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


async def test_a_clock_that_has_moved_is_told(
    poller_harness: PollerHarness, emulator: LocalEmulator
) -> None:
    """The pages count by the cloud's; once, and not where it stands still."""
    poller_harness.poller.start()
    await poller_harness.time.advance(6 * MINUTE)
    assert poller_harness.events == ["instance"]
    emulator.account.clock = ManualClock(poller_harness.time.api_clock.now() + timedelta(minutes=2))
    for _ in range(2):
        await poller_harness.poller.refresh()
    assert poller_harness.events.count("clock") == 1


async def test_it_counts_by_the_clouds_clock(
    poller_harness: PollerHarness, emulator: LocalEmulator
) -> None:
    """By this machine's, which is behind, the end of the run would seem far away."""
    emulator.account.clock = ManualClock(
        poller_harness.time.api_clock.now() + timedelta(minutes=25)
    )
    emulator.set_instance(minutes_left=8)
    poller_harness.poller.start()
    assert await poller_harness.requests_during(0) == 1
    assert await poller_harness.requests_during(3 * MINUTE + 1) == 3


async def test_a_change_of_the_run_is_told_once(
    poller_harness: PollerHarness, emulator: LocalEmulator
) -> None:
    """And what stays the same is not."""
    poller_harness.poller.start()
    await poller_harness.time.advance(6 * MINUTE)
    assert poller_harness.events == ["instance"]
    emulator.set_instance(minutes_left=20)
    await poller_harness.time.advance(6 * MINUTE)
    assert poller_harness.events == ["instance", "instance"]


class TestWithoutCredentials:
    """A server that has none, beside a kernel that has."""

    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        """Return an environment without a token."""
        return {k: v for k, v in environ.items() if k != "MODELARTS_AUTH_TOKEN"}

    async def test_it_shows_what_others_know_read_only(
        self,
        poller_harness: PollerHarness,
        open_other_session: Callable[[], Session],
        emulator: LocalEmulator,
    ) -> None:
        """And says what to do; the cloud is not asked."""
        open_other_session().refresh()
        poller_harness.poller.start()
        assert await poller_harness.requests_during(3600) == 0
        view = await poller_harness.poller.get()
        assert view.instance is not None
        assert view.instance.id == emulator.instance_id
        assert view.read_only
        assert view.problem is not None
        assert view.problem.code == "server.no_credentials"

    async def test_it_follows_what_others_learn(
        self,
        poller_harness: PollerHarness,
        open_other_session: Callable[[], Session],
        emulator: LocalEmulator,
    ) -> None:
        """Also when they begin after it."""
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

    async def test_who_cannot_ask_looks_at_what_others_know(
        self, poller_harness: PollerHarness, open_other_session: Callable[[], Session]
    ) -> None:
        """At once, also while no page listens."""
        open_other_session().refresh()
        poller_harness.listeners = set()
        poller_harness.poller.start()
        await poller_harness.time.advance(0)
        assert poller_harness.poller.snapshot.instance is not None

    async def test_it_begins_once_there_are_some(
        self, poller_harness: PollerHarness, emulator: LocalEmulator, environ: dict[str, str]
    ) -> None:
        """As when `login --save` has written the file."""
        poller_harness.poller.start()
        await poller_harness.time.advance(5)
        folder = f"{environ['HOME']}/.huaweicloud"
        os.makedirs(folder)  # noqa: PTH103 - a name as text is at hand
        with open(f"{folder}/credentials", "w") as handle:  # noqa: ASYNC230, PTH123 - likewise
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
    """The platform's own package `modelarts`, with the keys that the test puts there."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "modelarts" / "keys.json"
        self._file.parent.mkdir()
        (folder / "modelarts" / "__init__.py").write_text("")
        (folder / "modelarts" / "session.py").write_text(SDK_SOURCE)

    def set_key(self, *key: str) -> None:
        """Let the session have this access key; without one it raises."""
        self._file.write_text(json.dumps({"key": key, "looked": 0}))

    @property
    def reads(self) -> int:
        """How often the session was looked at since."""
        return int(json.loads(self._file.read_text())["looked"])


class TestKeysOfThePlatform:
    """A server whose keys come from the platform's own session, where they rotate."""

    @pytest.fixture
    def platform(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, emulator: LocalEmulator
    ) -> Iterator[SimulatedSdk]:
        """Return the platform, with a key that is let in."""
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
        """Return an environment without a token."""
        return {k: v for k, v in environ.items() if k != "MODELARTS_AUTH_TOKEN"}

    async def test_they_are_not_looked_at_while_all_is_well(
        self, poller_harness: PollerHarness, platform: SimulatedSdk, emulator: LocalEmulator
    ) -> None:
        """Neither by asking nor by a page."""
        emulator.set_instance(minutes_left=1000)
        poller_harness.poller.start()
        await poller_harness.requests_during(MINUTE)
        before = platform.reads
        assert await poller_harness.requests_during(3600) > 10
        await poller_harness.poller.get()
        await poller_harness.poller.get_session()
        assert platform.reads == before

    @pytest.mark.parametrize("fault", ["401", "403"])
    async def test_another_one_ends_a_fault(
        self,
        fault: str,
        poller_harness: PollerHarness,
        platform: SimulatedSdk,
        emulator: LocalEmulator,
    ) -> None:
        """Also where it was not the key that was refused but what it may; the same one does not."""
        emulator.set_instance(minutes_left=1000)
        poller_harness.poller.start()
        await poller_harness.requests_during(MINUTE)
        emulator.add_fault(fault, methods=("GET",))
        await poller_harness.time.advance(6 * MINUTE)
        assert poller_harness.poller.snapshot.read_only
        emulator.clear_faults()
        assert await poller_harness.requests_during(3600) == 0
        key = (emulator.temporary_ak, emulator.temporary_sk, emulator.security_token)
        platform.set_key(*key)
        assert await poller_harness.requests_during(RECOVERY_CHECK_INTERVAL_S + 1) == 1
        assert not poller_harness.poller.snapshot.read_only

    async def test_one_that_is_refused_too_is_tried_once(
        self, poller_harness: PollerHarness, platform: SimulatedSdk, emulator: LocalEmulator
    ) -> None:
        """And a session that gives none for a while is no reason to try; the next key is."""
        platform.set_key("ROTATEDAWAY", "of-old")
        poller_harness.poller.start()
        await poller_harness.time.advance(MINUTE)
        assert poller_harness.poller.snapshot.read_only
        platform.set_key("NEVERWAS", "of-none")
        assert (
            await self.requests_during(RECOVERY_CHECK_INTERVAL_S + 1, poller_harness, emulator) > 0
        )
        assert poller_harness.poller.snapshot.read_only
        assert await self.requests_during(3600, poller_harness, emulator) == 0
        platform.set_key()
        assert await self.requests_during(3600, poller_harness, emulator) == 0
        platform.set_key(emulator.ak, emulator.sk)
        await poller_harness.time.advance(RECOVERY_CHECK_INTERVAL_S + 1)
        assert poller_harness.poller.snapshot.problem is None

    @staticmethod
    async def requests_during(
        seconds: float, watched: PollerHarness, emulator: LocalEmulator
    ) -> int:
        """Return how many requests of any kind the cloud gets while so much time passes."""
        emulator.clear_requests()
        await watched.time.advance(seconds)
        return len(emulator.requests)


class TestWithoutSettings:
    """A server that knows nothing at all, beside a kernel that does."""

    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        """Return an environment in which there is only the state folder."""
        return {k: environ[k] for k in ("MODELARTS_STATE_DIR", "HOME")}

    async def test_it_shows_the_instance_that_was_confirmed_last(
        self,
        poller_harness: PollerHarness,
        open_other_session: Callable[[], Session],
        emulator: LocalEmulator,
    ) -> None:
        """Read-only, with what is missing; and follows it."""
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

    async def test_it_does_not_show_another_than_is_set(
        self,
        poller_harness: PollerHarness,
        open_other_session: Callable[[], Session],
        environ: dict[str, str],
    ) -> None:
        """Only the instance whose id is set is this one."""
        environ["MODELARTS_INSTANCE_ID"] = "another"
        open_other_session().refresh()
        poller_harness.poller.start()
        await poller_harness.time.advance(5)
        assert (await poller_harness.poller.get()).instance is None
