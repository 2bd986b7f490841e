"""The view of the form: reads the fields and shows what the edits mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics.commands.as_text import auto_stop_line, change_lines, instance_lines
from modelarts_magics.commands.history import describe_undo
from modelarts_magics.domain.countdown import stop_message
from modelarts_magics.domain.description import (
    MAX_LENGTH,
    find_invalid_character,
    show_character,
    to_full_width,
)
from modelarts_magics.domain.models import Effect, Mode
from modelarts_magics.domain.planning import AutoStopRequest, plan_auto_stop
from modelarts_magics.errors import DescriptionError, ModelArtsError, OutcomeUnknownError
from modelarts_magics.kernel.form import draft
from modelarts_magics.kernel.form.widgets import note_html, outcome_html, set_visible
from modelarts_magics.messages import Message, has_direction_marks, text

if TYPE_CHECKING:
    from modelarts_magics.domain.models import AutoStopEdit, Change, Instance, PendingRestore
    from modelarts_magics.domain.planning import PlanContext
    from modelarts_magics.kernel.form.widgets import FormWidgets
    from modelarts_magics.session.history import UndoOffer

EditNotice = Callable[["Instance", "AutoStopEdit | None"], "Message | None"]
"""Returns a notice about an edit: that it probably applies at the next start only, or to all later starts too."""


class FormView:
    """Reads and writes the widgets of a form; has no state of its own."""

    def __init__(self, widgets: FormWidgets) -> None:
        self._widgets = widgets

    def read_fields(self, base: draft.FormFields) -> draft.FormFields:
        """Return the values of the fields; what is not editable comes from `base`."""
        parts = self._widgets
        return draft.FormFields(
            description=parts.description.value,
            enabled=parts.auto_stop.value,
            mode=Mode(parts.mode.value),
            duration=parts.duration.value,
            remind=parts.remind.value,
            stops_at=base.stops_at,
        )

    def write_fields(self, fields: draft.FormFields) -> None:
        """Set the fields whose value differs."""
        parts = self._widgets
        values = (
            (parts.description, fields.description),
            (parts.auto_stop, fields.enabled),
            (parts.mode, fields.mode.value),
            (parts.duration, fields.duration),
            (parts.remind, fields.remind),
        )
        for widget, value in values:
            if widget.value != value:
                widget.value = value

    def show_outcome(self, tone: str, lines: list[str]) -> None:
        """Show the outcome of an action; `tone` is a key of `TONE_COLOURS`."""
        self._widgets.result.value = outcome_html(lines, tone)

    def show_change(self, change: Change) -> None:
        """Show the outcome of a change."""
        self.show_outcome(
            "success" if change.effect is Effect.NOW else "warning", change_lines(change)
        )

    def show_error(self, error: Exception) -> None:
        """Show an error; a write with an unknown outcome is a warning, since it may have succeeded."""
        if isinstance(error, ModelArtsError):
            lines = [line for line in (error.message, error.hint) if line]
        else:
            lines = [text("form.failed", reason=repr(error))]
        self.show_outcome("warning" if isinstance(error, OutcomeUnknownError) else "error", lines)

    def show_entries(
        self,
        base: draft.FormFields,
        mine: draft.FormFields,
        context: PlanContext,
        *,
        notices: tuple[EditNotice, ...],
        busy: bool,
    ) -> None:
        """Show the preview or the error of the edits, and enable the buttons that apply.

        Args:
            base: The values that the fields were loaded with.
            mine: The values that the fields have now.
            context: The instance and the limits of its API.
            notices: See `EditNotice`.
            busy: Whether a request of the form is running.
        """
        parts = self._widgets
        self._show_description(mine.description)
        self._show_auto_stop(base, mine, context)
        can_apply, problem = not busy, ""
        try:
            request = draft.requested_auto_stop(base, mine)
            parts.preview.value = note_html(
                "" if request == AutoStopRequest() else _preview_text(request, context, notices)
            )
            can_apply = can_apply and draft.changes_to_send(base, mine) != draft.FormChanges()
        except DescriptionError:
            # The error is shown beside its own field.
            can_apply = False
        except ModelArtsError as error:
            problem = error.message
            parts.preview.value = note_html(error.message, is_error=True) + note_html(error.hint)
            can_apply = False
        # The tip of a field is its description for screen readers, so that an error belongs to its field.
        tip = f"form.duration.tip.{context.capabilities.counts_from.value}"
        parts.duration.tooltip = problem or text(tip)
        parts.apply_button.disabled, parts.reload_button.disabled = not can_apply, busy

    def show_offers(self, undo: UndoOffer | None, restore: PendingRestore | None) -> None:
        """Show the buttons that undo the last change and restore the run time of later starts, if they can."""
        parts = self._widgets
        can_undo = undo is not None and bool(undo.command)
        can_restore = restore is not None and not restore.planned
        set_visible(parts.undo_button, can_undo)
        set_visible(parts.restore_button, can_restore)
        set_visible(parts.offers, can_undo or can_restore)
        if undo is not None:
            parts.undo_button.tooltip = text("form.undo.tip", before=describe_undo(undo))
        if restore is not None:
            label = text("form.restore", duration=restore.duration)
            parts.restore_button.description = label

    def show_conflicts(
        self, conflicts: tuple[str, ...], mine: draft.FormFields, instance: Instance
    ) -> None:
        """Show the conflicts with the buttons that resolve them, or hide both if there are none."""
        parts = self._widgets
        set_visible(parts.conflict_buttons, bool(conflicts))
        set_visible(parts.conflict, bool(conflicts))
        if conflicts:
            lines = [_conflict_line(part, mine, instance) for part in conflicts]
            parts.conflict.value = outcome_html([text("form.conflict"), *lines], "warning")
            parts.apply_button.disabled = True

    def _show_description(self, value: str) -> None:
        parts = self._widgets
        over, found = len(value) - MAX_LENGTH, find_invalid_character(value)
        code = "form.count.over" if over > 0 else "form.count"
        line = text(code, length=len(value), limit=MAX_LENGTH, over=over)
        shown = note_html(line, is_error=over > 0)
        if found:
            shown += note_html(_character_error(*found), is_error=True)
        if has_direction_marks(value):
            shown += note_html(text("form.direction_marks", shown=value))
        parts.character_count.value = shown
        problem = _character_error(*found) if found else line if over > 0 else ""
        parts.description.tooltip = problem or text("form.description.tip")
        set_visible(parts.full_width_button, to_full_width(value) != value)

    def _show_auto_stop(
        self, base: draft.FormFields, mine: draft.FormFields, context: PlanContext
    ) -> None:
        parts = self._widgets
        fixed = base.enabled and mine.enabled and not context.capabilities.can_disable
        parts.auto_stop.disabled = fixed
        parts.cannot_disable_note.value = note_html(text("form.no_off")) if fixed else ""
        parts.mode.disabled = not mine.enabled
        timed = mine.enabled and mine.mode is Mode.TIMING
        for each in (parts.duration, *parts.preset_buttons.values()):
            each.disabled = not timed


def static_mimebundle(instance: Instance) -> dict[str, Any]:
    """Return the instance as text and HTML, for front ends without widgets."""
    lines = [*instance_lines(instance), text("form.commands")]
    return {
        "text/plain": "\n".join(lines),
        "text/html": "".join(note_html(line) for line in lines),
    }


def _preview_text(
    request: AutoStopRequest, context: PlanContext, notices: tuple[EditNotice, ...]
) -> str:
    planned = plan_auto_stop(request, context)
    defers, lengthens = (notice(context.instance, planned.edit) for notice in notices)
    shown = str(defers or draft.preview(request, context, planned))
    return f"{shown}\n{lengthens}" if lengthens else shown


def _character_error(position: int, character: str) -> str:
    if to_full_width(character) == character:
        return text("description.unpaired_surrogate", position=position)
    shown = show_character(character)
    return text("description.invalid_character", character=shown, position=position)


def _conflict_line(part: str, mine: draft.FormFields, instance: Instance) -> str:
    if part == "description":
        return text("form.conflict.description", theirs=instance.description, mine=mine.description)
    if part == "remind":
        theirs = _on_off_text(bool(instance.auto_stop.prompt))
        return text("form.conflict.remind", theirs=theirs, mine=_on_off_text(mine.remind))
    theirs = f"{auto_stop_line(instance.auto_stop)} · {stop_message(instance)}"
    return text("form.conflict.auto_stop", theirs=theirs, mine=_auto_stop_entry(mine))


def _on_off_text(enabled: bool) -> str:
    return text("word.on" if enabled else "word.off")


def _auto_stop_entry(mine: draft.FormFields) -> str:
    if not mine.enabled:
        return text("setting.off")
    return text("setting.idle") if mine.mode is Mode.IDLE else mine.duration or text("setting.on")
