"""The starts of the daemon when a sink or a command is configured, and real jobs that reach a sink."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kernel_session import KernelSession, environment_without_settings
from waiting import wait_until
from webhook_receiver import receiver

from modelarts_magics.commands.keep import end_all
from modelarts_magics.config.notify_folder import SETTINGS_FILE
from modelarts_magics.config.settings import Settings
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.keepalive.folder import daemon_folder
from modelarts_magics.keepalive.launch import start_daemon
from modelarts_magics.keepalive.notifications.sinks import (
    FILE_NAME,
    WEBHOOK,
    SinkList,
    notify_folder,
    save_sinks,
)
from modelarts_magics.keepalive.state import is_daemon_running, read_state
from modelarts_magics.session.history import history_path, read_entries

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.process
SCALE = 5
SECRET = "MARKED-SECRET"
JOB = "echo epoch 1; echo saved model.pt"
FAILING_CELL = """%%modelarts keep --up-to 2h
print("epoch 1")
raise ValueError("loss is nan")
"""


class Machine:
    """The environment of an instance with 28 minutes left.

    Attributes:
        environ: The environment variables of its processes.
        folder: The folder of its daemon.
    """

    def __init__(self, emulator: LocalEmulator, home: Path) -> None:
        self.environ = {
            **environment_without_settings(),
            **emulator.environment(),
            "HOME": str(home),
            "MODELARTS_STATE_DIR": str(home / "state"),
            "MODELARTS_LANGUAGE": "en",
            "MODELARTS_TIMEZONE": "+08:00",
        }
        self.settings = Settings.load(environ=self.environ)
        self.folder = daemon_folder(self.settings)

    def add_sink(self, address: str) -> None:
        """Configure a webhook."""
        save_sinks(
            notify_folder(self.settings, self.environ), SinkList().with_sink(WEBHOOK, address)
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a terminal."""
        command = [sys.executable, "-m", "modelarts_magics", *arguments]
        return subprocess.run(  # noqa: S603 - our own program
            command, env=self.environ, capture_output=True, text=True, check=False
        )

    def marks(self) -> list[dict[str, Any]]:
        """Return what came of the marks, oldest first."""
        entries = read_entries(history_path(self.settings, self.environ))
        return [entry["mark"] for entry in entries if "mark" in entry][::-1]

    def kill_daemon(self) -> None:
        """Kill the daemon, which has no time to write anything."""
        state = read_state(self.folder)
        assert state is not None
        os.kill(state.pid, signal.SIGKILL)
        wait_until(lambda: not is_daemon_running(self.folder))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Return an instance whose daemon does not run."""
    with LocalEmulator(minutes_left=28, time_scale=SCALE) as emulator:
        made = Machine(emulator, tmp_path)
        yield made
        # The daemon ends when nothing is configured.
        save_sinks(notify_folder(made.settings, made.environ), SinkList())
        (tmp_path / SETTINGS_FILE).unlink(missing_ok=True)
        end_all(made.folder)


def contents(folder: Path, pattern: str) -> dict[str, bytes]:
    """Return the content of each file by its path; one that disappears meanwhile is left out."""
    found = {}
    for path in folder.glob(pattern):
        with suppress(OSError):
            found[str(path)] = path.read_bytes()
    return found


def test_loading_the_extension_notifies_also_of_real_jobs(machine: Machine, tmp_path: Path) -> None:
    """`%load_ext` is enough; a failed cell and a command arrive; only the file of sinks has the secret."""
    with receiver(204, {}) as (address, received):

        def find(event: str) -> dict[str, Any] | None:
            documents = (json.loads(body) for _, body in received)
            return next((each for each in documents if each["event"] == event), None)

        machine.add_sink(f"{address}/hook-{SECRET}?token={SECRET}")
        kernel = KernelSession(machine.environ)
        try:
            assert kernel.run("%load_ext modelarts_magics")[0] == "ok"
            assert wait_until(lambda: find("time-left"))["repeated"] is False
            assert kernel.run(FAILING_CELL)[0] == "error"
            failed = wait_until(lambda: find("job-failed"))["job"]
            printed = kernel.published_text()
            commands = contents(Path("/proc"), "[0-9]*/cmdline")
        finally:
            kernel.close()
        done = machine.run("run", "--", "sh", "-c", JOB)
        assert done.stdout.endswith("saved model.pt\n"), done.stderr
        finished = wait_until(lambda: find("job-finished"))["job"]
        printed += done.stdout + done.stderr + machine.run("doctor", "--all").stdout
    assert received[0][0].path == f"/hook-{SECRET}?token={SECRET}"
    with_secret = [
        path
        for path, content in {**contents(tmp_path, "**/*"), **commands}.items()
        if SECRET.encode() in content
    ]
    assert [Path(path).name for path in with_secret] == [FILE_NAME]
    assert SECRET not in printed + "".join(body.decode() for _, body in received)
    assert failed["last_line"] == "ValueError: loss is nan"
    assert (finished["last_line"], finished["exit_status"]) == ("saved model.pt", 0)
    assert all(0 <= job["duration_s"] < 3600 for job in (failed, finished))


def test_killed_daemon_repeats_a_command_with_an_unknown_outcome(
    machine: Machine, tmp_path: Path
) -> None:
    """A command starts it for `before_stop` alone; killed after the claim, the next one repeats that, once."""
    runs, gate = tmp_path / "runs", tmp_path / "gate"
    wait = f"until test -e {gate}; do sleep 0.2; done"
    command = f"28m: echo run >> {runs}; test $(wc -l < {runs}) -gt 1 || {wait}"
    try:
        assert machine.run("configure", f"before_stop={command}").returncode == 0
        machine.run("help")
        wait_until(runs.exists)
        assert machine.marks() == []
        machine.kill_daemon()
        start_daemon(machine.folder, machine.environ)
        (mark,) = wait_until(machine.marks)
        assert (mark["outcome"], mark["repeated"]) == ("ran", True)
        assert runs.read_text() == "run\nrun\n"
    finally:
        gate.touch()
