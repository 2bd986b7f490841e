"""What a fault makes of the body of an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelarts_magics.emulator.faults import Fault


def _walk(value: object) -> Iterable[dict[str, Any]]:
    """Yield every object inside a JSON value."""
    if isinstance(value, dict):
        yield value
        for inner in list(value.values()):
            yield from _walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner)


def _swapped(value: object) -> object:
    """Return a value of another JSON type that says something similar."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return [value]
    if isinstance(value, str):
        return {"text": value}
    return "NULL"


def _wrong_types(body: object, arg: str) -> None:
    names = {arg} if arg else {"name", "description", "status", "auto_stop", "lease"}
    for found in list(_walk(body)):
        for name in names & set(found):
            found[name] = _swapped(found[name])


def _without(*names: str) -> Callable[[object, str], None]:
    def remove(body: object, _arg: str) -> None:
        for found in _walk(body):
            for name in names:
                is_time = name != "create_at" or "duration" in found
                if is_time:
                    found.pop(name, None)

    return remove


def _disagree(body: object, arg: str) -> None:
    for found in _walk(body):
        if isinstance(found.get("remain_time"), int):
            found["remain_time"] += int(float(arg))


_DISTORTIONS: dict[str, Callable[[object, str], None]] = {
    "wrong-types": _wrong_types,
    "no-stop-timestamp": _without("stop_timestamp", "create_at"),
    "no-remain-time": _without("remain_time"),
    "disagreeing-remain": _disagree,
}


def distort(body: object, *, faults: Iterable[Fault]) -> None:
    """Change a body in place as the faults say."""
    for fault in faults:
        if fault.name in _DISTORTIONS:
            _DISTORTIONS[fault.name](body, fault.arg)
