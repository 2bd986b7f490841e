"""What crosses to a browser: codes and values, never sentences that it could word itself.

Every moment is in milliseconds since 1970 by the cloud's clock, every length in seconds; the other side is
``labextension/src/countdown/messages.ts``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelarts_magics.domain.durations import moment_to_ms
from modelarts_magics.domain.models import CountsFrom, EndUnknown
from modelarts_magics.domain.planning import Circumstances, bounds
from modelarts_magics.errors import ForbiddenError

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from modelarts_magics.domain.models import Change, Effect
    from modelarts_magics.errors import ModelArtsError

_CODES = {
    "refuse.off": "off",
    "refuse.idle": "idle",
    "refuse.unknown_end": "past-end",
    "refuse.changed": "changed",
}
"""The refusals that the browser has words for."""


def page_state(given: Circumstances) -> dict[str, Any]:
    """An instance as the countdown in a page wants it."""
    instance = given.instance
    stop = instance.auto_stop
    past = stop.end_unknown is EndUnknown.PAST
    return {
        "id": instance.id,
        "stops_at_ms": _ms(stop.stops_at),
        "status": instance.status.value,
        "enabled": stop.enabled if stop.stated else None,
        "mode": stop.mode.value if stop.enabled else None,
        "api": instance.api,
        "run_started_at_ms": _ms(given.started_at or stop.counts_from),
        "duration_s": _seconds(stop.duration) if stop.counts_from is None else None,
        "name": instance.name,
        "demo": instance.demo,
        "unknown_reason": "past-end" if past else "",
        "bounds": _bounds(given),
        "can_change": True,
        "reason": "",
    }


def change_answer(change: Change) -> dict[str, Any]:
    """What became of a change, as the answer to a click."""
    after = change.after
    values = {
        "duration_s": _seconds(after.auto_stop.duration) if after else None,
        "previous_duration_s": _seconds(change.before.auto_stop.duration),
    }
    return done_answer(change.effect, values)


def done_answer(effect: Effect, values: dict[str, Any] | None = None) -> dict[str, Any]:
    """What became of something that was carried out."""
    return {"ok": True, "effect": effect.value, "code": "", "values": values or {}, "text": ""}


def error_answer(error: ModelArtsError, *, hint: str | None = None) -> dict[str, Any]:
    """Why a click changed nothing, as the answer to it.

    Args:
        error: Why.
        hint: What to do next; None for the error's own.
    """
    code = (
        "no-permission" if isinstance(error, ForbiddenError) else _CODES.get(error.code, error.code)
    )
    text = f"{error.message} {error.hint if hint is None else hint}".strip()
    return {"ok": False, "effect": None, "code": code, "values": {}, "text": text}


def _bounds(given: Circumstances) -> dict[str, Any] | None:
    found = bounds(given)
    if found is None:
        return None
    earliest, latest = found
    return {
        "earliest_stop_ms": _ms(earliest),
        "latest_stop_ms": _ms(latest),
        "from_now": given.capabilities.counts_from is CountsFrom.NOW,
    }


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else moment_to_ms(moment)


def _seconds(duration: timedelta | None) -> int | None:
    return None if duration is None else round(duration.total_seconds())
