"""The one voice of this server to the cloud: asks in a rhythm, hears what others learn, tells the pages.

It asks every five minutes, every minute in the last ten, slower while the cloud fails, and not at all once
settings or credentials are at fault, until they change or a person asks. What another process of this
machine learned or changed comes through the store; the pages are told of it, and the cloud is asked whether
it holds. The store is looked at only while a page listens, and whenever a page reads.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics.errors import ModelArtsError
from modelarts_magics.server.executor import AsyncRuntime
from modelarts_magics.server.poll_schedule import PollSchedule
from modelarts_magics.server.session_provider import SessionProvider
from modelarts_magics.server.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Collection, Hashable

    from modelarts_magics.domain.models import Instance
    from modelarts_magics.server.session_provider import SessionFactory
    from modelarts_magics.session.session import Session

STORE_CHECK_INTERVAL_S = 1.5
"""Between two looks at the store, one `stat` each."""
RECOVERY_CHECK_INTERVAL_S = 15.0
"""Between two looks at settings and credentials while they are at fault."""
HELLO = "greeting"
"""What is told when somebody began to listen: a page that was cut off notices what it missed."""
FIRST_RESPONSE_TIMEOUT_S = 3.0
"""How long the first page of a server waits for the first answer."""

_LOG = logging.getLogger(__name__)


def _ignore_response(_session: Session, _instance: Instance) -> None:
    """Nobody wants to know."""


class Poller:
    """Keeps a `View` true between `start` and `stop`.

    Args:
        session_factory: Where sessions come from.
        notify: Called on the loop with what kind of thing there is to tell: ``instance``, ``problem`` or
            ``clock`` changed, or ``greeting``, since somebody began to listen.
        listeners: Who wants to be told.
        on_response: Told in a thread of each answer, also of one that says nothing new.
        schedule: How often to ask.
        runtime: What to wait and work with.
    """

    def __init__(  # noqa: PLR0913 - each is one thing that a test replaces
        self,
        session_factory: SessionFactory,
        *,
        notify: Callable[[str], None],
        listeners: Callable[[], Collection[Hashable]],
        on_response: Callable[[Session, Instance], None] = _ignore_response,
        schedule: PollSchedule | None = None,
        runtime: AsyncRuntime | None = None,
    ) -> None:
        self.snapshot = Snapshot()
        self._session_factory = session_factory
        self._notify = notify
        self._listeners = listeners
        self._on_response = on_response
        self._schedule = schedule or PollSchedule()
        self._runtime = runtime or AsyncRuntime()
        self._session_provider = SessionProvider(session_factory, on_change=self._on_change)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._refresh_task: asyncio.Task[None] | None = None
        self._refresh_is_forced = False
        self._invalidated = False
        self._wakeup: asyncio.Event | None = None
        self._change_count = 0
        self._failure_count = 0
        self._failed_fingerprint: int | None = None
        self._clock_skew: timedelta | None = None

    def start(self) -> None:
        """Begin, on the running loop; once, however often it is called."""
        if self._loop is None:
            self._loop, self._wakeup = asyncio.get_running_loop(), asyncio.Event()
            jobs = (self._poll_forever(self._wakeup), self._watch_store_forever())
            self._tasks = [self._loop.create_task(job) for job in jobs]

    async def stop(self) -> None:
        """End, and close the connections."""
        tasks, self._tasks = self._tasks, []
        if self._refresh_task is not None:
            tasks.append(self._refresh_task)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._runtime.run_blocking(self._session_provider.close)

    async def get(self) -> Snapshot:
        """What is known, with what other processes of this machine learned; never asks the cloud.

        The first page of a server waits a little for the first answer.
        """
        self.start()
        await self._check_store()
        if self.snapshot.is_empty:
            await _wait_for_first(
                self._refresh(force=False), self._runtime.sleep(FIRST_RESPONSE_TIMEOUT_S)
            )
        return self.snapshot

    async def refresh(self) -> Snapshot:
        """Ask the cloud now; who asks at the same time shares the answer."""
        self.start()
        await self._refresh(force=True)
        return self.snapshot

    def invalidate(self) -> None:
        """Ask the cloud at once, in the background: what is known may not hold."""
        self._invalidated = True
        if self._wakeup is not None:
            self._wakeup.set()

    async def get_session(self) -> Session:
        """The session to change the instance with.

        Raises:
            ModelArtsError: It cannot be opened; the view then says so, too.
        """
        self.start()
        try:
            session: Session = await self._runtime.run_blocking(self._session_provider.get_session)
        except ModelArtsError as error:
            self._update(problem=error)
            raise
        return session

    async def run_blocking(self, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the call returns
        """Make a call that may block."""
        return await self._runtime.run_blocking(call)

    async def _poll_forever(self, wakeup: asyncio.Event) -> None:
        while True:
            wakeup.clear()
            force, self._invalidated = self._invalidated, False
            if not self.snapshot.read_only or await self._runtime.run_blocking(self._may_recover):
                await self._refresh(force=force)
            await self._wait_for_next_poll(wakeup)

    def _may_recover(self) -> bool:
        """Whether what was at fault may have changed since the cloud was last asked."""
        return (
            self._session_factory.fingerprint() != self._failed_fingerprint
            or self._session_provider.has_new_credential()
        )

    async def _wait_for_next_poll(self, wakeup: asyncio.Event) -> None:
        """Until the next request is due, or there is something new that moves it."""
        await _wait_for_first(self._runtime.sleep(self._seconds_until_next_poll()), wakeup.wait())

    def _seconds_until_next_poll(self) -> float:
        snapshot, session = self.snapshot, self.snapshot.session
        if snapshot.read_only:
            return RECOVERY_CHECK_INTERVAL_S
        now = session.now() if session else self._session_factory.clock.now()
        delay = self._schedule.next_delay(
            snapshot.instance, now=now, failures=self._failure_count, jitter=self._runtime.jitter()
        )
        if snapshot.instance is not None and self._failure_count == 0:
            delay -= max(now - snapshot.instance.observed_at, timedelta(0))
        return max(1.0, delay.total_seconds())

    async def _watch_store_forever(self) -> None:
        """Look at the store for who listens; who has just begun may have missed something, and is told so."""
        known: set[Hashable] = set()
        while True:
            await self._runtime.sleep(STORE_CHECK_INTERVAL_S)
            listeners = set(self._listeners())
            if listeners - known:
                self._notify(HELLO)
            known = listeners
            if listeners:
                await self._check_store()

    async def _check_store(self) -> None:
        """Take in what others learned; what cannot be looked at now may be in a while."""
        try:
            found = await self._runtime.run_blocking(self._read_store)
        except Exception:  # noqa: BLE001 - the watch goes on
            _LOG.debug("the store could not be looked at", exc_info=True)
            return
        if found is not None and self.snapshot.instance is None:
            self._update(instance=found[1], session=found[0])

    def _read_store(self) -> tuple[Session, Instance] | None:
        """What to begin with, if nothing is known yet; what others learned later is heard by `_hear`."""
        session = self._session_provider.cached_or_offline(self.snapshot.problem)
        if session is None:
            return None
        if session.check_for_updates() and self._loop is not None:
            self._loop.call_soon_threadsafe(self.invalidate)
        instance = session.last_known() if self.snapshot.instance is None else None
        return (session, instance) if instance else None

    async def _refresh(self, *, force: bool) -> None:
        while (
            force
            and not self._refresh_is_forced
            and self._refresh_task is not None
            and not self._refresh_task.done()
        ):
            await asyncio.shield(self._refresh_task)  # it may do with what others know
        if self._refresh_task is None or self._refresh_task.done():
            self._refresh_is_forced = force
            self._refresh_task = asyncio.ensure_future(self._run_refresh(force=force))
        await asyncio.shield(self._refresh_task)

    async def _run_refresh(self, *, force: bool) -> None:
        change_count = self._change_count
        try:
            session, instance = await self._runtime.run_blocking(lambda: self._fetch(force=force))
        except ModelArtsError as error:
            self._failure_count += 1
            self._failed_fingerprint = self._session_provider.fingerprint
            self._update(problem=error)
            await self._check_store()  # others may know more
        except Exception:  # noqa: BLE001 - a mistake of ours: logged, and asked again in a while
            self._failure_count += 1
            _LOG.exception("the instance could not be read")
        else:
            self._failure_count = 0
            # What was heard meanwhile is this answer, or a later one.
            changes = {"instance": instance} if self._change_count == change_count else {}
            self._update(**changes, session=session, problem=None)
            self._update_clock_skew(session.skew)

    def _update_clock_skew(self, clock_skew: timedelta) -> None:
        """Tell the pages that the cloud's clock has moved against this machine's: they count by it."""
        before, self._clock_skew = self._clock_skew, clock_skew
        if before not in (None, clock_skew):
            self._notify("clock")

    def _fetch(self, *, force: bool) -> tuple[Session, Instance]:
        session = self._session_provider.get_session()
        instance = session.refresh() if force else self._recent_instance(session)
        self._on_response(session, instance)
        return session, instance

    def _recent_instance(self, session: Session) -> Instance:
        """What somebody on this machine had from the cloud a short while ago, else what it says now."""
        cached, now, age = session.last_known(), session.now(), session.cache_age
        instance = session.status(max_age=self._schedule.max_age(cached, now=now))
        confirmed = instance.observed_at if age is None else now - age
        return replace(instance, observed_at=max(instance.observed_at, confirmed))

    def _on_change(self, instance: Instance) -> None:
        """Take news, in whichever thread it comes."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._handle_change, instance)

    def _handle_change(self, instance: Instance) -> None:
        self._change_count += 1
        self._update(instance=instance, session=self._session_provider.current)
        if self._wakeup is not None:
            self._wakeup.set()

    def _update(self, **fields: Any) -> None:  # noqa: ANN401 - fields of `View`
        """Take over what became known, and tell the pages if it is new."""
        before, self.snapshot = self.snapshot, replace(self.snapshot, **fields)
        if before.instance != self.snapshot.instance:
            self._notify("instance")
        elif _problem_key(before.problem) != _problem_key(self.snapshot.problem):
            self._notify("problem")


async def _wait_for_first(*awaitables: Awaitable[Any]) -> None:
    """Until the first of them has come; the others are not waited for any more."""
    futures = [asyncio.ensure_future(each) for each in awaitables]
    try:
        await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in futures:
            each.cancel()


def _problem_key(problem: ModelArtsError | None) -> tuple[type, str] | None:
    return (type(problem), problem.code) if problem else None
