"""How long is left, and how pressing that is. Pure; TypeScript follows the same table of cases.

The cases are in ``tests/contract/countdown.json``; both languages are held to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from modelarts_magics import messages
from modelarts_magics.domain.models import AutoStop, Instance, Mode, Status

SOON_THRESHOLD = timedelta(minutes=30)
URGENT_THRESHOLD = timedelta(minutes=10)
STOP_GRACE_PERIOD = timedelta(seconds=60)
"""How long after its end a run is still taken to be stopping rather than misjudged."""
_ZERO = timedelta(0)


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
class CountdownState:
    """The state of the countdown at one moment.

    Attributes:
        phase: How pressing the end is.
        time_left: Whole seconds left, never negative; None where nothing counts down or has.
    """

    phase: Phase
    time_left: timedelta | None = None

    @property
    def label(self) -> str:
        """The time left in words, or the phase's word."""
        if self.time_left is None or self.phase is Phase.STOPPING:
            return messages.text(f"phase.{self.phase.value}")
        return messages.format_time_left(self.time_left)


def instance_countdown(instance: Instance, now: datetime) -> CountdownState:
    """The countdown of the instance at `now` (aware, by the cloud's clock)."""
    return compute_countdown(instance.status, instance.auto_stop, now)


def compute_countdown(status: Status, auto_stop: AutoStop, now: datetime) -> CountdownState:
    """The countdown of a status and an auto-stop at `now` (aware, by the cloud's clock)."""
    if status.stopping:
        return CountdownState(Phase.STOPPING, _ZERO)
    if status.stopped:
        return CountdownState(Phase.STOPPED)
    if auto_stop.is_known and not auto_stop.enabled:
        return CountdownState(Phase.OFF)
    if not status.running:
        return CountdownState(Phase.UNKNOWN)
    if auto_stop.mode is Mode.IDLE:
        return CountdownState(Phase.IDLE)
    if auto_stop.stops_at is None:
        return CountdownState(Phase.UNKNOWN)
    return _running_countdown(auto_stop.stops_at - now)


def _running_countdown(time_left: timedelta) -> CountdownState:
    if time_left < -STOP_GRACE_PERIOD:
        return CountdownState(Phase.UNKNOWN)
    if time_left <= _ZERO:
        return CountdownState(Phase.STOPPING, _ZERO)
    whole = timedelta(seconds=time_left // timedelta(seconds=1))
    if whole <= URGENT_THRESHOLD:
        return CountdownState(Phase.URGENT, whole)
    return CountdownState(Phase.SOON if whole <= SOON_THRESHOLD else Phase.CALM, whole)


def stop_message(instance: Instance) -> messages.Message:
    """When and whether this run stops, as a sentence that stays true."""
    stop = instance.auto_stop
    if instance.status.stopped or instance.status.stopping:
        return messages.Message("stop.ended", {"status": instance.status.value})
    if stop.is_known and not stop.enabled:
        return messages.Message("stop.off")
    if not instance.running:
        return messages.Message("stop.not_running", {"status": instance.status.value})
    if stop.mode is Mode.IDLE:
        return messages.Message("stop.idle")
    if stop.stops_at is None:
        return messages.Message(
            f"stop.{stop.stop_time_unknown.value if stop.stop_time_unknown else 'missing'}"
        )
    now = instance.observed_at
    left = max(stop.stops_at - now, timedelta(0))
    code = "stop.at" if messages.same_day(stop.stops_at, now) else "stop.at_other_day"
    return messages.Message(code, {"end": stop.stops_at, "left": left, "now": now})
