"""``history`` and ``undo``: list the recorded changes, and find the command that restores the state before."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from modelarts_magics.commands.results import JsonListResult, JsonResult, TextResult
from modelarts_magics.errors import RefusedError
from modelarts_magics.keepalive.marks.result import message_of_entry
from modelarts_magics.messages import (
    Message,
    format_datetime,
    format_duration,
    has_text,
    join_list,
    text,
)
from modelarts_magics.session.history import find_undo, history_path, read_entries

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelarts_magics.commands.context import CommandContext
    from modelarts_magics.commands.parser import CommandRequest
    from modelarts_magics.session.history import UndoOffer
    from modelarts_magics.session.session import Session

SHOWN_ENTRIES = 20
"""The number of entries that are shown as text; ``--json`` has all."""
_FIELDS = ("at", "actor", "action", "before", "after", "effect", "reason")


def history(
    request: CommandRequest,
    context: CommandContext,
    *,
    environ: Mapping[str, str] | None = None,
) -> object:
    """List the recorded changes, newest first, without a request to the API.

    Raises:
        UsageError: Arguments were given.
    """
    request.reject_arguments()
    path = history_path(context.get_settings(), os.environ if environ is None else environ)
    entries = list(read_entries(path))
    if request.has_option("--json"):
        return JsonListResult(JsonResult(_shown_fields(entry)) for entry in entries)
    lines = [_entry_line(entry) for entry in entries[:SHOWN_ENTRIES]]
    if len(entries) > SHOWN_ENTRIES:
        lines.append(text("history.more", count=len(entries) - SHOWN_ENTRIES))
    return TextResult("\n".join(lines) or text("history.empty"))


def entry_lines(path: Path) -> list[str]:
    """Return the last entries of a history as text, newest first."""
    return [_entry_line(entry) for entry in islice(read_entries(path), SHOWN_ENTRIES)]


def _shown_fields(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the documented fields; ``mark`` only for what happened before a stop."""
    mark = {"mark": entry["mark"]} if "mark" in entry else {}
    return {**{name: entry.get(name) for name in _FIELDS}, **mark}


def undo_line(session: Session) -> str:
    """Return the command that undoes the last change, and say what it restores.

    Raises:
        RefusedError: Nothing is recorded, something else was changed since, or the API cannot restore it.
        ModelArtsError: The instance cannot be read.
    """
    instance = session.refresh()
    offer = find_undo(session.history, instance) if session.history else None
    if offer is None:
        raise RefusedError("refuse.nothing_to_undo")
    values = {"action": offer.action, "at": offer.at, "before": describe_undo(offer)}
    if not offer.command:
        raise RefusedError("refuse.cannot_undo", **values)
    session.on_notice(Message("notice.undo", values))
    return offer.command


def describe_undo(offer: UndoOffer) -> str:
    """Return the state that undoing restores as text, with the parts that the change has changed."""
    before, after = offer.before, offer.after
    parts = [
        text(code, value=value(before))
        for code, value in (
            ("history.restored.auto_stop", _switch),
            ("history.restored.run_time", _run_time),
            ("history.restored.stop_time", _moment),
            ("history.restored.description", _description),
        )
        if value(before) != value(after)
    ]
    return join_list(parts) or text("history.unchanged")


def _entry_line(entry: Mapping[str, Any]) -> str:
    before, after = entry.get("before"), entry.get("after")
    mark = message_of_entry(entry.get("mark"))
    if mark is not None:
        return text("history.mark", at=datetime.fromisoformat(entry["at"]), result=mark)
    changes = text("history.not_confirmed")
    if isinstance(before, dict) and isinstance(after, dict):
        changes = join_list(_changes(before, after)) or text("history.unchanged")
    line = text(
        "history.entry",
        at=datetime.fromisoformat(entry["at"]),
        action=entry.get("action"),
        actor=_actor(str(entry.get("actor"))),
        changes=changes,
    )
    if entry.get("effect") == "next-start":
        line = text("history.next_start", entry=line)
    reason = entry.get("reason")
    return text("history.reason", entry=line, reason=reason) if reason else line


def _actor(actor: str) -> str:
    code = f"history.actor.{actor}"
    return text(code) if has_text(code) else actor


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    rows = (
        ("history.description", _description(before), _description(after)),
        ("history.auto_stop", _switch(before), _switch(after)),
        ("history.run_time", _run_time(before), _run_time(after)),
        ("history.stop_time", _moment(before), _moment(after)),
        ("history.status", before.get("status"), after.get("status")),
    )
    return [text(code, old=old, new=new) for code, old, new in rows if old != new]


def _description(state: Mapping[str, Any]) -> str:
    return str(state.get("description") or "")


def _switch(state: Mapping[str, Any]) -> str:
    if state.get("mode") == "IDLE":
        return text("setting.idle")
    return text("word.off" if state.get("enabled") is False else "word.on")


def _run_time(state: Mapping[str, Any]) -> str:
    seconds = state.get("duration_s")
    if not isinstance(seconds, (int, float)):
        return ""
    return format_duration(timedelta(seconds=seconds))


def _moment(state: Mapping[str, Any]) -> str:
    stops_at = state.get("stops_at")
    return format_datetime(datetime.fromisoformat(stops_at)) if stops_at else text("history.none")
