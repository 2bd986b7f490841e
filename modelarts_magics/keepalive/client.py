"""Keep the instance running from the process that works: check, guard, and tell what is guaranteed."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics.config.credential_chain import LOGIN
from modelarts_magics.config.time_scale import load_time_scale
from modelarts_magics.domain.durations import parse_duration
from modelarts_magics.errors import ModelArtsError, RefusedError, UsageError
from modelarts_magics.keepalive import guards as guard_files
from modelarts_magics.keepalive import launch
from modelarts_magics.keepalive.folder import daemon_folder
from modelarts_magics.keepalive.guards import API, LEAVE, STOP, Guard
from modelarts_magics.keepalive.notifications.results import JobResult, save_result
from modelarts_magics.keepalive.processes import signals_blocked
from modelarts_magics.keepalive.state import GuardState, read_state
from modelarts_magics.keepalive.switched_mode import DETAIL as SWITCH_MODE
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from modelarts_magics.keepalive.state import DaemonState
    from modelarts_magics.session.session import Session

ANSWER_TIMEOUT_S = 60.0
"""How long to wait for the daemon's answer, which includes a renewal and its read-back."""
_POLL_S = 0.02
_REPORT_INTERVAL_S = 2.0
MINUTE = timedelta(minutes=1)

Report = Callable[[Message], None]
_block_numbers = itertools.count(1)


@dataclass(frozen=True)
class KeepRequest:
    """The wanted guard.

    Attributes:
        kind: One of the kinds of `guards`.
        name: The name to show and to end it by.
        up_to: How long to keep the instance at most; None for the setting ``keep_up_to``.
        then: `LEAVE` or `STOP`.
        reason: Why, in the user's words.
        pid: The process that works; None for this one.
        details: Values for components of the daemon; see `Guard.details`.
    """

    kind: str
    name: str
    up_to: timedelta | None = None
    then: str = LEAVE
    reason: str = ""
    pid: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Kept:
    """A guard that the daemon has accepted.

    Attributes:
        guard: The guard, with the bound that is possible.
        messages: The guarantee and what belongs to it, to be shown before the work starts.
    """

    guard: Guard
    messages: tuple[Message, ...]

    def __str__(self) -> str:
        return " ".join(str(message) for message in self.messages)


@contextlib.contextmanager
def keep_alive(
    session: Session,
    request: KeepRequest,
    *,
    environ: Mapping[str, str] | None = None,
    report: Report | None = None,
) -> Iterator[Kept]:
    """Keep the instance running during a block of this process.

    Args:
        session: The session with the instance.
        request: The guard; its kind is one of `guards.LOCKED_KINDS`.
        environ: The environment variables for the daemon; None for those of the process.
        report: Called in another thread with what endangers or ends the guard during the block.

    Raises:
        RefusedError: The guarantee cannot be given; the block does not run.
        ModelArtsError: The daemon cannot be started.
    """
    environ = os.environ if environ is None else environ
    folder, guard = prepare_guard(session, request)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(guard_files.hold_guard(folder, guard))
        except OSError as error:
            raise _cannot_write(folder, error) from None
        kept = _await_answer(session, folder, guard, environ)
        stack.enter_context(_watch(session, folder, kept.guard, environ, report))
        yield kept


def save_work_result(  # noqa: PLR0913 - the fields of the result
    session: Session,
    kept: Kept,
    *,
    failed: bool,
    exit_status: int | None = None,
    last_line: str = "",
    record: str = "",
) -> None:
    """Write how the work of a guard has ended, for notifications; called before the guard ends.

    Args:
        session: The session with the instance.
        kept: The guard.
        failed: Whether it failed.
        exit_status: The exit status of a command.
        last_line: The last line of the output, or the error.
        record: The path of the record of its output.
    """
    guard = kept.guard
    save_result(
        daemon_folder(_settings(session)),
        JobResult(
            guard.id,
            guard.name,
            guard.since,
            session.now(),
            failed=failed,
            exit_status=exit_status,
            last_line=last_line,
            record=record,
        ),
    )


