"""The processes of this user as ``/proc`` shows them, which takes a fifth of the time of asking psutil for each.

One file of each process has all that changes. Owner and command line are read once.

Source: proc(5).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_STATE, _PARENT, _GROUP, _SESSION = 0, 1, 2, 3
_USER, _SYSTEM, _CHILDREN_USER, _CHILDREN_SYSTEM, _START = 11, 12, 13, 14, 19
"""Positions in ``/proc/PID/stat`` after the name."""
_ENDED = (b"Z", b"X")
_NAME_LENGTH = 15
"""The system cuts the names of programs."""
_SHOWN_COMMAND_LENGTH = 60


@dataclass(frozen=True)
class Process:
    """A process at one look.

    Attributes:
        pid: Its ID.
        parent: The ID of its parent.
        group: The ID of its process group.
        session: The ID of its session, which is the PID of the session's leader.
        name: The name of its program.
        command: Its command line.
        started: When it started, in seconds since some moment; with the ID it identifies the process.
        own_cpu_s: The CPU time that it has used, in seconds.
        children_cpu_s: The CPU time of its children that have ended, in seconds.
    """

    pid: int
    parent: int
    group: int
    session: int
    name: str
    command: tuple[str, ...]
    started: float
    own_cpu_s: float
    children_cpu_s: float

    @property
    def title(self) -> str:
        """The command as it is shown, without the folder of the program."""
        words = [Path(self.command[0]).name, *self.command[1:]] if self.command else [self.name]
        title = " ".join(" ".join(words).split())
        if len(title) <= _SHOWN_COMMAND_LENGTH:
            return title
        return title[: _SHOWN_COMMAND_LENGTH - 1] + "…"

    @property
    def is_leader(self) -> bool:
        """Whether it leads its session."""
        return self.pid == self.session


class ProcessTable:
    """The processes of this user; what never changes is read once."""

    def __init__(self) -> None:
        self._user = os.getuid()
        self._ticks_per_s = os.sysconf("SC_CLK_TCK")
        self._commands: dict[tuple[bytes, bytes], tuple[str, ...] | None] = {}

    def read(self) -> list[Process]:
        """Return the processes that run now."""
        found = []
        commands: dict[tuple[bytes, bytes], tuple[str, ...] | None] = {}
        for pid in process_ids():
            # The name, in parentheses, may contain spaces and parentheses.
            start, _, rest = read_content(pid, "stat").rpartition(b")")
            fields = rest.split()
            if not fields or fields[_STATE] in _ENDED:
                continue
            # With the name: a process that has just been forked has the command line of its parent.
            key = (start, fields[_START])
            if key not in self._commands:
                is_own = _owner(pid) == self._user
                self._commands[key] = command_line(pid) if is_own else None
            command = commands[key] = self._commands[key]
            if command is not None:
                name = start.partition(b"(")[2].decode(errors="replace")
                found.append(self._process(int(pid), _whole_name(name, command), command, fields))
        self._commands = commands
        return found

    def _process(
        self, pid: int, name: str, command: tuple[str, ...], fields: list[bytes]
    ) -> Process:
        own = int(fields[_USER]) + int(fields[_SYSTEM])
        children = int(fields[_CHILDREN_USER]) + int(fields[_CHILDREN_SYSTEM])
        return Process(
            pid=pid,
            parent=int(fields[_PARENT]),
            group=int(fields[_GROUP]),
            session=int(fields[_SESSION]),
            name=name,
            command=command,
            started=int(fields[_START]) / self._ticks_per_s,
            own_cpu_s=own / self._ticks_per_s,
            children_cpu_s=children / self._ticks_per_s,
        )


def process_ids() -> list[str]:
    """Return the IDs of all processes."""
    return [name for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - a Path takes time


def command_line(pid: str) -> tuple[str, ...]:
    """Return the command line of a process; empty if it has none or has ended."""
    content = os.fsdecode(read_content(pid, "cmdline"))
    # A program that has replaced its command line by a title does not end it with a zero.
    words = content[:-1].split("\0") if content.endswith("\0") else content.split(" ")
    return tuple(words) if content else ()


def read_content(pid: str, name: str) -> bytes:
    """Return the content of a file about a process; nothing if it cannot be read, for example after its end."""
    try:
        with open(f"/proc/{pid}/{name}", "rb", buffering=0) as file:  # noqa: PTH123 - a Path takes time
            return file.read()
    except OSError:
        return b""


def _owner(pid: str) -> int | None:
    """Return the user that a process belongs to; None if it has ended."""
    found = read_content(pid, "status").partition(b"\nUid:")[2].split(maxsplit=1)
    return int(found[0]) if found else None


def _whole_name(name: str, command: tuple[str, ...]) -> str:
    """Return the name of a program, which the system may have cut."""
    program = Path(command[0]).name if command and len(name) >= _NAME_LENGTH else ""
    return program if program.startswith(name) else name
