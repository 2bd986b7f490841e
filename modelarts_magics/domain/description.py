"""What a description may contain, and what a refused one could become.

Source: table 2 of the seed document (`demanager`, update an instance): at most 512 characters,
none of ``& < > " ' /``.
"""

from __future__ import annotations

from modelarts_magics.errors import DescriptionError

MAX_LENGTH = 512
"""The most characters (Unicode code points) a description may have."""

FULL_WIDTH_FORMS = {"&": "＆", "<": "＜", ">": "＞", '"': "”", "'": "’", "/": "／"}  # noqa: RUF001 - meant
"""The characters that are not allowed, each with the full-width form that is."""


def find_invalid_character(text: str) -> tuple[int, str] | None:
    """The first character that is not allowed, as (1-based position, character)."""
    for position, character in enumerate(text, start=1):
        if character in FULL_WIDTH_FORMS or "\ud800" <= character <= "\udfff":
            return position, character
    return None


def to_full_width(text: str) -> str:
    """The text with each forbidden character in its full-width form; the length stays."""
    return text.translate({ord(plain): wide for plain, wide in FULL_WIDTH_FORMS.items()})


def validate(text: str) -> str:
    """Return the text if the API would take it.

    Raises:
        DescriptionError: Too long, or with a character that is not allowed; names which and where.
    """
    if len(text) > MAX_LENGTH:
        raise DescriptionError("description.too_long", length=len(text), limit=MAX_LENGTH)
    found = find_invalid_character(text)
    if found is None:
        return text
    offer = to_full_width(text)
    half = find_invalid_character(offer)
    if half:  # what has no full-width form either
        raise DescriptionError("description.not_text", position=half[0])
    position, character = found
    raise DescriptionError(
        "description.character", position=position, character=character, offer=offer
    )
