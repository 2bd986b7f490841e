"""Reminders before the stop: shown once, with their buttons, and switched off."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from ui.contrast import low_contrast_texts
from ui.jupyter_server_process import NEWS_DISABLED, NOTIFICATION_PLUGIN
from ui.notebook_page import FrontEnd, wait_until
from ui.sidebar.sidebar_page import IS_DIRTY_JS, open_sidebar_page

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext
    from ui.jupyter_server_process import JupyterServerProcess
    from ui.notebook_page import InstanceControl
    from ui.sidebar.sidebar_page import SidebarPage

REMINDER_SETTLED_JS = """async () => {
  const { held, pending } = await navigator.locks.query();
  const open = [...held, ...pending].filter(each => each.name.includes(':once:'));
  const marks = Object.keys(localStorage).filter(each => /:once:.*:remind:.*:30$/.test(each));
  return marks.length === 1 && open.length === 0;
}"""
"""Whether the tabs have settled which of them shows the reminder at 30 minutes."""


@pytest.fixture
def reminded_sidebar(sidebar: SidebarPage, instance_control: InstanceControl) -> SidebarPage:
    """A page that shows a reminder."""
    sidebar.trigger_reminder(instance_control)
    return sidebar


@pytest.mark.only(FrontEnd.LAB)
def test_two_tabs_show_one_reminder(
    jupyter_server: JupyterServerProcess, context: BrowserContext, instance_control: InstanceControl
) -> None:
    """The button of the reminder extends the run, and both tabs show it."""
    tabs = [open_sidebar_page(context, jupyter_server), open_sidebar_page(context, jupyter_server)]
    instance_control.approach_stop()
    tabs[0].refresh()
    for each in tabs:
        expect(each.page.locator(".ma-Status")).to_have_attribute("data-phase", "soon")
    wait_until(tabs[0].page, lambda: tabs[0].page.evaluate(REMINDER_SETTLED_JS))
    wait_until(tabs[0].page, lambda: any(each.toasts.count() for each in tabs))
    (shown,) = [each for each in tabs for _ in each.toasts.all()]
    shown.toasts.get_by_role("button", name="+1 h").click()
    for each in tabs:
        expect(each.status_item).to_contain_text(re.compile(r"^Stops in 1 h \d+ min"))
    expect(shown.toasts).to_have_count(0)
    instance_control.wait_until_shown_in(shown.open_panel().countdown)
    assert len(instance_control.write_requests) == 1


def test_dont_remind_again_turns_reminders_off(
    reminded_sidebar: SidebarPage, instance_control: InstanceControl
) -> None:
    """The API stores the setting, and the panel shows it with a button to undo it."""
    reminded_sidebar.toasts.get_by_role("button", name="Mute", exact=True).click()
    expect(reminded_sidebar.notices).to_contain_text("Reminders are off for this instance.")
    expect(reminded_sidebar.toasts).to_have_count(0)
    assert instance_control.instance["prompt"] is False
    assert instance_control.instance["duration_s"] == 3600
    switch = reminded_sidebar.panel.get_by_role("switch", name="Remind me before the stop")
    expect(switch).not_to_be_checked()
    reminded_sidebar.button("Turn On").click()
    expect(switch).to_be_checked()
    expect(reminded_sidebar.notices).not_to_contain_text("Reminders are off")
    assert instance_control.instance["prompt"] is True


def test_reminder_saves_all_documents(reminded_sidebar: SidebarPage) -> None:
    """Its buttons are on one line; Save All saves the changed notebook and lists it."""
    expect(reminded_sidebar.toast_buttons).to_have_text(["+1 h", "Save All", "Mute"])
    assert reminded_sidebar.toast_button_rows() == 1
    assert low_contrast_texts(reminded_sidebar.toasts) == []
    reminded_sidebar.make_dirty()
    reminded_sidebar.toasts.get_by_role("button", name="Save All").click()
    message = reminded_sidebar.page.locator(".Toastify__toast", has_text="Saved:")
    expect(message).to_contain_text(reminded_sidebar.notebook.name)
    assert not reminded_sidebar.page.evaluate(IS_DIRTY_JS)


def test_do_not_disturb_hides_reminder(
    jupyter_server: JupyterServerProcess,
    context: BrowserContext,
    instance_control: InstanceControl,
    front_end: FrontEnd,
) -> None:
    """The reminder does not pop up, but status item and notification list show it."""
    jupyter_server.write_settings(NOTIFICATION_PLUGIN, {**NEWS_DISABLED, "doNotDisturbMode": True})
    sidebar = open_sidebar_page(context, jupyter_server, front_end)
    instance_control.approach_stop()
    sidebar.refresh()
    expect(sidebar.page.locator(".ma-Status")).to_have_attribute("data-phase", "soon")
    expect(sidebar.status_item).to_contain_text("Stops in")
    wait_until(sidebar.page, lambda: sidebar.page.evaluate(REMINDER_SETTLED_JS))
    expect(sidebar.toasts).to_have_count(0)
    # This command closes the notifications that popped up, so it comes after the check.
    sidebar.run_command("apputils:display-notifications")
    expect(sidebar.page.locator(".jp-Notification-List-Item", has_text="left as of")).to_have_count(
        1
    )
