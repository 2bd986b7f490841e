"""Reminders before the stop: once, with what they offer, and silent where a person wants that."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from ui.jupyter_server_process import NEWS_DISABLED, NOTIFICATION_PLUGIN
from ui.notebook_page import FrontEnd, wait_until
from ui.sidebar.sidebar_page import IS_DIRTY_JS, open_sidebar_page

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext
    from ui.jupyter_server_process import JupyterServerProcess
    from ui.notebook_page import InstanceControl
    from ui.sidebar.sidebar_page import SidebarPage

DECIDED = """async () => {
  const { held, pending } = await navigator.locks.query();
  const open = [...held, ...pending].filter(each => each.name.includes(':once:'));
  const marks = Object.keys(localStorage).filter(each => /:once:.*:remind:.*:30$/.test(each));
  return marks.length === 1 && open.length === 0;
}"""
"""The tabs of the browser have settled who of them reminds at half an hour."""


@pytest.fixture
def reminded(sidebar: SidebarPage, instance_control: InstanceControl) -> SidebarPage:
    """A page that shows a reminder."""
    sidebar.trigger_reminder(instance_control)
    return sidebar


@pytest.mark.only(FrontEnd.LAB)
def test_two_tabs_remind_once(
    jupyter_server: JupyterServerProcess, context: BrowserContext, instance_control: InstanceControl
) -> None:
    """And what the reminder offers works for both."""
    tabs = [open_sidebar_page(context, jupyter_server), open_sidebar_page(context, jupyter_server)]
    instance_control.approach_stop()
    tabs[0].refresh()
    for each in tabs:
        expect(each.page.locator(".ma-Status")).to_have_attribute("data-phase", "soon")
    wait_until(tabs[0].page, lambda: tabs[0].page.evaluate(DECIDED))
    wait_until(tabs[0].page, lambda: any(each.toasts.count() for each in tabs))
    (shown,) = [each for each in tabs for _ in each.toasts.all()]
    shown.toasts.get_by_role("button", name="Extend by 1 h").click()
    for each in tabs:
        expect(each.status_item).to_contain_text(re.compile(r"^1 h \d+ min"))
    expect(shown.toasts).to_have_count(0)
    instance_control.wait_until_shown_in(shown.open_panel().countdown)
    assert len(instance_control.write_requests) == 1


def test_dont_remind_again(reminded: SidebarPage, instance_control: InstanceControl) -> None:
    """The cloud keeps the wish, the panel says so, and how to take it back."""
    reminded.toasts.get_by_role("button", name=re.compile("^Don.t remind again$")).click()
    expect(reminded.notices).to_contain_text("Reminders are off for this instance.")
    expect(reminded.toasts).to_have_count(0)
    assert instance_control.instance["prompt"] is False
    assert instance_control.instance["duration_s"] == 3600
    switch = reminded.panel.get_by_role("switch", name="Remind me before the stop")
    expect(switch).not_to_be_checked()
    reminded.button("Turn On").click()
    expect(switch).to_be_checked()
    expect(reminded.notices).not_to_contain_text("Reminders are off")
    assert instance_control.instance["prompt"] is True


def test_save_all(reminded: SidebarPage) -> None:
    """Everything that can be saved without a question is, at once."""
    reminded.make_dirty()
    reminded.toasts.get_by_role("button", name="Save All").click()
    said = reminded.page.locator(".Toastify__toast", has_text="Saved:")
    expect(said).to_contain_text(reminded.notebook.name)
    assert not reminded.page.evaluate(IS_DIRTY_JS)


def test_do_not_disturb(
    jupyter_server: JupyterServerProcess,
    context: BrowserContext,
    instance_control: InstanceControl,
    front_end: FrontEnd,
) -> None:
    """Nothing pops up; the status item says it all the same, and the reminder is among the notifications."""
    jupyter_server.write_settings(NOTIFICATION_PLUGIN, {**NEWS_DISABLED, "doNotDisturbMode": True})
    side = open_sidebar_page(context, jupyter_server, front_end)
    instance_control.approach_stop()
    side.refresh()
    expect(side.page.locator(".ma-Status")).to_have_attribute("data-phase", "soon")
    expect(side.status_item).to_contain_text("stops soon")
    wait_until(side.page, lambda: side.page.evaluate(DECIDED))
    expect(side.toasts).to_have_count(0)
    side.run_command("apputils:display-notifications")  # which would take away what has popped up
    expect(side.page.locator(".jp-Notification-List-Item", has_text="left as of")).to_have_count(1)
