"""Guards: the work that an instance is kept running for, and until when at most.

A guard is a data file in the folder of the daemon. The guard of a cell or of a command also has a lock file,
which the working process holds locked: the lock is free at once when that process ends, also after SIGKILL.
Any process of the user may change or delete a data file; the daemon follows.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from modelarts_magics.config.atomic_file import replace_object
from modelarts_magics.config.private_file import read_private_text
from modelarts_magics.keepalive.folder import json_files
from modelarts_magics.keepalive.processes import is_process_alive
from modelarts_magics.keepalive.record_lock import RecordLock, is_locked
from modelarts_magics.session.notify import notify

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FORMAT_VERSION = 1
LEAVE, STOP = "leave", "stop"
"""After the work, the stop time stays as it is, or the instance is stopped."""
CELL, RUN, API, PID, NAMED = "cell", "run", "api", "pid", "named"
WHILE_BUSY, RUNNING_CELL = "while-busy", "running-cell"
"""The kinds of guards: a guarded cell, a command, a block of Python, a process, a name that is ended by hand,
anything that works, and a cell that already ran when its guard was added."""
LOCKED_KINDS = frozenset((CELL, RUN, API))
"""The kinds whose working process holds a lock."""
_PREFIX = "guard-"


@dataclass(frozen=True)
class Guard:
    """A reason to keep the instance running.

    Attributes:
        name: The name to show and to end it by.
        kind: One of the kinds above.
        pid: The process that works; for `NAMED` the one that created the guard.
        since: When the work began, aware, by the clock of the API.
        until: The stop time up to which the instance is kept at most, aware.
        then: `LEAVE` or `STOP`.
        reason: Why the instance is kept, in the user's words; "" if none was given.
        id: Identifies the guard and its files.
        details: Further values by name, as JSON: ``explicit`` (whether the user chose the bound), ``admitted``
            (whether a daemon has accepted the guard), ``process_started`` (for `PID`), and values for components.
    """

    name: str
    kind: str
    pid: int
    since: datetime
    until: datetime
    then: str = LEAVE
    reason: str = ""
    id: str = field(default_factory=lambda: os.urandom(4).hex())
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the fields that ``keep --json`` shows."""
        return {
            "name": self.name,
            "kind": self.kind,
            "pid": self.pid,
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "then": self.then,
            "reason": self.reason,
        }


@contextlib.contextmanager
def hold_guard(folder: Path, guard: Guard) -> Iterator[Guard]:
    """Keep the instance running during a block of this process; the guard ends with the block or the process.

    This only creates the guard. `modelarts_magics.keepalive.client` also checks that it can be kept, and
    starts the daemon.

    Args:
        folder: The folder of the daemon.
        guard: A guard of one of `LOCKED_KINDS`.

    Raises:
        OSError: The files cannot be written, for example because the disk is full.
    """
    lock = RecordLock(_lock_path(folder, guard.id))
    owner = os.getpid()
    try:
        # A data file whose lock is free is the guard of a process that has ended, so the lock comes first.
        lock.acquire(wait=True)
        save_guard(folder, guard)
        yield guard
    finally:
        # A child that was forked in the block leaves it too, while its parent still works.
        if os.getpid() == owner:
            # The daemon deletes the files of a guard that ends with a stop, so that the stop is not forgotten.
            if guard.then != STOP:
                remove_guard(folder, guard)
            lock.release()
            if guard.then == STOP and exists(folder, guard):
                notify(folder)
            else:
                _lock_path(folder, guard.id).unlink(missing_ok=True)


def save_guard(folder: Path, guard: Guard) -> None:
    """Create or replace the data file of a guard, and wake the daemon.

    Raises:
        OSError: The file cannot be written.
    """
    content = {"version": FORMAT_VERSION, **guard.to_json(), "details": dict(guard.details)}
    replace_object(_data_path(folder, guard.id), content)
    notify(folder)


def remove_guard(folder: Path, guard: Guard) -> None:
    """Delete the data file of a guard, which ends it, and wake the daemon."""
    _data_path(folder, guard.id).unlink(missing_ok=True)
    notify(folder)
    # Pages show the end at once, also where the daemon does not run.
    notify(folder.parent)


def list_guards(folder: Path) -> list[Guard]:
    """Return the guards whose work goes on, the oldest first; also those whose bound has passed."""
    return [guard for guard in read_guards(folder) if is_alive(folder, guard)]


def read_guards(folder: Path) -> list[Guard]:
    """Return all guards that have a data file, the oldest first."""
    found = map(_read_guard, json_files(folder, _PREFIX))
    return sorted((guard for guard in found if guard), key=lambda guard: (guard.since, guard.id))


def is_alive(folder: Path, guard: Guard) -> bool:
    """Return whether the work of a guard goes on, as far as its files and its process show."""
    if guard.kind in LOCKED_KINDS:
        return is_locked(_lock_path(folder, guard.id))
    if guard.kind == PID:
        return is_process_alive(guard.pid, started=guard.details.get("process_started"))
    return True


def exists(folder: Path, guard: Guard) -> bool:
    """Return whether the guard has a data file, so that no one has ended it."""
    return _data_path(folder, guard.id).exists()


def discard_files(folder: Path, guard: Guard) -> None:
    """Delete the files of a guard whose work has ended without deleting them."""
    for path in (_data_path(folder, guard.id), _lock_path(folder, guard.id)):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _data_path(folder: Path, guard_id: str) -> Path:
    return folder / f"{_PREFIX}{guard_id}.json"


def _lock_path(folder: Path, guard_id: str) -> Path:
    return folder / f"{_PREFIX}{guard_id}.lock"


def _read_guard(path: Path) -> Guard | None:
    """Return the guard in a data file; None if there is none, or one of another version."""
    try:
        data = json.loads(read_private_text(path))
        if data["version"] != FORMAT_VERSION:
            return None
        return Guard(
            name=str(data["name"]),
            kind=str(data["kind"]),
            pid=int(data["pid"]),
            since=_aware(data["since"]),
            until=_aware(data["until"]),
            then=STOP if data["then"] == STOP else LEAVE,
            reason=str(data["reason"]),
            id=path.stem[len(_PREFIX) :],
            details=dict(data["details"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment
