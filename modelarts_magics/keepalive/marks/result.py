"""What came of a mark: as an entry of the history, and as a message."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from modelarts_magics.keepalive.folder import folder_of_session
from modelarts_magics.messages import Message
from modelarts_magics.session.history import (
    KEEP_ALIVE,
    NEWS_TIME,
    append_entry,
    has_news,
    read_entries,
)
from modelarts_magics.session.notify import notify

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelarts_magics.keepalive.marks.mark import Mark
    from modelarts_magics.session.session import Session

RAN, FAILED, TIMED_OUT, NOT_CONFIRMED = "ran", "failed", "timed-out", "not-confirmed"
NO_HANDLER, NO_CELL, ENDED = "no-handler", "no-cell", "ended"
"""The outcomes; the last three are reasons why nothing was delivered."""
LATE = timedelta(seconds=30)
"""A mark that fires later than this was set too late, or the stop time was moved earlier."""
ACTION = "before-stop"
"""The action of the entries in the history."""
MAX_NEWS = 3
"""How many results pages show besides the list of all changes."""


@dataclass(frozen=True)
class Result:
    """What came of a mark.

    Attributes:
        mark: The mark.
        outcome: One of the outcomes above.
        left: The time that was left before the stop when it fired.
        status: The exit status of a command that has failed.
        output: The last lines of a command, or the error of a function.
        repeated: Whether it may have happened before, because an earlier outcome is unknown.
    """

    mark: Mark
    outcome: str
    left: timedelta
    status: int | None = None
    output: str = ""
    repeated: bool = False

    @property
    def is_late(self) -> bool:
        """Whether it fired well after its mark."""
        return self.mark.before - self.left > LATE

    def message(self) -> Message:
        """Return the result as a message."""
        return _message(self.entry())

    def entry(self) -> dict[str, Any]:
        """Return the result as the part ``mark`` of an entry of the history."""
        return {
            "kind": self.mark.kind,
            "name": self.mark.name,
            "signal": self.mark.signal,
            "before_s": self.mark.before.total_seconds(),
            "left_s": self.left.total_seconds(),
            "outcome": self.outcome,
            "status": self.status,
            "output": self.output,
            "late": self.is_late,
            "repeated": self.repeated,
        }


def record(path: Path | None, result: Result, *, now: datetime, actor: str = KEEP_ALIVE) -> None:
    """Add a result to the history; a file that cannot be written is no error.

    Args:
        path: The path of the history; None for none.
        result: The result.
        now: The time by the clock of the API.
        actor: The part of this package that has acted.
    """
    if path is None:
        return
    entry = {
        "at": now.isoformat(timespec="seconds"),
        "actor": actor,
        "action": ACTION,
        "effect": result.outcome,
        "reason": "",
        "mark": result.entry(),
    }
    with contextlib.suppress(OSError):
        append_entry(path, entry)


def record_of_session(session: Session, result: Result, *, actor: str) -> None:
    """Add a result to the history of a session, and wake the pages.

    Args:
        session: The session of the process that works.
        result: The result.
        actor: The part of this package that has acted.
    """
    record(session.history, result, now=session.now(), actor=actor)
    if session.settings is not None:
        notify(folder_of_session(session).parent)


def recent_results(path: Path | None, now: datetime) -> list[tuple[datetime, Message, bool]]:
    """Return the last results of a history, the oldest first, while they are news.

    Args:
        path: The path of the history; None for none.
        now: The time by the clock of the API.

    Returns:
        When each fired, what came of it, and whether it ran.
    """
    found: list[tuple[datetime, Message, bool]] = []
    if path is None or not has_news(path):
        return found
    for entry in read_entries(path):
        at = datetime.fromisoformat(entry["at"])
        if now - at > NEWS_TIME or len(found) == MAX_NEWS:
            break
        message = message_of_entry(entry.get("mark"))
        if message is not None:
            found.append((at, message, entry.get("effect") == RAN))
    return found[::-1]


def message_of_entry(data: object) -> Message | None:
    """Return the part ``mark`` of an entry of the history as a message; None if it is none."""
    try:
        return _message(data)  # type: ignore[arg-type]  # another type raises one of the errors
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _message(data: Mapping[str, Any]) -> Message:
    kind, outcome = str(data["kind"]), str(data["outcome"])
    code = f"mark.{outcome}" if outcome in (NOT_CONFIRMED, ENDED) else f"mark.{kind}.{outcome}"
    before = timedelta(seconds=data["before_s"])
    left = timedelta(seconds=max(0, round(data["left_s"])))
    signal, name = str(data["signal"]), str(data["name"])
    values = {
        "what": f"SIG{signal}" if signal else name,
        "name": name,
        "left": before if abs(before - left) <= LATE else left,
        "status": data["status"],
        "output": str(data["output"]),
    }
    message = Message(code, values)
    if data["late"]:
        message = Message("mark.late", {"result": message, "before": before})
    return Message("mark.repeated", {"result": message}) if data["repeated"] else message
