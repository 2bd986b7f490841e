"""Between the form's widgets and what they mean: reads entries, and shows what follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics.commands.as_text import auto_stop_line, change_lines, instance_lines
from modelarts_magics.domain.countdown import stop_message
from modelarts_magics.domain.description import MAX_LENGTH, find_invalid_character, to_full_width
from modelarts_magics.domain.models import Effect, Mode
from modelarts_magics.domain.planning import AutoStopRequest, plan_auto_stop
from modelarts_magics.errors import DescriptionError, ModelArtsError, OutcomeUnknownError
from modelarts_magics.kernel.form import draft
from modelarts_magics.kernel.form.widgets import note_html, outcome_html, set_visible
from modelarts_magics.messages import Message, text

if TYPE_CHECKING:
    from modelarts_magics.domain.models import AutoStopEdit, Change, Instance
    from modelarts_magics.domain.planning import PlanContext
    from modelarts_magics.kernel.form.widgets import FormWidgets

PredictDelay = Callable[["Instance", "AutoStopEdit | None"], "Message | None"]


class FormView:
    """Shows a form's state in its widgets; holds none itself."""

    def __init__(self, widgets: FormWidgets) -> None:
        self._widgets = widgets

    def read_fields(self, base: draft.FormFields) -> draft.FormFields:
        """What was entered, on the ground of what was loaded."""
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
        """Put into the fields what is not in them already."""
        parts = self._widgets
        wanted = (
            (parts.description, fields.description),
            (parts.auto_stop, fields.enabled),
            (parts.mode, fields.mode.value),
            (parts.duration, fields.duration),
            (parts.remind, fields.remind),
        )
        for widget, value in wanted:
            if widget.value != value:
                widget.value = value

    def show_outcome(self, tone: str, lines: list[str]) -> None:
        """Show an outcome."""
        self._widgets.result.value = outcome_html(lines, tone)

    def show_change(self, change: Change) -> None:
        """Show what became of a change."""
        self.show_outcome("good" if change.effect is Effect.NOW else "warn", change_lines(change))

    def show_error(self, error: Exception) -> None:
        """Show what failed; a write whose outcome is open has not failed for sure."""
        if isinstance(error, ModelArtsError):
            lines = [line for line in (error.message, error.hint) if line]
        else:
            lines = [text("form.failed", reason=repr(error))]
        self.show_outcome("warn" if isinstance(error, OutcomeUnknownError) else "bad", lines)

    def show_entries(
        self,
        base: draft.FormFields,
        mine: draft.FormFields,
        context: PlanContext,
        *,
        expect_wait: PredictDelay,
        busy: bool,
    ) -> None:
        """Show what the entries mean, and offer what can be done with them."""
        parts = self._widgets
        self._show_description(mine.description)
        self._show_auto_stop(base, mine, context)
        possible = not busy
        try:
            wish = draft.requested_auto_stop(base, mine)
            parts.preview.value = note_html(
                "" if wish == AutoStopRequest() else _preview_text(wish, context, expect_wait)
            )
            possible = possible and draft.changes_to_send(base, mine) != draft.FormChanges()
        except DescriptionError:  # it stands beside its own field
            possible = False
        except ModelArtsError as error:
            parts.preview.value = note_html(error.message, is_error=True) + note_html(error.hint)
            possible = False
        parts.apply_button.disabled, parts.reload_button.disabled = not possible, busy

    def show_conflicts(
        self, conflicts: tuple[str, ...], mine: draft.FormFields, instance: Instance
    ) -> None:
        """Show what somebody else changed that was entered here too, and offer both."""
        parts = self._widgets
        set_visible(parts.conflict_buttons, bool(conflicts))
        set_visible(parts.conflict, bool(conflicts))
        if conflicts:
            lines = [_conflict_line(part, mine, instance) for part in conflicts]
            parts.conflict.value = outcome_html([text("form.conflict"), *lines], "warn")
            parts.apply_button.disabled = True

    def _show_description(self, value: str) -> None:
        parts = self._widgets
        over, found = len(value) - MAX_LENGTH, find_invalid_character(value)
        code = "form.count.over" if over > 0 else "form.count"
        line = text(code, length=len(value), limit=MAX_LENGTH, over=over)
        shown = note_html(line, is_error=over > 0)
        if found:
            shown += note_html(_character_error(*found), is_error=True)
        parts.character_count.value = shown
        set_visible(parts.full_width_button, to_full_width(value) != value)

    def _show_auto_stop(
        self, base: draft.FormFields, mine: draft.FormFields, context: PlanContext
    ) -> None:
        parts, able = self._widgets, context.capabilities
        fixed = base.enabled and mine.enabled and not able.can_disable
        parts.auto_stop.disabled = fixed
        parts.cannot_disable_note.value = note_html(text("form.no_off")) if fixed else ""
        parts.mode.disabled = not mine.enabled
        timed = mine.enabled and mine.mode is Mode.TIMING
        for each in (parts.duration, *parts.preset_buttons.values()):
            each.disabled = not timed


def static_mimebundle(instance: Instance) -> dict[str, Any]:
    """The instance in words, where there are no widgets."""
    lines = [*instance_lines(instance), text("form.elsewhere")]
    return {
        "text/plain": "\n".join(lines),
        "text/html": "".join(note_html(line) for line in lines),
    }


def _preview_text(request: AutoStopRequest, context: PlanContext, expect_wait: PredictDelay) -> str:
    planned = plan_auto_stop(request, context)
    return str(
        expect_wait(context.instance, planned.edit) or draft.preview(request, context, planned)
    )


def _character_error(position: int, character: str) -> str:
    if to_full_width(character) == character:
        return text("form.not_text", position=position)
    return text("form.offence", character=character, position=position)


def _conflict_line(part: str, mine: draft.FormFields, instance: Instance) -> str:
    if part == "description":
        return text("form.conflict.description", theirs=instance.description, mine=mine.description)
    if part == "remind":
        words = (_on_off_text(bool(instance.auto_stop.prompt)), _on_off_text(mine.remind))
        return text("form.conflict.remind", theirs=words[0], mine=words[1])
    theirs = f"{auto_stop_line(instance.auto_stop)} · {stop_message(instance)}"
    return text("form.conflict.auto_stop", theirs=theirs, mine=_auto_stop_entry(mine))


def _on_off_text(enabled: bool) -> str:
    return text("form.word.on" if enabled else "word.off")


def _auto_stop_entry(mine: draft.FormFields) -> str:
    if not mine.enabled:
        return text("set.off")
    return text("set.idle") if mine.mode is Mode.IDLE else mine.duration or text("set.on")
