"""JupyterLab as a child: started, waited for, watched, ended."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from typing import TYPE_CHECKING

from modelarts_magics.demo.console import print_error, print_lines
from modelarts_magics.demo.workspace import QUICKSTART
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelarts_magics.demo.workspace import DemoWorkspace
    from modelarts_magics.emulator.local import LocalEmulator

HOST = "127.0.0.1"
START_TIMEOUT_S, STOP_TIMEOUT_S = 90.0, 10.0
POLL_INTERVAL_S, START_POLL_INTERVAL_S = 0.5, 0.1
SERVER_POLL_INTERVAL_S = 300.0
"""How often the server half looks at the cloud, by the emulator's clock."""


def run_jupyterlab(
    workspace: DemoWorkspace, emulator: LocalEmulator, *, port: int, minutes_left: float
) -> int:
    """Run JupyterLab until it ends, or until an interrupt ends it.

    Args:
        workspace: Where it works.
        emulator: What its kernels talk to.
        port: Where it serves; 0 for any free port.
        minutes_left: What the instance shall have left at the beginning.

    Returns:
        1 if it did not start.
    """
    port = port or _free_port()
    token = secrets.token_hex(16)
    scale = emulator.account.options.time_scale
    with _jupyterlab_process(workspace, port=port, token=token, time_scale=scale) as jupyter:
        if not _wait_until_ready(jupyter, port=port):
            reason = workspace.log_path.read_text(encoding="utf-8", errors="replace")
            print_error(text("demo.failed", reason=reason))
            return 1
        emulator.set_instance(emulator.instance_id, minutes_left=minutes_left)
        url = f"http://{HOST}:{port}/lab/tree/{QUICKSTART}?token={token}"
        print_lines(text("demo.ready", url=url, minutes=minutes_left))
        _supervise(jupyter, emulator)
    return 0


@contextlib.contextmanager
def _jupyterlab_process(
    workspace: DemoWorkspace, *, port: int, token: str, time_scale: float
) -> Iterator[subprocess.Popen[bytes]]:
    """JupyterLab in a session of its own, so that it hears of Ctrl-C from us only."""
    with workspace.log_path.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and words
            _jupyterlab_command(workspace, port=port, time_scale=time_scale),
            env={**workspace.environment, "JUPYTER_TOKEN": token},
            cwd=workspace.work_folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            _terminate(process)


def _jupyterlab_command(workspace: DemoWorkspace, *, port: int, time_scale: float) -> list[str]:
    options = [
        "--no-browser",
        f"--ServerApp.ip={HOST}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={workspace.work_folder}",
        "--LabApp.extension_manager=readonly",  # the other one asks a package index
        f"--ModelArtsServer.period={max(1.0, SERVER_POLL_INTERVAL_S / time_scale)}",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--allow-root")  # it serves on the loopback only
    return [sys.executable, "-m", "jupyterlab", *options]


def _terminate(process: subprocess.Popen[bytes]) -> None:
    """Let JupyterLab end its kernels and itself; further signals do not disturb it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


def _wait_until_ready(jupyter: subprocess.Popen[bytes], *, port: int) -> bool:
    """Wait until JupyterLab answers; False if it ended or took too long."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + START_TIMEOUT_S
    while jupyter.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError), direct.open(f"http://{HOST}:{port}/api", timeout=5):
            return True
        time.sleep(START_POLL_INTERVAL_S)
    return False


def _supervise(jupyter: subprocess.Popen[bytes], emulator: LocalEmulator) -> None:
    """Tell of the emulated stop and start the instance again on Enter, until JupyterLab ends."""
    wished = threading.Event()
    threading.Thread(target=_watch_enter_key, args=(wished,), daemon=True).start()
    before = "RUNNING"
    while jupyter.poll() is None:
        status = _instance_status(emulator)
        if status == "STOPPED" != before:
            print_lines(text("demo.stopped"))
        before = status
        if wished.wait(POLL_INTERVAL_S):
            wished.clear()
            _start_if_stopped(emulator)


def _start_if_stopped(emulator: LocalEmulator) -> None:
    if _instance_status(emulator) == "STOPPED":
        emulator.set_instance(emulator.instance_id, status="RUNNING")
        print_lines(text("demo.started"))


def _instance_status(emulator: LocalEmulator) -> str:
    instances = emulator.state()["instances"]
    return next(str(one["status"]) for one in instances if one["id"] == emulator.instance_id)


def _watch_enter_key(start_requested: threading.Event) -> None:
    """Set the event at each Enter; not in the background, where reading would halt the process."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        number = sys.stdin.fileno()
        if os.isatty(number) and hasattr(os, "tcgetpgrp") and os.tcgetpgrp(number) != os.getpgrp():
            return
        # Not `sys.stdin.read`: a thread inside it makes Python abort at the end.
        while os.read(number, 4096):
            start_requested.set()
