"""The reminder after a cell: once per threshold and stop time, from the cache, and never failing a cell."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from emulator_harness import EmulatorHarness
from factories import (
    HOUR,
    NOW,
    disabled_auto_stop,
    idle_auto_stop,
    make_instance,
    timed_auto_stop,
)
from kernel_session import KernelSession

from modelarts_magics.domain.models import Instance, Status, StopTimeUnknown
from modelarts_magics.kernel.reminder import Reminder

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import NotebookShell


class FakeSession:
    """A session with a cached instance and a clock."""

    def __init__(self, instance: Instance | None) -> None:
        self.instance = instance
        self.time = NOW

    def last_known(self) -> Instance | None:
        """Return the cached instance."""
        return self.instance

    def now(self) -> datetime:
        """Return the time by the API's clock."""
        return self.time


class ReminderHarness:
    """Cells of a notebook whose reminders are on."""

    def __init__(self, instance: Instance | None = None) -> None:
        self.session = FakeSession(instance or make_instance(timed_auto_stop(HOUR)))
        self.printed: list[str] = []
        self._reminder = Reminder(show=self.printed.append)

    def run_cells(self, *minutes_left: float) -> list[str]:
        """Run a cell at each of these times before the first stop time, and return the printed lines."""
        for left in minutes_left:
            self.session.time = NOW + HOUR - timedelta(minutes=left)
            self._reminder.after_cell(self.session)  # type: ignore[arg-type]  # a fake
        printed, self.printed[:] = list(self.printed), []
        return printed


def test_one_reminder_per_threshold() -> None:
    """Further cells between two thresholds print nothing."""
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
def test_reminder_is_due_exactly_at_the_threshold(left: float, words: str) -> None:
    """It is not delayed until the next cell."""
    assert ReminderHarness().run_cells(left) == [
        f"Stops at 09:52, {words} left. To extend: `%modelarts extend`"
    ]


def test_clock_set_back_repeats_no_reminder() -> None:
    """The stop time is still the same."""
    cells = ReminderHarness()
    assert len(cells.run_cells(29.9)) == 1
    assert cells.run_cells(30.1, 29.8) == []


def test_two_passed_thresholds_print_one_reminder() -> None:
    """A long cell may pass two thresholds."""
    cells = ReminderHarness()
    assert cells.run_cells(45) == []
    assert cells.run_cells(9.5) == ["Stops at 09:52, 9 min left. To extend: `%modelarts extend`"]
    assert cells.run_cells(8) == []


def test_last_minute_is_given_in_seconds() -> None:
    """Below one minute the time left is in seconds."""
    assert ReminderHarness().run_cells(0.75) == [
        "Stops at 09:52, 45 s left. To extend: `%modelarts extend`"
    ]


def test_new_stop_time_starts_over() -> None:
    """A difference of a few seconds is not a new stop time."""
    cells = ReminderHarness()
    assert len(cells.run_cells(9)) == 1
    cells.session.instance = make_instance(timed_auto_stop(HOUR + timedelta(seconds=3)))
    assert cells.run_cells(8) == []
    cells.session.instance = make_instance(timed_auto_stop(2 * HOUR))
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
def test_no_reminder_without_a_stop_time(given: Instance) -> None:
    """Nothing is printed if the stop time is unknown or the instance is not running."""
    assert ReminderHarness(given).run_cells(40, 9, 1, 0) == []


def test_unknown_instance_is_reported_once() -> None:
    """The user must not rely on a reminder that cannot be given."""
    cells = ReminderHarness()
    cells.session.instance = None
    assert cells.run_cells(9, 8) == [
        "The stop time is not known in this kernel yet, so no reminder can be shown. Run `%modelarts` first."
    ]
    cells.session.instance = make_instance(timed_auto_stop(HOUR))
    assert len(cells.run_cells(7)) == 1


def test_errors_do_not_fail_the_cell() -> None:
    """An error while checking is logged only."""

    class Broken:
        def last_known(self) -> Instance:
            raise OSError("the disk is away")

    Reminder().after_cell(Broken())  # type: ignore[arg-type]  # a fake


def test_setting_remind_turns_reminders_on_and_off(
    notebook: NotebookShell, harness: EmulatorHarness
) -> None:
    """Reminders are off by default, send no requests, and are removed with the extension."""
    notebook.run("%modelarts")
    harness.emulator.set_instance(minutes_left=28.5)
    notebook.run("x = %modelarts")
    assert notebook.run("1;") == ""
    harness.emulator.clear_requests()
    shown = notebook.run("%config ModelArts.remind = True")
    assert shown.startswith("Stops at ")
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


def test_before_the_first_command_the_stop_time_is_unknown(notebook: NotebookShell) -> None:
    """The first reminder says so."""
    shown = notebook.run("%config ModelArts.remind = True")
    assert shown.startswith("The stop time is not known in this kernel yet")
    assert notebook.run("1;") == ""


CAPTURE = "from IPython.utils.capture import capture_output\n"
NESTED = f"{CAPTURE}with capture_output():\n    get_ipython().run_cell"
OPEN, CLOSE = (
    f"{CAPTURE}kept = capture_output(display=False)\nkept.__enter__();",
    "kept.__exit__(None, None, None)",
)
HIDDEN_CELLS: dict[str, list[tuple[str, dict[str, bool]]]] = {
    "%%capture": [("%%capture kept\n1", {})],
    "%%capture of stdout only": [("%%capture --no-stderr --no-display kept\n1", {})],
    "%%capture in %%time": [("%%time\n%%capture\n1", {})],
    "capture_output": [(f"{NESTED}('1')", {})],
    "capture_output, recorded": [(f"{NESTED}('1', store_history=True)", {})],
    "capture_output left open": [(OPEN, {}), ("1", {}), (CLOSE, {"store_history": False})],
    "store_history=False": [("1", {"store_history": False})],
    "silent": [("1", {"store_history": False, "silent": True})],
}


@pytest.mark.parametrize("hidden", HIDDEN_CELLS)
def test_hidden_cell_leaves_the_reminder_to_the_next_cell(
    notebook: NotebookShell, harness: EmulatorHarness, hidden: str
) -> None:
    """It is printed once, where the user sees it."""
    harness.emulator.set_instance(minutes_left=28.5)
    notebook.run("x = %modelarts")
    notebook.shell.run_cell("%config ModelArts.remind = True", silent=True)
    for cell, options in HIDDEN_CELLS[hidden]:
        assert notebook.shell.run_cell(cell, **{"store_history": True, **options}).success
    assert notebook.run("1;").startswith("Stops at ")
    assert notebook.run("1;") == ""


@pytest.mark.process
def test_front_end_shows_the_reminder_in_a_visible_cell(tmp_path: Path) -> None:
    """A real kernel replaces stdout, and front ends run hidden cells of their own."""
    with closing(EmulatorHarness(tmp_path, real_time=True)) as harness:
        harness.emulator.set_instance(minutes_left=28.5)
        with closing(KernelSession(harness.environ)) as kernel:
            kernel.run("%load_ext modelarts_magics\nx = %modelarts")
            kernel.run("%config ModelArts.remind = True", silent=True)
            for hidden in HIDDEN_CELLS.values():
                for cell, options in hidden:
                    assert kernel.run(cell, **options)[0] == "ok"
            assert "Stops at " in kernel.run("1")[1]


def test_remind_is_no_setting_of_the_connection(notebook: NotebookShell) -> None:
    """The doctor does not list it."""
    notebook.run("%config ModelArts.remind = True")
    notebook.run("%modelarts")
    assert "remind" not in notebook.run("%modelarts doctor --json")
