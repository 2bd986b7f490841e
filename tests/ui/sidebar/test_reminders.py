"""Reminders before the stop: once, with what they offer, and silent where a person wants that."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from ui.pages import Front, until
from ui.place import NEWS, NO_NEWS
from ui.sidebar.tabs import DIRTY, tab

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext
    from ui.pages import Cloud
    from ui.place import Place
    from ui.sidebar.tabs import Sidebar

DECIDED = """async () => {
  const { held, pending } = await navigator.locks.query();
  const open = [...held, ...pending].filter(each => each.name.includes(':once:'));
  const marks = Object.keys(localStorage).filter(each => /:once:.*:remind:.*:30$/.test(each));
  return marks.length === 1 && open.length === 0;
}"""
"""The tabs of the browser have settled who of them reminds at half an hour."""


@pytest.fixture
def reminded(side: Sidebar, cloud: Cloud) -> Sidebar:
    """A page that shows a reminder."""
    side.be_reminded(cloud)
    return side


@pytest.mark.only(Front.LAB)
def test_two_tabs_remind_once(place: Place, context: BrowserContext, cloud: Cloud) -> None:
    """And what the reminder offers works for both."""
    tabs = [tab(context, place), tab(context, place)]
    cloud.come_near()
    tabs[0].ask()
    for each in tabs:
        expect(each.page.locator(".ma-Status")).to_have_attribute("data-phase", "soon")
    until(tabs[0].page, lambda: tabs[0].page.evaluate(DECIDED))
    until(tabs[0].page, lambda: any(each.toasts.count() for each in tabs))
    (shown,) = [each for each in tabs for _ in each.toasts.all()]
    shown.toasts.get_by_role("button", name="Extend 1 h").click()
    for each in tabs:
        expect(each.status).to_contain_text(re.compile(r"^1 h \d+ min"))
    expect(shown.toasts).to_have_count(0)
    cloud.agrees(shown.open().countdown)
    assert len(cloud.writes) == 1


def test_dont_remind_again(reminded: Sidebar, cloud: Cloud) -> None:
    """The cloud keeps the wish, the panel says so, and how to take it back."""
    reminded.toasts.get_by_role("button", name=re.compile("^Don.t remind again$")).click()
    expect(reminded.notices).to_contain_text("Reminders are off for this instance.")
    expect(reminded.toasts).to_have_count(0)
    assert cloud.instance["prompt"] is False
    assert cloud.instance["duration_s"] == 3600
    switch = reminded.panel.get_by_role("switch", name="Remind me before it stops")
    expect(switch).not_to_be_checked()
    reminded.button("Turn on").click()
    expect(switch).to_be_checked()
    expect(reminded.notices).not_to_contain_text("Reminders are off")
    assert cloud.instance["prompt"] is True


def test_save_all(reminded: Sidebar) -> None:
    """Everything that can be saved without a question is, at once."""
    reminded.make_dirty()
    reminded.toasts.get_by_role("button", name="Save all").click()
    said = reminded.page.locator(".Toastify__toast", has_text="Saved:")
    expect(said).to_contain_text(reminded.notebook.name)
    assert not reminded.page.evaluate(DIRTY)


def test_do_not_disturb(place: Place, context: BrowserContext, cloud: Cloud, front: Front) -> None:
    """Nothing pops up; the status item says it all the same, and the reminder is among the notifications."""
    place.set(NEWS, {**NO_NEWS, "doNotDisturbMode": True})
    side = tab(context, place, front)
    cloud.come_near()
    side.ask()
    expect(side.page.locator(".ma-Status")).to_have_attribute("data-phase", "soon")
    expect(side.status).to_contain_text("stops soon")
    until(side.page, lambda: side.page.evaluate(DECIDED))
    expect(side.toasts).to_have_count(0)
    side.run("apputils:display-notifications")  # which would take away what has popped up
    expect(side.page.locator(".jp-Notification-List-Item", has_text="left at")).to_have_count(1)
