"""The command that undoes a change, where there is a safe one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelarts_magics.domain.description import MAX_LENGTH, offence
from modelarts_magics.domain.models import CountsFrom, Effect, Mode
from modelarts_magics.domain.planning import SHORTEST_NOTICE
from modelarts_magics.errors import UNPRINTABLE
from modelarts_magics.messages import argument, when

if TYPE_CHECKING:
    from datetime import datetime

    from modelarts_magics.domain.models import AutoStop, Capabilities, Change, Instance


def undo(change: Change) -> str:
    """The words behind the command's prefix; "" where nothing changed or nothing simple undoes it."""
    if change.after is None or change.effect is Effect.UNCONFIRMED or change.action == "update":
        return ""
    if change.edit.description is not None:
        return _describe(change.before.description, change.after.description)
    if change.capabilities.counts_from is CountsFrom.NOW:
        return _old_end(change.before.auto_stop, change.after, change.capabilities)
    return _auto_stop(change, change.after)


def _old_end(old: AutoStop, after: Instance, able: Capabilities) -> str:
    """Where a duration counts from now, only an end that is still far enough can be set again."""
    if old.mode is Mode.IDLE and old.enabled:
        return "" if after.auto_stop.mode is Mode.IDLE else "auto-stop idle"
    if old.stops_at is None or old.stops_at == after.auto_stop.stops_at:
        return ""
    possible = old.stops_at - after.observed_at > able.shortest + SHORTEST_NOTICE  # time to type it
    return f"auto-stop at {_typed(old.stops_at)}" if possible else ""


def _typed(end: datetime) -> str:
    """A moment to the second, as the command takes it."""
    minute, _, offset = when(end).rpartition(" ")
    return f"{minute}:{end:%S} {offset}" if end.second else f"{minute} {offset}"


def _describe(old: str, new: str) -> str:
    """Quoted: what IPython and a shell would read into a text (``?``, ``$``, ``;``) stays text.

    No quotation mark is in it, since the API takes none.
    """
    if old == new or offence(old) or len(old) > MAX_LENGTH or UNPRINTABLE.search(old):
        return ""
    if not old:
        return "describe --clear"
    return f"describe -- '{old}'" if old.startswith("-") else f"describe '{old}'"


def _auto_stop(change: Change, after: Instance) -> str:
    old, new = change.before.auto_stop, after.auto_stop
    words = []
    if (old.enabled, old.mode, old.duration) != (new.enabled, new.mode, new.duration):
        pressing = old.stops_at and old.stops_at - after.observed_at < SHORTEST_NOTICE
        undoable = change.effect is Effect.NEXT_START or not pressing
        words.append(_setting(old, change.capabilities) if undoable else "")
    if old.prompt != new.prompt:
        words.append("--remind" if old.prompt else "--no-remind")
    return " ".join(["auto-stop", *words]) if all(words) and words else ""


def _setting(old: AutoStop, able: Capabilities) -> str:
    if not old.enabled:
        return "off"
    if old.mode is Mode.IDLE:
        return "idle"
    if old.duration is None or not able.shortest <= old.duration <= able.longest:
        return ""
    return argument(old.duration)
