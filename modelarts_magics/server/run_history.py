"""How the last run ended, and what is known of this one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.domain.models import Mode
from modelarts_magics.server.run_store import (
    AUTO_STOP_WINDOW_MS,
    SAME_RUN_TOLERANCE_MS,
    STOP_GRACE_PERIOD_MS,
)

if TYPE_CHECKING:
    from datetime import datetime

    from modelarts_magics.domain.models import Instance
    from modelarts_magics.server.request_models import SaveReport
    from modelarts_magics.server.run_store import RunStore
    from modelarts_magics.server.snapshot import Snapshot
    from modelarts_magics.session.session import Session


class RunHistory:
    """What `RunStore` holds, in the words of the monitor; used from threads.

    Args:
        run_store: What outlives a stop.
        server_started: When this server started, by the local clock.
    """

    def __init__(self, run_store: RunStore, *, server_started: datetime) -> None:
        self._run_store = run_store
        self._server_started = server_started

    def last_run(self, snapshot: Snapshot) -> dict[str, Any] | None:
        """How the run before this server ended; None if nothing is known, it was acknowledged or went on."""
        if snapshot.session is None or snapshot.instance is None:
            return None
        if self._obsolete_stop_ms(snapshot.session, snapshot.instance) is not None:
            return None
        return self._run_store.last_run(
            snapshot.instance.id, started_ms=self._server_started_ms(snapshot.session)
        )

    def this_run(self, snapshot: Snapshot) -> dict[str, Any] | None:
        """What was saved before the stop that is to come; None if nothing is kept of it."""
        stop_time = snapshot.instance.auto_stop.stops_at if snapshot.instance else None
        if snapshot.instance is None or stop_time is None:
            return None
        return self._run_store.this_run(snapshot.instance.id, stops_at_ms=datetime_to_ms(stop_time))

    def record_alive(self, session: Session, instance: Instance) -> None:
        """Keep, shortly before its end, that this run is alive; and forget one that went on."""
        obsolete_stop_ms = self._obsolete_stop_ms(session, instance)
        if obsolete_stop_ms is not None:
            self._run_store.delete_run(instance.id, stops_at_ms=obsolete_stop_ms)
        stop_time = instance.auto_stop.stops_at
        if stop_time is None or not instance.running:
            return
        stop_time_ms, now_ms = datetime_to_ms(stop_time), datetime_to_ms(session.now())
        if 0 <= stop_time_ms - now_ms <= AUTO_STOP_WINDOW_MS:
            duration_s = _run_time_s(instance)
            self._run_store.record_alive(
                instance.id, stops_at_ms=stop_time_ms, duration_s=duration_s, seen_ms=now_ms
            )

    def record_saved(self, session: Session, instance: Instance, report: SaveReport) -> None:
        """Keep what a page saved before the stop, and what it could not."""
        self._run_store.record_saved(
            instance.id,
            stops_at_ms=report.stops_at_ms,
            duration_s=_run_time_s(instance),
            seen_ms=datetime_to_ms(session.now()),
            saved=report.saved,
            not_saved=report.not_saved,
            tab=report.tab,
        )

    def _obsolete_stop_ms(self, session: Session, instance: Instance) -> int | None:
        """The stop that is kept, if the instance was alive before it and went on; else None."""
        recorded_stop_ms = self._run_store.recorded_stop_ms(instance.id)
        if recorded_stop_ms is None or self._alive_since_ms(session, instance) > recorded_stop_ms:
            return None
        return (
            recorded_stop_ms if run_continued(instance, planned_stop_ms=recorded_stop_ms) else None
        )

    def _server_started_ms(self, session: Session) -> int:
        """When this server started, by the cloud's clock."""
        return datetime_to_ms(self._server_started + session.skew)

    def _alive_since_ms(self, session: Session, instance: Instance) -> int:
        """Since when the instance is known to be alive: this server's start, or what is known of before."""
        started = session.plan_context(instance).started_at or instance.observed_at
        earliest = min(started, instance.observed_at)
        return min(self._server_started_ms(session), datetime_to_ms(earliest))


def run_continued(instance: Instance, *, planned_stop_ms: int) -> bool:
    """Whether a run that was to stop then is not to, or did not.

    It has another end by now, or none at all; or its end is not known and it was seen alive after that one.

    Args:
        instance: As it was seen, in the same run.
        planned_stop_ms: When the run was to stop.
    """
    auto_stop = instance.auto_stop
    if not instance.running:
        return False
    if auto_stop.stops_at is not None:
        return abs(datetime_to_ms(auto_stop.stops_at) - planned_stop_ms) > SAME_RUN_TOLERANCE_MS
    has_no_stop_time = not auto_stop.enabled or auto_stop.mode is Mode.IDLE
    return (
        has_no_stop_time
        or datetime_to_ms(instance.observed_at) > planned_stop_ms + STOP_GRACE_PERIOD_MS
    )


def _run_time_s(instance: Instance) -> int | None:
    duration = instance.auto_stop.duration
    return None if duration is None else round(duration.total_seconds())
