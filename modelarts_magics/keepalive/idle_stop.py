"""Stop the instance when nothing has worked for a time: the user's setting, and the decision of the daemon.

An unknown source counts as working, and a guarded instance is not stopped. The stop is announced
`WARNING_TIME` before it. The setting holds until it is turned off or the instance stops.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Callable

from modelarts_magics.config.atomic_file import replace_object
from modelarts_magics.config.private_file import read_private_object
from modelarts_magics.errors import DurationError, RefusedError
from modelarts_magics.keepalive.processes import process_started
from modelarts_magics.keepalive.stopping import WARNING_TIME, PendingStop
from modelarts_magics.session.notify import notify

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from modelarts_magics.keepalive.activity.report import ActivityReport
    from modelarts_magics.keepalive.guards import Guard
    from modelarts_magics.keepalive.keeper import Keeper

MIN_IDLE_TIME = WARNING_TIME
"""The shortest time without work after which the instance can be stopped."""
POSTPONEMENT = timedelta(hours=1)
"""How much later the instance is stopped at the earliest after “Keep 1 h”."""
_FILE = "idle-stop.json"
_FIRST_PROCESS = 1

Announce = Callable[[PendingStop, "ActivityReport"], None]
"""Warns of a stop; called with the stop and the sources."""


@dataclass(frozen=True)
class IdleStop:
    """The user's setting.

    Attributes:
        idle_time: For how long nothing has worked when the instance is stopped.
        postponed_until: The earliest stop, aware, by the clock of the API; None if it was not postponed.
    """

    idle_time: timedelta
    postponed_until: datetime | None = None


def make_idle_stop(idle_time: timedelta) -> IdleStop:
    """Return the setting for a time without work.

    Raises:
        DurationError: The time is too short.
    """
    if idle_time < MIN_IDLE_TIME:
        raise DurationError("idle_stop.too_short", duration=idle_time, shortest=MIN_IDLE_TIME)
    return IdleStop(idle_time)


def save_idle_stop(folder: Path, setting: IdleStop | None) -> None:
    """Save the setting, or turn it off, and wake the daemon and the pages.

    Raises:
        OSError: The file cannot be written.
    """
    if setting is None:
        (folder / _FILE).unlink(missing_ok=True)
    else:
        until = setting.postponed_until
        data = {
            "idle_s": setting.idle_time.total_seconds(),
            "postponed_until": until.isoformat() if until else None,
            # Identifies the run: process 1 starts with the instance.
            "run": process_started(_FIRST_PROCESS),
        }
        replace_object(folder / _FILE, data)
    notify(folder)
    notify(folder.parent)


def load_idle_stop(folder: Path) -> IdleStop | None:
    """Return the setting; None if it is off, or was made in an earlier run of the instance."""
    path = folder / _FILE
    if not path.exists():
        return None
    data = read_private_object(path)
    try:
        if data["run"] != process_started(_FIRST_PROCESS):
            return None
        until = data["postponed_until"]
        return IdleStop(
            timedelta(seconds=data["idle_s"]), datetime.fromisoformat(until) if until else None
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def postpone_idle_stop(folder: Path, now: datetime, *, by: timedelta = POSTPONEMENT) -> datetime:
    """Let the instance run for a time at least, also when nothing works; return until when.

    Args:
        folder: The folder of the daemon.
        now: The time by the clock of the API.
        by: The time.

    Raises:
        RefusedError: The setting is off.
        OSError: The file cannot be written.
    """
    setting = load_idle_stop(folder)
    if setting is None:
        raise RefusedError("idle_stop.is_off")
    until = now + by
    save_idle_stop(folder, replace(setting, postponed_until=until))
    return until


class IdleStopper:
    """Announce the stop while nothing works, and cancel it when anything works.

    The keeper carries out the stop at the end of the announced time. One that was cancelled or has failed is
    announced again after the next work.

    Args:
        folder: The folder of the daemon.
        keeper: Keeps and stops the instance.
        announce: Warns of the stop.
    """

    def __init__(self, folder: Path, keeper: Keeper, *, announce: Announce) -> None:
        self._folder = folder
        self._keeper = keeper
        self._announce = announce
        self._setting: IdleStop | None = None
        self._idle_since: datetime | None = None
        self._is_announced = self._is_done = False

    @property
    def is_on(self) -> bool:
        """Whether the setting is on, so that the daemon has to watch."""
        return self._setting is not None

    def update(self, guards: Sequence[Guard], report: ActivityReport | None) -> None:
        """Take what works into account.

        Args:
            guards: The guards whose work goes on.
            report: The sources that work or may work; None if they are not known.
        """
        before, self._setting = self._setting, load_idle_stop(self._folder)
        pending = self._keeper.pending_stop
        if pending is not None and pending.idle_time is None:
            # The stop after guarded work comes first.
            return
        setting, now = self._setting, self._keeper.now
        if setting is None or setting != before or guards or not _is_idle(report):
            self._idle_since, self._is_done = None, False
        if setting is None or report is None or guards or not _is_idle(report):
            self._cancel()
            return
        self._idle_since = self._idle_since or now
        self._is_done = self._is_done or (self._is_announced and pending is None)
        stops_at = self._idle_since + setting.idle_time
        if setting.postponed_until is not None:
            stops_at = max(stops_at, setting.postponed_until)
        if self._is_done or now < stops_at - WARNING_TIME:
            self._cancel()
        elif pending is None:
            self._begin(setting, self._idle_since, report)

    def _begin(self, setting: IdleStop, idle_since: datetime, report: ActivityReport) -> None:
        pending = PendingStop(
            "", idle_since, quiet_since=self._keeper.now, idle_time=setting.idle_time
        )
        self._keeper.set_pending_stop(pending)
        self._is_announced = True
        self._announce(pending, report)

    def _cancel(self) -> None:
        self._is_announced = False
        self._keeper.set_pending_stop(None)


def _is_idle(report: ActivityReport | None) -> bool:
    """Return whether it is certain that nothing works."""
    return report is not None and report.is_complete and report.busy is False
