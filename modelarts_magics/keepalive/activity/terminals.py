"""Terminals: working while a program runs in the foreground, or uses the processor in the background.

A terminal is a session whose leader, the shell, has a controlling terminal: a terminal of Jupyter, a pane of tmux
or screen, an SSH connection. Its foreground process group is in ``/proc``: the shell's own at the prompt.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Callable, NamedTuple

from modelarts_magics.keepalive.activity.processes import BUSY_SHARE, is_server, percent
from modelarts_magics.keepalive.activity.source import TERMINAL, Source
from modelarts_magics.keepalive.processes import is_process_alive, stat_fields
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from modelarts_magics.keepalive.activity.processes import CpuMeter, Look, Process

EXEMPT_PROGRAMS = (
    *("vi", "vim", "vim.*", "nvim", "view", "nano", "pico", "emacs*", "joe", "micro", "hx"),
    *("less", "more", "most", "man", "pager"),
)
"""Editors and pagers: a terminal that shows one may have been left open for days."""
MONITORS = (
    *("top", "htop", "atop", "btop", "iotop", "nvtop", "glances", "watch"),
    *("nvidia-smi", "npu-smi"),
)
"""Programs that show the state of the machine, and use the processor all the time."""
EXEMPT_SHARE, MONITOR_SHARE = 0.05, 0.5
"""The shares of one processor from which an editor with its children, or a monitor, works after all.

A build inside an editor counts; a monitor that starts a program every two seconds does not.
"""
MULTIPLEXERS = ("tmux*", "screen", "SCREEN", "zellij", "byobu*", "dtach", "abduco", "script")
"""Programs that show other terminals, each of which is a source itself."""
SHELLS = ("bash", "sh", "zsh", "fish", "dash", "ash", "ksh*", "mksh", "tcsh", "csh", "xonsh", "nu")
_FIRST_PTS_MAJOR, _LAST_PTS_MAJOR = 136, 143
"""The device numbers of pseudo-terminals.

