"""How the last run ended: what the daemon has seen of a run, in the folder that survives its stop."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from modelarts_magics.config.atomic_file import replace_object
from modelarts_magics.config.private_file import read_private_object
from modelarts_magics.domain.countdown import stop_message
from modelarts_magics.domain.later_starts import is_same_run
from modelarts_magics.keepalive.notifications.notification import LIFETIME, Notification
from modelarts_magics.keepalive.notifications.sinks import LAST_RUN
from modelarts_magics.keepalive.state import decode, encode
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from pathlib import Path

    from modelarts_magics.domain.models import Instance

FORMAT_VERSION = 1
AUTO_STOP_WINDOW = timedelta(seconds=150)
"""A run that was last seen within this time before its stop time is assumed to have ended by auto-stop."""


@dataclass(frozen=True)
class SeenRun:
    """The last that was seen of a run.

    Attributes:
        started_at: When it started.
        seen_at: When it was last seen running.
        stops_at: Its stop time then; None if it had none, or it was unknown.
        stop_after: The work after which the daemon was about to stop it; "" for none.
        was_idle: Whether the daemon was about to stop it because nothing worked.
    """

    started_at: datetime
    seen_at: datetime
    stops_at: datetime | None
    stop_after: str = ""
    was_idle: bool = False


def load_run(path: Path) -> SeenRun | None:
    """Return the run that was last seen; None if there is none."""
    data = read_private_object(path, version=FORMAT_VERSION)
    try:
        return SeenRun(
            datetime.fromisoformat(data["started_at"]),
            datetime.fromisoformat(data["seen_at"]),
            decode(data["stops_at"]),
            str(data["stop_after"]),
            bool(data["was_idle"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def save_run(path: Path, run: SeenRun) -> None:
    """Write what was last seen of a run; a full disk is not reported."""
    data: dict[str, Any] = {
        "version": FORMAT_VERSION,
        "started_at": run.started_at.isoformat(),
        "seen_at": run.seen_at.isoformat(),
        "stops_at": encode(run.stops_at),
        "stop_after": run.stop_after,
        "was_idle": run.was_idle,
    }
    with contextlib.suppress(OSError):
        replace_object(path, data)


def last_run_notification(
    last: SeenRun | None, instance: Instance, started_at: datetime | None, now: datetime
) -> Notification | None:
    """Return the notification about the last run; None if none is known, or it goes on.

    Args:
        last: The run that was last seen.
        instance: The instance as just read.
        started_at: When this run started; None if that is unknown.
        now: The time by the clock of the API.
    """
    if last is None or started_at is None or not instance.running:
        return None
    if is_same_run(last.started_at, started_at) or started_at < last.seen_at - LIFETIME:
        return None
    values = {
        "name": instance.name or instance.id,
        "stop": stop_message(instance),
        "at": last.seen_at,
        "job": last.stop_after,
    }
    code = "last_run"
    if last.stop_after:
        code = "last_run_job"
    elif last.was_idle:
        code = "last_run_idle"
    elif last.stops_at is not None and last.stops_at - last.seen_at <= AUTO_STOP_WINDOW:
        code, values["at"] = "last_run_auto_stop", last.stops_at
    return Notification.about(instance, LAST_RUN, Message(f"notify.text.{code}", values), now)
