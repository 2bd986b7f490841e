"""Reading the fields of a response."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from factories import (
    JSON_VALUES,
)
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics.api.json_reader import JsonReader, redact_secrets
from modelarts_magics.domain.models import Status
from modelarts_magics.errors import InvalidResponseError

READERS = {
    "text": ("string", ["", "a", "1"]),
    "integer": ("integer", [0, 1, -1, 10**40]),
    "boolean": ("boolean", [True, False]),
    "object": ("object", [{}, {"a": 1}]),
    "mapping": ("object", [{}, {"a": None}]),
}
VALUES: list[Any] = ["", "a", 0, 1, 1.0, 1.5, float("nan"), True, False, [], [1], {}, {"a": 1}]


def read(fields: JsonReader, reader: str, name: str) -> object:
    """Return what the reader makes of a field; a nested object as its data."""
    value = getattr(fields, reader)(name)
    return value.data if isinstance(value, JsonReader) else value


@pytest.mark.parametrize("reader", READERS)
def test_value_of_right_type_is_returned(reader: str) -> None:
    """Nothing is converted."""
    for value in READERS[reader][1]:
        assert read(JsonReader({"f": value}), reader, "f") == value


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("data", [{}, {"f": None}])
def test_absent_field_and_null_are_equal(reader: str, data: dict[str, Any]) -> None:
    """Both are None, or an empty map."""
    assert read(JsonReader(data), reader, "f") in (None, {})


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_wrong_type_is_unknown_and_recorded(reader: str, value: object) -> None:
    """The record has the full name of the field and the value."""
    expected = READERS[reader][0]
    kinds = {"string": str, "integer": int, "boolean": bool, "object": dict}
    fits = type(value) is kinds[expected] or (reader == "mapping" and value == "")
    outer = JsonReader({"a": {"f": value}})
    nested = outer.object("a")
    assert nested is not None
    found = read(nested, reader, "f")
    assert nested.has_rejected("f", "g") is not fits
    if fits:
        assert outer.implausible == {}
    else:
        assert found in (None, {})
        assert list(outer.implausible) == ["a.f"]
        assert outer.implausible["a.f"] is value


@pytest.mark.parametrize("data", [None, "text", 1, [], True])
def test_non_object_is_an_error(data: object) -> None:
    """The error names the object."""
    with pytest.raises(InvalidResponseError) as caught:
        JsonReader(data)
    assert caught.value.values["field"] == "response"
    with pytest.raises(InvalidResponseError) as caught:
        JsonReader(data, "spec.storage")
    assert caught.value.values["field"] == "spec.storage"


@pytest.mark.parametrize("data", [{}, {"f": None}, {"f": ""}])
def test_required_text_must_not_be_empty(data: dict[str, Any]) -> None:
    """An empty text counts as missing."""
    with pytest.raises(InvalidResponseError) as caught:
        JsonReader(data).required_text("f")
    assert (caught.value.code, caught.value.values) == ("response.missing", {"field": "f"})


@pytest.mark.parametrize("value", ["NULL", "", None])
def test_mapping_can_be_empty_in_three_ways(value: object) -> None:
    """The word NULL, null and an absent field."""
    assert JsonReader({"f": value}).mapping("f") == {}


def test_objects_of_a_list_have_indexed_names() -> None:
    """An error names the index; an absent list is empty."""
    fields = JsonReader({"data": [{"id": "a"}, {"id": 1}, 7]})
    found = fields.objects("data")
    assert next(found).text("id") == "a"
    second = next(found)
    with pytest.raises(InvalidResponseError) as caught:
        second.required_text("id")
    assert caught.value.values["field"] == "data[1].id"
    with pytest.raises(InvalidResponseError) as caught:
        next(found)
    assert caught.value.values["field"] == "data[2]"
    assert list(fields.objects("other")) == []
    with pytest.raises(InvalidResponseError) as caught:
        list(JsonReader({"data": {}}).objects("data"))
    assert caught.value.values == {"field": "data", "expected": "array"}


@pytest.mark.parametrize("value", [-1, -(10**13), 10**13, 10**400, 3_153_600_001, 259_201])
def test_implausible_duration_is_unknown(value: int) -> None:
    """Negative, huge, or longer than any run, as milliseconds instead of seconds are."""
    fields = JsonReader({"f": value}, "spec")
    found = fields.duration("f", unit=timedelta(seconds=1), longest=timedelta(hours=72))
    assert (found, fields.implausible) == (None, {"spec.f": value})


@pytest.mark.parametrize("value", [0, 1, 259_200])
def test_plausible_duration_is_returned(value: int) -> None:
    """Both bounds are included."""
    fields = JsonReader({"f": value})
    found = fields.duration("f", unit=timedelta(seconds=1), longest=timedelta(hours=72))
    assert (found, fields.implausible) == (timedelta(seconds=value), {})


@pytest.mark.parametrize("value", [10**15, -1, 10**400, 1_795_423_920, 1_795_423_920_000_000, True])
def test_implausible_timestamp_is_unknown(value: int) -> None:
    """Also one in seconds or microseconds."""
    fields = JsonReader({"f": value}, "spec")
    assert fields.timestamp("f") is None
    assert fields.implausible == {"spec.f": value}


@pytest.mark.parametrize("value", [1, True, ["RUNNING"], {"a": "RUNNING"}, 1.5])
def test_status_that_is_no_text_is_unknown(value: object) -> None:
    """It must be present."""
    fields = JsonReader({"status": value})
    assert fields.status("status") is Status.UNKNOWN
    assert fields.implausible == {"status": value}


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        ({"token": "s3cret"}, {}),
        ({"Token": "s3cret", "a": 1}, {"a": 1}),
        ({"auth_token": "s3cret"}, {}),
        ({"X-Auth-Token": "s3cret"}, {}),
        ({"security_token": "s3cret", "secret_key": "s3cret", "client_secret": "s3cret"}, {}),
        ({"password": "s3cret", "PASSWD": "s3cret"}, {}),
        ({"token": {"deep": "s3cret"}}, {}),
        ({"a": [{"b": {"token": "s3cret", "c": 1}}]}, {"a": [{"b": {"c": 1}}]}),
        ([[{"token": "s3cret"}]], [[{}]]),
        ("https://h/p?token=s3cret", "https://h/p"),
        ("https://h/p?x=1&token=s3cret&y=2", "https://h/p"),
        ("https://h/p?access_token=s3cret", "https://h/p"),
        ("https://h/p?TOKEN=s3cret", "https://h/p"),
        ("https://h/p#token=s3cret", "https://h/p"),
        ("https://h/p;token=s3cret", "https://h/p"),
        ("see https://h/p?token=s3cret now", "see https://h/p now"),
        (["https://h/p?token=s3cret"], ["https://h/p"]),
        ({"annotations": {"url": "https://h?token=s3cret"}}, {"annotations": {"url": "https://h"}}),
    ],
)
def test_secrets_are_removed_at_any_depth(value: object, clean: object) -> None:
    """By the name of the field, and from URLs."""
    assert redact_secrets(value) == clean


@pytest.mark.parametrize(
    "value",
    [
        {"description": "why? token=5"},
        {"description": "https://h/p?token=mine"},
        {"tokens": 3, "token_count": 1, "tokenizer": "bpe"},
        {"name": "a?token=b"},
        {"url": "https://h/p?x=1#y"},
        {"id": "token"},
        [None, True, 1.5, "NULL", {}, []],
    ],
)
def test_other_fields_are_unchanged(value: object) -> None:
    """In particular the description, which is sent back."""
    assert redact_secrets(value) == value


@given(
    JSON_VALUES | st.dictionaries(st.sampled_from(["token", "a", "Token"]), JSON_VALUES, max_size=3)
)
def test_redacting_twice_equals_redacting_once(value: object) -> None:
    """A stored response parses like the original one."""
    clean = redact_secrets(value)
    assert json.dumps(redact_secrets(clean)) == json.dumps(clean)


@pytest.mark.parametrize(("opening", "closing"), [('{"a":', "}"), ("[", "]")])
@pytest.mark.parametrize("depth", [100, 400, 900])
def test_too_deep_nesting_is_an_error(opening: str, closing: str, depth: int) -> None:
    """The stack is not exhausted."""
    value = json.loads(opening * depth + "1" + closing * depth)
    with pytest.raises(InvalidResponseError):
        redact_secrets(value)
