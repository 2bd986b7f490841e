"""The columns that a text takes on a terminal, and line breaks at words; a Chinese character takes two columns."""

from __future__ import annotations

import re
import unicodedata

_CHINESE = "\u2e80-\u9fff\uf900-\ufaff"
_WORD = rf"\s*(?:[{_CHINESE}][\u3000-\u303f\uff00-\uff60]*|[^\s{_CHINESE}]+)"
"""A word with the spaces before it; a Chinese character, with the punctuation after it, is a word."""


def display_width(value: str) -> int:
    """Return the number of terminal columns of a text."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in value)


def pad_label(label: str, width: int) -> str:
    """Pad a label with spaces to `width` terminal columns."""
    return label + " " * (width - display_width(label))


def wrap_words(line: str, width: int) -> list[str]:
    """Break a line at words, so that each part takes at most `width` columns; a longer word has its own line."""
    lines = [""]
    for word in re.findall(_WORD, line):
        if lines[-1] and display_width(lines[-1] + word) > width:
            lines.append("")
        lines[-1] += word if lines[-1] else word.lstrip()
    return lines
