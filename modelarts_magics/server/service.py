"""What the routes ask: one method for each thing that a page may want, knowing no HTTP."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics.domain.browser_payloads import change_answer, done_answer
from modelarts_magics.domain.durations import moment_to_ms
from modelarts_magics.domain.models import Effect
from modelarts_magics.domain.planning import Wish
from modelarts_magics.errors import ModelArtsError, RefusedError, UnsettledError
from modelarts_magics.server import payloads
from modelarts_magics.server.poller import GREETING, Monitor
from modelarts_magics.server.run_history import Runs
from modelarts_magics.server.snapshot import View

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable

    from modelarts_magics.domain.models import Change, Instance
    from modelarts_magics.server.executor import Hands
    from modelarts_magics.server.poll_schedule import Rhythm
    from modelarts_magics.server.request_models import ChangeRequest, Saved, Shift
    from modelarts_magics.server.run_store import Kept
    from modelarts_magics.server.session_provider import Place
    from modelarts_magics.session.session import Session


class Desk:
    """The monitor, what is kept over a stop, and the numbers of what was told to the pages.

    Args:
        place: Where sessions come from.
        emit: Sends an event to the pages; called on the loop.
        listeners: Who wants to be told.
        kept: What outlives a stop.
        rhythm: How often to ask.
        hands: What to wait and work with.

    Attributes:
        monitor: Who asks the cloud.
    """

    def __init__(  # noqa: PLR0913 - each is one thing that a test replaces
        self,
        place: Place,
        *,
        emit: Callable[[dict[str, Any]], None],
        listeners: Callable[[], Collection[Hashable]],
        kept: Kept,
        rhythm: Rhythm | None = None,
        hands: Hands | None = None,
    ) -> None:
        self._runs = Runs(kept, started=place.clock.now())
        self.monitor = Monitor(
            place,
            announce=self._tell,
            listeners=listeners,
            saw=self._runs.saw,
            rhythm=rhythm,
            hands=hands,
        )
        self._place = place
        self._emit = emit
        self._kept = kept
        self._boot = os.urandom(4).hex()
        self._seq = 0

    async def instance(self, *, refresh: bool = False) -> dict[str, Any]:
        """Everything that a page shows; asks the cloud only to refresh, and never raises."""
        view = await (self.monitor.ask() if refresh else self.monitor.look())
        return await self._shown(view)

    async def change(self, request: ChangeRequest) -> dict[str, Any]:
        """Set the description and auto-stop.

        Raises:
            Stale: What it was edited from no longer holds; nothing was sent.
            ModelArtsError: It was refused, or failed.
        """
        session = await self.monitor.session()
        known = self.monitor.view.instance
        if known is None and request.base is not None:
            _, known = await self._subject()
        seen = request.seen(known) if known else None

        def update() -> Change:
            return session.update(
                description=request.description, auto_stop=request.auto_stop, seen=seen
            )

        return await self._changed(session, update, seen=seen)

    async def extend(self, shift: Shift) -> dict[str, Any]:
        """Move the end of this run.

        Raises:
            Stale: The end is another one than the page saw; nothing was sent.
            ModelArtsError: It was refused, or failed.
        """
        session = await self.monitor.session()
        move = session.extend if shift.by.total_seconds() > 0 else session.shorten
        return await self._changed(session, lambda: move(abs(shift.by), seen_end=shift.seen_end))

    async def capabilities(self) -> dict[str, Any]:
        """What the instance's API can do.

        Raises:
            ModelArtsError: It is not known which API it has.
        """
        view = await self.monitor.look()
        session = view.session or await self.monitor.session()
        return payloads.capabilities_payload(session.capabilities)

    async def doctor(self) -> dict[str, Any]:
        """What is configured, found, reachable and installed on the server's side; asks the cloud once.

        Raises:
            ConfigurationError: The settings file cannot be read.
        """
        from modelarts_magics.doctor import examine  # noqa: PLC0415 - only where it is asked for

        place = self._place
        report: dict[str, Any] = await self.monitor.run(
            lambda: examine(place.settings(), environ=place.environ, clock=place.clock).as_json()
        )
        return report

    async def remind(self, *, muted: bool) -> dict[str, Any]:
        """Turn reminders off or on: in the cloud where the API keeps such a wish, else here.

        Raises:
            ModelArtsError: The cloud did not take it.
        """
        session, instance = await self._subject()
        if session.capabilities.prompt:
            wish = Wish(prompt=not muted)
            return await self._changed(session, lambda: session.set_auto_stop(wish))
        await self.monitor.run(lambda: self._kept.mute(instance.id, muted=muted))
        self._tell("reminders")
        return {**done_answer(Effect.NOW), "now": await self._shown(self.monitor.view)}

    async def saved(self, what: Saved) -> dict[str, Any]:
        """Keep what a page saved before a stop, and what it could not.

        Raises:
            ModelArtsError: It is not known which instance this is.
        """
        session, instance = await self._subject()
        await self.monitor.run(lambda: self._runs.saved(session, instance, what))
        self._tell("last-run")
        return await self.last_run()

    async def last_run(self) -> dict[str, Any]:
        """How the last run ended, and what is kept of this one."""
        view = await self.monitor.look()
        runs: dict[str, Any] = await self.monitor.run(lambda: self._told_runs(view))
        return runs

    async def acknowledge(self) -> dict[str, Any]:
        """Forget how the last run ended, since it was read."""
        view = await self.monitor.look()
        if view.instance is not None:
            instance_id = view.instance.id
            await self.monitor.run(lambda: self._kept.forget(instance_id))
            self._tell("last-run")
        return await self.last_run()

    async def _subject(self) -> tuple[Session, Instance]:
        """The instance and who can change it; asked for if nobody knows it yet."""
        view = await self.monitor.look()
        if view.instance is None or view.session is None:
            view = await self.monitor.ask()
        if view.instance is None or view.session is None:
            raise view.problem or ModelArtsError("request.failed")
        return view.session, view.instance

    async def _changed(
        self, session: Session, change: Callable[[], Change], *, seen: Instance | None = None
    ) -> dict[str, Any]:
        try:
            made: Change = await self.monitor.run(change)
        except RefusedError as error:
            if error.code in payloads.STALE:
                raise Stale(error, await self._stale(seen)) from None
            raise
        except UnsettledError:
            self.monitor.doubt()
            raise
        if made.effect is Effect.UNCONFIRMED:
            self.monitor.doubt()
        view = self.monitor.view
        if made.after is not None:
            view = View(instance=made.after, session=session)
        return {**change_answer(made), "now": await self._shown(view)}

    async def _stale(self, seen: Instance | None) -> dict[str, Any]:
        shown = await self._shown(self.monitor.view)
        now = self.monitor.view.instance
        parts = payloads.changed_parts(seen, now) if seen and now else ["auto_stop"]
        return {"changed": parts, "now": shown}

    async def _shown(self, view: View) -> dict[str, Any]:
        seq = self._seq  # before anything is read: what changes meanwhile has a higher one
        payload: dict[str, Any] = await self.monitor.run(lambda: self._view_payload(view))
        return {**payload, "boot": self._boot, "seq": seq}

    def _view_payload(self, view: View) -> dict[str, Any]:
        now = view.session.now() if view.session else self._place.clock.now()
        return {
            **payloads.view_payload(view),
            "server_now_ms": moment_to_ms(now),
            "reminders": {"muted": self._muted(view)},
            **self._told_runs(view),
        }

    def _told_runs(self, view: View) -> dict[str, Any]:
        return {"last_run": self._runs.last(view), "this_run": self._runs.this(view)}

    def _muted(self, view: View) -> bool:
        if view.session is None or view.instance is None:
            return False
        if view.session.capabilities.prompt:
            return view.instance.auto_stop.prompt is False
        return self._kept.muted(view.instance.id)

    def _tell(self, kind: str) -> None:
        """Tell the pages; a greeting repeats the last number, by which one that missed something knows."""
        if kind != GREETING:
            self._seq += 1
        self._emit({"boot": self._boot, "seq": self._seq, "kind": kind})


class Stale(Exception):  # noqa: N818 - not a failure: what holds now, for who decided on something else
    """What was decided on no longer holds; nothing was sent.

    Attributes:
        error: Why it was refused.
        facts: Which parts changed, and what holds now.
    """

    def __init__(self, error: ModelArtsError, facts: dict[str, Any]) -> None:
        super().__init__(error.code)
        self.error = error
        self.facts = facts
