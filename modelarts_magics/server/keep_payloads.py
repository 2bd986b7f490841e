"""The work that the instance is kept running for, as a page shows it, and the changes that a page makes to it."""

from __future__ import annotations

import contextlib
import itertools
import re
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from modelarts_magics.commands.activity import report_lines
from modelarts_magics.commands.keep import end_all
from modelarts_magics.commands.when_idle import idle_stop_lines, set_idle_stop
from modelarts_magics.config.jupyter_folders import jupyter_runtime_folder
from modelarts_magics.config.settings import Settings
from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.errors import RefusedError
from modelarts_magics.keepalive import client, pages, requests
from modelarts_magics.keepalive.activity.client import ask_activity
from modelarts_magics.keepalive.activity.input_reports import report_input
from modelarts_magics.keepalive.activity.running_cell import CONNECTION_FILE
from modelarts_magics.keepalive.client import KeepRequest
from modelarts_magics.keepalive.folder import folder_of_session
from modelarts_magics.keepalive.guards import (
    NAMED,
    RUNNING_CELL,
    STOP,
    WHILE_BUSY,
    list_guards,
    remove_guard,
)
from modelarts_magics.keepalive.idle_stop import load_idle_stop, postpone_idle_stop
from modelarts_magics.keepalive.launch import needs_notifier
from modelarts_magics.keepalive.marks.result import recent_results
from modelarts_magics.keepalive.recorder import DETAIL as RECORDING
from modelarts_magics.keepalive.recorder import RecordingRequest
from modelarts_magics.keepalive.records import new_record_id, records_folder
from modelarts_magics.keepalive.state import read_running_state
from modelarts_magics.keepalive.switched_mode import is_mode_switched
from modelarts_magics.messages import language, text
from modelarts_magics.server.request_models import (
    CANCEL_STOP,
    END,
    KEEP_CELL,
    KEEP_WHILE_BUSY,
    POSTPONE,
    REPORT_INPUT,
    REPORT_PAGE,
    STOP_WHEN_IDLE,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelarts_magics.keepalive.guards import Guard
    from modelarts_magics.keepalive.state import DaemonState, PlannedStop
    from modelarts_magics.server.request_models import KeepChange
    from modelarts_magics.session.session import Session

_POSTPONED = "page-{}"
"""The name of a guard that a page has added."""
_KERNEL_ID = re.compile(r"[A-Za-z0-9_-]+")


def keep_payload(session: Session) -> dict[str, Any] | None:
    """Return what keeps the instance running and whether it is stopped afterwards; None if nothing does.

    Args:
        session: The session with the instance; reads files only.
    """
    folder = folder_of_session(session)
    results = _result_payloads(session)
    if not (results or folder.exists()):
        return None
    guards, running = list_guards(folder), read_running_state(folder)
    stop = _stop_payload(running) if running else None
    failed_stop = running.failed_stop if running else None
    when_idle = _when_idle_payload(folder)
    is_switched = is_mode_switched(folder)
    if not (guards or stop or when_idle or failed_stop or is_switched or results):
        return None
    covered_until = running.covered_until if running else None
    return {
        "guards": [_guard_payload(guard) for guard in guards],
        "covered_until_ms": datetime_to_ms(covered_until) if covered_until else None,
        "stop": stop,
        "failed_stop": str(failed_stop) if failed_stop else "",
        "stop_when_idle": when_idle,
        "switched_mode": text("keep.switched") if is_switched else "",
        "results": results,
        "problem": _problem(running) if guards or stop or when_idle or is_switched else "",
        "problem_urgent": running is not None and running.problem_urgent,
    }


def change_keep(session: Session, change: KeepChange, environ: Mapping[str, str]) -> str:
    """End or extend what keeps the instance running; return the sentence about it, "" if there is none.

    Args:
        session: The session with the instance.
        change: The change.
        environ: The environment variables for a new daemon.

    Raises:
        RefusedError: The guard has ended, or its limit cannot be moved.
        ModelArtsError: The instance cannot be read, or the daemon cannot be started.
    """
    folder = folder_of_session(session)
    if change.action == REPORT_PAGE:
        _report_page(folder, change)
        return ""
    if change.action == REPORT_INPUT:
        with contextlib.suppress(OSError):
            report_input(folder, change.guard_id, session.now() if change.waits else None)
        return ""
    if change.action in _SWITCHES:
        return _SWITCHES[change.action](session, change, environ)
    if change.action == CANCEL_STOP:
        requests.save_pending_stop(folder, None)
        return text("keep.stop_cancelled")
    if not change.guard_id:
        end_all(folder, is_daemon_needed=needs_notifier(session))
        return text("keep.ended_all")
    guard = _find(folder, change.guard_id)
    if change.action == END:
        remove_guard(folder, guard)
        return text("keep.ended", name=guard.name)
    # Nothing is promised while the API does not answer.
    session.refresh()
    try:
        return str(client.extend_guard(session, guard, guard.until + change.by, environ=environ))
    except RefusedError as error:
        # The hints of these refusals name options of the commands.
        raise RefusedError("keep.not_extended", name=guard.name, cause=error.message) from None


def _report_page(folder: Path, change: KeepChange) -> None:
    """Register a page for the planned stop, or take note that it has saved; a full disk delays no stop."""
    state = read_running_state(folder)
    stop = state.stop if state else None
    if stop is None or stop.since is None or _stop_id(stop) != change.guard_id:
        return
    with contextlib.suppress(OSError):
        pages.report_page(folder, tab=change.tab, stop_since=stop.since, saved=change.saved)


def _keep_cell(session: Session, change: KeepChange, environ: Mapping[str, str]) -> str:
    """Keep the instance until the cell that runs in a kernel has ended.

    Raises:
        RefusedError: The kernel is not on this machine, or the instance cannot be kept.
        ModelArtsError: The instance cannot be read, or the daemon cannot be started.
    """
    path = jupyter_runtime_folder(environ) / f"kernel-{change.guard_id}.json"
    if not _KERNEL_ID.fullmatch(change.guard_id) or not path.is_file():
        raise RefusedError("keep.no_kernel", name=change.name)
    recording = RecordingRequest(
        id=new_record_id(),
        folder=str(records_folder(session.settings or Settings.load(environ=environ), environ)),
        connection_file=str(path.absolute()),
        parent_id="",
        code="",
        started=time.time(),
        language=language(),
    )
    details = {CONNECTION_FILE: recording.connection_file, RECORDING: asdict(recording)}
    wanted = KeepRequest(RUNNING_CELL, change.name, details=details)
    kept = client.add_guard(session, wanted, environ=environ)
    return f"{kept} {text('record.started', id=recording.id)}"


def _postpone_stop(session: Session, change: KeepChange, environ: Mapping[str, str]) -> str:
    """Keep the instance for a time, and stop it afterwards, or because nothing works.

    Raises:
        RefusedError: The instance cannot be kept that long.
        ModelArtsError: The instance cannot be read, or the daemon cannot be started.
    """
    folder = folder_of_session(session)
    state = read_running_state(folder)
    if state is not None and state.stop is not None and state.stop.idle_time is not None:
        until = postpone_idle_stop(folder, session.now(), by=change.by)
        return text("idle_stop.postponed", until=until)
    names = {guard.name for guard in list_guards(folder)}
    name = next(each for each in map(_POSTPONED.format, itertools.count(1)) if each not in names)
    wanted = KeepRequest(NAMED, name, change.by, STOP)
    return str(client.add_guard(session, wanted, environ=environ))


def _keep_while_busy(session: Session, _change: KeepChange, environ: Mapping[str, str]) -> str:
    """Keep the instance while anything works.

    Raises:
        RefusedError: The instance cannot be kept.
        ModelArtsError: The instance cannot be read, or the daemon cannot be started.
    """
    kept = client.add_guard(session, KeepRequest(WHILE_BUSY, WHILE_BUSY), environ=environ)
    return str(kept)


def _stop_when_idle(session: Session, change: KeepChange, environ: Mapping[str, str]) -> str:
    """Stop the instance when nothing works, or no longer.

    Raises:
        DurationError: The time without work is too short.
        ModelArtsError: The instance cannot be read, or the daemon cannot be started.
    """
    return str(set_idle_stop(session, change.by or None, environ))


_SWITCHES = {
    KEEP_CELL: _keep_cell,
    POSTPONE: _postpone_stop,
    KEEP_WHILE_BUSY: _keep_while_busy,
    STOP_WHEN_IDLE: _stop_when_idle,
}
"""The changes that need the session, by their action."""


def activity_payload(session: Session, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return what works on the instance, as lines in the language of the page; starts the daemon if needed.

    Args:
        session: The session with the instance.
        environ: The environment variables for a new daemon.

    Raises:
        ModelArtsError: The daemon cannot be started, or does not report.
    """
    report = ask_activity(session, environ=environ)
    lines = report_lines(report, session.now()) + idle_stop_lines(folder_of_session(session))
    return {"busy": report.busy, "lines": lines}


def _when_idle_payload(folder: Path) -> dict[str, Any] | None:
    setting = load_idle_stop(folder)
    if setting is None:
        return None
    until = setting.postponed_until
    return {
        "idle_s": round(setting.idle_time.total_seconds()),
        "postponed_until_ms": datetime_to_ms(until) if until else None,
    }


def _find(folder: Path, guard_id: str) -> Guard:
    found = [guard for guard in list_guards(folder) if guard.id == guard_id]
    if not found:
        raise RefusedError("keep.ended_meanwhile")
    return found[0]


def _result_payloads(session: Session) -> list[dict[str, Any]]:
    """Return what came of the last signals, commands and functions before the stop."""
    return [
        {"text": text("history.mark", at=at, result=message), "ok": has_run}
        for at, message, has_run in recent_results(session.history, session.now())
    ]


def _guard_payload(guard: Guard) -> dict[str, Any]:
    return {
        "id": guard.id,
        "name": guard.name,
        "reason": guard.reason,
        "since_ms": datetime_to_ms(guard.since),
        "until_ms": datetime_to_ms(guard.until),
        "then": guard.then,
        "kind": guard.kind,
    }


def _stop_payload(state: DaemonState) -> dict[str, Any] | None:
    stop = state.stop
    if stop is None:
        return None
    return {
        "name": stop.name,
        "stops_at_ms": datetime_to_ms(stop.stops_at) if stop.stops_at else None,
        "waiting_for": list(stop.waiting_for),
        "id": _stop_id(stop),
        "is_saving": stop.is_saving,
        "idle_s": round(stop.idle_time.total_seconds()) if stop.idle_time else None,
    }


def _stop_id(stop: PlannedStop) -> str:
    return str(datetime_to_ms(stop.since)) if stop.since else ""


def _problem(state: DaemonState | None) -> str:
    """Return why the instance may not be kept; "" if there is no such problem, or it is not urgent."""
    if state is None:
        return text("keep.list.no_daemon")
    return str(state.problem) if state.problem is not None and state.problem_urgent else ""
