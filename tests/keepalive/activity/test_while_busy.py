"""Tests of keeping the instance while anything works."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from factories import HOUR, MINUTE, NOW
from keepalive.activity.test_watcher import GPU_UNKNOWN, TRAINING, VIM

from modelarts_magics.keepalive.activity.report import ActivityReport
from modelarts_magics.keepalive.activity.while_busy import WhileBusy
from modelarts_magics.keepalive.guards import NAMED, WHILE_BUSY, Guard, read_guards, save_guard

if TYPE_CHECKING:
    from pathlib import Path

    from modelarts_magics.keepalive.activity.source import Source

GUARD = Guard("while-busy", WHILE_BUSY, 1, NOW, NOW + 12 * HOUR)
IDLE = replace(TRAINING, busy=False)


class Setup:
    """A guard, and looks at what works."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.minute = 0
        self._while_busy = WhileBusy(folder)
        save_guard(folder, GUARD)

    def wait(self, minutes: int, *sources: Source, is_complete: bool = True) -> bool:
        """Look once a minute; return whether there still is a guard."""
        for _ in range(minutes):
            report = ActivityReport(sources, NOW, 1, is_complete=is_complete)
            self._while_busy.update(self.guards, report, NOW + self.minute * MINUTE)
            self.minute += 1
        return bool(self.guards)

    @property
    def guards(self) -> list[Guard]:
        """The guards."""
        return read_guards(self.folder)


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    """Return a guard while anything works."""
    return Setup(tmp_path)


def test_guard_ends_after_ten_idle_minutes(setup: Setup) -> None:
    """Work keeps the instance; ten minutes without any let it go."""
    assert setup.wait(60, TRAINING, VIM)
    assert setup.wait(10, IDLE, VIM)
    assert not setup.wait(1, IDLE, VIM)


def test_work_in_between_begins_the_ten_minutes_again(setup: Setup) -> None:
    """The ten minutes are without interruption."""
    setup.wait(9, IDLE)
    setup.wait(1, TRAINING)
    assert setup.wait(10, IDLE)


def test_unknown_does_not_keep(setup: Setup) -> None:
    """A GPU that cannot be known would keep the instance up to the bound."""
    assert not setup.wait(11, IDLE, GPU_UNKNOWN)


def test_new_daemon_does_not_let_go_before_it_has_looked(setup: Setup) -> None:
    """A report without a look at terminals and processes says nothing."""
    assert setup.wait(30, is_complete=False)


def test_reason_names_the_work(setup: Setup) -> None:
    """The guard, and so each renewal, says why the instance is kept."""
    setup.wait(1, TRAINING, replace(GPU_UNKNOWN, busy=True, name="GPU 0"))
    (guard,) = setup.guards
    assert guard.reason == "train.ipynb, GPU 0"
    assert (guard.id, guard.until) == (GUARD.id, GUARD.until)


def test_other_guards_are_left_alone(setup: Setup) -> None:
    """Only the guard of ``--while-busy`` ends when nothing works."""
    save_guard(setup.folder, Guard("upload", NAMED, 1, NOW, NOW + HOUR))
    setup.wait(20, IDLE)
    assert [guard.name for guard in setup.guards] == ["upload"]
