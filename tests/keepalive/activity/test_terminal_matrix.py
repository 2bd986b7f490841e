"""Real terminals in every state: nothing idle that works, nothing busy that does not.

``tests/README.md`` has this matrix with the results.
"""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from factories import NOW

from modelarts_magics.keepalive.activity.machine import MachineDetector
from modelarts_magics.keepalive.activity.source import PROCESS, TERMINAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelarts_magics.keepalive.activity.source import Source

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="Terminals are found in /proc"),
    # pty.fork in a process with threads; the child executes another program at once.
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
]
TIMEOUT_S = 20.0
LOOP = f"{sys.executable} -c 'while True: pass'"
"""A program that uses the processor, and never ends by itself."""
SHELL = "bash"


class Terminal:
    """A shell in a pseudo-terminal, as Jupyter, SSH and tmux start it.

    Attributes:
        pid: The process of the shell.
        output: Everything that it has shown.
    """

    def __init__(self, command: list[str] | None = None) -> None:
        self.output = b""
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm", PS1="$ ")
            command = command or [SHELL, "--norc", "-i"]
            os.execvp(command[0], command)  # noqa: S606 - the child of the fork
        # A terminal whose output nobody reads stops the programs in it.
        threading.Thread(target=self._read_output, daemon=True).start()

    def type(self, text: str) -> None:
        """Type into the terminal."""
        os.write(self._master, text.encode())

    def close(self) -> None:
        """Hang up, and end the shell."""
        with contextlib.suppress(OSError):
            os.killpg(self.pid, 9)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        with contextlib.suppress(OSError):
            os.close(self._master)

    def _read_output(self) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(self._master, 65536):
                self.output += data


class Machine:
    """The detector of terminals and processes, with looks in quick succession."""

    def __init__(self) -> None:
        self._detector = MachineDetector(time_scale=60)

    def look(self) -> list[Source]:
        """Return all terminals and processes."""
        return self._detector.detect(NOW, time.monotonic(), [])

    def terminal(self, pid: int) -> Source | None:
        """Return the terminal whose shell has an ID."""
        found = (each for each in self.look() if each.kind == TERMINAL and pid in each.pids)
        return next(found, None)

    def expect(self, pid: int, *, busy: bool, reason: str) -> Source:
        """Wait until a terminal is in a state for a reason, and return it."""
        end = time.monotonic() + TIMEOUT_S
        while True:
            source = self.terminal(pid)
            if source and source.busy is busy and reason in str(source.reason):
                return source
            assert time.monotonic() < end, f"expected {busy} {reason}, found {source}"
            time.sleep(0.1)


@pytest.fixture
def machine() -> Machine:
    """Return a detector that has compared CPU times once."""
    return Machine()


@pytest.fixture
def terminal(machine: Machine) -> Iterator[Terminal]:
    """Return a terminal at its prompt."""
    terminal = Terminal()
    machine.expect(terminal.pid, busy=False, reason="at the prompt")
    yield terminal
    terminal.close()


def test_foreground(machine: Machine, terminal: Terminal) -> None:
    """A program in the foreground counts until it ends, also if it sleeps."""
    terminal.type("sleep 600\n")
    machine.expect(terminal.pid, busy=True, reason="`sleep 600`")
    terminal.type("\x03")
    machine.expect(terminal.pid, busy=False, reason="at the prompt")


def test_background(machine: Machine, terminal: Terminal) -> None:
    """A job in the background counts while it uses the processor."""
    terminal.type(f"{LOOP} &\n")
    machine.expect(terminal.pid, busy=True, reason="in the background")
    terminal.type("kill %1\n")
    machine.expect(terminal.pid, busy=False, reason="at the prompt")


@pytest.mark.soak
def test_sleeping_background_job(machine: Machine, terminal: Terminal) -> None:
    """A job in the background that does nothing is not work."""
    terminal.type("sleep 600 &\nsleep 700\n")
    machine.expect(terminal.pid, busy=True, reason="`sleep 700`")
    terminal.type("\x03")
    machine.expect(terminal.pid, busy=False, reason="at the prompt")


@pytest.mark.soak
def test_stopped_job(machine: Machine, terminal: Terminal) -> None:
    """A program that was stopped with Ctrl-Z does not work."""
    terminal.type("sleep 600\n")
    machine.expect(terminal.pid, busy=True, reason="`sleep 600`")
    terminal.type("\x1a")
    machine.expect(terminal.pid, busy=False, reason="at the prompt")


