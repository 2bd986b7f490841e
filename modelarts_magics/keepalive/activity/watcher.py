"""Watch the work on this machine: the component of the daemon that combines all sources.

Kernels are read at each pass of the loop, which costs microseconds. Processes and devices are looked at once a
minute, in a thread, because a driver may take seconds to answer.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from modelarts_magics.domain.durations import parse_duration
from modelarts_magics.errors import ModelArtsError
from modelarts_magics.keepalive.activity.accelerators import GpuReader, NpuReader
from modelarts_magics.keepalive.activity.kernels import KernelDetector, connection_file_folders
from modelarts_magics.keepalive.activity.machine import MachineDetector
from modelarts_magics.keepalive.activity.processes import find_kernel_process
from modelarts_magics.keepalive.activity.report import ActivityReport, save_report
from modelarts_magics.keepalive.activity.running_cell import CONNECTION_FILE, RunningCells
from modelarts_magics.keepalive.activity.source import KERNEL, PROCESS, TERMINAL, Source
from modelarts_magics.keepalive.activity.while_busy import WhileBusy
from modelarts_magics.keepalive.guards import PID, RUNNING_CELL
from modelarts_magics.keepalive.processes import is_process_alive
from modelarts_magics.keepalive.requests import current_settings
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from modelarts_magics.config.settings import Settings
    from modelarts_magics.keepalive.components import ComponentContext
    from modelarts_magics.keepalive.guards import Guard

KERNEL_INTERVAL_S = 1.5
"""The shortest time between two readings of the kernels; the loop makes a pass every second."""
_RUNNING_KINDS = (KERNEL, TERMINAL, PROCESS)
"""The kinds of sources that run, or do not run, at any moment."""


class Watcher:
    """Combine all sources, and write the report whenever it changes.

    Args:
        folder: The folder of the daemon.
        kernels: The kernels.
        machine: Everything else.
        monotonic: The monotonic clock, in seconds.
        start_thread: Runs a look in the background; replaced in tests.
        load_settings: Returns the current settings of programs and of the time after which ``keep --while-busy``
            ends; None for the defaults.
    """

    def __init__(  # noqa: PLR0913 - its parts, each replaced in tests
        self,
        folder: Path,
        *,
        kernels: KernelDetector,
        machine: MachineDetector,
        monotonic: Callable[[], float] = time.monotonic,
        start_thread: Callable[[Callable[[], None]], None] | None = None,
        load_settings: Callable[[], Settings] | None = None,
    ) -> None:
        self._folder = folder
        self._kernels = kernels
        self._machine = machine
        self._monotonic = monotonic
        self._start_thread = start_thread or _start_thread
        self._load_settings = load_settings
        self._watched_since: datetime | None = None
        self._kernels_read_s: float | None = None
        self._kernel_readings = 0
        self._kernel_sources: tuple[Source, ...] = ()
        self._machine_sources: tuple[Source, ...] = ()
        self._is_looking = self._is_complete = False
        self._error: Exception | None = None
        self._report: ActivityReport | None = None
        self._while_busy = WhileBusy(folder)
        self._running_cells = RunningCells(folder)

    @property
    def report(self) -> ActivityReport | None:
        """The last report; None before the first update."""
        return self._report

    def update(self, guards: Sequence[Guard], now: datetime) -> None:
        """Read what the kernels have reported, start a look that is due, and write the report if it has changed.

        Args:
            guards: The guards; a process that is guarded is a source itself.
            now: The time by the clock of the API.
        """
        self._watched_since = self._watched_since or now
        now_s = self._monotonic()
        self._read_kernels(guards, now, now_s)
        if not self._is_looking and self._machine.is_due(now_s):
            self._is_looking = True
            self._apply_settings()
            self._start_thread(lambda: self._look(now, now_s))
            self._kernels.add_files(self._machine.connection_files)
        if any(_has_ended(source) for source in self._machine_sources if source.busy):
            self._machine.look_soon(now_s)
        self._write(guards)
        if self._report is not None:
            self._while_busy.update(guards, self._report, now)
        error, self._error = self._error, None
        if error is not None:
            raise error

    def working(self) -> tuple[str, ...]:
        """Return the cells and programs that run now, as texts to show.

        Devices are left out: they count as busy for some time after the end of the work that used them.
        """
        sources = self._report.sources if self._report else ()
        return tuple(
            str(source.describe())
            for source in sources
            if source.busy and source.kind in _RUNNING_KINDS and not _has_ended(source)
        )

    def close(self) -> None:
        """Disconnect from kernels and drivers."""
        self._kernels.close()
        self._machine.close()

    def _read_kernels(self, guards: Sequence[Guard], now: datetime, now_s: float) -> None:
        files = [
            Path(str(each.details.get(CONNECTION_FILE)))
            for each in guards
            if each.kind == RUNNING_CELL
        ]
        last_s = self._kernels_read_s
        # The end of a guarded cell is noticed at once.
        if last_s is None or files or now_s - last_s >= KERNEL_INTERVAL_S:
            self._kernels_read_s = now_s
            self._kernel_readings += 1
            self._kernels.add_files(files)
            self._kernel_sources = tuple(self._kernels.detect(now))
        self._running_cells.update(guards, self._kernels.progress, now_s)

    def _apply_settings(self) -> None:
        """Take changed settings into account, from this look on; an invalid time leaves the last one."""
        if self._load_settings is None:
            return
        settings = self._load_settings()
        self._machine.set_programs(
            exempt=_patterns(settings.get("idle_programs")),
            named=_patterns(settings.get("work_programs")),
        )
        with contextlib.suppress(ModelArtsError):
            self._while_busy.idle_time = parse_duration(settings.get("keep_idle_time"))

    def _look(self, now: datetime, now_s: float) -> None:
        """Look at everything but the kernels; an error is raised at the next update."""
        try:
            sources = self._machine.detect(now, now_s, self._kernel_sources)
            self._machine_sources = tuple(sources)
            self._is_complete = self._machine.is_complete
        except Exception as error:  # noqa: BLE001 - a driver may raise anything
            self._error = error
        self._is_looking = False

    def _are_kernels_known(self) -> bool:
        """Return whether every kernel had the time to accept the connection, and has answered or runs a cell."""
        states = {source.reason.code for source in self._kernel_sources}
        return self._kernel_readings > 1 and "activity.kernel.unobserved" not in states

    def _write(self, guards: Sequence[Guard]) -> None:
        guarded = tuple(_guarded_process(guard) for guard in guards if guard.kind == PID)
        since = self._watched_since
        if since is None:
            return
        report = ActivityReport(
            sources=(*self._kernel_sources, *self._machine_sources, *guarded),
            watched_since=since,
            watcher=os.getpid(),
            is_complete=self._is_complete and self._are_kernels_known(),
        )
        if report != self._report:
            save_report(self._folder, report)
            self._report = report


def _has_ended(source: Source) -> bool:
    """Return whether the process that worked at the last look has ended since then."""
    return source.worker is not None and not is_process_alive(source.worker)


def _guarded_process(guard: Guard) -> Source:
    reason = Message("activity.process.named")
    return Source(PROCESS, guard.name, True, guard.since, reason, pids=frozenset([guard.pid]))


def create_watcher(context: ComponentContext) -> Watcher:
    """Return the watcher of a daemon."""
    kernels = KernelDetector(
        connection_file_folders(context.environ),
        find_process=find_kernel_process,
        page_reports=context.folder,
    )
    machine = MachineDetector(
        accelerators=[GpuReader(), NpuReader(context.environ)],
        time_scale=context.time_scale,
    )
    return Watcher(
        context.folder,
        kernels=kernels,
        machine=machine,
        load_settings=partial(current_settings, context.folder, context.environ),
    )


def _patterns(text: str) -> list[str]:
    """Return the patterns of a setting, which are separated by commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def _start_thread(look: Callable[[], None]) -> None:
    threading.Thread(target=look, name="modelarts-activity", daemon=True).start()
