"""What crosses to a browser: codes and values, never sentences that it could word itself.

Every moment is in milliseconds since 1970 by the cloud's clock, every length in seconds; the other side is
``labextension/src/countdown/messages.ts``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.domain.models import CountsFrom, StopTimeUnknown
from modelarts_magics.domain.planning import PlanContext, stop_time_bounds
from modelarts_magics.errors import ForbiddenError

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from modelarts_magics.domain.models import Change, Effect
    from modelarts_magics.errors import ModelArtsError

_PAGE_CODES = {
    "refuse.off": "off",
    "refuse.idle": "idle",
    "refuse.unknown_end": "past-end",
    "refuse.changed": "changed",
}
"""The refusals that the browser has words for."""


def countdown_payload(context: PlanContext) -> dict[str, Any]:
    """An instance as the countdown in a page wants it."""
    instance = context.instance
    stop = instance.auto_stop
    past = stop.stop_time_unknown is StopTimeUnknown.PAST
    return {
        "id": instance.id,
        "stops_at_ms": _optional_ms(stop.stops_at),
        "status": instance.status.value,
        "enabled": stop.enabled if stop.is_known else None,
        "mode": stop.mode.value if stop.enabled else None,
        "api": instance.api,
        "run_started_at_ms": _optional_ms(context.started_at or stop.duration_start),
        "duration_s": _optional_seconds(stop.duration) if stop.duration_start is None else None,
        "name": instance.name,
        "demo": instance.demo,
        "unknown_reason": "past-end" if past else "",
        "bounds": _bounds_payload(context),
        "can_change": True,
        "reason": "",
    }


def change_response(change: Change) -> dict[str, Any]:
    """What became of a change, as the answer to a click."""
    after = change.after
    values = {
        "duration_s": _optional_seconds(after.auto_stop.duration) if after else None,
        "previous_duration_s": _optional_seconds(change.before.auto_stop.duration),
    }
    return success_response(change.effect, values)


def success_response(effect: Effect, values: dict[str, Any] | None = None) -> dict[str, Any]:
    """What became of something that was carried out."""
    return {"ok": True, "effect": effect.value, "code": "", "values": values or {}, "text": ""}


def error_response(error: ModelArtsError, *, hint: str | None = None) -> dict[str, Any]:
    """Why a click changed nothing, as the answer to it.

    Args:
        error: Why.
        hint: What to do next; None for the error's own.
    """
    code = (
        "no-permission"
        if isinstance(error, ForbiddenError)
        else _PAGE_CODES.get(error.code, error.code)
    )
    text = f"{error.message} {error.hint if hint is None else hint}".strip()
    return {"ok": False, "effect": None, "code": code, "values": {}, "text": text}


def _bounds_payload(context: PlanContext) -> dict[str, Any] | None:
    found = stop_time_bounds(context)
    if found is None:
        return None
    earliest, latest = found
    return {
        "earliest_stop_ms": _optional_ms(earliest),
        "latest_stop_ms": _optional_ms(latest),
        "from_now": context.capabilities.counts_from is CountsFrom.NOW,
    }


def _optional_ms(moment: datetime | None) -> int | None:
    return None if moment is None else datetime_to_ms(moment)


def _optional_seconds(duration: timedelta | None) -> int | None:
    return None if duration is None else round(duration.total_seconds())
