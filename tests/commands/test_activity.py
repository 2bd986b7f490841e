"""Tests of the command ``activity``: its text, and the daemon that it asks."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Callable

import pytest
from factories import HOUR, MINUTE, NOW
from keepalive.activity.kernel_environments import NEWEST
from keepalive.activity.real_kernel import RealKernel
from kernel_session import environment_without_settings
from waiting import wait_until

from modelarts_magics.commands.activity import report_lines
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.keepalive import requests
from modelarts_magics.keepalive.activity.report import ActivityReport
from modelarts_magics.keepalive.activity.source import GPU, KERNEL, TERMINAL, Source
from modelarts_magics.keepalive.state import is_daemon_running
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CELL = Message("activity.kernel.cell", {"number": 14})
PREP = Message("activity.terminal.foreground", {"program": "python prep.py"})
VIM = Message("activity.terminal.exempt", {"program": "vim"})
IDLE = Message("activity.kernel.idle")
SOURCES = (
    Source(KERNEL, "train.ipynb", True, NOW - 2 * HOUR - 10 * MINUTE, CELL),
    Source(KERNEL, "eda.ipynb", False, NOW, IDLE),
    Source(TERMINAL, "pts/2", True, NOW - 40 * MINUTE, PREP),
    Source(TERMINAL, "pts/1", False, NOW, VIM, counts=False),
    Source(GPU, "GPU", None, NOW, Message("activity.gpu.no_driver")),
)


def test_text_groups_the_sources() -> None:
    """Work comes first and with its time; sources that do not count or cannot be known are named."""
    report = ActivityReport(SOURCES, NOW - 3 * HOUR, 1, is_complete=True)
    assert report_lines(report, NOW) == [
        "Working: train.ipynb: cell [14], 2 h 10 min · terminal pts/2: `python prep.py`, 40 min",
        "Not counted: terminal pts/1: `vim` (editor, pager or monitor)",
        "Unknown: GPU: driver library not found",
        "Idle: eda.ipynb",
    ]


def test_text_says_when_nothing_works_and_since_when_it_is_watched() -> None:
    """A daemon that has just been started knows nothing about the time before."""
    report = ActivityReport((), NOW - MINUTE, 1, is_complete=True)
    first, last = report_lines(report, NOW)
    assert first == "Nothing is working."
    assert last.startswith("Watched since ")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Return a function that runs the terminal command against an emulator; its daemon is ended afterwards."""
    emulator = LocalEmulator()
    emulator.start()
    environ = {
        **environment_without_settings(),
        **emulator.environment(),
        "HOME": str(tmp_path),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        # The kernels of other tests have their connection files in the usual folder.
        "TMPDIR": str(tmp_path),
        "MODELARTS_STATE_DIR": str(tmp_path / "state"),
        "MODELARTS_LANGUAGE": "en",
    }

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "modelarts_magics", "activity", *arguments]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)  # noqa: S603
        return done.stdout

    yield run
    for folder in (tmp_path / "state").glob("*.keepalive"):
        requests.request_daemon_until(folder, datetime.now(timezone.utc))
        requests.send_request(folder, requests.END)
        wait_until(lambda folder=folder: not is_daemon_running(folder))
    emulator.stop()


@pytest.mark.process
def test_daemon_is_started_and_watches_kernels(
    terminal: Callable[..., str], tmp_path: Path
) -> None:
    """The first command starts the daemon; the second one sees the end of the cell in its report."""
    (tmp_path / "runtime").mkdir()
    kernel = RealKernel(NEWEST, tmp_path / "runtime")
    try:
        kernel.start_cell()
        sources = json.loads(terminal("--json"))["sources"]
        # The kernels of other tests are found too, by their command lines.
        found = [each for each in sources if each["name"] == "abcdef01"]
        assert [(each["kind"], each["busy"]) for each in found] == [(KERNEL, True)]
        kernel.end_cell()
        wait_until(lambda: "Idle: abcdef01" in terminal())
    finally:
        kernel.close()
