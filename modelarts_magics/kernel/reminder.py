"""The reminder printed after a cell shortly before the stop time, for front ends without widgets."""

from __future__ import annotations

import io
import logging
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics.domain.countdown import instance_countdown
from modelarts_magics.domain.models import STOP_TIME_TOLERANCE
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from modelarts_magics.domain.models import Instance
    from modelarts_magics.session.session import Session

REMINDER_TIMES = tuple(timedelta(minutes=minutes) for minutes in (30, 10, 2))
"""The times left at which a reminder is due, each at most once per stop time."""
_MINUTE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)

_LOG = logging.getLogger(__name__)


def is_output_visible(result: Any) -> bool:  # noqa: ANN401 - IPython's ExecutionResult, or None
    """Return whether the user sees what is printed after a cell.

    Front ends do not show a cell that is silent or not stored in the history; ``%%capture`` runs such a cell. A
    captured output is a text in memory.

    Args:
        result: The result of the cell.
    """
    info = getattr(result, "info", None)
    if info is not None and (info.silent or not info.store_history):
        return False
    return sys.stdout is not None and not isinstance(sys.stdout, io.StringIO)


class Reminder:
    """Prints the reminders that are due, from the cached instance and without a request.

    Args:
        show: Prints a line.
    """

    def __init__(self, *, show: Callable[[str], object] = print) -> None:
        self._show = show
        self._stop_time: datetime | None = None
        self._shown_count = 0
        self._unknown_reported = False

    def after_cell(self, session: Session | None) -> None:
        """Print a reminder if one is due. Errors are logged and never fail the cell.

        Args:
            session: The session of the magics; None before the first command.
        """
        try:
            instance = session.last_known() if session else None
            if session is None or instance is None:
                self._report_unknown()
            else:
                self._remind_if_due(instance, session.now())
        except Exception:  # noqa: BLE001 - a missing reminder is better than a failed cell
            _LOG.debug("Cannot check whether a reminder is due", exc_info=True)

    def _report_unknown(self) -> None:
        """Print once that no reminder can be given, so that nobody relies on one."""
        if not self._unknown_reported:
            self._show(text("reminder.unknown"))
            self._unknown_reported = True

    def _remind_if_due(self, instance: Instance, now: datetime) -> None:
        stop_time = instance.auto_stop.stops_at
        time_left = instance_countdown(instance, now).time_left
        if stop_time is None or not time_left:
            return
        if self._stop_time is None or abs(stop_time - self._stop_time) > STOP_TIME_TOLERANCE:
            self._stop_time, self._shown_count = stop_time, 0
        due_count = sum(time_left <= each for each in REMINDER_TIMES)
        if due_count > self._shown_count:
            self._show(text("reminder.line", stop_time=stop_time, time_left=_round_down(time_left)))
            self._shown_count = due_count


def _round_down(time_left: timedelta) -> timedelta:
    """Round down to full minutes, or to full seconds below one minute."""
    unit = _MINUTE if time_left >= _MINUTE else _SECOND
    return time_left // unit * unit