@pytest.mark.soak
@pytest.mark.skipif(not shutil.which("less"), reason="less is not installed")
def test_pager(machine: Machine, terminal: Terminal, tmp_path: Path) -> None:
    """A pager that was left open does not count."""
    (tmp_path / "text").write_text("line\n" * 1000)
    terminal.type(f"less {tmp_path}/text\n")
    source = machine.expect(terminal.pid, busy=False, reason="`less")
    assert source.counts is False


@pytest.mark.skipif(not shutil.which("vim"), reason="vim is not installed")
def test_editor(machine: Machine, terminal: Terminal) -> None:
    """An editor does not count, a build that it runs does."""
    terminal.type("vim -u NONE notes\n")
    source = machine.expect(terminal.pid, busy=False, reason="`vim -u NONE notes`")
    assert source.counts is False
    terminal.type(f":!{LOOP}\n")
    machine.expect(terminal.pid, busy=True, reason="of a processor")


@pytest.mark.soak
def test_shell_in_the_shell(machine: Machine, terminal: Terminal) -> None:
    """A shell that was started in the shell waits at its prompt, and its programs count."""
    terminal.type("bash --norc\nsleep 600\n")
    machine.expect(terminal.pid, busy=True, reason="`sleep 600`")
    terminal.type("\x03")
    machine.expect(terminal.pid, busy=False, reason="at the prompt")


def test_nohup_after_the_terminal_was_closed(machine: Machine, terminal: Terminal) -> None:
    """A job that outlives its terminal counts by its CPU time."""
    marker = f"marker-{terminal.pid}"
    terminal.type(f"nohup {LOOP} {marker} > /dev/null 2>&1 &\n")
    machine.expect(terminal.pid, busy=True, reason="in the background")
    terminal.type("disown; exit\n")
    # Sessions of children of the detecting process do not count, and this test is the parent of the shell.
    os.waitpid(terminal.pid, 0)
    (job,) = _wait_for_job(machine, marker, is_found=True)
    os.kill(job, 9)
    _wait_for_job(machine, marker, is_found=False)


@pytest.mark.soak
def test_session_like_that_of_ssh(machine: Machine) -> None:
    """A shell whose parent is a relay, such as sshd, is a terminal like the others."""
    relay = Terminal([sys.executable, "-c", "import pty; pty.spawn(['bash', '--norc', '-i'])"])
    try:
        shell = _wait_for_child(relay.pid)
        machine.expect(shell, busy=False, reason="at the prompt")
        relay.type("sleep 600\n")
        machine.expect(shell, busy=True, reason="`sleep 600`")
    finally:
        relay.close()


@pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")
def test_tmux(machine: Machine, terminal: Terminal, tmp_path: Path) -> None:
    """A pane of tmux is a terminal, also while no client is attached; the client itself is none."""

    def tmux(*words: str) -> str:
        command = ["tmux", "-S", f"{tmp_path}/socket", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603

    tmux("-f", "/dev/null", "new-session", "-d", "-s", "t", f"{SHELL} --norc -i")
    try:
        pane = int(tmux("display", "-p", "-t", "t", "#{pane_pid}"))
        machine.expect(pane, busy=False, reason="at the prompt")
        tmux("send-keys", "-t", "t", "sleep 600", "Enter")
        machine.expect(pane, busy=True, reason="`sleep 600`")
        terminal.type(f"tmux -S {tmp_path}/socket attach\n")
        machine.expect(terminal.pid, busy=False, reason="shows other terminals")
        terminal.close()
        machine.expect(pane, busy=True, reason="`sleep 600`")
    finally:
        tmux("kill-server")


def _wait_for_child(parent: int) -> int:
    children = Path(f"/proc/{parent}/task/{parent}/children")
    end = time.monotonic() + TIMEOUT_S
    while not (found := children.read_text().split()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return int(found[0])


def _wait_for_job(machine: Machine, marker: str, *, is_found: bool) -> list[int]:
    """Wait until a busy process outside of terminals has a marker in its command line, or none has; return it."""
    end = time.monotonic() + TIMEOUT_S
    while True:
        sources = [source for source in machine.look() if source.kind == PROCESS and source.busy]
        found = [pid for source in sources for pid in source.pids if marker in _command(pid)]
        if bool(found) is is_found:
            return found
        assert time.monotonic() < end, sources
        time.sleep(0.1)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