Source: https://www.kernel.org/doc/Documentation/admin-guide/devices.txt
"""
_TERMINAL_FIELD, _FOREGROUND_FIELD = 4, 5
"""Positions in the result of `stat_fields`."""


@dataclass(frozen=True)
class ControllingTerminal:
    """The controlling terminal of a process.

    Attributes:
        device: Its device number.
        foreground_group: The ID of its foreground process group.
    """

    device: int
    foreground_group: int

    @property
    def name(self) -> str:
        """The name, for example ``pts/3``."""
        major, minor = self.device >> 8 & 0xFFF, self.device & 0xFF | self.device >> 12 & 0xFFF00
        if _FIRST_PTS_MAJOR <= major <= _LAST_PTS_MAJOR:
            return f"pts/{(major - _FIRST_PTS_MAJOR) * 256 + minor}"
        return f"tty{minor}"


def read_terminal(pid: int) -> ControllingTerminal | None:
    """Return the controlling terminal of a process; None if it has none or has ended."""
    fields = stat_fields(pid)
    if fields is None:
        return None
    device = int(fields[_TERMINAL_FIELD])
    return ControllingTerminal(device, int(fields[_FOREGROUND_FIELD])) if device else None


class _State(NamedTuple):
    """The state of a terminal.

    Attributes:
        busy: Whether it works.
        counts: Whether the program in it counts.
        reason: The finding, to show.
        worker: The process that works; None if none does.
    """

    busy: bool
    counts: bool
    reason: Message
    worker: int | None = None


class TerminalDetector:
    """The terminals of this user.

    Args:
        meter: The CPU times, which are updated before each look.
        exempt: Further programs that do not count, as patterns of the shell.
        read: Returns the terminal of a process; replaced in tests.
    """

    def __init__(
        self,
        meter: CpuMeter,
        *,
        exempt: Sequence[str] = (),
        read: Callable[[int], ControllingTerminal | None] = read_terminal,
    ) -> None:
        self._meter = meter
        self.set_exempt(exempt)
        self._read = read
        self._states: dict[int, tuple[tuple[bool, int | None], datetime]] = {}

    def set_exempt(self, exempt: Sequence[str]) -> None:
        """Replace the further programs that do not count."""
        self._exempt = (*EXEMPT_PROGRAMS, *MONITORS, *exempt)

    def detect(self, look: Look) -> list[Source]:
        """Return each terminal."""
        leaders = [process for process in look.processes.values() if process.is_leader]
        sources = {}
        for leader in leaders:
            terminal = self._read(leader.pid)
            if terminal is not None:
                sources[leader.pid] = self._source(leader, terminal, look)
        self._states = {pid: state for pid, state in self._states.items() if pid in sources}
        return [sources[pid] for pid in sorted(sources)]

    def _source(self, leader: Process, terminal: ControllingTerminal, look: Look) -> Source:
        members = look.members(leader.pid)
        busy, counts, reason, worker = self._state(leader, terminal, members)
        state = (busy, worker)
        if self._states.get(leader.pid, (None,))[0] != state:
            self._states[leader.pid] = (state, look.at)
        return Source(
            kind=TERMINAL,
            name=terminal.name,
            busy=busy,
            since=self._states[leader.pid][1],
            reason=reason,
            counts=counts,
            pids=frozenset(member.pid for member in members),
            worker=worker,
        )

    def _state(
        self, leader: Process, terminal: ControllingTerminal, members: list[Process]
    ) -> _State:
        group = [member for member in members if member.group == terminal.foreground_group]
        if not group and is_process_alive(terminal.foreground_group):
            reason = Message("activity.terminal.other_user")
            return _State(True, True, reason, terminal.foreground_group)
        program = _foreground_program(leader, group)
        others = [member for member in members if program is None or member not in group]
        if self._meter.share(others) >= BUSY_SHARE:
            return self._using_processor("activity.terminal.background", others)
        if program is None:
            return _State(False, True, Message("activity.terminal.prompt"))
        return self._foreground(program, group)

    def _foreground(self, program: Process, group: list[Process]) -> _State:
        values = {"program": program.title}
        if _is_named(program, MULTIPLEXERS):
            return _State(False, True, Message("activity.terminal.multiplexer", values))
        if not any(is_server(member) or _is_named(member, self._exempt) for member in group):
            reason = Message("activity.terminal.foreground", values)
            return _State(True, True, reason, program.pid)
        if self._meter.share(group) >= self._limit(program):
            return self._using_processor("activity.terminal.exempt_works", group)
        return _State(False, False, Message("activity.terminal.exempt", values))

    def _using_processor(self, code: str, processes: list[Process]) -> _State:
        """Return the state of a terminal whose processes work by their CPU time."""
        busiest = self._meter.busiest(processes)
        share = percent(self._meter.share(processes))
        values = {"program": busiest.title if busiest else "", "percent": share}
        return _State(True, True, Message(code, values), busiest.pid if busiest else None)

    def _limit(self, program: Process) -> float:
        """Return the share of one processor from which a program that does not count works after all."""
        if is_server(program) or _is_named(program, MONITORS):
            return MONITOR_SHARE
        # A pager at the end of a pipe is no reason to ignore the program that writes into it.
        return EXEMPT_SHARE if _is_named(program, self._exempt) else BUSY_SHARE


def _foreground_program(leader: Process, group: list[Process]) -> Process | None:
    """Return the program in the foreground of a terminal; None at the prompt, also of a shell in the shell."""
    if leader in group:
        # A terminal may run a program in the place of a shell, such as a pane of tmux.
        return None if _is_named(leader, SHELLS) else leader
    program = next((member for member in group if member.pid == member.group), None)
    program = program or next(iter(group), None)
    return None if program is None or _is_interactive_shell(program, group) else program


def _is_interactive_shell(program: Process, group: list[Process]) -> bool:
    """Return whether a program is a shell at its prompt: without a script, and alone in its group."""
    has_script = any(_is_script(word) for word in program.command[1:])
    return _is_named(program, SHELLS) and not has_script and len(group) == 1


def _is_script(word: str) -> bool:
    """Return whether an argument of a shell is a script, or the option that a command follows."""
    return not word.startswith("-") or ("c" in word and not word.startswith("--"))


def _is_named(process: Process, patterns: Iterable[str]) -> bool:
    words = {process.name, *(Path(word).name.lstrip("-") for word in process.command[:1])}
    return any(fnmatch.fnmatchcase(word, pattern) for word in words for pattern in patterns)
