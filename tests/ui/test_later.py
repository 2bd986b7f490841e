"""The notebook is opened again: by itself, after the kernel has gone, or where widgets cannot be shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Callable

import pytest
from playwright.sync_api import expect
from ui.notebook_page import FrontEnd

if TYPE_CHECKING:
    from playwright.sync_api import Locator
    from ui.jupyter_server_process import JupyterServerProcess
    from ui.notebook_page import InstanceControl, NotebookPage

MANAGER = "@jupyter-widgets/jupyterlab-manager:plugin"
DATED = "left (as of"


@pytest.fixture
def saved(
    notebook_page: NotebookPage,
    instance_control: InstanceControl,
    jupyter_server: JupyterServerProcess,
) -> str:
    """A notebook as a front end saves it by default, with a countdown that nobody knows any more."""
    notebook_page.run_cells(1)
    instance_control.wait_until_shown_in(notebook_page.countdown)
    notebook_page.save()
    name = f"again-{notebook_page.name}"
    jupyter_server.work_folder.joinpath(name).write_bytes(
        jupyter_server.work_folder.joinpath(notebook_page.name).read_bytes()
    )
    return name


def test_a_dated_line_stays(
    saved: str,
    front_end: FrontEnd,
    open_notebook: Callable[..., NotebookPage],
    jupyter_server: JupyterServerProcess,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """True on any later day, without a kernel that knows the widget."""
    assert (
        "widgets"
        not in json.loads(jupyter_server.work_folder.joinpath(saved).read_text("utf-8"))["metadata"]
    )
    again = open_notebook(saved, front=front_end).wait_until_visible()
    expect(again.output(1)).to_contain_text(DATED)
    expect(again.page.locator(".ma-Countdown")).to_have_count(0)
    again.wait_until_ready()
    take_screenshot(again.output(1), "reopened")


@pytest.mark.only(FrontEnd.LAB)
def test_a_saved_countdown_says_as_of_when(
    open_notebook: Callable[..., NotebookPage],
    instance_control: InstanceControl,
    jupyter_server: JupyterServerProcess,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """It stands still, its buttons are disabled, and no secret is in the file."""
    jupyter_server.write_settings(MANAGER, {"saveState": True})
    notebook = open_notebook("countdown.ipynb").wait_until_ready().run_cells(0, 1)
    instance_control.wait_until_shown_in(notebook.countdown)
    notebook.save()
    notebook.shut_down()
    notebook.page.close()
    text = jupyter_server.work_folder.joinpath(notebook.name).read_text("utf-8")
    assert json.loads(text)["metadata"]["widgets"]
    assert instance_control.emulator.auth_token not in text
    again = open_notebook(notebook.name).wait_until_visible()
    countdown = again.countdown
    expect(countdown.root).to_have_attribute("data-phase", "disconnected")
    expect(countdown.element("stopTime")).to_contain_text("as of")
    expect(countdown.element("phase")).to_have_text("not connected")
    for does in ("extend", "shorten", "extend-custom"):
        expect(countdown.button(does)).to_have_attribute("aria-disabled", "true")
    before = countdown.seconds_left()
    again.page.wait_for_timeout(1500)
    assert countdown.seconds_left() == before
    take_screenshot(again.output(1), "saved-state")


@pytest.mark.only(FrontEnd.LAB)
def test_without_the_widgets_front_end_there_are_words(
    open_notebook: Callable[..., NotebookPage],
    jupyter_server: JupyterServerProcess,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """As on a platform whose JupyterLab has no anywidget."""
    jupyter_server.disable_extensions("anywidget")
    notebook = open_notebook("countdown.ipynb").wait_until_ready().run_cells(0, 1)
    expect(notebook.output(1)).to_contain_text(DATED)
    expect(notebook.page.locator(".ma-Countdown")).to_have_count(0)
    take_screenshot(notebook.output(1), "without-anywidget")
