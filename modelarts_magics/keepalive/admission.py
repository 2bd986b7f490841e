"""Decide whether the instance can be kept running for a guard, and until when; pure, like the policy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from modelarts_magics.domain.models import CountsFrom, Mode
from modelarts_magics.keepalive.policy import ARRIVAL_MARGIN, BOUND_TOLERANCE
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from modelarts_magics.keepalive.policy import Situation

ROUNDING = timedelta(minutes=1)
"""A bound that is this much too early for the API is moved: the command and the first renewal take time."""


@dataclass(frozen=True)
class Admission:
    """The answer to a guard.

    Attributes:
        until: The bound, which may have been moved to what is possible.
        refusal: Why the instance cannot be kept; None if it can.
        notes: Facts to tell with the guarantee.
        needs_proof: Whether a renewal has to be tried before the guarantee can be given.
    """

    until: datetime
    refusal: Message | None = None
    notes: tuple[Message, ...] = ()
    needs_proof: bool = False


def admit(
    until: datetime,
    situation: Situation,
    *,
    is_explicit: bool,
    defers_duration: bool | None,
) -> Admission:
    """Return whether the instance can be kept until a bound.

    Args:
        until: The requested bound.
        situation: The instance; its own bound is ignored.
        is_explicit: Whether the user chose the bound; the default is moved silently to what is possible.
        defers_duration: Whether this API applies a new duration at the next start only; None if not observed.
    """
    auto_stop = situation.instance.auto_stop
    if not situation.instance.running:
        status = situation.instance.status.value
        return Admission(until, Message("keep.refused.not_running", {"status": status}))
    if auto_stop.is_known and not auto_stop.enabled:
        return Admission(until, notes=(Message("keep.note.auto_stop_off"),))
    if auto_stop.mode is Mode.IDLE and not situation.may_switch:
        return Admission(until, Message("keep.refused.idle"))
    if not auto_stop.is_known:
        return Admission(until, Message("keep.refused.unknown"))
    if situation.stops_at is not None and situation.stops_at >= until - BOUND_TOLERANCE:
        return Admission(until, notes=(Message("keep.note.not_extended", _stop_time(situation)),))
    if defers_duration and situation.capabilities.counts_from is CountsFrom.RUN_START:
        return Admission(until, Message("keep.refused.next_start", _stop_time(situation)))
    admission = _fit_into_range(until, situation, is_explicit=is_explicit)
    if auto_stop.mode is not Mode.IDLE or admission.refusal is not None:
        return admission
    notes = (*admission.notes, Message("keep.note.switched"))
    return replace(admission, notes=notes, needs_proof=True)


def _fit_into_range(until: datetime, situation: Situation, *, is_explicit: bool) -> Admission:
    notes: tuple[Message, ...] = ()
    needs_proof = not situation.memory.proven
    if situation.capabilities.counts_from is CountsFrom.RUN_START:
        if situation.started_at is None:
            return Admission(until, Message("keep.refused.start_unknown"))
        latest = situation.started_at + situation.capabilities.max_duration
        if until > latest and is_explicit:
            values = {"latest": latest, "possible": latest - situation.now}
            return Admission(until, Message("keep.refused.too_late", values))
        if until > latest:
            until, notes = latest, (Message("keep.note.moved", {"latest": latest}),)
            # The run is at its end already.
            if situation.stops_at is not None and situation.stops_at >= until - BOUND_TOLERANCE:
                return Admission(until, notes=notes)
    earliest = situation.now + situation.min_ahead + ARRIVAL_MARGIN
    if until >= earliest:
        return Admission(until, notes=notes, needs_proof=needs_proof)
    if earliest - until <= ROUNDING:
        return Admission(earliest + ROUNDING / 3, notes=notes, needs_proof=needs_proof)
    shortest = situation.min_ahead - ARRIVAL_MARGIN
    return Admission(until, Message("keep.refused.too_early", {"shortest": shortest}))


def _stop_time(situation: Situation) -> dict[str, object]:
    return {"stop_time": situation.stops_at or situation.now}
