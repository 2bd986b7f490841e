"""Themes, languages, clock formats, narrow panels, keyboard use and accessibility of the sidebar."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from ui.contrast import low_contrast_texts
from ui.notebook_page import CountdownView, FrontEnd
from ui.sidebar.sidebar_page import LAYOUT_JS, SET_WIDTH_JS, open_sidebar_page

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page
    from ui.jupyter_server_process import JupyterServerProcess
    from ui.notebook_page import InstanceControl
    from ui.sidebar.sidebar_page import SidebarPage

MANAGER_PLUGIN = "modelarts-magics-lab:manager"
THEMES_PLUGIN = "@jupyterlab/apputils-extension:themes"
TRANSLATION_PLUGIN = "@jupyterlab/translation-extension:plugin"
OPEN_SECTIONS_JS = (
    "(panel, open) => panel.querySelectorAll('details').forEach(each => { each.open = open; })"
)
FOCUSED_TEXT_JS = "() => document.activeElement?.textContent ?? ''"


def axe_violations(sidebar: SidebarPage) -> list[str]:
    """Return the accessibility violations in panel and status item, with texts whose contrast is below 4.5."""
    result = Axe().run(sidebar.page, context=["#modelarts-magics-panel", ".ma-Status"]).response
    assert len(result["passes"]) > 10
    return [
        *low_contrast_texts(sidebar.panel),
        *low_contrast_texts(sidebar.status_item),
        *(f"{each['id']}: {each['nodes'][0]['html']}" for each in result["violations"]),
    ]


def test_panel_is_accessible(sidebar: SidebarPage) -> None:
    """The panel has no violations while an invalid description is edited."""
    sidebar.button("Edit Description").click()
    sidebar.panel.get_by_role("textbox", name="Description").fill("a/b")
    assert axe_violations(sidebar) == []
    sidebar.panel.locator(".ma-Panel-form").get_by_role("button", name="Cancel").click()


@pytest.mark.only(FrontEnd.LAB)
def test_dark_theme_and_chinese(
    jupyter_server: JupyterServerProcess,
    context: BrowserContext,
    instance_control: InstanceControl,
    take_screenshot: Callable[[Page | Locator, str], None],
) -> None:
    """Panel, setup check, reminder and settings use the theme and the language of the page."""
    jupyter_server.write_settings(THEMES_PLUGIN, {"theme": "JupyterLab Dark"})
    jupyter_server.write_settings(TRANSLATION_PLUGIN, {"locale": "zh_CN"})
    sidebar = open_sidebar_page(context, jupyter_server).open_panel()
    expect(sidebar.page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    expect(sidebar.countdown.root).to_have_attribute("lang", "zh-CN")
    expect(sidebar.status_item).to_contain_text("分")
    expect(sidebar.panel.locator(".ma-Panel-content")).to_contain_text("描述")
    assert axe_violations(sidebar) == []
    sidebar.panel.get_by_text("检查配置").click()
    expect(sidebar.panel.locator(".ma-Panel-finding").first).to_contain_text(re.compile("[一-龥]"))
    assert axe_violations(sidebar) == []
    take_screenshot(sidebar.panel, "sidebar-dark-chinese")
    instance_control.approach_stop()
    sidebar.refresh()
    expect(sidebar.any_toast).to_contain_text("截至")
    expect(sidebar.toast_buttons).to_have_text(["+1 小时", "保存全部", "不再提醒"])
    assert sidebar.toast_button_rows() == 1
    assert low_contrast_texts(sidebar.any_toast) == []
    take_screenshot(sidebar.page, "toast-dark-chinese")
    sidebar.run_command("apputils:dismiss-notification")
    sidebar.run_command("settingeditor:open", query="ModelArts")
    editor = sidebar.page.locator("#setting-editor")
    expect(editor).to_contain_text("24 小时制")
    expect(editor).to_contain_text("在停止前多少分钟提醒")
    expect(editor).not_to_contain_text("remindMinutes")
    take_screenshot(editor, "settings-dark-chinese")


def test_twelve_hour_clock_applies_everywhere(
    jupyter_server: JupyterServerProcess,
    context: BrowserContext,
    front_end: FrontEnd,
    instance_control: InstanceControl,
) -> None:
    """Panel, status item and the countdown in the notebook use the setting."""
    jupyter_server.write_settings(MANAGER_PLUGIN, {"clock24": False, "statusShows": "both"})
    sidebar = open_sidebar_page(context, jupyter_server, front_end).open_panel()
    sidebar.notebook.run_cells(0, 1)
    widget = CountdownView(sidebar.page.locator(".jp-Notebook .ma-Countdown"))
    instance_control.wait_until_shown_in(widget)
    for shown in (
        sidebar.countdown.element("stopTime"),
        widget.element("stopTime"),
        sidebar.status_item,
    ):
        expect(shown).to_contain_text(re.compile(r"Stops (at|in .* ·) \d\d?:\d\d [ap]m"))


def test_panel_fits_into_200_pixels(
    sidebar: SidebarPage,
    instance_control: InstanceControl,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """Nothing is cut off or scrolls horizontally with all sections open."""
    sidebar.button("Edit Description").click()
    sidebar.panel.evaluate(OPEN_SECTIONS_JS, True)
    expect(sidebar.findings("Check Setup")).to_contain_text("No problem found.")
    expect(sidebar.findings("History")).not_to_contain_text("Checking…")
    expect(sidebar.findings("Activity")).not_to_contain_text("Checking…")
    sidebar.panel.evaluate(SET_WIDTH_JS, "200px")
    result = sidebar.panel.evaluate(LAYOUT_JS)
    assert result["width"] == 200
    assert result["checked"] > 40
    assert result["out"] == []
    assert not result["scrolls"]
    take_screenshot(sidebar.panel, "sidebar-narrow")
    instance_control.wait_until_shown_in(sidebar.countdown)
    sidebar.panel.evaluate(SET_WIDTH_JS, "")
    sidebar.panel.evaluate(OPEN_SECTIONS_JS, False)
    sidebar.panel.locator(".ma-Panel-form").get_by_role("button", name="Cancel").click()


def test_keyboard_reaches_and_presses_button(
    sidebar: SidebarPage, instance_control: InstanceControl
) -> None:
    """A press on the status item hides the open panel; the next shows it, with the focus on +1 h."""
    sidebar.status_item.focus()
    sidebar.page.keyboard.press("Enter")
    expect(sidebar.panel).to_be_hidden()
    sidebar.page.keyboard.press("Enter")
    sidebar.page.wait_for_function(f"() => ({FOCUSED_TEXT_JS})() === '+1 h'")
    sidebar.page.keyboard.press("Enter")
    expect(sidebar.countdown.element("feedback")).to_contain_text("New stop time")
    assert sidebar.page.evaluate(FOCUSED_TEXT_JS) == "+1 h"
    assert len(instance_control.write_requests) == 1
