"""Reading an answer's JSON field by field: a wrong type is an error that names the field."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Callable, TypeVar

from modelarts_magics.domain.durations import MAX_DURATION, datetime_from_ms
from modelarts_magics.errors import InvalidResponseError

T = TypeVar("T")

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime, timedelta

_SECRET_KEYS = ("token", "password", "passwd", "secret", "secret_key")
"""What the name of a secret field ends in, as ``token``, ``auth_token``, ``X-Auth-Token``."""
_SECRET_IN_URL = re.compile(r"(://[^\s?#;]*)[?#;]\S*token=\S*", re.IGNORECASE)
_UNREDACTED_FIELD = "description"
"""The field that holds what a person wrote; it is carried along with every change, as it is."""

_MAX_DEPTH = 64
"""More levels than any answer has; reading on would exhaust the stack."""


class JsonReader:
    """A JSON object of an answer. An absent field and a null are the same: None."""

    __slots__ = ("_data", "_path")

    def __init__(self, data: object, path: str = "") -> None:
        if not isinstance(data, dict):
            raise InvalidResponseError("response.type", field=path or "response", expected="object")
        self._data: Mapping[str, Any] = data
        self._path = path

    def text(self, name: str) -> str | None:
        """A string."""
        value = self._data.get(name)
        if value is None or isinstance(value, str):
            return value
        raise self._type_error(name, "string")

    def required_text(self, name: str) -> str:
        """A string that must be there and not empty."""
        value = self.text(name)
        if not value:
            raise InvalidResponseError("response.missing", field=self.full_name(name))
        return value

    def integer(self, name: str) -> int | None:
        """A whole number."""
        value = self._data.get(name)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        raise self._type_error(name, "integer")

    def boolean(self, name: str) -> bool | None:
        """A boolean."""
        value = self._data.get(name)
        if value is None or isinstance(value, bool):
            return value
        raise self._type_error(name, "boolean")

    def timestamp(self, name: str) -> datetime | None:
        """A timestamp in milliseconds; 0 counts as absent."""
        value = self.integer(name)
        return self.convert(name, datetime_from_ms, value) if value else None

    def duration(self, name: str, *, unit: timedelta) -> timedelta | None:
        """A whole number of units, at most a century: more is no run time, and no date can bear it."""
        value = self.integer(name)
        if value is not None and abs(value) > MAX_DURATION // unit:
            raise InvalidResponseError("response.range", field=self.full_name(name))
        return None if value is None else value * unit

    def nested(self, name: str, parse: Callable[[JsonReader], T]) -> T | None:
        """A nested object as what `parse` makes of it."""
        found = self.object(name)
        return None if found is None else parse(found)

    def object(self, name: str) -> JsonReader | None:
        """A nested object."""
        value = self._data.get(name)
        return None if value is None else JsonReader(value, self.full_name(name))

    def objects(self, name: str) -> Iterator[JsonReader]:
        """The objects of a list; none where the list is absent."""
        value = self._data.get(name)
        if not isinstance(value, list):
            if value is None:
                return
            raise self._type_error(name, "array")
        for index, item in enumerate(value):
            yield JsonReader(item, f"{self.full_name(name)}[{index}]")

    def mapping(self, name: str) -> Mapping[str, Any]:
        """A map without a fixed shape; the cloud's ``"NULL"``, null and absence are all empty."""
        value = self._data.get(name)
        if value is None or (isinstance(value, str) and value in ("NULL", "")):
            return {}
        if isinstance(value, dict):
            return value
        raise self._type_error(name, "object")

    @property
    def data(self) -> Mapping[str, Any]:
        """The object as it came."""
        return self._data

    def full_name(self, name: str) -> str:
        """The full name of a field, as ``spec.auto_stop.duration``."""
        return f"{self._path}.{name}" if self._path else name

    def convert(self, name: str, convert: Callable[[int], T], value: int) -> T:
        """The number of a field as something else; an impossible one is an error that names it."""
        try:
            return convert(value)
        except (ValueError, OverflowError):
            raise InvalidResponseError("response.range", field=self.full_name(name)) from None

    def _type_error(self, name: str, expected: str) -> InvalidResponseError:
        return InvalidResponseError("response.type", field=self.full_name(name), expected=expected)


def redact_secrets(value: Any, *, depth: int = 0) -> Any:  # noqa: ANN401 - any JSON
    """The same JSON without the fields that hold secrets, at any depth.

    Raises:
        InvalidResponseError: It is nested deeper than any answer of the cloud.
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
        key: item
        if key == _UNREDACTED_FIELD and isinstance(item, str)
        else redact_secrets(item, depth=depth + 1)
        for key, item in value.items()
        if not key.lower().endswith(_SECRET_KEYS)
    }
