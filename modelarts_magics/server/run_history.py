"""Report how the last run ended and what was saved in this one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.domain.models import Mode
from modelarts_magics.messages import text
from modelarts_magics.session.run_store import (
    AUTO_STOP_WINDOW_MS,
    SAME_RUN_TOLERANCE_MS,
    STOP_GRACE_PERIOD_MS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelarts_magics.domain.models import Instance
    from modelarts_magics.server.request_models import SaveReport
    from modelarts_magics.server.snapshot import Snapshot
    from modelarts_magics.session.run_store import RunStore
    from modelarts_magics.session.session import Session


class RunHistory:
    """Connect the `RunStore` with the poller's snapshots; may be used from several threads.

    Args:
        run_store: The file that survives a stop.
        server_age_s: Returns the seconds since this server started, by the clock of the machine.
    """

    def __init__(self, run_store: RunStore, *, server_age_s: Callable[[], float]) -> None:
        self._run_store = run_store
        self._server_age_s = server_age_s

    def last_run(self, snapshot: Snapshot) -> dict[str, Any] | None:
        """Return how the run before this server ended; None if unknown, acknowledged, or if it continues."""
        if snapshot.session is None or snapshot.instance is None:
            return None
        if self._obsolete_stop_ms(snapshot.session, snapshot.instance) is not None:
            return None
        run = self._run_store.last_run(
            snapshot.instance.id, started_ms=self._server_started_ms(snapshot.session)
        )
        return None if run is None else {**run, "reason_text": _reason_text(run)}

    def this_run(self, snapshot: Snapshot) -> dict[str, Any] | None:
        """Return what was saved before the coming stop; None if there is no report."""
        stop_time = snapshot.instance.auto_stop.stops_at if snapshot.instance else None
        if snapshot.instance is None or stop_time is None:
            return None
        return self._run_store.this_run(snapshot.instance.id, stops_at_ms=datetime_to_ms(stop_time))

    def record_alive(self, session: Session, instance: Instance) -> None:
        """Record, shortly before the stop, that the instance is running; delete a recorded run that continued."""
        obsolete_stop_ms = self._obsolete_stop_ms(session, instance)
        if obsolete_stop_ms is not None:
            self._run_store.delete_run(instance.id, stops_at_ms=obsolete_stop_ms)
        stop_time = instance.auto_stop.stops_at
        if stop_time is None or not instance.running:
            return
        stop_time_ms, now_ms = datetime_to_ms(stop_time), datetime_to_ms(session.now())
        if 0 <= stop_time_ms - now_ms <= AUTO_STOP_WINDOW_MS:
            self._run_store.record_alive(
                instance.id,
                stops_at_ms=stop_time_ms,
                duration_s=_run_time_s(instance),
                seen_ms=now_ms,
            )

    def record_saved(self, session: Session, instance: Instance, report: SaveReport) -> None:
        """Record the report of a tab about one stop."""
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
        """Return the recorded stop time if the instance ran before it and continued; else None."""
        recorded_stop_ms = self._run_store.recorded_stop_ms(instance.id)
        if recorded_stop_ms is None or self._alive_since_ms(session, instance) > recorded_stop_ms:
            return None
        return (
            recorded_stop_ms if run_continued(instance, planned_stop_ms=recorded_stop_ms) else None
        )

    def _server_started_ms(self, session: Session) -> int:
        """Return the time at which this server started, by the API's clock, which may run faster."""
        age = timedelta(seconds=self._server_age_s() * session.time_scale)
        return datetime_to_ms(session.now() - age)

    def _alive_since_ms(self, session: Session, instance: Instance) -> int:
        """Return the earliest time at which this run is known to have been alive."""
        started = session.plan_context(instance).started_at or instance.observed_at
        earliest = min(started, instance.observed_at)
        return min(self._server_started_ms(session), datetime_to_ms(earliest))


def _reason_text(run: Mapping[str, Any]) -> str:
    """Return why the keep-alive stopped the instance, in the language of the page; "" if it did not."""
    if run["reason"] == "idle":
        return text("idle_stop.reason", duration=timedelta(seconds=run["idle_s"]))
    return text("keep.stopped_after", name=run["work"]) if run["reason"] == "after-work" else ""


def run_continued(instance: Instance, *, planned_stop_ms: int) -> bool:
    """Return whether a run with this stop time was extended or did not stop.

    It has another stop time now, or none; or its stop time is unknown and it was seen alive after that one.

    Args:
        instance: The instance as it was seen, in the same run.
        planned_stop_ms: The recorded stop time.
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
