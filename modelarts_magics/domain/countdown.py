"""Compute the time left and its phase.

The page does the same in TypeScript; both are tested with the cases in
``tests/contract/countdown.json``.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from modelarts_magics.domain.models import AutoStop, Instance, Mode, Status, StopTimeUnknown, Word
from modelarts_magics.messages import Message, format_time_left, same_day, text

SOON_THRESHOLD = timedelta(minutes=30)
URGENT_THRESHOLD = timedelta(minutes=10)
STOP_GRACE_PERIOD = timedelta(seconds=60)
"""A run this long past its stop time still counts as stopping; later, the stop time is unknown."""
_ZERO = timedelta(0)


class Phase(Word):
    """How urgent the stop is."""

    CALM = "calm"
    SOON = "soon"
    URGENT = "urgent"
    STOPPING = "stopping"
    STOPPED = "stopped"
    OFF = "off"
    IDLE = "idle"
    UNKNOWN = "unknown"


class CountdownState(NamedTuple):
    """The countdown at one moment.

    Attributes:
        phase: How urgent the stop is.
        time_left: Whole seconds left, never negative; None if nothing is counted down.
    """

    phase: Phase
    time_left: timedelta | None = None

    @property
    def label(self) -> str:
        """The time left as text, or the name of the phase."""
        if self.time_left is None or self.phase is Phase.STOPPING:
            return text(f"phase.{self.phase.value}")
        return format_time_left(self.time_left)


def instance_countdown(instance: Instance, now: datetime) -> CountdownState:
    """Return the countdown of an instance.

    Args:
        instance: The instance.
        now: The time of the API, aware.
    """
    return compute_countdown(instance.status, instance.auto_stop, now)


def compute_countdown(status: Status, auto_stop: AutoStop, now: datetime) -> CountdownState:
    """Return the countdown for a status and an auto-stop.

    Args:
        status: The status of the instance.
        auto_stop: Its auto-stop.
        now: The time of the API, aware.
    """
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


def stop_message(instance: Instance) -> Message:
    """Return whether and when this run stops, as a sentence that stays true.

    The sentence names absolute times, so it is still correct when it is read later.
    """
    auto_stop = instance.auto_stop
    if instance.status.stopped or instance.status.stopping:
        return Message("stop.stopping_or_stopped", {"status": instance.status.value})
    if auto_stop.is_known and not auto_stop.enabled:
        return Message("stop.off")
    if not instance.running:
        return Message("stop.not_running", {"status": instance.status.value})
    if auto_stop.mode is Mode.IDLE:
        return Message("stop.idle")
    if auto_stop.stops_at is None:
        reason = auto_stop.stop_time_unknown or StopTimeUnknown.MISSING
        return Message(f"stop.{reason.value}")
    return _stop_time_message(auto_stop.stops_at, instance.observed_at)


def _stop_time_message(stop_time: datetime, now: datetime) -> Message:
    code = "stop.at" if same_day(stop_time, now) else "stop.at_other_day"
    left = max(stop_time - now, timedelta(0))
    return Message(code, {"stop_time": stop_time, "time_left": left, "now": now})
