"""The form's widgets and their looks: labels, tones and layout, and no behaviour.

Labels stand in the elements that they name, a tone is an icon and a word beside its colour, and the
colours are the page's own with fallbacks. Everything that is shown as HTML is escaped here.
"""

from __future__ import annotations

import contextlib
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets  # type: ignore[import-untyped]

from modelarts_magics.commands.results import printable
from modelarts_magics.domain.models import Mode
from modelarts_magics.kernel.form.draft import presets, written
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from datetime import timedelta

    from modelarts_magics.domain.models import Capabilities

_TONES = {
    "good": ("✓", "var(--jp-success-color1, #2e7d32)"),
    "warn": ("⚠", "var(--jp-warn-color1, #b26a00)"),
    "bad": ("✗", "var(--jp-error-color1, #c62828)"),
    "wait": ("…", "var(--jp-border-color1, #8888)"),
}
_FONT = "font-family: var(--jp-ui-font-family, system-ui, sans-serif); line-height: 1.5"
_WIDTH = "40em"
_APART = "2px 2em 2px 2px"
_LABEL = {"description_width": "7em"}
_ALL = "calc(100% - 4px)"
"""The page's style leaves 2 px around each widget."""
_INDENT = "0 0 0 calc(7em + 10px)"
"""Where the fields begin, behind their labels."""


def note(lines: Sequence[str], tone: str) -> str:
    """Lines of an outcome, announced by a screen reader; the first is the one that matters."""
    icon, colour = _TONES[tone]
    role = "alert" if tone == "bad" else "status"
    first, *rest = [_line(line) for line in lines]
    word = f'<span aria-hidden="true">{icon}</span> {escape(text(f"form.tone.{tone}"))}'
    body = "".join(f"<div>{line}</div>" for line in rest)
    return (
        f'<div role="{role}" style="{_FONT}; padding: 2px 0 2px 10px; overflow-wrap: anywhere;'
        f' border-left: 3px solid {colour}"><div><strong>{word}</strong> · {first}</div>{body}</div>'
    )


def remark(line: str, *, wrong: bool = False) -> str:
    """A line beside a field; one about a mistake has an icon and is announced."""
    if not line:
        return ""
    icon = '<span aria-hidden="true">⚠</span> ' if wrong else ""
    role = ' role="status"' if wrong else ""
    return f'<div{role} style="{_FONT}; overflow-wrap: anywhere">{icon}{_line(line)}</div>'


def show(widget: Any, visible: bool) -> None:  # noqa: ANN401 - any widget
    """Show a widget, or leave no place for it."""
    widget.layout.display = None if visible else "none"


def _line(line: str) -> str:
    return escape(printable(line)).replace("\n", "<br>")


class _Guarded:
    """A field into which nobody writes while the form decides what becomes of it."""

    lock: AbstractContextManager[object] = contextlib.nullcontext()

    def __setattr__(self, name: str, value: object) -> None:
        with self.lock:
            super().__setattr__(name, value)

    def set_state(self, sync_data: Any) -> None:  # noqa: ANN401 - ipywidgets' own
        """Take what the page says."""
        with self.lock:
            super().set_state(sync_data)  # type: ignore[misc]  # ipywidgets has no types


class _Textarea(_Guarded, ipywidgets.Textarea):
    pass


class _Text(_Guarded, ipywidgets.Text):
    pass


class _Checkbox(_Guarded, ipywidgets.Checkbox):
    pass


class _Dropdown(_Guarded, ipywidgets.Dropdown):
    pass


