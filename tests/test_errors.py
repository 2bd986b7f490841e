"""The tree of errors."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from typing import Any, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics import errors
from modelarts_magics.errors import (
    ApiError,
    DurationError,
    ModelArtsError,
    OutcomeUnknownError,
    RefusedError,
    RejectedValueError,
    ServerError,
    ThrottledError,
    UnreachableError,
)

CLASSES = {
    name: each
    for name, each in inspect.getmembers(errors, inspect.isclass)
    if issubclass(each, Exception)
}
ROW = re.compile(r"^    (?P<indent>[│├└─ ]*)(?P<name>[A-Z]\w+Error)(?P<words>  .+)$", re.MULTILINE)


def drawn_classes() -> dict[str, str]:
    """Return each class in the drawing with its parent."""
    above: dict[int, str] = {}
    parents = {}
    for row in ROW.finditer(errors.__doc__ or ""):
        depth = len(row["indent"]) // 4
        above[depth] = row["name"]
        parents[row["name"]] = above[depth - 1] if depth else "Exception"
    return parents


def test_drawing_matches_the_class_tree() -> None:
    """Every class is drawn_classes under the class it inherits from, and no other."""
    assert drawn_classes() == {name: each.__base__.__name__ for name, each in CLASSES.items()}


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_error_class_is_documented(name: str) -> None:
    """Each class has a docstring of its own and one root."""
    assert CLASSES[name].__doc__ != ModelArtsError.__doc__ or name == "ModelArtsError"
    assert issubclass(CLASSES[name], ModelArtsError)


def test_str_is_message_and_hint() -> None:
    """Two lines."""
    error = DurationError("duration.no_unit", text="90")
    assert error.message == "“90” has no unit."
    assert error.hint == "Use 90h, 90m or 90s; 2h30m, 2:30 and 1.5h also work."
    assert str(error) == f"{error.message}\n{error.hint}"


def test_str_without_hint_is_one_line() -> None:
    """No empty line is added."""
    error = ModelArtsError("api.request", request_id="r")
    assert error.hint == ""
    assert str(error) == error.message == "request ID: r"


def test_ipython_shows_message_and_hint_only() -> None:
    """Also with a cause."""
    with pytest.raises(RefusedError) as caught:
        raise_with_cause()
    lines = caught.value._render_traceback_()
    assert lines == [
        "This API has no console reminder.",
        caught.value.hint,
    ]


def raise_with_cause() -> None:
    """Raise an error of this package from another."""
    raise RefusedError("refuse.no_reminder") from ValueError("inner")


@pytest.mark.parametrize(
    ("status", "error_code", "request_id", "message"),
    [
        (400, "ModelArts.6309", "", "Instance not found in this project. (ModelArts.6309)"),
        (
            400,
            "ModelArts.6309",
            "r-1",
            "Instance not found in this project. (ModelArts.6309, request ID: r-1)",
        ),
        (400, "", "", "Instance not found in this project. (HTTP 400)"),
        (400, "", "r-1", "Instance not found in this project. (HTTP 400, request ID: r-1)"),
    ],
)
def test_api_error_ends_with_code_and_request_id(
    status: int, error_code: str, request_id: str, message: str
) -> None:
    """The error code, else the HTTP status."""
    error = ApiError("api.400.6309", status=status, error_code=error_code, request_id=request_id)
    assert error.message == message
    assert (error.status, error.error_code, error.request_id) == (status, error_code, request_id)


def test_api_error_without_detail_has_no_gap() -> None:
    """It ends neither in a colon nor in two spaces."""
    assert ServerError("api.ServerError", status=502, detail="").message == (
        "Server error. (HTTP 502)"
    )
    assert RejectedValueError("api.RejectedValueError", status=400, detail="").message == (
        "ModelArts rejected the request (HTTP 400)"
    )


def test_unknown_outcome_names_its_cause() -> None:
    """The message includes that of the cause."""
    cause = ServerError("api.500.0010", status=500, error_code="ModelArts.0010", detail="")
    error = OutcomeUnknownError("outcome_unknown.not_read_back", cause=cause)
    assert error.cause is cause
    assert cause.message in error.message


@given(st.text(alphabet=st.characters(), max_size=40))
def test_message_is_one_printable_line(entered: str) -> None:
    """It has no line break, control character or unpaired surrogate."""
    error = DurationError("duration.invalid", text=entered)
    assert len(error.message.splitlines()) == 1
    assert len(f"{error}".splitlines()) == 2
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", error.message)
    assert error.message.encode()


def test_quoted_input_is_otherwise_unchanged() -> None:
    """Double spaces, Chinese and joined emoji."""
    assert "a  b 中文 👨‍👩‍👧" in DurationError("duration.invalid", text="a  b 中文 👨‍👩‍👧").message


def make_error(kind: type[ModelArtsError]) -> ModelArtsError:
    """Return an error of a class with a value for each of its arguments."""
    values: dict[str, Any] = {"text": "90", "host": "h"}
    if issubclass(kind, ApiError):
        values |= {"status": 400, "error_code": "ModelArts.6309", "request_id": "r", "detail": ""}
    if issubclass(kind, UnreachableError):
        values["sent"] = True
    if issubclass(kind, OutcomeUnknownError):
        values["cause"] = UnreachableError("unreachable.read_timeout", sent=True, host="inner")
    return kind("duration.no_unit", **values)


COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"protocol {number}": lambda error, number=number: pickle.loads(  # noqa: S301 - our own
            pickle.dumps(error, number)
        )
        for number in range(pickle.HIGHEST_PROTOCOL + 1)
    },
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("kind", CLASSES.values())
def test_every_error_can_be_copied_and_pickled(kind: type[ModelArtsError], how: str) -> None:
    """Class, code, values, attributes and texts are equal, also those of its cause."""
    error = make_error(kind)
    error.__cause__ = ValueError("inner")
    copied = COPIES[how](error)
    assert type(copied) is kind
    assert (copied.args, str(copied), copied.values) == (error.args, str(error), error.values)
    assert vars(copied).keys() == vars(error).keys()
    if isinstance(error, OutcomeUnknownError):
        assert vars(copied.cause) == vars(error.cause)
        assert type(copied.cause) is UnreachableError
    else:
        assert vars(copied) == vars(error)


@pytest.mark.parametrize(
    ("kind", "status", "retry_after", "hint"),
    [
        (ThrottledError, 429, 3600.0, "Try again in 1 h."),
        (ThrottledError, 429, 3601.0, "Try again in 1 h 1 min."),
        (ThrottledError, 429, 90.2, "Try again in 1 min 31 s."),
        (ThrottledError, 429, 7.0, "Try again in 7 s."),
        (ServerError, 503, 1800.0, "Try again in 30 min."),
        (ThrottledError, 429, 999999999.0, "Try again in 168 h."),
        (ThrottledError, 429, None, "Try again in a minute."),
        (ThrottledError, 429, 0.0, "Try again in a minute."),
        (ServerError, 500, 3600.0, "Try again in a minute."),
    ],
)
def test_hint_says_when_the_api_allows_another_try(
    kind: type[ApiError], status: int, retry_after: float | None, hint: str
) -> None:
    """Not "in a minute" if it takes an hour."""
    error = kind(f"api.{kind.__name__}", status=status, detail="")
    error.values["retry_after"] = retry_after
    assert error.hint == hint
