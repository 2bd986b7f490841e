"""The panel and the status item: their contents, editing, and agreement with other views."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from ui.notebook_page import CountdownView, FrontEnd
from ui.sidebar.sidebar_page import (
    DEFAULT_TIME_LEFT,
    EXTENDED_TIME_LEFT,
    CountingUser,
    open_sidebar_page,
)

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext
    from ui.jupyter_server_process import JupyterServerProcess
    from ui.notebook_page import InstanceControl
    from ui.sidebar.sidebar_page import SidebarPage


@pytest.mark.every_front_end
def test_panel_shows_instance(sidebar: SidebarPage, instance_control: InstanceControl) -> None:
    """The panel shows name, status, details, time left and the mark of the demo."""
    expect(sidebar.panel.get_by_role("heading", level=2)).to_have_text("demo-notebook")
    expect(sidebar.panel.locator(".ma-Panel-demo")).to_have_text("DEMO · local emulator")
    expect(sidebar.detail("Status")).to_have_text("RUNNING")
    identifier = sidebar.detail("ID").locator(".ma-Panel-id")
    expect(identifier).to_have_text(instance_control.emulator.instance_id)
    expect(sidebar.detail("Flavor")).to_contain_text("modelarts.")
    expect(sidebar.detail("Data source")).to_have_text("Jupyter server")
    instance_control.wait_until_shown_in(sidebar.countdown)
    assert sidebar.notebook.own_errors == []


@pytest.mark.only(FrontEnd.NOTEBOOK)
def test_top_bar_of_notebook_opens_panel(
    jupyter_server: JupyterServerProcess, context: BrowserContext
) -> None:
    """The top bar of Notebook 7, which has no status bar, shows the time left."""
    sidebar = open_sidebar_page(context, jupyter_server, FrontEnd.NOTEBOOK)
    expect(sidebar.page.locator("#top-panel-wrapper .ma-Status-button")).to_contain_text(" min")
    expect(sidebar.panel).to_be_hidden()
    user = CountingUser(sidebar.page)
    user.click(sidebar.status_item)
    expect(sidebar.panel.get_by_role("heading", level=2)).to_have_text("demo-notebook")
    assert user.actions == 1


@pytest.mark.every_front_end
def test_magic_updates_panel_and_status_item(
    sidebar: SidebarPage, instance_control: InstanceControl
) -> None:
    """Both show the new stop time after the cell has run."""
    sidebar.notebook.run_cells(3)
    expect(sidebar.status_item).to_contain_text(EXTENDED_TIME_LEFT)
    expect(sidebar.countdown.element("timer")).to_contain_text("1 h")
    instance_control.wait_until_shown_in(sidebar.countdown)


def test_panel_and_notebook_countdown_stay_in_sync(
    sidebar: SidebarPage, instance_control: InstanceControl
) -> None:
    """A change in one of them shows in the other."""
    sidebar.notebook.run_cells(1)
    widget = CountdownView(sidebar.page.locator(".jp-Notebook .ma-Countdown"))
    instance_control.wait_until_shown_in(widget)
    sidebar.countdown.button("extend").click()
    expect(sidebar.countdown.element("feedback")).to_contain_text("New stop time")
    expect(widget.element("timer")).to_contain_text("1 h")
    instance_control.wait_until_shown_in(widget)
    widget.button("shorten").click()
    expect(sidebar.status_item).to_contain_text(DEFAULT_TIME_LEFT)
    instance_control.wait_until_shown_in(sidebar.countdown)
    assert len(instance_control.write_requests) == 2


@pytest.mark.every_front_end
def test_description_is_edited_in_panel(
    sidebar: SidebarPage, instance_control: InstanceControl
) -> None:
    """Forbidden characters are reported while typing and can be replaced by full-width ones."""
    sidebar.button("Edit Description").click()
    field = sidebar.panel.get_by_role("textbox", name="Description")
    field.fill("a/b")
    expect(sidebar.panel.locator(".ma-Panel-error")).to_have_text(
        "“/” (position 2) is not allowed."
    )
    save = sidebar.panel.locator(".ma-Panel-form .ma-mod-accept")
    expect(save).to_be_disabled()
    sidebar.button("Use Full-Width Characters").click()
    expect(field).to_have_value("a\uff0fb")
    save.click()
    expect(field).to_be_hidden()
    expect(sidebar.panel.locator(".ma-Panel-description")).to_have_text("a\uff0fb")
    assert instance_control.instance["description"] == "a\uff0fb"


def test_typed_description_is_not_overwritten(
    sidebar: SidebarPage, instance_control: InstanceControl, jupyter_server: JupyterServerProcess
) -> None:
    """A change made elsewhere shows beside the typed text, and the user chooses."""
    sidebar.button("Edit Description").click()
    field = sidebar.panel.get_by_role("textbox", name="Description")
    field.fill("mine")
    jupyter_server.run_cli("describe", "theirs")
    conflict = sidebar.panel.locator(".ma-Panel-form .ma-Panel-conflict")
    expect(conflict).to_contain_text("theirs")
    expect(field).to_have_value("mine")
    conflict.get_by_role("button", name="Keep Mine").click()
    sidebar.panel.locator(".ma-Panel-form .ma-mod-accept").click()
    expect(field).to_be_hidden()
    expect(sidebar.panel.locator(".ma-Panel-description")).to_have_text("mine")
    assert instance_control.instance["description"] == "mine"


def test_auto_stop_is_edited_in_panel(
    sidebar: SidebarPage, instance_control: InstanceControl
) -> None:
    """Run time and switch change the instance, and an invalid run time is not sent."""
    duration = sidebar.panel.get_by_role("textbox", name="Run time")
    section = sidebar.panel.locator(".ma-Panel-section", has_text="Enable auto-stop")
    message = section.locator(".ma-Panel-message")
    duration.fill("30m")
    duration.press("Enter")
    expect(message).to_have_text("Enter a duration from 1 h to 24 h.")
    assert instance_control.write_requests == []
    duration.fill("3h")
    duration.press("Enter")
    expect(message).to_contain_text("Saved. New stop time")
    expect(sidebar.status_item).to_contain_text("2 h ")
    instance_control.wait_until_shown_in(sidebar.countdown)
    switch = sidebar.panel.get_by_role("switch", name="Enable auto-stop")
    switch.click()
    expect(sidebar.status_item).to_have_text("Auto-stop is off")
    assert instance_control.instance["enable"] is False
    switch.click()
    expect(sidebar.status_item).to_contain_text("2 h ")
    assert instance_control.instance["duration_s"] == 3 * 3600


def test_panel_shows_result_of_setup_check(sidebar: SidebarPage) -> None:
    """The check of the server's setup runs when its section is opened."""
    sidebar.panel.get_by_text("Check Setup").click()
    expect(sidebar.findings("Check Setup")).to_contain_text("No problem found.")
    sidebar.panel.get_by_text("Check Setup").click()
