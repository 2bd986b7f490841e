"""Extend the run while a cell runs: from panel, status item, command palette, menu and reminder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from ui.sidebar.sidebar_page import DEFAULT_TIME_LEFT, EXTENDED_TIME_LEFT, CountingUser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ui.notebook_page import InstanceControl
    from ui.sidebar.sidebar_page import SidebarPage


@pytest.fixture
def busy_sidebar(sidebar: SidebarPage) -> Iterator[SidebarPage]:
    """A page with a cell that runs during the whole test."""
    sidebar.notebook.start_cell(2)
    yield sidebar
    expect(sidebar.running_prompt).to_have_count(1)
    sidebar.interrupt()


def expect_one_extension(sidebar: SidebarPage, instance_control: InstanceControl) -> None:
    """Check that one request extended the run, and that all views show it."""
    expect(sidebar.status_item).to_contain_text(EXTENDED_TIME_LEFT)
    instance_control.wait_until_shown_in(sidebar.countdown)
    assert len(instance_control.write_requests) == 1


@pytest.mark.every_front_end
def test_panel_extends_while_cell_runs(
    busy_sidebar: SidebarPage, instance_control: InstanceControl
) -> None:
    """One click is enough, and the result shows below the buttons."""
    busy_sidebar.countdown.button("extend").click()
    expect(busy_sidebar.countdown.element("feedback")).to_contain_text("New stop time")
    expect_one_extension(busy_sidebar, instance_control)


def test_status_item_menu_extends_while_cell_runs(
    busy_sidebar: SidebarPage, instance_control: InstanceControl
) -> None:
    """The context menu of the status item contains the command."""
    busy_sidebar.status_item.click(button="right")
    busy_sidebar.page.get_by_role("menuitem", name="Extend Stop Time by 1 h").click()
    expect_one_extension(busy_sidebar, instance_control)


def test_command_palette_extends_while_cell_runs(
    busy_sidebar: SidebarPage, instance_control: InstanceControl
) -> None:
    """The keyboard is enough, and a notification shows the result."""
    busy_sidebar.page.keyboard.press("Control+Shift+C")
    busy_sidebar.page.locator(".lm-CommandPalette-input").fill("extend stop time by 1 h")
    item = busy_sidebar.page.locator(".lm-CommandPalette-item", has_text="Extend Stop Time by 1 h")
    expect(item).to_have_count(1)
    busy_sidebar.page.keyboard.press("Enter")
    expect(busy_sidebar.page.locator(".Toastify__toast")).to_contain_text("New stop time")
    expect_one_extension(busy_sidebar, instance_control)


@pytest.mark.every_front_end
def test_menu_bar_extends_while_cell_runs(
    busy_sidebar: SidebarPage, instance_control: InstanceControl
) -> None:
    """The menu bar of the page contains the command."""
    busy_sidebar.page.get_by_role("menuitem", name="ModelArts").click()
    busy_sidebar.page.get_by_role("menuitem", name="Extend Stop Time by 1 h").click()
    expect_one_extension(busy_sidebar, instance_control)


def test_reminder_extends_while_cell_runs(
    busy_sidebar: SidebarPage, instance_control: InstanceControl
) -> None:
    """The button of the reminder extends the run and closes the reminder."""
    busy_sidebar.trigger_reminder(instance_control)
    busy_sidebar.toasts.get_by_role("button", name="+1 h").click()
    expect(busy_sidebar.status_item).to_contain_text(re.compile(r"^Stops in 1 h \d+ min"))
    expect(busy_sidebar.toasts).to_have_count(0)
    instance_control.wait_until_shown_in(busy_sidebar.countdown)
    assert len(instance_control.write_requests) == 1


def test_hours_restore_and_undo_take_few_actions(
    busy_sidebar: SidebarPage, instance_control: InstanceControl
) -> None:
    """Three more hours take two actions; restoring the usual run time and undoing take one each."""
    page = busy_sidebar.page
    extending, restoring, undoing = (CountingUser(page) for _ in range(3))
    extending.enter_text(busy_sidebar.panel.get_by_role("textbox", name="Duration"), "3h")
    extending.press("Enter")
    expect(busy_sidebar.status_item).to_contain_text(re.compile(r"^Stops in 3 h (3\d|40) min"))
    instance_control.wait_until_shown_in(busy_sidebar.countdown)
    assert extending.actions <= 2
    restoring.click(busy_sidebar.button("Restore 1 h for later starts"))
    expect(busy_sidebar.panel).to_contain_text("Restored at the next start: 1 h.")
    assert len(instance_control.write_requests) == 1
    undoing.click(busy_sidebar.button("Undo"))
    expect(busy_sidebar.status_item).to_contain_text(DEFAULT_TIME_LEFT)
    instance_control.wait_until_shown_in(busy_sidebar.countdown)
    expect(busy_sidebar.panel).not_to_contain_text("ater starts")
    assert [restoring.actions, undoing.actions] == [1, 1]
