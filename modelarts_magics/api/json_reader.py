"""Read the fields of a JSON response; a wrong type is an error that names the field."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Callable, TypeVar

from modelarts_magics.domain.durations import MAX_DURATION, datetime_from_ms
from modelarts_magics.errors import InvalidResponseError

T = TypeVar("T")

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime, timedelta

    StoredFields = Mapping[str, "StoredFields"]

_SECRET_KEYS = ("token", "password", "passwd", "secret", "secret_key")
"""The endings of the names of secret fields, such as ``token``, ``auth_token``, ``X-Auth-Token``."""
_SECRET_IN_URL = re.compile(r"(://[^\s?#;]*)[?#;]\S*token=\S*", re.IGNORECASE)
_UNREDACTED_FIELD = "description"
"""The text that the user entered; it is sent back with every change, so it stays unchanged."""

_MAX_DEPTH = 64
"""More levels than any response has; deeper recursion would exhaust the stack."""


class JsonReader:
    """A JSON object of a response. An absent field and null are both None.

    Args:
        data: The object.
        path: Its name in the response, for error messages.

    Raises:
        InvalidResponseError: The data is not an object.
    """

    __slots__ = ("_data", "_path")

    def __init__(self, data: object, path: str = "") -> None:
        if not isinstance(data, dict):
            raise InvalidResponseError("response.type", field=path or "response", expected="object")
        self._data: Mapping[str, Any] = data
        self._path = path

    def text(self, name: str) -> str | None:
        """Return a string."""
        value = self._data.get(name)
        if value is None or isinstance(value, str):
            return value
        raise self._type_error(name, "string")

    def required_text(self, name: str) -> str:
        """Return a string that must be present and not empty."""
        value = self.text(name)
        if not value:
            raise InvalidResponseError("response.missing", field=self.full_name(name))
        return value

    def integer(self, name: str) -> int | None:
        """Return an integer."""
        value = self._data.get(name)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        raise self._type_error(name, "integer")

    def boolean(self, name: str) -> bool | None:
        """Return a boolean."""
        value = self._data.get(name)
        if value is None or isinstance(value, bool):
            return value
        raise self._type_error(name, "boolean")

    def timestamp(self, name: str) -> datetime | None:
        """Return a time from a timestamp in milliseconds; 0 counts as absent."""
        value = self.integer(name)
        return self.convert(name, datetime_from_ms, value) if value else None

    def duration(self, name: str, *, unit: timedelta) -> timedelta | None:
        """Return a duration from an integer number of units; at most `MAX_DURATION`."""
        value = self.integer(name)
        if value is not None and abs(value) > MAX_DURATION // unit:
            raise InvalidResponseError("response.range", field=self.full_name(name))
        return None if value is None else value * unit

    def nested(self, name: str, parse: Callable[[JsonReader], T]) -> T | None:
        """Return a nested object as parsed by `parse`."""
        found = self.object(name)
        return None if found is None else parse(found)

    def object(self, name: str) -> JsonReader | None:
        """Return a nested object."""
        value = self._data.get(name)
        return None if value is None else JsonReader(value, self.full_name(name))

    def objects(self, name: str) -> Iterator[JsonReader]:
        """Yield the objects of a list; none if the list is absent."""
        value = self._data.get(name)
        if not isinstance(value, list):
            if value is None:
                return
            raise self._type_error(name, "array")
        for index, item in enumerate(value):
            yield JsonReader(item, f"{self.full_name(name)}[{index}]")

    def mapping(self, name: str) -> Mapping[str, Any]:
        """Return an object without a fixed shape; ``"NULL"``, null and an absent field are all empty."""
        value = self._data.get(name)
        if value is None or (isinstance(value, str) and value in ("NULL", "")):
            return {}
        if isinstance(value, dict):
            return value
        raise self._type_error(name, "object")

    @property
    def data(self) -> Mapping[str, Any]:
        """The original object."""
        return self._data

    def full_name(self, name: str) -> str:
        """Return the full name of a field, such as ``spec.auto_stop.duration``."""
        return f"{self._path}.{name}" if self._path else name

    def convert(self, name: str, convert: Callable[[int], T], value: int) -> T:
        """Convert the number in a field.

        Raises:
            InvalidResponseError: The conversion fails; the error names the field.
        """
        try:
            return convert(value)
        except (ValueError, OverflowError):
            raise InvalidResponseError("response.range", field=self.full_name(name)) from None

    def _type_error(self, name: str, expected: str) -> InvalidResponseError:
        return InvalidResponseError("response.type", field=self.full_name(name), expected=expected)


def select_fields(value: object, fields: StoredFields) -> Any:  # noqa: ANN401 - any JSON
    """Return only these fields of a JSON object; a field of another kind is left out.

    Args:
        value: The object.
        fields: The names of the fields, each with the fields of its own; none for a text, number or boolean.
    """
    if not fields:
        return value if isinstance(value, (str, int, float)) else None
    if not isinstance(value, dict):
        return None
    selected = {name: select_fields(value.get(name), inner) for name, inner in fields.items()}
    return {name: each for name, each in selected.items() if each is not None}


def redact_secrets(value: Any, *, depth: int = 0) -> Any:  # noqa: ANN401 - any JSON
    """Return the JSON without fields that hold secrets, at any depth.

    Raises:
        InvalidResponseError: It has more levels than any response of the API.
    """
    if isinstance(value, str):
        return _SECRET_IN_URL.sub(r"\1", value) if "://" in value else value
    if not isinstance(value, (dict, list)):
        return value
    if depth > _MAX_DEPTH:
        raise InvalidResponseError("response.range", field="response")
    if isinstance(value, list):
        return [redact_secrets(item, depth=depth + 1) for item in value]
    return {
        key: _redact_field(key, item, depth=depth + 1)
        for key, item in value.items()
        if not key.lower().endswith(_SECRET_KEYS)
    }


def _redact_field(name: str, value: Any, *, depth: int) -> Any:  # noqa: ANN401 - any JSON
    if name == _UNREDACTED_FIELD and isinstance(value, str):
        return value
    return redact_secrets(value, depth=depth)
