"""The clock of the page is set, or the page wakes: time left, reminders and saving follow the server's time."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, NamedTuple

import pytest
from playwright.sync_api import expect
from ui.notebook_page import FrontEnd, new_context, wait_until
from ui.sidebar.sidebar_page import DEFAULT_TIME_LEFT, IS_DIRTY_JS, open_sidebar_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Route
    from ui.jupyter_server_process import JupyterServerProcess
    from ui.notebook_page import InstanceControl
    from ui.sidebar.sidebar_page import SidebarPage

SETTABLE_CLOCK_JS = """(() => {
  const real = Date.now.bind(Date);
  window.clockOffset = 0;
  Date.now = () => real() + window.clockOffset;
})()"""
"""The local clock can be set; the monotonic clock goes on as it is."""
SET_CLOCK_JS = "minutes => { window.clockOffset = minutes * 60_000; }"
WAKE_JS = "() => document.dispatchEvent(new Event('visibilitychange'))"
SET_VISIBILITY_JS = """state =>
  Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => state })"""
INSTANCE_URL = re.compile(r"/modelarts-magics/v1/instance(\?|$)")
REMIND_MINUTES = 5
SPARE_MINUTES = 0.2
"""The time until the reminder, in which the clock is set and nothing must happen."""
MANAGER_PLUGIN = "modelarts-magics-lab:manager"


class Cell(NamedTuple):
    """A state of panel and page in which the clock is set by some minutes."""

    minutes: int
    panel: str
    page: str


CELLS = [
    Cell(5, "never shown", "waking"),
    Cell(-120, "never shown", "hidden"),
    Cell(-5, "shown", "visible"),
    Cell(120, "shown", "waking"),
    Cell(120, "collapsed", "visible"),
]


@pytest.fixture(scope="module")
def clock_sidebar(browser: Browser, jupyter_server: JupyterServerProcess) -> Iterator[SidebarPage]:
    """A page with a clock that can be set, which the tests share."""
    settings = {"remindMinutes": [REMIND_MINUTES], "saveMinutes": REMIND_MINUTES}
    jupyter_server.write_settings(MANAGER_PLUGIN, settings)
    with contextlib.closing(new_context(browser)) as context:
        context.add_init_script(SETTABLE_CLOCK_JS)
        yield open_sidebar_page(context, jupyter_server)


@pytest.fixture
def page_with_clock(
    clock_sidebar: SidebarPage, instance_control: InstanceControl
) -> Iterator[SidebarPage]:
    """The shared page with the right time, and the reset instance."""
    clock_sidebar.refresh()
    expect(clock_sidebar.status_item).to_contain_text(DEFAULT_TIME_LEFT)
    yield clock_sidebar
    instance_control.reset()
    set_clock(clock_sidebar, 0, "waking")
    clock_sidebar.run_command("apputils:dismiss-notification")


def set_panel_state(sidebar: SidebarPage, state: str) -> None:
    """Show the panel, or show and collapse it."""
    if state != "never shown":
        sidebar.open_panel()
    if state == "collapsed":
        sidebar.run_command("application:toggle-right-area")
        expect(sidebar.panel).to_be_hidden()


def set_clock(sidebar: SidebarPage, minutes: int, page_state: str = "visible") -> None:
    """Set the local clock of a page while it is visible, hidden, or before it wakes."""
    if page_state != "visible":
        sidebar.page.evaluate(SET_VISIBILITY_JS, "hidden")
        sidebar.page.evaluate(WAKE_JS)
    sidebar.page.evaluate(SET_CLOCK_JS, minutes)
    if page_state == "waking":
        sidebar.page.evaluate(SET_VISIBILITY_JS, "visible")
        sidebar.page.evaluate(WAKE_JS)


@pytest.mark.only(FrontEnd.LAB)
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_time_left_reminder_and_saving_survive_set_clock(
    page_with_clock: SidebarPage, instance_control: InstanceControl, cell: Cell
) -> None:
    """None of them comes early, and all of them come when the server's time says so."""
    sidebar = page_with_clock
    set_panel_state(sidebar, cell.panel)
    sidebar.make_dirty()
    instance_control.emulator.set_instance(minutes_left=REMIND_MINUTES + SPARE_MINUTES)
    sidebar.refresh()
    expect(sidebar.status_item).to_contain_text(re.compile(r"^Stops in 5 min \d+ s"))
    set_clock(sidebar, cell.minutes, cell.page)
    sidebar.page.wait_for_timeout(2_000)
    assert sidebar.toasts.all_text_contents() == []
    assert sidebar.page.evaluate(IS_DIRTY_JS)
    assert instance_control.time_left.total_seconds() > REMIND_MINUTES * 60, "the test was too slow"
    expect(sidebar.toasts).to_have_count(1)
    expect(sidebar.toasts).to_contain_text("5 min left as of")
    sidebar.page.wait_for_function(f"() => !({IS_DIRTY_JS})()")
    expect(sidebar.status_item).to_contain_text(re.compile(r"^Stops in 4 min \d+ s"))
    if cell.panel == "shown":
        instance_control.wait_until_shown_in(sidebar.countdown)


@pytest.mark.only(FrontEnd.LAB)
def test_time_left_is_marked_until_server_responds(
    page_with_clock: SidebarPage, instance_control: InstanceControl
) -> None:
    """A page that wakes with a wrong clock marks the time left, and reminds of nothing."""
    sidebar = page_with_clock.open_panel()
    held: list[Route] = []
    is_holding = True

    def hold(route: Route) -> None:
        if is_holding:
            held.append(route)
        else:
            route.continue_()

    sidebar.page.route(INSTANCE_URL, hold)
    set_clock(sidebar, 36, "waking")
    expect(sidebar.status_item).to_contain_text(re.compile(r"^Stops in ± \d+ min"))
    expect(sidebar.countdown.element("unsynced")).to_be_visible()
    wait_until(sidebar.page, lambda: bool(held))
    assert sidebar.toasts.count() == 0
    is_holding = False
    for route in held:
        route.continue_()
    expect(sidebar.status_item).to_contain_text(DEFAULT_TIME_LEFT)
    expect(sidebar.countdown.element("unsynced")).to_be_hidden()
    instance_control.wait_until_shown_in(sidebar.countdown)
    assert sidebar.toasts.count() == 0
    sidebar.page.unroute(INSTANCE_URL)
