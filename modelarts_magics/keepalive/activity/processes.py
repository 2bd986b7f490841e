"""The processes of this user: one look, and the CPU time that was used between two looks.

A look is shared by all sources that need it. psutil is imported at the first look: every environment with a kernel
has it, and an environment without it has no such sources.

Processes are taken together by their POSIX session. A terminal's shell and a kernel each lead one, and what they
start stays in it, also after ``nohup`` and after the end of the shell.
"""

from __future__ import annotations

import fnmatch
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelarts_magics.keepalive.activity.kernels import KernelProcess, kernel_name
from modelarts_magics.keepalive.activity.source import PROCESS, Source, UnreadableError
from modelarts_magics.keepalive.processes import process_started
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

BUSY_SHARE = 0.02
"""The share of one processor from which processes in the background count as working.

A kernel, a shell or an editor at rest uses less than 0.002."""
SERVER_PROGRAMS = frozenset(
    (
        "jupyter-lab",
        "jupyter-labhub",
        "jupyter-notebook",
        "jupyter-server",
        "jupyter_server",
        "jupyterhub",
        "jupyterhub-singleuser",
        "jupyterhub.singleuser",
        "jupyterlab",
        "notebook",
        "sshd",
        "sshd-session",
        "tmux: server",
        "screen",
        "SCREEN",
        "supervisord",
    )
)
"""The programs whose sessions belong to the machine and are not somebody's work."""
_EDITOR_SERVERS = (".vscode-server", "code-server")
"""Parts of the paths of editors that run on the machine."""
_SHOWN_COMMAND_LENGTH = 60
_SYSTEM_THREADS = 2
"""The ID of their parent on Linux."""
_Key = tuple[int, float, str]


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
        started: When it started, in seconds since the epoch; with the ID it identifies the process.
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


@dataclass(frozen=True)
class Look:
    """The processes of this user at one time.

    Attributes:
        at: The time, by the clock of the API.
        monotonic_s: The same by the clock that nobody sets, in seconds.
        processes: The processes by ID.
    """

    at: datetime
    monotonic_s: float
    processes: Mapping[int, Process]

    def members(self, session: int) -> list[Process]:
        """Return the processes of a session."""
        return self._sessions.get(session, [])

    @cached_property
    def _sessions(self) -> dict[int, list[Process]]:
        found: dict[int, list[Process]] = {}
        for process in self.processes.values():
            found.setdefault(process.session, []).append(process)
        return found


class ProcessReader:
    """Read the processes of this user; the parts that never change are read once."""

    def __init__(self) -> None:
        self._known: dict[_Key, tuple[str, ...] | None] = {}

    def read(self, *, at: datetime, monotonic_s: float) -> Look:
        """Return the processes of this user.

        Args:
            at: The time, by the clock of the API.
            monotonic_s: The time by the monotonic clock, in seconds.

        Raises:
            UnreadableError: psutil is not installed.
        """
        try:
            import psutil  # noqa: PLC0415 - loaded when used
        except ImportError as error:
            raise UnreadableError(Message("activity.processes.no_psutil")) from error
        found: dict[int, Process] = {}
        known: dict[_Key, tuple[str, ...] | None] = {}
        for entry in psutil.process_iter():
            try:
                with entry.oneshot():
                    # With the name: a process that has just been forked has the command line of its parent.
                    key = (entry.pid, entry.create_time(), entry.name())
                    command = known[key] = self._command(entry, key)
                    if command is not None:
                        found[entry.pid] = _process(entry, command)
            except (psutil.Error, OSError):
                # It ended during the look, or belongs to somebody else.
                continue
        self._known = known
        return Look(at, monotonic_s, found)

    def _command(self, entry: Any, key: _Key) -> tuple[str, ...] | None:  # noqa: ANN401 - psutil has no types
        """Return the command line; None for a process of another user, and for a thread of the system."""
        if key in self._known:
            return self._known[key]
        if hasattr(os, "getuid") and entry.uids().real != os.getuid():
            return None
        command = tuple(entry.cmdline())
        # Most processes of root are threads of the system.
        return command if command or entry.ppid() != _SYSTEM_THREADS else None


