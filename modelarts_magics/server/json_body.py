"""One JSON object of a request, read field by field; what is wrong is named by its field."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from modelarts_magics.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

LONGEST_TEXT = 4096
MOST_ITEMS = 1000


class Body:
    """One JSON object of a request.

    Args:
        data: Its fields.
        allowed: The names that it may have.
        prefix: What stands before its names in an error, as ``auto_stop.``.

    Raises:
        InputError: It has a field that nobody reads.
    """

    def __init__(
        self, data: Mapping[str, Any], *, allowed: Collection[str], prefix: str = ""
    ) -> None:
        self._data = data
        self._prefix = prefix
        extra = sorted(set(data) - set(allowed))
        if extra:
            names = ", ".join(allowed)
            raise InputError("request.unknown", field=self.path(extra[0]), fields=names)

    def __contains__(self, name: str) -> bool:
        return name in self._data

    def path(self, name: str) -> str:
        """The whole name of a field."""
        return f"{self._prefix}{name}"

    def part(self, name: str, *, allowed: Collection[str]) -> Body | None:
        """An object inside this one; None if it is absent."""
        if name not in self:
            return None
        if not isinstance(self._data[name], dict):
            raise self._wrong(name, "an object")
        return Body(self._data[name], allowed=allowed, prefix=f"{self.path(name)}.")

    def text(self, name: str, *, longest: int = LONGEST_TEXT) -> str | None:
        """A text; None if it is absent."""
        value = self._data.get(name)
        if name in self and not isinstance(value, str):
            raise self._wrong(name, "a text")
        if value is not None and len(value) > longest:
            raise self._beyond(name, 0, longest)
        return value

    def flag(self, name: str) -> bool | None:
        """True or false; None if it is absent."""
        value = self._data.get(name)
        if name in self and not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def whole(self, name: str, low: int, high: int, *, null: bool = False) -> int | None:
        """A whole number from `low` to `high`; None if it is absent, or null where that is allowed."""
        value = self._data.get(name)
        if name not in self or (null and value is None):
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._wrong(name, "a whole number")
        if not low <= value <= high:
            raise self._beyond(name, low, high)
        return value

    def choice(self, name: str, choices: Collection[str]) -> str | None:
        """One of some words; None if it is absent."""
        value = self.text(name)
        if value is not None and value not in choices:
            raise InputError("request.choice", field=self.path(name), choices=", ".join(choices))
        return value

    def items(self, name: str) -> list[Any]:
        """A list, empty if it is absent; its items are as they came."""
        value = self._data.get(name, [])
        if not isinstance(value, list):
            raise self._wrong(name, "a list")
        if len(value) > MOST_ITEMS:
            raise self._beyond(name, 0, MOST_ITEMS)
        return value

    def need(self, *names: str) -> None:
        """Insist on fields.

        Raises:
            InputError: The first that is absent is named.
        """
        for name in names:
            if name not in self:
                raise InputError("request.missing", field=self.path(name))

    def nullable(self, name: str) -> bool:
        """Whether the field is there and null."""
        return name in self and self._data[name] is None

    def _wrong(self, name: str, expected: str) -> InputError:
        return InputError("request.kind", field=self.path(name), expected=expected)

    def _beyond(self, name: str, low: int, high: int) -> InputError:
        return InputError("request.range", field=self.path(name), low=low, high=high)


def read(raw: bytes, *, allowed: Collection[str]) -> Body:
    """The body of a request.

    Raises:
        InputError: It is no JSON object, or has a field that nobody reads.
    """
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise InputError("request.json")
    return Body(data, allowed=allowed)
