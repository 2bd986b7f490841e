"""Faults that change the body of a response."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelarts_magics.emulator.faults import Fault


def _iterate_objects(value: object) -> Iterable[dict[str, Any]]:
    """Yield every object inside a JSON value."""
    if isinstance(value, dict):
        yield value
        for inner in list(value.values()):
            yield from _iterate_objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _iterate_objects(inner)


def _with_wrong_type(value: object) -> object:
    """Return a similar value of another JSON type."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return [value]
    if isinstance(value, str):
        return {"text": value}
    return "NULL"


def _wrong_types(body: object, arg: str) -> None:
    names = {arg} if arg else {"name", "description", "status", "auto_stop", "lease"}
    for found in list(_iterate_objects(body)):
        for name in names & set(found):
            found[name] = _with_wrong_type(found[name])


def _other_value(body: object, arg: str) -> None:
    name, _, value = arg.partition("=")
    for found in list(_iterate_objects(body)):
        if name in found:
            found[name] = json.loads(value)


def _remove_fields(*names: str) -> Callable[[object, str], None]:
    def remove(body: object, _arg: str) -> None:
        for found in _iterate_objects(body):
            for name in names:
                is_time = name != "create_at" or "duration" in found
                if is_time:
                    found.pop(name, None)

    return remove


def _shift_remain_time(body: object, arg: str) -> None:
    for found in _iterate_objects(body):
        if isinstance(found.get("remain_time"), int):
            found["remain_time"] += int(float(arg))


_BODY_FAULTS: dict[str, Callable[[object, str], None]] = {
    "wrong-types": _wrong_types,
    "other-value": _other_value,
    "no-stop-timestamp": _remove_fields("stop_timestamp", "create_at"),
    "no-remain-time": _remove_fields("remain_time"),
    "disagreeing-remain": _shift_remain_time,
}


def apply_body_faults(body: object, *, faults: Iterable[Fault]) -> None:
    """Change a response body in place.

    Args:
        body: The JSON value.
        faults: The faults of phase "body" that match the request.
    """
    for fault in faults:
        if fault.name in _BODY_FAULTS:
            _BODY_FAULTS[fault.name](body, fault.arg)
