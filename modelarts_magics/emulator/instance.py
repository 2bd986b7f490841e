"""What the instances of both APIs share: a status that time changes, and a stop that comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelarts_magics.emulator import errors
from modelarts_magics.emulator.errors import ApiError

if TYPE_CHECKING:
    from datetime import datetime, timedelta

CHANGING = ("STARTING", "RESTARTING", "STOPPING")


@dataclass
class Instance:
    """One instance, in memory.

    Attributes:
        id: As in its path.
        name: Its name.
        description: As stored, which may be illegal if a test put it there.
        created_at: When it was made.
        updated_at: When it was last written.
        status: The word of the wire.
        previous_status: The one before the last action.
        running_since: When the current run reached RUNNING.
        stops_at: When the current run stops; None for never.
        runs_down: False keeps it RUNNING past its stop, to play a cloud that is late.
    """

    id: str
    name: str
    description: str | None
    created_at: datetime
    updated_at: datetime
    transition: timedelta
    status: str = "RUNNING"
    previous_status: str = "STOPPED"
    running_since: datetime | None = None
    stops_at: datetime | None = None
    runs_down: bool = True
    next_status: str = ""
    next_at: datetime | None = None

    def run_started(self, at: datetime) -> None:
        """Set `stops_at` for a run that reaches RUNNING; each API has its own rule."""
        raise NotImplementedError

    def settle(self, now: datetime) -> None:
        """Let happen what had to happen until `now`, in order."""
        while True:
            if self.next_at is not None and now >= self.next_at:
                self._arrive(self.next_status, at=self.next_at)
            elif self._is_due(now):
                self._leave("STOPPING", to="STOPPED", at=self.stops_at or now)
            else:
                return

    def act(self, action: str, *, now: datetime) -> None:
        """Start, stop or restart.

        Raises:
            ApiError: 6327 where it should run and does not, 6357 while another action runs or
                where nothing is to do.
        """
        if self.status in CHANGING:
            raise ApiError(errors.BUSY)
        if action == "start":
            if self.status == "RUNNING":
                raise ApiError(errors.BUSY)
            self._leave("STARTING", to="RUNNING", at=now)
            return
        if self.status != "RUNNING":
            raise ApiError(errors.NOT_RUNNING)
        if action == "stop":
            self._leave("STOPPING", to="STOPPED", at=now)
        else:
            self._leave("RESTARTING", to="RUNNING", at=now)

    def force(self, status: str, *, now: datetime) -> None:
        """Put it in a status, as an operator could."""
        self._arrive(status, at=now)

    def _is_due(self, now: datetime) -> bool:
        if not (self.runs_down and self.status == "RUNNING"):
            return False
        return self.stops_at is not None and now >= self.stops_at

    def _leave(self, status: str, *, to: str, at: datetime) -> None:
        self.previous_status, self.status = self.status, status
        self.next_status, self.next_at = to, at + self.transition
        self.running_since = self.stops_at = None

    def _arrive(self, status: str, *, at: datetime) -> None:
        self.previous_status, self.status = self.status, status
        self.next_status, self.next_at = "", None
        self.running_since = self.stops_at = None
        if status == "RUNNING":
            self.running_since = at
            self.run_started(at)
