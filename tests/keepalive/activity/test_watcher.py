"""Tests of the component that combines all sources, and of its report."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import pytest
from factories import HOUR, MINUTE, NOW

from modelarts_magics import messages
from modelarts_magics.config.settings import Settings
from modelarts_magics.keepalive.activity.accelerators import Reading
from modelarts_magics.keepalive.activity.client import without_asker
from modelarts_magics.keepalive.activity.machine import MachineDetector
from modelarts_magics.keepalive.activity.report import ActivityReport, load_report, save_report
from modelarts_magics.keepalive.activity.source import (
    GPU,
    KERNEL,
    PROCESS,
    TERMINAL,
    Source,
    is_anything_busy,
)
from modelarts_magics.keepalive.activity.watcher import Watcher
from modelarts_magics.keepalive.guards import (
    CELL,
    PID,
    WHILE_BUSY,
    Guard,
    exists,
    save_guard,
)
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

CELL_REASON = Message("activity.kernel.cell", {"number": 14})
TRAINING = Source(KERNEL, "train.ipynb", True, NOW, CELL_REASON, pids=frozenset([os.getpid()]))
VIM = Source(
    TERMINAL,
    "pts/1",
    False,
    NOW,
    Message("activity.terminal.exempt", {"program": "vim"}),
    counts=False,
)
GPU_UNKNOWN = Source(GPU, "GPU", None, NOW, Message("activity.gpu.no_driver"))
ENDED_PID = 2**22 + 1
"""An ID that no process has."""


class FakeKernels:
    """Kernels as a test sets them."""

    def __init__(self) -> None:
        self.sources: list[Source] = []
        self.files: list[Path] = []
        self.is_closed = False

    def detect(self, _now: datetime) -> list[Source]:
        """Return the kernels."""
        return list(self.sources)

    def progress(self, _path: Path) -> None:
        """Return that the kernel does not run."""

    def add_files(self, paths: Sequence[Path]) -> None:
        """Note the files."""
        self.files = list(paths)

    def close(self) -> None:
        """Note the end."""
        self.is_closed = True


class FakeMachine:
    """Everything else as a test sets it.

    Attributes:
        programs: The programs of the settings at the last look.
    """

    def __init__(self) -> None:
        self.sources: list[Source] = []
        self.connection_files = [Path("/run/kernel-1.json")]
        self.is_complete = True
        self.looks = 0
        self.programs: dict[str, Sequence[str]] = {}
        self.is_asked_to_look_soon = False
        self.error: Exception | None = None

    def set_programs(self, **programs: Sequence[str]) -> None:
        """Note the programs."""
        self.programs = programs

    def is_due(self, _monotonic_s: float) -> bool:
        """Look at each update."""
        return True

    def look_soon(self, _monotonic_s: float) -> None:
        """Note the request."""
        self.is_asked_to_look_soon = True

    def detect(self, *_arguments: object) -> list[Source]:
        """Return the sources."""
        self.looks += 1
        if self.error is not None:
            raise self.error
        return list(self.sources)

    def close(self) -> None:
        """Release nothing."""


class Setup:
    """A watcher with fakes, whose looks run when the test says so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kernels, self.machine = FakeKernels(), FakeMachine()
        self.now_s = 100.0
        self.settings = Settings.load(environ={})
        self.started: list[Callable[[], None]] = []
        self.watcher = Watcher(
            folder,
            kernels=self.kernels,
            machine=self.machine,
            monotonic=lambda: self.now_s,
            start_thread=self.started.append,
            load_settings=lambda: self.settings,
        )

    def update(self, *guards: Guard, now: datetime = NOW) -> ActivityReport | None:
        """Make a pass, and finish the looks that it has started; return the report in the file."""
        self.now_s += 2
        self.watcher.update(guards, now)
        while self.started:
            self.started.pop()()
            self.watcher.update(guards, now)
            self.started.clear()
        return load_report(self.folder)


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    """Return a watcher with fakes."""
    return Setup(tmp_path)


