"""The process of the daemon: detach, win the election, run passes, and end."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics import messages
from modelarts_magics.config.credential_chain import LOGIN, CredentialChain
from modelarts_magics.config.credentials import FoundCredential
from modelarts_magics.config.settings import Settings
from modelarts_magics.config.time_scale import valid_time_scale
from modelarts_magics.domain.clock import SYSTEM_CLOCK, Clock, steady_clock, wait_until
from modelarts_magics.errors import ModelArtsError
from modelarts_magics.keepalive import requests
from modelarts_magics.keepalive.component_factories import FACTORIES
from modelarts_magics.keepalive.components import ComponentContext, ComponentRunner
from modelarts_magics.keepalive.daemon import PASS_INTERVAL_S, Daemon, Identity
from modelarts_magics.keepalive.daemon_host import DaemonHost
from modelarts_magics.keepalive.guards import read_guards
from modelarts_magics.keepalive.idle_stop import load_idle_stop
from modelarts_magics.keepalive.keeper import Keeper
from modelarts_magics.keepalive.launch import read_credential
from modelarts_magics.keepalive.record_lock import RecordLock
from modelarts_magics.keepalive.state import (
    LOCK_FILE,
    memory_from_json,
    package_version,
    read_state,
)
from modelarts_magics.session import notify
from modelarts_magics.session.history import history_path
from modelarts_magics.session.restore import restore_path
from modelarts_magics.session.run_store import RunStore
from modelarts_magics.session.store import run_file_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelarts_magics.keepalive.components import Factory
    from modelarts_magics.session.session import Session

REPLACE_OPTION = "--replace"
LOG_FILE = "daemon.log"
_REPLACE_TIMEOUT_S = 10.0
_SHORTEST_PASS_INTERVAL_S = 0.02


def main(arguments: list[str]) -> int:
    """Run the daemon of a folder in the background; return when it was started.

    Args:
        arguments: The folder, and `REPLACE_OPTION` to take over from a daemon that runs.
    """
    folder = Path(arguments[0])
    handover = _read_handover(sys.stdin.read() if not sys.stdin.isatty() else "")
    # The starter waits for this process only, and the daemon is no child of it.
    if os.fork():
        return 0
    _detach(folder)
    try:
        run_elected(folder, handover, os.environ, replace=REPLACE_OPTION in arguments)
    except Exception:
        logging.getLogger(__name__).exception("The daemon failed")
        raise
    return 0


def _detach(folder: Path) -> None:
    """Leave session, terminal, working directory and streams of the starter."""
    os.setsid()
    os.umask(0o077)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chdir(folder)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)
    # A thread of the starter may have blocked them.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        logging.basicConfig(
            filename=folder / LOG_FILE, filemode="w", level=logging.WARNING, force=True
        )


def run_elected(
    folder: Path,
    handover: Mapping[str, Any],
    environ: Mapping[str, str],
    *,
    replace: bool,
    factories: Mapping[str, Factory] = FACTORIES,
) -> None:
    """Run the daemon if no other one runs, until nothing needs it.

    Args:
        folder: The folder of the daemon.
        handover: What the starter has passed: ``settings``, ``source`` and ``interactive``.
        environ: The environment variables.
        replace: Whether to take over from a daemon that runs.
        factories: The components; replaced in tests.
    """
    lock = RecordLock(folder / LOCK_FILE)
    if not _win(lock, folder, replace=replace):
        return
    daemon, interval_s = make_daemon(folder, handover, environ, factories=factories)
    _configure_messages(folder, environ)
    terminated = threading.Event()

    def terminate(*_: object) -> None:
        terminated.set()
        daemon.wakeup.set()

    signal.signal(signal.SIGTERM, terminate)
    unsubscribe = notify.subscribe(folder, daemon.wakeup.set)
    try:
        while not terminated.is_set() and (
            daemon.run_pass() or _is_needed_again(daemon, lock, folder)
        ):
            daemon.wait_for_next_pass(interval_s)
    finally:
        unsubscribe()
        daemon.close()
        lock.release()


def _configure_messages(folder: Path, environ: Mapping[str, str]) -> None:
    """Word what is written to terminals like the commands of a terminal; an invalid setting is ignored."""
    messages.use_command_prefix(messages.terminal_command())
    with contextlib.suppress(ModelArtsError):
        settings = Settings.load(requests.load_handover(folder).get("settings"), environ=environ)
        messages.use_language(settings.get("language"))
        messages.use_timezone(settings.timezone)


def _is_needed_again(daemon: Daemon, lock: RecordLock, folder: Path) -> bool:
    """Release the lock; return whether a process that saw it locked has added a guard or an idle stop."""
    lock.release()
    is_needed = bool(read_guards(folder)) or load_idle_stop(folder) is not None
    return not daemon.is_replaced and is_needed and lock.acquire()


def _win(lock: RecordLock, folder: Path, *, replace: bool) -> bool:
    """Return whether this process is the daemon; ask a running one to make room if `replace` is set."""
    if lock.acquire():
        return True
    if not replace:
        return False
    requests.send_request(folder, requests.REPLACE)
    return wait_until(lock.acquire, timeout_s=_REPLACE_TIMEOUT_S)


def make_daemon(
    folder: Path,
    handover: Mapping[str, Any],
    environ: Mapping[str, str],
    *,
    factories: Mapping[str, Factory] = FACTORIES,
) -> tuple[Daemon, float]:
    """Return the daemon of a folder, and the seconds between two passes.

    Args:
        folder: The folder of the daemon.
        handover: As for `run_elected`.
        environ: The environment variables.
        factories: The components; replaced in tests.
    """
    handover = {**requests.load_handover(folder), **handover}
    settings = Settings.load(handover.get("settings"), environ=environ)
    scale = valid_time_scale(settings, environ)
    clock = steady_clock(scale=scale)
    source = str(handover.get("source") or "")
    host = DaemonHost(
        folder,
        history=history_path(settings, environ),
        pending_restores=restore_path(settings, environ),
        run_store=RunStore(run_file_path(settings, environ)),
    )
    state = read_state(folder)
    keeper = Keeper(
        open_session=_session_opener(settings, environ, handover, source, clock),
        host=host,
        now=clock.now,
        pending_stop=requests.load_pending_stop(folder),
        memory=memory_from_json(state.memory) if state else None,
    )
    context = _component_context(folder, environ, scale, keeper, host)
    daemon = Daemon(
        folder,
        keeper=keeper,
        host=host,
        components=ComponentRunner(context, factories),
        identity=Identity(os.getpid(), SYSTEM_CLOCK.now(), package_version()),
        monotonic=lambda: time.monotonic() * scale,
        start_thread=_start_thread,
    )
    return daemon, max(PASS_INTERVAL_S / scale, _SHORTEST_PASS_INTERVAL_S)


def _component_context(
    folder: Path, environ: Mapping[str, str], scale: float, keeper: Keeper, host: DaemonHost
) -> ComponentContext:
    return ComponentContext(
        folder,
        environ,
        scale,
        history=host.history,
        get_instance=lambda: keeper.latest,
        report=host.report_to,
    )


def _session_opener(
    settings: Settings,
    environ: Mapping[str, str],
    handover: Mapping[str, Any],
    source: str,
    clock: Clock,
) -> Callable[[], Session]:
    """Return a function that opens the session with the one source of credentials that was chosen at the start."""
    interactive = handover.get("interactive")
    found = FoundCredential(read_credential(interactive), LOGIN) if interactive else None
    chain = CredentialChain(environ, interactive=found, only=source or None)

    def open_it() -> Session:
        # Imports the HTTP client, which takes a while: this runs in a thread.
        from modelarts_magics.session.connect import open_session  # noqa: PLC0415 - see above

        # The host of the daemon records its changes with their reasons.
        return open_session(settings, environ=environ, chain=chain, clock=clock, actor="")

    return open_it


def _read_handover(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _start_thread(call: Callable[[], None]) -> None:
    threading.Thread(target=call, name="modelarts-keep-call", daemon=True).start()
