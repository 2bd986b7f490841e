"""The countdown in a real page: it ticks by itself, moves the end, and follows whoever moves it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Callable

import pytest
from playwright.sync_api import expect
from ui.pages import Front, shape, until

if TYPE_CHECKING:
    from playwright.sync_api import Locator
    from ui.pages import Cloud, OpenNotebook
    from ui.place import Place

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
  for (let i = 0; i < 5; i++) view.querySelector('[data-do="plus"]').click();
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
    desk: OpenNotebook, cloud: Cloud, shoot: Callable[[Locator, str], None]
) -> None:
    """Every second once, without a kernel message, a request of ours, or a question to the cloud."""
    desk.wire.clear()
    desk.run(1)
    cloud.agrees(desk.countdown)
    desk.begin(2)
    desk.wire.calm_after("server_now_ms", "execute_input")  # the clock's, and the running cell's
    desk.wire.clear()
    cloud.emulator.clear_requests()
    seen = desk.page.evaluate(WATCH, TICKS)
    for (before, then), (after, now) in zip(seen, seen[1:]):
        ticked = (before - after) % 60  # more than one only where the page had no time for it
        assert ticked >= 1
        assert abs(now - then - ticked) < 1
    assert [shape(frame) for frame in desk.wire.frames] == []
    assert desk.wire.foreign == []
    assert cloud.emulator.requests == []
    cloud.agrees(desk.countdown)
    shoot(desk.output(1), "countdown")


def test_a_click_moves_the_end(
    desk: OpenNotebook, cloud: Cloud, shoot: Callable[[Locator, str], None]
) -> None:
    """In the cloud, and in words beside the buttons."""
    desk.run(1)
    desk.countdown.button("plus").click()
    expect(desk.countdown.part("note")).to_contain_text("Now stops at")
    assert near(cloud.left, START + HOUR)
    cloud.agrees(desk.countdown)
    shoot(desk.output(1), "extended")
    desk.countdown.button("minus").click()
    desk.countdown.wait_for(lambda shown: shown < HOUR.total_seconds())
    cloud.agrees(desk.countdown)
    assert len(cloud.writes) == 2
    assert near(cloud.left, START)


def test_a_storm_of_clicks_is_one_request(desk: OpenNotebook, cloud: Cloud) -> None:
    """What is wanted shows at once; the cloud hears of it once."""
    desk.run(1)
    cloud.agrees(desk.countdown)
    assert desk.page.evaluate(STORM).startswith("5 h")
    expect(desk.countdown.part("note")).to_contain_text("Now stops at")
    assert near(cloud.left, START + 5 * HOUR)
    assert len(cloud.writes) == 1


def test_a_duration_can_be_typed(desk: OpenNotebook, cloud: Cloud) -> None:
    """And a wrong one says how it is written, without a request."""
    desk.run(1)
    field = desk.countdown.root.get_by_label("Extend by")
    field.fill("90")
    field.press("Enter")
    expect(desk.countdown.part("note")).to_contain_text("Write 90m")
    assert cloud.writes == []
    field.fill("90m")
    field.press("Enter")
    expect(desk.countdown.part("note")).to_contain_text("Now stops at")
    assert near(cloud.left, START + 1.5 * HOUR)


def test_a_refusal_is_taken_back_with_the_reason(
    desk: OpenNotebook, cloud: Cloud, shoot: Callable[[Locator, str], None]
) -> None:
    """The stop time shown is the true one again."""
    desk.run(1)
    cloud.emulator.fault("403", methods=("PUT",))
    desk.countdown.button("plus").click()
    note = desk.countdown.part("note")
    expect(note).to_have_attribute("data-tone", "bad")
    assert near(cloud.left, START)
    cloud.agrees(desk.countdown)
    shoot(desk.output(1), "denied")


def test_without_auto_stop_there_is_nothing_to_extend(
    desk: OpenNotebook, cloud: Cloud, shoot: Callable[[Locator, str], None]
) -> None:
    """The buttons are disabled, say why, and can be reached all the same."""
    cloud.emulator.set_instance(minutes_left=None)
    desk.run(1)
    expect(desk.countdown.part("figure")).to_have_text("Auto-stop is off")
    plus = desk.countdown.button("plus")
    expect(plus).to_have_attribute("aria-disabled", "true")
    expect(plus).to_have_attribute("title", "Auto-stop is off; there is nothing to extend.")
    plus.click(force=True)
    desk.page.wait_for_timeout(1000)  # longer than clicks are collected
    assert cloud.writes == []
    shoot(desk.output(1), "off")


def test_two_views_are_in_step(desk: OpenNotebook, cloud: Cloud) -> None:
    """A click on one of them moves both."""
    desk.run(4, 5)
    expect(desk.page.locator(".ma-Countdown")).to_have_count(2)
    first, second = desk.countdowns
    second.button("plus").click()
    for view in (first, second):
        view.wait_for(lambda shown: shown > HOUR.total_seconds())
        cloud.agrees(view)
    until(
        desk.page, lambda: len(set(desk.page.evaluate(TIMERS))) == 1
    )  # one may tick a moment later
    assert len(cloud.writes) == 1


def test_a_magic_moves_every_countdown(desk: OpenNotebook, cloud: Cloud) -> None:
    """Also those of another widget, as soon as the cell is done."""
    desk.run(1, 4)
    expect(desk.page.locator(".ma-Countdown")).to_have_count(2)
    desk.run(3)
    for view in desk.countdowns:
        view.wait_for(lambda shown: shown > HOUR.total_seconds())
        cloud.agrees(view)


def test_what_a_terminal_changes_shows(desk: OpenNotebook, cloud: Cloud, place: Place) -> None:
    """Although no cell is run; the kernel is not even idle."""
    desk.run(1)
    cloud.agrees(desk.countdown)
    desk.begin(2)
    place.terminal("extend", "1h")
    desk.countdown.wait_for(lambda shown: shown > HOUR.total_seconds())
    cloud.agrees(desk.countdown)


@pytest.mark.only(Front.LAB)
def test_a_wrong_clock_changes_nothing(
    open_notebook: Callable[..., OpenNotebook], cloud: Cloud
) -> None:
    """The browser's is a day ahead; what is left is right, and so is the stop's date: it is today, at noon."""
    ahead = 12 - datetime.now(timezone.utc).hour
    noon = f"Etc/GMT{-ahead:+d}"  # what is east has a minus
    given = {"script": DAY_AHEAD, "timezone_id": noon}
    notebook = open_notebook("countdown.ipynb", **given).ready().run(0, 1)
    cloud.agrees(notebook.countdown)
    expect(notebook.countdown.part("unchecked")).to_be_hidden()
    expect(notebook.countdown.part("stop")).not_to_contain_text(" on ")
