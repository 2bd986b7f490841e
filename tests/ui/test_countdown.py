"""The countdown in a real page: it ticks by itself, moves the end, and follows whoever moves it."""

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
START = timedelta(minutes=40)
WATCH = """ticks => new Promise(done => {
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
"""Collect the next seconds that are shown, and when."""
TIMERS = "() => [...document.querySelectorAll('.ma-Countdown-timer')].map(one => one.textContent)"
STORM = """() => new Promise(done => {
  const view = document.querySelector('.ma-Countdown');
  for (let i = 0; i < 5; i++) view.querySelector('[data-action="extend"]').click();
  requestAnimationFrame(() => done(view.querySelector('.ma-Countdown-timer').textContent));
})"""
"""Click five times, and read what the next frame shows."""
DAY_AHEAD = """
const ahead = 24 * 3600 * 1000;
const Real = Date;
globalThis.Date = class extends Real {
  constructor(...given) { given.length ? super(...given) : super(Real.now() + ahead); }
  static now() { return Real.now() + ahead; }
};
"""


def near(left: timedelta, wanted: timedelta) -> bool:
    """Whether that is left, but for what a test takes."""
    return abs(wanted - left) < timedelta(minutes=10)


def test_it_ticks_in_the_page_while_a_cell_runs(
    notebook_page: NotebookPage,
    instance_control: InstanceControl,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """Every second once, without a kernel message, a request of ours, or a question to the cloud."""
    notebook_page.network.clear()
    notebook_page.run_cells(1)
    instance_control.wait_until_shown_in(notebook_page.countdown)
    notebook_page.start_cell(2)
    notebook_page.network.wait_until_quiet_after(
        "server_now_ms", "execute_input"
    )  # the clock's, and the running cell's
    notebook_page.network.clear()
    instance_control.emulator.clear_requests()
    seen = notebook_page.page.evaluate(WATCH, TICKS)
    for (before, then), (after, now) in zip(seen, seen[1:]):
        ticked = (before - after) % 60  # more than one only where the page had no time for it
        assert ticked >= 1
        assert abs(now - then - ticked) < 1
    assert [preview(frame) for frame in notebook_page.network.frames] == []
    assert notebook_page.network.unexpected_requests == []
    assert instance_control.emulator.requests == []
    instance_control.wait_until_shown_in(notebook_page.countdown)
    take_screenshot(notebook_page.output(1), "countdown")


@pytest.mark.every_front_end
def test_a_click_moves_the_end(
    notebook_page: NotebookPage,
    instance_control: InstanceControl,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """In the cloud, and in words beside the buttons."""
    notebook_page.run_cells(1)
    notebook_page.countdown.button("extend").click()
    expect(notebook_page.countdown.element("feedback")).to_contain_text("New stop time")
    assert near(instance_control.time_left, START + HOUR)
    instance_control.wait_until_shown_in(notebook_page.countdown)
    take_screenshot(notebook_page.output(1), "extended")
    notebook_page.countdown.button("shorten").click()
    notebook_page.countdown.wait_for(lambda shown: shown < HOUR.total_seconds())
    instance_control.wait_until_shown_in(notebook_page.countdown)
    assert len(instance_control.write_requests) == 2
    assert near(instance_control.time_left, START)


def test_a_storm_of_clicks_is_one_request(
    notebook_page: NotebookPage, instance_control: InstanceControl
) -> None:
    """What is wanted shows at once; the cloud hears of it once."""
    notebook_page.run_cells(1)
    instance_control.wait_until_shown_in(notebook_page.countdown)
    assert notebook_page.page.evaluate(STORM).startswith("5 h")
    expect(notebook_page.countdown.element("feedback")).to_contain_text("New stop time")
    assert near(instance_control.time_left, START + 5 * HOUR)
    assert len(instance_control.write_requests) == 1


def test_a_duration_can_be_typed(
    notebook_page: NotebookPage, instance_control: InstanceControl
) -> None:
    """And a wrong one says how it is written, without a request."""
    notebook_page.run_cells(1)
    field = notebook_page.countdown.root.get_by_label("Duration")
    field.fill("90")
    field.press("Enter")
    expect(notebook_page.countdown.element("feedback")).to_contain_text("Use a format such as 90m")
    assert instance_control.write_requests == []
    field.fill("90m")
    field.press("Enter")
    expect(notebook_page.countdown.element("feedback")).to_contain_text("New stop time")
    assert near(instance_control.time_left, START + 1.5 * HOUR)


def test_a_refusal_is_taken_back_with_the_reason(
    notebook_page: NotebookPage,
    instance_control: InstanceControl,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """The stop time shown is the true one again."""
    notebook_page.run_cells(1)
    instance_control.emulator.add_fault("403", methods=("PUT",))
    notebook_page.countdown.button("extend").click()
    note = notebook_page.countdown.element("feedback")
    expect(note).to_have_attribute("data-tone", "error")
    assert near(instance_control.time_left, START)
    instance_control.wait_until_shown_in(notebook_page.countdown)
    take_screenshot(notebook_page.output(1), "denied")


def test_without_auto_stop_there_is_nothing_to_extend(
    notebook_page: NotebookPage,
    instance_control: InstanceControl,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """The buttons are disabled, say why, and can be reached all the same."""
    instance_control.emulator.set_instance(minutes_left=None)
    notebook_page.run_cells(1)
    expect(notebook_page.countdown.element("timeLeft")).to_have_text("Auto-stop is off")
    plus = notebook_page.countdown.button("extend")
    expect(plus).to_have_attribute("aria-disabled", "true")
    expect(plus).to_have_attribute("title", "Auto-stop is off; there is no stop time to change.")
    plus.click(force=True)
    notebook_page.page.wait_for_timeout(1000)  # longer than clicks are collected
    assert instance_control.write_requests == []
    take_screenshot(notebook_page.output(1), "off")


@pytest.mark.every_front_end
def test_two_views_are_in_step(
    notebook_page: NotebookPage, instance_control: InstanceControl
) -> None:
    """A click on one of them moves both."""
    notebook_page.run_cells(4, 5)
    expect(notebook_page.page.locator(".ma-Countdown")).to_have_count(2)
    first, second = notebook_page.countdowns
    second.button("extend").click()
    for view in (first, second):
        view.wait_for(lambda shown: shown > HOUR.total_seconds())
        instance_control.wait_until_shown_in(view)
    wait_until(
        notebook_page.page, lambda: len(set(notebook_page.page.evaluate(TIMERS))) == 1
    )  # one may tick a moment later
    assert len(instance_control.write_requests) == 1


def test_a_magic_moves_every_countdown(
    notebook_page: NotebookPage, instance_control: InstanceControl
) -> None:
    """Also those of another widget, as soon as the cell is done."""
    notebook_page.run_cells(1, 4)
    expect(notebook_page.page.locator(".ma-Countdown")).to_have_count(2)
    notebook_page.run_cells(3)
    for view in notebook_page.countdowns:
        view.wait_for(lambda shown: shown > HOUR.total_seconds())
        instance_control.wait_until_shown_in(view)


def test_what_a_terminal_changes_shows(
    notebook_page: NotebookPage,
    instance_control: InstanceControl,
    jupyter_server: JupyterServerProcess,
) -> None:
    """Although no cell is run; the kernel is not even idle."""
    notebook_page.run_cells(1)
    instance_control.wait_until_shown_in(notebook_page.countdown)
    notebook_page.start_cell(2)
    jupyter_server.run_cli("extend", "1h")
    notebook_page.countdown.wait_for(lambda shown: shown > HOUR.total_seconds())
    instance_control.wait_until_shown_in(notebook_page.countdown)


@pytest.mark.only(FrontEnd.LAB)
def test_a_wrong_clock_changes_nothing(
    open_notebook: Callable[..., NotebookPage], instance_control: InstanceControl
) -> None:
    """The browser's is a day ahead; what is left is right, and so is the stop's date: it is today, at noon."""
    ahead = 12 - datetime.now(timezone.utc).hour
    noon = f"Etc/GMT{-ahead:+d}"  # what is east has a minus
    given = {"script": DAY_AHEAD, "timezone_id": noon}
    notebook = open_notebook("countdown.ipynb", **given).wait_until_ready().run_cells(0, 1)
    instance_control.wait_until_shown_in(notebook.countdown)
    expect(notebook.countdown.element("unsynced")).to_be_hidden()
    expect(notebook.countdown.element("stopTime")).not_to_contain_text(" on ")
