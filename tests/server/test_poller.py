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
from modelarts_magics.server.executor import Hands
from modelarts_magics.server.poller import GREETING, LOOK_S, PATIENCE_S, RECHECK_S, Monitor
from modelarts_magics.server.session_provider import Place
from modelarts_magics.session.connect import open_session

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator
    from pathlib import Path

    from modelarts_magics.domain.models import Instance
    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.session.session import Session

MINUTE = 60


class Time:
    """The present, for the emulator and for everybody who waits for a moment to come.

    Attributes:
        cloud: The emulator's clock.
        clock: The same time for who does not wait.
        hands: What a monitor waits and works with: this time, no thread, no chance.
    """

    def __init__(self) -> None:
        self.cloud = ManualClock(datetime.now(timezone.utc))
        self.clock = Clock(now=self.cloud.now, sleep=lambda _seconds: None)
        self.hands = Hands(sleep=self._sleep, run=self._run, jitter=lambda: 0.0)
        self._passed = 0.0
        self._waiting: list[tuple[float, asyncio.Future[None]]] = []

    async def advance(self, seconds: float) -> None:
        """Let time pass, and everybody do what was due, in order."""
        end = self._passed + seconds
        await settle()
        while True:
            due = min((when for when, one in self._waiting if not one.done()), default=end + 1)
            self._move(min(due, end))
            if due > end:
                return
            for when, one in self._waiting:
                if when <= due and not one.done():
                    one.set_result(None)
            await settle()

    def _move(self, to: float) -> None:
        self.cloud.advance(timedelta(seconds=to - self._passed))
        self._passed = to

    async def _sleep(self, seconds: float) -> None:
        entry = (self._passed + seconds, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        try:
            await entry[1]
        finally:
            self._waiting.remove(entry)

    async def _run(self, call: Callable[[], Any]) -> Any:
        return call()


async def settle() -> None:
    """Let everything run that can run without time passing."""
    for _ in range(30):
        await asyncio.sleep(0)


class Watched:
    """A monitor, and what it does.

    Attributes:
        told: The kinds of change that were announced.
        greeted: How often somebody was greeted.
        silent: Whether blocking work that begins now waits for `go_on`.
        late: Whether what comes of blocking work now waits for it.
        saw: Told of each answer.
        listeners: Who wants to be told.
    """

    def __init__(self, emulator: LocalEmulator, environ: dict[str, str], time: Time) -> None:
        self.told: list[str] = []
        self.greeted = 0
        self.silent = self.late = False
        self.saw: Callable[[Session, Instance], None] = lambda _session, _instance: None
        self.listeners = {"a page"}
        self.environ = environ
        self.time = time
        self._emulator = emulator
        self._held: list[asyncio.Future[None]] = []
        self.monitor = Monitor(
            Place({}, environ, time.clock),
            announce=self._announce,
            listeners=lambda: self.listeners,
            saw=self._saw,
            hands=replace(time.hands, run=self._run),
        )

    async def _run(self, call: Callable[[], Any]) -> Any:
        if self.silent:
            await self._hold()
        outcome = await self.time.hands.run(call)
        if self.late:
            await self._hold()
        return outcome

    def _hold(self) -> asyncio.Future[None]:
        self._held.append(asyncio.get_running_loop().create_future())
        return self._held[-1]

    def _saw(self, session: Session, instance: Instance) -> None:
        self.saw(session, instance)

    async def go_on(self) -> None:
        """Let all end that was held up."""
        self.silent = self.late = False
        for each in self._held:
            each.set_result(None)
        self._held.clear()
        await settle()

    def _announce(self, kind: str) -> None:
        if kind == GREETING:
            self.greeted += 1
        else:
            self.told.append(kind)

    async def requests_in(self, seconds: float) -> int:
        """Return how often the instance is asked for while so much time passes."""
        return await self.requests_of(self.time.advance(seconds))

    async def requests_of(self, work: Awaitable[Any]) -> int:
        """Return how often the instance is asked for by some work."""
        self._emulator.clear_requests()
        await work
        wanted = f"/{self._emulator.instance_id}"
        return sum(one["path"].endswith(wanted) for one in self._emulator.requests)


@pytest.fixture
def time() -> Time:
    """Return the present, which only the test moves."""
    return Time()


@pytest.fixture
def emulator(make_emulator: Callable[..., LocalEmulator], time: Time) -> LocalEmulator:
    """Return an emulator in that present, with 40 minutes left."""
    return make_emulator(clock=time.cloud)


@pytest.fixture
def environ(emulator: LocalEmulator, tmp_path: Path) -> dict[str, str]:
    """Return what a server finds in its environment."""
    return {**emulator.environment(), "MODELARTS_STATE_DIR": str(tmp_path), "HOME": str(tmp_path)}


@pytest.fixture
def watched(
    emulator: LocalEmulator, environ: dict[str, str], time: Time, jp_asyncio_loop: Any
) -> Iterator[Watched]:
    """Return a monitor that has not begun."""
    made = Watched(emulator, environ, time)
    yield made
    jp_asyncio_loop.run_until_complete(made.monitor.stop())


@pytest.fixture
def kernel(
    emulator: LocalEmulator, environ: dict[str, str], time: Time, tmp_path: Path
) -> Iterator[Callable[[], Session]]:
    """Return what opens a session as another process has it: it shares nothing but the store.

    News of one process go by the store's path, so another path to the same folder keeps them apart.
    """
    opened: list[Session] = []
    (tmp_path / "by another path").symlink_to(tmp_path)

    def open_one() -> Session:
        path = {"MODELARTS_STATE_DIR": str(tmp_path / "by another path")}
        variables = {**environ, **emulator.environment(), **path}
        settings = Settings.gather(environ=variables)
        opened.append(open_session(settings, environ=variables, clock=time.clock))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


async def test_it_asks_every_five_minutes_and_every_minute_near_the_end(watched: Watched) -> None:
    """Of a run with 40 minutes left."""
    watched.monitor.start()
    assert await watched.requests_in(0) == 1
    assert await watched.requests_in(29 * MINUTE) == 5
    assert await watched.requests_in(2 * MINUTE) in (1, 2)
    assert await watched.requests_in(5 * MINUTE) == 5


async def test_pages_do_not_make_it_ask(watched: Watched) -> None:
    """Ten that read all the time cost what one costs."""
    watched.monitor.start()
    await watched.requests_in(0)
    for _ in range(10):
        views = await asyncio.gather(*(watched.monitor.look() for _ in range(10)))
        assert all(view.instance for view in views)
    assert await watched.requests_in(25 * MINUTE) == 5


async def test_who_asks_at_the_same_time_shares_the_answer(watched: Watched) -> None:
    """Ten that retry at once make one request."""
    watched.monitor.start()
    await watched.requests_in(0)
    ten = asyncio.gather(*(watched.monitor.ask() for _ in range(10)))
    assert await watched.requests_of(ten) == 1
    assert watched.monitor.view.problem is None


async def test_who_asks_anew_does_not_do_with_what_others_know(
    watched: Watched, kernel: Callable[[], Session]
) -> None:
    """As the question may that is under way: it is waited for, and the cloud is asked after it."""
    kernel().refresh()
    watched.silent = True
    watched.monitor.start()
    await settle()
    watched.silent = False
    asking = asyncio.ensure_future(watched.monitor.ask())
    await settle()
    assert not asking.done()
    assert await watched.requests_of(watched.go_on()) == 1
    assert (await asking).instance is not None


async def test_an_answer_that_is_late_takes_nothing_back(
    watched: Watched, emulator: LocalEmulator
) -> None:
    """What was learned after it was given stands, and is told once."""
    watched.monitor.start()
    await watched.requests_in(0)
    watched.late = True
    asking = asyncio.ensure_future(watched.monitor.ask())
    await settle()
    watched.late = False
    emulator.set_instance(description="new")
    (await watched.monitor.session()).refresh()
    await watched.go_on()
    shown = (await asking).instance
    assert shown is not None
    assert shown.description == "new"
    assert watched.told == ["instance", "instance"]


async def test_a_page_that_waits_no_longer_ends_nobodys_question(watched: Watched) -> None:
    """Neither the first one, whose patience is short, nor one that is closed."""
    watched.silent = True
    watched.monitor.start()
    await settle()
    watched.silent = False
    page, closed = (asyncio.ensure_future(watched.monitor.look()) for _ in range(2))
    await watched.time.advance(PATIENCE_S - 1)
    assert not page.done()
    closed.cancel()
    await watched.time.advance(2)
    assert page.done()
    assert page.result().empty
    await watched.go_on()
    assert watched.told == ["instance"]


async def test_a_mistake_of_ours_is_not_made_as_often_as_usual(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    """What nobody foresaw counts as a failure, is logged, and ends nothing."""

    def fail(_session: Session, _instance: Instance) -> None:
        raise ZeroDivisionError

    watched.saw = fail
    watched.monitor.start()
    assert await watched.requests_in(0) == 1
    assert await watched.requests_in(9 * MINUTE) == 0
    assert await watched.requests_in(20 * MINUTE) == 1
    assert "ZeroDivisionError" in caplog.text


async def test_the_same_problem_again_is_not_told_again(
    watched: Watched, emulator: LocalEmulator
) -> None:
    """Another one is."""
    watched.monitor.start()
    await watched.requests_in(0)
    emulator.fault("503", methods=("GET",))
    for _ in range(2):
        await watched.monitor.ask()
    assert watched.told == ["instance", "problem"]
    emulator.clear_faults()
    emulator.fault("403", methods=("GET",))
    await watched.monitor.ask()
    assert watched.told == ["instance", "problem", "problem"]


async def test_a_page_waits_for_no_answer_where_the_cloud_gave_none(
    watched: Watched, emulator: LocalEmulator
) -> None:
    """Once the first question failed, that is what it is told."""
    emulator.fault("503", methods=("GET",))
    watched.monitor.start()
    await watched.time.advance(0)
    assert await watched.requests_of(watched.monitor.look()) == 0
    assert watched.monitor.view.problem is not None


async def test_a_failing_cloud_is_asked_less_and_less(
    watched: Watched, emulator: LocalEmulator
) -> None:
    """After ten minutes, then twenty, then every thirty; and again as usual once it answers."""
    emulator.set_instance(minutes_left=1000)
    watched.monitor.start()
    await watched.requests_in(0)
    emulator.stop()
    await watched.time.advance(5 * MINUTE)
    assert watched.monitor.view.problem is not None
    assert watched.monitor.view.read_only is False
    assert watched.told == ["instance", "problem"]
    emulator.start()
    emulator.fault("503", methods=("GET",))
    assert await watched.requests_in(9 * MINUTE) == 0
    assert await watched.requests_in(2 * MINUTE) > 0
    assert await watched.requests_in(18 * MINUTE) == 0
    assert await watched.requests_in(3 * MINUTE) > 0
    emulator.clear_faults()
    assert await watched.requests_in(31 * MINUTE) == 1
    assert watched.monitor.view.problem is None
    assert await watched.requests_in(10 * MINUTE) == 2


@pytest.mark.parametrize("fault", ["401", "403"])
async def test_what_asking_does_not_mend_is_not_asked_again(
    fault: str, watched: Watched, emulator: LocalEmulator, environ: dict[str, str]
) -> None:
    """Until credentials change, or a person retries."""
    emulator.set_instance(minutes_left=1000)
    watched.monitor.start()
    await watched.requests_in(0)
    emulator.fault(fault, methods=("GET",))
    await watched.time.advance(6 * MINUTE)
    assert watched.monitor.view.read_only
    assert await watched.requests_in(3600) == 0
    emulator.clear_faults()
    assert await watched.requests_in(3600) == 0
    environ["MODELARTS_TOTAL_TIMEOUT"] = "29"
    assert await watched.requests_in(RECHECK_S + 1) == 1
    assert not watched.monitor.view.read_only


async def test_a_retry_asks_also_where_it_was_given_up(
    watched: Watched, emulator: LocalEmulator
) -> None:
    """And goes on as usual when that succeeds."""
    emulator.fault("403", methods=("GET",))
    watched.monitor.start()
    await watched.time.advance(MINUTE)
    assert watched.monitor.view.read_only
    emulator.clear_faults()
    view = await watched.monitor.ask()
    assert view.problem is None
    assert view.instance is not None


async def test_a_change_elsewhere_is_seen_within_two_seconds(
    watched: Watched, kernel: Callable[[], Session], emulator: LocalEmulator
) -> None:
    """Through the store; the cloud is asked once whether it holds, and then as usual."""
    watched.monitor.start()
    await watched.time.advance(1)
    emulator.set_instance(status="STOPPED")
    kernel().describe("by a magic")
    assert await watched.requests_in(2) == 1
    assert watched.monitor.view.instance is not None
    assert watched.monitor.view.instance.description == "by a magic"
    assert watched.told == ["instance", "instance"]
    assert LOOK_S < 2
    assert await watched.requests_in(4 * MINUTE) == 0


async def test_what_the_store_says_wrongly_is_put_right_at_once(
    watched: Watched, kernel: Callable[[], Session], emulator: LocalEmulator
) -> None:
    """As when an old answer was slow to be written, and the cloud has moved on meanwhile."""
    watched.monitor.start()
    await watched.time.advance(1)
    emulator.set_instance(description="old")
    kernel().refresh()
    emulator.set_instance(description="new")
    await watched.time.advance(2)
    assert watched.monitor.view.instance is not None
    assert watched.monitor.view.instance.description == "new"


async def test_what_is_doubtful_is_asked_at_once(watched: Watched) -> None:
    """As after a change that the cloud did not confirm."""
    watched.monitor.start()
    await watched.requests_in(0)
    watched.monitor.doubt()
    assert await watched.requests_in(0) == 1
    assert await watched.requests_in(4 * MINUTE) == 0


async def test_what_was_doubtful_is_so_once(watched: Watched, emulator: LocalEmulator) -> None:
    """Afterwards what this process just learned does again; and nothing is left of what was waited for."""
    watched.monitor.start()
    await watched.requests_in(0)
    waiting = len(asyncio.all_tasks())
    for _ in range(5):
        watched.monitor.doubt()
        await settle()
    assert len(asyncio.all_tasks()) == waiting
    emulator.set_instance(minutes_left=20)
    (await watched.monitor.session()).refresh()
    assert await watched.requests_in(0) == 0
    assert watched.told == ["instance", "instance"]


async def test_a_change_that_cannot_begin_is_told_to_all(
    watched: Watched, environ: dict[str, str]
) -> None:
    """As where the credentials were taken away: nothing can be changed here any more."""
    watched.monitor.start()
    await watched.time.advance(1)
    del environ["MODELARTS_AUTH_TOKEN"]
    with pytest.raises(NoCredentialsError):
        await watched.monitor.session()
    assert watched.monitor.view.read_only
    assert watched.told == ["instance", "problem"]


async def test_nothing_goes_on_after_the_end(watched: Watched) -> None:
    """Neither a task nor a connection, also where the cloud is being asked."""
    before = asyncio.all_tasks()
    watched.monitor.start()
    await watched.time.advance(1)
    assert watched.monitor._door.current is not None
    watched.silent = True
    asking = asyncio.ensure_future(watched.monitor.ask())
    await settle()
    watched.silent = False
    await watched.monitor.stop()
    await settle()
    assert asking.cancelled()
    assert asyncio.all_tasks() == before
    assert watched.monitor._door.current is None


async def test_who_begins_to_listen_is_greeted(watched: Watched) -> None:
    """Each once, also who comes back; nobody by an empty room."""
    watched.monitor.start()
    await watched.time.advance(10)
    assert watched.greeted == 1
    watched.listeners = {"a page", "another"}
    await watched.time.advance(10)
    assert watched.greeted == 2
    watched.listeners = set()
    await watched.time.advance(10)
    assert watched.greeted == 2
    watched.listeners = {"a page"}
    await watched.time.advance(10)
    assert watched.greeted == 3


async def test_nobody_listening_means_nobody_looking(
    watched: Watched, kernel: Callable[[], Session], emulator: LocalEmulator
) -> None:
    """The store is left alone until a page reads, which then sees it."""
    watched.listeners = set()
    watched.monitor.start()
    await watched.time.advance(1)
    emulator.set_instance(status="STOPPED")
    kernel().describe("by a magic")
    await watched.time.advance(10)
    assert watched.told == ["instance"]
    await watched.monitor.look()
    await settle()
    assert watched.told == ["instance", "instance"]


async def test_a_clock_that_has_moved_is_told(watched: Watched, emulator: LocalEmulator) -> None:
    """The pages count by the cloud's; once, and not where it stands still."""
    watched.monitor.start()
    await watched.time.advance(6 * MINUTE)
    assert watched.told == ["instance"]
    emulator.world.clock = ManualClock(watched.time.cloud.now() + timedelta(minutes=2))
    for _ in range(2):
        await watched.monitor.ask()
    assert watched.told.count("clock") == 1


async def test_it_counts_by_the_clouds_clock(watched: Watched, emulator: LocalEmulator) -> None:
    """By this machine's, which is behind, the end of the run would seem far away."""
    emulator.world.clock = ManualClock(watched.time.cloud.now() + timedelta(minutes=25))
    emulator.set_instance(minutes_left=8)
    watched.monitor.start()
    assert await watched.requests_in(0) == 1
    assert await watched.requests_in(3 * MINUTE) == 3


async def test_a_change_of_the_run_is_told_once(watched: Watched, emulator: LocalEmulator) -> None:
    """And what stays the same is not."""
    watched.monitor.start()
    await watched.time.advance(6 * MINUTE)
    assert watched.told == ["instance"]
    emulator.set_instance(minutes_left=20)
    await watched.time.advance(6 * MINUTE)
    assert watched.told == ["instance", "instance"]


class TestWithoutCredentials:
    """A server that has none, beside a kernel that has."""

    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        """Return an environment without a token."""
        return {k: v for k, v in environ.items() if k != "MODELARTS_AUTH_TOKEN"}

    async def test_it_shows_what_others_know_read_only(
        self, watched: Watched, kernel: Callable[[], Session], emulator: LocalEmulator
    ) -> None:
        """And says what to do; the cloud is not asked."""
        kernel().refresh()
        watched.monitor.start()
        assert await watched.requests_in(3600) == 0
        view = await watched.monitor.look()
        assert view.instance is not None
        assert view.instance.id == emulator.instance_id
        assert view.read_only
        assert view.problem is not None
        assert view.problem.code == "server.no_credentials"

    async def test_it_follows_what_others_learn(
        self, watched: Watched, kernel: Callable[[], Session], emulator: LocalEmulator
    ) -> None:
        """Also when they begin after it."""
        watched.monitor.start()
        await watched.time.advance(5)
        assert watched.monitor.view.instance is None
        other = kernel()
        other.refresh()
        await watched.time.advance(2)
        assert watched.monitor.view.instance is not None
        emulator.set_instance(status="STOPPED")
        other.describe("by a magic")
        await watched.time.advance(2)
        assert watched.monitor.view.instance.description == "by a magic"

    async def test_who_cannot_ask_looks_at_what_others_know(
        self, watched: Watched, kernel: Callable[[], Session]
    ) -> None:
        """At once, also while no page listens."""
        kernel().refresh()
        watched.listeners = set()
        watched.monitor.start()
        await watched.time.advance(0)
        assert watched.monitor.view.instance is not None

    async def test_it_begins_once_there_are_some(
        self, watched: Watched, emulator: LocalEmulator, environ: dict[str, str]
    ) -> None:
        """As when `login --save` has written the file."""
        watched.monitor.start()
        await watched.time.advance(5)
        folder = f"{environ['HOME']}/.huaweicloud"
        os.makedirs(folder)  # noqa: PTH103 - a name as text is at hand
        with open(f"{folder}/credentials", "w") as handle:  # noqa: ASYNC230, PTH123 - likewise
            handle.write(f"[basic]\nak = {emulator.ak}\nsk = {emulator.sk}\n")
        await watched.time.advance(RECHECK_S + 1)
        assert watched.monitor.view.problem is None
        assert watched.monitor.view.instance is not None


SESSION = """
import json, pathlib

FILE = pathlib.Path(__file__).with_name("keys.json")

class Session:
    project_id = region_name = ""

    def __init__(self):
        keys = json.loads(FILE.read_text())
        FILE.write_text(json.dumps({**keys, "looked": keys["looked"] + 1}))
        self.access_key, self.secret_key, self.security_token = [*keys["key"], ""][:3]
"""


class Platform:
    """The platform's own package `modelarts`, with the keys that the test puts there."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "modelarts" / "keys.json"
        self._file.parent.mkdir()
        (folder / "modelarts" / "__init__.py").write_text("")
        (folder / "modelarts" / "session.py").write_text(SESSION)

    def give(self, *key: str) -> None:
        """Let the session have this access key; without one it raises."""
        self._file.write_text(json.dumps({"key": key, "looked": 0}))

    @property
    def looked(self) -> int:
        """How often the session was looked at since."""
        return int(json.loads(self._file.read_text())["looked"])


class TestKeysOfThePlatform:
    """A server whose keys come from the platform's own session, where they rotate."""

    @pytest.fixture
    def platform(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, emulator: LocalEmulator
    ) -> Iterator[Platform]:
        """Return the platform, with a key that is let in."""
        place = tmp_path / "site"
        place.mkdir()
        made = Platform(place)
        made.give(emulator.ak, emulator.sk)
        monkeypatch.syspath_prepend(str(place))
        yield made
        for name in ("modelarts", "modelarts.session"):
            sys.modules.pop(name, None)

    @pytest.fixture
    def environ(self, environ: dict[str, str], platform: Platform) -> dict[str, str]:  # noqa: ARG002
        """Return an environment without a token."""
        return {k: v for k, v in environ.items() if k != "MODELARTS_AUTH_TOKEN"}

    async def test_they_are_not_looked_at_while_all_is_well(
        self, watched: Watched, platform: Platform, emulator: LocalEmulator
    ) -> None:
        """Neither by asking nor by a page."""
        emulator.set_instance(minutes_left=1000)
        watched.monitor.start()
        await watched.requests_in(MINUTE)
        before = platform.looked
        assert await watched.requests_in(3600) > 10
        await watched.monitor.look()
        await watched.monitor.session()
        assert platform.looked == before

    @pytest.mark.parametrize("fault", ["401", "403"])
    async def test_another_one_ends_a_fault(
        self, fault: str, watched: Watched, platform: Platform, emulator: LocalEmulator
    ) -> None:
        """Also where it was not the key that was refused but what it may; the same one does not."""
        emulator.set_instance(minutes_left=1000)
        watched.monitor.start()
        await watched.requests_in(MINUTE)
        emulator.fault(fault, methods=("GET",))
        await watched.time.advance(6 * MINUTE)
        assert watched.monitor.view.read_only
        emulator.clear_faults()
        assert await watched.requests_in(3600) == 0
        key = (emulator.temporary_ak, emulator.temporary_sk, emulator.security_token)
        platform.give(*key)
        assert await watched.requests_in(RECHECK_S + 1) == 1
        assert not watched.monitor.view.read_only

    async def test_one_that_is_refused_too_is_tried_once(
        self, watched: Watched, platform: Platform, emulator: LocalEmulator
    ) -> None:
        """And a session that gives none for a while is no reason to try; the next key is."""
        platform.give("ROTATEDAWAY", "of-old")
        watched.monitor.start()
        await watched.time.advance(MINUTE)
        assert watched.monitor.view.read_only
        platform.give("NEVERWAS", "of-none")
        assert await self.asked_in(RECHECK_S + 1, watched, emulator) > 0
        assert watched.monitor.view.read_only
        assert await self.asked_in(3600, watched, emulator) == 0
        platform.give()
        assert await self.asked_in(3600, watched, emulator) == 0
        platform.give(emulator.ak, emulator.sk)
        await watched.time.advance(RECHECK_S + 1)
        assert watched.monitor.view.problem is None

    @staticmethod
    async def asked_in(seconds: float, watched: Watched, emulator: LocalEmulator) -> int:
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
        self, watched: Watched, kernel: Callable[[], Session], emulator: LocalEmulator
    ) -> None:
        """Read-only, with what is missing; and follows it."""
        other = kernel()
        other.refresh()
        watched.monitor.start()
        assert await watched.requests_in(MINUTE) == 0
        view = await watched.monitor.look()
        assert view.instance is not None
        assert view.read_only
        assert view.problem is not None
        assert view.problem.code.startswith("config.missing_")
        emulator.set_instance(status="STOPPED")
        other.describe("by a magic")
        await watched.time.advance(2)
        assert watched.monitor.view.instance is not None
        assert watched.monitor.view.instance.description == "by a magic"

    async def test_it_does_not_show_another_than_is_set(
        self, watched: Watched, kernel: Callable[[], Session], environ: dict[str, str]
    ) -> None:
        """Only the instance whose id is set is this one."""
        environ["MODELARTS_INSTANCE_ID"] = "another"
        kernel().refresh()
        watched.monitor.start()
        await watched.time.advance(5)
        assert (await watched.monitor.look()).instance is None
