"""Mapping of HTTP errors to errors of this package, for every row of the table."""

from __future__ import annotations

import json
from typing import Any

import pytest
from factories import JSON_VALUES
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics.api.error_mapping import error_from_response
from modelarts_magics.errors import (
    ApiError,
    AuthenticationError,
    ForbiddenError,
    NoSuchApiError,
    NoSuchInstanceError,
    RejectedValueError,
    ServerError,
    ThrottledError,
    WrongStateError,
)
from modelarts_magics.messages import en
from modelarts_magics.messages.shared import SHARED

ROWS: list[tuple[int, str, type[ApiError], str]] = [
    (400, "ModelArts.6309", NoSuchInstanceError, "Instance not found in this project."),
    (400, "ModelArts.6404", NoSuchInstanceError, "Instance not found in this project."),
    (400, "ModelArts.6327", WrongStateError, "not running"),
    (400, "ModelArts.6332", RejectedValueError, "wrong type"),
    (400, "ModelArts.6335", RejectedValueError, "a value is missing"),
    (400, "ModelArts.6336", RejectedValueError, "rejected a value"),
    (400, "ModelArts.6334", RejectedValueError, "character in the description"),
    (400, "ModelArts.6346", RejectedValueError, "must be in the future"),
    (400, "ModelArts.6347", WrongStateError, "current state"),
    (400, "ModelArts.6348", RejectedValueError, "the run time is missing"),
    (400, "ModelArts.6349", RejectedValueError, "out of range"),
    (400, "ModelArts.6357", WrongStateError, "Another operation"),
    (400, "ModelArts.6400", RejectedValueError, "could not process the request"),
    (401, "ModelArts.0201", AuthenticationError, "No token"),
    (401, "ModelArts.0202", AuthenticationError, "expired"),
    (401, "ModelArts.0203", AuthenticationError, "Invalid token"),
    (401, "ModelArts.6401", AuthenticationError, "Invalid token"),
    (401, "APIGW.0301", AuthenticationError, "invalid signature or token"),
    (401, "APIGW.0307", AuthenticationError, "invalid in this region"),
    (403, "ModelArts.0108", ForbiddenError, "Permission denied"),
    (403, "ModelArts.0206", ForbiddenError, "access key"),
    (403, "ModelArts.0210", ForbiddenError, "project ID does not match"),
    (404, "APIGW.0101", NoSuchApiError, "does not provide the API"),
    (429, "ModelArts.6101", ThrottledError, "busy"),
    (429, "APIGW.0308", ThrottledError, "Too many requests"),
    (500, "ModelArts.0010", ServerError, "Internal server error"),
    (500, "ModelArts.6102", ServerError, "Internal server error"),
]


def body(error_code: object = "ModelArts.9999", **words: object) -> bytes:
    """Return a JSON error of the API."""
    return json.dumps({"error_code": error_code, **words}).encode()


@pytest.mark.parametrize(("status", "error_code", "kind", "words"), ROWS)
@pytest.mark.parametrize("member", ["error_msg", "error_message"])
def test_known_code_has_class_and_message(
    status: int, error_code: str, kind: type[ApiError], words: str, member: str
) -> None:
    """The message of this package replaces that of the API; code and request ID are kept."""
    error = error_from_response(
        status, body(error_code, **{member: "cloud's own"}), request_id="r-1"
    )
    assert type(error) is kind
    assert words in error.message
    assert error.message.endswith(f"({error_code}, request ID: r-1)")
    assert "cloud's own" not in error.message
    assert error.hint
    assert (error.status, error.error_code, error.request_id) == (status, error_code, "r-1")


@pytest.mark.parametrize("prefix", ["ModelArts", "APIG", "APIGW"])
def test_gateway_codes_are_known_with_both_prefixes(prefix: str) -> None:
    """The key is the number and the status."""
    assert type(error_from_response(429, body(f"{prefix}.0308"))) is ThrottledError
    assert error_from_response(401, body(f"{prefix}.0301")).code == "api.401.0301"


def test_every_message_for_a_code_is_used() -> None:
    """Each code with a message is in the table."""
    worded = {
        code for code in (*en.TEXTS, *SHARED) if code.startswith("api.") and code.count(".") == 2
    }
    worded = {code for code in worded if code.split(".")[1].isdigit()}
    assert worded == {f"api.{status}.{code.split('.')[1]}" for status, code, _, _ in ROWS}


