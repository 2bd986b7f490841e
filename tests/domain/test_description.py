"""The rules for a description."""

from __future__ import annotations

from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics.domain.description import (
    FULL_WIDTH_FORMS,
    MAX_LENGTH,
    find_invalid_character,
    to_full_width,
    validate,
)
from modelarts_magics.errors import DescriptionError

FORBIDDEN = "&<>\"'/"
FAMILY = "👨‍👩‍👧"
"""One emoji of five code points."""
MIXED = st.text(alphabet=st.sampled_from(FORBIDDEN + "a中é👍\n "), max_size=40)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "training",
        "训练 ResNet",
        "two\nlines\r\nand a\ttab",
        "it is 50% \u2013 café ☕ 𝄞",
        "e\u0301",
        FAMILY,
        "＆＜＞”’／",  # noqa: RUF001 - full-width forms
        "`$x` {y} \\ ; ? ! # @",
        "a" * MAX_LENGTH,
        "👍" * MAX_LENGTH,
        "e\u0301" * (MAX_LENGTH // 2),
    ],
)
def test_validate_returns_allowed_text_unchanged(text: str) -> None:
    """Nothing is trimmed, normalised or replaced; the limit counts code points."""
    assert validate(text) == text


@pytest.mark.parametrize("character", FORBIDDEN)
@pytest.mark.parametrize(
    ("before", "position"), [("", 1), ("ab", 3), ("👍", 2), ("e\u0301中\n", 5)]
)
def test_invalid_character_is_named_with_its_position(
    character: str, before: str, position: int
) -> None:
    """The position counts code points from 1, and the suggestion is valid."""
    with pytest.raises(DescriptionError) as caught:
        validate(f"{before}{character}tail/")
    error = caught.value
    assert error.code == "description.invalid_character"
    assert f"“{character}” (position {position})" in error.message
    assert validate(error.values["suggestion"]) == error.values["suggestion"]


@pytest.mark.parametrize("code", [0, 7, 8, 0x0B, 0x1B, 0x1F, 0x7F, 0x80, 0x85, 0x9B, 0x9F])
def test_control_character_is_refused_like_others(code: int) -> None:
    """It is named by an escape, and the suggestion has a visible character in its place."""
    with pytest.raises(DescriptionError) as caught:
        validate(f"ab{chr(code)}[31m")
    assert caught.value.message == f"“\\x{code:02x}” (position 3) is not allowed in a description."
    assert chr(code) not in str(caught.value)
    suggestion = caught.value.values["suggestion"]
    assert validate(suggestion) == suggestion
    assert suggestion[2].isprintable()


def test_slashes_get_full_width_suggestion() -> None:
    """A date with slashes is suggested with full-width slashes and --replace."""
    with pytest.raises(DescriptionError) as caught:
        validate("2026/11/23")
    assert caught.value.message == "“/” (position 5) is not allowed in a description."
    assert "2026／11／23 (add --replace)" in caught.value.hint  # noqa: RUF001 - full-width form


@pytest.mark.parametrize("text", ["a" * (MAX_LENGTH + 1), "👍" * (MAX_LENGTH + 1), "/" * 600])
def test_too_long_text_is_refused_with_its_length(text: str) -> None:
    """513 code points are too many, whatever they are."""
    with pytest.raises(DescriptionError) as caught:
        validate(text)
    assert caught.value.values == {"length": len(text), "limit": 512}
    assert str(len(text)) in caught.value.message


@pytest.mark.parametrize(
    ("text", "position"), [("\ud800", 1), ("ab\udfff", 3), ("a/b\ud83d", 4), ("\udc80/", 1)]
)
def test_unpaired_surrogate_is_refused_without_suggestion(text: str, position: int) -> None:
    """An unpaired surrogate cannot be sent and has no full-width form."""
    with pytest.raises(DescriptionError) as caught:
        validate(text)
    assert caught.value.code == "description.unpaired_surrogate"
    assert caught.value.values == {"position": position}
    str(caught.value).encode()


@pytest.mark.parametrize("text", ["a/b\nc", "a/\x1b[31m", "a/\u2028b"])
def test_error_for_multiline_text_is_one_line(text: str) -> None:
    """The suggestion for a text with line breaks fits on one line."""
    with pytest.raises(DescriptionError) as caught:
        validate(text)
    assert len(str(caught.value).splitlines()) == 2
    assert "\x1b" not in str(caught.value)


@given(st.text(max_size=MAX_LENGTH) | MIXED)
def test_full_width_text_is_valid_and_as_long(text: str) -> None:
    """Any text within the limit becomes valid, and only the six characters change."""
    wide = to_full_width(text)
    assert validate(wide) == wide
    assert len(wide) == len(text)
    for old, new in zip(text, wide):
        assert new == FULL_WIDTH_FORMS.get(old, old) or category(old) == "Cc"


@given(MIXED | st.text(alphabet=st.characters(), max_size=20))
def test_first_invalid_character_is_found(text: str) -> None:
    """No character before it is invalid."""
    found = find_invalid_character(text)
    if found is None:
        assert validate(text) == text
        return
    position, character = found
    assert text[position - 1] == character
    assert find_invalid_character(text[: position - 1]) is None
