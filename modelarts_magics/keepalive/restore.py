"""Run times of later starts that renewals have lengthened, to be restored when the next run has begun.

Where the API stores a duration and counts it from the start of a run, a renewal also lengthens every later run.
The usual run time cannot be set back while the run lasts, because that would move its stop time. It is kept in a
file in the folder that survives a stop.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from modelarts_magics.config.atomic_file import replace_file
from modelarts_magics.config.private_file import read_private_object
from modelarts_magics.config.surviving_folder import surviving_folder
from modelarts_magics.domain.models import Effect
from modelarts_magics.domain.planning import AutoStopRequest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelarts_magics.config.settings import Settings
    from modelarts_magics.domain.models import Change, Instance
    from modelarts_magics.session.session import Session

FILE_NAME = ".modelarts-magics-restore.json"
SAME_RUN_TOLERANCE = timedelta(minutes=2)
"""The start of a run is computed, and differs a little from one response to the next."""


@dataclass(frozen=True)
class PendingRestore:
    """A run time to restore.

    Attributes:
        duration: The usual run time.
        run_started_at: The start of the run that was lengthened; None if it is unknown.
        set_duration: The run time that a renewal has set; another one was chosen by the user.
    """

    duration: timedelta
    run_started_at: datetime | None
    set_duration: timedelta | None = None


def restore_path(settings: Settings, environ: Mapping[str, str]) -> Path:
    """Return the path of the file, which may not exist yet."""
    return surviving_folder(settings, environ) / FILE_NAME


def load_pending(path: Path, instance_id: str) -> PendingRestore | None:
    """Return the run time to restore; None if there is none."""
    try:
        entry = read_private_object(path)[instance_id]
        started_at, set_s = entry["run_started_at"], entry["set_duration_s"]
        return PendingRestore(
            timedelta(seconds=entry["duration_s"]),
            datetime.fromisoformat(started_at) if started_at else None,
            None if set_s is None else timedelta(seconds=set_s),
        )
    except (KeyError, TypeError, ValueError):
        return None


def save_pending(path: Path, instance_id: str, pending: PendingRestore | None) -> None:
    """Save the run time to restore, or forget it.

    Raises:
        OSError: The file cannot be written.
    """
    entries = read_private_object(path)
    if pending is None:
        if entries.pop(instance_id, None) is None:
            return
    else:
        started_at, set_duration = pending.run_started_at, pending.set_duration
        entries[instance_id] = {
            "duration_s": pending.duration.total_seconds(),
            "run_started_at": started_at.isoformat() if started_at else None,
            "set_duration_s": set_duration.total_seconds() if set_duration else None,
        }
    if entries:
        replace_file(path, json.dumps(entries).encode())
    else:
        path.unlink(missing_ok=True)


def find_due(path: Path, instance: Instance, started_at: datetime | None) -> PendingRestore | None:
    """Return the run time to restore because a new run has begun; forget one that the user has replaced.

    Args:
        path: The path of the file.
        instance: The instance as just read.
        started_at: When this run started; None if that is unknown.

    Raises:
        OSError: The file cannot be written.
    """
    pending = load_pending(path, instance.id)
    if pending is None or not instance.running:
        return None
    # A start that is unknown may be that of the run that was lengthened.
    if started_at is None or pending.run_started_at is None:
        return None
    if is_same_run(pending.run_started_at, started_at):
        return None
    if instance.auto_stop.duration != pending.set_duration:
        save_pending(path, instance.id, None)
        return None
    return pending


def restore_run_time(session: Session, instance: Instance, path: Path) -> Change | None:
    """Restore the usual run time if the run that was lengthened has ended; return the change.

    Args:
        session: The session with the instance.
        instance: The instance as just read.
        path: The path of the file.

    Returns:
        The change; None if there is nothing to restore now.

    Raises:
        ModelArtsError: The change failed; the next call tries again.
        OSError: The file cannot be written.
    """
    pending = find_due(path, instance, session.plan_context(instance).started_at)
    if pending is None:
        return None
    change = session.update(auto_stop=AutoStopRequest(duration=pending.duration), action="keep")
    if change.effect is not Effect.UNCONFIRMED:
        save_pending(path, instance.id, None)
    return change


def is_same_run(one: datetime | None, other: datetime | None) -> bool:
    """Return whether both starts are known and belong to the same run."""
    return one is not None and other is not None and abs(one - other) <= SAME_RUN_TOLERANCE
