"""Run a command as if it had been started directly, and pass on a copy of its output.

On a terminal the command gets a pseudo-terminal, so that it prints as it does there; otherwise it gets pipes.
Exit status, signals, keyboard input and the window size pass through.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Callable

from modelarts_magics.keepalive.terminal import PseudoTerminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    OnOutput = Callable[[str, bytes], None]

STDIN, STDOUT, STDERR = 0, 1, 2
FORWARDED = frozenset(
    (
        signal.SIGINT,
        signal.SIGTERM,
        signal.SIGHUP,
        signal.SIGQUIT,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGALRM,
        signal.SIGTSTP,
        signal.SIGCONT,
    )
)
"""The signals that are sent on to the command."""
_HANDLED = FORWARDED | {signal.SIGCHLD, signal.SIGWINCH}
_CHUNK = 65_536
_FINAL_READS = 32
"""Reads from each stream after the end of the command: more than the system holds back."""
_SENT_BY_A_PROCESS = 0
"""The largest ``si_code`` of a signal that a process has sent; the terminal's own are greater."""


class CommandRunner:
    """A command, its terminal or pipes, and its output.

    Args:
        command: The words of the command.
        on_output: Called with ``stdout`` or ``stderr`` and the bytes that were printed.
        on_tick: Called at least every second while the command runs.
        on_start: Called with the process ID of the command when it has been started.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        on_output: OnOutput,
        on_tick: Callable[[], None] = lambda: None,
        on_start: Callable[[int], None] = lambda _pid: None,
    ) -> None:
        self._command = list(command)
        self._on_output = on_output
        self._on_tick = on_tick
        self._on_start = on_start
        self._terminal = PseudoTerminal() if os.isatty(STDOUT) else None
        self._sources: dict[int, str] = {}
        self._closed_targets: set[str] = set()
        self._wake_reader, self._wake_writer = os.pipe()
        for descriptor in (self._wake_reader, self._wake_writer):
            os.set_blocking(descriptor, False)
        self._process: subprocess.Popen[bytes] | None = None

    def say(self, text: str) -> None:
        """Print a line of our own on the standard error."""
        line_end = "\r\n" if self._terminal and self._terminal.is_raw else "\n"
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text.replace("\n", line_end) + line_end)
            sys.stderr.flush()

    def run(self) -> int:
        """Run the command to its end.

        Returns:
            The exit status; ``-N`` if the signal N killed the command.

        Raises:
            OSError: The command cannot be started.
        """
        # The signals are received by a thread, which can see where they come from.
        previous = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
        try:
            process = self._process = self._start(previous)
            self._on_start(process.pid)
            threading.Thread(target=self._receive_signals, args=(process,), daemon=True).start()
            if self._terminal:
                self._terminal.enter_raw_mode()
            self._copy_until_exit(process)
            return process.wait()
        finally:
            if self._terminal:
                self._terminal.close()
            signal.pthread_sigmask(signal.SIG_SETMASK, previous)

    def _start(self, signal_mask: set[signal.Signals | int]) -> subprocess.Popen[bytes]:
        terminal = self._terminal

        def prepare() -> None:
            if terminal:
                terminal.make_controlling(STDOUT)
            signal.pthread_sigmask(signal.SIG_SETMASK, signal_mask)

        shares_stderr = terminal is not None and os.isatty(STDERR)
        process = subprocess.Popen(  # noqa: S603 - the user's command
            self._command,
            stdin=terminal.slave if terminal and os.isatty(STDIN) else None,
            stdout=terminal.slave if terminal else subprocess.PIPE,
            stderr=terminal.slave if terminal and shares_stderr else subprocess.PIPE,
            start_new_session=terminal is not None,
            preexec_fn=prepare,  # noqa: PLW1509 - no other thread runs yet
            bufsize=0,
        )
        if terminal:
            terminal.close_slave()
            self._sources[terminal.master] = "stdout"
        elif process.stdout:
            self._sources[process.stdout.fileno()] = "stdout"
        if process.stderr:
            self._sources[process.stderr.fileno()] = "stderr"
        for descriptor in self._sources:
            os.set_blocking(descriptor, False)
        return process

    # --- Signals ---

    def _receive_signals(self, process: subprocess.Popen[bytes]) -> None:
        """Send signals on to the command at once, also while its output is being waited for."""
        while True:
            info = signal.sigwaitinfo(_HANDLED)
            number = signal.Signals(info.si_signo)
            # In one session with the command, the terminal has sent it the signal too.
            if number in FORWARDED and (self._terminal or info.si_code <= _SENT_BY_A_PROCESS):
                self._forward(process, number)
            with contextlib.suppress(OSError):
                os.write(self._wake_writer, bytes([number]))

    def _forward(self, process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        with contextlib.suppress(OSError):
            # A command in a session of its own, whose parent is in another one, ignores SIGTSTP.
            stop_instead = self._terminal and number is signal.SIGTSTP
            process.send_signal(signal.SIGSTOP if stop_instead else number)

    def _handle_signals(self) -> None:
        """Do the part of the signals that concerns this process and its terminal."""
        with contextlib.suppress(BlockingIOError):
            for number in os.read(self._wake_reader, _CHUNK):
                if number == signal.SIGTSTP:
                    self._suspend()
                elif number == signal.SIGCONT and self._terminal:
                    self._terminal.enter_raw_mode()
                elif number == signal.SIGWINCH and self._terminal:
                    self._terminal.copy_window_size()

    def _suspend(self) -> None:
        """Stop this process as the command was stopped; it goes on when the shell continues it."""
        if self._terminal:
            self._terminal.leave_raw_mode()
        os.kill(os.getpid(), signal.SIGSTOP)
        if self._terminal:
            self._terminal.enter_raw_mode()
            self._terminal.copy_window_size()
            self._terminal.continue_foreground()

    # --- Output and input ---

    def _copy_until_exit(self, process: subprocess.Popen[bytes]) -> None:
        while process.poll() is None:
            self._wait_and_copy(timeout_ms=1000)
            self._on_tick()
        # A process that the command has left behind may hold its output open for ever.
        for _ in range(_FINAL_READS):
            if not self._sources or not self._wait_and_copy(timeout_ms=0):
                break

    def _wait_and_copy(self, *, timeout_ms: int) -> bool:
        """Copy what can be read; return whether there was output, or the end of an output."""
        has_output = False
        for descriptor, event in self._poller().poll(timeout_ms):
            if descriptor == self._wake_reader:
                self._handle_signals()
            elif descriptor in self._sources:
                has_output = self._serve_source(descriptor, event) or has_output
            elif self._terminal:
                self._read_keyboard(self._terminal)
        return has_output

    def _poller(self) -> select.poll:
        poller = select.poll()
        poller.register(self._wake_reader, select.POLLIN)
        for descriptor in self._sources:
            poller.register(descriptor, select.POLLIN)
        terminal = self._terminal
        if terminal and terminal.is_raw and len(terminal.pending_input) < _CHUNK:
            poller.register(STDIN, select.POLLIN)
        if terminal and terminal.pending_input and terminal.master in self._sources:
            poller.modify(terminal.master, select.POLLIN | select.POLLOUT)
        return poller

    def _serve_source(self, descriptor: int, event: int) -> bool:
        if self._terminal and event & select.POLLOUT:
            self._terminal.flush_input()
        is_readable = bool(event & ~select.POLLOUT)
        if is_readable:
            self._copy(descriptor)
        return is_readable

    def _read_keyboard(self, terminal: PseudoTerminal) -> None:
        if terminal.read_keyboard() and self._process:
            terminal.stop_foreground()
            self._suspend()
            terminal.flush_input()

    def _copy(self, descriptor: int) -> None:
        stream = self._sources[descriptor]
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            # Linux reports the end of a pseudo-terminal as an error.
            if error.errno != errno.EIO:
                raise
            data = b""
        if not data:
            del self._sources[descriptor]
            return
        self._on_output(stream, data)
        self._pass_on(stream, data, descriptor)

    def _pass_on(self, stream: str, data: bytes, source: int) -> None:
        if stream in self._closed_targets:
            return
        try:
            _write_all(STDOUT if stream == "stdout" else STDERR, data)
        except OSError:
            self._closed_targets.add(stream)
            # The reader of a pipe is gone, as after ``| head``: the command learns that as without us. A terminal
            # that is gone has sent SIGHUP, and a command that ignores that goes on.
            if self._terminal is None or source != self._terminal.master:
                self._close_source(source)

    def _close_source(self, source: int) -> None:
        del self._sources[source]
        for pipe in (self._process.stdout, self._process.stderr) if self._process else ():
            if pipe and pipe.fileno() == source:
                pipe.close()


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        # Another process may have made our output non-blocking.
        except BlockingIOError:
            select.select([], [descriptor], [])


def exit_like(status: int) -> int:
    """Return an exit status to end with, or end this process by the signal that has killed the command.

    Args:
        status: The result of `CommandRunner.run`.
    """
    if status >= 0:
        return status
    number = -status
    with contextlib.suppress(OSError, ValueError):
        import resource  # noqa: PLC0415 - POSIX only

        # The command has left a core dump already, if it should.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
    return 128 + number
