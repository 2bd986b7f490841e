"""How the last run ended, and what is known of this one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelarts_magics.durations import moment_to_ms
from modelarts_magics.server.kept import TO_THE_END_MS

if TYPE_CHECKING:
    from datetime import datetime

    from modelarts_magics.models import Instance
    from modelarts_magics.server.kept import Kept
    from modelarts_magics.server.requests import Saved
    from modelarts_magics.server.view import View
    from modelarts_magics.session import Session


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
        """How the run before this server ended; None if nothing is known or it was acknowledged."""
        if view.session is None or view.instance is None:
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
        end = instance.auto_stop.stops_at
        if end is None or not instance.running:
            return
        end_ms, now_ms = moment_to_ms(end), moment_to_ms(session.now())
        self._kept.outlived(
            instance.id, stops_at_ms=end_ms, since_ms=self._alive_since_ms(session, instance)
        )
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

    def _started_ms(self, session: Session) -> int:
        """When this server started, by the cloud's clock."""
        return moment_to_ms(self._started + session.skew)

    def _alive_since_ms(self, session: Session, instance: Instance) -> int:
        """Since when the instance is known to be alive: this server's start, or the run's if that is earlier."""
        begun = session.circumstances(instance).started_at
        started_ms = self._started_ms(session)
        return started_ms if begun is None else min(started_ms, moment_to_ms(begun))


def _seconds(instance: Instance) -> int | None:
    duration = instance.auto_stop.duration
    return None if duration is None else round(duration.total_seconds())
