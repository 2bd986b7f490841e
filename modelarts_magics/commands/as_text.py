"""Text of instances and changes.

Saved output is read later, so every line states absolute times and as of when a time left was computed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modelarts_magics.domain.countdown import stop_message
from modelarts_magics.domain.effects import EXPECTED_STOP_TOLERANCE
from modelarts_magics.domain.models import Effect, Mode
from modelarts_magics.domain.planning import MIN_TIME_LEFT, keep_running_advice
from modelarts_magics.domain.undo import undo_command
from modelarts_magics.messages import Message, format_duration, format_status, text

if TYPE_CHECKING:
    from modelarts_magics.domain.models import AutoStop, Change, Instance


def instance_lines(instance: Instance) -> list[str]:
    """Return the lines for an instance: title, stop time, auto-stop setting and description."""
    lines = [title_line(instance), str(stop_message(instance))]
    lines.append(auto_stop_line(instance.auto_stop))
    lines.append(text("line.description", description=instance.description or text("word.empty")))
    return lines


def title_line(instance: Instance) -> str:
    """Return the name and status of an instance, marked if it is the demo's."""
    parts = [instance.name or instance.id, format_status(instance.status.value)]
    if instance.demo:
        parts.append(text("word.demo"))
    return " · ".join(parts)


def auto_stop_line(stop: AutoStop) -> str:
    """Return the line for the auto-stop setting."""
    parts = [_setting_text(stop)]
    if stop.prompt is not None:
        parts.append(text("word.reminder_on" if stop.prompt else "word.reminder_off"))
    return " · ".join(parts)


def change_lines(change: Change) -> list[str]:
    """Return the lines for a change: outcome, previous values, warnings and the command that undoes it."""
    if change.after is None:
        return [
            text(
                "change.not_read_back",
                problem=change.read_back_error.message if change.read_back_error else "",
            )
        ]
    if change.action == "stop":
        code = "change.now.stop" if change.effect is Effect.NOW else "change.stop.unconfirmed"
        return [text(code, status=change.after.status.value)]
    lines = [str(message) for message in _change_messages(change, change.after)]
    lines += [str(message) for message in _restore_messages(change)]
    command = undo_command(change)
    return [*lines, text("change.undo", command=command)] if command else lines


def _change_messages(change: Change, after: Instance) -> list[Message]:
    messages: list[Message] = []
    if change.edit.auto_stop is not None:
        messages += _auto_stop_messages(change, after)
    if change.edit.description is not None:
        messages.append(_description_message(change, after))
    elif change.description_elsewhere is not None:
        values = {"new": after.description, "old": change.before.description}
        messages.append(Message("change.description.elsewhere", values))
    return messages


def _description_message(change: Change, after: Instance) -> Message:
    values = {"new": after.description, "old": change.before.description}
    if change.description_elsewhere is not None:
        mine = {**values, "mine": change.edit.description}
        return Message("change.description.overwritten", mine)
    if after.description != change.edit.description:
        return Message("change.description.unconfirmed", values)
    if after.description == change.before.description:
        return Message("change.description.same", values)
    return Message(f"change.description.{'saved' if after.description else 'cleared'}", values)


def _auto_stop_messages(change: Change, after: Instance) -> list[Message]:
    way = [keep_running_advice(change.capabilities)] if change.missed_extension else []
    if change.effect is Effect.UNCONFIRMED:
        return [Message("change.unconfirmed", {"stop": stop_message(after)}), *way]
    lines = [_effect_message(change, after), *way, *_duration_messages(change, after)]
    if after.auto_stop.prompt != change.before.auto_stop.prompt:
        lines.append(
            Message("change.reminder_on" if after.auto_stop.prompt else "change.reminder_off")
        )
    return [*lines, *_warning_messages(change, after)]