def _process(entry: Any, command: tuple[str, ...]) -> Process:  # noqa: ANN401 - psutil has no types
    times = entry.cpu_times()
    return Process(
        pid=entry.pid,
        parent=entry.ppid(),
        group=os.getpgid(entry.pid),
        session=os.getsid(entry.pid),
        name=entry.name(),
        command=command,
        started=entry.create_time(),
        own_cpu_s=times.user + times.system,
        children_cpu_s=getattr(times, "children_user", 0.0)
        + getattr(times, "children_system", 0.0),
    )


class CpuMeter:
    """The share of one processor that each process used between two looks.

    The children that a session's leader waited for are left out: they are the commands that ran in the foreground
    of a shell and have ended.
    """

    def __init__(self) -> None:
        self._previous: Look | None = None
        self._shares: dict[int, float] = {}

    def update(self, look: Look) -> None:
        """Compare a look with the one before."""
        previous, self._previous = self._previous, look
        self._shares = {}
        if previous is None or look.monotonic_s <= previous.monotonic_s:
            return
        elapsed_s = look.monotonic_s - previous.monotonic_s
        for process in look.processes.values():
            before = previous.processes.get(process.pid)
            known = before is not None and before.started == process.started
            used = _cpu_s(process) - (_cpu_s(before) if known and before else 0.0)
            self._shares[process.pid] = max(0.0, used) / elapsed_s

    def share(self, processes: Iterable[Process]) -> float:
        """Return the share of one processor that some processes used together; 0 at the first look."""
        return sum(self._shares.get(process.pid, 0.0) for process in processes)

    def busiest(self, processes: Iterable[Process]) -> Process | None:
        """Return the process that used the most; None if there is none."""
        return max(processes, key=lambda process: self._shares.get(process.pid, 0.0), default=None)


def _cpu_s(process: Process) -> float:
    return process.own_cpu_s + (0.0 if process.is_leader else process.children_cpu_s)


class ProcessDetector:
    """Work in the background of idle kernels and outside of terminals, and the programs that the user named.

    Args:
        meter: The CPU times, which are updated before each look.
        patterns: The programs that count as working as long as they run: patterns of the shell, compared with the
            name and with the command line.
    """

    def __init__(self, meter: CpuMeter, *, patterns: Sequence[str] = ()) -> None:
        self._meter = meter
        self.set_patterns(patterns)
        self._since: dict[tuple[int, str], datetime] = {}

    def set_patterns(self, patterns: Sequence[str]) -> None:
        """Replace the programs that count as long as they run."""
        self._patterns = tuple(patterns)

    def detect(
        self,
        look: Look,
        taken: frozenset[int],
        kernels: Sequence[Source] = (),
        previous: Look | None = None,
    ) -> list[Source]:
        """Return what works.

        Args:
            look: The processes.
            taken: The sessions of kernels and terminals.
            kernels: The kernels.
            previous: The look before; None at the first one.
        """
        idle = [kernel for kernel in kernels if kernel.busy is False]
        of_kernels = [
            source for kernel in idle for source in self.of_kernel(kernel, look, previous)
        ]
        sources = [*of_kernels, *self._named(look), *self._background(look, taken)]
        self._since = {
            key: since
            for key, since in self._since.items()
            if any(key == (min(source.pids), source.name) for source in sources)
        }
        return sources

    def of_kernel(self, kernel: Source, look: Look, previous: Look | None) -> list[Source]:
        """Return the background work of a kernel that runs no cell.

        Args:
            kernel: The kernel.
            look: The processes.
            previous: The look before; None at the first one.
        """
        members = [
            member
            for pid in kernel.pids
            for member in look.members(pid)
            # The CPU time of the kernel itself is that of a cell, if one has ended since the last look.
            if member.pid != pid or (previous is not None and kernel.since <= previous.at)
        ]
        share, busiest = self._meter.share(members), self._meter.busiest(members)
        if share < BUSY_SHARE or busiest is None:
            return []
        values = {"kernel": kernel.name, "percent": percent(share)}
        return [self._source(busiest, members, look, Message("activity.process.of_kernel", values))]

    def _named(self, look: Look) -> list[Source]:
        return [
            self._source(process, [process], look, Message("activity.process.named"))
            for process in look.processes.values()
            if _matches(process, self._patterns)
        ]

    def _background(self, look: Look, taken: frozenset[int]) -> list[Source]:
        ignored = taken | _server_sessions(look)
        sources = []
        for session in sorted({process.session for process in look.processes.values()} - ignored):
            members = look.members(session)
            share = self._meter.share(members)
            busiest = self._meter.busiest(members)
            if share >= BUSY_SHARE and busiest:
                reason = Message("activity.process.cpu", {"percent": percent(share)})
                sources.append(self._source(busiest, members, look, reason))
        return sources

    def _source(
        self, process: Process, members: Sequence[Process], look: Look, reason: Message
    ) -> Source:
        pids = frozenset(member.pid for member in members)
        since = self._since.setdefault((min(pids), process.title), look.at)
        return Source(PROCESS, process.title, True, since, reason, pids=pids, worker=process.pid)


