"""Ask the daemon what is working, from any process; start it if it does not run."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from modelarts_magics.domain.clock import SYSTEM_CLOCK, wait_until
from modelarts_magics.errors import ModelArtsError
from modelarts_magics.keepalive import launch, requests
from modelarts_magics.keepalive.activity.report import ActivityReport, load_report
from modelarts_magics.keepalive.activity.source import KERNEL, Source
from modelarts_magics.keepalive.folder import folder_of_session
from modelarts_magics.keepalive.state import read_running_state, read_state
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelarts_magics.session.session import Session

WATCH_TIME = timedelta(minutes=10)
"""How long the daemon watches after a question, if nothing else needs it."""
ANSWER_TIMEOUT_S = 15.0
"""How long to wait for the first report of a daemon, which compares CPU times over three seconds."""
_POLL_S = 0.05


def ask_activity(session: Session, *, environ: Mapping[str, str] | None = None) -> ActivityReport:
    """Return what is working on the instance, besides the process that asks.

    Args:
        session: The session with the instance, whose daemon watches.
        environ: The environment variables for a new daemon; None for those of the process.

    Raises:
        ModelArtsError: The daemon cannot be started, or does not report.
    """
    environ = os.environ if environ is None else environ
    folder = folder_of_session(session)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        requests.request_daemon_until(folder, SYSTEM_CLOCK.now() + WATCH_TIME)
    except OSError as error:
        cause = error.strerror or str(error)
        raise ModelArtsError("keep.cannot_write", path=str(folder), cause=cause) from None
    launch.ensure_daemon(folder, session, environ)
    return without_asker(_wait_for_report(folder), os.getpid())


def _wait_for_report(folder: Path) -> ActivityReport:
    report = wait_until(
        lambda: _complete_report(folder), timeout_s=ANSWER_TIMEOUT_S, interval_s=_POLL_S
    )
    if report is not None:
        return report
    state = read_state(folder)
    cause = state.components.get("activity", "") if state else ""
    raise ModelArtsError("activity.no_report", cause=cause)


def _complete_report(folder: Path) -> ActivityReport | None:
    """Return the report of the running daemon; None while it does not know every source."""
    report, state = load_report(folder), read_running_state(folder)
    is_current = report and state and report.watcher == state.pid
    return report if report and is_current and report.is_complete else None


def without_asker(report: ActivityReport, pid: int) -> ActivityReport:
    """Return a report in which the process that asks does not count.

    Args:
        report: The report.
        pid: The process: the kernel of a magic, or a command in the foreground of a terminal.
    """
    sources = tuple(_without_asker(source, pid) for source in report.sources)
    return replace(report, sources=sources)


def _without_asker(source: Source, pid: int) -> Source:
    asks = pid == source.worker or (source.kind == KERNEL and pid in source.pids)
    if not asks or source.busy is False:
        return source
    return replace(source, busy=False, counts=False, reason=Message("activity.asks"))
