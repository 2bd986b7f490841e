"""How long is left, and how pressing that is. Pure; TypeScript follows the same table of cases.

The cases are in ``tests/contract/countdown.json``; both languages are held to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from modelarts_magics import messages
from modelarts_magics.models import AutoStop, Instance, Mode, Status

SOON = timedelta(minutes=30)
URGENT = timedelta(minutes=10)
GRACE = timedelta(seconds=60)
"""How long after its end a run is still taken to be stopping rather than misjudged."""


class Phase(str, Enum):
    """How pressing the end is."""

    CALM = "calm"
    SOON = "soon"
    URGENT = "urgent"
    STOPPING = "stopping"
    STOPPED = "stopped"
    OFF = "off"
    IDLE = "idle"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Countdown:
    """The state of the countdown at one moment.

    Attributes:
        phase: How pressing the end is.
        remaining: Whole seconds left, never negative; None where nothing counts down.
    """

    phase: Phase
    remaining: timedelta | None = None

    @property
    def label(self) -> str:
        """The time left in words, or the phase's word."""
        if self.remaining is None:
            return messages.text(f"phase.{self.phase.value}")
        return messages.left(self.remaining)


def countdown(instance: Instance, now: datetime) -> Countdown:
    """The countdown of the instance at `now` (aware, by the cloud's clock)."""
    return count(instance.status, instance.auto_stop, now)


def count(status: Status, auto_stop: AutoStop, now: datetime) -> Countdown:
    """The countdown of a status and an auto-stop at `now` (aware, by the cloud's clock)."""
    if status.stopping:
        return Countdown(Phase.STOPPING)
    if status.stopped:
        return Countdown(Phase.STOPPED)
    if not auto_stop.enabled:
        return Countdown(Phase.OFF)
    if not status.running:
        return Countdown(Phase.UNKNOWN)
    if auto_stop.mode is Mode.IDLE:
        return Countdown(Phase.IDLE)
    if auto_stop.stops_at is None:
        return Countdown(Phase.UNKNOWN)
    return _run_down(auto_stop.stops_at - now)


def _run_down(remaining: timedelta) -> Countdown:
    if remaining <= -GRACE:
        return Countdown(Phase.UNKNOWN)
    if remaining <= timedelta(0):
        return Countdown(Phase.STOPPING)
    whole = timedelta(seconds=remaining // timedelta(seconds=1))
    if remaining <= URGENT:
        return Countdown(Phase.URGENT, whole)
    return Countdown(Phase.SOON if remaining <= SOON else Phase.CALM, whole)
