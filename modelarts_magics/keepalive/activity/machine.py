"""Everything on this machine but the kernels' own reports: terminals, other processes, GPUs and NPUs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from modelarts_magics.keepalive.activity.accelerators import AcceleratorDetector, Holder
from modelarts_magics.keepalive.activity.processes import (
    BUSY_SHARE,
    CpuMeter,
    ProcessDetector,
    ProcessReader,
    connection_files,
)
from modelarts_magics.keepalive.activity.source import PROCESS, TERMINAL, Source, UnreadableError
from modelarts_magics.keepalive.activity.terminals import TerminalDetector
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from modelarts_magics.keepalive.activity.accelerators import Reader
    from modelarts_magics.keepalive.activity.processes import Look, Process

PROCESS_INTERVAL = timedelta(minutes=1)
"""The time between two looks at the processes."""
FIRST_INTERVAL = timedelta(seconds=3)
"""The time between the first two looks, after which CPU times are known."""
SOON = timedelta(seconds=20)
"""The shortest time between two looks when work has ended in between, within the grace period before a stop."""
SHORTEST_INTERVAL_S = 1.0
"""In less time, the CPU times of processes, which the system counts in hundredths of a second, say nothing."""
HOLDER_SHARE = 0.0003
"""The share of one processor from which a process that holds memory of a device works.

Measured on an H200: 0.0009 for a job that computes for 1 ms every 5 s, and 0 for one that only holds memory.
"""


CAN_READ_TERMINALS = Path("/proc/self/stat").exists()
"""Whether this system tells the foreground process group of a terminal."""


class MachineDetector:
    """Terminals, processes and devices; a look at one kind may be due before the next look at another.

    Args:
        accelerators: Readers of devices.
        device_folder: Where the drivers create their devices; replaced in tests.
        time_scale: By how much waits are divided; 1 except in tests.
        reader: Reads the processes; replaced in tests.

    Attributes:
        connection_files: The files named by command lines that may be connection files of kernels.
        is_complete: Whether CPU times have been compared.
    """

    def __init__(
        self,
        *,
        accelerators: Sequence[Reader] = (),
        device_folder: Path = Path("/dev"),
        time_scale: float = 1.0,
        reader: ProcessReader | None = None,
    ) -> None:
        self.is_complete = False
        self._time_scale = time_scale
        self.connection_files: list[Path] = []
        self._reader = reader or ProcessReader()
        self._meter = CpuMeter()
        self._terminals = TerminalDetector(self._meter)
        self._processes = ProcessDetector(self._meter)
        self._devices = [
            AcceleratorDetector(reader, find_holder=self._find_holder, device_folder=device_folder)
            for reader in accelerators
        ]
        self._due_s: dict[object, float] = {}
        self._found: dict[object, list[Source]] = {}
        self._look: Look | None = None
        self._working: frozenset[int] = frozenset()
        self._kernels: dict[int, str] = {}

    def set_programs(self, *, exempt: Sequence[str], named: Sequence[str]) -> None:
        """Set the programs of the settings, as patterns of the shell, from the next look on.

        Args:
            exempt: Further programs in terminals that do not count.
            named: The programs that count as long as they run.
        """
        self._terminals.set_exempt(exempt)
        self._processes.set_patterns(named)

    def is_due(self, monotonic_s: float) -> bool:
        """Return whether a look is due, by the monotonic clock, in seconds."""
        return any(self._is_due(key, monotonic_s) for key in (self._reader, *self._devices))

    def look_soon(self, monotonic_s: float) -> None:
        """Let the next look at the processes be due now, if the last one was some seconds ago."""
        due_s = self._due_s.get(self._reader, 0.0)
        earliest_s = due_s - (PROCESS_INTERVAL - SOON).total_seconds() / self._time_scale
        self._due_s[self._reader] = min(due_s, max(monotonic_s, earliest_s))

    def detect(self, now: datetime, monotonic_s: float, kernels: Sequence[Source]) -> list[Source]:
        """Look at the kinds that are due, and return all sources.

        Args:
            now: The time by the clock of the API.
            monotonic_s: The time by the monotonic clock, in seconds.
            kernels: The kernels as they are now.
        """
        if self._is_due(self._reader, monotonic_s):
            interval = FIRST_INTERVAL if self._look is None else PROCESS_INTERVAL
            self._found[self._reader] = self._look_at_processes(now, monotonic_s, kernels)
            self._schedule(self._reader, monotonic_s, interval)
        for device in self._devices:
            if self._is_due(device, monotonic_s):
                self._found[device] = device.detect(now)
                self._schedule(device, monotonic_s, device.interval)
        return [source for sources in self._found.values() for source in sources]

    def close(self) -> None:
        """Release the drivers."""
        for device in self._devices:
            device.close()

    def _is_due(self, key: object, monotonic_s: float) -> bool:
        return monotonic_s >= self._due_s.get(key, 0.0)

    def _schedule(self, key: object, monotonic_s: float, interval: timedelta) -> None:
        wait_s = interval.total_seconds() / self._time_scale
        self._due_s[key] = monotonic_s + max(wait_s, SHORTEST_INTERVAL_S)

    def _look_at_processes(
        self, now: datetime, monotonic_s: float, kernels: Sequence[Source]
    ) -> list[Source]:
        try:
            look = self._reader.read(at=now, monotonic_s=monotonic_s)
        except UnreadableError as error:
            self.is_complete = True
            return [Source(PROCESS, "processes", None, now, error.reason)]
        previous, self._look = self._look, look
        self.is_complete = previous is not None
        self._meter.update(look)
        self.connection_files = connection_files(look)
        terminals = self._terminals.detect(look)
        unreadable = [] if CAN_READ_TERMINALS else [_unreadable_terminals(now)]
        self._note_working(kernels, terminals)
        taken = frozenset(self._kernels) | {
            look.processes[pid].session
            for each in terminals
            for pid in each.pids
            if pid in look.processes
        }
        processes = self._processes.detect(look, taken, kernels, previous)
        return [*terminals, *unreadable, *processes]

    def _note_working(self, kernels: Sequence[Source], terminals: Sequence[Source]) -> None:
        self._kernels = {pid: kernel.name for kernel in kernels for pid in kernel.pids}
        busy = [source for source in (*kernels, *terminals) if source.busy]
        self._working = frozenset(pid for source in busy for pid in source.pids)

    def _find_holder(self, pids: Sequence[int]) -> Holder | None:
        """Return a process that holds memory of a device, one that works if there is one."""
        look = self._look
        if look is None:
            return None
        found = [look.processes[pid] for pid in pids if pid in look.processes]
        holders = [
            Holder(self._kernels.get(process.pid, process.title), self._works(process))
            for process in found
        ]
        return max(holders, key=lambda holder: holder.works, default=None)

    def _works(self, process: Process) -> bool:
        """Return whether the kernel or terminal of a process is busy, or its CPU time grows."""
        if self._working & {process.pid, process.session}:
            return True
        # A kernel at rest uses a little CPU time.
        limit = BUSY_SHARE if process.pid in self._kernels else HOLDER_SHARE
        return self._meter.share([process]) >= limit


def _unreadable_terminals(now: datetime) -> Source:
    return Source(TERMINAL, "", None, now, Message("activity.terminal.no_proc"))
