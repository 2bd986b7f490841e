"""The history of changes, in the folder that survives a stop of the instance.

One JSON object per line, newest last: ``at``, ``actor``, ``action``, ``before``, ``after``, ``effect`` and
``reason``. The file has mode 0600, and the oldest entries are dropped.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelarts_magics.config.atomic_file import replace_file
from modelarts_magics.config.settings_file import expand_user
from modelarts_magics.domain.browser_payloads import auto_stop_payload
from modelarts_magics.domain.durations import datetime_from_ms

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from modelarts_magics.domain.models import Change, Instance

FILE_NAME = ".modelarts-magics-history.jsonl"
MAX_ENTRIES = 1000
MAX_BYTES = 600 * MAX_ENTRIES
"""A file of this size is cut to its newer half, which may hold fewer entries than `MAX_ENTRIES`."""


def surviving_folder(environ: Mapping[str, str], state_dir: str) -> Path:
    """Return the folder that survives a stop: ``~/work`` if it exists, else the state folder."""
    work = Path(environ.get("HOME") or Path.home()) / "work"
    return work if work.is_dir() else expand_user(state_dir)


def history_path(environ: Mapping[str, str], state_dir: str) -> Path:
    """Return the path of the history, which may not exist yet."""
    return surviving_folder(environ, state_dir) / FILE_NAME


def history_entry(
    change: Change, *, at: datetime, actor: str, action: str, reason: str
) -> dict[str, Any]:
    """Return the entry of a change.

    Args:
        change: The change and its effect.
        at: When it was read back, by the clock of the API.
        actor: The part of this package, or the person, that made it.
        action: The name of the action.
        reason: Why, as shown to the user.
    """
    return {
        "at": at.isoformat(timespec="seconds"),
        "actor": actor,
        "action": action,
        "instance": change.before.id,
        "before": _state(change.before),
        "after": _state(change.after) if change.after else None,
        "effect": change.effect.value,
        "reason": reason,
    }


def append_entry(path: Path, entry: Mapping[str, Any]) -> None:
    """Add an entry.

    Raises:
        OSError: The file cannot be written.
    """
    line = json.dumps(entry).encode() + b"\n"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        # One write, so that the lines of two processes do not mix.
        os.write(descriptor, line)
        size = os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
    if size > MAX_BYTES:
        lines = path.read_bytes().splitlines(keepends=True)
        replace_file(path, b"".join(lines[-MAX_ENTRIES // 2 :]))


def read_entries(path: Path) -> list[dict[str, Any]]:
    """Return the entries, newest first; empty if there is no file."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [entry for line in reversed(lines) if (entry := _parse(line)) is not None]


def _parse(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "at" in entry else None


def _state(instance: Instance) -> dict[str, Any]:
    """Return the status and the auto-stop of an instance, with the stop time in UTC."""
    state = auto_stop_payload(instance.auto_stop)
    stops_at_ms = state.pop("stops_at_ms")
    stops_at = None if stops_at_ms is None else datetime_from_ms(stops_at_ms).isoformat()
    return {"status": instance.status.value, **state, "stops_at": stops_at}