@contextlib.contextmanager
def keep_block(  # noqa: PLR0913 - the arguments of `Session.keep_alive`
    session: Session,
    *,
    up_to: timedelta | str | None,
    then: str,
    reason: str,
    switch_mode: bool,
    anyway: bool,
) -> Iterator[Kept | Message]:
    """Do what `Session.keep_alive` describes; notices go to the session's ``on_notice``."""
    check_then(then)
    limit = parse_duration(up_to) if isinstance(up_to, str) else up_to
    name = f"block-{os.getpid()}-{next(_block_numbers)}"
    details = {SWITCH_MODE: True} if switch_mode else {}
    request = KeepRequest(API, name, limit, then, reason, details=details)
    with contextlib.ExitStack() as stack:
        try:
            kept: Kept | Message = stack.enter_context(
                keep_alive(session, request, report=session.on_notice)
            )
        except ModelArtsError as error:
            if not anyway:
                raise
            kept = Message("keep.unguarded", {"cause": error.message})
        if isinstance(kept, Message):
            session.on_notice(kept)
            yield kept
            return
        for message in kept.messages:
            session.on_notice(message)
        try:
            yield kept
        except BaseException as error:
            last_line = f"{type(error).__name__}: {error}"
            save_work_result(session, kept, failed=True, last_line=last_line)
            raise
        save_work_result(session, kept, failed=False)


def check_then(word: str) -> str:
    """Return what is to be done after the work.

    Raises:
        UsageError: It is another word than `LEAVE` or `STOP`.
    """
    if word not in (LEAVE, STOP):
        raise UsageError("usage.then", word=word)
    return word


def add_guard(
    session: Session, request: KeepRequest, *, environ: Mapping[str, str] | None = None
) -> Kept:
    """Keep the instance running for a process, or until the guard is ended by its name.

    Raises:
        RefusedError: The guarantee cannot be given, and there is no guard.
        ModelArtsError: The daemon cannot be started.
    """
    folder, guard = prepare_guard(session, request)
    if any(each.name == guard.name for each in guard_files.list_guards(folder)):
        raise RefusedError("keep.name_taken", name=guard.name)
    try:
        guard_files.save_guard(folder, guard)
    except OSError as error:
        raise _cannot_write(folder, error) from None
    return _await_answer(session, folder, guard, os.environ if environ is None else environ)


def extend_guard(
    session: Session,
    guard: Guard,
    until: datetime,
    *,
    environ: Mapping[str, str] | None = None,
) -> Kept:
    """Change the bound of a guard, and wait for the daemon's answer.

    Raises:
        RefusedError: The bound is not possible; the old one stands.
        ModelArtsError: The daemon cannot be started; the old bound stands.
    """
    folder = daemon_folder(_settings(session))
    state = read_state(folder)
    last_event = state.events[-1].number if state and state.events else 0
    changed = replace(guard, until=until, details={**guard.details, "explicit": True})
    try:
        guard_files.save_guard(folder, changed)
    except OSError as error:
        raise _cannot_write(folder, error) from None

    def answered(current: DaemonState) -> bool:
        own = current.guards.get(guard.id)
        return (
            own is not None
            and own.accepted is not None
            and (
                abs(own.until - until) < MINUTE
                or _refusal_after(current, guard, last_event) is not None
            )
        )

    try:
        state = _wait_for(session, folder, os.environ if environ is None else environ, answered)
        _raise_refusal(_refusal_after(state, guard, last_event))
    except BaseException:
        # The work may have ended meanwhile.
        if guard_files.exists(folder, guard):
            guard_files.save_guard(folder, guard)
        raise
    return _kept(session, changed, state.guards[guard.id])


def prepare_guard(session: Session, request: KeepRequest) -> tuple[Path, Guard]:
    """Return the folder of the daemon and the guard for a request; reads the instance.

    Raises:
        ModelArtsError: The instance cannot be read, or the setting ``keep_up_to`` is invalid.
    """
    settings = _settings(session)
    # The reading also tells the clock of the API, by which the bound is computed.
    session.refresh()
    up_to = request.up_to or parse_duration(settings.get("keep_up_to"))
    now = session.now()
    details = {**request.details, "explicit": request.up_to is not None}
    guard = Guard(
        name=request.name,
        kind=request.kind,
        pid=os.getpid() if request.pid is None else request.pid,
        since=now,
        until=now + up_to,
        then=request.then,
        reason=request.reason,
        details=details,
    )
    return daemon_folder(settings), guard


def _settings(session: Session) -> Any:  # noqa: ANN401 - the settings of an open session
    if session.settings is None:
        raise AssertionError
    return session.settings


def _await_answer(session: Session, folder: Path, guard: Guard, environ: Mapping[str, str]) -> Kept:
    """Start the daemon if needed and wait until it has accepted the guard; end the guard if it does not."""
    try:
        launch.ensure_daemon(folder, session, environ)

        def answered(state: DaemonState) -> bool:
            own = state.guards.get(guard.id)
            # The bound of a short guard may pass before the answer.
            return session.now() >= guard.until or (own is not None and own.accepted is not None)

        state = _wait_for(session, folder, environ, answered)
        own = state.guards.get(guard.id) or GuardState(accepted=True, until=guard.until)
        _raise_refusal(own.refusal)
    except BaseException:
        guard_files.remove_guard(folder, guard)
        raise
    return _kept(session, guard, own)


