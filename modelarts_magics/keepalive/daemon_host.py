"""The files through which a keeper acts on guards, history and run times to restore."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.domain.later_starts import is_same_run
from modelarts_magics.domain.models import PendingRestore
from modelarts_magics.keepalive import guards as guard_files
from modelarts_magics.keepalive import pages, requests, switched_mode
from modelarts_magics.keepalive.state import MAX_EVENTS, Event
from modelarts_magics.session import restore
from modelarts_magics.session.history import KEEP_ALIVE, append_entry, history_entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, timedelta
    from pathlib import Path

    from modelarts_magics.domain.models import Change, Instance
    from modelarts_magics.domain.planning import PlanContext
    from modelarts_magics.keepalive.guards import Guard
    from modelarts_magics.keepalive.stopping import PendingStop
    from modelarts_magics.messages import Message
    from modelarts_magics.session.run_store import RunStore

_LOG = logging.getLogger(__name__)


class DaemonHost:
    """Carry out what a keeper decides; a full disk stops nothing.

    Args:
        folder: The folder of the daemon.
        history: The path of the history.
        pending_restores: The path of the run times to restore.
        run_store: The report on this run that the next one shows; None in tests without one.

    Attributes:
        events: The last events, oldest first.
        history: The path of the history.
    """

    def __init__(
        self,
        folder: Path,
        *,
        history: Path,
        pending_restores: Path,
        run_store: RunStore | None = None,
    ) -> None:
        self._folder = folder
        self._run_store = run_store
        self.history = history
        self._pending_restores = pending_restores
        self._instance_id = ""
        self._started_at: datetime | None = None
        self._saved_stop: tuple[str, datetime] | None = None
        self._event_count = 0
        self.events: deque[Event] = deque(maxlen=MAX_EVENTS)

    def end_guard(self, guard: Guard) -> None:
        """End a guard although its work goes on."""
        with _tolerate_os_errors():
            guard_files.remove_guard(self._folder, guard)

    def accept(self, guard: Guard, until: datetime) -> None:
        """Mark a guard as accepted, with the bound that is possible."""
        details = {**guard.details, "admitted": True}
        # The guard may have been ended meanwhile.
        if not guard_files.exists(self._folder, guard):
            return
        with _tolerate_os_errors():
            accepted = replace(guard, until=until, details=details)
            guard_files.save_guard(self._folder, accepted)

    def report(self, message: Message, guards: Sequence[Guard]) -> None:
        """Add an event to those that the state file has."""
        self.report_to(message, [each.id for each in guards])

    def report_to(self, message: Message, guard_ids: Sequence[str]) -> None:
        """Add an event for guards that may have ended."""
        self._event_count += 1
        self.events.append(Event(self._event_count, message, tuple(guard_ids)))

    def record(self, change: Change, action: str, reason: str, now: datetime) -> None:
        """Add a change to the history."""
        entry = history_entry(change, at=now, actor=KEEP_ALIVE, action=action, reason=reason)
        with _tolerate_os_errors():
            append_entry(self.history, entry)

    def before_renewal(self, instance: Instance, started_at: datetime | None) -> None:
        """Remember the run time of later starts, once per run, before a renewal changes it."""
        duration = instance.auto_stop.duration
        is_stored = instance.auto_stop.duration_start is None
        if duration is None or not is_stored:
            return
        self._instance_id, self._started_at = instance.id, started_at
        known = restore.load_pending(self._pending_restores, instance.id)
        same_run = known is not None and is_same_run(known.run_started_at, started_at)
        if known is not None and known.planned and same_run:
            return
        self._save(PendingRestore(duration, started_at))

    def after_renewal(self, change: Change) -> timedelta | None:
        """Remember the run time that a renewal has set; return the one to restore, if it differs."""
        known = restore.load_pending(self._pending_restores, self._instance_id)
        set_duration = change.after.auto_stop.duration if change.after else None
        if known is None or set_duration is None:
            return None
        unchanged = set_duration == known.duration
        self._save(None if unchanged else known._replace(set_duration=set_duration))
        return None if unchanged else known.duration

    def duration_to_restore(self, context: PlanContext) -> timedelta | None:
        """Return the run time to restore because a new run has begun; None if there is none."""
        self._instance_id, self._started_at = context.instance.id, context.started_at
        due = None
        with _tolerate_os_errors():
            due = restore.find_due(self._pending_restores, context)
        return due.duration if due else None

    def restored(self, *, done: bool) -> None:
        """Forget the run time to restore, or leave it for the next run."""
        if done:
            self._save(None)
            return
        known = restore.load_pending(self._pending_restores, self._instance_id)
        if known is not None:
            self._save(known._replace(run_started_at=self._started_at))

    def before_switched_renewal(self, target: datetime, *, is_switch: bool) -> bool:
        """Remember to restore idle mode before it is replaced, and each stop time that is set until then."""
        if not is_switch and not switched_mode.is_mode_switched(self._folder):
            return True
        try:
            switched_mode.save_switched_mode(self._folder, target)
        except OSError:
            # A mode that is switched already stays as it is.
            return not is_switch
        return True

    def switched_stop_times(self) -> tuple[datetime, ...]:
        """Return the stop times that were set last in place of idle mode; empty if it is not to be restored."""
        return switched_mode.switched_stop_times(self._folder)

    def mode_restored(self) -> None:
        """Forget to restore idle mode."""
        with _tolerate_os_errors():
            switched_mode.forget_switched_mode(self._folder)

    def pending_stop_changed(self, pending: PendingStop | None) -> None:
        """Save the pending stop of the instance, or delete it."""
        key = (pending.name, pending.since) if pending else None
        if key != self._saved_stop:
            self._saved_stop = key
            with _tolerate_os_errors():
                requests.save_pending_stop(self._folder, pending)
            pages.forget_pages(self._folder)

    def stopping(self, pending: PendingStop, instance: Instance, now: datetime) -> None:
        """Record why the instance is stopped now, for the first page after its next start."""
        if self._run_store is not None:
            self._run_store.record_stop(
                instance.id,
                stopped_ms=datetime_to_ms(now),
                work=pending.name,
                idle_s=round(pending.idle_time.total_seconds()) if pending.idle_time else None,
            )

    def _save(self, pending: PendingRestore | None) -> None:
        with _tolerate_os_errors():
            restore.save_pending(self._pending_restores, self._instance_id, pending)


@contextlib.contextmanager
def _tolerate_os_errors() -> Iterator[None]:
    try:
        yield
    except OSError:
        _LOG.warning("A file could not be written", exc_info=True)
