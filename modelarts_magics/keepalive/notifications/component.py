"""The component of the daemon that notifies the user."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics import messages
from modelarts_magics.config.notify_folder import FILE_NAME
from modelarts_magics.config.settings import Settings
from modelarts_magics.domain.models import same_stop_time
from modelarts_magics.errors import ConfigurationError, LockTimeoutError
from modelarts_magics.keepalive import requests
from modelarts_magics.keepalive.claims import Claims, is_same_occasion
from modelarts_magics.keepalive.components import RunView
from modelarts_magics.keepalive.notifications import events, results
from modelarts_magics.keepalive.notifications.deliveries import LastDelivery, save_delivery
from modelarts_magics.keepalive.notifications.dispatcher import Dispatcher, Rules, Start
from modelarts_magics.keepalive.notifications.events import Due
from modelarts_magics.keepalive.notifications.last_run import (
    SeenRun,
    last_run_notification,
    load_run,
    save_run,
)
from modelarts_magics.keepalive.notifications.outbox import Outbox, outbox_folder
from modelarts_magics.keepalive.notifications.sender import Attempt
from modelarts_magics.keepalive.notifications.sinks import (
    Sink,
    SinkList,
    load_sinks,
    notify_folder,
)
from modelarts_magics.session.store import private_fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from modelarts_magics.domain.models import Instance
    from modelarts_magics.keepalive.components import ComponentContext
    from modelarts_magics.keepalive.guards import Guard
    from modelarts_magics.keepalive.notifications.notification import Notification
    from modelarts_magics.keepalive.notifications.outbox import Delivery

CLAIMS_FOLDER = "notifications"
"""The folder of the claims in that of the daemon, on a local disk."""


class Notifier:
    """Find out what to tell the user, claim it, and send it to the sinks.

    Args:
        folder: The folder of the daemon.
        shared_folder: The folder of the sinks, which survives a stop.
        load_settings: Returns the current settings.
        start: Starts an attempt; replaced in tests.
    """

    def __init__(
        self,
        folder: Path,
        shared_folder: Path,
        *,
        load_settings: Callable[[], Settings],
        start: Start,
    ) -> None:
        self._folder = folder
        self._shared_folder = shared_folder
        self._run_path = shared_folder / f"run-{folder.stem}.json"
        self._load_settings = load_settings
        self._claims = Claims(folder / CLAIMS_FOLDER)
        self._outbox = Outbox(outbox_folder(shared_folder, folder))
        self._dispatcher = Dispatcher(
            self._outbox, start=start, render=self._render, on_outcome=self._note_outcome
        )
        self._sinks = SinkList()
        self._fingerprint: tuple[int, int, int] | None = None
        self._view = RunView()
        self._told: list[tuple[str, datetime | None]] = []
        self._seen: Instance | None = None
        self._now: datetime | None = None
        self._reload_sinks()

    def observe(self, view: RunView) -> None:
        """Take the current run."""
        self._view = view

    def needs_daemon(self) -> bool:
        """Return whether there is a sink."""
        self._reload_sinks()
        return bool(self._sinks.sinks)

    def wants_reading(self, now: datetime) -> bool:
        """Return whether a notification needs a reading that is not older than a minute."""
        return bool(self._sinks.sinks) and events.wants_reading(self._view, now)

    def update(self, guards: Sequence[Guard], now: datetime) -> None:  # noqa: ARG002 - the interface
        """Claim what is due, and go on sending."""
        self._now = now
        instance = self._view.instance
        if not self._sinks.sinks:
            for result in results.read_results(self._folder):
                results.discard_result(self._folder, result.guard_id)
        elif instance is not None:
            self._note_run(instance, now)
            for due in events.find_due(self._view, now):
                self._tell(due, now)
            self._tell_results(instance, now)
        if self._dispatcher.is_busy:
            rules = self._rules()
            self._dispatcher.update(self._sinks.sinks, rules, now, is_obsolete=self._is_obsolete)

    def close(self) -> None:
        """End what is being sent."""
        self._dispatcher.close()

    def _tell(self, due: Due, now: datetime) -> None:
        """Put a notification into the outbox, unless it is turned off or was claimed before."""
        if due.notification.event in self._sinks.muted or self._is_told(due):
            return
        try:
            claim = self._claims.claim(due.key, stops_at=due.claimed_for, now=now)
        except LockTimeoutError:
            # Another process claims at this moment; the next pass tries again.
            return
        if claim is not None:
            with claim:
                if not (claim.is_repeat and self._outbox.has(due.key, due.claimed_for)):
                    sink_ids = [sink.id for sink in self._sinks.sinks]
                    self._outbox.add(
                        due.notification, sink_ids, key=due.key, claimed_for=due.claimed_for
                    )
                claim.finish("queued")
        self._told.append((due.key, due.claimed_for))

    def _is_told(self, due: Due) -> bool:
        return any(
            key == due.key and is_same_occasion(claimed_for, due.claimed_for)
            for key, claimed_for in self._told
        )

    def _tell_results(self, instance: Instance, now: datetime) -> None:
        for each in results.read_results(self._folder):
            result = results.with_recorded_line(each, now)
            if result is not None:
                notification = results.job_notification(result, instance, now)
                self._tell(Due(f"job-{result.guard_id}", None, notification), now)
                results.discard_result(self._folder, result.guard_id)

    def _note_run(self, instance: Instance, now: datetime) -> None:
        """Tell how the last run ended, and remember this one; once per reading."""
        started_at, pending = self._view.started_at, self._view.pending_stop
        if instance is self._seen or started_at is None or not instance.running:
            return
        if self._seen is None:
            notification = last_run_notification(
                load_run(self._run_path), instance, started_at, now
            )
            if notification is not None:
                self._tell(Due("last-run", started_at, notification), now)
        self._seen = instance
        is_pending = pending is not None and pending.stops_at is not None
        run = SeenRun(
            started_at,
            instance.observed_at,
            instance.auto_stop.stops_at,
            stop_after=pending.name if pending is not None and is_pending else "",
            was_idle=is_pending and pending is not None and pending.idle_time is not None,
        )
        save_run(self._run_path, run)

    def _is_obsolete(self, notification: Notification) -> bool:
        """Return whether a stop time was moved, or its instance was stopped, before it was announced."""
        instance = self._view.instance
        if not notification.follows_stop_time or instance is None:
            return False
        return not same_stop_time(notification.stops_at, instance.auto_stop.stops_at)

    def _rules(self) -> Rules:
        settings = self._load_settings()
        try:
            return Rules(settings.notify_quiet_hours, settings.timezone, settings.notify_limit)
        except ConfigurationError:
            # The doctor reports it; a wrong setting must not silence everything.
            default = Settings.load(environ={})
            return Rules(None, default.timezone, default.notify_limit)

    def _render(self, notification: Notification, repeated: bool) -> Mapping[str, Any]:
        settings = self._load_settings()
        messages.use_language(settings.get("language"))
        try:
            messages.use_timezone(settings.timezone)
        except ConfigurationError:
            messages.use_timezone(None)
        return notification.payload(repeated=repeated)

    def _note_outcome(self, sink: Sink, notification: Notification, delivery: Delivery) -> None:
        at = self._now or notification.created_at
        last = LastDelivery(
            at, notification.event, delivery.state, delivery.attempts, delivery.cause
        )
        save_delivery(self._shared_folder, sink.id, last)

    def _reload_sinks(self) -> None:
        """Read the sinks again if their file was changed."""
        fingerprint = private_fingerprint(self._shared_folder / FILE_NAME)
        if fingerprint != self._fingerprint:
            self._fingerprint = fingerprint
            self._sinks = load_sinks(self._shared_folder)


def create_notifier(context: ComponentContext) -> Notifier:
    """Return the notifier of a daemon."""
    handover = requests.load_handover(context.folder).get("settings") or {}
    settings = Settings.load(handover, environ=context.environ)
    return Notifier(
        context.folder,
        notify_folder(settings, context.environ),
        load_settings=partial(requests.current_settings, context.folder, context.environ),
        start=partial(_start_attempt, environ=context.environ),
    )


def _start_attempt(
    sink: Sink, payload: Mapping[str, Any], *, environ: Mapping[str, str]
) -> Attempt:
    return Attempt(sink, payload, environ or os.environ)
