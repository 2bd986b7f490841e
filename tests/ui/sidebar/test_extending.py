"""Extending while a cell runs, which no kernel hears of: by panel, status item, palette, menu and reminder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from ui.sidebar.tabs import EXTENDED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ui.pages import Cloud
    from ui.sidebar.tabs import Sidebar


@pytest.fixture
def busy(side: Sidebar) -> Iterator[Sidebar]:
    """A page with a cell that runs, still when the test is done."""
    side.notebook.begin(2)
    yield side
    expect(side.running).to_have_count(1)
    side.interrupt()


def holds(side: Sidebar, cloud: Cloud) -> None:
    """By one request, and everything shows it."""
    expect(side.status).to_contain_text(EXTENDED)
    cloud.agrees(side.countdown)
    assert len(cloud.writes) == 1


def test_by_the_panel(busy: Sidebar, cloud: Cloud) -> None:
    """One click, and the answer below it."""
    busy.countdown.button("plus").click()
    expect(busy.countdown.part("note")).to_contain_text("Now stops at")
    holds(busy, cloud)


def test_by_the_status_item(busy: Sidebar, cloud: Cloud) -> None:
    """In its menu; a plain click opens the panel."""
    busy.status.click(button="right")
    busy.page.get_by_role("menuitem", name="Extend by 1 h").click()
    holds(busy, cloud)


def test_by_the_palette(busy: Sidebar, cloud: Cloud) -> None:
    """Without the mouse; what became of it is said."""
    busy.page.keyboard.press("Control+Shift+C")
    busy.page.locator(".lm-CommandPalette-input").fill("extend by 1 h")
    item = busy.page.locator(".lm-CommandPalette-item", has_text="Extend by 1 h")
    expect(item).to_have_count(1)
    busy.page.keyboard.press("Enter")
    expect(busy.page.locator(".Toastify__toast")).to_contain_text("Now stops at")
    holds(busy, cloud)


def test_by_the_menu(busy: Sidebar, cloud: Cloud) -> None:
    """Of the page's menu bar."""
    busy.page.get_by_role("menuitem", name="ModelArts").click()
    busy.page.get_by_role("menuitem", name="Extend by 1 h").click()
    holds(busy, cloud)


def test_by_a_reminder(busy: Sidebar, cloud: Cloud) -> None:
    """Which then goes."""
    busy.be_reminded(cloud)
    busy.toasts.get_by_role("button", name="Extend 1 h").click()
    expect(busy.status).to_contain_text(re.compile(r"^1 h \d+ min"))
    expect(busy.toasts).to_have_count(0)
    cloud.agrees(busy.countdown)
    assert len(cloud.writes) == 1
