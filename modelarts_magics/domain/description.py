"""Rules for the description of an instance.

Source: table 2 of the seed document (`demanager`, update an instance): at most 512 characters,
none of ``& < > " ' /``. Control characters are refused here, too.
"""

from __future__ import annotations

from modelarts_magics.errors import DescriptionError

MAX_LENGTH = 512
"""The maximum length of a description in characters (Unicode code points)."""

FULL_WIDTH_FORMS = {"&": "＆", "<": "＜", ">": "＞", '"': "”", "'": "’", "/": "／"}  # noqa: RUF001 - intended
"""The characters that the API refuses, each with its full-width form, which is allowed."""

_CONTROL_PICTURES = {
    **{
        chr(code): chr(0x2400 + code)
        for code in range(0x20)
        # Tabs and line breaks are allowed.
        if chr(code) not in "\t\n\r"
    },
    "\x7f": "\N{SYMBOL FOR DELETE}",
    **{chr(code): "\N{REPLACEMENT CHARACTER}" for code in range(0x80, 0xA0)},
}
"""The control characters that are not allowed, each with a visible form: they can change what a terminal shows."""
_REPLACEMENTS = {**FULL_WIDTH_FORMS, **_CONTROL_PICTURES}


def find_invalid_character(text: str) -> tuple[int, str] | None:
    """Return the first character that is not allowed as (1-based position, character), or None."""
    for position, character in enumerate(text, start=1):
        if character in _REPLACEMENTS or "\ud800" <= character <= "\udfff":
            return position, character
    return None


def show_character(character: str) -> str:
    r"""Return a character as it is shown in a message: a control character as an escape such as ``\x1b``."""
    return (
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
    )


def to_full_width(text: str) -> str:
    """Replace each character that is not allowed by a form that is; the length stays the same."""
    return text.translate({ord(plain): wide for plain, wide in _REPLACEMENTS.items()})


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
        character=show_character(character),
        suggestion=suggestion,
    )
