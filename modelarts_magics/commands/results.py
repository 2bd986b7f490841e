"""Types of results that have a readable representation in IPython and in a terminal."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics import messages
from modelarts_magics.domain.rich_output import RichResult
from modelarts_magics.errors import UNPRINTABLE_CHARACTERS

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    from modelarts_magics.domain.models import Instance


_ALLOWED_SEPARATORS = "\t\n\u2028\u2029"
"""Separators of words and lines, which have no side effects in a terminal."""


def replace_control_characters(text: str) -> str:
    """Replace control characters and unpaired surrogates, which the API may return in any field.

    Marks that change the direction of text are shown as escapes.
    """
    replaced = _substitute_controls(text, lambda _: "\N{REPLACEMENT CHARACTER}")
    return messages.escape_direction_marks(replaced)


def _substitute_controls(text: str, replacement: Callable[[str], str]) -> str:
    def substitute(match: re.Match[str]) -> str:
        return "".join(
            each if each in _ALLOWED_SEPARATORS else replacement(each) for each in match[0]
        )

    return UNPRINTABLE_CHARACTERS.sub(substitute, text)


class TextResult(str):
    """Text whose representation has no quotes, and is a dash if the text is empty."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self) or messages.text("word.empty")

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ANN401, ARG002 - IPython's hook
        printer.text(replace_control_characters(repr(self)))


def _json_text(value: object) -> str:
    encoded = json.dumps(value, ensure_ascii=False, indent=2)
    escaped = _substitute_controls(encoded, lambda control: f"\\u{ord(control):04x}")
    return messages.escape_direction_marks(escaped)


class _ShownAsJson:
    """A value of JSON that IPython shows as such."""

    def __repr__(self) -> str:
        return _json_text(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ANN401, ARG002 - IPython's hook
        printer.text(repr(self))


class JsonResult(_ShownAsJson, dict[str, Any]):
    """A JSON object whose representation is JSON."""


class JsonListResult(_ShownAsJson, list[JsonResult]):
    """A JSON array whose representation is JSON."""


class RecordedOutput:
    """Recorded outputs of a cell or a command.

    Args:
        outputs: The outputs in the format of a notebook.
        text: The outputs as plain text.
        show: Displays the outputs; None outside a kernel.
    """

    def __init__(
        self,
        outputs: Sequence[dict[str, Any]],
        text: str,
        show: Callable[[Sequence[dict[str, Any]]], None] | None,
    ) -> None:
        self.outputs = outputs
        self._text = text
        self._show = show

    def __str__(self) -> str:
        return self._text

    __repr__ = __str__

    def _ipython_display_(self) -> None:
        if self._show is None:
            sys.stdout.write(f"{self}\n")
        else:
            self._show(self.outputs)


class InstanceDetails(RichResult):
    """An instance whose representation includes all fields; the result of ``status --all``."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
