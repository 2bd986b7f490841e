"""The results of guarded work: the process that works writes them, and the daemon turns them into notifications.

A result is a small file in the folder of the daemon, so that it is not lost if the daemon does not run when the
work ends.
"""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelarts_magics.config.atomic_file import replace_object
from modelarts_magics.config.private_file import read_private_object
from modelarts_magics.domain.countdown import stop_message
from modelarts_magics.keepalive.folder import json_files
from modelarts_magics.keepalive.guards import LOCKED_KINDS, PID
from modelarts_magics.keepalive.notifications.notification import Notification, shorten_line
from modelarts_magics.keepalive.notifications.sinks import JOB_FAILED, JOB_FINISHED
from modelarts_magics.keepalive.records import find_record
from modelarts_magics.messages import Message
from modelarts_magics.session.notify import notify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelarts_magics.domain.models import Instance
    from modelarts_magics.keepalive.guards import Guard
    from modelarts_magics.keepalive.records import Record

FORMAT_VERSION = 1
_PREFIX = "result-"
RECORD_TIMEOUT = timedelta(seconds=10)
"""How long to wait for the end of a record, by the clock of the API."""
ENDING_KINDS = LOCKED_KINDS | {PID}
"""The kinds of guards whose work ends with a process or in it."""
TAIL_BYTES = 65_536
"""How much of the end of a record is read for its last line."""


@dataclass(frozen=True)
class JobResult:
    """The result of guarded work.

    Attributes:
        guard_id: The ID of the guard.
        name: Its name.
        since: When it began.
        ended_at: When the work ended.
        failed: Whether it failed.
        exit_status: The exit status of a command; None for other work, and if it is unknown.
        last_line: The last line of the output, or the error; "" if it is unknown.
        record: The path of the record of its output, whose last line is used if there is none here; "" for none.
    """

    guard_id: str
    name: str
    since: datetime
    ended_at: datetime
    failed: bool = False
    exit_status: int | None = None
    last_line: str = ""
    record: str = ""

    @property
    def duration(self) -> timedelta:
        """How long the work took."""
        return self.ended_at - self.since


def save_result(folder: Path, result: JobResult) -> None:
    """Write the result of guarded work, before its guard ends; a full disk is not reported."""
    data = {
        "version": FORMAT_VERSION,
        "name": result.name,
        "since": result.since.isoformat(),
        "ended_at": result.ended_at.isoformat(),
        "failed": result.failed,
        "exit_status": result.exit_status,
        "last_line": shorten_line(result.last_line),
        "record": result.record,
    }
    with contextlib.suppress(OSError):
        replace_object(_path(folder, result.guard_id), data)
        notify(folder)


def read_results(folder: Path) -> Iterator[JobResult]:
    """Return the results that no notification was created for."""
    for path in json_files(folder, _PREFIX):
        result = _from_json(
            path.stem[len(_PREFIX) :], read_private_object(path, version=FORMAT_VERSION)
        )
        if result is None:
            path.unlink(missing_ok=True)
        else:
            yield result


def discard_result(folder: Path, guard_id: str) -> None:
    """Delete a result after its notification was created."""
    _path(folder, guard_id).unlink(missing_ok=True)


def note_end(folder: Path, guard: Guard, now: datetime) -> None:
    """Write the result of a guard whose process has ended without writing one.

    Args:
        folder: The folder of the daemon.
        guard: A guard of one of `ENDING_KINDS`.
        now: The time by the clock of the API.
    """
    if _path(folder, guard.id).exists():
        return
    is_killed = guard.kind in LOCKED_KINDS
    save_result(folder, JobResult(guard.id, guard.name, guard.since, now, failed=is_killed))


def with_recorded_line(result: JobResult, now: datetime) -> JobResult | None:
    """Return a result with the last line of its record; None while that is still being written."""
    if not result.record or result.last_line:
        return result
    path = Path(result.record)
    record = find_record(path.parent, path.name)
    if record is None:
        return result
    if record.ended_at is None and now - result.ended_at < RECORD_TIMEOUT:
        return None
    return replace(result, last_line=last_recorded_line(record))


def last_recorded_line(record: Record) -> str:
    """Return the last line that is not empty; "" if there is none at the end of the record."""
    text = ""
    for path in reversed([record.path, *record.tail_paths()]):
        for line in reversed(_read_tail(path).splitlines()):
            text = _text_of_entry(line) + text
            found = [each for each in re.split(r"[\r\n]", text) if each.strip()]
            # The first line may be the rest of a longer one.
            if len(found) > 1 or (found and text.startswith("\n")):
                return found[-1]
        if text.strip():
            break
    return text.strip().rpartition("\n")[2]


def _read_tail(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            return file.read()
    except OSError:
        return b""


def _text_of_entry(line: bytes) -> str:
    """Return the text that an entry of a record has printed; "" for other entries."""
    try:
        entry = json.loads(line)
        content = entry["content"]
        if entry["type"] == "error":
            return f"\n{content['ename']}: {content['evalue']}\n"
        return str(content["text"]) if entry["type"] == "stream" else ""
    except (ValueError, KeyError, TypeError):
        return ""


def job_notification(result: JobResult, instance: Instance, now: datetime) -> Notification:
    """Return the notification about a result."""
    code = "failed" if result.failed else "finished"
    if result.failed and result.exit_status is None and not result.last_line:
        code = "killed"
    elif result.last_line:
        code = f"{code}_line"
    values = {
        "name": instance.name or instance.id,
        "job": result.name,
        "duration": result.duration,
        "status": "—" if result.exit_status is None else result.exit_status,
        "line": result.last_line,
        "stop": stop_message(instance),
    }
    return Notification.about(
        instance,
        JOB_FAILED if result.failed else JOB_FINISHED,
        Message(f"notify.text.job_{code}", values),
        now,
        job={
            "name": result.name,
            "duration_s": round(result.duration.total_seconds()),
            "exit_status": result.exit_status,
            "last_line": result.last_line,
        },
    )


def _path(folder: Path, guard_id: str) -> Path:
    return folder / f"{_PREFIX}{guard_id}.json"


def _from_json(guard_id: str, data: dict[str, Any]) -> JobResult | None:
    try:
        return JobResult(
            guard_id=guard_id,
            name=str(data["name"]),
            since=datetime.fromisoformat(data["since"]),
            ended_at=datetime.fromisoformat(data["ended_at"]),
            failed=bool(data["failed"]),
            exit_status=data["exit_status"],
            last_line=str(data["last_line"]),
            record=str(data["record"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
