"""What the instances of both APIs share: a status that time changes, and a stop that comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelarts_magics.emulator import errors
from modelarts_magics.emulator.errors import EmulatedApiError

if TYPE_CHECKING:
    from datetime import datetime, timedelta

TRANSITIONAL_STATUSES = ("STARTING", "RESTARTING", "STOPPING")


@dataclass
class EmulatedInstance:
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
        stops_on_time: False keeps it RUNNING past its stop, to play a cloud that is late.
    """

    id: str
    name: str
    description: str | None
    created_at: datetime
    updated_at: datetime
    transition_time: timedelta
    status: str = "RUNNING"
    previous_status: str = "STOPPED"
    running_since: datetime | None = None
    stops_at: datetime | None = None
    stops_on_time: bool = True
    next_status: str = ""
    next_status_at: datetime | None = None

    def start_run(self, started_at: datetime) -> None:
        """Set `stops_at` for a run that reaches RUNNING; each API has its own rule."""
        raise NotImplementedError

    def advance_to(self, now: datetime) -> None:
        """Let happen what had to happen until `now`, in order."""
        while True:
            if self.next_status_at is not None and now >= self.next_status_at:
                self._enter_status(self.next_status, at=self.next_status_at)
            elif self._should_stop(now):
                self._begin_transition("STOPPING", to="STOPPED", at=self.stops_at or now)
            else:
                return

    def perform_action(self, action: str, *, now: datetime) -> None:
        """Start, stop or restart.

        Raises:
            ApiError: 6327 where it should run and does not, 6357 while another action runs or
                where nothing is to do.
        """
        if self.status in TRANSITIONAL_STATUSES:
            raise EmulatedApiError(errors.BUSY)
        if action == "start":
            if self.status == "RUNNING":
                raise EmulatedApiError(errors.BUSY)
            self._begin_transition("STARTING", to="RUNNING", at=now)
            return
        if self.status != "RUNNING":
            raise EmulatedApiError(errors.NOT_RUNNING)
        if action == "stop":
            self._begin_transition("STOPPING", to="STOPPED", at=now)
        else:
            self._begin_transition("RESTARTING", to="RUNNING", at=now)

    def set_status(self, status: str, *, now: datetime) -> None:
        """Put it in a status, as an operator could."""
        self._enter_status(status, at=now)

    def _should_stop(self, now: datetime) -> bool:
        if not (self.stops_on_time and self.status == "RUNNING"):
            return False
        return self.stops_at is not None and now >= self.stops_at

    def _begin_transition(self, status: str, *, to: str, at: datetime) -> None:
        self.previous_status, self.status = self.status, status
        self.next_status, self.next_status_at = to, at + self.transition_time
        self.running_since = self.stops_at = None

    def _enter_status(self, status: str, *, at: datetime) -> None:
        self.previous_status, self.status = self.status, status
        self.next_status, self.next_status_at = "", None
        self.running_since = self.stops_at = None
        if status == "RUNNING":
            self.running_since = at
            self.start_run(at)
