"""Between the form's widgets and what they mean: reads entries, and shows what follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics.commands.as_text import auto_stop_line, change_lines, instance_lines
from modelarts_magics.domain.countdown import stop_fact
from modelarts_magics.domain.description import MAX_LENGTH, full_width, offence
from modelarts_magics.domain.models import Effect, Mode
from modelarts_magics.domain.planning import Wish, plan
from modelarts_magics.errors import DescriptionError, ModelArtsError, UnsettledError
from modelarts_magics.kernel.form import draft
from modelarts_magics.kernel.form.widgets import note, remark, show
from modelarts_magics.messages import Message, text

if TYPE_CHECKING:
    from modelarts_magics.domain.models import AutoStopEdit, Change, Instance
    from modelarts_magics.domain.planning import Circumstances
    from modelarts_magics.kernel.form.widgets import Widgets

ExpectWait = Callable[["Instance", "AutoStopEdit | None"], "Message | None"]


class View:
    """Shows a form's state in its widgets; holds none itself."""

    def __init__(self, widgets: Widgets) -> None:
        self._widgets = widgets

    def read(self, base: draft.Fields) -> draft.Fields:
        """What was entered, on the ground of what was loaded."""
        parts = self._widgets
        return draft.Fields(
            description=parts.description.value,
            enabled=parts.auto_stop.value,
            mode=Mode(parts.mode.value),
            duration=parts.duration.value,
            remind=parts.remind.value,
            stops_at=base.stops_at,
        )

    def write(self, fields: draft.Fields) -> None:
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

    def say(self, tone: str, lines: list[str]) -> None:
        """Show an outcome."""
        self._widgets.result.value = note(lines, tone)

    def say_change(self, change: Change) -> None:
        """Show what became of a change."""
        self.say("good" if change.effect is Effect.NOW else "warn", change_lines(change))

    def say_error(self, error: Exception) -> None:
        """Show what failed; a write whose outcome is open has not failed for sure."""
        if isinstance(error, ModelArtsError):
            lines = [line for line in (error.message, error.hint) if line]
        else:
            lines = [text("form.failed", reason=repr(error))]
        self.say("warn" if isinstance(error, UnsettledError) else "bad", lines)

    def show_entries(
        self,
        base: draft.Fields,
        mine: draft.Fields,
        given: Circumstances,
        *,
        waits: ExpectWait,
        busy: bool,
    ) -> None:
        """Show what the entries mean, and offer what can be done with them."""
        parts = self._widgets
        self._show_description(mine.description)
        self._show_auto_stop(base, mine, given)
        possible = not busy
        try:
            wish = draft.wished(base, mine)
            parts.preview.value = remark("" if wish == Wish() else _would(wish, given, waits))
            possible = possible and draft.wanted(base, mine) != draft.Wanted()
        except DescriptionError:  # it stands beside its own field
            possible = False
        except ModelArtsError as error:
            parts.preview.value = remark(error.message, wrong=True) + remark(error.hint)
            possible = False
        parts.apply.disabled, parts.reload.disabled = not possible, busy

    def show_conflicts(self, conflicts: tuple[str, ...], mine: draft.Fields, now: Instance) -> None:
        """Show what somebody else changed that was entered here too, and offer both."""
        parts = self._widgets
        show(parts.choice, bool(conflicts))
        show(parts.conflict, bool(conflicts))
        if conflicts:
            lines = [_conflict(part, mine, now) for part in conflicts]
            parts.conflict.value = note([text("form.conflict"), *lines], "warn")
            parts.apply.disabled = True

    def _show_description(self, entered: str) -> None:
        parts = self._widgets
        over, found = len(entered) - MAX_LENGTH, offence(entered)
        code = "form.count.over" if over > 0 else "form.count"
        line = text(code, length=len(entered), limit=MAX_LENGTH, over=over)
        shown = remark(line, wrong=over > 0)
        if found:
            shown += remark(_about(*found), wrong=True)
        parts.count.value = shown
        show(parts.full_width, full_width(entered) != entered)

    def _show_auto_stop(self, base: draft.Fields, mine: draft.Fields, given: Circumstances) -> None:
        parts, able = self._widgets, given.capabilities
        fixed = base.enabled and mine.enabled and not able.off
        parts.auto_stop.disabled = fixed
        parts.no_off.value = remark(text("form.no_off")) if fixed else ""
        parts.mode.disabled = not mine.enabled
        timed = mine.enabled and mine.mode is Mode.TIMING
        for each in (parts.duration, *parts.presets.values()):
            each.disabled = not timed


def fallback(instance: Instance) -> dict[str, Any]:
    """The instance in words, where there are no widgets."""
    lines = [*instance_lines(instance), text("form.elsewhere")]
    return {
        "text/plain": "\n".join(lines),
        "text/html": "".join(remark(line) for line in lines),
    }


def _would(wish: Wish, given: Circumstances, waits: ExpectWait) -> str:
    planned = plan(wish, given)
    return str(waits(given.instance, planned.edit) or draft.preview(wish, given, planned))


def _about(position: int, character: str) -> str:
    if full_width(character) == character:
        return text("form.not_text", position=position)
    return text("form.offence", character=character, position=position)


def _conflict(part: str, mine: draft.Fields, now: Instance) -> str:
    if part == "description":
        return text("form.conflict.description", theirs=now.description, mine=mine.description)
    if part == "remind":
        words = (_on(bool(now.auto_stop.prompt)), _on(mine.remind))
        return text("form.conflict.remind", theirs=words[0], mine=words[1])
    theirs = f"{auto_stop_line(now.auto_stop)} · {stop_fact(now)}"
    return text("form.conflict.auto_stop", theirs=theirs, mine=_entered(mine))


def _on(on: bool) -> str:
    return text("form.word.on" if on else "word.off")


def _entered(mine: draft.Fields) -> str:
    if not mine.enabled:
        return text("set.off")
    return text("set.idle") if mine.mode is Mode.IDLE else mine.duration or text("set.on")
