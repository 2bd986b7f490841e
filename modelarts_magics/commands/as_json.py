"""JSON of instances and changes: names state units, times are ISO 8601 with an offset."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from modelarts_magics.commands.results import JsonResult
from modelarts_magics.domain.browser_payloads import auto_stop_payload
from modelarts_magics.domain.durations import datetime_from_ms
from modelarts_magics.messages import to_local

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from modelarts_magics.domain.models import AutoStop, Change, Instance, PendingRestore

_MAX_VALUE_LENGTH = 200


def instance_json(instance: Instance, *, all_fields: bool = False) -> JsonResult:
    """Return an instance as JSON.

    Args:
        instance: The instance.
        all_fields: Include all fields that the API documents.
    """
    data = JsonResult(
        id=instance.id,
        name=instance.name,
        description=instance.description,
        status=instance.status.value,
        api=instance.api,
        auto_stop=_auto_stop_fields(instance),
        observed_at=iso_time(instance.observed_at),
    )
    if all_fields:
        data.update(_extra_fields(instance))
    return data


def change_json(change: Change) -> JsonResult:
    """Return a change as JSON: ``before``, ``after`` (null if it could not be read back) and ``effect``.

    ``description_elsewhere``, ``keeps_running`` and ``restore`` are present only where they apply, as in
    `change_response`.
    """
    after = instance_json(change.after) if change.after else None
    data = JsonResult(before=instance_json(change.before), after=after, effect=change.effect.value)
    if change.description_elsewhere is not None:
        data["description_elsewhere"] = change.description_elsewhere
    if change.missed_extension:
        data["keeps_running"] = f"auto-stop {change.capabilities.keeps_running}"
    if change.restore is not None:
        data["restore"] = restore_json(change.restore)
    return data


def restore_json(pending: PendingRestore) -> JsonResult:
    """Return the run time that can be restored for later starts, or will be if `planned` is true."""
    return JsonResult(duration_s=_seconds(pending.duration), planned=pending.planned)


def _auto_stop_fields(instance: Instance) -> dict[str, Any]:
    stop = instance.auto_stop
    payload = auto_stop_payload(stop)
    del payload["stops_at_ms"]
    return {
        **payload,
        "stops_at": iso_time(stop.stops_at),
        "remaining_s": _remaining_s(stop, instance.observed_at),
    }


def _remaining_s(stop: AutoStop, now: datetime) -> int | None:
    return None if stop.stops_at is None else max(0, int((stop.stops_at - now).total_seconds()))


def _extra_fields(instance: Instance) -> dict[str, Any]:
    stop = instance.auto_stop
    return {
        "creation_timestamp": iso_time(instance.created_at),
        "flavor": instance.flavor,
        "profile": _to_json_value(instance.profile),
        "spec": _to_json_value(instance.spec),
        "workspace": _to_json_value(instance.workspace),
        "stop_timestamp": iso_time(stop.stop_timestamp),
        "remain_time_s": _seconds(stop.remain_time),
        "stop_time_unknown": stop.stop_time_unknown.value if stop.stop_time_unknown else None,
        "demo": instance.demo,
        **_lease_fields(instance),
        **_implausible_fields(instance),
    }


def _implausible_fields(instance: Instance) -> dict[str, Any]:
    """Return the values that are not used because they cannot be right, if there are any."""
    values = {name: _short_json(each) for name, each in instance.implausible.items()}
    return {"implausible": values} if values else {}


def _lease_fields(instance: Instance) -> dict[str, Any]:
    """Return the lease as the API reported it, if there is one.

    Its duration counts from the creation of the lease, so it is no run time.
    """
    raw = instance.raw.get("lease")
    if not isinstance(raw, dict):
        return {}
    lease = {
        "create_at": _iso_time_from_ms(raw.get("create_at")),
        "duration_s": _seconds_from_ms(raw.get("duration")),
        "update_at": _iso_time_from_ms(raw.get("update_at")),
    }
    return {"lease": lease}


def _iso_time_from_ms(milliseconds: object) -> str | None:
    """Return None for an invalid timestamp; the API client checks only the fields of the countdown."""
    try:
        return iso_time(datetime_from_ms(milliseconds)) if isinstance(milliseconds, int) else None
    except ValueError:
        return None


def _seconds_from_ms(milliseconds: object) -> int | None:
    """Return None for an invalid duration, for example -1 of a lease without a limit."""
    if not isinstance(milliseconds, int) or milliseconds < 0:
        return None
    return round(milliseconds / 1000)


def _short_json(value: object) -> str:
    """Return a value of unknown size as JSON of one line."""
    return json.dumps(value, ensure_ascii=False)[:_MAX_VALUE_LENGTH]


def _to_json_value(value: Any) -> Any:  # noqa: ANN401 - any model
    if is_dataclass(value):
        return {each.name: _to_json_value(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Enum):
        return value.value
    return dict(value) if hasattr(value, "keys") else value


def iso_time(moment: datetime | None) -> str | None:
    """Return a time in the user's time zone, as in all JSON output; None for None."""
    return None if moment is None else to_local(moment).isoformat(timespec="seconds")


def _seconds(duration: timedelta | None) -> int | None:
    return None if duration is None else round(duration.total_seconds())
