"""A line after a cell when the end comes near, for who has no widgets; asks no cloud."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Callable

from modelarts_magics.domain.countdown import countdown
from modelarts_magics.domain.models import SAME
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from modelarts_magics.domain.models import Instance
    from modelarts_magics.session.session import Session

LEVELS = tuple(timedelta(minutes=minutes) for minutes in (30, 10, 2))
"""The times left at which a line is due, each once for a stop time."""
_MINUTE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)

_LOG = logging.getLogger(__name__)


class Reminder:
    """Says after a cell what the last seen end calls for, and nothing twice.

    Args:
        say: Shows a line.
    """

    def __init__(self, *, say: Callable[[str], object] = print) -> None:
        self._say = say
        self._end: datetime | None = None
        self._level = 0
        self._ignorant = False

    def after_cell(self, session: Session | None) -> None:
        """Look at what is known; whatever is wrong with it, a cell does not fail for it.

        Args:
            session: The session of the magics; None where no command has opened one yet.
        """
        try:
            known = session.last_known() if session else None
            if session is None or known is None:
                self._admit()
            else:
                self._look(known, session.now())
        except Exception:  # noqa: BLE001 - a reminder may be missing, a cell may not break
            _LOG.debug("no reminder could be given", exc_info=True)

    def _admit(self) -> None:
        """Say once that nothing is known, instead of leaving somebody to rely on it."""
        if not self._ignorant:
            self._ignorant = True
            self._say(text("remind.unknown"))

    def _look(self, instance: Instance, now: datetime) -> None:
        end, left = instance.auto_stop.stops_at, countdown(instance, now).remaining
        if end is None or not left:
            return
        if self._end is None or abs(end - self._end) > SAME:
            self._end, self._level = end, 0
        level = sum(left <= each for each in LEVELS)
        if level > self._level:
            self._level = level
            self._say(text("remind.line", end=end, left=_rounded(left)))


def _rounded(left: timedelta) -> timedelta:
    """Whole minutes, as long as there are any: it is no clock that ticks."""
    unit = _MINUTE if left >= _MINUTE else _SECOND
    return left // unit * unit
