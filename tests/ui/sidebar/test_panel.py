"""The panel and the status item: what they show, what is edited in them, and that all tell one truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from ui.pages import Countdown, Front
from ui.sidebar.tabs import EXTENDED, USUAL, tab

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext
    from ui.pages import Cloud
    from ui.place import Place
    from ui.sidebar.tabs import Sidebar


def test_the_panel_and_the_status_item_show_the_instance(side: Sidebar, cloud: Cloud) -> None:
    """Name, status, time left, and that it is a demo."""
    expect(side.panel.get_by_role("heading", level=2)).to_have_text("demo-notebook")
    expect(side.panel.locator(".ma-Panel-demo")).to_have_text("DEMO · local emulator")
    expect(side.fact("Status")).to_have_text("RUNNING")
    expect(side.fact("ID")).to_have_text(cloud.emulator.instance_id)
    expect(side.fact("Flavor")).to_contain_text("modelarts.")
    expect(side.fact("Asked by")).to_have_text("the Jupyter server")
    cloud.agrees(side.countdown)
    assert side.notebook.our_errors == []


@pytest.mark.only(Front.NOTEBOOK)
def test_the_top_bar_of_notebook(place: Place, context: BrowserContext) -> None:
    """It counts where there is no status bar, and opens the panel."""
    side = tab(context, place, Front.NOTEBOOK)
    expect(side.page.locator("#top-panel-wrapper .ma-Status-button")).to_contain_text(" min")
    expect(side.panel).to_be_hidden()
    side.status.click()
    expect(side.panel.get_by_role("heading", level=2)).to_have_text("demo-notebook")


def test_a_magic_moves_panel_and_status_item(side: Sidebar, cloud: Cloud) -> None:
    """At once, as seen by a person."""
    side.notebook.run(3)
    expect(side.status).to_contain_text(EXTENDED)
    expect(side.countdown.part("timer")).to_contain_text("1 h")
    cloud.agrees(side.countdown)


def test_the_panel_moves_a_notebooks_countdown(side: Sidebar, cloud: Cloud) -> None:
    """And what the kernel knows."""
    side.notebook.run(1)
    widget = Countdown(side.page.locator(".jp-Notebook .ma-Countdown"))
    cloud.agrees(widget)
    side.countdown.button("plus").click()
    expect(side.countdown.part("note")).to_contain_text("Now stops at")
    expect(widget.part("timer")).to_contain_text("1 h")
    cloud.agrees(widget)
    widget.button("minus").click()
    expect(side.status).to_contain_text(USUAL)
    cloud.agrees(side.countdown)
    assert len(cloud.writes) == 2


def test_the_description_is_edited_in_place(side: Sidebar, cloud: Cloud) -> None:
    """What the API refuses is named while it is typed, and can be had in full width."""
    side.button("Edit the description").click()
    area = side.panel.get_by_role("textbox", name="Description")
    area.fill("a/b")
    expect(side.panel.locator(".ma-Panel-wrong")).to_have_text("“/” at position 2 is not allowed.")
    save = side.panel.locator(".ma-Panel-form .ma-mod-accept")
    expect(save).to_be_disabled()
    side.button("Use full-width characters").click()
    expect(area).to_have_value("a\uff0fb")
    save.click()
    expect(side.panel.locator(".ma-Panel-description")).to_have_text("a\uff0fb")
    assert cloud.instance["description"] == "a\uff0fb"


def test_what_is_being_typed_is_not_overwritten(side: Sidebar, cloud: Cloud, place: Place) -> None:
    """What somebody else wrote meanwhile stands beside it, to choose from."""
    side.button("Edit the description").click()
    area = side.panel.get_by_role("textbox", name="Description")
    area.fill("mine")
    place.terminal("describe", "theirs")
    conflict = side.panel.locator(".ma-Panel-form .ma-Panel-conflict")
    expect(conflict).to_contain_text("theirs")
    expect(area).to_have_value("mine")
    conflict.get_by_role("button", name="Keep mine").click()
    side.panel.locator(".ma-Panel-form .ma-mod-accept").click()
    expect(side.panel.locator(".ma-Panel-description")).to_have_text("mine")
    assert cloud.instance["description"] == "mine"


def test_auto_stop_is_set(side: Sidebar, cloud: Cloud) -> None:
    """Another duration, off and on; a duration that the API would refuse is not sent."""
    duration = side.panel.get_by_role("textbox", name="Stop after")
    said = side.panel.locator(".ma-Panel-said")
    duration.fill("30m")
    duration.press("Enter")
    expect(said).to_have_text("It has to be 1 h to 24 h.")
    assert cloud.writes == []
    duration.fill("3h")
    duration.press("Enter")
    expect(said).to_contain_text("Saved. Now stops at")
    expect(side.status).to_contain_text("2 h ")
    cloud.agrees(side.countdown)
    switch = side.panel.get_by_role("switch", name="Stop by itself")
    switch.click()
    expect(side.status).to_have_text("Auto-stop is off")
    assert cloud.instance["enable"] is False
    switch.click()
    expect(side.status).to_contain_text("2 h ")
    assert cloud.instance["duration_s"] == 3 * 3600


def test_the_doctor_is_asked_for(side: Sidebar) -> None:
    """It looks from the server's side, when a person wants to know."""
    side.panel.get_by_text("Check the set-up").click()
    expect(side.panel.locator(".ma-Panel-findings")).to_contain_text("No problem found.")
    side.panel.get_by_text("Check the set-up").click()