@pytest.mark.parametrize(
    ("status", "error_code", "kind"),
    [
        (404, "ModelArts.6309", NoSuchApiError),
        (500, "ModelArts.6309", ServerError),
        (403, "ModelArts.0201", ForbiddenError),
        (400, "ModelArts.0010", RejectedValueError),
    ],
)
def test_code_with_another_status_is_another_error(
    status: int, error_code: str, kind: type[ApiError]
) -> None:
    """The general message of the status is used, with the detail of the API."""
    error = error_from_response(status, body(error_code, error_msg="its own words"))
    assert type(error) is kind
    assert error.code == f"api.{kind.__name__}"
    assert "its own words" in error.message


STATUSES = [
    (400, RejectedValueError),
    (401, AuthenticationError),
    (403, ForbiddenError),
    (404, NoSuchApiError),
    (405, ApiError),
    (408, ApiError),
    (409, WrongStateError),
    (418, ApiError),
    (429, ThrottledError),
    (500, ServerError),
    (502, ServerError),
    (503, ServerError),
    (504, ServerError),
    (599, ServerError),
]


@pytest.mark.parametrize(("status", "kind"), STATUSES)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html><body>s3cret login</body></html>",
        b"[]",
        b"null",
        b'"s3cret"',
        b"{",
        b"\xff\xfe",
        b"[" * 5000,
        b'{"error_code": 6309}',
        b'{"error_code": {"s3cret": 1}, "error_msg": ["s3cret"]}',
        b'{"message": "s3cret"}',
    ],
)
def test_response_without_json_error_uses_the_status(
    status: int, kind: type[ApiError], content: bytes
) -> None:
    """HTML, an empty body and other JSON never crash, and are not shown."""
    error = error_from_response(status, content)
    assert type(error) is kind
    assert error.message.endswith(f"(HTTP {status})")
    assert "s3cret" not in str(error)
    assert not error.message.startswith(" ")
    assert "  " not in error.message


@pytest.mark.parametrize(
    ("envelope", "words"),
    [
        ({"error_msg": "one", "error_message": "two"}, "one"),
        ({"error_msg": "", "error_message": "two"}, "two"),
        ({"error_msg": None, "error_message": "two"}, "two"),
        ({"error_msg": "a\r\nb\tc\x1b[31m\u2028d"}, "a b c [31m d"),
        ({"error_msg": "中文，说明。"}, "中文，说明。"),  # noqa: RUF001 - Chinese punctuation
        ({"error_msg": "{status} {cmd} {0}"}, "{status} {cmd} {0}"),
        ({"error_msg": "\ud800x"}, "x"),
        ({"error_msg": "x" * 999}, "x" * 200),
    ],
)
def test_detail_of_the_api_is_one_short_line(envelope: dict[str, Any], words: str) -> None:
    """It is added to a general message."""
    error = error_from_response(400, body(**envelope))
    assert error.message == f"ModelArts rejected the request: {words} (ModelArts.9999)"


@pytest.mark.parametrize(
    ("status", "envelope", "request_id"),
    [
        (400, {"error_msg": "bad s3cret-token"}, ""),
        (400, {"error_message": "s3cret-token s3cret-token"}, ""),
        (401, {"error_msg": "\n s3cret-token\x00"}, ""),
        (500, {"error_msg": "x" * 190 + "s3cret-token"}, ""),
        (400, {"error_code": "s3cret-token.6309"}, ""),
        (400, {"error_code": "X.s3cret-token"}, ""),
        (400, {"error_msg": "s3cret-token-longer"}, ""),
        (400, {}, "s3cret-token"),
    ],
)
@pytest.mark.parametrize(
    "secrets", [("s3cret-token", "s3cret-token-longer"), ("s3cret-token-longer", "s3cret-token")]
)
def test_repeated_secret_is_masked(
    status: int, envelope: dict[str, Any], request_id: str, secrets: tuple[str, ...]
) -> None:
    """Also if one secret is the beginning of another."""
    error = error_from_response(status, body(**envelope), request_id=request_id, secrets=secrets)
    everything = f"{error} {error!r} {error.values} {error.args}"
    assert "s3cret" not in everything
    assert "longer" not in everything


@given(
    st.integers(400, 599),
    st.binary(max_size=40) | JSON_VALUES.map(lambda value: json.dumps(value).encode()),
)
def test_any_error_response_is_an_api_error(status: int, content: bytes) -> None:
    """Any status with any content is an ApiError of one line."""
    error = error_from_response(status, content)
    assert len(error.message.splitlines()) == 1
    assert len(error.hint.splitlines()) == 1


@given(JSON_VALUES, JSON_VALUES, st.text(max_size=20))
def test_any_json_error_is_shown_on_one_line(error_code: Any, words: Any, request_id: str) -> None:  # noqa: ANN401
    """Any JSON in the fields and any request ID is shown on one line or left out."""
    error = error_from_response(400, body(error_code, error_msg=words), request_id=request_id)
    assert len(error.message.splitlines()) == 1
    assert error.message.encode()
