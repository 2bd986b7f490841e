"""Instance behaviour common to both APIs: status transitions and the automatic stop."""

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
    """Emulated instance.

    Attributes:
        id: The id.
        name: The name.
        description: The description; a test may set an invalid one.
        created_at: When it was created.
        updated_at: When it was last written.
        transition_time: How long STARTING, RESTARTING and STOPPING last.
        status: The status in the terms of the API.
        previous_status: The status before the last transition.
        running_since: When the current run became RUNNING.
        stops_at: The stop time of the current run; None for never.
        stops_on_time: False keeps it RUNNING past its stop time.
        next_status: The status after the current transition.
        next_status_at: When the current transition ends.
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
        """Set `stops_at` of a run that becomes RUNNING; the rule depends on the API."""
        raise NotImplementedError

    def advance_to(self, now: datetime) -> None:
        """Apply all transitions that are due at a time, in order."""
        while True:
            if self.next_status_at is not None and now >= self.next_status_at:
                self._enter_status(self.next_status, at=self.next_status_at)
            elif self._should_stop(now):
                self._begin_transition("STOPPING", to="STOPPED", at=self.stops_at or now)
            else:
                return

    def perform_action(self, action: str, *, now: datetime) -> None:
        """Start, stop or restart the instance.

        Raises:
            EmulatedApiError: 6327 if it is not running but has to be; 6357 if another action is in
                progress or the instance is in the requested status already.
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
        """Set the status without a transition."""
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
