"""The daemon as a process: started for notifications alone, killed during a delivery, and started again."""

from __future__ import annotations

import json
import os
import signal
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from modelarts_magics.commands.context import CommandContext
from modelarts_magics.commands.dispatch import run_command
from modelarts_magics.commands.parser import parse_line
from modelarts_magics.config.settings import Settings
from modelarts_magics.domain.clock import wait_until
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.keepalive.folder import daemon_folder
from modelarts_magics.keepalive.notifications.sinks import (
    WEBHOOK,
    SinkList,
    notify_folder,
    save_sinks,
)
from modelarts_magics.keepalive.state import is_daemon_running, read_state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.process
TIMEOUT_S = 60
MAX_RESIDENT_KB = 60_000


class Receiver:
    """A webhook whose first request gets no answer until the end."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.released = threading.Event()

    @contextmanager
    def serve(self) -> Iterator[str]:
        """Run it, and yield its address."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Keep the document, and answer all requests but the first."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.received.append(json.loads(body))
                if len(outer.received) == 1:
                    outer.released.wait(4 * TIMEOUT_S)
                with suppress(OSError):
                    self.send_response(204)
                    self.end_headers()

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook"
        finally:
            self.released.set()
            server.shutdown()
            server.server_close()


def resident_kb(pid: int) -> int:
    """Return the memory of a process in kB."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:  # noqa: PTH123 - a file of the system
        line = next(line for line in file if line.startswith("VmRSS"))
    return int(line.split()[1])


def test_command_starts_the_daemon_and_a_killed_one_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any command starts it, also ``help``; the message with the unknown outcome is sent again and marked."""
    receiver = Receiver()
    with LocalEmulator(minutes_left=28, time_scale=5) as emulator, receiver.serve() as address:
        environ = {**emulator.environment(), "HOME": str(tmp_path)}
        environ["MODELARTS_STATE_DIR"] = str(tmp_path / "state")
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        settings = Settings.load()
        folder = daemon_folder(settings)
        shared_folder = notify_folder(settings, os.environ)
        save_sinks(shared_folder, SinkList().with_sink(WEBHOOK, address))

        def run_any_command() -> None:
            context = CommandContext(lambda: pytest.fail("opened"), lambda: settings, "%modelarts")
            run_command(parse_line("help"), context)

        run_any_command()
        assert wait_until(lambda: receiver.received, timeout_s=TIMEOUT_S)
        state = read_state(folder)
        assert state is not None
        assert resident_kb(state.pid) < MAX_RESIDENT_KB
        os.kill(state.pid, signal.SIGKILL)
        assert wait_until(lambda: not is_daemon_running(folder), timeout_s=TIMEOUT_S)
        run_any_command()
        try:
            assert wait_until(lambda: len(receiver.received) > 1, timeout_s=TIMEOUT_S)
        finally:
            save_sinks(shared_folder, SinkList())
            assert wait_until(lambda: not is_daemon_running(folder), timeout_s=TIMEOUT_S)
    first, second = receiver.received[:2]
    assert first["event"] == "time-left"
    assert (first["repeated"], second["repeated"]) == (False, True)
    assert first["id"] == second["id"]
