"""How values look: plain text, and HTML that follows the page's theme. Everything is escaped."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any

from modelarts_magics.commands.as_json import instance_json
from modelarts_magics.commands.as_text import change_lines, instance_lines
from modelarts_magics.commands.results import Details, Text, printable
from modelarts_magics.doctor import Report
from modelarts_magics.domain.models import Change, Effect, Instance
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEFT_EDGE = {
    "good": "var(--jp-success-color1, #2e7d32)",
    "warn": "var(--jp-warn-color1, #b26a00)",
    "plain": "var(--jp-border-color1, #8888)",
}


def as_text(value: object) -> str:
    """The value in plain text."""
    if isinstance(value, Details):
        rows = _flat(instance_json(value.instance, everything=True))
        width = max(len(name) for name, _ in rows)
        table = [f"{name:<{width}}  {cell}" for name, cell in rows]
        return printable("\n".join([*instance_lines(value.instance), "", *table]))
    return printable("\n".join(_lines(value)[0]))


def as_html(value: object) -> str:
    """The value in HTML, with the colours of the page it stands in."""
    if isinstance(value, Details):
        rows = _flat(instance_json(value.instance, everything=True))
        cells = "".join(f"<tr>{_cell(name, 'th')}{_cell(cell, 'td')}</tr>" for name, cell in rows)
        return f"{_box(instance_lines(value.instance), 'plain')}<table>{cells}</table>"
    return _box(*_lines(value))


def _lines(value: object) -> tuple[list[str], str]:
    """The value in lines, and the tone that they have."""
    if isinstance(value, Instance):
        return instance_lines(value), "plain"
    if isinstance(value, Change):
        return change_lines(value), "good" if value.effect is Effect.NOW else "warn"
    if isinstance(value, Report):
        return value.lines(), "warn" if value.problems else "good"
    words = repr(value) if isinstance(value, Text) else str(value)
    return words.split("\n"), "plain"


def _box(lines: list[str], tone: str) -> str:
    first, *rest = lines
    body = "".join(f"<div>{_lines_of(line)}</div>" for line in rest)
    return (
        '<div style="font-family: var(--jp-ui-font-family, system-ui, sans-serif); line-height: 1.5;'
        f' padding: 2px 0 2px 10px; border-left: 3px solid {_LEFT_EDGE[tone]}; overflow-wrap: anywhere">'
        f"<div><strong>{_lines_of(first)}</strong></div>{body}</div>"
    )


def _lines_of(line: str) -> str:
    return escape(printable(line)).replace("\n", "<br>")


def _cell(value: object, tag: str) -> str:
    style = "text-align: left; vertical-align: top; overflow-wrap: anywhere"
    return f'<{tag} style="{style}">{_lines_of(str(value))}</{tag}>'


def _flat(data: Mapping[str, Any], path: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in data.items():
        if isinstance(value, dict) and value:
            rows += _flat(value, f"{path}{name}.")
        else:
            rows.append((f"{path}{name}", _word(value)))
    return rows


def _word(value: object) -> str:
    """A value of JSON as JSON writes it; a text without its quotes, and nothing as a dash."""
    if value in (None, {}):
        return text("word.none")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
