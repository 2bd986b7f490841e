"""Themes, languages, clocks, narrow panels, keys, and what axe has to say of the sidebar."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from ui.notebook_page import CountdownView, FrontEnd
from ui.sidebar.sidebar_page import open_sidebar_page

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator
    from ui.jupyter_server_process import JupyterServerProcess
    from ui.notebook_page import InstanceControl
    from ui.sidebar.sidebar_page import SidebarPage

MANAGER = "modelarts-magics-lab:manager"
THEMES = "@jupyterlab/apputils-extension:themes"
TRANSLATION = "@jupyterlab/translation-extension:plugin"
MANY_TABS = 60
SPILLS = """panel => {
  const box = panel.getBoundingClientRect();
  const parts = [...panel.querySelectorAll('button, input, textarea, p, h2, h3, dd')];
  const visible = parts.filter(one => one.checkVisibility());
  const out = visible.filter(one => one.getBoundingClientRect().right > box.right + 0.5);
  return { width: box.width, looked: visible.length, scrolls: panel.scrollWidth > panel.clientWidth,
    out: out.map(one => one.outerHTML) };
}"""
WIDTH = "(panel, w) => Object.assign(panel.style, { width: w, minWidth: w, maxWidth: w }) && null"
FOCUSED = "() => document.activeElement?.textContent ?? ''"


def complaints(side: SidebarPage) -> list[str]:
    """Return what axe finds wrong with panel and status item, after it has looked at enough."""
    found = Axe().run(side.page, context=["#modelarts-magics-panel", ".ma-Status"]).response
    assert len(found["passes"]) > 10
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found["violations"]]


def test_axe_has_no_complaint(sidebar: SidebarPage) -> None:
    """With a wrong description being edited, too."""
    sidebar.button("Edit Description").click()
    sidebar.panel.get_by_role("textbox", name="Description").fill("a/b")
    assert complaints(sidebar) == []
    sidebar.panel.locator(".ma-Panel-form").get_by_role("button", name="Cancel").click()


@pytest.mark.only(FrontEnd.LAB)
def test_dark_and_chinese(
    jupyter_server: JupyterServerProcess,
    context: BrowserContext,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """The colours are the theme's, the words those of the page: also the settings', and the server's."""
    jupyter_server.write_settings(THEMES, {"theme": "JupyterLab Dark"})
    jupyter_server.write_settings(TRANSLATION, {"locale": "zh_CN"})
    side = open_sidebar_page(context, jupyter_server).open_panel()
    expect(side.page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    expect(side.countdown.root).to_have_attribute("lang", "zh-CN")
    expect(side.status_item).to_contain_text("分")
    expect(side.panel.locator(".ma-Panel-content")).to_contain_text("描述")
    assert complaints(side) == []
    side.panel.get_by_text("检查配置").click()
    expect(side.panel.locator(".ma-Panel-finding").first).to_contain_text(re.compile("[一-龥]"))
    assert complaints(side) == []
    take_screenshot(side.panel, "sidebar-dark-chinese")
    side.run_command("settingeditor:open", query="ModelArts")
    editor = side.page.locator("#setting-editor")
    expect(editor).to_contain_text("24 小时制")
    expect(editor).to_contain_text("在停止前多少分钟提醒")
    expect(editor).not_to_contain_text("remindMinutes")
    take_screenshot(editor, "settings-dark-chinese")


def test_a_clock_of_twelve_hours(
    jupyter_server: JupyterServerProcess,
    context: BrowserContext,
    front_end: FrontEnd,
    instance_control: InstanceControl,
) -> None:
    """Everywhere in the page, also where a notebook counts."""
    jupyter_server.write_settings(MANAGER, {"clock24": False, "statusShows": "both"})
    side = open_sidebar_page(context, jupyter_server, front_end).open_panel()
    side.notebook.run_cells(0, 1)
    widget = CountdownView(side.page.locator(".jp-Notebook .ma-Countdown"))
    instance_control.wait_until_shown_in(widget)
    for shown in (side.countdown.element("stopTime"), widget.element("stopTime"), side.status_item):
        expect(shown).to_contain_text(re.compile(r"Stops at \d\d?:\d\d [ap]m"))


def test_two_hundred_pixels_are_enough(
    sidebar: SidebarPage,
    instance_control: InstanceControl,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """Nothing is cut off, nothing scrolls sideways; also with everything open."""
    sidebar.button("Edit Description").click()
    sidebar.panel.get_by_text("Check Setup").click()
    expect(sidebar.panel.locator(".ma-Panel-findings")).to_contain_text("No problem found.")
    sidebar.panel.evaluate(WIDTH, "200px")
    found = sidebar.panel.evaluate(SPILLS)
    assert found["width"] == 200
    assert found["looked"] > 20
    assert found["out"] == []
    assert not found["scrolls"]
    take_screenshot(sidebar.panel, "sidebar-narrow")
    instance_control.wait_until_shown_in(sidebar.countdown)
    sidebar.panel.evaluate(WIDTH, "")
    sidebar.panel.get_by_text("Check Setup").click()
    sidebar.panel.locator(".ma-Panel-form").get_by_role("button", name="Cancel").click()


def test_keys_are_enough(sidebar: SidebarPage, instance_control: InstanceControl) -> None:
    """From the status item into the panel, and there to the button, which keeps the focus."""
    sidebar.status_item.focus()
    sidebar.page.keyboard.press("Enter")
    sidebar.panel.locator(".ma-Panel-refresh").focus()
    for _ in range(MANY_TABS):
        if sidebar.page.evaluate(FOCUSED) == "+1 h":
            break
        sidebar.page.keyboard.press("Tab")
    sidebar.page.keyboard.press("Enter")
    expect(sidebar.countdown.element("feedback")).to_contain_text("New stop time")
    assert sidebar.page.evaluate(FOCUSED) == "+1 h"
    assert len(instance_control.write_requests) == 1
