"""The widgets of the form and their appearance, without behaviour.

Every control has a label of its own, every tone an icon and a word beside its colour. Colours are those of the
page's theme, with fallbacks. Everything shown as HTML is escaped here.
"""

from __future__ import annotations

import contextlib
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets  # type: ignore[import-untyped]

from modelarts_magics.commands.render import NO_MATH, TONE_COLOURS, to_html
from modelarts_magics.domain.models import Mode
from modelarts_magics.kernel.form.draft import preset_durations
from modelarts_magics.messages import format_duration, text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from datetime import timedelta

    from modelarts_magics.domain.models import Capabilities

_TONE_ICONS = {"success": "✓", "warning": "⚠", "error": "✗", "pending": "…"}
_FONT_STYLE = "font-family: var(--jp-ui-font-family, system-ui, sans-serif); line-height: 1.5"
_MAX_WIDTH = "40em"
_CHECKBOX_MARGIN = "2px 2em 2px 2px"
_LABEL_STYLE = {"description_width": "7em"}
_FULL_WIDTH = "calc(100% - 4px)"
"""The full width minus the margin of 2 px around each widget."""
_FIELD_INDENT = "0 0 0 calc(7em + 10px)"
"""The margin that aligns a widget with the fields, beside their labels."""
_ROW_INDENT = "0 0 0 calc(7em + 8px)"
"""The margin that aligns a row of widgets with the fields; each of them has a margin of 2 px."""


def outcome_html(lines: Sequence[str], tone: str) -> str:
    """Return an outcome as HTML that screen readers announce.

    Args:
        lines: The lines to show; the first is emphasised.
        tone: A key of `TONE_COLOURS`, except "neutral".
    """
    role = "alert" if tone == "error" else "status"
    first, *rest = [to_html(line) for line in lines]
    word = (
        f'<span aria-hidden="true">{_TONE_ICONS[tone]}</span> {escape(text(f"form.tone.{tone}"))}'
    )
    body = "".join(f"<div>{line}</div>" for line in rest)
    return (
        f'<div {NO_MATH} role="{role}" style="{_FONT_STYLE}; padding: 2px 0 2px 10px; overflow-wrap: anywhere;'
        f' border-left: 3px solid {TONE_COLOURS[tone]}"><div><strong>{word}</strong> · {first}</div>{body}</div>'
    )


def note_html(line: str, *, is_error: bool = False) -> str:
    """Return a line beside a field as HTML; an error has an icon, and screen readers announce it."""
    if not line:
        return ""
    icon = '<span aria-hidden="true">⚠</span> ' if is_error else ""
    role = ' role="status"' if is_error else ""
    return f'<div {NO_MATH}{role} style="{_FONT_STYLE}; overflow-wrap: anywhere">{icon}{to_html(line)}</div>'


def set_visible(widget: Any, visible: bool) -> None:  # noqa: ANN401 - any widget
    """Show or hide a widget; a hidden one takes no space."""
    widget.layout.display = None if visible else "none"


class _LockedWidget:
    """A field that cannot be changed while the form holds its lock."""

    lock: AbstractContextManager[object] = contextlib.nullcontext()

    def __setattr__(self, name: str, value: object) -> None:
        with self.lock:
            super().__setattr__(name, value)

    def set_state(self, sync_data: Any) -> None:  # noqa: ANN401 - ipywidgets' own
        """Set the state sent by a page."""
        with self.lock:
            super().set_state(sync_data)  # type: ignore[misc]  # ipywidgets has no types


class _LockedTextarea(_LockedWidget, ipywidgets.Textarea):
    pass


class _LockedText(_LockedWidget, ipywidgets.Text):
    pass


class _LockedCheckbox(_LockedWidget, ipywidgets.Checkbox):
    pass


class _LockedDropdown(_LockedWidget, ipywidgets.Dropdown):
    pass


