"""How the last run ended, and what is known of this one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelarts_magics.domain.durations import moment_to_ms
from modelarts_magics.domain.models import Mode
from modelarts_magics.server.run_store import GRACE_MS, MOVED_MS, TO_THE_END_MS

if TYPE_CHECKING:
    from datetime import datetime

    from modelarts_magics.domain.models import Instance
    from modelarts_magics.server.request_models import Saved
    from modelarts_magics.server.run_store import Kept
    from modelarts_magics.server.snapshot import View
    from modelarts_magics.session.session import Session


class Runs:
    """What `Kept` holds, in the words of the monitor; used from threads.

    Args:
        kept: What outlives a stop.
        started: When this server started, by the local clock.
    """

    def __init__(self, kept: Kept, *, started: datetime) -> None:
        self._kept = kept
        self._started = started

    def last(self, view: View) -> dict[str, Any] | None:
        """How the run before this server ended; None if nothing is known, it was acknowledged or went on."""
        if view.session is None or view.instance is None:
            return None
        if self._outlived(view.session, view.instance) is not None:
            return None
        return self._kept.last_run(view.instance.id, started_ms=self._started_ms(view.session))

    def this(self, view: View) -> dict[str, Any] | None:
        """What was saved before the stop that is to come; None if nothing is kept of it."""
        end = view.instance.auto_stop.stops_at if view.instance else None
        if view.instance is None or end is None:
            return None
        return self._kept.this_run(view.instance.id, stops_at_ms=moment_to_ms(end))

    def saw(self, session: Session, instance: Instance) -> None:
        """Keep, shortly before its end, that this run is alive; and forget one that went on."""
        outlived = self._outlived(session, instance)
        if outlived is not None:
            self._kept.forget(instance.id, stops_at_ms=outlived)
        end = instance.auto_stop.stops_at
        if end is None or not instance.running:
            return
        end_ms, now_ms = moment_to_ms(end), moment_to_ms(session.now())
        if 0 <= end_ms - now_ms <= TO_THE_END_MS:
            duration_s = _seconds(instance)
            self._kept.note(instance.id, stops_at_ms=end_ms, duration_s=duration_s, seen_ms=now_ms)

    def saved(self, session: Session, instance: Instance, what: Saved) -> None:
        """Keep what a page saved before the stop, and what it could not."""
        self._kept.add(
            instance.id,
            stops_at_ms=what.stops_at_ms,
            duration_s=_seconds(instance),
            seen_ms=moment_to_ms(session.now()),
            saved=what.saved,
            not_saved=what.not_saved,
            tab=what.tab,
        )

    def _outlived(self, session: Session, instance: Instance) -> int | None:
        """The stop that is kept, if the instance was alive before it and went on; else None."""
        stop_ms = self._kept.stop_of(instance.id)
        if stop_ms is None or self._alive_since_ms(session, instance) > stop_ms:
            return None
        return stop_ms if went_on(instance, stop_ms=stop_ms) else None

    def _started_ms(self, session: Session) -> int:
        """When this server started, by the cloud's clock."""
        return moment_to_ms(self._started + session.skew)

    def _alive_since_ms(self, session: Session, instance: Instance) -> int:
        """Since when the instance is known to be alive: this server's start, or what is known of before."""
        begun = session.circumstances(instance).started_at or instance.observed_at
        earliest = min(begun, instance.observed_at)
        return min(self._started_ms(session), moment_to_ms(earliest))


def went_on(instance: Instance, *, stop_ms: int) -> bool:
    """Whether a run that was to stop then is not to, or did not.

    It has another end by now, or none at all; or its end is not known and it was seen alive after that one.

    Args:
        instance: As it was seen, in the same run.
        stop_ms: When the run was to stop.
    """
    stop = instance.auto_stop
    if not instance.running:
        return False
    if stop.stops_at is not None:
        return abs(moment_to_ms(stop.stops_at) - stop_ms) > MOVED_MS
    endless = not stop.enabled or stop.mode is Mode.IDLE
    return endless or moment_to_ms(instance.observed_at) > stop_ms + GRACE_MS


def _seconds(instance: Instance) -> int | None:
    duration = instance.auto_stop.duration
    return None if duration is None else round(duration.total_seconds())
