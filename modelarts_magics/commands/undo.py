"""The command that undoes a change, where there is a safe one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelarts_magics.domain.description import MAX_LENGTH, find_invalid_character
from modelarts_magics.domain.models import CountsFrom, Effect, Mode
from modelarts_magics.domain.planning import MIN_TIME_LEFT
from modelarts_magics.errors import UNPRINTABLE_CHARACTERS
from modelarts_magics.messages import format_datetime, format_duration_argument

if TYPE_CHECKING:
    from datetime import datetime

    from modelarts_magics.domain.models import AutoStop, Capabilities, Change, Instance


def undo_command(change: Change) -> str:
    """The words behind the command's prefix; "" where nothing changed or nothing simple undoes it."""
    if change.after is None or change.effect is Effect.UNCONFIRMED or change.action == "update":
        return ""
    if change.edit.description is not None:
        return _restore_description(change.before.description, change.after.description)
    if change.capabilities.counts_from is CountsFrom.NOW:
        return _restore_stop_time(change.before.auto_stop, change.after, change.capabilities)
    return _restore_auto_stop(change, change.after)


def _restore_stop_time(old: AutoStop, after: Instance, capabilities: Capabilities) -> str:
    """Where a duration counts from now, only an end that is still far enough can be set again."""
    if old.mode is Mode.IDLE and old.enabled:
        return "" if after.auto_stop.mode is Mode.IDLE else "auto-stop idle"
    if old.stops_at is None or old.stops_at == after.auto_stop.stops_at:
        return ""
    possible = (
        old.stops_at - after.observed_at > capabilities.min_duration + MIN_TIME_LEFT
    )  # time to type it
    return f"auto-stop at {_format_clock_argument(old.stops_at)}" if possible else ""


def _format_clock_argument(stop_time: datetime) -> str:
    """A moment to the second, as the command takes it."""
    minute, _, offset = format_datetime(stop_time).rpartition(" ")
    return f"{minute}:{stop_time:%S} {offset}" if stop_time.second else f"{minute} {offset}"


def _restore_description(old: str, new: str) -> str:
    """Quoted: what IPython and a shell would read into a text (``?``, ``$``, ``;``) stays text.

    No quotation mark is in it, since the API takes none.
    """
    if (
        old == new
        or find_invalid_character(old)
        or len(old) > MAX_LENGTH
        or UNPRINTABLE_CHARACTERS.search(old)
    ):
        return ""
    if not old:
        return "describe --clear"
    return f"describe -- '{old}'" if old.startswith("-") else f"describe '{old}'"


def _restore_auto_stop(change: Change, after: Instance) -> str:
    old, new = change.before.auto_stop, after.auto_stop
    words = []
    if (old.enabled, old.mode, old.duration) != (new.enabled, new.mode, new.duration):
        pressing = old.stops_at and old.stops_at - after.observed_at < MIN_TIME_LEFT
        undoable = change.effect is Effect.NEXT_START or not pressing
        words.append(_auto_stop_argument(old, change.capabilities) if undoable else "")
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