def _effect_message(change: Change, after: Instance) -> Message:
    stop, before = after.auto_stop, change.before.auto_stop
    values = {
        "stop": stop_message(after),
        "stop_time": stop.stops_at,
        "time_left": (stop.stops_at or after.observed_at) - after.observed_at,
        "now": after.observed_at,
        "duration": _duration_text(stop),
        "old": _duration_text(before),
        "status": after.status.value,
    }
    if change.effect is Effect.NEXT_START:
        return Message(_next_start_code(change, after), values)
    if not stop.enabled:
        return Message("change.off", values)
    if stop.mode is Mode.IDLE:
        return Message("change.idle", values)
    return Message(
        "change.unchanged"
        if _only_reminder_differs(stop, before)
        else f"change.now.{change.action}",
        values,
    )


def _next_start_code(change: Change, after: Instance) -> str:
    if not after.running:
        return "change.next_start.stopped"
    if change.leaves_no_trace:
        return "change.next_start.taken_back"
    passed = after.auto_stop.passed_stop_time is not None
    return "change.next_start.passed" if passed else f"change.next_start.{change.action}"


def _only_reminder_differs(stop: AutoStop, before: AutoStop) -> bool:
    """Return whether only the console reminder differs."""
    return replace(before, prompt=stop.prompt) == stop


def _duration_messages(change: Change, after: Instance) -> list[Message]:
    """Return the previous setting, and whether the new run time also applies to later starts."""
    stop, before = after.auto_stop, change.before.auto_stop
    if change.effect is not Effect.NOW or _only_reminder_differs(stop, before) or not stop.enabled:
        return []
    if not change.capabilities.persists_duration:
        was = Message("change.previous", {"stop": stop_message(change.before)})
        return [*_run_time_messages(change, after), was]
    values = {"duration": _duration_text(stop), "old": _duration_text(before)}
    planned = change.restore is not None and change.restore.planned
    return [Message("change.run_time_for_this_run" if planned else "change.run_time_set", values)]


def _restore_messages(change: Change) -> list[Message]:
    """Return what is restored for later starts, or how to restore it."""
    # Where this run has not followed the change, undoing it restores the run time, too.
    if change.restore is None or change.edit.auto_stop is None or change.effect is not Effect.NOW:
        return []
    code = "restore.planned" if change.restore.planned else "change.restore_offer"
    return [Message(code, {"duration": change.restore.duration})]


def _run_time_messages(change: Change, after: Instance) -> list[Message]:
    """Return the run time that was set, if it leads to the new stop time."""
    stop_time, expected = after.auto_stop.stops_at, change.expected_stop_time
    edit = change.edit.auto_stop
    if edit is None or edit.duration is None or stop_time is None or expected is None:
        return []
    if abs(stop_time - expected) > EXPECTED_STOP_TOLERANCE:
        return []
    return [Message("change.runs_from_now", {"duration": edit.duration})]


def _warning_messages(change: Change, after: Instance) -> list[Message]:
    stop_time, expected = after.auto_stop.stops_at, change.expected_stop_time
    if change.effect is not Effect.NOW or stop_time is None:
        return []
    warnings = []
    if expected is not None and abs(stop_time - expected) > EXPECTED_STOP_TOLERANCE:
        warnings.append(
            Message("change.unexpected_stop_time", {"asked": expected, "stop_time": stop_time})
        )
    if stop_time - after.observed_at < MIN_TIME_LEFT:
        warnings.append(Message("change.stops_soon", {"stop_time": stop_time}))
    return warnings


def _setting_text(stop: AutoStop) -> str:
    if not stop.is_known:
        return text("setting.unknown")
    if not stop.enabled:
        return text("setting.off")
    if stop.mode is Mode.IDLE:
        return text("setting.idle")
    named = stop.duration is not None and stop.duration_start is None
    return text("setting.duration", duration=stop.duration) if named else text("setting.on")


def _duration_text(stop: AutoStop) -> str:
    if not stop.enabled:
        return text("word.off")
    return format_duration(stop.duration) if stop.duration else text("word.empty")
