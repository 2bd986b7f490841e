"""Notify the user before the stop that the user has asked for, from the process that stops the instance."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from modelarts_magics.domain.clock import wait_until
from modelarts_magics.domain.models import same_stop_time
from modelarts_magics.keepalive import requests
from modelarts_magics.keepalive.folder import daemon_folder
from modelarts_magics.keepalive.notifications.events import STOPPING_NOW
from modelarts_magics.keepalive.notifications.outbox import Outbox, outbox_folder
from modelarts_magics.keepalive.notifications.sinks import STOPPING, load_sinks, notify_folder
from modelarts_magics.keepalive.state import is_daemon_running

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from modelarts_magics.session.session import Session

SEND_TIMEOUT_S = 3.0
"""How long the stop waits until the notification is sent."""


def announce_stop(session: Session, environ: Mapping[str, str]) -> None:
    """Let the daemon notify the user that the instance is being stopped, and wait a moment until that is sent.

    Does nothing without a sink, and never prevents the stop.

    Args:
        session: The session with the instance.
        environ: The environment variables.
    """
    settings, instance = session.settings, session.last_known()
    if settings is None or (instance is not None and not instance.running):
        return
    folder, shared_folder = daemon_folder(settings), notify_folder(settings, environ)
    sinks = load_sinks(shared_folder)
    if not sinks.sinks or STOPPING in sinks.muted or not is_daemon_running(folder):
        return
    at = session.now()
    with contextlib.suppress(OSError):
        requests.announce_stop(folder, at)
        outbox = outbox_folder(shared_folder, folder)
        wait_until(lambda: _is_sent(outbox, at), timeout_s=SEND_TIMEOUT_S, interval_s=0.1)


def _is_sent(folder: Path, at: datetime) -> bool:
    """Return whether each sink has received the announcement, or will not receive it."""
    return any(
        entry.key == STOPPING_NOW and same_stop_time(entry.claimed_for, at) and entry.is_final
        for entry in Outbox(folder).entries
    )
