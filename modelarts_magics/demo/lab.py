"""JupyterLab as a child process: start it, wait until it is ready, supervise and stop it."""

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
from modelarts_magics.demo.workspace import quickstart_name
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelarts_magics.demo.workspace import DemoWorkspace
    from modelarts_magics.emulator.local import LocalEmulator

HOST = "127.0.0.1"
START_TIMEOUT_S, STOP_TIMEOUT_S = 90.0, 10.0
POLL_INTERVAL_S, START_POLL_INTERVAL_S = 0.5, 0.1
# How often the server extension polls the API, in seconds of the emulated clock.
SERVER_POLL_INTERVAL_S = 300.0


def run_jupyterlab(
    workspace: DemoWorkspace, emulator: LocalEmulator, *, port: int, minutes_left: float
) -> int:
    """Run JupyterLab until it exits or the demo is interrupted.

    Args:
        workspace: The folders and environment of the demo.
        emulator: The emulator that JupyterLab and its kernels use.
        port: The port of JupyterLab; 0 for any free port.
        minutes_left: Minutes until the instance stops, from when JupyterLab is ready.

    Returns:
        0, or 1 if JupyterLab did not start.
    """
    port = port or _free_port()
    token = secrets.token_hex(16)
    with _jupyterlab_process(workspace, port=port, token=token) as jupyter:
        if not _wait_until_ready(jupyter, port=port):
            reason = workspace.log_path.read_text(encoding="utf-8", errors="replace")
            print_error(text("demo.failed", reason=reason))
            return 1
        emulator.set_instance(emulator.instance_id, minutes_left=minutes_left)
        url = f"http://{HOST}:{port}/lab/tree/{quickstart_name()}?token={token}"
        print_lines(text("demo.ready", url=url, minutes=minutes_left))
        _supervise(jupyter, emulator)
    return 0


@contextlib.contextmanager
def _jupyterlab_process(
    workspace: DemoWorkspace, *, port: int, token: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run JupyterLab in a session of its own, so that Ctrl-C reaches only the demo."""
    with workspace.log_path.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - fixed arguments
            _jupyterlab_command(workspace, port=port),
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


def _jupyterlab_command(workspace: DemoWorkspace, *, port: int) -> list[str]:
    options = [
        "--no-browser",
        f"--ServerApp.ip={HOST}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={workspace.work_folder}",
        # The default extension manager sends requests to the package index.
        "--LabApp.extension_manager=readonly",
        f"--ModelArtsServer.poll_interval={SERVER_POLL_INTERVAL_S}",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # Safe, as the server listens on the loopback address only.
        options.append("--allow-root")
    return [sys.executable, "-m", "jupyterlab", *options]


def _terminate(process: subprocess.Popen[bytes]) -> None:
    """Let JupyterLab shut down itself and its kernels; further signals are ignored meanwhile."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(jupyter: subprocess.Popen[bytes], *, port: int) -> bool:
    """Wait until JupyterLab responds; return False if it exited or timed out."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_TIMEOUT_S
    while jupyter.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), direct.open(f"http://{HOST}:{port}/api", timeout=5):
            return True
        time.sleep(START_POLL_INTERVAL_S)
    return False


def _supervise(jupyter: subprocess.Popen[bytes], emulator: LocalEmulator) -> None:
    """Report when the instance stops and start it again on Enter, until JupyterLab exits."""
    start_requested = threading.Event()
    threading.Thread(target=_watch_enter_key, args=(start_requested,), daemon=True).start()
    previous = "RUNNING"
    while jupyter.poll() is None:
        status = _instance_status(emulator)
        if status == "STOPPED" != previous:
            print_lines(text("demo.stopped"))
        previous = status
        if start_requested.wait(POLL_INTERVAL_S):
            start_requested.clear()
            _start_if_stopped(emulator)


def _start_if_stopped(emulator: LocalEmulator) -> None:
    if _instance_status(emulator) == "STOPPED":
        emulator.set_instance(emulator.instance_id, status="RUNNING")
        print_lines(text("demo.started"))


def _instance_status(emulator: LocalEmulator) -> str:
    instances = emulator.state()["instances"]
    return next(str(one["status"]) for one in instances if one["id"] == emulator.instance_id)


def _watch_enter_key(start_requested: threading.Event) -> None:
    """Set the event at each Enter. In the background, where reading would suspend the process, do nothing."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        number = sys.stdin.fileno()
        if os.isatty(number) and hasattr(os, "tcgetpgrp") and os.tcgetpgrp(number) != os.getpgrp():
            return
        # A thread inside `sys.stdin.read` would make Python abort at exit.
        while os.read(number, 4096):
            start_requested.set()
