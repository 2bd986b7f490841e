"""Themes, languages, narrow pages, keyboard use and accessibility of the notebook's widgets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from ui.contrast import low_contrast_texts
from ui.notebook_page import FrontEnd

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page
    from ui.jupyter_server_process import JupyterServerProcess
    from ui.notebook_page import InstanceControl, NotebookPage

OUTPUT_SELECTOR = ".jp-OutputArea-output"
THEMES_PLUGIN = "@jupyterlab/apputils-extension:themes"
TRANSLATION_PLUGIN = "@jupyterlab/translation-extension:plugin"
MAX_TAB_PRESSES = 40
NARROW_VIEWPORT = {"width": 238, "height": 800}
"""A viewport that leaves about 200 px for the output of a cell."""
LAYOUT_JS = """() => {
  const root = document.querySelector('.ma-Countdown');
  const box = root.getBoundingClientRect();
  const parts = [...root.querySelectorAll('button, input, time, .ma-Countdown-timeLeft')];
  const out = parts.filter(part => part.getBoundingClientRect().right > box.right + 0.5);
  return { width: box.width, scrolls: root.scrollWidth > root.clientWidth, out: out.length };
}"""
FOCUS_CELL_JS = """index => {
  const { content } = jupyterapp.shell.currentWidget;
  content.activeCellIndex = index;
  content.mode = 'command';
  content.activate();
}"""
FOCUSED_ACTION_JS = "() => document.activeElement?.dataset?.action ?? ''"


def axe_violations(page: Page) -> list[str]:
    """Return the accessibility violations in the outputs, with all texts whose contrast is below 4.5."""
    result = (
        Axe()
        .run(page, context=OUTPUT_SELECTOR, options={"resultTypes": ["violations", "passes"]})
        .response
    )
    assert len(result["passes"]) > 10
    outputs = page.locator(OUTPUT_SELECTOR).filter(has=page.locator(".ma-Countdown")).all()
    assert outputs
    return [
        *(each for output in outputs for each in low_contrast_texts(output)),
        *(
            f"{violation['id']}: {node['html']}\n{node['failureSummary']}"
            for violation in result["violations"]
            for node in violation["nodes"]
        ),
    ]


def test_light_theme_is_accessible(
    notebook_page: NotebookPage, form_page: NotebookPage, instance_control: InstanceControl
) -> None:
    """The form with an error and a countdown with a refused change have no violations."""
    form_page.run_cells(1)
    form_page.output(1).get_by_role("textbox", name="Description").fill("a/b")
    expect(form_page.output(1)).to_contain_text("is not allowed")
    assert axe_violations(form_page.page) == []
    notebook_page.run_cells(1)
    instance_control.emulator.add_fault("403", methods=("PUT",))
    notebook_page.countdown.button("extend").click()
    expect(notebook_page.countdown.element("feedback")).to_have_attribute("data-tone", "error")
    assert axe_violations(notebook_page.page) == []


@pytest.mark.parametrize("minutes_left", [8, 25], ids=["urgent", "soon"])
@pytest.mark.only(FrontEnd.LAB)
def test_near_stop_shows_text_and_color(
    notebook_page: NotebookPage,
    instance_control: InstanceControl,
    minutes_left: int,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """The phase is shown as text, not by its color alone."""
    instance_control.emulator.set_instance(minutes_left=minutes_left)
    notebook_page.run_cells(1)
    phase = {8: "about to stop", 25: "stops soon"}[minutes_left]
    expect(notebook_page.countdown.element("phase")).to_have_text(phase)
    instance_control.wait_until_shown_in(notebook_page.countdown)
    assert axe_violations(notebook_page.page) == []
    take_screenshot(notebook_page.output(1), phase.replace(" ", "-"))


@pytest.mark.only(FrontEnd.LAB)
def test_dark_theme_is_accessible(
    open_notebook: Callable[..., NotebookPage],
    jupyter_server: JupyterServerProcess,
    instance_control: InstanceControl,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """The widgets use the colors of the theme, with enough contrast."""
    jupyter_server.write_settings(THEMES_PLUGIN, {"theme": "JupyterLab Dark"})
    notebook = open_notebook("form.ipynb").wait_until_ready().run_cells(0, 1)
    instance_control.wait_until_shown_in(notebook.countdown)
    expect(notebook.page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    notebook.output(1).get_by_role("textbox", name="Description").fill("a/b")
    expect(notebook.output(1)).to_contain_text("is not allowed")
    assert axe_violations(notebook.page) == []
    take_screenshot(notebook.output(1), "dark")
    instance_control.emulator.add_fault("403", methods=("PUT",))
    notebook.countdown.button("extend").click()
    expect(notebook.countdown.element("feedback")).to_have_attribute("data-tone", "error")
    assert axe_violations(notebook.page) == []
    take_screenshot(notebook.countdown.root, "dark-denied")


@pytest.mark.only(FrontEnd.LAB)
def test_widgets_are_in_chinese(
    open_notebook: Callable[..., NotebookPage],
    jupyter_server: JupyterServerProcess,
    instance_control: InstanceControl,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """The countdown uses the language of the page, and the form that of the kernel."""
    jupyter_server.write_settings(TRANSLATION_PLUGIN, {"locale": "zh_CN"})
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
    assert axe_violations(notebook.page) == []
    take_screenshot(notebook.countdown.root, "chinese-extended")
    assert len(instance_control.write_requests) == 1


@pytest.mark.only(FrontEnd.NOTEBOOK)
def test_countdown_fits_into_200_pixels(
    notebook_page: NotebookPage,
    instance_control: InstanceControl,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """Nothing is cut off, and nothing scrolls horizontally."""
    notebook_page.page.set_viewport_size(NARROW_VIEWPORT)
    notebook_page.run_cells(1)
    instance_control.wait_until_shown_in(notebook_page.countdown)
    layout = notebook_page.page.evaluate(LAYOUT_JS)
    assert 150 < layout["width"] < 230
    assert not layout["scrolls"]
    assert not layout["out"]
    take_screenshot(notebook_page.countdown.root, "narrow")
    notebook_page.countdown.button("extend").click()
    expect(notebook_page.countdown.element("feedback")).to_contain_text("New stop time")
    take_screenshot(notebook_page.countdown.root, "narrow-extended")


def test_keyboard_reaches_and_presses_button(
    notebook_page: NotebookPage, instance_control: InstanceControl
) -> None:
    """Tab moves from the cell to the button, Enter presses it, and the focus stays."""
    notebook_page.run_cells(1)
    instance_control.wait_until_shown_in(notebook_page.countdown)
    notebook_page.page.evaluate(FOCUS_CELL_JS, 1)
    for _ in range(MAX_TAB_PRESSES):
        if notebook_page.page.evaluate(FOCUSED_ACTION_JS) == "extend":
            break
        notebook_page.page.keyboard.press("Tab")
    assert notebook_page.page.evaluate(FOCUSED_ACTION_JS) == "extend"
    outline = notebook_page.countdown.button("extend").evaluate(
        "element => getComputedStyle(element).outlineStyle"
    )
    assert outline == "solid"
    notebook_page.page.keyboard.press("Enter")
    expect(notebook_page.countdown.element("feedback")).to_contain_text("New stop time")
    assert notebook_page.page.evaluate(FOCUSED_ACTION_JS) == "extend"
    assert len(instance_control.write_requests) == 1


@pytest.mark.only(FrontEnd.LAB)
def test_reduced_motion_disables_bar_transition(notebook_page: NotebookPage) -> None:
    """The progress bar changes without a transition."""
    notebook_page.run_cells(1)
    duration = "element => getComputedStyle(element).transitionDuration"
    fill = notebook_page.countdown.element("barFill")
    assert fill.evaluate(duration) == "0.3s"
    notebook_page.page.emulate_media(reduced_motion="reduce")
    assert fill.evaluate(duration) == "0s"


def test_screen_reader_does_not_announce_every_second(notebook_page: NotebookPage) -> None:
    """The timer is no live region, and the status region is empty without news."""
    notebook_page.run_cells(1)
    timer = notebook_page.countdown.root.get_by_role("timer", name="Time left")
    expect(timer).to_have_attribute("aria-live", "off")
    expect(notebook_page.countdown.root.get_by_role("status")).to_have_text("")
