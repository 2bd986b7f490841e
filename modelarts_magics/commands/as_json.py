"""Instances and changes as JSON: names with units, times in ISO form with their offset."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from modelarts_magics.commands.results import Json
from modelarts_magics.domain.durations import moment_from_ms
from modelarts_magics.messages import here

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from modelarts_magics.domain.models import AutoStop, Change, Instance


def instance_json(instance: Instance, *, everything: bool = False) -> Json:
    """An instance; with `everything` all fields of the seed document too."""
    data = Json(
        id=instance.id,
        name=instance.name,
        description=instance.description,
        status=instance.status.value,
        api=instance.api,
        auto_stop=_auto_stop(instance),
        observed_at=_time(instance.observed_at),
    )
    if everything:
        data.update(_rest(instance))
    return data


def change_json(change: Change) -> Json:
    """A change: ``before``, ``after`` (null if it could not be read back) and ``effect``."""
    after = instance_json(change.after) if change.after else None
    return Json(before=instance_json(change.before), after=after, effect=change.effect.value)


def _auto_stop(instance: Instance) -> dict[str, Any]:
    stop = instance.auto_stop
    return {
        "enabled": stop.enabled if stop.stated else None,
        "mode": stop.mode.value if stop.enabled else None,
        "duration_s": _seconds(stop.duration) if stop.counts_from is None else None,
        "prompt": stop.prompt,
        "stops_at": _time(stop.stops_at),
        "remaining_s": _remaining(stop, instance.observed_at),
    }


def _remaining(stop: AutoStop, now: datetime) -> int | None:
    return None if stop.stops_at is None else max(0, int((stop.stops_at - now).total_seconds()))


def _rest(instance: Instance) -> dict[str, Any]:
    stop = instance.auto_stop
    return {
        "creation_timestamp": _time(instance.created_at),
        "flavor": instance.flavor,
        "profile": _plain(instance.profile),
        "spec": _plain(instance.spec),
        "workspace": _plain(instance.workspace),
        "stop_timestamp": _time(stop.stop_timestamp),
        "remain_time_s": _seconds(stop.remain_time),
        "end_unknown": stop.end_unknown.value if stop.end_unknown else None,
        "demo": instance.demo,
        **_lease(instance),
    }


def _lease(instance: Instance) -> dict[str, Any]:
    """The lease as the cloud wrote it, where the API has one: its duration is no run time."""
    raw = instance.raw.get("lease")
    if not isinstance(raw, dict):
        return {}
    lease = {
        "create_at": _moment(raw.get("create_at")),
        "duration_s": _whole_seconds(raw.get("duration")),
        "update_at": _moment(raw.get("update_at")),
    }
    return {"lease": lease}


def _moment(milliseconds: object) -> str | None:
    """Nothing where it is no moment: only what the countdown needs was checked at the door."""
    try:
        return _time(moment_from_ms(milliseconds)) if isinstance(milliseconds, int) else None
    except ValueError:
        return None


def _whole_seconds(milliseconds: object) -> int | None:
    """Nothing where it is no length, as the -1 of a lease without end."""
    if not isinstance(milliseconds, int) or milliseconds < 0:
        return None
    return round(milliseconds / 1000)


def _plain(value: Any) -> Any:  # noqa: ANN401 - any model
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Enum):
        return value.value
    return dict(value) if hasattr(value, "keys") else value


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else here(moment).isoformat(timespec="seconds")


def _seconds(duration: timedelta | None) -> int | None:
    return None if duration is None else round(duration.total_seconds())