def test_changed_settings_hold_from_the_next_look_on(setup: Setup) -> None:
    """The daemon need not be started again; a time that is invalid leaves the last one."""
    guard = Guard(WHILE_BUSY, WHILE_BUSY, os.getpid(), NOW, NOW + HOUR)
    save_guard(setup.folder, guard)

    def look(now: datetime, **settings: str) -> None:
        setup.settings = Settings.load(settings, environ={})
        # The first update starts the look, and the second one uses it.
        for _ in range(2):
            setup.now_s += 2
            setup.watcher.update((guard,), now)
            while setup.started:
                setup.started.pop()()

    look(NOW)
    assert setup.machine.programs == {"exempt": [], "named": []}
    look(NOW, idle_programs="tail, rang*", work_programs="*prep.py*", keep_idle_time="2m")
    assert setup.machine.programs == {"exempt": ["tail", "rang*"], "named": ["*prep.py*"]}
    look(NOW + MINUTE, keep_idle_time="soon")
    assert exists(setup.folder, guard)
    look(NOW + 2 * MINUTE, keep_idle_time="soon")
    assert not exists(setup.folder, guard)


def test_report_has_all_sources_and_the_state_of_the_whole(setup: Setup) -> None:
    """The file has kernels, terminals and devices; something that works outweighs the unknown."""
    setup.kernels.sources, setup.machine.sources = [TRAINING], [VIM, GPU_UNKNOWN]
    setup.update()
    report = setup.update()
    assert report is not None
    assert report.sources == (TRAINING, VIM, GPU_UNKNOWN)
    assert (report.busy, report.watcher, report.is_complete) == (True, os.getpid(), True)
    assert report.watched_since == NOW


def test_report_is_incomplete_before_the_first_look(setup: Setup) -> None:
    """A reader can tell a report without terminals from one in which none works."""
    setup.watcher.update([], NOW)
    report = load_report(setup.folder)
    assert report is not None
    assert report.is_complete is False


def test_report_is_incomplete_while_a_kernel_has_not_answered(setup: Setup) -> None:
    """A kernel that has just been found is neither idle nor busy, so the command waits for it."""
    setup.kernels.sources = [
        replace(TRAINING, busy=None, reason=Message("activity.kernel.unobserved"))
    ]
    setup.update()
    report = setup.update()
    assert report is not None
    assert report.is_complete is False
    setup.kernels.sources = [TRAINING]
    report = setup.update()
    assert report is not None
    assert report.is_complete is True


def test_unchanged_report_is_not_written_again(setup: Setup) -> None:
    """A pass without news writes nothing."""
    setup.update()
    setup.update()
    (setup.folder / "activity.json").unlink()
    assert setup.update(now=NOW + HOUR) is None
    setup.kernels.sources = [TRAINING]
    assert setup.update(now=NOW + HOUR) is not None


def test_guarded_process_is_a_source(setup: Setup) -> None:
    """A process that the user named with ``keep --pid`` works as long as it is guarded."""
    guard = Guard("prep", PID, 123, NOW, NOW + HOUR)
    cell = Guard("cell", CELL, 124, NOW, NOW + HOUR)
    report = setup.update(guard, cell)
    assert report is not None
    (source,) = report.sources
    assert (source.kind, source.name, source.busy) == (PROCESS, "prep", True)


def test_failed_look_is_reported_and_repeated(setup: Setup) -> None:
    """An error in the thread reaches the loop, and the next look is made."""
    setup.machine.error = RuntimeError("broken driver")
    with pytest.raises(RuntimeError, match="broken driver"):
        setup.update()
    setup.machine.error, setup.machine.sources = None, [VIM]
    report = setup.update()
    assert report is not None
    assert report.sources == (VIM,)


def test_stop_waits_for_cells_and_programs_only(setup: Setup) -> None:
    """A device counts for a while after its work has ended, so a stop does not wait for it."""
    setup.kernels.sources = [TRAINING]
    setup.machine.sources = [VIM, GPU_UNKNOWN, replace(GPU_UNKNOWN, busy=True)]
    setup.update()
    assert setup.watcher.working() == ("train.ipynb: cell [14]",)


def test_program_that_has_ended_is_looked_at_again_soon(setup: Setup) -> None:
    """A stop does not wait for a program that ended after the last look, and a new look follows."""
    setup.machine.sources = [replace(VIM, busy=True, worker=ENDED_PID)]
    setup.update()
    assert setup.machine.is_asked_to_look_soon
    assert setup.watcher.working() == ()


