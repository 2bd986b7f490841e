"""Rules for the description of an instance.

Source: table 2 of the seed document (`demanager`, update an instance): at most 512 characters,
none of ``& < > " ' /``.
"""

from __future__ import annotations

from modelarts_magics.errors import DescriptionError

MAX_LENGTH = 512
"""The maximum length of a description in characters (Unicode code points)."""

FULL_WIDTH_FORMS = {"&": "＆", "<": "＜", ">": "＞", '"': "”", "'": "’", "/": "／"}  # noqa: RUF001 - intended
"""The characters that are not allowed, each with its full-width form, which is allowed."""


def find_invalid_character(text: str) -> tuple[int, str] | None:
    """Return the first character that is not allowed as (1-based position, character), or None."""
    for position, character in enumerate(text, start=1):
        if character in FULL_WIDTH_FORMS or "\ud800" <= character <= "\udfff":
            return position, character
    return None


def to_full_width(text: str) -> str:
    """Replace each character that is not allowed by its full-width form; the length stays the same."""
    return text.translate({ord(plain): wide for plain, wide in FULL_WIDTH_FORMS.items()})


def validate(text: str) -> str:
    """Return the text if the API accepts it.

    Raises:
        DescriptionError: The text is too long or has a character that is not allowed; the error names
            the character and its position.
    """
    if len(text) > MAX_LENGTH:
        raise DescriptionError("description.too_long", length=len(text), limit=MAX_LENGTH)
    found = find_invalid_character(text)
    if found is None:
        return text
    suggestion = to_full_width(text)
    # An unpaired surrogate has no full-width form.
    surrogate = find_invalid_character(suggestion)
    if surrogate:
        raise DescriptionError("description.unpaired_surrogate", position=surrogate[0])
    position, character = found
    raise DescriptionError(
        "description.invalid_character",
        position=position,
        character=character,
        suggestion=suggestion,
    )