def _raise_refusal(refusal: Message | None) -> None:
    if refusal is not None:
        raise RefusedError(refusal.code, **refusal.values)


def _wait_for(
    session: Session,
    folder: Path,
    environ: Mapping[str, str],
    condition: Callable[[DaemonState], bool],
) -> DaemonState:
    end = time.monotonic() + ANSWER_TIMEOUT_S
    next_check = time.monotonic() + 1
    while time.monotonic() < end:
        state = read_state(folder)
        if state is not None and condition(state):
            return state
        if time.monotonic() > next_check:
            # The daemon may have ended at the moment at which it was found to run.
            launch.ensure_daemon(folder, session, environ)
            next_check = time.monotonic() + 1
        time.sleep(_POLL_S)
    raise RefusedError("keep.refused.timeout", timeout=timedelta(seconds=ANSWER_TIMEOUT_S))


def _kept(session: Session, guard: Guard, answer: GuardState) -> Kept:
    accepted = replace(guard, until=answer.until)
    # To the minute: the check may have moved the bound by seconds.
    duration = MINUTE * max(1, round((accepted.until - guard.since) / MINUTE))
    values = {
        "until": accepted.until,
        "duration": duration,
        "name": accepted.name,
        "pid": accepted.pid,
    }
    found = [Message(f"keep.kept.{accepted.kind}", values), *answer.notes]
    if accepted.then == STOP:
        found.append(Message("keep.note.stop"))
    if launch.credential_source(session) == LOGIN:
        found.append(Message("keep.note.login"))
    return Kept(accepted, tuple(found))


def _refusal_after(state: DaemonState, guard: Guard, number: int) -> Message | None:
    return next(
        (
            event.message
            for event in state.events
            if event.number > number
            and guard.id in event.guards
            and event.message.code.startswith("keep.refused.")
        ),
        None,
    )


def _cannot_write(folder: Path, error: OSError) -> RefusedError:
    return RefusedError("keep.cannot_write", path=str(folder), cause=error.strerror or str(error))


@contextlib.contextmanager
def _watch(
    session: Session,
    folder: Path,
    guard: Guard,
    environ: Mapping[str, str],
    report: Report | None,
) -> Iterator[None]:
    """Restart the daemon if it was killed, and report what endangers the guard, in another thread."""
    scale = load_time_scale(environ, endpoint=_settings(session).endpoint)
    ended = threading.Event()
    state = read_state(folder)
    watcher = GuardWatcher(folder, guard, report or _ignore)
    watcher.skip_events(state)

    def watch() -> None:
        next_check = time.monotonic()
        while not ended.wait(_REPORT_INTERVAL_S / scale):
            watcher.look()
            if time.monotonic() >= next_check:
                next_check = time.monotonic() + launch.CHECK_INTERVAL_S / scale
                with contextlib.suppress(ModelArtsError):
                    launch.restart_if_needed(folder, session, environ)

    thread = threading.Thread(target=watch, name="modelarts-keep-watch", daemon=True)
    with signals_blocked():
        thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(1)
        # The last event may be that of a signal which has ended the work.
        watcher.look()


class GuardWatcher:
    """Report the events and urgent problems of one guard, each once.

    Args:
        folder: The folder of the daemon.
        guard: The guard.
        report: Called with each message.
    """

    def __init__(self, folder: Path, guard: Guard, report: Report) -> None:
        self._folder = folder
        self._guard = guard
        self._report = report
        self._seen: set[tuple[int, int]] = set()
        self._reported_problem: str | None = None

    def skip_events(self, state: DaemonState | None) -> None:
        """Do not report the events that a state has."""
        if state is not None:
            self._seen.update((state.pid, event.number) for event in state.events)

    def look(self) -> None:
        """Read the state file and report what is new."""
        state = read_state(self._folder)
        if state is None:
            return
        for event in state.events:
            key = (state.pid, event.number)
            if key not in self._seen and self._guard.id in event.guards:
                self._report(event.message)
            self._seen.add(key)
        problem = state.problem if state.problem_urgent else None
        text = str(problem.values.get("cause")) if problem else None
        if problem is not None and text != self._reported_problem:
            self._report(problem)
        self._reported_problem = text


def _ignore(_message: Message) -> None:
    """Report nothing."""