def percent(share: float) -> int:
    """Return a share of one processor in percent."""
    return round(share * 100)


def _matches(process: Process, patterns: Sequence[str]) -> bool:
    words = (process.name, " ".join(process.command))
    return any(fnmatch.fnmatchcase(word, pattern) for word in words for pattern in patterns)


def _server_sessions(look: Look) -> frozenset[int]:
    """Return the sessions of this process and its children, of the first process and of servers.

    The children send notifications and run the command before a stop, and must not postpone that.
    """
    own = {os.getsid(0)}
    own |= {each.session for each in look.processes.values() if each.parent == os.getpid()}
    with_init = {process.session for process in look.processes.values() if process.pid == 1}
    servers = {process.session for process in look.processes.values() if is_server(process)}
    return frozenset(own | with_init | servers)


def is_server(process: Process) -> bool:
    """Return whether a process is a server of the machine, such as Jupyter."""
    words = (process.name, *process.command[:3])
    # A Path for each word of each process would take most of the time of a look.
    return any(
        word.rpartition("/")[2] in SERVER_PROGRAMS or any(part in word for part in _EDITOR_SERVERS)
        for word in words
    )


def find_kernel_process(path: Path) -> KernelProcess | None:
    """Return the process whose command line names a connection file; None if it is not found.

    Jupyter tells the kernel the path of its notebook in a variable of the environment.

    Source: jupyter_server, ``services/sessions/sessionmanager.py`` (``JPY_SESSION_NAME``).
    """
    try:
        import psutil  # noqa: PLC0415 - loaded when used
    except ImportError:
        return None
    for entry in psutil.process_iter():
        try:
            command = entry.cmdline()
            if not _is_kernel_of(command, str(path)):
                continue
            notebook = entry.environ().get("JPY_SESSION_NAME", "")
        except (psutil.Error, OSError):
            continue
        name = Path(notebook).name or kernel_name(path)
        return KernelProcess(entry.pid, process_started(entry.pid), name)
    return None


def _is_kernel_of(command: Sequence[str], path: str) -> bool:
    """Return whether a command line is that of the kernel of a connection file, not that of a client."""
    names_file = any(word == path or word.endswith(f"={path}") for word in command)
    return names_file and "--existing" not in command


def connection_files(look: Look) -> list[Path]:
    """Return the files named by command lines that may be connection files."""
    words = {word.rpartition("=")[2] for each in look.processes.values() for word in each.command}
    return [Path(word) for word in words if word.endswith(".json") and word.startswith("/")]
