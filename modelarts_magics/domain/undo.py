"""The command that undoes a change, if there is a safe one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelarts_magics.domain.description import MAX_LENGTH, find_invalid_character
from modelarts_magics.domain.models import CountsFrom, Effect, Mode
from modelarts_magics.domain.planning import MIN_TIME_LEFT
from modelarts_magics.errors import UNPRINTABLE_CHARACTERS
from modelarts_magics.messages import format_datetime, format_duration_argument, has_direction_marks

if TYPE_CHECKING:
    from datetime import datetime

    from modelarts_magics.domain.models import AutoStop, Capabilities, Change, Instance


def undo_command(change: Change) -> str:
    """Return the command that undoes a change, without its prefix.

    Returns:
        The command, or "" if nothing changed or no single command restores the previous state.
    """
    both_parts = change.edit.description is not None and change.edit.auto_stop is not None
    if change.after is None or change.effect is Effect.UNCONFIRMED or both_parts:
        return ""
    if change.action == "stop" or change.leaves_no_trace:
        return ""
    if change.edit.description is not None:
        return _restore_description(change.before.description, change.after.description)
    if change.capabilities.counts_from is CountsFrom.NOW:
        return _restore_stop_time(change.before.auto_stop, change.after, change.capabilities)
    return _restore_auto_stop(change, change.after)


def _restore_stop_time(old: AutoStop, after: Instance, capabilities: Capabilities) -> str:
    """Return the command that restores the stop time, if it is far enough ahead to be set."""
    if old.mode is Mode.IDLE and old.enabled:
        return "" if after.auto_stop.mode is Mode.IDLE else "auto-stop idle"
    if old.stops_at is None or old.stops_at == after.auto_stop.stops_at:
        return ""
    # The margin leaves time to enter the command.
    earliest = after.observed_at + capabilities.min_duration + MIN_TIME_LEFT
    if old.stops_at <= earliest:
        return ""
    return f"auto-stop at {_format_clock_argument(old.stops_at)}"


def _format_clock_argument(stop_time: datetime) -> str:
    """Format a stop time to the second, in the format that the command accepts."""
    minute, _, offset = format_datetime(stop_time).rpartition(" ")
    return f"{minute}:{stop_time:%S} {offset}" if stop_time.second else f"{minute} {offset}"


def _restore_description(old: str, new: str) -> str:
    """Return the command that restores the description.

    It is quoted, since IPython and shells interpret characters such as ``?``, ``$`` and ``;``. The API rejects
    quotation marks, so none has to be escaped.
    """
    if (
        old == new
        or find_invalid_character(old)
        or len(old) > MAX_LENGTH
        or UNPRINTABLE_CHARACTERS.search(old)
        # It would be shown with escapes, which the command would not undo.
        or has_direction_marks(old)
    ):
        return ""
    if not old:
        return "describe --clear"
    return f"describe -- '{old}'" if old.startswith("-") else f"describe '{old}'"


def _restore_auto_stop(change: Change, after: Instance) -> str:
    old, new = change.before.auto_stop, after.auto_stop
    words = []
    if (old.enabled, old.mode, old.duration) != (new.enabled, new.mode, new.duration):
        stop_time = old.reported_stop_time
        too_soon = stop_time and stop_time - after.observed_at < MIN_TIME_LEFT
        possible = change.effect is Effect.NEXT_START or not too_soon
        words.append(_auto_stop_argument(old, change.capabilities) if possible else "")
    if old.prompt != new.prompt:
        words.append("--remind" if old.prompt else "--no-remind")
    return " ".join(["auto-stop", *words]) if all(words) and words else ""


def _auto_stop_argument(old: AutoStop, capabilities: Capabilities) -> str:
    if not old.enabled:
        return "off"
    if old.mode is Mode.IDLE:
        return "idle"
    if (
        old.duration is None
        or not capabilities.min_duration <= old.duration <= capabilities.max_duration
    ):
        return ""
    return format_duration_argument(old.duration)
