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
from modelarts_magics.server.executor import Hands
from modelarts_magics.server.poll_schedule import Rhythm
from modelarts_magics.server.session_provider import Door
from modelarts_magics.server.snapshot import View

if TYPE_CHECKING:
    from collections.abc import Awaitable, Collection, Hashable

    from modelarts_magics.domain.models import Instance
    from modelarts_magics.server.session_provider import Place
    from modelarts_magics.session.session import Session

LOOK_S = 1.5
"""Between two looks at the store, one `stat` each."""
RECHECK_S = 15.0
"""Between two looks at settings and credentials while they are at fault."""
GREETING = "greeting"
"""What is told when somebody began to listen: a page that was cut off notices what it missed."""
PATIENCE_S = 3.0
"""How long the first page of a server waits for the first answer."""

_LOG = logging.getLogger(__name__)


def _unseen(_session: Session, _instance: Instance) -> None:
    """Nobody wants to know."""


class Monitor:
    """Keeps a `View` true between `start` and `stop`.

    Args:
        place: Where sessions come from.
        announce: Called on the loop with what kind of thing there is to tell: ``instance``, ``problem`` or
            ``clock`` changed, or ``greeting``, since somebody began to listen.
        listeners: Who wants to be told.
        saw: Told in a thread of each answer, also of one that says nothing new.
        rhythm: How often to ask.
        hands: What to wait and work with.
    """

    def __init__(  # noqa: PLR0913 - each is one thing that a test replaces
        self,
        place: Place,
        *,
        announce: Callable[[str], None],
        listeners: Callable[[], Collection[Hashable]],
        saw: Callable[[Session, Instance], None] = _unseen,
        rhythm: Rhythm | None = None,
        hands: Hands | None = None,
    ) -> None:
        self.view = View()
        self._place = place
        self._announce = announce
        self._listeners = listeners
        self._saw = saw
        self._rhythm = rhythm or Rhythm()
        self._hands = hands or Hands()
        self._door = Door(place, hear=self._hear)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._asking: asyncio.Task[None] | None = None
        self._anew = False
        self._doubtful = False
        self._news: asyncio.Event | None = None
        self._learned = 0
        self._failures = 0
        self._failed_at: int | None = None
        self._skew: timedelta | None = None

    def start(self) -> None:
        """Begin, on the running loop; once, however often it is called."""
        if self._loop is None:
            self._loop, self._news = asyncio.get_running_loop(), asyncio.Event()
            jobs = (self._ask_for_ever(self._news), self._watch_for_ever())
            self._tasks = [self._loop.create_task(job) for job in jobs]

    async def stop(self) -> None:
        """End, and close the connections."""
        tasks, self._tasks = self._tasks, []
        if self._asking is not None:
            tasks.append(self._asking)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._hands.run(self._door.close)

    async def look(self) -> View:
        """What is known, with what other processes of this machine learned; never asks the cloud.

        The first page of a server waits a little for the first answer.
        """
        self.start()
        await self._look()
        if self.view.empty:
            await _first(self._ask(anew=False), self._hands.sleep(PATIENCE_S))
        return self.view

    async def ask(self) -> View:
        """Ask the cloud now; who asks at the same time shares the answer."""
        self.start()
        await self._ask(anew=True)
        return self.view

    def doubt(self) -> None:
        """Ask the cloud at once, in the background: what is known may not hold."""
        self._doubtful = True
        if self._news is not None:
            self._news.set()

    async def session(self) -> Session:
        """The session to change the instance with.

        Raises:
            ModelArtsError: It cannot be opened; the view then says so, too.
        """
        self.start()
        try:
            session: Session = await self._hands.run(self._door.session)
        except ModelArtsError as error:
            self._know(problem=error)
            raise
        return session

    async def run(self, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the call returns
        """Make a call that may block."""
        return await self._hands.run(call)

    async def _ask_for_ever(self, news: asyncio.Event) -> None:
        while True:
            news.clear()
            anew, self._doubtful = self._doubtful, False
            if not self.view.read_only or await self._hands.run(self._mended):
                await self._ask(anew=anew)
            await self._pause(news)

    def _mended(self) -> bool:
        """Whether what was at fault may have changed since the cloud was last asked."""
        return self._place.fingerprint() != self._failed_at or self._door.renewed()

    async def _pause(self, news: asyncio.Event) -> None:
        """Until the next request is due, or there is something new that moves it."""
        await _first(self._hands.sleep(self._seconds()), news.wait())

    def _seconds(self) -> float:
        view, session = self.view, self.view.session
        if view.read_only:
            return RECHECK_S
        now = session.now() if session else self._place.clock.now()
        pause = self._rhythm.pause(
            view.instance, now=now, failures=self._failures, jitter=self._hands.jitter()
        )
        if view.instance is not None and self._failures == 0:
            pause -= max(now - view.instance.observed_at, timedelta(0))
        return max(1.0, pause.total_seconds())

    async def _watch_for_ever(self) -> None:
        """Look at the store for who listens; who has just begun may have missed something, and is told so."""
        known: set[Hashable] = set()
        while True:
            await self._hands.sleep(LOOK_S)
            listeners = set(self._listeners())
            if listeners - known:
                self._announce(GREETING)
            known = listeners
            if listeners:
                await self._look()

    async def _look(self) -> None:
        """Take in what others learned; what cannot be looked at now may be in a while."""
        try:
            found = await self._hands.run(self._look_around)
        except Exception:  # noqa: BLE001 - the watch goes on
            _LOG.debug("the store could not be looked at", exc_info=True)
            return
        if found is not None and self.view.instance is None:
            self._know(instance=found[1], session=found[0])

    def _look_around(self) -> tuple[Session, Instance] | None:
        """What to begin with, if nothing is known yet; what others learned later is heard by `_hear`."""
        session = self._door.reader(self.view.problem)
        if session is None:
            return None
        if session.look_around() and self._loop is not None:
            self._loop.call_soon_threadsafe(self.doubt)
        instance = session.last_known() if self.view.instance is None else None
        return (session, instance) if instance else None

    async def _ask(self, *, anew: bool) -> None:
        while anew and not self._anew and self._asking is not None and not self._asking.done():
            await asyncio.shield(self._asking)  # it may do with what others know
        if self._asking is None or self._asking.done():
            self._anew = anew
            self._asking = asyncio.ensure_future(self._asked(anew=anew))
        await asyncio.shield(self._asking)

    async def _asked(self, *, anew: bool) -> None:
        learned = self._learned
        try:
            session, instance = await self._hands.run(lambda: self._fetch(anew=anew))
        except ModelArtsError as error:
            self._failures += 1
            self._failed_at = self._door.mark
            self._know(problem=error)
            await self._look()  # others may know more
        except Exception:  # noqa: BLE001 - a mistake of ours: logged, and asked again in a while
            self._failures += 1
            _LOG.exception("the instance could not be read")
        else:
            self._failures = 0
            # What was heard meanwhile is this answer, or a later one.
            news = {"instance": instance} if self._learned == learned else {}
            self._know(**news, session=session, problem=None)
            self._compare_clocks(session.skew)

    def _compare_clocks(self, skew: timedelta) -> None:
        """Tell the pages that the cloud's clock has moved against this machine's: they count by it."""
        before, self._skew = self._skew, skew
        if before not in (None, skew):
            self._announce("clock")

    def _fetch(self, *, anew: bool) -> tuple[Session, Instance]:
        session = self._door.session()
        instance = session.refresh() if anew else self._confirmed(session)
        self._saw(session, instance)
        return session, instance

    def _confirmed(self, session: Session) -> Instance:
        """What somebody on this machine had from the cloud a short while ago, else what it says now."""
        known, now, age = session.last_known(), session.now(), session.age
        instance = session.status(max_age=self._rhythm.fresh(known, now=now))
        confirmed = instance.observed_at if age is None else now - age
        return replace(instance, observed_at=max(instance.observed_at, confirmed))

    def _hear(self, instance: Instance) -> None:
        """Take news, in whichever thread it comes."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._learn, instance)

    def _learn(self, instance: Instance) -> None:
        self._learned += 1
        self._know(instance=instance, session=self._door.current)
        if self._news is not None:
            self._news.set()

    def _know(self, **facts: Any) -> None:  # noqa: ANN401 - fields of `View`
        """Take over what became known, and tell the pages if it is new."""
        before, self.view = self.view, replace(self.view, **facts)
        if before.instance != self.view.instance:
            self._announce("instance")
        elif _kind(before.problem) != _kind(self.view.problem):
            self._announce("problem")


async def _first(*ends: Awaitable[Any]) -> None:
    """Until the first of them has come; the others are not waited for any more."""
    futures = [asyncio.ensure_future(each) for each in ends]
    try:
        await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in futures:
            each.cancel()


def _kind(problem: ModelArtsError | None) -> tuple[type, str] | None:
    return (type(problem), problem.code) if problem else None
