"""The history of changes, in the folder that survives a stop of the instance.

One JSON object per line, newest last: ``at``, ``actor``, ``action``, ``before``, ``after``, ``effect``,
``reason``, and, for ourselves, ``instance`` and ``undo``, the command that restores the state before. The file has
mode 0600, and the oldest entries are dropped.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from modelarts_magics.config.atomic_file import replace_file
from modelarts_magics.config.private_file import open_private, read_private
from modelarts_magics.config.surviving_folder import surviving_folder
from modelarts_magics.domain.browser_payloads import auto_stop_payload
from modelarts_magics.domain.durations import MAX_DURATION, datetime_from_ms
from modelarts_magics.domain.models import same_stop_time
from modelarts_magics.domain.undo import undo_command
from modelarts_magics.session.restore import FILE_NAME as RESTORE_FILE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from modelarts_magics.config.settings import Settings
    from modelarts_magics.domain.models import Change, Instance
    from modelarts_magics.session.session import Session

KEEP_ALIVE = "keep-alive"
"""The actor of the changes that keep the instance running."""
FILE_NAME = ".modelarts-magics-history.jsonl"
MAX_BYTES = 600_000
"""A file larger than this, about a thousand entries, is cut to its newer half."""
NEWS_TIME = timedelta(hours=1)
"""For how long pages show some entries besides the list of all."""
_MAX_ATTEMPTS = 3
_MAX_DURATION_S = MAX_DURATION.total_seconds()


def history_path(settings: Settings, environ: Mapping[str, str]) -> Path:
    """Return the path of the history, which may not exist yet."""
    return surviving_folder(settings, environ) / FILE_NAME


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
        "undo": undo_command(change),
    }


def append_entry(
    path: Path,
    entry: Mapping[str, Any],
    *,
    open_file: Callable[..., int] = open_private,
    replace: Callable[[Path, bytes], object] = replace_file,
) -> None:
    """Add an entry.

    Args:
        path: The path of the history.
        entry: The entry.
        open_file: Opens the file; replaced in tests.
        replace: Replaces the file when it is cut; replaced in tests.

    Raises:
        OSError: The file cannot be written.
    """
    line = json.dumps(entry).encode() + b"\n"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for _ in range(_MAX_ATTEMPTS):
        descriptor = open_file(path, flags=os.O_APPEND)
        try:
            # One write, so that the lines of two processes do not mix.
            os.write(descriptor, line)
            # Another process may have replaced the file since it was opened.
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                _cut_if_too_large(path, descriptor, replace)
                return
        finally:
            os.close(descriptor)


def _cut_if_too_large(
    path: Path, descriptor: int, replace: Callable[[Path, bytes], object]
) -> None:
    """Keep the newer half of the file, and what other processes add to it meanwhile."""
    if os.fstat(descriptor).st_size <= MAX_BYTES:
        return
    content = _read_from(descriptor, 0)
    # The first line is the rest of one that was cut.
    replace(path, content[-MAX_BYTES // 2 :].partition(b"\n")[2])
    added = _read_from(descriptor, len(content))
    if added:
        new = open_private(path, flags=os.O_APPEND)
        try:
            os.write(new, added)
        finally:
            os.close(new)


def _read_from(descriptor: int, start: int) -> bytes:
    os.lseek(descriptor, start, os.SEEK_SET)
    return os.read(descriptor, os.fstat(descriptor).st_size - start)


def read_entries(path: Path) -> Iterator[dict[str, Any]]:
    """Return the entries, newest first, each parsed when it is needed; none if there is no file."""
    lines = (read_private(path) or b"").decode("utf-8-sig", errors="replace").splitlines()
    # A line that was added while the file was cut may be there twice.
    distinct = dict.fromkeys(reversed(lines))
    return (entry for line in distinct if (entry := _parse(line)) is not None)


def has_news(path: Path | None) -> bool:
    """Return whether an entry was added within `NEWS_TIME`, by the clock of this machine."""
    try:
        return path is not None and time.time() - path.stat().st_mtime <= NEWS_TIME.total_seconds()
    except OSError:
        return False


def record_changes(session: Session, path: Path, *, actor: str) -> None:
    """Add each change that a session makes to the history; a file that cannot be written is no error.

    The run times to restore after the changes are in the same folder.
    """

    def record(change: Change) -> None:
        at = (change.after or change.before).observed_at
        entry = history_entry(change, at=at, actor=actor, action=change.action, reason="")
        with contextlib.suppress(OSError):
            append_entry(path, entry)

    session.history, session.on_change = path, record
    session.pending_restores = path.with_name(RESTORE_FILE_NAME)


class UndoOffer(NamedTuple):
    """The change that can be undone.

    Attributes:
        action: The action of the change.
        at: When it was made.
        command: The command that restores the state before, without its prefix; "" if there is none.
        before: The state before, as in the history.
        after: The state after it, which is the present one.
    """

    action: str
    at: datetime
    command: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def find_undo(path: Path, instance: Instance) -> UndoOffer | None:
    """Return the last change of an instance; None if there is none, or the instance was changed since."""
    entries = read_entries(path)
    last = next((each for each in entries if each.get("instance") == instance.id), None)
    if last is None or not isinstance(last.get("before"), dict):
        return None
    # A renewal is ended by letting go, not by an earlier stop time.
    if last.get("actor") == KEEP_ALIVE:
        return None
    if not _is_state(last.get("after"), instance):
        return None
    return UndoOffer(
        action=str(last.get("action")),
        at=datetime.fromisoformat(last["at"]),
        command=str(last.get("undo") or ""),
        before=last["before"],
        after=last["after"],
    )


def _is_state(recorded: object, instance: Instance) -> bool:
    """Return whether an instance is as it was recorded; its stop time may differ by some seconds."""
    if not isinstance(recorded, dict):
        return False
    current = _state(instance)
    stop_times = [
        datetime.fromisoformat(each) if each else None
        for each in (recorded.get("stops_at"), current["stops_at"])
    ]
    names = current.keys() - {"stops_at", "status"}
    same_time = stop_times[0] == stop_times[1] or same_stop_time(*stop_times)
    return same_time and all(recorded.get(name) == current[name] for name in names)


def _parse(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and _is_valid(entry) else None


def _is_valid(entry: Mapping[str, Any]) -> bool:
    """Return whether the times in an entry can be shown and compared; a file may hold anything."""
    states = (entry.get("before"), entry.get("after"))
    return _is_time(entry.get("at")) and all(
        each is None or _is_valid_state(each) for each in states
    )


def _is_valid_state(state: object) -> bool:
    if not isinstance(state, dict):
        return False
    stops_at, duration_s = state.get("stops_at"), state.get("duration_s")
    return (stops_at is None or _is_time(stops_at)) and (
        duration_s is None
        or (isinstance(duration_s, (int, float)) and 0 <= duration_s <= _MAX_DURATION_S)
    )


def _is_time(value: object) -> bool:
    try:
        return datetime.fromisoformat(str(value)).tzinfo is not None
    except ValueError:
        return False


def _state(instance: Instance) -> dict[str, Any]:
    """Return the status, the description and the auto-stop of an instance, with the stop time in UTC."""
    state = auto_stop_payload(instance.auto_stop)
    stops_at_ms = state.pop("stops_at_ms")
    stops_at = None if stops_at_ms is None else datetime_from_ms(stops_at_ms).isoformat()
    return {
        "status": instance.status.value,
        "description": instance.description,
        **state,
        "stops_at": stops_at,
    }
