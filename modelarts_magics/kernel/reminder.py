"""A line after a cell when the end comes near, for who has no widgets; asks no cloud."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Callable

from modelarts_magics.domain.countdown import instance_countdown
from modelarts_magics.domain.models import STOP_TIME_TOLERANCE
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from modelarts_magics.domain.models import Instance
    from modelarts_magics.session.session import Session

REMINDER_TIMES = tuple(timedelta(minutes=minutes) for minutes in (30, 10, 2))
"""The times left at which a line is due, each once for a stop time."""
_MINUTE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)

_LOG = logging.getLogger(__name__)


class Reminder:
    """Says after a cell what the last seen end calls for, and nothing twice.

    Args:
        show: Shows a line.
    """

    def __init__(self, *, show: Callable[[str], object] = print) -> None:
        self._show = show
        self._stop_time: datetime | None = None
        self._shown_count = 0
        self._unknown_reported = False

    def after_cell(self, session: Session | None) -> None:
        """Look at what is known; whatever is wrong with it, a cell does not fail for it.

        Args:
            session: The session of the magics; None where no command has opened one yet.
        """
        try:
            known = session.last_known() if session else None
            if session is None or known is None:
                self._report_unknown()
            else:
                self._remind_if_due(known, session.now())
        except Exception:  # noqa: BLE001 - a reminder may be missing, a cell may not break
            _LOG.debug("no reminder could be given", exc_info=True)

    def _report_unknown(self) -> None:
        """Say once that nothing is known, instead of leaving somebody to rely on it."""
        if not self._unknown_reported:
            self._unknown_reported = True
            self._show(text("remind.unknown"))

    def _remind_if_due(self, instance: Instance, now: datetime) -> None:
        end, left = instance.auto_stop.stops_at, instance_countdown(instance, now).time_left
        if end is None or not left:
            return
        if self._stop_time is None or abs(end - self._stop_time) > STOP_TIME_TOLERANCE:
            self._stop_time, self._shown_count = end, 0
        level = sum(left <= each for each in REMINDER_TIMES)
        if level > self._shown_count:
            self._shown_count = level
            self._show(text("remind.line", end=end, left=_round_down(left)))


def _round_down(time_left: timedelta) -> timedelta:
    """Whole minutes, as long as there are any: it is no clock that ticks."""
    unit = _MINUTE if time_left >= _MINUTE else _SECOND
    return time_left // unit * unit
