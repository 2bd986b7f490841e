"""Results as plain text, and as escaped HTML in the colours of the page's theme."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any

from modelarts_magics.commands.as_json import instance_json
from modelarts_magics.commands.as_text import change_lines, instance_lines
from modelarts_magics.commands.results import replace_control_characters
from modelarts_magics.domain.models import Effect
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from collections.abc import Mapping

TONE_COLOURS = {
    "success": "var(--jp-success-color1, #2e7d32)",
    "warning": "var(--jp-warn-color1, #b26a00)",
    "error": "var(--jp-error-color1, #c62828)",
    "pending": "var(--jp-border-color1, #8888)",
    "neutral": "var(--jp-border-color1, #8888)",
}
"""The border colour of an outcome by its tone, from the theme of the page with a fallback."""
NO_MATH = 'class="mathjax_ignore tex2jax_ignore"'
"""Attribute of every HTML output, for MathJax 3 and 2: text between two ``$`` is not a formula."""


_TERMINAL_COLOURS = {"success": 32, "warning": 33, "error": 31}
"""The colour of an outcome on a terminal by its tone, as a number of an ANSI escape sequence."""


def colour_first_line(shown: str, tone: str) -> str:
    """Return a text with its first line in the terminal colour of a tone; other tones have none."""
    colour = _TERMINAL_COLOURS.get(tone)
    first, line_break, rest = shown.partition("\n")
    return f"\x1b[{colour}m{first}\x1b[0m{line_break}{rest}" if colour else shown


def render_terminal(value: Any) -> str:  # noqa: ANN401 - any result
    """Return a result as text for a terminal that shows colours."""
    return colour_first_line(render_text(value), _lines_and_tone(value)[1])


def render_text(value: Any) -> str:  # noqa: ANN401 - any result
    """Return a result as plain text."""
    if _is_kind(value, "InstanceDetails"):
        rows = _flatten(instance_json(value.instance, all_fields=True))
        width = max(len(name) for name, _ in rows)
        table = [f"{name:<{width}}  {cell}" for name, cell in rows]
        return replace_control_characters("\n".join([*instance_lines(value.instance), "", *table]))
    return replace_control_characters("\n".join(_lines_and_tone(value)[0]))


def render_html(value: Any) -> str:  # noqa: ANN401 - any result
    """Return a result as HTML."""
    if _is_kind(value, "InstanceDetails"):
        rows = _flatten(instance_json(value.instance, all_fields=True))
        cells = "".join(
            f"<tr>{_table_cell(name, 'th')}{_table_cell(cell, 'td')}</tr>" for name, cell in rows
        )
        block = _html_block(instance_lines(value.instance), "neutral")
        return f"{block}<table {NO_MATH}>{cells}</table>"
    return _html_block(*_lines_and_tone(value))


def _is_kind(value: object, name: str) -> bool:
    """Return whether the class of a value has this name.

    A reload of the package, as by ``%autoreload``, leaves two classes of each name.
    """
    return type(value).__name__ == name


def _lines_and_tone(value: Any) -> tuple[list[str], str]:  # noqa: ANN401 - any result
    """Return the lines of a result and their tone, a key of `TONE_COLOURS`."""
    if _is_kind(value, "Instance"):
        return instance_lines(value), "neutral"
    if _is_kind(value, "Change"):
        return change_lines(value), "success" if value.effect == Effect.NOW else "warning"
    if _is_kind(value, "DoctorReport"):
        return value.lines(show_all=value.show_all), "warning" if value.problems else "success"
    shown = repr(value) if _is_kind(value, "TextResult") else str(value)
    return shown.split("\n"), "neutral"


def _html_block(lines: list[str], tone: str) -> str:
    first, *rest = lines
    body = "".join(f"<div>{to_html(line)}</div>" for line in rest)
    return (
        f'<div {NO_MATH} style="font-family: var(--jp-ui-font-family, system-ui, sans-serif); line-height: 1.5;'
        f' padding: 2px 0 2px 10px; border-left: 3px solid {TONE_COLOURS[tone]}; overflow-wrap: anywhere">'
        f"<div><strong>{to_html(first)}</strong></div>{body}</div>"
    )


def to_html(line: str) -> str:
    """Return a text as HTML: escaped, without control characters, line breaks as ``<br>``."""
    return escape(replace_control_characters(line)).replace("\n", "<br>")


def _table_cell(value: object, tag: str) -> str:
    style = "text-align: left; vertical-align: top; overflow-wrap: anywhere"
    return f'<{tag} style="{style}">{to_html(str(value))}</{tag}>'


def _flatten(data: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in data.items():
        if isinstance(value, dict) and value:
            rows += _flatten(value, f"{prefix}{name}.")
        else:
            rows.append((f"{prefix}{name}", _format_value(value)))
    return rows


def _format_value(value: object) -> str:
    """Format a JSON value for a table: text without quotes, and a dash for null and empty objects."""
    if value in (None, {}):
        return text("word.empty")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
