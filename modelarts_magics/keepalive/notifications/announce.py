"""Notify the user and signal the work before the stop that the user has asked for, from the process that stops."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from modelarts_magics.domain.clock import wait_until
from modelarts_magics.domain.models import same_stop_time
from modelarts_magics.errors import ModelArtsError
from modelarts_magics.keepalive import launch, requests
from modelarts_magics.keepalive.claims import Claims
from modelarts_magics.keepalive.folder import daemon_folder
from modelarts_magics.keepalive.marks.mark import (
    COMMAND,
    PROCESSES,
    command_mark,
    marks_folder,
    read_marks,
)
from modelarts_magics.keepalive.marks.result import recent_results
from modelarts_magics.keepalive.notifications.events import STOPPING_NOW
from modelarts_magics.keepalive.notifications.outbox import Outbox, outbox_folder
from modelarts_magics.keepalive.notifications.sinks import STOPPING, load_sinks, notify_folder
from modelarts_magics.keepalive.state import is_daemon_running
from modelarts_magics.keepalive.stopping import ANNOUNCED_STOP_LIMIT
from modelarts_magics.messages import Message, join_list

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from modelarts_magics.config.settings import Settings
    from modelarts_magics.keepalive.marks.mark import Mark
    from modelarts_magics.session.session import Session

SEND_TIMEOUT_S = 3.0
"""How long the stop waits until the notification is sent."""


def announce_stop(session: Session, environ: Mapping[str, str]) -> None:
    """Let the daemon notify the user and signal the work before the instance is stopped, and wait for that.

    Commands with a signal and the command before each stop have a minute; the notification has a moment. Does
    nothing without any of them, and never prevents the stop.

    Args:
        session: The session with the instance.
        environ: The environment variables.
    """
    settings, instance = session.settings, session.last_known()
    if settings is None or (instance is not None and not instance.running):
        return
    folder, shared_folder = daemon_folder(settings), notify_folder(settings, environ)
    sinks, marks = load_sinks(shared_folder), _marks(folder, settings)
    if marks:
        launch.ensure_notifier(session, environ)
    is_notified = bool(sinks.sinks) and STOPPING not in sinks.muted
    if not (marks or is_notified) or not is_daemon_running(folder):
        return
    at = session.now()
    with contextlib.suppress(OSError):
        requests.announce_stop(folder, at)
        if is_notified:
            outbox = outbox_folder(shared_folder, folder)
            wait_until(lambda: _is_sent(outbox, at), timeout_s=SEND_TIMEOUT_S, interval_s=0.1)
        if marks:
            _wait_for_marks(session, folder, marks, at)


def _marks(folder: Path, settings: Settings) -> list[Mark]:
    """Return what happens before the stop: the signals of commands that run, and the command of the settings."""
    marks = [each for each in read_marks(folder) if each.kind == PROCESSES and each.is_alive]
    # The doctor reports an invalid setting.
    with contextlib.suppress(ModelArtsError):
        if settings.before_stop:
            marks.append(command_mark(settings.before_stop))
    return marks


def _wait_for_marks(session: Session, folder: Path, marks: list[Mark], at: datetime) -> None:
    """Say for what the stop waits, wait until it has ended, and say what came of it."""
    names = join_list(dict.fromkeys(each.name for each in marks))
    session.on_notice(Message("stop.waits", {"names": names, "limit": ANNOUNCED_STOP_LIMIT}))
    claims, stops_at = Claims(marks_folder(folder)), at + ANNOUNCED_STOP_LIMIT

    def has_ended(mark: Mark) -> bool:
        # A command that was signalled saves its state until it ends.
        return (
            claims.is_done(mark.claim_name, stops_at) if mark.kind == COMMAND else not mark.is_alive
        )

    timeout_s = ANNOUNCED_STOP_LIMIT.total_seconds() / session.time_scale
    wait_until(lambda: all(map(has_ended, marks)), timeout_s=timeout_s, interval_s=0.1)
    for fired_at, message, _ in recent_results(session.history, session.now()):
        # The history has whole seconds.
        if fired_at >= at.replace(microsecond=0):
            session.on_notice(message)


def _is_sent(folder: Path, at: datetime) -> bool:
    """Return whether each sink has received the announcement, or will not receive it."""
    return any(
        entry.key == STOPPING_NOW and same_stop_time(entry.claimed_for, at) and entry.is_final
        for entry in Outbox(folder).entries
    )
