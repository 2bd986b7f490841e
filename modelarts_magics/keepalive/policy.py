"""Decide for the guards of an instance: renew its auto-stop, wait, or let go.

Everything here is a pure function of values, without I/O and without a clock, so that thousands of simulated runs
test it. All times are aware and by the clock of the API.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING

from modelarts_magics.domain.models import CountsFrom, Effect, Mode, StopTimeUnknown
from modelarts_magics.domain.planning import MIN_TIME_LEFT

if TYPE_CHECKING:
    from modelarts_magics.domain.models import AutoStop, Capabilities, Change, Instance

LEAD = timedelta(minutes=65)
"""A renewal is due this long before the stop time, so that the run survives an hour of refused requests."""
AHEAD = timedelta(minutes=120)
"""A renewal sets the stop time this far from now, about an hour after the previous one."""
RENEWAL_GAP = timedelta(minutes=30)
"""The shortest time between two renewals."""
URGENT = timedelta(minutes=15)
"""This long before the stop time, the shortest time between two renewals does not matter."""
LAST_CHANCE = timedelta(minutes=25)
"""How long before the last possible moment the renewal to the bound is sent."""
ARRIVAL_MARGIN = timedelta(seconds=2)
"""Subtracted from the bound where the API counts from the arrival of the request, which is later than now."""
BOUND_TOLERANCE = timedelta(seconds=10)
"""A stop time this close to the bound counts as the bound."""
SMALLEST_STEP = timedelta(minutes=5)
"""The smallest shift of the stop time whose effect can be told for certain."""
TAKEOVER_TOLERANCE = timedelta(seconds=60)
"""A stop time that has moved by less was not changed by anyone."""
SENT_LIFETIME = timedelta(minutes=30)
"""How long a write of unknown outcome may still be applied."""
PROBLEM_THRESHOLD = timedelta(minutes=30)
"""A renewal that fails is reported to the user from this time before the stop on."""
READ_INTERVAL = timedelta(minutes=5)
READ_INTERVAL_NEAR_STOP = timedelta(minutes=1)
_FIRST_RETRY = timedelta(seconds=30)
_LAST_RETRY = timedelta(minutes=3)
_LONGEST_WAIT = timedelta(minutes=4)
_LAST_RETRY_NEAR_STOP = timedelta(minutes=1)


@dataclass(frozen=True)
class SentRenewal:
    """A renewal whose outcome is unknown.

    Attributes:
        target: The stop time that it sets.
        sent_at: When it was sent.
    """

    target: datetime
    sent_at: datetime


@dataclass(frozen=True)
class Memory:
    """The daemon's knowledge about its own renewals.

    Attributes:
        known: The auto-stop as it was last set or accepted by the daemon; None before the first reading.
        sent: The renewals whose outcome is unknown, which may be applied late.
        renewed_at: When the last renewal was sent; None if there was none.
        retry_at: Before this time no renewal is sent; None if the last one did not fail.
        failures: How many renewals have failed in a row.
        proven: Whether a renewal of this run by this daemon has taken effect.
    """

    known: AutoStop | None = None
    sent: tuple[SentRenewal, ...] = ()
    renewed_at: datetime | None = None
    retry_at: datetime | None = None
    failures: int = 0
    proven: bool = False


@dataclass(frozen=True)
class Situation:
    """The input of a decision.

    Attributes:
        now: The current time.
        instance: The instance as read last.
        capabilities: The capabilities of its API.
        started_at: When this run started, if known.
        bounds: The bounds of the guards.
        memory: The daemon's knowledge.
        must_prove: Whether a guard waits for the proof that renewals take effect.
        may_switch: Whether a guard allows to replace idle mode by a fixed stop time.
    """

    now: datetime
    instance: Instance
    capabilities: Capabilities
    started_at: datetime | None
    bounds: tuple[datetime, ...] = ()
    memory: Memory = Memory()
    must_prove: bool = False
    may_switch: bool = False

    @property
    def bound(self) -> datetime | None:
        """The latest bound of the guards; None without guards."""
        return max(self.bounds, default=None)

    @property
    def stops_at(self) -> datetime | None:
        """The stop time of this run; None if there is none or it is unknown."""
        return self.instance.auto_stop.stops_at

    @property
    def min_ahead(self) -> timedelta:
        """The time from now to the earliest stop time that a renewal can set."""
        if self.capabilities.counts_from is CountsFrom.NOW:
            return self.capabilities.min_duration + ARRIVAL_MARGIN
        if self.started_at is None:
            return MIN_TIME_LEFT
        return max(MIN_TIME_LEFT, self.started_at + self.capabilities.min_duration - self.now)

    @property
    def last_target(self) -> datetime | None:
        """The stop time of the last renewal, which ends at the bound."""
        if self.bound is None or self.capabilities.counts_from is not CountsFrom.NOW:
            return self.bound
        return self.bound - ARRIVAL_MARGIN


def decide(situation: Situation) -> datetime | None:
    """Return the stop time to set now; None to wait."""
    if not needs_renewal(situation):
        return None
    target = renewal_target(situation)
    return target if target is not None and situation.now >= _due_at(situation) else None


def needs_renewal(situation: Situation) -> bool:
    """Return whether the run would stop before the bound, and a renewal could change that."""
    auto_stop, bound = situation.instance.auto_stop, situation.bound
    if bound is None or bound <= situation.now or not situation.instance.running:
        return False
    if not auto_stop.enabled:
        return False
    if auto_stop.mode is Mode.IDLE:
        return situation.may_switch
    if auto_stop.stops_at is None:
        return auto_stop.stop_time_unknown is StopTimeUnknown.PAST
    return auto_stop.stops_at < bound - BOUND_TOLERANCE


def renewal_target(situation: Situation) -> datetime | None:
    """Return the stop time that a renewal would set now; None if the bound is too close for one.

    A renewal to the bound must be possible after each renewal, so the last step may be a little longer.
    """
    last = situation.last_target
    if last is None or last - situation.now < situation.min_ahead - ARRIVAL_MARGIN:
        return None
    target = situation.now + max(AHEAD, situation.min_ahead)
    next_renewal = target - LEAD
    if last - next_renewal < situation.min_ahead + LAST_CHANCE:
        return last
    if situation.stops_at is not None:
        target = max(target, situation.stops_at + SMALLEST_STEP)
    return min(last, target)


def _due_at(situation: Situation) -> datetime:
    memory, stops_at, last = situation.memory, situation.stops_at, situation.last_target
    due_at = situation.now
    if situation.must_prove:
        return due_at
    if stops_at is not None and last is not None:
        # When the guard with the latest bound ends early, the bounds of the others must still be within reach.
        bounds = [each for each in situation.bounds if each > stops_at + BOUND_TOLERANCE]
        due_at = min(stops_at - LEAD, min(bounds, default=last) - situation.min_ahead - LAST_CHANCE)
        if memory.renewed_at is not None:
            due_at = max(due_at, min(memory.renewed_at + RENEWAL_GAP, stops_at - URGENT))
    return max(due_at, memory.retry_at) if memory.retry_at else due_at


def next_read_at(situation: Situation) -> datetime:
    """Return when to read the instance again."""
    near = situation.stops_at is None or situation.stops_at - situation.now <= PROBLEM_THRESHOLD
    return situation.now + (READ_INTERVAL_NEAR_STOP if near else READ_INTERVAL)


class Takeover(str, Enum):
    """The consequence of a change by anyone else while the instance is guarded."""

    NONE = "none"
    """Nothing was changed."""
    LATER = "later"
    """The run stops later, or no longer by itself; the guards go on."""
    EARLIER = "earlier"
    """The run stops earlier; the guards end."""
    MODE = "mode"
    """Auto-stop depends on low use now; the guards end."""
    STOPPED = "stopped"
    """The instance does not run any more; the guards end."""

    @property
    def ends_guards(self) -> bool:
        """Whether the guards end."""
        return self in (Takeover.EARLIER, Takeover.MODE, Takeover.STOPPED)


def observe(memory: Memory, instance: Instance, *, now: datetime) -> tuple[Memory, Takeover]:
    """Compare a reading with the daemon's knowledge.

    Returns:
        The updated knowledge, and the consequence of a change by anyone else.
    """
    if instance.status.stopping or instance.status.stopped:
        return memory, Takeover.STOPPED
    current = instance.auto_stop
    is_unknown = not current.is_known or (
        current.enabled and current.mode is Mode.TIMING and current.stops_at is None
    )
    if not instance.running or is_unknown:
        return memory, Takeover.NONE
    sent = tuple(each for each in memory.sent if now - each.sent_at <= SENT_LIFETIME)
    own = next((each for each in sent if _is_near(current.stops_at, each.target)), None)
    updated = replace(memory, known=current, sent=sent)
    if memory.known is None:
        return updated, Takeover.NONE
    if own is not None:
        renewed_at = max(filter(None, (memory.renewed_at, own.sent_at)))
        return replace(updated, renewed_at=renewed_at, proven=True), Takeover.NONE
    takeover = _compare(memory.known, current)
    # A change that ends the guards counts when a second reading confirms it, so it is not accepted yet.
    return memory if takeover.ends_guards else updated, takeover


def _compare(known: AutoStop, current: AutoStop) -> Takeover:
    if not current.enabled:
        return Takeover.LATER if known.enabled else Takeover.NONE
    if current.mode is Mode.IDLE:
        return Takeover.NONE if known.mode is Mode.IDLE else Takeover.MODE
    if known.stops_at is None:
        # Auto-stop was off or depended on low use.
        return Takeover.EARLIER
    if _is_near(current.stops_at, known.stops_at) or current.stops_at is None:
        return Takeover.NONE
    return Takeover.LATER if current.stops_at > known.stops_at else Takeover.EARLIER


def _is_near(one: datetime | None, other: datetime) -> bool:
    return one is not None and abs(one - other) <= TAKEOVER_TOLERANCE


def is_own_stop_time(stops_at: datetime | None, targets: tuple[datetime, ...]) -> bool:
    """Return whether a stop time is one of those that the daemon has set."""
    return any(_is_near(stops_at, each) for each in targets)


def note_renewal(memory: Memory, change: Change, *, now: datetime) -> Memory:
    """Return the knowledge after a renewal that has been read back.

    Args:
        memory: The knowledge before.
        change: The renewal and its effect.
        now: The current time.
    """
    if change.effect is not Effect.NOW or change.after is None:
        return note_failure(memory, now=now, stops_at=change.before.auto_stop.stops_at)
    stops_at = change.after.auto_stop.stops_at
    return replace(
        memory,
        known=change.after.auto_stop,
        sent=tuple(each for each in memory.sent if not _is_near(stops_at, each.target)),
        renewed_at=now,
        retry_at=None,
        failures=0,
        proven=True,
    )


def note_sent(memory: Memory, target: datetime, *, now: datetime) -> Memory:
    """Return the knowledge that a renewal was sent, which may take effect at any time."""
    return replace(memory, sent=(*memory.sent, SentRenewal(target, now)))


def note_failure(
    memory: Memory,
    *,
    now: datetime,
    stops_at: datetime | None,
    retry_after: timedelta | None = None,
) -> Memory:
    """Return the knowledge after a renewal that failed, with the time of the next attempt.

    Args:
        memory: The knowledge before.
        now: The current time.
        stops_at: The stop time of this run; attempts are more frequent near it.
        retry_after: The wait that the API asked for.
    """
    near = stops_at is None or stops_at - now <= PROBLEM_THRESHOLD
    longest = _LAST_RETRY_NEAR_STOP if near else _LAST_RETRY
    delay = min(_FIRST_RETRY * 2 ** min(memory.failures, 6), longest)
    if retry_after is not None:
        # A longer wait could miss the last moment at which a renewal is possible.
        most = _LAST_RETRY_NEAR_STOP if near else _LONGEST_WAIT
        delay = max(delay, min(retry_after, most))
    return replace(memory, retry_at=now + delay, failures=memory.failures + 1)
