"""The work that the instance is kept running for, as a page shows it, and the changes that a page makes to it."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING, Any

from modelarts_magics.commands.keep import end_all
from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.errors import RefusedError
from modelarts_magics.keepalive import client, pages, requests
from modelarts_magics.keepalive.client import KeepRequest
from modelarts_magics.keepalive.folder import folder_of_session
from modelarts_magics.keepalive.guards import NAMED, STOP, list_guards, remove_guard
from modelarts_magics.keepalive.state import read_running_state
from modelarts_magics.messages import text
from modelarts_magics.server.request_models import CANCEL_STOP, END, POSTPONE, REPORT_PAGE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelarts_magics.keepalive.guards import Guard
    from modelarts_magics.keepalive.state import DaemonState, PlannedStop
    from modelarts_magics.server.request_models import KeepChange
    from modelarts_magics.session.session import Session

_POSTPONED = "page-{}"
"""The name of a guard that a page has added."""


def keep_payload(session: Session) -> dict[str, Any] | None:
    """Return what keeps the instance running and whether it is stopped afterwards; None if nothing does.

    Args:
        session: The session with the instance; reads files only.
    """
    folder = folder_of_session(session)
    if not folder.exists():
        return None
    guards, running = list_guards(folder), read_running_state(folder)
    stop = _stop_payload(running) if running else None
    if not guards and stop is None:
        return None
    covered_until = running.covered_until if running else None
    return {
        "guards": [_guard_payload(guard) for guard in guards],
        "covered_until_ms": datetime_to_ms(covered_until) if covered_until else None,
        "stop": stop,
        "problem": _problem(running),
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
    if change.action == POSTPONE:
        return _postpone_stop(session, change, environ)
    if change.action == CANCEL_STOP:
        requests.save_pending_stop(folder, None)
        return text("keep.stop_cancelled")
    if not change.guard_id:
        end_all(folder)
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


def _postpone_stop(session: Session, change: KeepChange, environ: Mapping[str, str]) -> str:
    """Keep the instance for a time, and stop it afterwards.

    Raises:
        RefusedError: The instance cannot be kept that long.
        ModelArtsError: The instance cannot be read, or the daemon cannot be started.
    """
    names = {guard.name for guard in list_guards(folder_of_session(session))}
    name = next(each for each in map(_POSTPONED.format, itertools.count(1)) if each not in names)
    wanted = KeepRequest(NAMED, name, change.by, STOP)
    return str(client.add_guard(session, wanted, environ=environ))


def _find(folder: Path, guard_id: str) -> Guard:
    found = [guard for guard in list_guards(folder) if guard.id == guard_id]
    if not found:
        raise RefusedError("keep.ended_meanwhile")
    return found[0]


def _guard_payload(guard: Guard) -> dict[str, Any]:
    return {
        "id": guard.id,
        "name": guard.name,
        "reason": guard.reason,
        "since_ms": datetime_to_ms(guard.since),
        "until_ms": datetime_to_ms(guard.until),
        "then": guard.then,
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
    }


def _stop_id(stop: PlannedStop) -> str:
    return str(datetime_to_ms(stop.since)) if stop.since else ""


def _problem(state: DaemonState | None) -> str:
    """Return why the instance may not be kept; "" if there is no such problem, or it is not urgent."""
    if state is None:
        return text("keep.list.no_daemon")
    return str(state.problem) if state.problem is not None and state.problem_urgent else ""
