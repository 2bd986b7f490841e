"""A notebook that is opened again without its kernel, or where widgets cannot be shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Callable

import pytest
from playwright.sync_api import expect
from ui.notebook_page import FrontEnd

from modelarts_magics.demo.workspace import copy_with_kernel, example_notebooks_folder

if TYPE_CHECKING:
    from playwright.sync_api import Locator
    from ui.jupyter_server_process import JupyterServerProcess
    from ui.notebook_page import InstanceControl, NotebookPage

IS_DIRTY_JS = "() => jupyterapp.shell.currentWidget.context.model.dirty"
WIDGET_MANAGER = "@jupyter-widgets/jupyterlab-manager:plugin"
DATED_TEXT = "left (as of"


@pytest.fixture
def saved_notebook(
    notebook_page: NotebookPage,
    instance_control: InstanceControl,
    jupyter_server: JupyterServerProcess,
) -> str:
    """The name of a saved notebook whose countdown has no kernel any more."""
    notebook_page.run_cells(1)
    instance_control.wait_until_shown_in(notebook_page.countdown)
    notebook_page.save()
    name = f"copy-{notebook_page.name}"
    jupyter_server.work_folder.joinpath(name).write_bytes(
        jupyter_server.work_folder.joinpath(notebook_page.name).read_bytes()
    )
    return name


def test_reopened_notebook_shows_dated_text(
    saved_notebook: str,
    front_end: FrontEnd,
    open_notebook: Callable[..., NotebookPage],
    jupyter_server: JupyterServerProcess,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """The text gives its date, so it stays true without the kernel of the widget."""
    assert (
        "widgets"
        not in json.loads(jupyter_server.work_folder.joinpath(saved_notebook).read_text("utf-8"))[
            "metadata"
        ]
    )
    reopened = open_notebook(saved_notebook, front=front_end).wait_until_visible()
    expect(reopened.output(1)).to_contain_text(DATED_TEXT)
    expect(reopened.page.locator(".ma-Countdown")).to_have_count(0)
    reopened.wait_until_ready()
    take_screenshot(reopened.output(1), "reopened")


@pytest.mark.only(FrontEnd.LAB)
def test_saved_countdown_shows_its_date(
    open_notebook: Callable[..., NotebookPage],
    instance_control: InstanceControl,
    jupyter_server: JupyterServerProcess,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """It does not tick, its buttons are disabled, and the file contains no credentials."""
    jupyter_server.write_settings(WIDGET_MANAGER, {"saveState": True})
    notebook = open_notebook("countdown.ipynb").wait_until_ready().run_cells(0, 1)
    instance_control.wait_until_shown_in(notebook.countdown)
    notebook.save()
    notebook.shut_down()
    notebook.page.close()
    text = jupyter_server.work_folder.joinpath(notebook.name).read_text("utf-8")
    assert json.loads(text)["metadata"]["widgets"]
    assert instance_control.emulator.auth_token not in text
    reopened = open_notebook(notebook.name).wait_until_visible()
    countdown = reopened.countdown
    restored = countdown.root.or_(reopened.page.get_by_text("model not found"))
    expect(restored.first).to_be_visible()
    if not countdown.root.is_visible():
        # jupyterlab_widgets sometimes draws the outputs between the kernel's widgets and the saved ones.
        reopened.page.reload()
    expect(countdown.root).to_have_attribute("data-phase", "disconnected")
    expect(countdown.element("stopTime")).to_contain_text("as of")
    expect(countdown.element("phase")).to_have_text("not connected")
    for action in ("extend", "shorten", "extend-custom"):
        expect(countdown.button(action)).to_have_attribute("aria-disabled", "true")
    before = countdown.seconds_left()
    reopened.page.wait_for_timeout(1500)
    assert countdown.seconds_left() == before
    take_screenshot(reopened.output(1), "saved-state")


@pytest.mark.only(FrontEnd.LAB)
def test_text_replaces_countdown_without_anywidget(
    open_notebook: Callable[..., NotebookPage],
    jupyter_server: JupyterServerProcess,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """A JupyterLab without anywidget shows the text with its date and the reason, and no error."""
    jupyter_server.disable_extensions("anywidget")
    notebook = open_notebook("countdown.ipynb").wait_until_ready().run_cells(0, 1)
    expect(notebook.output(1)).to_contain_text(DATED_TEXT)
    expect(notebook.output(1)).to_contain_text("lacks the front end of the countdown")
    expect(notebook.page.locator(".ma-Countdown, .jupyter-widgets-error-widget")).to_have_count(0)
    take_screenshot(notebook.output(1), "without-anywidget")


@pytest.mark.only(FrontEnd.LAB)
@pytest.mark.parametrize("name", ["01-quickstart.ipynb", "01-quickstart.zh-CN.ipynb"])
def test_quickstart_opens_unmodified(
    open_notebook: Callable[..., NotebookPage], jupyter_server: JupyterServerProcess, name: str
) -> None:
    """JupyterLab asks for no kernel, and has nothing to save."""
    file = jupyter_server.work_folder / name
    copy_with_kernel(example_notebooks_folder() / name, file)
    before = file.read_bytes()
    notebook = open_notebook(name).wait_until_ready()
    expect(notebook.page.locator(".jp-Notebook-ExecutionIndicator")).to_have_attribute(
        "data-status", "idle"
    )
    expect(notebook.page.locator(".jp-Dialog")).to_have_count(0)
    assert not notebook.page.evaluate(IS_DIRTY_JS)
    assert file.read_bytes() == before
