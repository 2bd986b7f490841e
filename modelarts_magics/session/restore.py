"""Restore the usual run time of later starts; see `modelarts_magics.domain.later_starts`.

It is kept in a file in the folder that survives a stop.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from modelarts_magics.config.atomic_file import replace_object
from modelarts_magics.config.private_file import read_private_object
from modelarts_magics.config.settings_file import expand_user
from modelarts_magics.config.surviving_folder import surviving_folder
from modelarts_magics.domain.durations import UTC
from modelarts_magics.domain.later_starts import (
    is_due,
    is_replaced,
    is_same_run,
    restore_after,
)
from modelarts_magics.domain.models import Effect, PendingRestore
from modelarts_magics.domain.planning import AutoStopRequest
from modelarts_magics.errors import ModelArtsError, RefusedError
from modelarts_magics.messages import Message
from modelarts_magics.session import notify

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelarts_magics.config.settings import Settings
    from modelarts_magics.domain.models import Change, Instance
    from modelarts_magics.domain.planning import PlanContext
    from modelarts_magics.session.session import Session

FILE_NAME = ".modelarts-magics-restore.json"
_TOO_LATE_CODES = ("refuse.too_soon", "refuse.duration_elapsed")
"""The refusals because the run has lasted for about the usual run time already."""


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
            datetime.fromisoformat(started_at).astimezone(UTC) if started_at else None,
            None if set_s is None else timedelta(seconds=set_s),
            planned=entry.get("planned") is not False,
        )
    except (KeyError, TypeError, ValueError, OverflowError):
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
            "planned": pending.planned,
        }
    if entries:
        replace_object(path, entries)
    else:
        path.unlink(missing_ok=True)


def find_due(path: Path, context: PlanContext) -> PendingRestore | None:
    """Return the run time to restore now; forget one that the user has replaced.

    Args:
        path: The path of the file.
        context: The instance as just read, and what a change of it depends on.

    Raises:
        OSError: The file cannot be written.
    """
    instance = context.instance
    pending = load_pending(path, instance.id)
    if pending is None or not is_due(pending, context):
        return None
    if is_replaced(pending, instance.auto_stop):
        save_pending(path, instance.id, None)
        return None
    return pending


def restore_run_time(session: Session, instance: Instance) -> Change | None:
    """Restore the usual run time if that is due; return the change.

    Args:
        session: The session with the instance.
        instance: The instance as just read.

    Returns:
        The change; None if there is nothing to restore now.

    Raises:
        ModelArtsError: The change failed; the next call tries again.
        OSError: The file cannot be written.
    """
    path = session.pending_restores
    # Nothing is to be restored in the usual case, and then nothing more is read.
    if path is None or not path.exists():
        return None
    context = session.plan_context(instance)
    pending = find_due(path, context)
    if pending is None:
        return None
    request = AutoStopRequest(duration=pending.duration)
    try:
        change = session.update(auto_stop=request, action="restore", seen=instance)
    except RefusedError as error:
        if error.code in _TOO_LATE_CODES:
            # This run is left as it is; the one after it will have the usual run time.
            save_pending(path, instance.id, pending._replace(run_started_at=context.started_at))
        return None
    if change.effect is not Effect.UNCONFIRMED:
        _save(session, path, instance.id, None)
    return change


def restore_if_due(session: Session, instance: Instance) -> Change | None:
    """Restore the usual run time as `restore_run_time` does, with a notice; a failure is left to the next call."""
    with suppress(ModelArtsError, OSError):
        change = restore_run_time(session, instance)
        if change is not None and change.edit.auto_stop is not None:
            values = {"duration": change.edit.auto_stop.duration}
            session.on_notice(Message("notice.run_time_restored", values))
        return change
    return None


def take_back(session: Session, change: Change) -> None:
    """Restore the usual run time if this run has not followed a change that was meant for it alone."""
    if change.after is not None and change.leaves_no_trace:
        with suppress(ModelArtsError, OSError):
            restore_run_time(session, change.after)


def find_restore(session: Session, instance: Instance | None) -> PendingRestore | None:
    """Return the run time that can be restored for later starts, or will be; None if there is none."""
    path = session.pending_restores
    if instance is None or path is None:
        return None
    pending = load_pending(path, instance.id)
    if pending is None or is_replaced(pending, instance.auto_stop):
        return None
    started_at = session.plan_context(instance).started_at
    known = started_at is not None and pending.run_started_at is not None
    is_over = known and not is_same_run(pending.run_started_at, started_at)
    return None if is_over and not pending.planned else pending


def plan_restore(session: Session) -> PendingRestore | Change:
    """Restore the usual run time for later starts: at once if this moves no stop time, else when it is due.

    Returns:
        The change, or what will be restored.

    Raises:
        RefusedError: No run time was changed in this run.
        ModelArtsError: The instance cannot be read or changed.
        OSError: The file cannot be written.
    """
    instance = session.refresh()
    pending, path = find_restore(session, instance), session.pending_restores
    if pending is None or path is None:
        raise RefusedError("refuse.nothing_to_restore", duration=instance.auto_stop.duration or "")
    planned = pending._replace(planned=True)
    _save(session, path, instance.id, planned)
    return restore_run_time(session, instance) or planned


def plan_again(session: Session, change: Change) -> Change:
    """Restore the usual run time as it was planned before a change that was undone; return that with the plan."""
    if change.restore is None or session.pending_restores is None:
        return change
    planned = change.restore._replace(planned=True)
    with suppress(OSError):
        _save(session, session.pending_restores, change.before.id, planned)
    return replace(change, restore=planned)


def note_change(session: Session, change: Change) -> None:
    """Save the run time that can be restored after a change, or will be.

    Raises:
        OSError: The file cannot be written.
    """
    path = session.pending_restores
    if path is None or change.action == "restore":
        return
    known = load_pending(path, change.before.id)
    pending = restore_after(change, known, session.plan_context(change.before).started_at)
    if pending != known:
        _save(session, path, change.before.id, pending)


def _save(session: Session, path: Path, instance_id: str, pending: PendingRestore | None) -> None:
    """Save the run time to restore, and let the other processes read it."""
    save_pending(path, instance_id, pending)
    if session.settings is not None:
        notify.notify(expand_user(session.settings.get("state_dir")))
