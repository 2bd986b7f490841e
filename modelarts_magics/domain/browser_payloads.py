"""Serialise an instance and the result of a change for a browser.

Times are in milliseconds since 1970 by the API's clock, durations in seconds. The browser translates the codes.
The TypeScript types are in ``labextension/src/countdown/messages.ts`` and ``labextension/src/tokens.ts``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.domain.models import CountsFrom, StopTimeUnknown
from modelarts_magics.domain.planning import PlanContext, stop_time_bounds
from modelarts_magics.errors import ForbiddenError

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from modelarts_magics.domain.models import AutoStop, Change, Effect
    from modelarts_magics.errors import ModelArtsError

_PAGE_CODES = {
    "refuse.auto_stop_off": "off",
    "refuse.idle_mode": "idle",
    "refuse.stop_time_passed": "stop-time-passed",
    "refuse.stop_time_unknown": "stop-time-unknown",
    "refuse.stop_time_changed": "changed",
    "refuse.lengthens_later_runs": "lengthens-later-runs",
}
"""The codes that the page translates itself, by the code of the error."""

READ_ONLY_REASON = "read-only"
"""The reason why nothing can be changed while the process cannot call the API."""


def countdown_payload(context: PlanContext) -> dict[str, Any]:
    """Return the state that a countdown in a page shows: identity, auto-stop and the bounds of a change."""
    instance = context.instance
    stop = instance.auto_stop
    passed = stop.stop_time_unknown is StopTimeUnknown.PAST
    return {
        "id": instance.id,
        "name": instance.name,
        "status": instance.status.value,
        "api": instance.api,
        "demo": instance.demo,
        **auto_stop_payload(stop),
        "run_started_at_ms": _optional_ms(context.started_at or stop.duration_start),
        "unknown_reason": "stop-time-passed" if passed else "",
        "passed_stop_ms": _optional_ms(stop.passed_stop_time),
        "bounds": _bounds_payload(context),
        "can_change": True,
        "reason": "",
    }


def instance_payload(context: PlanContext, *, read_only: bool = False) -> dict[str, Any]:
    """Return everything that the panel shows of an instance.

    Args:
        context: The instance and what a change of it depends on.
        read_only: Whether this process cannot call the API, so that nothing can be changed.
    """
    payload = {
        **countdown_payload(context),
        "description": context.instance.description,
        "flavor": context.instance.flavor,
    }
    if read_only:
        payload.update(can_change=False, reason=READ_ONLY_REASON)
    return payload


def auto_stop_payload(auto_stop: AutoStop) -> dict[str, Any]:
    """Return the auto-stop settings and the stop time.

    ``enabled`` is None if the API did not say whether auto-stop is on, ``mode`` if it is not on. ``duration_s`` is
    None for a lease, whose length is not a run time setting.
    """
    is_lease = auto_stop.duration_start is not None
    return {
        "enabled": auto_stop.enabled if auto_stop.is_known else None,
        "mode": auto_stop.mode.value if auto_stop.enabled else None,
        "duration_s": None if is_lease else _optional_seconds(auto_stop.duration),
        "prompt": auto_stop.prompt,
        "stops_at_ms": _optional_ms(auto_stop.stops_at),
    }


def change_response(change: Change) -> dict[str, Any]:
    """Return the result of a change as the response to a click.

    ``keeps_running`` is what may keep this run if it was to be extended and was not.
    """
    after = change.after
    values: dict[str, Any] = {
        "duration_s": _optional_seconds(after.auto_stop.duration) if after else None,
        "previous_duration_s": _optional_seconds(change.before.auto_stop.duration),
    }
    if change.description_elsewhere is not None:
        values["description_elsewhere"] = change.description_elsewhere
    if change.missed_extension:
        values["keeps_running"] = change.capabilities.keeps_running
    return success_response(change.effect, values)


def success_response(effect: Effect, values: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the response to a request that was carried out."""
    return {"ok": True, "effect": effect.value, "code": "", "values": values or {}, "text": ""}


def error_response(error: ModelArtsError, *, hint: str | None = None) -> dict[str, Any]:
    """Return the response to a click that changed nothing.

    Args:
        error: The reason.
        hint: The advice to show after it; None for the error's own hint.
    """
    code = (
        "no-permission"
        if isinstance(error, ForbiddenError)
        else _PAGE_CODES.get(error.code, error.code)
    )
    text = f"{error.message} {error.hint if hint is None else hint}".strip()
    values = {
        name: _optional_seconds(error.values.get(key))
        for name, key in (("duration_s", "duration"), ("previous_duration_s", "old"))
        if code == "lengthens-later-runs"
    }
    return {"ok": False, "effect": None, "code": code, "values": values, "text": text}


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
