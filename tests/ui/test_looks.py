"""Themes, languages, narrow pages, keys instead of a mouse, and what axe has to say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from ui.notebook_page import FrontEnd

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page
    from ui.jupyter_server_process import JupyterServerProcess
    from ui.notebook_page import InstanceControl, NotebookPage

OURS = ".jp-OutputArea-output"
THEMES = "@jupyterlab/apputils-extension:themes"
TRANSLATION = "@jupyterlab/translation-extension:plugin"
MANY_TABS = 40
NARROW = {"width": 238, "height": 800}
"""Leaves about 200 px for what a cell shows."""
FITS = """() => {
  const root = document.querySelector('.ma-Countdown');
  const box = root.getBoundingClientRect();
  const parts = [...root.querySelectorAll('button, input, time, .ma-Countdown-timeLeft')];
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


def test_axe_has_no_complaint(
    notebook_page: NotebookPage, form_page: NotebookPage, instance_control: InstanceControl
) -> None:
    """Light: the form, and a countdown whose change was refused."""
    form_page.run_cells(1)
    form_page.output(1).get_by_role("textbox", name="Description").fill("a/b")
    expect(form_page.output(1)).to_contain_text("is not allowed")
    assert complaints(form_page.page) == []
    notebook_page.run_cells(1)
    instance_control.emulator.add_fault("403", methods=("PUT",))
    notebook_page.countdown.button("extend").click()
    expect(notebook_page.countdown.element("feedback")).to_have_attribute("data-tone", "error")
    assert complaints(notebook_page.page) == []


@pytest.mark.parametrize("minutes_left", [8, 25], ids=["urgent", "soon"])
@pytest.mark.only(FrontEnd.LAB)
def test_a_near_end_is_a_word_and_a_colour(
    notebook_page: NotebookPage,
    instance_control: InstanceControl,
    minutes_left: int,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """Never a colour alone."""
    instance_control.emulator.set_instance(minutes_left=minutes_left)
    notebook_page.run_cells(1)
    word = {8: "about to stop", 25: "stops soon"}[minutes_left]
    expect(notebook_page.countdown.element("phase")).to_have_text(word)
    instance_control.wait_until_shown_in(notebook_page.countdown)
    assert complaints(notebook_page.page) == []
    take_screenshot(notebook_page.output(1), word.replace(" ", "-"))


@pytest.mark.only(FrontEnd.LAB)
def test_dark(
    open_notebook: Callable[..., NotebookPage],
    jupyter_server: JupyterServerProcess,
    instance_control: InstanceControl,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """The colours are the theme's, and axe can read them."""
    jupyter_server.write_settings(THEMES, {"theme": "JupyterLab Dark"})
    notebook = open_notebook("form.ipynb").wait_until_ready().run_cells(0, 1)
    instance_control.wait_until_shown_in(notebook.countdown)
    expect(notebook.page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    notebook.output(1).get_by_role("textbox", name="Description").fill("a/b")
    expect(notebook.output(1)).to_contain_text("is not allowed")
    assert complaints(notebook.page) == []
    take_screenshot(notebook.output(1), "dark")
    instance_control.emulator.add_fault("403", methods=("PUT",))
    notebook.countdown.button("extend").click()
    expect(notebook.countdown.element("feedback")).to_have_attribute("data-tone", "error")
    assert complaints(notebook.page) == []
    take_screenshot(notebook.countdown.root, "dark-denied")


@pytest.mark.only(FrontEnd.LAB)
def test_chinese(
    open_notebook: Callable[..., NotebookPage],
    jupyter_server: JupyterServerProcess,
    instance_control: InstanceControl,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """The countdown speaks as the page does, without any setting; the form as the kernel is told."""
    jupyter_server.write_settings(TRANSLATION, {"locale": "zh_CN"})
    notebook = open_notebook("form.ipynb").wait_until_ready().run_cells(0, 1)
    expect(notebook.countdown.element("phase")).to_have_text("运行中")
    assert notebook.execute("%config ModelArts.language = 'zh_CN'") == "ok"
    notebook.run_cells(1)
    expect(notebook.output(1).get_by_role("textbox", name="描述")).to_be_visible()
    expect(notebook.countdown.element("timeLeft")).to_contain_text(re.compile(r"(3\d|40) 分"))
    expect(notebook.countdown.element("stopTime")).to_contain_text("停止")
    expect(notebook.countdown.root).to_have_attribute("lang", "zh-CN")
    take_screenshot(notebook.output(1), "chinese")
    notebook.countdown.button("extend").click()
    expect(notebook.countdown.element("feedback")).to_contain_text("停止时间已改为")
    assert complaints(notebook.page) == []
    take_screenshot(notebook.countdown.root, "chinese-extended")
    assert len(instance_control.write_requests) == 1


@pytest.mark.only(FrontEnd.NOTEBOOK)
def test_two_hundred_pixels_are_enough(
    notebook_page: NotebookPage,
    instance_control: InstanceControl,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """Nothing is cut off, nothing scrolls sideways."""
    notebook_page.page.set_viewport_size(NARROW)
    notebook_page.run_cells(1)
    instance_control.wait_until_shown_in(notebook_page.countdown)
    fits = notebook_page.page.evaluate(FITS)
    assert 150 < fits["width"] < 230
    assert not fits["scrolls"]
    assert not fits["out"]
    take_screenshot(notebook_page.countdown.root, "narrow")
    notebook_page.countdown.button("extend").click()
    expect(notebook_page.countdown.element("feedback")).to_contain_text("New stop time")
    take_screenshot(notebook_page.countdown.root, "narrow-extended")


def test_keys_are_enough(notebook_page: NotebookPage, instance_control: InstanceControl) -> None:
    """Tab leads from the cell to the button, Enter presses it, and the focus stays there."""
    notebook_page.run_cells(1)
    instance_control.wait_until_shown_in(notebook_page.countdown)
    notebook_page.page.evaluate(FOCUS_CELL, 1)
    for _ in range(MANY_TABS):
        if notebook_page.page.evaluate(FOCUSED) == "extend":
            break
        notebook_page.page.keyboard.press("Tab")
    assert notebook_page.page.evaluate(FOCUSED) == "extend"
    outline = notebook_page.countdown.button("extend").evaluate(
        "one => getComputedStyle(one).outlineStyle"
    )
    assert outline == "solid"
    notebook_page.page.keyboard.press("Enter")
    expect(notebook_page.countdown.element("feedback")).to_contain_text("New stop time")
    assert notebook_page.page.evaluate(FOCUSED) == "extend"
    assert len(instance_control.write_requests) == 1


@pytest.mark.only(FrontEnd.LAB)
def test_reduced_motion(notebook_page: NotebookPage) -> None:
    """The bar moves without sliding."""
    notebook_page.run_cells(1)
    duration = "one => getComputedStyle(one).transitionDuration"
    fill = notebook_page.countdown.element("barFill")
    assert fill.evaluate(duration) == "0.3s"
    notebook_page.page.emulate_media(reduced_motion="reduce")
    assert fill.evaluate(duration) == "0s"


def test_a_screen_reader_is_left_in_peace(notebook_page: NotebookPage) -> None:
    """The time is a timer that is not read out each second; what matters goes to a polite region."""
    notebook_page.run_cells(1)
    timer = notebook_page.countdown.root.get_by_role("timer", name="Time left")
    expect(timer).to_have_attribute("aria-live", "off")
    expect(notebook_page.countdown.root.get_by_role("status")).to_have_text("")
