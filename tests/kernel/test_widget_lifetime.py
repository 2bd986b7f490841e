"""Widgets end with their last view and reference; no run of a cell leaves a comm or a thread behind."""

from __future__ import annotations

import gc
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from emulator_harness import EmulatorHarness
from ipywidgets import Widget
from kernel_session import KernelSession
from widget_helpers import open_widget_ids

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import NotebookShell

IMPORT = "from modelarts_magics import Countdown, InstanceForm"
SHOWING_CELLS = [
    "%modelarts countdown",
    "InstanceForm()",
    "display(Countdown())",
    "f = %modelarts form\nf",
    "%modelarts form",
    "%modelarts countdown\n1;",
    "Countdown()",
    "c = Countdown()\nc",
]
every_cell = pytest.mark.parametrize(
    "cell",
    [
        pytest.param(each, marks=pytest.mark.soak if n > 1 else ())
        for n, each in enumerate(SHOWING_CELLS)
    ],
)


@pytest.fixture(autouse=True)
def _all_closed() -> Iterator[None]:
    """Close the widgets of a test, and start each test without garbage."""
    gc.collect()
    yield
    Widget.close_all()


@pytest.fixture
def open_before(notebook: NotebookShell) -> set[str]:
    """Return the widgets that are open at the start."""
    notebook.run(IMPORT)
    return open_widget_ids()


def send_to_countdown(widget: Any, **message: str) -> None:  # noqa: ANN401 - a widget
    """Send a message as a page does."""
    widget.comm.handle_msg(
        {"content": {"data": {"method": "custom", "content": message}}, "buffers": []}
    )


@every_cell
def test_rerun_cell_replaces_its_widgets(
    notebook: NotebookShell, open_before: set[str], cell: str
) -> None:
    """The outputs that IPython stores do not keep them."""
    notebook.run(cell)
    first = open_widget_ids() - open_before
    for _ in range(3):
        notebook.run(cell)
    last = open_widget_ids() - open_before
    assert len(last) == len(first)
    assert not last & first
    threads = [each for each in threading.enumerate() if each.name == "modelarts-notify"]
    assert len(threads) == 1


def test_widgets_of_other_cells_stay_open(notebook: NotebookShell, open_before: set[str]) -> None:
    """They may still be shown."""
    notebook.run("%modelarts countdown")
    notebook.run("display(Countdown(), Countdown())")
    count = len(open_widget_ids() - open_before)
    notebook.run("display(Countdown(), Countdown())")
    assert len(open_widget_ids() - open_before) == count


@pytest.mark.parametrize("kind", ["Countdown", "InstanceForm"])
def test_widget_without_reference_is_closed(
    notebook: NotebookShell, open_before: set[str], kind: str
) -> None:
    """It was never shown, so that nobody can see it."""
    notebook.run(f"w = {kind}(); x = [w]; del w")
    gc.collect()
    assert open_widget_ids() - open_before
    notebook.run("del x")
    gc.collect()
    assert open_widget_ids() == open_before


@pytest.mark.parametrize("cell", SHOWING_CELLS[:3])
def test_last_view_closes_the_widget(
    notebook: NotebookShell, open_before: set[str], cell: str
) -> None:
    """A page reports each view that it removes; a view of an earlier page never reports."""
    notebook.run(cell)
    gc.collect()
    (countdown,) = find_countdowns(open_before)
    for view in ("one", "two"):
        send_to_countdown(countdown, type="hello", view=view)
    send_to_countdown(countdown, type="bye", view="one")
    send_to_countdown(countdown, type="bye", view="unknown")
    assert open_widget_ids() - open_before
    send_to_countdown(countdown, type="bye", view="two")
    del countdown
    gc.collect()
    assert open_widget_ids() == open_before


def test_widget_shown_twice_is_closed_with_its_last_view(
    notebook: NotebookShell, open_before: set[str]
) -> None:
    """Each output has a view of its own."""
    notebook.run("c = Countdown()\nc")
    (countdown,) = find_countdowns(open_before)
    send_to_countdown(countdown, type="hello", view="one")
    notebook.run("display(c)\ndel c")
    send_to_countdown(countdown, type="hello", view="two")
    send_to_countdown(countdown, type="bye", view="two")
    gc.collect()
    assert open_widget_ids() - open_before
    send_to_countdown(countdown, type="bye", view="one")
    del countdown
    gc.collect()
    assert open_widget_ids() == open_before


def test_variable_keeps_the_widget(notebook: NotebookShell, open_before: set[str]) -> None:
    """It can be shown again and follows changes."""
    notebook.run("c = Countdown()\nc")
    notebook.run("c = c")
    (countdown,) = find_countdowns(open_before)
    send_to_countdown(countdown, type="hello", view="one")
    send_to_countdown(countdown, type="bye", view="one")
    gc.collect()
    notebook.run("%modelarts describe later")
    assert notebook.run("c.instance.description").strip().endswith("'later'")
    assert "Stops at" in notebook.run("c")
    notebook.run("c.close()\nc.close()")
    assert open_widget_ids() == open_before


def find_countdowns(open_before: set[str]) -> list[Any]:
    """Return the countdowns that were opened since."""
    return [
        each
        for each in gc.get_objects()
        if type(each).__name__ == "Countdown" and each.comm and each.model_id not in open_before
    ]


@pytest.mark.process
def test_kernel_has_no_more_comms_and_threads_after_many_runs(tmp_path: Path) -> None:
    """Sessions that a cell opens and drops end, too."""
    count = (
        "import gc, threading, time; from comm import get_comm_manager; time.sleep(0.8); gc.collect();"
        " print(len(get_comm_manager().comms), threading.active_count())"
    )
    with (
        closing(EmulatorHarness(tmp_path, real_time=True)) as harness,
        closing(KernelSession(harness.environ)) as kernel,
    ):
        kernel.run("%load_ext modelarts_magics")
        kernel.run("from modelarts_magics import *")
        counts = []
        for _ in range(3):
            for cell in (*SHOWING_CELLS[:4], "s = connect()\ns.refresh()"):
                assert kernel.run(cell)[0] == "ok"
            counts.append(kernel.run(count)[1])
        assert counts[1] == counts[2]
