"""How values look: plain text, and HTML that follows the page's theme. Everything is escaped."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any

from modelarts_magics.commands.as_json import instance_json
from modelarts_magics.commands.as_text import change_lines, instance_lines
from modelarts_magics.commands.results import (
    InstanceDetails,
    TextResult,
    replace_control_characters,
)
from modelarts_magics.doctor import DoctorReport
from modelarts_magics.domain.models import Change, Effect, Instance
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from collections.abc import Mapping

_BORDER_COLOURS = {
    "good": "var(--jp-success-color1, #2e7d32)",
    "warn": "var(--jp-warn-color1, #b26a00)",
    "plain": "var(--jp-border-color1, #8888)",
}


def render_text(value: object) -> str:
    """The value in plain text."""
    if isinstance(value, InstanceDetails):
        rows = _flatten(instance_json(value.instance, all_fields=True))
        width = max(len(name) for name, _ in rows)
        table = [f"{name:<{width}}  {cell}" for name, cell in rows]
        return replace_control_characters("\n".join([*instance_lines(value.instance), "", *table]))
    return replace_control_characters("\n".join(_lines_and_tone(value)[0]))


def render_html(value: object) -> str:
    """The value in HTML, with the colours of the page it stands in."""
    if isinstance(value, InstanceDetails):
        rows = _flatten(instance_json(value.instance, all_fields=True))
        cells = "".join(
            f"<tr>{_table_cell(name, 'th')}{_table_cell(cell, 'td')}</tr>" for name, cell in rows
        )
        return f"{_html_block(instance_lines(value.instance), 'plain')}<table>{cells}</table>"
    return _html_block(*_lines_and_tone(value))


def _lines_and_tone(value: object) -> tuple[list[str], str]:
    """The value in lines, and the tone that they have."""
    if isinstance(value, Instance):
        return instance_lines(value), "plain"
    if isinstance(value, Change):
        return change_lines(value), "good" if value.effect is Effect.NOW else "warn"
    if isinstance(value, DoctorReport):
        return value.lines(), "warn" if value.problems else "good"
    words = repr(value) if isinstance(value, TextResult) else str(value)
    return words.split("\n"), "plain"


def _html_block(lines: list[str], tone: str) -> str:
    first, *rest = lines
    body = "".join(f"<div>{_html_lines(line)}</div>" for line in rest)
    return (
        '<div style="font-family: var(--jp-ui-font-family, system-ui, sans-serif); line-height: 1.5;'
        f' padding: 2px 0 2px 10px; border-left: 3px solid {_BORDER_COLOURS[tone]}; overflow-wrap: anywhere">'
        f"<div><strong>{_html_lines(first)}</strong></div>{body}</div>"
    )


def _html_lines(line: str) -> str:
    return escape(replace_control_characters(line)).replace("\n", "<br>")


def _table_cell(value: object, tag: str) -> str:
    style = "text-align: left; vertical-align: top; overflow-wrap: anywhere"
    return f'<{tag} style="{style}">{_html_lines(str(value))}</{tag}>'


def _flatten(data: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in data.items():
        if isinstance(value, dict) and value:
            rows += _flatten(value, f"{prefix}{name}.")
        else:
            rows.append((f"{prefix}{name}", _format_value(value)))
    return rows


def _format_value(value: object) -> str:
    """A value of JSON as JSON writes it; a text without its quotes, and nothing as a dash."""
    if value in (None, {}):
        return text("word.none")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
