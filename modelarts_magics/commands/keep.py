"""``keep``: list what keeps the instance running, change and end it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modelarts_magics.commands.as_json import iso_time
from modelarts_magics.commands.results import JsonResult, TextResult
from modelarts_magics.commands.when_idle import idle_stop_lines
from modelarts_magics.domain.clock import wait_until
from modelarts_magics.domain.durations import parse_duration
from modelarts_magics.errors import InputError, RefusedError, UsageError
from modelarts_magics.keepalive import client, requests
from modelarts_magics.keepalive import guards as guard_files
from modelarts_magics.keepalive.client import KeepRequest
from modelarts_magics.keepalive.folder import folder_of_session
from modelarts_magics.keepalive.guards import LEAVE, NAMED, PID, STOP, WHILE_BUSY, Guard
from modelarts_magics.keepalive.idle_stop import load_idle_stop
from modelarts_magics.keepalive.launch import needs_notifier
from modelarts_magics.keepalive.marks.mark import needs_daemon
from modelarts_magics.keepalive.processes import process_started
from modelarts_magics.keepalive.state import is_daemon_running, read_running_state
from modelarts_magics.keepalive.switched_mode import DETAIL as SWITCH_MODE
from modelarts_magics.keepalive.switched_mode import is_mode_switched
from modelarts_magics.messages import join_list, text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from pathlib import Path

    from modelarts_magics.commands.context import CommandContext
    from modelarts_magics.commands.parser import CommandRequest
    from modelarts_magics.keepalive.state import DaemonState
    from modelarts_magics.session.session import Session

_END_TIMEOUT_S = 5.0


def keep(request: CommandRequest, context: CommandContext) -> object:
    """List, add, change or end what keeps the instance running.

    Raises:
        InputError: An option or a name is invalid.
        RefusedError: The instance cannot be kept running.
        ModelArtsError: The instance cannot be determined, or the daemon cannot be started.
    """
    words = request.arguments
    up_to, then = requested_limit(request), requested_then(request)
    if words[:1] == ("end",):
        return _end(request, context)
    if words[:1] == ("start",):
        return _start(request, context, KeepRequest(NAMED, _one_name(request), up_to, then))
    if request.has_option("--pid"):
        return _start(request, context, _process_request(request, up_to, then))
    if request.has_option("--while-busy"):
        return _start(request, context, _while_busy_request(request, up_to, then))
    if up_to is not None:
        return _change(request, context, up_to)
    if words:
        raise request.unexpected_argument(words[0])
    return _list(request, context.get_session())


def requested_limit(request: CommandRequest) -> timedelta | None:
    """Return the duration of ``--up-to``; None if it was not given.

    Raises:
        DurationError: The duration is invalid.
    """
    given = request.options.get("--up-to")
    return None if given is None else parse_duration(given)


def requested_then(request: CommandRequest) -> str:
    """Return the value of ``--then``.

    Raises:
        UsageError: It is another word than `LEAVE` or `STOP`.
    """
    return client.check_then(request.options.get("--then", LEAVE))


def keep_json(folder: Path) -> JsonResult:
    """Return what keeps the instance running as JSON."""
    running = read_running_state(folder)
    return JsonResult(
        daemon={"pid": running.pid, "since": iso_time(running.since)} if running else None,
        guards=[
            {**guard.to_json(), "since": iso_time(guard.since), "until": iso_time(guard.until)}
            for guard in guard_files.list_guards(folder)
        ],
        covered_until=iso_time(running.covered_until if running else None),
    )


def _list(request: CommandRequest, session: Session) -> object:
    folder = folder_of_session(session)
    if request.has_option("--json"):
        return keep_json(folder)
    guards, state = guard_files.list_guards(folder), read_running_state(folder)
    lines = [_guard_line(guard) for guard in guards] or [text("keep.none")]
    lines += _state_lines(state, guards) + idle_stop_lines(folder)
    return TextResult("\n".join(lines))


def _guard_line(guard: Guard) -> str:
    line = text("keep.list.entry", name=guard.name, since=guard.since, until=guard.until)
    if guard.reason:
        line = text("keep.list.reason", entry=line, reason=guard.reason)
    return text("keep.list.then_stop", entry=line) if guard.then == STOP else line


def _state_lines(state: DaemonState | None, guards: Sequence[Guard]) -> list[str]:
    if state is None:
        return [text("keep.list.no_daemon")] if guards else []
    lines = []
    if state.covered_until is not None:
        lines.append(text("keep.list.covered", covered=state.covered_until))
    lines += _stop_lines(state)
    if state.failed_stop is not None:
        lines.append(str(state.failed_stop))
    if state.problem is not None:
        lines.append(str(state.problem))
    lines += [
        text("keep.list.component", part=name, cause=cause)
        for name, cause in state.components.items()
    ]
    return lines


def _stop_lines(state: DaemonState) -> list[str]:
    stop = state.stop
    # A stop because nothing works has lines of its own.
    if stop is None or stop.idle_time is not None:
        return []
    if stop.stops_at is None:
        names = join_list(stop.waiting_for)
        return [text("keep.list.stop_waits", name=stop.name, names=names)]
    return [text("keep.list.stop_at", name=stop.name, stop_time=stop.stops_at)]


def _start(request: CommandRequest, context: CommandContext, wanted: KeepRequest) -> object:
    session = context.get_session()
    if request.has_option("--switch-mode"):
        wanted = replace(wanted, details={**wanted.details, SWITCH_MODE: True})
    kept = client.add_guard(session, wanted)
    return _answer(request, folder_of_session(session), kept)


def _process_request(request: CommandRequest, up_to: timedelta | None, then: str) -> KeepRequest:
    word = request.options["--pid"]
    if not word.isdecimal():
        raise UsageError("usage.pid", word=word)
    pid = int(word)
    started = process_started(pid)
    if started is None:
        raise InputError("keep.no_process", pid=pid)
    name = request.arguments[0] if request.arguments else f"pid-{pid}"
    return KeepRequest(PID, name, up_to, then, pid=pid, details={"process_started": started})


def _while_busy_request(request: CommandRequest, up_to: timedelta | None, then: str) -> KeepRequest:
    request.reject_arguments()
    if then == STOP:
        usage = request.command.synopsis
        raise UsageError("usage.conflict", one="--while-busy", other="--then stop", usage=usage)
    return KeepRequest(WHILE_BUSY, WHILE_BUSY, up_to)


def _change(request: CommandRequest, context: CommandContext, up_to: timedelta) -> object:
    session = context.get_session()
    folder = folder_of_session(session)
    guard = _select(request.arguments, folder)
    session.refresh()
    kept = client.extend_guard(session, guard, session.now() + up_to)
    return _answer(request, folder, kept)


def _end(request: CommandRequest, context: CommandContext) -> object:
    folder = folder_of_session(context.get_session())
    names = request.arguments[1:]
    if request.has_option("--all"):
        if names:
            raise request.unexpected_argument(names[0])
        end_all(folder, is_daemon_needed=needs_notifier(context.get_session()))
        result = text("keep.ended_all")
    else:
        guard = _select(names, folder)
        guard_files.remove_guard(folder, guard)
        result = text("keep.ended", name=guard.name)
    return _answer(request, folder, result)


def _answer(request: CommandRequest, folder: Path, result: object) -> object:
    return keep_json(folder) if request.has_option("--json") else TextResult(result)


def end_all(folder: Path, *, is_daemon_needed: bool = False) -> None:
    """End all guards and a pending stop, and the daemon with its files unless something else needs it.

    Args:
        folder: The folder of the daemon.
        is_daemon_needed: Whether notifications are configured, which need the daemon.
    """
    for guard in guard_files.read_guards(folder):
        guard_files.remove_guard(folder, guard)
    if not folder.exists():
        return
    requests.save_pending_stop(folder, None)
    if is_daemon_needed or load_idle_stop(folder) is not None or needs_daemon(folder):
        return
    if is_daemon_running(folder):
        requests.send_request(folder, requests.END)
        wait_until(lambda: not is_daemon_running(folder), timeout_s=_END_TIMEOUT_S)
    is_over = not is_daemon_running(folder) and not guard_files.read_guards(folder)
    # The next process of ours restores the mode, if the daemon could not.
    if is_over and not is_mode_switched(folder):
        requests.delete_all(folder)


def _select(names: Sequence[str], folder: Path) -> Guard:
    """Return the guard of a name, or the only one.

    Raises:
        InputError: There is no such guard, or there are several.
    """
    guards = guard_files.list_guards(folder)
    if len(names) > 1:
        raise InputError("keep.unknown_name", name=" ".join(names))
    if names:
        found = [guard for guard in guards if names[0] in (guard.name, guard.id)]
        if not found:
            raise InputError("keep.unknown_name", name=names[0])
        return found[0]
    if not guards:
        raise RefusedError("keep.none")
    if len(guards) > 1:
        raise InputError("keep.name_needed", names=join_list(guard.name for guard in guards))
    return guards[0]


def _one_name(request: CommandRequest) -> str:
    words = request.arguments[1:]
    if not words:
        raise UsageError(
            "usage.missing", command="start", what="NAME", usage=request.command.synopsis
        )
    if len(words) > 1:
        raise request.unexpected_argument(words[1])
    return words[0]
