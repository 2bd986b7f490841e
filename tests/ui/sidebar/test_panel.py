"""The panel and the status item: what they show, what is edited in them, and that all tell one truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from ui.notebook_page import CountdownView, FrontEnd
from ui.sidebar.sidebar_page import DEFAULT_TIME_LEFT, EXTENDED_TIME_LEFT, open_sidebar_page

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext
    from ui.jupyter_server_process import JupyterServerProcess
    from ui.notebook_page import InstanceControl
    from ui.sidebar.sidebar_page import SidebarPage


@pytest.mark.every_front_end
def test_the_panel_and_the_status_item_show_the_instance(
    sidebar: SidebarPage, instance_control: InstanceControl
) -> None:
    """Name, status, time left, and that it is a demo."""
    expect(sidebar.panel.get_by_role("heading", level=2)).to_have_text("demo-notebook")
    expect(sidebar.panel.locator(".ma-Panel-demo")).to_have_text("DEMO · local emulator")
    expect(sidebar.detail("Status")).to_have_text("RUNNING")
    expect(sidebar.detail("ID")).to_have_text(instance_control.emulator.instance_id)
    expect(sidebar.detail("Flavor")).to_contain_text("modelarts.")
    expect(sidebar.detail("Data source")).to_have_text("Jupyter server")
    instance_control.wait_until_shown_in(sidebar.countdown)
    assert sidebar.notebook.own_errors == []


@pytest.mark.only(FrontEnd.NOTEBOOK)
def test_the_top_bar_of_notebook(
    jupyter_server: JupyterServerProcess, context: BrowserContext
) -> None:
    """It counts where there is no status bar, and opens the panel."""
    side = open_sidebar_page(context, jupyter_server, FrontEnd.NOTEBOOK)
    expect(side.page.locator("#top-panel-wrapper .ma-Status-button")).to_contain_text(" min")
    expect(side.panel).to_be_hidden()
    side.status_item.click()
    expect(side.panel.get_by_role("heading", level=2)).to_have_text("demo-notebook")


@pytest.mark.every_front_end
def test_a_magic_moves_panel_and_status_item(
    sidebar: SidebarPage, instance_control: InstanceControl
) -> None:
    """At once, as seen by a person."""
    sidebar.notebook.run_cells(3)
    expect(sidebar.status_item).to_contain_text(EXTENDED_TIME_LEFT)
    expect(sidebar.countdown.element("timer")).to_contain_text("1 h")
    instance_control.wait_until_shown_in(sidebar.countdown)


def test_the_panel_moves_a_notebooks_countdown(
    sidebar: SidebarPage, instance_control: InstanceControl
) -> None:
    """And what the kernel knows."""
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
def test_the_description_is_edited_in_place(
    sidebar: SidebarPage, instance_control: InstanceControl
) -> None:
    """What the API refuses is named while it is typed, and can be had in full width."""
    sidebar.button("Edit Description").click()
    area = sidebar.panel.get_by_role("textbox", name="Description")
    area.fill("a/b")
    expect(sidebar.panel.locator(".ma-Panel-error")).to_have_text(
        "“/” (position 2) is not allowed."
    )
    save = sidebar.panel.locator(".ma-Panel-form .ma-mod-accept")
    expect(save).to_be_disabled()
    sidebar.button("Use Full-Width Characters").click()
    expect(area).to_have_value("a\uff0fb")
    save.click()
    expect(sidebar.panel.locator(".ma-Panel-description")).to_have_text("a\uff0fb")
    assert instance_control.instance["description"] == "a\uff0fb"


def test_what_is_being_typed_is_not_overwritten(
    sidebar: SidebarPage, instance_control: InstanceControl, jupyter_server: JupyterServerProcess
) -> None:
    """What somebody else wrote meanwhile stands beside it, to choose from."""
    sidebar.button("Edit Description").click()
    area = sidebar.panel.get_by_role("textbox", name="Description")
    area.fill("mine")
    jupyter_server.run_cli("describe", "theirs")
    conflict = sidebar.panel.locator(".ma-Panel-form .ma-Panel-conflict")
    expect(conflict).to_contain_text("theirs")
    expect(area).to_have_value("mine")
    conflict.get_by_role("button", name="Keep Mine").click()
    sidebar.panel.locator(".ma-Panel-form .ma-mod-accept").click()
    expect(sidebar.panel.locator(".ma-Panel-description")).to_have_text("mine")
    assert instance_control.instance["description"] == "mine"


def test_auto_stop_is_set(sidebar: SidebarPage, instance_control: InstanceControl) -> None:
    """Another duration, off and on; a duration that the API would refuse is not sent."""
    duration = sidebar.panel.get_by_role("textbox", name="Run time")
    said = sidebar.panel.locator(".ma-Panel-message")
    duration.fill("30m")
    duration.press("Enter")
    expect(said).to_have_text("Enter a duration from 1 h to 24 h.")
    assert instance_control.write_requests == []
    duration.fill("3h")
    duration.press("Enter")
    expect(said).to_contain_text("Saved. New stop time")
    expect(sidebar.status_item).to_contain_text("2 h ")
    instance_control.wait_until_shown_in(sidebar.countdown)
    switch = sidebar.panel.get_by_role("switch", name="Enable auto-stop")
    switch.click()
    expect(sidebar.status_item).to_have_text("Auto-stop is off")
    assert instance_control.instance["enable"] is False
    switch.click()
    expect(sidebar.status_item).to_contain_text("2 h ")
    assert instance_control.instance["duration_s"] == 3 * 3600


def test_the_doctor_is_asked_for(sidebar: SidebarPage) -> None:
    """It looks from the server's side, when a person wants to know."""
    sidebar.panel.get_by_text("Check Setup").click()
    expect(sidebar.panel.locator(".ma-Panel-findings")).to_contain_text("No problem found.")
    sidebar.panel.get_by_text("Check Setup").click()
