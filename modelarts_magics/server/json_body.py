"""Read a JSON object of a request field by field; an error names the field."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from modelarts_magics.errors import InputError
from modelarts_magics.messages import join_list

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

MAX_TEXT_LENGTH = 4096
MAX_ITEMS = 1000


class JsonBody:
    """A JSON object of a request.

    Args:
        data: The fields.
        allowed: The names of the fields that it may have.
        prefix: The prefix of the field names in errors, such as ``auto_stop.``.

    Raises:
        InputError: It has another field.
    """

    def __init__(
        self, data: Mapping[str, Any], *, allowed: Collection[str], prefix: str = ""
    ) -> None:
        self._data = data
        self._prefix = prefix
        extra = sorted(set(data) - set(allowed))
        if extra:
            names = join_list(allowed)
            raise InputError("request.unknown_field", field=self.field_path(extra[0]), fields=names)

    def __contains__(self, name: str) -> bool:
        return name in self._data

    def field_path(self, name: str) -> str:
        """Return the full name of a field."""
        return f"{self._prefix}{name}"

    def get_object(self, name: str, *, allowed: Collection[str]) -> JsonBody | None:
        """Return an object inside this one; None if it is absent."""
        if name not in self:
            return None
        if not isinstance(self._data[name], dict):
            raise self._type_error(name, "object")
        return JsonBody(self._data[name], allowed=allowed, prefix=f"{self.field_path(name)}.")

    def get_text(self, name: str, *, max_length: int = MAX_TEXT_LENGTH) -> str | None:
        """Return a string of at most `max_length` characters; None if it is absent."""
        value = self._data.get(name)
        if name in self and not isinstance(value, str):
            raise self._type_error(name, "string")
        if value is not None and len(value) > max_length:
            raise self._range_error(name, 0, max_length)
        return value

    def get_bool(self, name: str) -> bool | None:
        """Return a boolean; None if it is absent."""
        value = self._data.get(name)
        if name in self and not isinstance(value, bool):
            raise self._type_error(name, "boolean")
        return value

    def get_int(
        self, name: str, minimum: int, maximum: int, *, nullable: bool = False
    ) -> int | None:
        """Return an integer from `minimum` to `maximum`; None if it is absent, or null and `nullable`."""
        value = self._data.get(name)
        if name not in self or (nullable and value is None):
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._type_error(name, "integer")
        if not minimum <= value <= maximum:
            raise self._range_error(name, minimum, maximum)
        return value

    def get_choice(self, name: str, choices: Collection[str]) -> str | None:
        """Return one of the `choices`; None if it is absent."""
        value = self.get_text(name)
        if value is not None and value not in choices:
            raise InputError(
                "request.invalid_choice", field=self.field_path(name), choices=join_list(choices)
            )
        return value

    def get_list(self, name: str) -> list[Any]:
        """Return a list of at most 1000 unchecked items, empty if it is absent."""
        value = self._data.get(name, [])
        if not isinstance(value, list):
            raise self._type_error(name, "list")
        if len(value) > MAX_ITEMS:
            raise self._range_error(name, 0, MAX_ITEMS)
        return value

    def require(self, *names: str) -> None:
        """Check that the fields are present.

        Raises:
            InputError: A field is absent; the first one is named.
        """
        for name in names:
            if name not in self:
                raise InputError("request.missing_field", field=self.field_path(name))

    def is_null(self, name: str) -> bool:
        """Return whether the field is present and null."""
        return name in self and self._data[name] is None

    def _type_error(self, name: str, expected: str) -> InputError:
        return InputError("request.wrong_type", field=self.field_path(name), expected=expected)

    def _range_error(self, name: str, minimum: int, maximum: int) -> InputError:
        return InputError(
            "request.out_of_range", field=self.field_path(name), low=minimum, high=maximum
        )


def parse_json_body(raw: bytes, *, allowed: Collection[str]) -> JsonBody:
    """Parse the body of a request.

    Raises:
        InputError: It is not a JSON object, or has a field that is not allowed.
    """
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise InputError("request.invalid_json")
    return JsonBody(data, allowed=allowed)
