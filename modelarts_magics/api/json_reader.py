"""Read the fields of a JSON response, each validated by itself."""

from __future__ import annotations

import contextlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Callable, TypeVar

from modelarts_magics.domain.durations import (
    MAX_DURATION,
    datetime_from_ms,
    is_plausible_time,
)
from modelarts_magics.domain.models import Status
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

OTHER_INSTANCE = "response.other_instance"
"""The code of a response that is about another instance than the requested one."""
_MAX_SHOWN_ID = 64
_MAX_DEPTH = 64
"""More levels than any response has; deeper recursion would exhaust the stack."""


class JsonReader:
    """A JSON object of a response.

    An absent field and null are both None. So is a field with another type or an implausible value, which is
    recorded: one odd field does not make the others unusable.

    Args:
        data: The object.
        path: Its name in the response, for error messages.
        implausible: The record of the object that contains this one; None for a new record.

    Attributes:
        data: The original object.
        implausible: The values that were not used, by the full name of the field.

    Raises:
        InvalidResponseError: The data is not an object.
    """

    __slots__ = ("_path", "data", "implausible")

    def __init__(
        self, data: object, path: str = "", *, implausible: dict[str, Any] | None = None
    ) -> None:
        if not isinstance(data, dict):
            raise InvalidResponseError("response.type", field=path or "response", expected="object")
        self.data: Mapping[str, Any] = data
        self.implausible = {} if implausible is None else implausible
        self._path = path

    def text(self, name: str) -> str | None:
        """Return a string."""
        value = self.data.get(name)
        if value is None or isinstance(value, str):
            return value
        self.reject(name)
        return None

    def required_text(self, name: str) -> str:
        """Return a string.

        Raises:
            InvalidResponseError: It is missing or empty, or not a string.
        """
        value = self.data.get(name)
        if not value:
            raise InvalidResponseError("response.missing", field=self.full_name(name))
        if not isinstance(value, str):
            field = self.full_name(name)
            raise InvalidResponseError("response.type", field=field, expected="string")
        return value

    def status(self, name: str) -> Status:
        """Return a status, which must be present; one that is not a string is unknown."""
        if self.data.get(name) and self.text(name) is None:
            return Status.UNKNOWN
        return Status(self.required_text(name))

    def integer(self, name: str) -> int | None:
        """Return an integer."""
        value = self.data.get(name)
        if value is None or type(value) is int:
            return value
        self.reject(name)
        return None

    def boolean(self, name: str) -> bool | None:
        """Return a boolean."""
        value = self.data.get(name)
        if value is None or isinstance(value, bool):
            return value
        self.reject(name)
        return None

    def timestamp(self, name: str) -> datetime | None:
        """Return a time from a timestamp in milliseconds; 0 counts as absent."""
        value = self.integer(name)
        return self.convert_timestamp(name, value) if value else None

    def convert_timestamp(self, name: str, milliseconds: int) -> datetime | None:
        """Return the time of a timestamp that was read from a field."""
        with contextlib.suppress(ValueError):
            moment = datetime_from_ms(milliseconds)
            if is_plausible_time(moment):
                return moment
        self.reject(name)
        return None

    def duration(
        self, name: str, *, unit: timedelta, longest: timedelta = MAX_DURATION
    ) -> timedelta | None:
        """Return a duration from an integer number of units.

        Args:
            name: The name of the field.
            unit: The unit.
            longest: The longest plausible duration; one that is in another unit is longer.
        """
        value = self.integer(name)
        if value is None:
            return None
        if 0 <= value <= longest // unit:
            return value * unit
        self.reject(name)
        return None

    def nested(self, name: str, parse: Callable[[JsonReader], T]) -> T | None:
        """Return a nested object as parsed by `parse`."""
        found = self.object(name)
        return None if found is None else parse(found)

    def object(self, name: str) -> JsonReader | None:
        """Return a nested object."""
        value = self.data.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.reject(name)
            return None
        return JsonReader(value, self.full_name(name), implausible=self.implausible)

    def objects(self, name: str) -> Iterator[JsonReader]:
        """Yield the objects of a list; none if the list is absent.

        Raises:
            InvalidResponseError: It is not a list of objects.
        """
        value = self.data.get(name)
        if not isinstance(value, list):
            if value is None:
                return
            field = self.full_name(name)
            raise InvalidResponseError("response.type", field=field, expected="array")
        for index, item in enumerate(value):
            yield JsonReader(item, f"{self.full_name(name)}[{index}]")

    def mapping(self, name: str) -> Mapping[str, Any]:
        """Return an object without a fixed shape; ``"NULL"``, null and an absent field are all empty."""
        value = self.data.get(name)
        if isinstance(value, dict):
            return value
        if value not in (None, "NULL", ""):
            self.reject(name)
        return {}

    def full_name(self, name: str) -> str:
        """Return the full name of a field, such as ``spec.auto_stop.duration``."""
        return f"{self._path}.{name}" if self._path else name

    def has_rejected(self, *names: str) -> bool:
        """Return whether one of these fields has an implausible value."""
        return any(self.full_name(name) in self.implausible for name in names)

    def reject(self, name: str) -> None:
        """Record that the value of a field is not used."""
        self.implausible[self.full_name(name)] = self.data[name]


def select_fields(value: Mapping[str, Any], fields: StoredFields) -> dict[str, Any]:
    """Return only these fields of a JSON object; a field of another kind is left out.

    Args:
        value: The object.
        fields: The names of the fields, each with the fields of its own; none for a text, number or boolean.
    """
    selected: dict[str, Any] = {}
    for name, inner in fields.items():
        each = value.get(name)
        if inner and isinstance(each, dict):
            selected[name] = select_fields(each, inner)
        elif not inner and isinstance(each, (str, int, float)):
            selected[name] = each
    return selected


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
    redacted = {}
    for key, item in value.items():
        if _is_secret(key):
            continue
        # Most fields are short texts, for which a call takes longer than the two questions.
        is_plain = isinstance(item, str) and (key == _UNREDACTED_FIELD or "://" not in item)
        redacted[key] = item if is_plain else redact_secrets(item, depth=depth + 1)
    return redacted


@lru_cache(maxsize=256)
def _is_secret(name: str) -> bool:
    return name.lower().endswith(_SECRET_KEYS)


def check_instance_id(received: str, *, requested: str) -> None:
    """Check that a response is about the requested instance.

    Raises:
        InvalidResponseError: It is about another one, as a cache or proxy may return it.
    """
    if received.casefold() != requested.casefold():
        shown = received[:_MAX_SHOWN_ID]
        raise InvalidResponseError(OTHER_INSTANCE, received=shown, requested=requested)
