"""Extending while a cell runs, which no kernel hears of: by panel, status item, palette, menu and reminder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from ui.sidebar.sidebar_page import EXTENDED_TIME_LEFT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ui.notebook_page import InstanceControl
    from ui.sidebar.sidebar_page import SidebarPage


@pytest.fixture
def busy(sidebar: SidebarPage) -> Iterator[SidebarPage]:
    """A page with a cell that runs, still when the test is done."""
    sidebar.notebook.start_cell(2)
    yield sidebar
    expect(sidebar.running_prompt).to_have_count(1)
    sidebar.interrupt()


def holds(side: SidebarPage, cloud: InstanceControl) -> None:
    """By one request, and everything shows it."""
    expect(side.status_item).to_contain_text(EXTENDED_TIME_LEFT)
    cloud.wait_until_shown_in(side.countdown)
    assert len(cloud.write_requests) == 1


@pytest.mark.every_front_end
def test_by_the_panel(busy: SidebarPage, instance_control: InstanceControl) -> None:
    """One click, and the answer below it."""
    busy.countdown.button("extend").click()
    expect(busy.countdown.element("feedback")).to_contain_text("New stop time")
    holds(busy, instance_control)


def test_by_the_status_item(busy: SidebarPage, instance_control: InstanceControl) -> None:
    """In its menu; a plain click opens the panel."""
    busy.status_item.click(button="right")
    busy.page.get_by_role("menuitem", name="Extend by 1 h").click()
    holds(busy, instance_control)


def test_by_the_palette(busy: SidebarPage, instance_control: InstanceControl) -> None:
    """Without the mouse; what became of it is said."""
    busy.page.keyboard.press("Control+Shift+C")
    busy.page.locator(".lm-CommandPalette-input").fill("extend by 1 h")
    item = busy.page.locator(".lm-CommandPalette-item", has_text="Extend by 1 h")
    expect(item).to_have_count(1)
    busy.page.keyboard.press("Enter")
    expect(busy.page.locator(".Toastify__toast")).to_contain_text("New stop time")
    holds(busy, instance_control)


@pytest.mark.every_front_end
def test_by_the_menu(busy: SidebarPage, instance_control: InstanceControl) -> None:
    """Of the page's menu bar."""
    busy.page.get_by_role("menuitem", name="ModelArts").click()
    busy.page.get_by_role("menuitem", name="Extend by 1 h").click()
    holds(busy, instance_control)


def test_by_a_reminder(busy: SidebarPage, instance_control: InstanceControl) -> None:
    """Which then goes."""
    busy.trigger_reminder(instance_control)
    busy.toasts.get_by_role("button", name="Extend by 1 h").click()
    expect(busy.status_item).to_contain_text(re.compile(r"^1 h \d+ min"))
    expect(busy.toasts).to_have_count(0)
    instance_control.wait_until_shown_in(busy.countdown)
    assert len(instance_control.write_requests) == 1
