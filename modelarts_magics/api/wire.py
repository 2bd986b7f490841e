"""Reading an answer's JSON field by field: a wrong type is an error that names the field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelarts_magics.errors import BadAnswerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SECRET_KEYS = frozenset({"token", "password", "secret", "secret_key", "security_token"})


class Fields:
    """A JSON object of an answer. An absent field and a null are the same: None."""

    __slots__ = ("_data", "_path")

    def __init__(self, data: object, path: str = "") -> None:
        if not isinstance(data, dict):
            raise BadAnswerError("answer.type", field=path or "the answer", expected="object")
        self._data: Mapping[str, Any] = data
        self._path = path

    def text(self, name: str) -> str | None:
        """A string."""
        value = self._data.get(name)
        if value is None or isinstance(value, str):
            return value
        raise self._wrong(name, "string")

    def required_text(self, name: str) -> str:
        """A string that must be there and not empty."""
        value = self.text(name)
        if not value:
            raise BadAnswerError("answer.missing", field=self._name(name))
        return value

    def integer(self, name: str) -> int | None:
        """A whole number."""
        value = self._data.get(name)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        raise self._wrong(name, "integer")

    def boolean(self, name: str) -> bool | None:
        """A boolean."""
        value = self._data.get(name)
        if value is None or isinstance(value, bool):
            return value
        raise self._wrong(name, "boolean")

    def object(self, name: str) -> Fields | None:
        """A nested object."""
        value = self._data.get(name)
        return None if value is None else Fields(value, self._name(name))

    def objects(self, name: str) -> Iterator[Fields]:
        """The objects of a list; none where the list is absent."""
        value = self._data.get(name)
        if not isinstance(value, list):
            if value is None:
                return
            raise self._wrong(name, "array")
        for index, item in enumerate(value):
            yield Fields(item, f"{self._name(name)}[{index}]")

    def open_map(self, name: str) -> Mapping[str, Any]:
        """A map without a fixed shape; the cloud's ``"NULL"``, null and absence are all empty."""
        value = self._data.get(name)
        if value is None or (isinstance(value, str) and value in ("NULL", "")):
            return {}
        if isinstance(value, dict):
            return value
        raise self._wrong(name, "object")

    @property
    def data(self) -> Mapping[str, Any]:
        """The object as it came."""
        return self._data

    def _name(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def _wrong(self, name: str, expected: str) -> BadAnswerError:
        return BadAnswerError("answer.type", field=self._name(name), expected=expected)


def without_secrets(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """The same JSON without the fields that hold secrets, at any depth."""
    if isinstance(value, dict):
        return {
            key: without_secrets(item)
            for key, item in value.items()
            if key.lower() not in _SECRET_KEYS
        }
    if isinstance(value, list):
        return [without_secrets(item) for item in value]
    if isinstance(value, str) and "token=" in value:
        return value.split("?", 1)[0]
    return value
