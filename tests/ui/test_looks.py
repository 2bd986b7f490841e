"""Themes, languages, narrow pages, keys instead of a mouse, and what axe has to say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from ui.pages import Front

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page
    from ui.pages import Cloud, OpenNotebook
    from ui.place import Place

OURS = ".jp-OutputArea-output"
THEMES = "@jupyterlab/apputils-extension:themes"
TRANSLATION = "@jupyterlab/translation-extension:plugin"
MANY_TABS = 40
NARROW = {"width": 238, "height": 800}
"""Leaves about 200 px for what a cell shows."""
FITS = """() => {
  const root = document.querySelector('.ma-Countdown');
  const box = root.getBoundingClientRect();
  const parts = [...root.querySelectorAll('button, input, time, .ma-Countdown-figure')];
  const out = parts.filter(one => one.getBoundingClientRect().right > box.right + 0.5);
  return { width: box.width, scrolls: root.scrollWidth > root.clientWidth, out: out.length };
}"""
FOCUS_CELL = """index => {
  const { content } = jupyterapp.shell.currentWidget;
  content.activeCellIndex = index;
  content.mode = 'command';
  content.activate();
}"""
FOCUSED = "() => document.activeElement?.dataset?.do ?? ''"


def complaints(page: Page) -> list[str]:
    """Return what axe finds wrong with what our cells show, after it has looked at enough."""
    result = (
        Axe().run(page, context=OURS, options={"resultTypes": ["violations", "passes"]}).response
    )
    assert len(result["passes"]) > 10
    return [
        f"{one['id']}: {node['html']}\n{node['failureSummary']}"
        for one in result["violations"]
        for node in one["nodes"]
    ]


def test_axe_has_no_complaint(desk: OpenNotebook, form_desk: OpenNotebook, cloud: Cloud) -> None:
    """Light: the form, and a countdown whose change was refused."""
    form_desk.run(1)
    form_desk.output(1).get_by_role("textbox", name="Description").fill("a/b")
    expect(form_desk.output(1)).to_contain_text("is not allowed")
    assert complaints(form_desk.page) == []
    desk.run(1)
    cloud.emulator.fault("403", methods=("PUT",))
    desk.countdown.button("plus").click()
    expect(desk.countdown.part("note")).to_have_attribute("data-tone", "bad")
    assert complaints(desk.page) == []


@pytest.mark.parametrize("minutes_left", [8, 25], ids=["urgent", "soon"])
@pytest.mark.only(Front.LAB)
def test_a_near_end_is_a_word_and_a_colour(
    desk: OpenNotebook,
    cloud: Cloud,
    minutes_left: int,
    shoot: Callable[[Locator, str], None],
) -> None:
    """Never a colour alone."""
    cloud.emulator.set_instance(minutes_left=minutes_left)
    desk.run(1)
    word = {8: "stops very soon", 25: "stops soon"}[minutes_left]
    expect(desk.countdown.part("phase")).to_have_text(word)
    cloud.agrees(desk.countdown)
    assert complaints(desk.page) == []
    shoot(desk.output(1), word.replace(" ", "-"))


@pytest.mark.only(Front.LAB)
def test_dark(
    open_notebook: Callable[..., OpenNotebook],
    place: Place,
    cloud: Cloud,
    shoot: Callable[[Locator, str], None],
) -> None:
    """The colours are the theme's, and axe can read them."""
    place.set(THEMES, {"theme": "JupyterLab Dark"})
    notebook = open_notebook("form.ipynb").ready().run(0, 1)
    cloud.agrees(notebook.countdown)
    expect(notebook.page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    notebook.output(1).get_by_role("textbox", name="Description").fill("a/b")
    expect(notebook.output(1)).to_contain_text("is not allowed")
    assert complaints(notebook.page) == []
    shoot(notebook.output(1), "dark")
    cloud.emulator.fault("403", methods=("PUT",))
    notebook.countdown.button("plus").click()
    expect(notebook.countdown.part("note")).to_have_attribute("data-tone", "bad")
    assert complaints(notebook.page) == []
    shoot(notebook.countdown.root, "dark-denied")


@pytest.mark.only(Front.LAB)
def test_chinese(
    open_notebook: Callable[..., OpenNotebook],
    place: Place,
    cloud: Cloud,
    shoot: Callable[[Locator, str], None],
) -> None:
    """The countdown speaks as the page does, without any setting; the form as the kernel is told."""
    place.set(TRANSLATION, {"locale": "zh_CN"})
    notebook = open_notebook("form.ipynb").ready().run(0, 1)
    expect(notebook.countdown.part("phase")).to_have_text("运行中")
    assert notebook.execute("%config ModelArts.language = 'zh_CN'") == "ok"
    notebook.run(1)
    expect(notebook.output(1).get_by_role("textbox", name="描述")).to_be_visible()
    expect(notebook.countdown.part("figure")).to_contain_text(re.compile(r"(3\d|40) 分"))
    expect(notebook.countdown.part("stop")).to_contain_text("停止")
    expect(notebook.countdown.root).to_have_attribute("lang", "zh-CN")
    shoot(notebook.output(1), "chinese")
    notebook.countdown.button("plus").click()
    expect(notebook.countdown.part("note")).to_contain_text("现将于")
    assert complaints(notebook.page) == []
    shoot(notebook.countdown.root, "chinese-extended")
    assert len(cloud.writes) == 1


@pytest.mark.only(Front.NOTEBOOK)
def test_two_hundred_pixels_are_enough(
    desk: OpenNotebook, cloud: Cloud, shoot: Callable[[Locator, str], None]
) -> None:
    """Nothing is cut off, nothing scrolls sideways."""
    desk.page.set_viewport_size(NARROW)
    desk.run(1)
    cloud.agrees(desk.countdown)
    fits = desk.page.evaluate(FITS)
    assert 150 < fits["width"] < 230
    assert not fits["scrolls"]
    assert not fits["out"]
    shoot(desk.countdown.root, "narrow")
    desk.countdown.button("plus").click()
    expect(desk.countdown.part("note")).to_contain_text("Now stops at")
    shoot(desk.countdown.root, "narrow-extended")


def test_keys_are_enough(desk: OpenNotebook, cloud: Cloud) -> None:
    """Tab leads from the cell to the button, Enter presses it, and the focus stays there."""
    desk.run(1)
    cloud.agrees(desk.countdown)
    desk.page.evaluate(FOCUS_CELL, 1)
    for _ in range(MANY_TABS):
        if desk.page.evaluate(FOCUSED) == "plus":
            break
        desk.page.keyboard.press("Tab")
    assert desk.page.evaluate(FOCUSED) == "plus"
    outline = desk.countdown.button("plus").evaluate("one => getComputedStyle(one).outlineStyle")
    assert outline == "solid"
    desk.page.keyboard.press("Enter")
    expect(desk.countdown.part("note")).to_contain_text("Now stops at")
    assert desk.page.evaluate(FOCUSED) == "plus"
    assert len(cloud.writes) == 1


@pytest.mark.only(Front.LAB)
def test_reduced_motion(desk: OpenNotebook) -> None:
    """The bar moves without sliding."""
    desk.run(1)
    duration = "one => getComputedStyle(one).transitionDuration"
    fill = desk.countdown.part("fill")
    assert fill.evaluate(duration) == "0.3s"
    desk.page.emulate_media(reduced_motion="reduce")
    assert fill.evaluate(duration) == "0s"


def test_a_screen_reader_is_left_in_peace(desk: OpenNotebook) -> None:
    """The time is a timer that is not read out each second; what matters goes to a polite region."""
    desk.run(1)
    timer = desk.countdown.root.get_by_role("timer", name="Time left")
    expect(timer).to_have_attribute("aria-live", "off")
    expect(desk.countdown.root.get_by_role("status")).to_have_text("")
