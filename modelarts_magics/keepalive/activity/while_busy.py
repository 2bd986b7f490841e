"""Keep the instance while anything works: end the guard of ``keep --while-busy`` when everything is idle."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from modelarts_magics.keepalive.guards import WHILE_BUSY, exists, remove_guard, save_guard
from modelarts_magics.messages import join_list

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from modelarts_magics.keepalive.activity.report import ActivityReport
    from modelarts_magics.keepalive.guards import Guard

DEFAULT_IDLE_TIME = timedelta(minutes=10)
"""How long everything has been idle when the guard is ended."""


class WhileBusy:
    """End the guard when nothing has worked for a time, and let its reason name the work until then.

    Sources that cannot be known do not keep the instance: they would keep it up to the bound.

    Args:
        folder: The folder of the daemon.
        idle_time: The time without work after which the guard is ended.

    Attributes:
        idle_time: The same, which may be changed.
    """

    def __init__(self, folder: Path, idle_time: timedelta = DEFAULT_IDLE_TIME) -> None:
        self._folder = folder
        self.idle_time = idle_time
        self._idle_since: datetime | None = None

    def update(self, guards: Sequence[Guard], report: ActivityReport, now: datetime) -> None:
        """End or update the guard.

        Args:
            guards: The guards whose work goes on.
            report: The current report.
            now: The time by the clock of the API.
        """
        own = [guard for guard in guards if guard.kind == WHILE_BUSY]
        if not own:
            self._idle_since = None
            return
        names = list(dict.fromkeys(source.name for source in report.sources if source.busy))
        if names or not report.is_complete:
            self._idle_since = None
        else:
            self._idle_since = self._idle_since or now
        for guard in own:
            if self._idle_since is not None and now - self._idle_since >= self.idle_time:
                remove_guard(self._folder, guard)
            elif names:
                self._set_reason(guard, join_list(names))

    def _set_reason(self, guard: Guard, reason: str) -> None:
        # A guard that was ended meanwhile must not come back.
        if guard.reason != reason and exists(self._folder, guard):
            save_guard(self._folder, replace(guard, reason=reason))
