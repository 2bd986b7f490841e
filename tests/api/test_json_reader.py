"""Reading an answer field by field."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from factories import (
    JSON_VALUES,
    property_settings,
)
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics.api.json_reader import JsonReader, redact_secrets
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
    """What a reader makes of a field; a nested object as its data."""
    value = getattr(fields, reader)(name)
    return value.data if isinstance(value, JsonReader) else value


@pytest.mark.parametrize("reader", READERS)
def test_a_value_of_the_right_type_is_itself(reader: str) -> None:
    """Nothing is converted."""
    for value in READERS[reader][1]:
        assert read(JsonReader({"f": value}), reader, "f") == value


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("data", [{}, {"f": None}])
def test_absent_and_null_are_the_same(reader: str, data: dict[str, Any]) -> None:
    """Both are nothing: None, or an empty map."""
    assert read(JsonReader(data), reader, "f") in (None, {})


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_of_another_type_is_an_error_that_names_the_field(
    reader: str, value: object
) -> None:
    """With its whole path and what was expected; the value itself is not shown."""
    expected = READERS[reader][0]
    kinds = {"string": str, "integer": int, "boolean": bool, "object": dict}
    fits = type(value) is kinds[expected] or (reader == "mapping" and value == "")
    nested = JsonReader({"a": {"f": value}}).object("a")
    assert nested is not None
    if fits:
        read(nested, reader, "f")
        return
    with pytest.raises(InvalidResponseError) as caught:
        read(nested, reader, "f")
    assert caught.value.values == {"field": "a.f", "expected": expected}


@pytest.mark.parametrize("data", [None, "text", 1, [], True])
def test_an_answer_that_is_no_object_is_an_error(data: object) -> None:
    """At the top and nested, with its name."""
    with pytest.raises(InvalidResponseError) as caught:
        JsonReader(data)
    assert caught.value.values["field"] == "response"
    with pytest.raises(InvalidResponseError) as caught:
        JsonReader(data, "spec.storage")
    assert caught.value.values["field"] == "spec.storage"


@pytest.mark.parametrize("data", [{}, {"f": None}, {"f": ""}])
def test_a_mandatory_text_must_be_there(data: dict[str, Any]) -> None:
    """An empty one is none."""
    with pytest.raises(InvalidResponseError) as caught:
        JsonReader(data).required_text("f")
    assert (caught.value.code, caught.value.values) == ("response.missing", {"field": "f"})


@pytest.mark.parametrize("value", ["NULL", "", None])
def test_an_open_map_has_three_ways_to_be_empty(value: object) -> None:
    """The cloud's word for it, nothing, and null."""
    assert JsonReader({"f": value}).mapping("f") == {}


def test_the_objects_of_a_list_know_their_place() -> None:
    """A wrong one is named with its index; an absent list has none."""
    fields = JsonReader({"data": [{"id": "a"}, {"id": 1}, 7]})
    found = fields.objects("data")
    assert next(found).text("id") == "a"
    second = next(found)
    with pytest.raises(InvalidResponseError) as caught:
        second.text("id")
    assert caught.value.values["field"] == "data[1].id"
    with pytest.raises(InvalidResponseError) as caught:
        next(found)
    assert caught.value.values["field"] == "data[2]"
    assert list(fields.objects("other")) == []
    with pytest.raises(InvalidResponseError) as caught:
        list(JsonReader({"data": {}}).objects("data"))
    assert caught.value.values == {"field": "data", "expected": "array"}


@pytest.mark.parametrize("value", [10**13, -(10**13), 10**400, 3_153_600_001])
def test_an_impossible_span_is_an_error_that_names_the_field(value: int) -> None:
    """More than a century of seconds is no run time."""
    with pytest.raises(InvalidResponseError) as caught:
        JsonReader({"f": value}, "spec").duration("f", unit=timedelta(seconds=1))
    assert (caught.value.code, caught.value.values) == ("response.range", {"field": "spec.f"})


@pytest.mark.parametrize("value", [10**15, -1, 10**400])
def test_an_impossible_moment_is_an_error_that_names_the_field(value: int) -> None:
    """No calendar has it."""
    with pytest.raises(InvalidResponseError) as caught:
        JsonReader({"f": value}, "spec").timestamp("f")
    assert (caught.value.code, caught.value.values) == ("response.range", {"field": "spec.f"})


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
def test_secrets_are_dropped_at_any_depth(value: object, clean: object) -> None:
    """By the name of the field, and out of addresses."""
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
def test_all_else_stays_as_it_is(value: object) -> None:
    """Above all what a person wrote into the description, which has to be sent back unchanged."""
    assert redact_secrets(value) == value


@property_settings
@given(
    JSON_VALUES | st.dictionaries(st.sampled_from(["token", "a", "Token"]), JSON_VALUES, max_size=3)
)
def test_cleaning_twice_is_cleaning_once(value: object) -> None:
    """And what was clean stays equal, so that a stored answer reads as the fresh one did."""
    clean = redact_secrets(value)
    assert json.dumps(redact_secrets(clean)) == json.dumps(clean)


@pytest.mark.parametrize(("opening", "closing"), [('{"a":', "}"), ("[", "]")])
@pytest.mark.parametrize("depth", [100, 400, 900])
def test_an_answer_nested_too_deeply_is_an_error(opening: str, closing: str, depth: int) -> None:
    """It is named and not followed to where the stack ends."""
    value = json.loads(opening * depth + "1" + closing * depth)
    with pytest.raises(InvalidResponseError):
        redact_secrets(value)
