"""A command behaves as if it had been started directly: status, signals, keyboard, window size."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.process

RUNNER = """
import sys
from modelarts_magics.keepalive.command_runner import CommandRunner, exit_like
copy = open(sys.argv[1], "ab", buffering=0)
runner = CommandRunner(sys.argv[2:], on_output=lambda stream, data: copy.write(data))
try:
    status = runner.run()
except OSError as error:
    status = 127
sys.exit(exit_like(status))
"""
DEADLINE_S = 20


def runner(copy: Path, *command: str) -> list[str]:
    """Return the command that runs another one."""
    return [sys.executable, "-c", RUNNER, str(copy), *command]


def python(code: str) -> tuple[str, ...]:
    """Return a command that runs Python code without buffering."""
    return sys.executable, "-u", "-c", code


class OnTerminal:
    """A process whose terminal this test holds.

    Attributes:
        before: The attributes of the terminal before the process.
    """

    def __init__(self, command: list[str], *, rows: int = 24, columns: int = 80) -> None:
        self.master, slave = os.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.shown = b""

        def take_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=take_terminal,  # noqa: PLW1509 - no other thread runs
        )
        self.slave = slave

    def resize(self, rows: int, columns: int) -> None:
        """Set the size of the window."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        """Press keys, and go on showing output meanwhile, as a terminal does."""
        while keys:
            if select.select([], [self.master], [], 0)[1]:
                keys = keys[os.write(self.master, keys[:1000]) :]
            self._read(wait_s=0)

    def wait_for(self, text: bytes) -> None:
        """Wait until a text is shown."""
        deadline = time.monotonic() + DEADLINE_S
        while text not in self.shown:
            assert time.monotonic() < deadline, self.shown
            self._read()

    def wait(self) -> int:
        """Wait for the end of the process, and return its status."""
        deadline = time.monotonic() + DEADLINE_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.shown
            self._read()
        while self._read():
            pass
        return self.process.returncode

    def close(self) -> None:
        """End the process and the terminal."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for descriptor in (self.master, self.slave):
            os.close(descriptor)

    def _read(self, *, wait_s: float = 0.1) -> bool:
        if not select.select([self.master], [], [], wait_s)[0]:
            return False
        self.shown += os.read(self.master, 65536)
        return True


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return the file to which the output is copied."""
    return tmp_path / "copy"


@pytest.fixture
def on_terminal(copy: Path) -> Iterator[object]:
    """Return a function that runs a command on a terminal."""
    started: list[OnTerminal] = []

    def start(*command: str, rows: int = 24, columns: int = 80) -> OnTerminal:
        started.append(OnTerminal(runner(copy, *command), rows=rows, columns=columns))
        return started[-1]

    yield start
    for each in started:
        each.close()


@contextlib.contextmanager
def piped(copy: Path, *command: str, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command with pipes; it has ended after the block."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(runner(copy, *command), **{**pipes, **options}) as process:  # noqa: S603 - ours
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("status", [0, 1, 77, 255])
def test_exit_status_passes_through(copy: Path, status: int) -> None:
    """The caller sees the status of the command."""
    with piped(copy, *python(f"raise SystemExit({status})")) as process:
        assert process.wait(DEADLINE_S) == status


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_death_by_signal_passes_through(copy: Path, number: signal.Signals) -> None:
    """The caller sees the signal that killed the command, with both kinds of output."""
    with piped(copy, *python(f"import os; os.kill(os.getpid(), {int(number)})")) as process:
        assert process.wait(DEADLINE_S) == -number


def test_streams_stay_apart_and_input_passes_through(copy: Path) -> None:
    """With pipes the command sees pipes and the end of its input."""
    code = "import sys; print(sys.stdin.read(), sys.stdout.isatty()); print('e', file=sys.stderr)"
    with piped(copy, *python(code)) as process:
        out, err = process.communicate("输入".encode(), DEADLINE_S)
    assert out.decode() == "输入 False\n"
    assert err == b"e\n"
    assert sorted(copy.read_text(encoding="utf-8").splitlines()) == ["e", "输入 False"]


def test_output_arrives_while_the_command_runs(copy: Path) -> None:
    """Nothing is held back until the end."""
    with piped(copy, *python("print('now'); input()")) as process:
        assert process.stdout
        assert process.stdout.readline() == b"now\n"
        assert copy.read_bytes() == b"now\n"
        process.communicate(b"\n", DEADLINE_S)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP])
def test_signal_reaches_the_command_once(copy: Path, number: signal.Signals) -> None:
    """The command decides what a signal means."""
    code = f"""
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [{int(number)}])
print("ready")
signal.sigwait([{int(number)}])
print("got it")
sys.stdin.read()
raise SystemExit({int(number)} in signal.sigpending())
"""
    with piped(copy, *python(code)) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == b"got it\n"
        out, _ = process.communicate(b"", DEADLINE_S)
        assert (out, process.returncode) == (b"", 0)


def test_command_that_is_left_behind_is_not_waited_for(copy: Path) -> None:
    """A background process may keep the output open; the command has ended."""
    code = "import subprocess; print('done'); subprocess.Popen(['sleep', '30'])"
    started = time.monotonic()
    with piped(copy, *python(code)) as process:
        assert process.wait(DEADLINE_S) == 0
        assert time.monotonic() - started < 10
        assert process.stdout
        assert os.read(process.stdout.fileno(), 100) == b"done\n"


def test_whole_output_arrives_at_the_end(copy: Path) -> None:
    """A megabyte that is written just before the end is not cut."""
    with piped(copy, *python("print('x' * 1_000_000)")) as process:
        out, _ = process.communicate(b"", DEADLINE_S)
    assert len(out) == 1_000_001
    assert copy.read_bytes() == out


def test_closed_reader_ends_the_command(copy: Path) -> None:
    """After ``| head`` the command gets SIGPIPE, as without us."""
    with piped(copy, "yes") as process:
        assert process.stdout
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(DEADLINE_S) == -signal.SIGPIPE


def test_unknown_command_raises_at_once(copy: Path) -> None:
    """Nothing runs that would have to be ended."""
    with piped(copy, "no-such-command") as process:
        assert process.wait(DEADLINE_S) == 127


def test_terminal_stays_a_terminal(on_terminal, copy: Path) -> None:  # noqa: ANN001 - a local function
    """The command sees a terminal of the same size, and its output is copied."""
    code = "import os; print(os.isatty(0), os.isatty(1), os.isatty(2), *os.get_terminal_size())"
    terminal = on_terminal(*python(code), rows=33, columns=99)
    assert terminal.wait() == 0
    assert terminal.shown == b"True True True 99 33\r\n"
    assert copy.read_bytes() == terminal.shown


def test_window_size_follows(on_terminal) -> None:  # noqa: ANN001 - a local function
    """The command is informed of a new size."""
    code = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH])
print("ready")
while os.get_terminal_size() != (120, 40): signal.sigwait([signal.SIGWINCH])
print("followed")
"""
    terminal = on_terminal(*python(code))
    terminal.wait_for(b"ready")
    terminal.resize(40, 120)
    assert terminal.wait() == 0
    assert b"followed" in terminal.shown


