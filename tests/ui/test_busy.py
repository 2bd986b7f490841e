"""While a cell runs, a click may have to wait for it; it says so, and what to do now.

With ipykernel 7 a front end may have widgets answered in a thread of their own ("comms over subshells");
these tests are about all others.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Callable

import pytest
from playwright.sync_api import expect
from ui.notebook_page import FrontEnd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator
    from ui.jupyter_server_process import JupyterServerProcess
    from ui.notebook_page import InstanceControl, NotebookPage

HOUR = timedelta(hours=1)
COMMAND = f"{sys.executable} -m modelarts_magics extend 1h"
KERNELS = "@jupyterlab/apputils-extension:kernels-settings"
ONE_THREAD = {"commsOverSubshells": "disabled"}


@pytest.fixture
def waiting(
    notebook_page: NotebookPage, instance_control: InstanceControl
) -> Iterator[NotebookPage]:
    """A notebook with a running cell and a click that waits for it; nothing waits after the test."""
    notebook_page.set_widget_subshells(enabled=False)
    notebook_page.run_cells(1)
    instance_control.wait_until_shown_in(notebook_page.countdown)
    notebook_page.start_cell(2)
    notebook_page.countdown.button("extend").click()
    expect(notebook_page.countdown.element("delayedRequest")).to_be_visible()
    yield notebook_page
    notebook_page.interrupt()
    expect(notebook_page.countdown.element("delayedRequest")).to_be_hidden()


def test_a_waiting_click_says_what_to_do_now(
    waiting: NotebookPage,
    instance_control: InstanceControl,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """The full line for a terminal; the countdown goes on and shows what still holds."""
    countdown = waiting.countdown
    expect(countdown.element("delayedRequest")).to_contain_text(
        "The kernel is busy; the change is queued."
    )
    expect(countdown.element("command")).to_have_text(COMMAND)
    expect(countdown.element("liveRegion")).to_contain_text("The kernel is busy")
    take_screenshot(waiting.output(1), "busy")
    assert instance_control.write_requests == []
    instance_control.wait_until_shown_in(countdown)
    waiting.interrupt()
    expect(countdown.element("feedback")).to_contain_text("New stop time")
    expect(countdown.element("delayedRequest")).to_be_hidden()
    instance_control.wait_until_shown_in(countdown)
    assert len(instance_control.write_requests) == 1


@pytest.mark.only(FrontEnd.NOTEBOOK)
def test_the_line_for_the_terminal_can_be_copied(waiting: NotebookPage) -> None:
    """By a button."""
    waiting.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    waiting.countdown.button("copy").click()
    expect(waiting.countdown.button("copy")).to_contain_text("✓")
    assert waiting.page.evaluate("navigator.clipboard.readText()") == COMMAND


@pytest.mark.only(FrontEnd.NOTEBOOK)
def test_a_waiting_click_can_be_cancelled(
    waiting: NotebookPage, instance_control: InstanceControl
) -> None:
    """Nothing is changed, also not when the kernel is free again; the focus is on a button."""
    waiting.countdown.button("cancel").click()
    expect(waiting.countdown.element("delayedRequest")).to_be_hidden()
    expect(waiting.countdown.button("extend")).to_be_focused()
    waiting.interrupt()
    expect(waiting.countdown.element("feedback")).to_have_text("Cancelled; nothing was changed.")
    assert instance_control.write_requests == []


@pytest.mark.only(FrontEnd.NOTEBOOK)
def test_a_waiting_click_is_dropped_when_the_end_moved_meanwhile(
    waiting: NotebookPage, instance_control: InstanceControl, jupyter_server: JupyterServerProcess
) -> None:
    """Somebody did it in a terminal, as the countdown says; it is not done twice."""
    jupyter_server.run_cli("extend", "1h")
    waiting.countdown.wait_for(lambda shown: shown > HOUR.total_seconds())
    waiting.interrupt()
    expect(waiting.countdown.element("feedback")).to_contain_text("The stop time has changed")
    instance_control.wait_until_shown_in(waiting.countdown)
    assert len(instance_control.write_requests) == 1


@pytest.mark.only(FrontEnd.LAB)
def test_a_reload_beside_a_running_cell_comes_right(
    open_notebook: Callable[..., NotebookPage],
    instance_control: InstanceControl,
    jupyter_server: JupyterServerProcess,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """With one thread for all: a dated line at once, and the countdown when the kernel has time."""
    jupyter_server.write_settings(KERNELS, ONE_THREAD)
    notebook = open_notebook("countdown.ipynb").wait_until_ready()
    notebook.set_widget_subshells(enabled=False)
    notebook.run_cells(0, 1).save()
    notebook.start_cell(2)
    notebook.countdown.button("extend").click()
    expect(notebook.countdown.element("delayedRequest")).to_be_visible()
    notebook.page.reload(wait_until="commit")
    notebook.wait_until_visible()
    expect(notebook.output(1)).to_contain_text("left (as of")
    take_screenshot(notebook.output(1), "reloaded-while-busy")
    notebook.wait_until_ready().interrupt()
    notebook.countdown.root.wait_for()
    notebook.countdown.wait_for(lambda shown: shown > HOUR.total_seconds())
    instance_control.wait_until_shown_in(notebook.countdown)
    assert len(instance_control.write_requests) == 1
