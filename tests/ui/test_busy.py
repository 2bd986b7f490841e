"""Clicks in the countdown while a cell runs and the kernel cannot answer.

With ipykernel 7 a front end can have widgets answered in a separate thread ("comms over subshells"). These tests
cover kernels without it.
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
KERNELS_PLUGIN = "@jupyterlab/apputils-extension:kernels-settings"
SUBSHELLS_DISABLED = {"commsOverSubshells": "disabled"}


@pytest.fixture
def busy_notebook(
    notebook_page: NotebookPage, instance_control: InstanceControl
) -> Iterator[NotebookPage]:
    """A notebook with a running cell and a queued click, both ended after the test."""
    notebook_page.set_widget_subshells(enabled=False)
    notebook_page.run_cells(1)
    instance_control.wait_until_shown_in(notebook_page.countdown)
    notebook_page.start_cell(2)
    notebook_page.countdown.button("extend").click()
    expect(notebook_page.countdown.element("delayedRequest")).to_be_visible()
    yield notebook_page
    notebook_page.interrupt()
    expect(notebook_page.countdown.element("delayedRequest")).to_be_hidden()


def test_queued_click_shows_terminal_command(
    busy_notebook: NotebookPage,
    instance_control: InstanceControl,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """The countdown shows the full command and continues with the unchanged stop time."""
    countdown = busy_notebook.countdown
    expect(countdown.element("delayedRequest")).to_contain_text(
        "The kernel is busy; the change is queued."
    )
    expect(countdown.element("command")).to_have_text(COMMAND)
    expect(countdown.element("liveRegion")).to_contain_text("The kernel is busy")
    take_screenshot(busy_notebook.output(1), "busy")
    assert instance_control.write_requests == []
    instance_control.wait_until_shown_in(countdown)
    busy_notebook.interrupt()
    expect(countdown.element("feedback")).to_contain_text("New stop time")
    expect(countdown.element("delayedRequest")).to_be_hidden()
    instance_control.wait_until_shown_in(countdown)
    assert len(instance_control.write_requests) == 1


@pytest.mark.only(FrontEnd.NOTEBOOK)
def test_copy_button_copies_terminal_command(busy_notebook: NotebookPage) -> None:
    """The clipboard contains the command after the click."""
    busy_notebook.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    busy_notebook.countdown.button("copy").click()
    expect(busy_notebook.countdown.button("copy")).to_contain_text("✓")
    assert busy_notebook.page.evaluate("navigator.clipboard.readText()") == COMMAND


@pytest.mark.only(FrontEnd.NOTEBOOK)
def test_queued_click_can_be_cancelled(
    busy_notebook: NotebookPage, instance_control: InstanceControl
) -> None:
    """No change is sent when the kernel is idle again, and a button has the focus."""
    busy_notebook.countdown.button("cancel").click()
    expect(busy_notebook.countdown.element("delayedRequest")).to_be_hidden()
    expect(busy_notebook.countdown.button("extend")).to_be_focused()
    busy_notebook.interrupt()
    expect(busy_notebook.countdown.element("feedback")).to_have_text(
        "Cancelled; nothing was changed."
    )
    assert instance_control.write_requests == []


@pytest.mark.only(FrontEnd.NOTEBOOK)
def test_queued_click_is_dropped_after_change_elsewhere(
    busy_notebook: NotebookPage,
    instance_control: InstanceControl,
    jupyter_server: JupyterServerProcess,
) -> None:
    """A run extended from a terminal meanwhile is not extended twice."""
    jupyter_server.run_cli("extend", "1h")
    busy_notebook.countdown.wait_for(lambda shown: shown > HOUR.total_seconds())
    busy_notebook.interrupt()
    expect(busy_notebook.countdown.element("feedback")).to_contain_text("The stop time has changed")
    instance_control.wait_until_shown_in(busy_notebook.countdown)
    assert len(instance_control.write_requests) == 1


@pytest.mark.only(FrontEnd.LAB)
def test_countdown_recovers_after_reload_during_running_cell(
    open_notebook: Callable[..., NotebookPage],
    instance_control: InstanceControl,
    jupyter_server: JupyterServerProcess,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """The page shows text with a date at once, and the countdown when the kernel is idle."""
    jupyter_server.write_settings(KERNELS_PLUGIN, SUBSHELLS_DISABLED)
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
