"""A pseudo-terminal for a command, and the terminal of this process in raw mode in front of it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import termios
import tty
from typing import Any

STDIN, STDOUT = 0, 1
_CHUNK = 4096
_LOCAL_FLAGS, _CONTROL_CHARACTERS = 3, 6
"""Positions in the list of `termios.tcgetattr`."""


class PseudoTerminal:
    """A pseudo-terminal like the terminal at the standard output.

    Attributes:
        master: Our side.
        slave: The side of the command; -1 once it is closed here.
        is_raw: Whether the keyboard is passed on: only while this process is in the foreground.
        pending_input: Typed bytes that the command's side had no room for.
    """

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        self.is_raw = False
        self.pending_input = b""
        self._saved: list[Any] | None = None
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self.slave, termios.TCSANOW, termios.tcgetattr(STDOUT))
        self.copy_window_size()

    @staticmethod
    def make_controlling(descriptor: int) -> None:
        """Make the terminal at a descriptor that of the new session of this process."""
        fcntl.ioctl(descriptor, termios.TIOCSCTTY, 0)

    def close_slave(self) -> None:
        """Close the side of the command, so that its end can be seen."""
        os.close(self.slave)
        self.slave = -1

    def close(self) -> None:
        """Restore the terminal of this process, and close the other one."""
        self.leave_raw_mode()
        if self.slave >= 0:
            self.close_slave()
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def enter_raw_mode(self) -> None:
        """Pass every key on to the command, if the keyboard belongs to this process."""
        if self.is_raw or not _is_in_foreground():
            return
        self._saved = termios.tcgetattr(STDIN)
        tty.setraw(STDIN, termios.TCSADRAIN)
        self.is_raw = True

    def leave_raw_mode(self) -> None:
        """Restore the terminal of this process."""
        if self.is_raw and self._saved is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(STDIN, termios.TCSADRAIN, self._saved)
        self.is_raw = False

    def copy_window_size(self) -> None:
        """Give the command's terminal the size of ours; the system informs the command."""
        with contextlib.suppress(OSError):
            size = fcntl.ioctl(STDOUT, termios.TIOCGWINSZ, b"\0" * 8)
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)

    def read_keyboard(self) -> bool:
        """Read what was typed, and pass it on.

        Returns:
            Whether the key was pressed that suspends programs (Ctrl-Z); the bytes after it are pending.
        """
        try:
            data = os.read(STDIN, _CHUNK)
        except OSError:
            data = b""
        if not data:
            self.leave_raw_mode()
            return False
        before, key, after = data.partition(self._suspend_key() or data + b".")
        self.pending_input += before
        self.flush_input()
        self.pending_input += after
        return bool(key)

    def flush_input(self) -> None:
        """Write pending input as far as there is room."""
        with contextlib.suppress(OSError):
            written = os.write(self.master, self.pending_input) if self.pending_input else 0
            self.pending_input = self.pending_input[written:]

    def stop_foreground(self) -> None:
        """Stop the command that is in the foreground of its terminal."""
        self._signal_foreground(signal.SIGSTOP)

    def continue_foreground(self) -> None:
        """Continue the command that is in the foreground of its terminal."""
        self._signal_foreground(signal.SIGCONT)

    def _signal_foreground(self, number: signal.Signals) -> None:
        with contextlib.suppress(OSError):
            os.killpg(os.tcgetpgrp(self.master), number)

    def _suspend_key(self) -> bytes:
        """Return the key that suspends programs; empty if the command has turned it off."""
        try:
            attributes = termios.tcgetattr(self.master)
        except termios.error:
            return b""
        if not attributes[_LOCAL_FLAGS] & termios.ISIG:
            return b""
        key = attributes[_CONTROL_CHARACTERS][termios.VSUSP]
        return key if key != b"\0" else b""


def _is_in_foreground() -> bool:
    """Return whether the standard input is a terminal whose keyboard belongs to this process."""
    try:
        return os.isatty(STDIN) and os.tcgetpgrp(STDIN) == os.getpgrp()
    except OSError:
        return False
