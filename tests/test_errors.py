"""The tree of errors."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest
from factories import (
    property_settings,
)
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics import errors
from modelarts_magics.errors import (
    ApiError,
    DurationError,
    LockTimeoutError,
    ModelArtsError,
    OutcomeUnknownError,
    RefusedError,
    RejectedValueError,
    ServerError,
    UnreachableError,
)

CLASSES = {
    name: each
    for name, each in inspect.getmembers(errors, inspect.isclass)
    if issubclass(each, Exception)
}
ROW = re.compile(r"^    (?P<indent>[│├└─ ]*)(?P<name>[A-Z]\w+Error)(?P<words>  .+)$", re.MULTILINE)


def drawn() -> dict[str, str]:
    """Each class of the drawing with the class that it hangs under."""
    above: dict[int, str] = {}
    parents = {}
    for row in ROW.finditer(errors.__doc__ or ""):
        depth = len(row["indent"]) // 4
        above[depth] = row["name"]
        parents[row["name"]] = above[depth - 1] if depth else "Exception"
    return parents


def test_the_drawing_is_the_tree() -> None:
    """Every class is drawn, under the class it inherits from, and no other is."""
    assert drawn() == {name: each.__base__.__name__ for name, each in CLASSES.items()}


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_error_says_what_it_means(name: str) -> None:
    """Each class has a docstring of its own and one root."""
    assert CLASSES[name].__doc__ != ModelArtsError.__doc__ or name == "ModelArtsError"
    assert issubclass(CLASSES[name], ModelArtsError)


def test_an_error_is_its_message_and_its_hint() -> None:
    """Two lines: what went wrong and what to do next."""
    error = DurationError("duration.no_unit", text="90")
    assert error.message == "“90” has no unit."
    assert error.hint == "Use 90h, 90m or 90s; 2h30m and 1.5h also work."
    assert str(error) == f"{error.message}\n{error.hint}"


def test_an_error_without_a_hint_is_one_line() -> None:
    """Nothing is added where there is nothing to say."""
    error = ModelArtsError("api.request", request_id="r")
    assert error.hint == ""
    assert str(error) == error.message == "request ID: r"


def test_ipython_shows_no_traceback() -> None:
    """The lines it is given are the message and the hint, also with a cause behind them."""
    with pytest.raises(RefusedError) as caught:
        raise_with_a_cause()
    lines = caught.value._render_traceback_()
    assert lines == [
        "This API has no console reminder.",
        caught.value.hint,
    ]


def raise_with_a_cause() -> None:
    """Raise an error of ours from another."""
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
def test_an_error_of_the_cloud_ends_with_its_code(
    status: int, error_code: str, request_id: str, message: str
) -> None:
    """The cloud's code, else the HTTP status, and the request id where there is one."""
    error = ApiError("api.400.6309", status=status, error_code=error_code, request_id=request_id)
    assert error.message == message
    assert (error.status, error.error_code, error.request_id) == (status, error_code, request_id)


def test_an_error_of_the_cloud_without_words_leaves_no_gap() -> None:
    """Where the cloud said nothing, the sentence does not end in a colon or two spaces."""
    assert ServerError("api.ServerError", status=502, detail="").message == (
        "Server error. (HTTP 502)"
    )
    assert RejectedValueError("api.RejectedValueError", status=400, detail="").message == (
        "ModelArts rejected the request (HTTP 400)"
    )


def test_an_unsettled_write_says_what_interrupted_it() -> None:
    """The message of the cause is a part of it, and the cause is at hand."""
    cause = ServerError("api.500.0010", status=500, error_code="ModelArts.0010", detail="")
    error = OutcomeUnknownError("outcome_unknown.not_read_back", cause=cause)
    assert error.cause is cause
    assert cause.message in error.message


@property_settings
@given(st.text(alphabet=st.characters(), max_size=40))
def test_every_message_is_one_line_that_can_be_shown(entered: str) -> None:
    """Whatever was entered: no line break, no terminal control, nothing that cannot be encoded."""
    error = DurationError("duration.invalid", text=entered)
    assert len(error.message.splitlines()) == 1
    assert len(f"{error}".splitlines()) == 2
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", error.message)
    assert error.message.encode()


def test_what_is_quoted_is_otherwise_left_as_it_is() -> None:
    """Double spaces, Chinese and joined emoji are not touched."""
    assert "a  b 中文 👨‍👩‍👧" in DurationError("duration.invalid", text="a  b 中文 👨‍👩‍👧").message


@pytest.mark.parametrize(
    "error",
    [
        RefusedError("refuse.no_reminder"),
        DurationError("duration.no_unit", text="90"),
        LockTimeoutError("store.locked", path="/p"),
        ApiError("api.400.6309", status=400, error_code="ModelArts.6309", request_id="r"),
        UnreachableError("unreachable.read_timeout", sent=True, host="h"),
    ],
)
def test_an_error_crosses_to_another_process(error: ModelArtsError) -> None:
    """Its code and values, and all that follows from them, arrive."""
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (type(copy), copy.code, copy.values) == (type(error), error.code, error.values)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)