def test_kernels_named_by_command_lines_are_followed(setup: Setup) -> None:
    """The look at the processes tells connection files in other folders."""
    setup.update()
    assert setup.kernels.files == setup.machine.connection_files


def test_reason_is_worded_in_the_language_of_the_reader(tmp_path: Path) -> None:
    """The file has codes and values, so that each page and terminal shows its own language."""
    save_report(tmp_path, ActivityReport((TRAINING, GPU_UNKNOWN), NOW, 1, is_complete=True))
    report = load_report(tmp_path)
    assert report is not None
    messages.use_language("zh_CN")
    assert [source.to_json()["reason"] for source in report.sources] == [
        "单元格 [14]",
        "未找到驱动库",
    ]


def test_json_has_the_documented_fields() -> None:
    """``activity --json`` has the state of the whole and five fields of each source."""
    report = ActivityReport((TRAINING, VIM), NOW, 1, is_complete=True)
    data = json.loads(json.dumps(report.to_json()))
    assert list(data) == ["busy", "sources"]
    assert data["sources"][0] == {
        "kind": "kernel",
        "name": "train.ipynb",
        "busy": True,
        "since": NOW.isoformat(timespec="seconds"),
        "reason": "cell [14]",
    }


@pytest.mark.parametrize("text", ["", "{}", '{"version": 99}', '{"version": 1}'])
def test_unreadable_report_is_none(tmp_path: Path, text: str) -> None:
    """A file of another version, or one that is damaged, is no report."""
    (tmp_path / "activity.json").write_text(text)
    assert load_report(tmp_path) is None


@pytest.mark.parametrize(
    ("states", "expected"),
    [((), False), ((False,), False), ((False, None), None), ((None, True), True)],
)
def test_unknown_is_neither_busy_nor_idle(
    states: tuple[bool | None, ...], expected: bool | None
) -> None:
    """The whole is idle only when everything is known to be."""
    assert is_anything_busy(replace(VIM, busy=state) for state in states) is expected


def test_command_that_asks_does_not_count(tmp_path: Path) -> None:
    """Neither the cell nor the terminal that asks is the work that is asked for."""
    terminal = replace(VIM, busy=True, worker=os.getpid())
    sources = (TRAINING, terminal, GPU_UNKNOWN)
    save_report(tmp_path, ActivityReport(sources, NOW, 1, is_complete=True))
    report = load_report(tmp_path)
    assert report is not None
    seen = without_asker(report, os.getpid())
    assert [source.busy for source in seen.sources] == [False, False, None]
    assert str(seen.sources[0].reason) == "this command"
    assert without_asker(report, ENDED_PID) == report


class OneDevice:
    """A device that a process of this test holds."""

    kind = GPU
    interval_in_use = 12 * MINUTE / 60

    def read(self) -> list[Reading]:
        """Return a device at 0 %."""
        return [Reading("GPU 0", 0, (os.getpid(),), in_use=True)]

    def close(self) -> None:
        """Release nothing."""


@pytest.mark.parametrize(("busy", "works"), [(True, True), (False, False)])
def test_memory_of_a_kernel_counts_while_it_runs_a_cell(busy: bool, works: bool) -> None:
    """A device that a kernel holds is busy with its cell, and named after its notebook."""
    machine = MachineDetector(accelerators=[OneDevice()])
    kernel = replace(TRAINING, busy=busy)
    sources = machine.detect(NOW, 0.0, [kernel])
    (device,) = (source for source in sources if source.kind == GPU)
    assert device.busy is (True if works else None)
    assert ("train.ipynb" in str(device.reason)) is works


def test_looks_follow_the_monotonic_clock() -> None:
    """The second look comes soon, for CPU times; later ones come each minute, or soon after work has ended."""
    machine = MachineDetector()
    machine.detect(NOW, 100.0, [])
    assert not machine.is_complete
    assert [machine.is_due(each) for each in (102.0, 103.0)] == [False, True]
    machine.detect(NOW, 103.0, [])
    assert machine.is_complete
    assert [machine.is_due(each) for each in (162.0, 163.0)] == [False, True]
    machine.look_soon(105.0)
    assert [machine.is_due(each) for each in (122.0, 123.0)] == [False, True]
