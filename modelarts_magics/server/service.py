"""Answer the requests of pages: one method for each, without any HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics import messages
from modelarts_magics.config import settings_file
from modelarts_magics.config.notify_folder import may_need_daemon
from modelarts_magics.domain.browser_payloads import change_response, success_response
from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.domain.models import Change, Effect
from modelarts_magics.domain.planning import AutoStopRequest
from modelarts_magics.errors import (
    ConfigurationError,
    ModelArtsError,
    OutcomeUnknownError,
    RefusedError,
)
from modelarts_magics.keepalive.folder import daemon_folder
from modelarts_magics.server import payloads
from modelarts_magics.server.poller import HELLO, MIN_REFRESH_INTERVAL_S, Poller
from modelarts_magics.server.run_history import RunHistory
from modelarts_magics.server.snapshot import Snapshot
from modelarts_magics.session.history import find_undo, has_news, history_path
from modelarts_magics.session.restore import find_restore, plan_restore, restore_if_due, take_back

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable
    from datetime import datetime
    from pathlib import Path

    from modelarts_magics.config.settings import Settings
    from modelarts_magics.domain.models import Instance
    from modelarts_magics.server.executor import AsyncRuntime
    from modelarts_magics.server.poll_schedule import PollSchedule
    from modelarts_magics.server.request_models import (
        ExtendRequest,
        KeepChange,
        NotifyChange,
        SaveReport,
        UpdateRequest,
    )
    from modelarts_magics.server.session_provider import SessionFactory
    from modelarts_magics.session.run_store import RunStore
    from modelarts_magics.session.session import Session

_LOG = logging.getLogger(__name__)


class InstanceService:
    """Read and change the instance for pages, and number the events that they receive.

    Args:
        session_factory: Creates the sessions.
        emit: Sends an event to the pages; called on the loop.
        listeners: Returns the pages that receive events.
        run_store: The data that survives a stop.
        schedule: The intervals between calls of the API.
        runtime: The functions to wait and work with.

    Attributes:
        poller: Calls the API and holds the current state.
    """

    def __init__(  # noqa: PLR0913 - a test replaces each of them
        self,
        session_factory: SessionFactory,
        *,
        emit: Callable[[dict[str, Any]], None],
        listeners: Callable[[], Collection[Hashable]],
        run_store: RunStore,
        schedule: PollSchedule | None = None,
        runtime: AsyncRuntime | None = None,
    ) -> None:
        monotonic = session_factory.clock.monotonic
        started_s = monotonic()
        self._run_history = RunHistory(run_store, server_age_s=lambda: monotonic() - started_s)
        self.poller = Poller(
            session_factory,
            notify=self._publish_event,
            listeners=listeners,
            on_response=self._handle_response,
            read_keep=_shared_files_payload,
            schedule=schedule,
            runtime=runtime,
        )
        self._session_factory = session_factory
        self._emit = emit
        self._run_store = run_store
        self._page_language = ""
        self._server_id = os.urandom(4).hex()
        self._seq = 0
        self._doctor_reports: dict[str, tuple[float, asyncio.Future[dict[str, Any]]]] = {}

    def _handle_response(self, session: Session, instance: Instance) -> None:
        """Record that the instance runs, and restore the usual run time of later starts; runs in a thread."""
        self._run_history.record_alive(session, instance)
        self._start_notifier(session)
        restore_if_due(session, instance)

    def start_notifier(self) -> None:
        """Start the daemon if notifications are configured and it does not run; runs in a thread."""
        session = self.poller.snapshot.session
        if session is not None:
            self._start_notifier(session)

    def _start_notifier(self, session: Session) -> None:
        environ = self._session_factory.environ
        if may_need_daemon(environ):
            from modelarts_magics.keepalive.launch import ensure_notifier  # noqa: PLC0415 - seldom needed

            ensure_notifier(session, environ)

    async def get_instance(
        self, *, refresh: bool = False, is_new_page: bool = False
    ) -> dict[str, Any]:
        """Return everything that a page shows; never raises.

        Args:
            refresh: Whether to call the API.
            is_new_page: Whether the page may just have been opened.
        """
        if is_new_page:
            await self._note_page_language()
        snapshot = await (self.poller.refresh() if refresh else self.poller.get())
        return await self._payload(snapshot)

    async def _note_page_language(self) -> None:
        """Save the language of the page that was opened last, for kernels and terminals."""
        language, environ = messages.language(), self._session_factory.environ
        if language == self._page_language:
            return
        self._page_language = language

        def save() -> None:
            # Without an entry, a process uses the language of the locale.
            if messages.locale_language(environ) != language or settings_file.read_all(environ):
                settings_file.write_page_language(environ, language)

        with contextlib.suppress(ConfigurationError):
            await self.poller.run_blocking(save)

    def greet_pages(self) -> None:
        """Send an event without news, with which a page checks that events reach it."""
        self._publish_event(HELLO)

    async def update_instance(self, request: UpdateRequest) -> dict[str, Any]:
        """Set the description and auto-stop.

        Raises:
            ConflictError: The fields have changed since the page read them; nothing was sent.
            ModelArtsError: The change was refused or failed.
        """
        session = await self.poller.get_session()
        current = self.poller.snapshot.instance
        if current is None and request.base is not None:
            _, current = await self._require_instance()
        seen = request.seen_instance(current) if current else None

        def update() -> Change:
            change = session.update(
                description=request.description, auto_stop=request.auto_stop, seen=seen
            )
            take_back(session, change)
            return change

        return await self._apply_change(session, update, seen=seen)

    async def extend(self, request: ExtendRequest) -> dict[str, Any]:
        """Extend or shorten this run.

        Raises:
            ConflictError: The stop time has changed since the page read it; nothing was sent.
            ModelArtsError: The change was refused or failed.
        """
        session = await self.poller.get_session()

        def change_stop_time() -> Change:
            by, seen = abs(request.delta), request.seen_stop_time
            if request.delta < timedelta(0):
                return session.shorten(by, seen_stop_time=seen)
            return session.extend(
                by, seen_stop_time=seen, lengthen_later_runs=request.lengthen_later_runs
            )

        return await self._apply_change(session, change_stop_time)

    async def undo(self) -> dict[str, Any]:
        """Undo the last change of the instance, whoever made it.

        Raises:
            ModelArtsError: There is nothing to undo, or the change was refused or failed.
        """
        from modelarts_magics.commands.dispatch import undo_last_change  # noqa: PLC0415 - needed rarely

        session = await self.poller.get_session()
        return await self._apply_change(session, lambda: undo_last_change(session))

    async def get_history(self) -> dict[str, Any]:
        """Return the last changes as text, newest first, without a call of the API."""
        from modelarts_magics.commands.history import entry_lines  # noqa: PLC0415 - needed rarely

        factory = self._session_factory
        lines: list[str] = await self.poller.run_blocking(
            lambda: entry_lines(history_path(factory.settings(), factory.environ))
        )
        return {"entries": lines}

    async def stop(self) -> dict[str, Any]:
        """Stop the instance.

        Raises:
            ModelArtsError: The instance is stopped or stopping, or the call failed.
        """
        from modelarts_magics.keepalive.notifications.announce import (  # noqa: PLC0415 - needed rarely
            announce_stop,
        )

        session, environ = await self.poller.get_session(), self._session_factory.environ

        def stop() -> Change:
            announce_stop(session, environ)
            return session.stop()

        return await self._apply_change(session, stop)

    async def restore(self) -> dict[str, Any]:
        """Restore the usual run time for later starts: at once if this moves no stop time, else when it is due.

        Raises:
            ModelArtsError: The run time was not changed in this run, or the change was refused or failed.
        """
        session = await self.poller.get_session()
        result = await self.poller.run_blocking(lambda: plan_restore(session))
        if isinstance(result, Change):
            return await self._apply_change(session, lambda: result)
        # The page that has asked receives the state with the response.
        self._publish_event("keep")
        return {
            **success_response(
                Effect.NEXT_START, {"duration_s": round(result.duration.total_seconds())}
            ),
            "current": await self._payload(self.poller.snapshot),
        }

    async def change_keep(self, change: KeepChange) -> dict[str, Any]:
        """End or extend what keeps the instance running.

        Raises:
            ModelArtsError: It has ended meanwhile, or its limit cannot be moved.
        """
        from modelarts_magics.server import keep_payloads  # noqa: PLC0415 - needed rarely

        session, environ = await self.poller.get_session(), self._session_factory.environ
        result: str = await self.poller.run_blocking(
            lambda: keep_payloads.change_keep(session, change, environ)
        )
        current = await self._payload(self.poller.snapshot)
        return {**success_response(Effect.NOW), "text": result, "current": current}

    async def get_activity(self) -> dict[str, Any]:
        """Return what works on the instance; see `keep_payloads.activity_payload`.

        Raises:
            ModelArtsError: The process that watches cannot be started, or does not report.
        """
        from modelarts_magics.server import keep_payloads  # noqa: PLC0415 - needed rarely

        session, environ = await self.poller.get_session(), self._session_factory.environ
        payload: dict[str, Any] = await self.poller.run_blocking(
            lambda: keep_payloads.activity_payload(session, environ)
        )
        return payload

    async def get_notifications(self) -> dict[str, Any]:
        """Return the sinks and events of notifications; see `notify_payloads`."""
        from modelarts_magics.server import notify_payloads  # noqa: PLC0415 - needed rarely

        environ = self._session_factory.environ
        payload: dict[str, Any] = await self.poller.run_blocking(
            lambda: notify_payloads.notify_payload(self._settings(), environ)
        )
        return payload

    async def change_notifications(self, change: NotifyChange) -> dict[str, Any]:
        """Change the sinks or events of notifications, or send a test message.

        Raises:
            ModelArtsError: The change is invalid, or cannot be saved.
        """
        from modelarts_magics.server import notify_payloads  # noqa: PLC0415 - needed rarely

        settings, environ = self._settings(), self._session_factory.environ
        instance = self.poller.snapshot.instance
        name = instance.name or instance.id if instance else "ModelArts"
        result, done = await self.poller.run_blocking(
            lambda: notify_payloads.change_notify(settings, environ, change, name=name)
        )
        await self.poller.run_blocking(self.start_notifier)
        return {"text": result, "done": done, **await self.get_notifications()}

    def _settings(self) -> Settings:
        """Return the settings, with the instance if it is known."""
        session = self.poller.snapshot.session
        found = session.settings if session is not None else None
        return found or self._session_factory.settings()

    async def run_doctor(self) -> dict[str, Any]:
        """Check settings, credentials, connection and installation of the server; calls the API once.

        A report that is at most a few seconds old is returned again.

        Raises:
            ConfigurationError: The settings file cannot be read.
        """
        language, now_s = messages.language(), self._session_factory.clock.monotonic()
        created_s, report = self._doctor_reports.get(language, (-math.inf, None))
        if report is None or now_s - created_s >= MIN_REFRESH_INTERVAL_S:
            report = asyncio.ensure_future(self.poller.run_blocking(self._run_checks))
            self._doctor_reports[language] = now_s, report
        found: dict[str, Any] = await asyncio.shield(report)
        return found

    def _run_checks(self) -> dict[str, Any]:
        from modelarts_magics.doctor.report import run_checks  # noqa: PLC0415 - needed rarely

        factory = self._session_factory
        report = run_checks(factory.settings(), environ=factory.environ, clock=factory.clock)
        return report.to_json()

    async def get_records(self) -> dict[str, Any]:
        """Return the complete records of cells; see `record_payloads`."""
        from modelarts_magics.server import record_payloads  # noqa: PLC0415 - needed rarely

        payload: dict[str, Any] = await self.poller.run_blocking(
            lambda: record_payloads.records_payload(self._records_folder())
        )
        return payload

    async def get_recorded_outputs(self, record_id: str) -> dict[str, Any]:
        """Return the outputs of one record.

        Raises:
            InputError: There is no record with this ID.
        """
        from modelarts_magics.server import record_payloads  # noqa: PLC0415 - needed rarely

        payload: dict[str, Any] = await self.poller.run_blocking(
            lambda: record_payloads.outputs_payload(self._records_folder(), record_id)
        )
        return payload

    def _records_folder(self) -> Path:
        from modelarts_magics.keepalive.records import records_folder  # noqa: PLC0415 - needed rarely

        factory = self._session_factory
        return records_folder(factory.settings(), factory.environ)

    async def set_reminders_muted(self, *, muted: bool) -> dict[str, Any]:
        """Turn reminders off or on: through the API if it has such a setting, else on this machine.

        Raises:
            ModelArtsError: The API refused the change, or the call failed.
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
        """Record which documents a page saved before a stop, and which it could not save.

        Raises:
            ModelArtsError: The instance cannot be determined.
        """
        session, instance = await self._require_instance()
        await self.poller.run_blocking(
            lambda: self._run_history.record_saved(session, instance, report)
        )
        self._publish_event("last-run")
        return await self._get_runs()

    async def _get_runs(self) -> dict[str, Any]:
        """Return how the last run ended and what was saved in this one."""
        snapshot = await self.poller.get()
        runs: dict[str, Any] = await self.poller.run_blocking(lambda: self._runs_payload(snapshot))
        return runs

    async def acknowledge_last_run(self) -> dict[str, Any]:
        """Delete the report of the last run after it was read."""
        snapshot = await self.poller.get()
        if snapshot.instance is not None:
            instance_id = snapshot.instance.id
            await self.poller.run_blocking(lambda: self._run_store.delete_run(instance_id))
            self._publish_event("last-run")
        return await self._get_runs()

    async def _require_instance(self) -> tuple[Session, Instance]:
        """Return the instance and its session; calls the API if the instance is not known yet."""
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
        # Taken before anything is read, so that a change meanwhile has a higher number.
        seq = self._seq
        payload: dict[str, Any] = await self.poller.run_blocking(
            lambda: self._build_payload(snapshot)
        )
        return {**payload, "server_id": self._server_id, "seq": seq}

    def _build_payload(self, snapshot: Snapshot) -> dict[str, Any]:
        now = snapshot.session.now() if snapshot.session else self._session_factory.clock.now()
        return {
            **payloads.snapshot_payload(snapshot),
            "server_now_ms": datetime_to_ms(now),
            "utc_offset_s": _utc_offset_s(snapshot, now),
            "console_url": _console_url(snapshot),
            "notices": [str(notice) for notice in self.poller.notices],
            "reminders": {"muted": self._reminders_muted(snapshot)},
            "undo": undo_payload(snapshot),
            "restore": restore_payload(snapshot),
            "keep": keep_payload(snapshot),
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
        """Send an event to the pages; ``hello`` repeats the last number, so that they notice a gap.

        An event that cannot be sent is logged: requests and tasks go on, and the next number shows the gap.
        """
        if kind != HELLO:
            self._seq += 1
        try:
            self._emit({"server_id": self._server_id, "seq": self._seq, "kind": kind})
        except Exception:  # noqa: BLE001 - Jupyter validates events and runs modifiers of other extensions
            _LOG.exception("The event “%s” could not be sent to the pages", kind)


def _utc_offset_s(snapshot: Snapshot, now: datetime) -> int | None:
    """Return the offset of the time zone in which kernels and terminals show times; None if it is not known."""
    settings = snapshot.session.settings if snapshot.session else None
    try:
        offset = now.astimezone(settings.timezone).utcoffset() if settings else None
    except ModelArtsError:
        return None
    return None if offset is None else round(offset.total_seconds())


def _console_url(snapshot: Snapshot) -> str | None:
    """Return the address of ModelArts in the console; None if the region is not known."""
    settings = snapshot.session.settings if snapshot.session else None
    try:
        return settings.console_url or None if settings else None
    except ModelArtsError:
        return None


def keep_payload(snapshot: Snapshot) -> dict[str, Any] | None:
    """Return what keeps the instance running; None if nothing does, or it cannot be changed."""
    session = snapshot.session
    if session is None or session.settings is None or snapshot.read_only:
        return None
    # Without guards, which is the usual case, nothing more is imported.
    if not has_news(session.history) and not daemon_folder(session.settings).exists():
        return None
    from modelarts_magics.server import keep_payloads  # noqa: PLC0415 - see above

    return keep_payloads.keep_payload(session)


def undo_payload(snapshot: Snapshot) -> dict[str, str] | None:
    """Return the last change, with the state that undoing restores or why it cannot; None if there is none."""
    session, instance = snapshot.session, snapshot.instance
    if session is None or instance is None or session.history is None or snapshot.read_only:
        return None
    offer = find_undo(session.history, instance)
    if offer is None or offer.action == "stop":
        return None
    from modelarts_magics.commands.history import describe_undo  # noqa: PLC0415 - needed after a change only

    before = describe_undo(offer)
    result = {"restores": before} if offer.command else {"refusal": _undo_refusal(before)}
    return {"action": offer.action, **result}


def _undo_refusal(before: str) -> str:
    return messages.text("refuse.cannot_undo.page", before=before)


def _shared_files_payload(snapshot: Snapshot) -> object:
    """Return what pages show of files that other processes write beside the state files; None if nothing."""
    keep, restore = keep_payload(snapshot), restore_payload(snapshot)
    return (keep, restore) if keep or restore else None


def restore_payload(snapshot: Snapshot) -> dict[str, Any] | None:
    """Return the run time that can be restored for later starts, or will be; None if there is none."""
    if snapshot.session is None:
        return None
    pending = find_restore(snapshot.session, snapshot.instance)
    # Without access to the API, it cannot be planned.
    if pending is None or (snapshot.read_only and not pending.planned):
        return None
    return {"duration_s": round(pending.duration.total_seconds()), "planned": pending.planned}


class ConflictError(Exception):
    """The page decided on a state that has changed; nothing was sent.

    Attributes:
        error: The refusal.
        details: The fields that have changed (``changed``) and the current state (``current``).
    """

    def __init__(self, error: ModelArtsError, details: dict[str, Any]) -> None:
        super().__init__(error.code)
        self.error = error
        self.details = details
