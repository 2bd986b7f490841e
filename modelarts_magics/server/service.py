"""What the routes ask: one method for each thing that a page may want, knowing no HTTP."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics.domain.browser_payloads import change_response, success_response
from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.domain.models import Effect
from modelarts_magics.domain.planning import AutoStopRequest
from modelarts_magics.errors import ModelArtsError, OutcomeUnknownError, RefusedError
from modelarts_magics.server import payloads
from modelarts_magics.server.poller import HELLO, Poller
from modelarts_magics.server.run_history import RunHistory
from modelarts_magics.server.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable

    from modelarts_magics.domain.models import Change, Instance
    from modelarts_magics.server.executor import AsyncRuntime
    from modelarts_magics.server.poll_schedule import PollSchedule
    from modelarts_magics.server.request_models import ExtendRequest, SaveReport, UpdateRequest
    from modelarts_magics.server.run_store import RunStore
    from modelarts_magics.server.session_provider import SessionFactory
    from modelarts_magics.session.session import Session


class InstanceService:
    """The monitor, what is kept over a stop, and the numbers of what was told to the pages.

    Args:
        session_factory: Where sessions come from.
        emit: Sends an event to the pages; called on the loop.
        listeners: Who wants to be told.
        run_store: What outlives a stop.
        schedule: How often to ask.
        runtime: What to wait and work with.

    Attributes:
        poller: Who asks the cloud.
    """

    def __init__(  # noqa: PLR0913 - each is one thing that a test replaces
        self,
        session_factory: SessionFactory,
        *,
        emit: Callable[[dict[str, Any]], None],
        listeners: Callable[[], Collection[Hashable]],
        run_store: RunStore,
        schedule: PollSchedule | None = None,
        runtime: AsyncRuntime | None = None,
    ) -> None:
        self._run_history = RunHistory(run_store, server_started=session_factory.clock.now())
        self.poller = Poller(
            session_factory,
            notify=self._publish_event,
            listeners=listeners,
            on_response=self._run_history.record_alive,
            schedule=schedule,
            runtime=runtime,
        )
        self._session_factory = session_factory
        self._emit = emit
        self._run_store = run_store
        self._server_id = os.urandom(4).hex()
        self._seq = 0

    async def get_instance(self, *, refresh: bool = False) -> dict[str, Any]:
        """Everything that a page shows; asks the cloud only to refresh, and never raises."""
        snapshot = await (self.poller.refresh() if refresh else self.poller.get())
        return await self._payload(snapshot)

    async def update_instance(self, request: UpdateRequest) -> dict[str, Any]:
        """Set the description and auto-stop.

        Raises:
            Stale: What it was edited from no longer holds; nothing was sent.
            ModelArtsError: It was refused, or failed.
        """
        session = await self.poller.get_session()
        current = self.poller.snapshot.instance
        if current is None and request.base is not None:
            _, current = await self._require_instance()
        seen = request.seen_instance(current) if current else None

        def update() -> Change:
            return session.update(
                description=request.description, auto_stop=request.auto_stop, seen=seen
            )

        return await self._apply_change(session, update, seen=seen)

    async def extend(self, request: ExtendRequest) -> dict[str, Any]:
        """Move the end of this run.

        Raises:
            Stale: The end is another one than the page saw; nothing was sent.
            ModelArtsError: It was refused, or failed.
        """
        session = await self.poller.get_session()
        change_stop_time = session.extend if request.delta.total_seconds() > 0 else session.shorten
        return await self._apply_change(
            session,
            lambda: change_stop_time(abs(request.delta), seen_stop_time=request.seen_stop_time),
        )

    async def run_doctor(self) -> dict[str, Any]:
        """What is configured, found, reachable and installed on the server's side; asks the cloud once.

        Raises:
            ConfigurationError: The settings file cannot be read.
        """
        from modelarts_magics.doctor import run_checks  # noqa: PLC0415 - only where it is asked for

        session_factory = self._session_factory
        report: dict[str, Any] = await self.poller.run_blocking(
            lambda: run_checks(
                session_factory.settings(),
                environ=session_factory.environ,
                clock=session_factory.clock,
            ).to_json()
        )
        return report

    async def set_reminders_muted(self, *, muted: bool) -> dict[str, Any]:
        """Turn reminders off or on: in the cloud where the API keeps such a wish, else here.

        Raises:
            ModelArtsError: The cloud did not take it.
        """
        session, instance = await self._require_instance()
        if session.capabilities.supports_reminder:
            request = AutoStopRequest(prompt=not muted)
            return await self._apply_change(session, lambda: session.set_auto_stop(request))
        await self.poller.run_blocking(lambda: self._run_store.set_muted(instance.id, muted=muted))
        self._publish_event("reminders")
        return {
            **success_response(Effect.NOW),
            "current": await self._payload(self.poller.snapshot),
        }

    async def record_saved(self, report: SaveReport) -> dict[str, Any]:
        """Keep what a page saved before a stop, and what it could not.

        Raises:
            ModelArtsError: It is not known which instance this is.
        """
        session, instance = await self._require_instance()
        await self.poller.run_blocking(
            lambda: self._run_history.record_saved(session, instance, report)
        )
        self._publish_event("last-run")
        return await self._get_runs()

    async def _get_runs(self) -> dict[str, Any]:
        """How the last run ended, and what is kept of this one."""
        snapshot = await self.poller.get()
        runs: dict[str, Any] = await self.poller.run_blocking(lambda: self._runs_payload(snapshot))
        return runs

    async def acknowledge_last_run(self) -> dict[str, Any]:
        """Forget how the last run ended, since it was read."""
        snapshot = await self.poller.get()
        if snapshot.instance is not None:
            instance_id = snapshot.instance.id
            await self.poller.run_blocking(lambda: self._run_store.delete_run(instance_id))
            self._publish_event("last-run")
        return await self._get_runs()

    async def _require_instance(self) -> tuple[Session, Instance]:
        """The instance and who can change it; asked for if nobody knows it yet."""
        snapshot = await self.poller.get()
        if snapshot.instance is None or snapshot.session is None:
            snapshot = await self.poller.refresh()
        if snapshot.instance is None or snapshot.session is None:
            raise snapshot.problem or ModelArtsError("server.internal_error")
        return snapshot.session, snapshot.instance

    async def _apply_change(
        self, session: Session, operation: Callable[[], Change], *, seen: Instance | None = None
    ) -> dict[str, Any]:
        try:
            change: Change = await self.poller.run_blocking(operation)
        except RefusedError as error:
            if error.code in payloads.CONFLICT_CODES:
                raise ConflictError(error, await self._conflict_details(seen)) from None
            raise
        except OutcomeUnknownError:
            self.poller.invalidate()
            raise
        if change.effect is Effect.UNCONFIRMED:
            self.poller.invalidate()
        snapshot = self.poller.snapshot
        if change.after is not None:
            snapshot = Snapshot(instance=change.after, session=session)
        return {**change_response(change), "current": await self._payload(snapshot)}

    async def _conflict_details(self, seen: Instance | None) -> dict[str, Any]:
        payload = await self._payload(self.poller.snapshot)
        current = self.poller.snapshot.instance
        changed = payloads.changed_fields(seen, current) if seen and current else ["auto_stop"]
        return {"changed": changed, "current": payload}

    async def _payload(self, snapshot: Snapshot) -> dict[str, Any]:
        seq = self._seq  # before anything is read: what changes meanwhile has a higher one
        payload: dict[str, Any] = await self.poller.run_blocking(
            lambda: self._build_payload(snapshot)
        )
        return {**payload, "server_id": self._server_id, "seq": seq}

    def _build_payload(self, snapshot: Snapshot) -> dict[str, Any]:
        now = snapshot.session.now() if snapshot.session else self._session_factory.clock.now()
        return {
            **payloads.snapshot_payload(snapshot),
            "server_now_ms": datetime_to_ms(now),
            "reminders": {"muted": self._reminders_muted(snapshot)},
            **self._runs_payload(snapshot),
        }

    def _runs_payload(self, snapshot: Snapshot) -> dict[str, Any]:
        return {
            "last_run": self._run_history.last_run(snapshot),
            "this_run": self._run_history.this_run(snapshot),
        }

    def _reminders_muted(self, snapshot: Snapshot) -> bool:
        if snapshot.session is None or snapshot.instance is None:
            return False
        if snapshot.session.capabilities.supports_reminder:
            return snapshot.instance.auto_stop.prompt is False
        return self._run_store.is_muted(snapshot.instance.id)

    def _publish_event(self, kind: str) -> None:
        """Tell the pages; a greeting repeats the last number, by which one that missed something knows."""
        if kind != HELLO:
            self._seq += 1
        self._emit({"server_id": self._server_id, "seq": self._seq, "kind": kind})


class ConflictError(Exception):
    """What was decided on no longer holds; nothing was sent.

    Attributes:
        error: Why it was refused.
        details: Which parts changed, and what holds now.
    """

    def __init__(self, error: ModelArtsError, details: dict[str, Any]) -> None:
        super().__init__(error.code)
        self.error = error
        self.details = details
