"""The line after a cell: once for a threshold and a stop time, from what is known, and never in the way."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from factories import (
    HOUR,
    MINUTE,
    NOW,
    disabled_auto_stop,
    idle_auto_stop,
    make_instance,
    timed_auto_stop,
)

from modelarts_magics.domain.models import Instance, Status, StopTimeUnknown
from modelarts_magics.kernel.reminder import Reminder

if TYPE_CHECKING:
    from conftest import NotebookShell
    from emulator_harness import EmulatorHarness


class FakeSession:
    """What a session knows without asking anybody."""

    def __init__(self, known: Instance | None) -> None:
        self.known = known
        self.time = NOW

    def last_known(self) -> Instance | None:
        """Return the instance as last seen."""
        return self.known

    def now(self) -> datetime:
        """Return the cloud's time."""
        return self.time


class ReminderHarness:
    """Cells of somebody who is reminded."""

    def __init__(self, known: Instance | None = None) -> None:
        self.session = FakeSession(known or make_instance(timed_auto_stop(HOUR)))
        self.said: list[str] = []
        self._reminder = Reminder(show=self.said.append)

    def run_cells(self, *minutes_left: float) -> list[str]:
        """End a cell at each of these times before the first end, and return what was said."""
        for left in minutes_left:
            self.session.time = NOW + HOUR - timedelta(minutes=left)
            self._reminder.after_cell(self.session)  # type: ignore[arg-type]  # it asks these two
        said, self.said[:] = list(self.said), []
        return said


def test_each_threshold_once() -> None:
    """However many cells end between them."""
    cells = ReminderHarness()
    assert cells.run_cells(59, 31, 30.5) == []
    assert cells.run_cells(29.5, 29, 20, 10.5) == [
        "Stops at 09:52, 29 min left. To extend: `%modelarts extend`"
    ]
    assert cells.run_cells(9.9, 9, 5, 2.5) == [
        "Stops at 09:52, 9 min left. To extend: `%modelarts extend`"
    ]
    assert cells.run_cells(1.75, 1, 0.5) == [
        "Stops at 09:52, 1 min left. To extend: `%modelarts extend`"
    ]
    assert cells.run_cells(0, -1, -10) == []


@pytest.mark.parametrize(("left", "words"), [(30, "30 min"), (10, "10 min"), (1, "1 min")])
def test_a_threshold_is_met_by_the_second(left: float, words: str) -> None:
    """Not a cell later."""
    assert ReminderHarness().run_cells(left) == [
        f"Stops at 09:52, {words} left. To extend: `%modelarts extend`"
    ]


def test_a_clock_that_is_set_back_brings_no_line_again() -> None:
    """The end is the same one."""
    cells = ReminderHarness()
    assert len(cells.run_cells(29.9)) == 1
    assert cells.run_cells(30.1, 29.8) == []


def test_a_long_cell_passes_two_at_once() -> None:
    """One line is enough."""
    cells = ReminderHarness()
    assert cells.run_cells(45) == []
    assert cells.run_cells(9.5) == ["Stops at 09:52, 9 min left. To extend: `%modelarts extend`"]
    assert cells.run_cells(8) == []


def test_the_last_minute_is_in_seconds() -> None:
    """It is the only one that can be."""
    assert ReminderHarness().run_cells(0.75) == [
        "Stops at 09:52, 45 s left. To extend: `%modelarts extend`"
    ]


def test_a_new_end_is_reminded_of_anew() -> None:
    """And the old one no more; a few seconds more or less are none."""
    cells = ReminderHarness()
    assert len(cells.run_cells(9)) == 1
    cells.session.known = make_instance(timed_auto_stop(HOUR + timedelta(seconds=3)))
    assert cells.run_cells(8) == []
    cells.session.known = make_instance(timed_auto_stop(2 * HOUR))
    assert cells.run_cells(5) == []
    assert cells.run_cells(-51) == ["Stops at 10:52, 9 min left. To extend: `%modelarts extend`"]


@pytest.mark.parametrize(
    "given",
    [
        make_instance(disabled_auto_stop()),
        make_instance(idle_auto_stop()),
        make_instance(timed_auto_stop(None, stop_time_unknown=StopTimeUnknown.PAST)),
        make_instance(status=Status.STOPPED),
        make_instance(status=Status.STOPPING),
    ],
)
def test_no_end_no_line(given: Instance) -> None:
    """Nothing is made up."""
    assert ReminderHarness(given).run_cells(40, 9, 1, 0) == []


def test_who_knows_nothing_says_so_once() -> None:
    """Nobody shall rely on a reminder that cannot come."""
    cells = ReminderHarness()
    cells.session.known = None
    assert cells.run_cells(9, 8) == [
        "The stop time is not known in this kernel yet, so no reminder can be shown. Run `%modelarts` first."
    ]
    cells.session.known = make_instance(timed_auto_stop(HOUR))
    assert len(cells.run_cells(7)) == 1


def test_nothing_breaks_a_cell() -> None:
    """Whatever is wrong with what is known."""

    class Broken:
        def last_known(self) -> Instance:
            raise OSError("the disk is away")

    Reminder().after_cell(Broken())  # type: ignore[arg-type]  # it is broken


def test_in_a_kernel(notebook: NotebookShell, harness: EmulatorHarness) -> None:
    """Off until it is wanted, without a request, and gone with the extension."""
    notebook.run("%modelarts")
    harness.emulator.advance(12 * MINUTE)
    notebook.run("x = %modelarts")  # now the known time is 28 minutes before the end
    assert notebook.run("1;") == ""
    harness.emulator.clear_requests()
    shown = notebook.run("%config ModelArts.remind = True")
    assert shown.startswith("Stops at 16:40, ")
    assert notebook.run("1;") == ""
    assert harness.emulator.requests == []
    notebook.run("%config ModelArts.remind = False")
    notebook.run("%config ModelArts.remind = True")
    notebook.run("%unload_ext modelarts_magics")
    assert not [
        each
        for each in notebook.shell.events.callbacks["post_run_cell"]
        if "modelarts" in getattr(each, "__module__", "")
    ]
    assert notebook.run("1;") == ""


def test_before_any_command(notebook: NotebookShell) -> None:
    """It says that it knows nothing yet."""
    shown = notebook.run("%config ModelArts.remind = True")
    assert shown.startswith("The stop time is not known in this kernel yet")
    assert notebook.run("1;") == ""


def test_asking_for_settings_leaves_it_out(notebook: NotebookShell) -> None:
    """It is none of the connection's."""
    notebook.run("%config ModelArts.remind = True")
    notebook.run("%modelarts")
    assert "remind" not in notebook.run("%modelarts doctor --json")
