"""The countdown in a page: it ticks, changes the stop time, and follows changes made elsewhere."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Callable

import pytest
from playwright.sync_api import expect
from ui.notebook_page import FrontEnd, preview, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Locator
    from ui.jupyter_server_process import JupyterServerProcess
    from ui.notebook_page import InstanceControl, NotebookPage

TICKS = 10
HOUR = timedelta(hours=1)
INITIAL_TIME_LEFT = timedelta(minutes=40)
COLLECT_SECONDS_JS = """ticks => new Promise(done => {
  const seen = [];
  const node = document.querySelector('.ma-Countdown-seconds');
  const observer = new MutationObserver(() => {
    if (seen.push([parseInt(node.textContent, 10), performance.now() / 1000]) === ticks) {
      observer.disconnect();
      done(seen);
    }
  });
  observer.observe(node, { childList: true, characterData: true, subtree: true });
})"""
"""Collect the next shown seconds, each with the time at which it appeared."""
TIMER_TEXTS_JS = (
    "() => [...document.querySelectorAll('.ma-Countdown-timer')].map(timer => timer.textContent)"
)
CLICK_FIVE_TIMES_JS = """() => new Promise(done => {
  const view = document.querySelector('.ma-Countdown');
  for (let i = 0; i < 5; i++) view.querySelector('[data-action="extend"]').click();
  requestAnimationFrame(() => done(view.querySelector('.ma-Countdown-timer').textContent));
})"""
"""Click five times, and return the time left in the next frame."""
CLOCK_ONE_DAY_AHEAD_JS = """
const offset = 24 * 3600 * 1000;
const Real = Date;
globalThis.Date = class extends Real {
  constructor(...values) { values.length ? super(...values) : super(Real.now() + offset); }
  static now() { return Real.now() + offset; }
};
"""


def is_close(left: timedelta, expected: timedelta) -> bool:
    """Return whether the times differ by less than ten minutes, the longest that a test takes."""
    return abs(expected - left) < timedelta(minutes=10)


def test_countdown_ticks_without_network_traffic_while_cell_runs(
    notebook_page: NotebookPage,
    instance_control: InstanceControl,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """It ticks once a second without kernel messages, HTTP requests or API requests."""
    notebook_page.network.clear()
    notebook_page.run_cells(1)
    instance_control.wait_until_shown_in(notebook_page.countdown)
    notebook_page.start_cell(2)
    # The messages are those of the clock and of the running cell.
    notebook_page.network.wait_until_quiet_after("server_now_ms", "execute_input")
    notebook_page.network.clear()
    instance_control.emulator.clear_requests()
    seen = notebook_page.page.evaluate(COLLECT_SECONDS_JS, TICKS)
    for (before, then), (after, now) in zip(seen, seen[1:]):
        # The difference is more than one if the page was too busy to show a second.
        elapsed_s = (before - after) % 60
        assert elapsed_s >= 1
        assert abs(now - then - elapsed_s) < 1
    assert [preview(frame) for frame in notebook_page.network.frames] == []
    assert notebook_page.network.unexpected_requests == []
    assert instance_control.emulator.requests == []
    instance_control.wait_until_shown_in(notebook_page.countdown)
    take_screenshot(notebook_page.output(1), "countdown")


@pytest.mark.every_front_end
def test_click_changes_stop_time(
    notebook_page: NotebookPage,
    instance_control: InstanceControl,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """The API has the new stop time, and the countdown shows a message."""
    notebook_page.run_cells(1)
    notebook_page.countdown.button("extend").click()
    expect(notebook_page.countdown.element("feedback")).to_contain_text("New stop time")
    assert is_close(instance_control.time_left, INITIAL_TIME_LEFT + HOUR)
    instance_control.wait_until_shown_in(notebook_page.countdown)
    take_screenshot(notebook_page.output(1), "extended")
    notebook_page.countdown.button("shorten").click()
    notebook_page.countdown.wait_for(lambda shown: shown < HOUR.total_seconds())
    instance_control.wait_until_shown_in(notebook_page.countdown)
    assert len(instance_control.write_requests) == 2
    assert is_close(instance_control.time_left, INITIAL_TIME_LEFT)


def test_quick_clicks_send_one_request(
    notebook_page: NotebookPage, instance_control: InstanceControl
) -> None:
    """The sum of the clicks shows at once and is sent in a single request."""
    notebook_page.run_cells(1)
    instance_control.wait_until_shown_in(notebook_page.countdown)
    assert notebook_page.page.evaluate(CLICK_FIVE_TIMES_JS).startswith("5 h")
    expect(notebook_page.countdown.element("feedback")).to_contain_text("New stop time")
    assert is_close(instance_control.time_left, INITIAL_TIME_LEFT + 5 * HOUR)
    assert len(instance_control.write_requests) == 1


def test_typed_duration_extends_run(
    notebook_page: NotebookPage, instance_control: InstanceControl
) -> None:
    """An invalid duration shows the expected format and sends no request."""
    notebook_page.run_cells(1)
    field = notebook_page.countdown.root.get_by_label("Duration")
    field.fill("90")
    field.press("Enter")
    expect(notebook_page.countdown.element("feedback")).to_contain_text("Examples: 90m, 2h30m")
    assert instance_control.write_requests == []
    field.fill("90m")
    field.press("Enter")
    expect(notebook_page.countdown.element("feedback")).to_contain_text("New stop time")
    assert is_close(instance_control.time_left, INITIAL_TIME_LEFT + 1.5 * HOUR)


def test_refused_change_is_reverted_with_reason(
    notebook_page: NotebookPage,
    instance_control: InstanceControl,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """The countdown shows the actual stop time again."""
    notebook_page.run_cells(1)
    instance_control.emulator.add_fault("403", methods=("PUT",))
    notebook_page.countdown.button("extend").click()
    feedback = notebook_page.countdown.element("feedback")
    expect(feedback).to_have_attribute("data-tone", "error")
    assert is_close(instance_control.time_left, INITIAL_TIME_LEFT)
    instance_control.wait_until_shown_in(notebook_page.countdown)
    take_screenshot(notebook_page.output(1), "denied")


def test_buttons_are_disabled_without_auto_stop(
    notebook_page: NotebookPage,
    instance_control: InstanceControl,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """The disabled buttons show the reason, and a click sends no request."""
    instance_control.emulator.set_instance(minutes_left=None)
    notebook_page.run_cells(1)
    expect(notebook_page.countdown.element("timeLeft")).to_have_text("Auto-stop is off")
    button = notebook_page.countdown.button("extend")
    expect(button).to_have_attribute("aria-disabled", "true")
    reason = "The instance runs, and is billed, until you stop it."
    expect(button).to_have_attribute("title", reason)
    expect(notebook_page.countdown.root).to_contain_text(reason)
    button.click(force=True)
    # Clicks are collected for less than this time before a request.
    notebook_page.page.wait_for_timeout(1000)
    assert instance_control.write_requests == []
    take_screenshot(notebook_page.output(1), "off")


@pytest.mark.every_front_end
def test_two_views_stay_in_sync(
    notebook_page: NotebookPage, instance_control: InstanceControl
) -> None:
    """A click in one view changes the stop time in both."""
    notebook_page.run_cells(4, 5)
    expect(notebook_page.page.locator(".ma-Countdown")).to_have_count(2)
    first, second = notebook_page.countdowns
    second.button("extend").click()
    for view in (first, second):
        view.wait_for(lambda shown: shown > HOUR.total_seconds())
        instance_control.wait_until_shown_in(view)
    # One view may tick a moment later than the other.
    wait_until(
        notebook_page.page, lambda: len(set(notebook_page.page.evaluate(TIMER_TEXTS_JS))) == 1
    )
    assert len(instance_control.write_requests) == 1


def test_magic_updates_every_countdown(
    notebook_page: NotebookPage, instance_control: InstanceControl
) -> None:
    """Countdowns of other widgets follow as soon as the cell has finished."""
    notebook_page.run_cells(1, 4)
    expect(notebook_page.page.locator(".ma-Countdown")).to_have_count(2)
    notebook_page.run_cells(3)
    for view in notebook_page.countdowns:
        view.wait_for(lambda shown: shown > HOUR.total_seconds())
        instance_control.wait_until_shown_in(view)


def test_countdown_follows_change_from_terminal(
    notebook_page: NotebookPage,
    instance_control: InstanceControl,
    jupyter_server: JupyterServerProcess,
) -> None:
    """The change shows although the kernel is busy with a cell."""
    notebook_page.run_cells(1)
    instance_control.wait_until_shown_in(notebook_page.countdown)
    notebook_page.start_cell(2)
    jupyter_server.run_cli("extend", "1h")
    notebook_page.countdown.wait_for(lambda shown: shown > HOUR.total_seconds())
    instance_control.wait_until_shown_in(notebook_page.countdown)


@pytest.mark.only(FrontEnd.LAB)
def test_wrong_browser_clock_does_not_matter(
    open_notebook: Callable[..., NotebookPage], instance_control: InstanceControl
) -> None:
    """With a browser clock one day ahead, the time left and the date of the stop are right."""
    offset = 12 - datetime.now(timezone.utc).hour
    # In this time zone it is about noon, so that the stop is today; zones east of GMT have a minus sign.
    time_zone = f"Etc/GMT{-offset:+d}"
    options = {"script": CLOCK_ONE_DAY_AHEAD_JS, "timezone_id": time_zone}
    notebook = open_notebook("countdown.ipynb", **options).wait_until_ready().run_cells(0, 1)
    instance_control.wait_until_shown_in(notebook.countdown)
    expect(notebook.countdown.element("unsynced")).to_be_hidden()
    expect(notebook.countdown.element("stopTime")).not_to_contain_text(" on ")
