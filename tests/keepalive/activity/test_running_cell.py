"""Tests of keeping the instance until a cell ends that already ran."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from factories import HOUR, MINUTE, NOW
from keepalive.activity.test_kernels import Bench

from modelarts_magics.keepalive.activity.running_cell import CONNECTION_FILE, RunningCells
from modelarts_magics.keepalive.guards import (
    NAMED,
    RUNNING_CELL,
    Guard,
    is_alive,
    read_guards,
    save_guard,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keepalive.fake_kernel import FakeKernel

FILE = "kernel-abcdef0123.json"


class Setup:
    """A kernel, and a guard for the cell that it runs."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.folder = bench.folder / "daemon"
        self.folder.mkdir()
        details = {CONNECTION_FILE: str(bench.folder / FILE)}
        guard = Guard("train.ipynb", RUNNING_CELL, 1, NOW, NOW + HOUR, details=details)
        save_guard(self.folder, guard)
        save_guard(self.folder, Guard("upload", NAMED, 1, NOW, NOW + HOUR))
        assert is_alive(self.folder, guard)
        self.cells = RunningCells(self.folder)

    def is_kept(self) -> bool:
        """Look at the kernels and the guards; return whether the instance is kept for the cell."""
        self.bench.look()
        guards = read_guards(self.folder)
        self.cells.update(guards, self.bench.detector.progress, self.bench.now_s)
        names = [guard.name for guard in read_guards(self.folder)]
        assert "upload" in names
        return "train.ipynb" in names

    def wait_until_let_go(self) -> None:
        """Wait until the guard has ended."""
        self.bench.wait(lambda _: not self.is_kept())


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    """Return a folder of kernels and a guard."""
    bench = Bench(tmp_path)
    yield Setup(bench)
    bench.close()


def run_cell(setup: Setup) -> FakeKernel:
    """Start a kernel with a running cell that the daemon did not see begin."""
    kernel = setup.bench.start_kernel(FILE)
    setup.bench.wait(lambda sources: bool(sources) and setup.is_kept())
    setup.bench.now_s += 3
    setup.bench.wait(lambda sources: sources[0].busy is True)
    assert setup.is_kept()
    return kernel


def test_guard_ends_with_the_cell_although_the_next_one_runs(setup: Setup) -> None:
    """The cell that ran is kept, and not the one after it."""
    kernel = run_cell(setup)
    kernel.status("idle", "cell-1")
    kernel.status("busy", "cell-2")
    setup.wait_until_let_go()
    setup.bench.wait(lambda sources: sources[0].busy is True)


def test_guard_ends_with_the_kernel(setup: Setup) -> None:
    """A kernel that was killed or shut down runs no cell."""
    run_cell(setup).close()
    setup.wait_until_let_go()


def test_guard_of_a_cell_that_has_just_ended_ends(setup: Setup) -> None:
    """The cell may end before the daemon looks at its kernel."""
    kernel = setup.bench.start_kernel(FILE)
    setup.bench.observe(kernel)
    assert not setup.is_kept()


def test_guard_of_a_kernel_that_does_not_answer_ends(setup: Setup) -> None:
    """Without a connection nothing would ever end it before its limit."""
    assert setup.is_kept()
    setup.bench.now_s += MINUTE.total_seconds()
    assert not setup.is_kept()
