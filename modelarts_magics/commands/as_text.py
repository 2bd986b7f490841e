"""Text of instances and changes.

Saved output is read later, so every line states absolute times and as of when a time left was computed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modelarts_magics.commands.undo import undo_command
from modelarts_magics.domain.countdown import stop_message
from modelarts_magics.domain.effects import EXPECTED_STOP_TOLERANCE
from modelarts_magics.domain.models import Effect, Mode
from modelarts_magics.domain.planning import MIN_TIME_LEFT
from modelarts_magics.messages import Message, text

if TYPE_CHECKING:
    from modelarts_magics.domain.models import AutoStop, Change, Instance


def instance_lines(instance: Instance) -> list[str]:
    """Return the lines for an instance: title, stop time, auto-stop setting and description."""
    lines = [title_line(instance), text("line.stop", words=stop_message(instance))]
    lines.append(auto_stop_line(instance.auto_stop))
    lines.append(text("line.description", description=instance.description or text("word.none")))
    return lines


def title_line(instance: Instance) -> str:
    """Return the name and status of an instance, marked if it is the demo's."""
    parts = [instance.name or instance.id, instance.status.value]
    if instance.demo:
        parts.append(text("word.demo"))
    return " · ".join(parts)


def auto_stop_line(stop: AutoStop) -> str:
    """Return the line for the auto-stop setting."""
    parts = [_setting_text(stop)]
    if stop.prompt is not None:
        parts.append(text("word.remind" if stop.prompt else "word.no_remind"))
    return " · ".join(parts)


def change_lines(change: Change) -> list[str]:
    """Return the lines for a change: outcome, previous values, warnings and the command that undoes it."""
    if change.after is None:
        return [
            text(
                "change.unread",
                problem=change.read_back_error.message if change.read_back_error else "",
            )
        ]
    if change.action == "stop":
        code = "change.now.stop" if change.effect is Effect.NOW else "change.stop.unconfirmed"
        return [text(code, status=change.after.status.value)]
    lines = [str(message) for message in _change_messages(change, change.after)]
    command = undo_command(change)
    return [*lines, text("change.undo", command=command)] if command else lines


def _change_messages(change: Change, after: Instance) -> list[Message]:
    messages: list[Message] = []
    if change.edit.auto_stop is not None:
        messages += _auto_stop_messages(change, after)
    if change.edit.description is not None:
        messages.append(_description_message(change, after))
    return messages


def _description_message(change: Change, after: Instance) -> Message:
    values = {"new": after.description, "old": change.before.description}
    if after.description != change.edit.description:
        return Message("change.description.unconfirmed", values)
    kind = "same" if after.description == change.before.description else "saved"
    return Message(f"change.description.{kind}", values)


def _auto_stop_messages(change: Change, after: Instance) -> list[Message]:
    if change.effect is Effect.UNCONFIRMED:
        return [Message("change.unconfirmed", {"words": stop_message(after)})]
    lines = [_effect_message(change, after), *_duration_messages(change, after)]
    if after.auto_stop.prompt != change.before.auto_stop.prompt:
        lines.append(Message("change.remind" if after.auto_stop.prompt else "change.no_remind"))
    return [*lines, *_warning_messages(change, after)]


def _effect_message(change: Change, after: Instance) -> Message:
    stop, before = after.auto_stop, change.before.auto_stop
    values = {
        "words": stop_message(after),
        "end": stop.stops_at,
        "left": (stop.stops_at or after.observed_at) - after.observed_at,
        "now": after.observed_at,
        "duration": _duration_text(stop),
        "old": _duration_text(before),
        "status": after.status.value,
    }
    if change.effect is Effect.NEXT_START:
        kind = (
            f"change.next_start.{change.action}" if after.running else "change.next_start.stopped"
        )
        return Message(kind, values)
    if not stop.enabled:
        return Message("change.off", values)
    if stop.mode is Mode.IDLE:
        return Message("change.idle", values)
    return Message(
        "change.same" if _only_reminder_differs(stop, before) else f"change.now.{change.action}",
        values,
    )


def _only_reminder_differs(stop: AutoStop, before: AutoStop) -> bool:
    """Return whether only the console reminder differs."""
    return replace(before, prompt=stop.prompt) == stop


def _duration_messages(change: Change, after: Instance) -> list[Message]:
    """Return the previous setting, and whether the new run time also applies to later starts."""
    stop, before = after.auto_stop, change.before.auto_stop
    if change.effect is not Effect.NOW or _only_reminder_differs(stop, before) or not stop.enabled:
        return []
    if not change.capabilities.persists_duration:
        was = Message("change.was", {"words": stop_message(change.before)})
        return [*_run_time_messages(change, after), was]
    values = {"duration": _duration_text(stop), "old": _duration_text(before)}
    return [Message("change.kept", values)]


def _run_time_messages(change: Change, after: Instance) -> list[Message]:
    """Return the run time that was set, if it leads to the new stop time."""
    stop_time, expected = after.auto_stop.stops_at, change.expected_stop_time
    edit = change.edit.auto_stop
    if edit is None or edit.duration is None or stop_time is None or expected is None:
        return []
    if abs(stop_time - expected) > EXPECTED_STOP_TOLERANCE:
        return []
    return [Message("change.set", {"duration": edit.duration})]


def _warning_messages(change: Change, after: Instance) -> list[Message]:
    stop_time, expected = after.auto_stop.stops_at, change.expected_stop_time
    if change.effect is not Effect.NOW or stop_time is None:
        return []
    warnings = []
    if expected is not None and abs(stop_time - expected) > EXPECTED_STOP_TOLERANCE:
        warnings.append(Message("change.other_end", {"asked": expected, "end": stop_time}))
    if stop_time - after.observed_at < MIN_TIME_LEFT:
        warnings.append(Message("change.pressing", {"end": stop_time}))
    return warnings


def _setting_text(stop: AutoStop) -> str:
    if not stop.is_known:
        return text("set.unknown")
    if not stop.enabled:
        return text("set.off")
    if stop.mode is Mode.IDLE:
        return text("set.idle")
    named = stop.duration is not None and stop.duration_start is None
    return text("set.duration", duration=stop.duration) if named else text("set.on")


def _duration_text(stop: AutoStop) -> str:
    if not stop.enabled:
        return text("word.off")
    return text("word.span", duration=stop.duration) if stop.duration else text("word.none")
