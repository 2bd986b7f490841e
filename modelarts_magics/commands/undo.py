"""The command that undoes a change, where there is a safe one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelarts_magics.description import offence
from modelarts_magics.messages import argument, when
from modelarts_magics.models import CountsFrom, Effect, Mode

if TYPE_CHECKING:
    from modelarts_magics.models import AutoStop, Capabilities, Change, Instance


def undo(change: Change) -> str:
    """The words behind the command's prefix; "" where nothing changed or nothing simple undoes it."""
    if change.after is None or change.effect is Effect.UNCONFIRMED or change.action == "update":
        return ""
    if change.edit.description is not None:
        return _describe(change.before.description, change.after.description)
    if change.capabilities.counts_from is CountsFrom.NOW:
        return _old_end(change.before.auto_stop, change.after, change.capabilities)
    return _auto_stop(change.before.auto_stop, change.after.auto_stop)


def _old_end(old: AutoStop, after: Instance, able: Capabilities) -> str:
    """Where a duration counts from now, only an end that is still far enough can be set again."""
    if old.mode is Mode.IDLE and old.enabled:
        return "auto-stop idle"
    if old.stops_at is None or old.stops_at == after.auto_stop.stops_at:
        return ""
    possible = old.stops_at - after.observed_at > able.shortest
    return f"auto-stop at {when(old.stops_at)}" if possible else ""


def _describe(old: str, new: str) -> str:
    if old == new or offence(old) or "\n" in old or old != old.strip():
        return ""
    return f"describe -- {old}" if old.startswith("-") else f"describe {old or '--clear'}"


def _auto_stop(old: AutoStop, new: AutoStop) -> str:
    words = []
    if (old.enabled, old.mode, old.duration) != (new.enabled, new.mode, new.duration):
        words.append(_setting(old))
    if old.prompt != new.prompt:
        words.append("--remind" if old.prompt else "--no-remind")
    return " ".join(["auto-stop", *words]) if all(words) and words else ""


def _setting(old: AutoStop) -> str:
    if not old.enabled:
        return "off"
    if old.mode is Mode.IDLE:
        return "idle"
    return argument(old.duration) if old.duration else ""
