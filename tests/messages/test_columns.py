"""Texts are aligned by the columns that they take on a terminal, and broken at words."""

from __future__ import annotations

import pytest

from modelarts_magics.messages.columns import display_width, pad_label, wrap_words


def test_labels_are_aligned_by_display_width() -> None:
    """A Chinese character takes two columns."""
    assert display_width("凭证 a") == 6
    assert (pad_label("凭证", 6), pad_label("abc", 4)) == ("凭证  ", "abc ")


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("stop later; default 1 h", ["stop later;", "default 1 h"]),
        ("a-word-of-sixteen fits", ["a-word-of-sixteen", "fits"]),
        ("延长本次运行，默认一小时", ["延长本次运", "行，默认一", "小时"]),  # noqa: RUF001 - Chinese
        ("用 extend 延长", ["用 extend", "延长"]),
        ("", [""]),
    ],
)
def test_line_is_broken_at_words(line: str, lines: list[str]) -> None:
    """A Chinese sentence has no spaces and is broken between characters, not before punctuation."""
    assert wrap_words(line, 11) == lines
