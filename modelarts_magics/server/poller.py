"""Poll the API for this Jupyter server and notify the open pages.

The API is called every five minutes, every minute in the last ten before the stop, every 15 minutes while no
page is open and the stop is over an hour away, less often while it fails or refuses, and not at all while
settings or credentials are missing. A change by another process of this machine arrives by a notification; it
is shown at once and verified by a call of the API.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics.errors import ApiError, ModelArtsError
from modelarts_magics.server.executor import AsyncRuntime
from modelarts_magics.server.poll_schedule import PollSchedule
from modelarts_magics.server.session_provider import SessionProvider
from modelarts_magics.server.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Collection, Hashable

    from modelarts_magics.domain.models import Instance
    from modelarts_magics.messages import Message
    from modelarts_magics.server.session_provider import SessionFactory
    from modelarts_magics.session.session import Session

LISTENER_CHECK_INTERVAL_S = 5.0
"""The time between two checks for pages that have opened or reopened the event socket."""
MIN_REFRESH_INTERVAL_S = 3.0
"""The shortest time between two calls of the API that pages request."""
RECOVERY_CHECK_INTERVAL_S = 15.0
"""The time between two checks of settings and credentials that are at fault."""
HELLO = "hello"
"""The kind of event that a page receives after it has connected, so that it notices events that it missed."""
NEGLIGIBLE_CLOCK_CHANGE = timedelta(seconds=2)
"""A smaller change of the difference between two clocks is not shown."""
FIRST_RESPONSE_TIMEOUT_S = 3.0
"""The time that the first page of a server waits for the first response of the API."""

_LOG = logging.getLogger(__name__)


def _ignore_response(_session: Session, _instance: Instance) -> None:
    """Do nothing with a response."""


def _read_nothing(_snapshot: Snapshot) -> None:
    """Return that nothing keeps the instance running."""


class Poller:
    """Keep a `Snapshot` up to date between `start` and `stop`.

    Args:
        session_factory: Creates the sessions.
        notify: Called on the loop with the kind of event: ``instance``, ``problem``, ``notice``, ``clock`` or
            ``keep`` has changed, or ``hello`` for a page that has connected.
        listeners: Returns the pages that receive events.
        on_response: Called in a thread with each response of the API, also with one without a change.
        read_keep: Returns what keeps the instance running, as pages show it; called in a thread after each
            notification by another process.
        schedule: The intervals between calls of the API.
        runtime: The functions to wait and work with.

    Attributes:
        snapshot: The current state.
    """

    def __init__(  # noqa: PLR0913 - a test replaces each of them
        self,
        session_factory: SessionFactory,
        *,
        notify: Callable[[str], None],
        listeners: Callable[[], Collection[Hashable]],
        on_response: Callable[[Session, Instance], None] = _ignore_response,
        read_keep: Callable[[Snapshot], object] = _read_nothing,
        schedule: PollSchedule | None = None,
        runtime: AsyncRuntime | None = None,
    ) -> None:
        self.snapshot = Snapshot()
        self._session_factory = session_factory
        self._notify = notify
        self._listeners = listeners
        self._on_response = on_response
        self._read_keep = read_keep
        self._keep: object = None
        self._schedule = schedule or PollSchedule()
        self._runtime = runtime or AsyncRuntime()
        self._session_provider = SessionProvider(
            session_factory,
            on_change=self._on_change,
            on_store_written=self._on_store_written,
            on_notice=self._on_notice,
            follow_folder=self._runtime.follow_folder,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._refresh_task: asyncio.Task[None] | None = None
        self._refresh_is_forced = self._invalidated = False
        self._wakeup = _LazyEvent()
        self._page_opened = _LazyEvent()
        self._store_written = _LazyEvent()
        self._last_read_at: datetime | None = None
        self._change_count = self._failure_count = 0
        self._retry_at_s = 0.0
        self._forced_after_s = 0.0
        self._failed_fingerprint: int | None = None
        self._clock_skew: timedelta | None = None

    def start(self) -> None:
        """Start polling on the running loop; further calls do nothing."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            for event in (self._wakeup, self._page_opened, self._store_written):
                event.create()
            jobs = (self._poll_forever, self._follow_store_forever, self._greet_forever)
            self._tasks = [self._loop.create_task(self._keep_running(job)) for job in jobs]

    async def stop(self) -> None:
        """Stop polling and close the connections."""
        tasks, self._tasks = self._tasks, []
        if self._refresh_task is not None:
            tasks.append(self._refresh_task)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._runtime.run_blocking(self._session_provider.close)

    async def get(self) -> Snapshot:
        """Return the state for a page, with what other processes have saved, without calling the API.

        The first page of a server waits a short time for the first response.
        """
        self.start()
        self._note_page_read()
        await self._check_store()
        if self.snapshot.is_empty:
            await _wait_for_first(
                self._refresh(force=False), self._runtime.sleep(FIRST_RESPONSE_TIMEOUT_S)
            )
        return self.snapshot

    async def refresh(self) -> Snapshot:
        """Call the API and return the state; simultaneous calls share one response.

        A call soon after another one waits, so that no number of pages calls the API too often.
        """
        self.start()
        monotonic = self._session_factory.clock.monotonic
        while not self._is_forced_refresh_running():
            wait_s = self._forced_after_s - monotonic()
            if wait_s <= 0:
                self._forced_after_s = monotonic() + MIN_REFRESH_INTERVAL_S
                break
            await self._runtime.sleep(wait_s)
        await self._refresh(force=True)
        return self.snapshot

    def _is_forced_refresh_running(self) -> bool:
        task = self._refresh_task
        return self._refresh_is_forced and task is not None and not task.done()

    @property
    def notices(self) -> tuple[Message, ...]:
        """What the user should know about the session, the newest last."""
        return self._session_provider.notices

    def invalidate(self) -> None:
        """Call the API at once, in the background, because the state may no longer be true."""
        self._invalidated = True
        self._wakeup.set()

    async def get_session(self) -> Session:
        """Return the session to change the instance with.

        Raises:
            ModelArtsError: It cannot be opened; the snapshot contains the error, too.
        """
        self.start()
        try:
            session: Session = await self._runtime.run_blocking(self._session_provider.get_session)
        except ModelArtsError as error:
            self._update(problem=error)
            raise
        return session

    async def run_blocking(self, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - the result of the call
        """Make a blocking call off the loop and return its result."""
        return await self._runtime.run_blocking(call)

    async def _keep_running(self, job: Callable[[], Awaitable[None]]) -> None:
        """Run a job that never ends, and start it again after an error of this package."""
        while True:
            try:
                await job()
            except Exception:  # noqa: BLE001 - logged; pages depend on the job until the server ends
                _LOG.exception("A task of the server has failed and is started again")
            await self._runtime.sleep(RECOVERY_CHECK_INTERVAL_S)

    async def _poll_forever(self) -> None:
        while True:
            self._wakeup.clear()
            force, self._invalidated = self._invalidated, False
            if (
                not self.snapshot.read_only
                or self._is_retry_due()
                or await self._runtime.run_blocking(self._may_recover)
            ):
                await self._refresh(force=force)
            await self._wait_for_next_poll()

    def _is_retry_due(self) -> bool:
        """Return whether to call an API again that refused: a gateway may have done so by mistake."""
        return isinstance(self.snapshot.problem, ApiError) and self._seconds_until_retry() <= 0

    def _seconds_until_retry(self) -> float:
        return self._retry_at_s - self._session_factory.clock.monotonic()

    def _may_recover(self) -> bool:
        """Return whether settings or credentials may have changed since the last call of the API."""
        return (
            self._session_factory.fingerprint() != self._failed_fingerprint
            or self._session_provider.has_new_credential()
        )

    async def _wait_for_next_poll(self) -> None:
        """Wait until the next call is due or is requested; a page that opens makes it due earlier."""
        while not self._wakeup.is_set():
            self._page_opened.clear()
            await _wait_for_first(
                self._runtime.sleep(self._seconds_until_next_poll()),
                self._wakeup.wait(),
                self._page_opened.wait(),
            )
            if not self._page_opened.is_set():
                return

    def _seconds_until_next_poll(self) -> float:
        snapshot = self.snapshot
        if isinstance(snapshot.problem, ApiError) and snapshot.read_only:
            return min(RECOVERY_CHECK_INTERVAL_S, max(1.0, self._seconds_until_retry()))
        if snapshot.read_only:
            return RECOVERY_CHECK_INTERVAL_S
        delay = self._next_delay()
        if snapshot.instance is not None and self._failure_count == 0:
            delay -= max(self._now(snapshot.session) - snapshot.instance.observed_at, timedelta(0))
        return max(1.0, delay.total_seconds())

    def _next_delay(self) -> timedelta:
        return self._schedule.next_delay(
            self.snapshot.instance,
            now=self._now(self.snapshot.session),
            page_open=self._is_page_open(),
            failures=self._failure_count,
            jitter=self._runtime.jitter(),
        )

    def _now(self, session: Session | None) -> datetime:
        return session.now() if session else self._session_factory.clock.now()

    def _is_page_open(self) -> bool:
        """Return whether a page receives events, or has read the state within the last interval."""
        if self._listeners():
            return True
        last = self._last_read_at
        return last is not None and (
            abs(self._session_factory.clock.now() - last) <= self._schedule.interval
        )

    def _note_page_read(self) -> None:
        was_open = self._is_page_open()
        self._last_read_at = self._session_factory.clock.now()
        if not was_open:
            self._page_opened.set()

    async def _greet_forever(self) -> None:
        """Send an event to each page that has connected: it may have missed events before."""
        known: set[Hashable] = set()
        while True:
            await self._runtime.sleep(LISTENER_CHECK_INTERVAL_S)
            listeners = set(self._listeners())
            if listeners - known:
                self._notify(HELLO)
                self._page_opened.set()
            known = listeners

    async def _follow_store_forever(self) -> None:
        """Read the store after each notification that another process has written it."""
        await self._runtime.run_blocking(self._session_provider.follow_store)
        while True:
            await self._store_written.wait()
            self._store_written.clear()
            await self._check_store()
            await self._check_keep()

    async def _check_store(self) -> None:
        """Apply what other processes have saved; an error is logged, since the next check may succeed."""
        try:
            found = await self._runtime.run_blocking(self._read_store)
        except Exception:  # noqa: BLE001 - a file may hold anything
            _LOG.debug("The state file could not be read", exc_info=True)
            return
        if found is not None and self.snapshot.instance is None:
            self._update(instance=found[1], session=found[0])

    async def _check_keep(self) -> None:
        """Notify the pages if something else keeps the instance running than at the last look."""
        try:
            found = await self._runtime.run_blocking(lambda: self._read_keep(self.snapshot))
        except Exception:  # noqa: BLE001 - a file may hold anything
            _LOG.debug("The folder of the keep-alive could not be read", exc_info=True)
            return
        if found != self._keep:
            self._keep = found
            self._notify("keep")

    def _read_store(self) -> tuple[Session, Instance] | None:
        """Return the saved state if there is no state yet; later ones arrive through `_on_change`."""
        session = self._session_provider.cached_or_offline(self.snapshot.problem)
        if session is None:
            return None
        if session.check_for_updates():
            self._call_on_loop(self.invalidate)
        instance = session.last_known() if self.snapshot.instance is None else None
        return (session, instance) if instance else None

    async def _refresh(self, *, force: bool) -> None:
        # A refresh that is under way may use the response to another process.
        while (
            force
            and not self._refresh_is_forced
            and self._refresh_task is not None
            and not self._refresh_task.done()
        ):
            await asyncio.shield(self._refresh_task)
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
            delay_s = self._next_delay().total_seconds()
            self._retry_at_s = self._session_factory.clock.monotonic() + delay_s
            # Another process may have saved a newer state.
            await self._check_store()
        except Exception:  # noqa: BLE001 - see the comment
            # An error in this package: it must not end the polling.
            self._failure_count += 1
            _LOG.exception("The instance could not be read")
        else:
            self._failure_count = 0
            # A change that has arrived meanwhile is this response or a later one.
            changes = {"instance": instance} if self._change_count == change_count else {}
            self._update(**changes, session=session, problem=None)
            # By the clock of this machine: the clock of a session may be a faster one, that of a page is not.
            self._update_clock_skew(session.now() - self._session_factory.clock.now())

    def _update_clock_skew(self, clock_skew: timedelta) -> None:
        """Notify the pages if the API's clock has moved against this machine's: they count by it."""
        before, self._clock_skew = self._clock_skew, clock_skew
        if before is not None and abs(clock_skew - before) > NEGLIGIBLE_CLOCK_CHANGE:
            self._notify("clock")

    def _fetch(self, *, force: bool) -> tuple[Session, Instance]:
        session = self._session_provider.get_session()
        instance = session.refresh() if force else self._recent_instance(session)
        self._on_response(session, instance)
        return session, instance

    def _recent_instance(self, session: Session) -> Instance:
        """Return the recent response to another process of this machine if there is one, else call the API."""
        cached, now, age = session.last_known(), session.now(), session.cache_age
        max_age = self._schedule.max_age(cached, now=now, page_open=self._is_page_open())
        instance = session.status(max_age=max_age)
        # The age of a file is by the wall clock; one that was set back makes it negative.
        is_recent = age is not None and timedelta(0) <= age <= max_age
        confirmed = now - age if age is not None and is_recent else instance.observed_at
        return replace(instance, observed_at=max(instance.observed_at, confirmed))

    def _on_change(self, instance: Instance) -> None:
        """Receive a new state, in any thread."""
        self._call_on_loop(self._handle_change, instance)

    def _on_notice(self) -> None:
        """Let the pages read a notice."""
        self._call_on_loop(self._notify, "notice")

    def _on_store_written(self) -> None:
        """Receive a notification, in the listener thread."""
        self._call_on_loop(self._store_written.set)

    def _call_on_loop(self, call: Callable[..., None], *values: object) -> None:
        if self._loop is not None:
            # The loop may have been closed meanwhile.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(call, *values)

    def _handle_change(self, instance: Instance) -> None:
        self._change_count += 1
        self._update(instance=instance, session=self._session_provider.current)
        self._wakeup.set()

    def _update(self, **fields: Any) -> None:  # noqa: ANN401 - fields of `Snapshot`
        """Update the snapshot, and notify the pages if it has changed."""
        before, self.snapshot = self.snapshot, replace(self.snapshot, **fields)
        if before.instance != self.snapshot.instance:
            self._notify("instance")
        elif _problem_key(before.problem) != _problem_key(self.snapshot.problem):
            self._notify("problem")


class _LazyEvent:
    """An `asyncio.Event` that is created on the running loop; before, setting it does nothing."""

    def __init__(self) -> None:
        self._event: asyncio.Event | None = None

    def create(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        if self._event is not None:
            self._event.set()

    def clear(self) -> None:
        if self._event is not None:
            self._event.clear()

    def is_set(self) -> bool:
        return self._event is not None and self._event.is_set()

    async def wait(self) -> None:
        if self._event is not None:
            await self._event.wait()


async def _wait_for_first(*awaitables: Awaitable[Any]) -> None:
    """Wait until the first of the awaitables is done, then cancel the others."""
    futures = [asyncio.ensure_future(each) for each in awaitables]
    try:
        await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in futures:
            each.cancel()


def _problem_key(problem: ModelArtsError | None) -> tuple[type, str] | None:
    return (type(problem), problem.code) if problem else None