class Widgets:
    """All widgets of one form, by what they are for.

    Args:
        able: What the API can do; what it cannot is not offered.
        lock: Held by the form while it decides what becomes of the entries.
    """

    def __init__(self, able: Capabilities, *, lock: AbstractContextManager[object]) -> None:
        self.description = _described(
            _Textarea, "description", rows=3, layout=_layout(width=_ALL, margin="10px 2px 2px")
        )
        self.count = _html(margin=_INDENT)
        self.full_width = _button("full_width", margin=_INDENT)
        self.auto_stop = _described(
            _Checkbox, "auto_stop", layout=_layout(width="auto", margin=_APART)
        )
        self.auto_stop.indent = False
        self.no_off = _html()
        self.mode = _described(_Dropdown, "mode", tip=False, layout=_layout(width="20em"))
        self.mode.options = [(text(f"form.mode.{each.value}"), each.value) for each in Mode]
        self.duration = self._duration(able)
        self.presets = {written(each): _preset(each) for each in presets(able)}
        self.remind = _described(_Checkbox, "remind", layout=_layout(width="auto", margin=_APART))
        self.remind.indent = False
        self.preview = _html()
        self.conflict = _html()
        self.keep_mine = _button("keep_mine")
        self.take_theirs = _button("take_theirs")
        self.apply = _button("apply", style="primary")
        self.reload = _button("reload")
        self.result = _html()
        self.choice = _row(self.keep_mine, self.take_theirs)
        for field in (self.description, self.auto_stop, self.mode, self.duration, self.remind):
            field.lock = lock
        show(self.mode, able.idle)
        show(self.remind, able.prompt)

    def rows(self, countdown: Any) -> list[Any]:  # noqa: ANN401 - a widget
        """The widgets in the order in which they stand and are reached by Tab."""
        return [
            countdown,
            self.description,
            self.count,
            self.full_width,
            _row(self.auto_stop, self.remind),
            self.no_off,
            _row(self.mode, self.duration),
            _row(*self.presets.values(), margin=_INDENT),
            self.preview,
            self.conflict,
            self.choice,
            _row(self.apply, self.reload),
            self.result,
        ]

    @staticmethod
    def _duration(able: Capabilities) -> Any:  # noqa: ANN401 - ipywidgets has no types
        kind = able.counts_from.value
        return _Text(
            description=text(f"form.duration.{kind}"),
            tooltip=text(f"form.duration.tip.{kind}"),
            placeholder="" if able.kept else text("form.duration.empty"),
            style=_LABEL,
            layout=_layout(width="16em"),
        )


def close_all(widget: Any) -> None:  # noqa: ANN401 - any widget
    """Close a widget and all that stands in it."""
    for child in getattr(widget, "children", ()):
        close_all(child)
    for part in (widget.layout, getattr(widget, "style", None)):
        if isinstance(part, ipywidgets.Widget):
            part.close()
    widget.close()


def _described(kind: Any, name: str, *, tip: bool = True, **options: Any) -> Any:  # noqa: ANN401
    tooltip = text(f"form.{name}.tip") if tip else None
    style = {} if kind is _Checkbox else {"style": _LABEL}
    return kind(description=text(f"form.{name}"), tooltip=tooltip, **style, **options)


def _button(name: str, *, style: str = "", margin: str | None = None) -> Any:  # noqa: ANN401
    return ipywidgets.Button(
        description=text(f"form.{name}"),
        tooltip=text(f"form.{name}.tip"),
        button_style=style,
        layout=_layout(width="auto", margin=margin, align_self="flex-start"),
    )


def _preset(duration: timedelta) -> Any:  # noqa: ANN401 - ipywidgets has no types
    label = text("form.preset", duration=duration)
    return ipywidgets.Button(description=label, layout=_layout(width="auto"))


def _html(*, margin: str | None = None) -> Any:  # noqa: ANN401 - ipywidgets has no types
    return ipywidgets.HTML(layout=_layout(margin=margin))


def _row(*widgets: Any, margin: str | None = None) -> Any:  # noqa: ANN401 - ipywidgets has no types
    layout = _layout(flex_flow="row wrap", align_items="center", margin=margin)
    return ipywidgets.HBox(widgets, layout=layout)


def _layout(**options: str | None) -> Any:  # noqa: ANN401 - ipywidgets has no types
    given = {name: value for name, value in options.items() if value is not None}
    return ipywidgets.Layout(max_width="100%", **given)


def form_layout() -> Any:  # noqa: ANN401 - ipywidgets has no types
    """The form's own: as wide as is good to read, and no wider than the page."""
    return ipywidgets.Layout(width="100%", max_width=_WIDTH)
