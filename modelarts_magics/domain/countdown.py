"""How long is left, and how pressing that is. Pure; TypeScript follows the same table of cases.

The cases are in ``tests/contract/countdown.json``; both languages are held to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from modelarts_magics import messages
from modelarts_magics.domain.models import AutoStop, Instance, Mode, Status

SOON = timedelta(minutes=30)
URGENT = timedelta(minutes=10)
GRACE = timedelta(seconds=60)
"""How long after its end a run is still taken to be stopping rather than misjudged."""
_OVER = timedelta(0)


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
        remaining: Whole seconds left, never negative; None where nothing counts down or has.
    """

    phase: Phase
    remaining: timedelta | None = None

    @property
    def label(self) -> str:
        """The time left in words, or the phase's word."""
        if self.remaining is None or self.phase is Phase.STOPPING:
            return messages.text(f"phase.{self.phase.value}")
        return messages.left(self.remaining)


def countdown(instance: Instance, now: datetime) -> Countdown:
    """The countdown of the instance at `now` (aware, by the cloud's clock)."""
    return count(instance.status, instance.auto_stop, now)


def count(status: Status, auto_stop: AutoStop, now: datetime) -> Countdown:
    """The countdown of a status and an auto-stop at `now` (aware, by the cloud's clock)."""
    if status.stopping:
        return Countdown(Phase.STOPPING, _OVER)
    if status.stopped:
        return Countdown(Phase.STOPPED)
    if auto_stop.stated and not auto_stop.enabled:
        return Countdown(Phase.OFF)
    if not status.running:
        return Countdown(Phase.UNKNOWN)
    if auto_stop.mode is Mode.IDLE:
        return Countdown(Phase.IDLE)
    if auto_stop.stops_at is None:
        return Countdown(Phase.UNKNOWN)
    return _run_down(auto_stop.stops_at - now)


def _run_down(remaining: timedelta) -> Countdown:
    if remaining < -GRACE:
        return Countdown(Phase.UNKNOWN)
    if remaining <= _OVER:
        return Countdown(Phase.STOPPING, _OVER)
    whole = timedelta(seconds=remaining // timedelta(seconds=1))
    if whole <= URGENT:
        return Countdown(Phase.URGENT, whole)
    return Countdown(Phase.SOON if whole <= SOON else Phase.CALM, whole)


def stop_fact(instance: Instance) -> messages.Message:
    """When and whether this run stops, as a sentence that stays true."""
    stop = instance.auto_stop
    if instance.status.stopped or instance.status.stopping:
        return messages.Message("stop.ended", {"status": instance.status.value})
    if stop.stated and not stop.enabled:
        return messages.Message("stop.off")
    if not instance.running:
        return messages.Message("stop.not_running", {"status": instance.status.value})
    if stop.mode is Mode.IDLE:
        return messages.Message("stop.idle")
    if stop.stops_at is None:
        return messages.Message(f"stop.{stop.end_unknown.value if stop.end_unknown else 'missing'}")
    now = instance.observed_at
    left = max(stop.stops_at - now, timedelta(0))
    code = "stop.at" if messages.same_day(stop.stops_at, now) else "stop.at_other_day"
    return messages.Message(code, {"end": stop.stops_at, "left": left, "now": now})