def test_ctrl_c_interrupts_the_command_only(on_terminal) -> None:  # noqa: ANN001 - a local function
    """The command may go on after Ctrl-C."""
    code = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
print("ready")
signal.sigwait([signal.SIGINT])
print("interrupted")
raise SystemExit(5)
"""
    terminal = on_terminal(*python(code))
    terminal.wait_for(b"ready")
    terminal.type(b"\x03")
    assert terminal.wait() == 5
    assert b"interrupted" in terminal.shown


def test_typed_text_reaches_the_command(on_terminal) -> None:  # noqa: ANN001 - a local function
    """It is echoed once, and the end of input works."""
    terminal = on_terminal(*python("print('ready'); import sys; print(sys.stdin.read().upper())"))
    terminal.wait_for(b"ready")
    terminal.type("héllo\n".encode() + b"\x04")
    assert terminal.wait() == 0
    assert "HÉLLO" in terminal.shown.decode()
    assert terminal.shown.decode().count("héllo") == 1


def test_long_paste_to_a_busy_command_blocks_nothing(on_terminal) -> None:  # noqa: ANN001
    """Output goes on while the command does not read its input."""
    code = """
import os, tty
tty.setraw(0)
print("ready")
os.read(0, 1)
print("x" * 200_000)
rest = 1
while rest < 60_000: rest += len(os.read(0, 4096))
print("all", rest)
"""
    terminal = on_terminal(*python(code))
    terminal.wait_for(b"ready")
    terminal.type(b"p" * 60_000)
    assert terminal.wait() == 0
    assert b"all 60000" in terminal.shown


def test_terminal_is_restored(on_terminal) -> None:  # noqa: ANN001 - a local function
    """The shell gets its terminal back as it was."""
    terminal = on_terminal(*python("print('ready'); input()"))
    terminal.wait_for(b"ready")
    assert termios.tcgetattr(terminal.slave) != terminal.before
    terminal.type(b"\n")
    terminal.wait()
    assert termios.tcgetattr(terminal.slave) == terminal.before


def test_ctrl_z_stops_and_continues_the_command(on_terminal) -> None:  # noqa: ANN001 - a local function
    """The shell sees a stopped job, whose command does not run meanwhile."""
    code = "print('ready'); print('read', input())"
    terminal = on_terminal(*python(code))
    terminal.wait_for(b"ready")
    terminal.type(b"\x1a")
    pid, status = os.waitpid(terminal.process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    assert pid == terminal.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    deadline = time.monotonic() + DEADLINE_S
    while [_state(child) for child in children] != ["T"]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    terminal.process.send_signal(signal.SIGCONT)
    terminal.type(b"text\n")
    assert terminal.wait() == 0
    assert b"read text" in terminal.shown


def test_closed_terminal_hangs_up_the_command(on_terminal, tmp_path: Path) -> None:  # noqa: ANN001
    """The command gets SIGHUP, and may ignore it."""
    done = tmp_path / "done"
    code = f"""
import signal, time, pathlib
signal.signal(signal.SIGHUP, lambda *_: pathlib.Path({str(done)!r}).write_text("hung up"))
print("ready")
while not pathlib.Path({str(done)!r}).exists(): time.sleep(0.05)
print("more output")
raise SystemExit(3)
"""
    terminal = on_terminal(*python(code))
    terminal.wait_for(b"ready")
    os.close(terminal.slave)
    os.close(terminal.master)
    assert terminal.process.wait(DEADLINE_S) == 3
    assert done.exists()
    terminal.master, terminal.slave = pty.openpty()


def _state(pid: str) -> str:
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