class FormWidgets:
    """All widgets of one form.

    Args:
        capabilities: The capabilities of the API; controls that it does not support are hidden.
        lock: The lock of the form, held while a field changes.
    """

    def __init__(self, capabilities: Capabilities, *, lock: AbstractContextManager[object]) -> None:
        self.description = _labelled(
            _LockedTextarea,
            "description",
            rows=3,
            layout=_layout(width=_FULL_WIDTH, margin="10px 2px 2px"),
        )
        self.character_count = _html(margin=_FIELD_INDENT)
        self.full_width_button = _button("full_width", margin=_FIELD_INDENT)
        self.auto_stop = _labelled(
            _LockedCheckbox, "auto_stop", layout=_layout(width="auto", margin=_CHECKBOX_MARGIN)
        )
        self.auto_stop.indent = False
        self.cannot_disable_note = _html(margin=_FIELD_INDENT)
        self.mode = _labelled(
            _LockedDropdown, "mode", with_tooltip=False, layout=_layout(width="20em")
        )
        self.mode.options = [(text(f"form.mode.{each.value}"), each.value) for each in Mode]
        self.duration = self._duration_field(capabilities)
        self.preset_buttons = {
            format_duration(each): _preset_button(each) for each in preset_durations(capabilities)
        }
        self.remind = _labelled(
            _LockedCheckbox, "remind", layout=_layout(width="auto", margin=_CHECKBOX_MARGIN)
        )
        self.remind.indent = False
        self.preview = _html(margin=_FIELD_INDENT)
        self.conflict = _html(margin=_FIELD_INDENT)
        self.keep_mine_button = _button("keep_mine")
        self.take_theirs_button = _button("take_theirs")
        self.apply_button = _button("apply", style="primary")
        self.reload_button = _button("reload")
        self.result = _html(margin=_FIELD_INDENT)
        self._add_offers()
        self.conflict_buttons = _row(self.keep_mine_button, self.take_theirs_button)
        self._prepare_fields(lock)
        set_visible(self.mode, capabilities.supports_idle)
        set_visible(self.remind, capabilities.supports_reminder)

    def _prepare_fields(self, lock: AbstractContextManager[object]) -> None:
        for field in (self.description, self.auto_stop, self.mode, self.duration, self.remind):
            field.lock = lock
        for field in (self.description, self.duration):
            # In a page, the countdown makes the note below such a field its description for screen readers.
            field.add_class("ma-Field")

    def _add_offers(self) -> None:
        """Create the buttons after a change, and the note of a form without its kernel."""
        self.undo_button = ipywidgets.Button(
            description=text("form.undo"), layout=_layout(width="auto")
        )
        # Its label has the run time, which is known only when the button is shown.
        tip = text("form.restore.tip")
        self.restore_button = ipywidgets.Button(
            description=tip, tooltip=tip, layout=_layout(width="auto")
        )
        self.offers = _row(self.undo_button, self.restore_button)
        # The countdown shows it when it finds out that the kernel was restarted.
        self.restart_note = ipywidgets.HTML(
            note_html(text("form.restarted"), is_error=True),
            layout=_layout(display="none", margin=_FIELD_INDENT),
        )
        self.restart_note.add_class("ma-RestartNote")

    def rows(self, countdown: Any, fallback: Any) -> list[Any]:  # noqa: ANN401 - widgets
        """Return these and the widgets of the form in display order, which is also the tab order.

        The page disables the fields, which are all in one widget, when the kernel was restarted.

        Args:
            countdown: The countdown; None if the page cannot show it, and so does not find out about a restart.
            fallback: The line in place of the countdown.
        """
        fields = [
            self.description,
            self.character_count,
            self.full_width_button,
            _row(self.auto_stop, self.remind),
            self.cannot_disable_note,
            self.mode,
            self.duration,
            self.preview,
            _row(*self.preset_buttons.values()),
            self.conflict,
            self.conflict_buttons,
            _row(self.apply_button, self.reload_button),
            self.result,
            self.offers,
        ]
        rows = [fallback, ipywidgets.VBox(fields, layout=_layout())]
        return rows if countdown is None else [countdown, *rows, self.restart_note]

    @staticmethod
    def _duration_field(capabilities: Capabilities) -> Any:  # noqa: ANN401 - ipywidgets has no types
        kind = capabilities.counts_from.value
        return _LockedText(
            description=text(f"form.duration.{kind}"),
            tooltip=text(f"form.duration.tip.{kind}"),
            placeholder="" if capabilities.persists_duration else text("form.duration.empty"),
            style=_LABEL_STYLE,
            layout=_layout(width="16em"),
        )


def _labelled(kind: Any, name: str, *, with_tooltip: bool = True, **options: Any) -> Any:  # noqa: ANN401
    tooltip = text(f"form.{name}.tip") if with_tooltip else None
    style = {} if kind is _LockedCheckbox else {"style": _LABEL_STYLE}
    return kind(description=text(f"form.{name}"), tooltip=tooltip, **style, **options)


def _button(name: str, *, style: str = "", margin: str | None = None) -> Any:  # noqa: ANN401
    return ipywidgets.Button(
        description=text(f"form.{name}"),
        tooltip=text(f"form.{name}.tip"),
        button_style=style,
        layout=_layout(width="auto", margin=margin, align_self="flex-start"),
    )


def _preset_button(duration: timedelta) -> Any:  # noqa: ANN401 - ipywidgets has no types
    label = format_duration(duration)
    return ipywidgets.Button(description=label, layout=_layout(width="auto"))


def _html(*, margin: str | None = None) -> Any:  # noqa: ANN401 - ipywidgets has no types
    return ipywidgets.HTML(layout=_layout(margin=margin))


def _row(*widgets: Any) -> Any:  # noqa: ANN401 - ipywidgets has no types
    layout = _layout(flex_flow="row wrap", align_items="center", margin=_ROW_INDENT)
    return ipywidgets.HBox(widgets, layout=layout)


def _layout(**options: str | None) -> Any:  # noqa: ANN401 - ipywidgets has no types
    set_options = {name: value for name, value in options.items() if value is not None}
    return ipywidgets.Layout(max_width="100%", **set_options)


def form_layout() -> Any:  # noqa: ANN401 - ipywidgets has no types
    """Return the layout of the form: a readable width, never wider than the page."""
    return ipywidgets.Layout(width="100%", max_width=_MAX_WIDTH)
