"""Themes, languages, clocks, narrow panels, keys, and what axe has to say of the sidebar."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from ui.pages import Countdown, Front
from ui.sidebar.tabs import tab

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator
    from ui.pages import Cloud
    from ui.place import Place
    from ui.sidebar.tabs import Sidebar

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


def complaints(side: Sidebar) -> list[str]:
    """Return what axe finds wrong with panel and status item, after it has looked at enough."""
    found = Axe().run(side.page, context=["#modelarts-magics-panel", ".ma-Status"]).response
    assert len(found["passes"]) > 10
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found["violations"]]


def test_axe_has_no_complaint(side: Sidebar) -> None:
    """With a wrong description being edited, too."""
    side.button("Edit the description").click()
    side.panel.get_by_role("textbox", name="Description").fill("a/b")
    assert complaints(side) == []
    side.panel.locator(".ma-Panel-form").get_by_role("button", name="Cancel").click()


@pytest.mark.only(Front.LAB)
def test_dark_and_chinese(
    place: Place, context: BrowserContext, shoot: Callable[[Locator, str], None]
) -> None:
    """The colours are the theme's, the words those of the page: also the settings', and the server's."""
    place.set(THEMES, {"theme": "JupyterLab Dark"})
    place.set(TRANSLATION, {"locale": "zh_CN"})
    side = tab(context, place).open()
    expect(side.page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    expect(side.countdown.root).to_have_attribute("lang", "zh-CN")
    expect(side.status).to_contain_text("分")
    expect(side.panel.locator(".ma-Panel-content")).to_contain_text("描述")
    assert complaints(side) == []
    side.panel.get_by_text("检查配置").click()
    expect(side.panel.locator(".ma-Panel-finding").first).to_contain_text(re.compile("[一-龥]"))
    assert complaints(side) == []
    shoot(side.panel, "sidebar-dark-chinese")
    side.run("settingeditor:open", query="ModelArts")
    editor = side.page.locator("#setting-editor")
    expect(editor).to_contain_text("24 小时制")
    expect(editor).to_contain_text("在停止前多少分钟提醒")
    expect(editor).not_to_contain_text("remindMinutes")
    shoot(editor, "settings-dark-chinese")


def test_a_clock_of_twelve_hours(
    place: Place, context: BrowserContext, front: Front, cloud: Cloud
) -> None:
    """Everywhere in the page, also where a notebook counts."""
    place.set(MANAGER, {"clock24": False, "statusShows": "both"})
    side = tab(context, place, front).open()
    side.notebook.run(0, 1)
    widget = Countdown(side.page.locator(".jp-Notebook .ma-Countdown"))
    cloud.agrees(widget)
    for shown in (side.countdown.part("stop"), widget.part("stop"), side.status):
        expect(shown).to_contain_text(re.compile(r"Stops at \d\d?:\d\d [ap]m"))


def test_two_hundred_pixels_are_enough(
    side: Sidebar, cloud: Cloud, shoot: Callable[[Locator, str], None]
) -> None:
    """Nothing is cut off, nothing scrolls sideways; also with everything open."""
    side.button("Edit the description").click()
    side.panel.get_by_text("Check the set-up").click()
    expect(side.panel.locator(".ma-Panel-findings")).to_contain_text("No problem found.")
    side.panel.evaluate(WIDTH, "200px")
    found = side.panel.evaluate(SPILLS)
    assert found["width"] == 200
    assert found["looked"] > 20
    assert found["out"] == []
    assert not found["scrolls"]
    shoot(side.panel, "sidebar-narrow")
    cloud.agrees(side.countdown)
    side.panel.evaluate(WIDTH, "")
    side.panel.get_by_text("Check the set-up").click()
    side.panel.locator(".ma-Panel-form").get_by_role("button", name="Cancel").click()


def test_keys_are_enough(side: Sidebar, cloud: Cloud) -> None:
    """From the status item into the panel, and there to the button, which keeps the focus."""
    side.status.focus()
    side.page.keyboard.press("Enter")
    side.panel.locator(".ma-Panel-refresh").focus()
    for _ in range(MANY_TABS):
        if side.page.evaluate(FOCUSED) == "+1 h":
            break
        side.page.keyboard.press("Tab")
    side.page.keyboard.press("Enter")
    expect(side.countdown.part("note")).to_contain_text("Now stops at")
    assert side.page.evaluate(FOCUSED) == "+1 h"
    assert len(cloud.writes) == 1
