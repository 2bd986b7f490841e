"""The parts of a page that the front-end extension adds, and their use."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect
from ui.notebook_page import CountdownView, FrontEnd, NotebookPage

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page
    from ui.jupyter_server_process import JupyterServerProcess
    from ui.notebook_page import InstanceControl

DEFAULT_TIME_LEFT = re.compile(r"^Stops in (3\d|40) min")
EXTENDED_TIME_LEFT = re.compile(r"^Stops in 1 h (3\d|40) min")
"""Patterns of 40 minutes left and of one hour more, minus up to 10 minutes that a test takes."""
RUN_COMMAND_JS = (
    "async ([command, values]) => { await jupyterapp.commands.execute(command, values); }"
)
IS_DIRTY_JS = "() => jupyterapp.shell.currentWidget.context.model.dirty"
APPEND_CELL_JS = """async () => {
  const { content } = jupyterapp.shell.currentWidget;
  content.activeCellIndex = content.widgets.length - 1;
  await jupyterapp.commands.execute('notebook:insert-cell-below');
}"""
LAYOUT_JS = """panel => {
  const box = panel.getBoundingClientRect();
  const parts = [...panel.querySelectorAll('button, input, select, textarea, p, h2, h3, dd, li, span, strong')];
  const visible = parts.filter(part => part.checkVisibility());
  const out = visible.filter(part => part.getBoundingClientRect().right > box.right + 0.5);
  return { width: box.width, checked: visible.length, scrolls: panel.scrollWidth > panel.clientWidth,
    out: out.map(part => part.outerHTML) };
}"""
SET_WIDTH_JS = (
    "(panel, w) => Object.assign(panel.style, { width: w, minWidth: w, maxWidth: w }) && null"
)
RUNNING_PROMPT = "[*]:"


class SidebarPage:
    """A page with the sidebar, the status item and the reminders.

    Attributes:
        panel: The panel in the sidebar.
        notices: The notices of the panel.
        status_item: The status bar item with the time left.
        countdown: The countdown in the panel.
        toasts: The visible reminders.
        any_toast: The visible notifications of any kind, in any language.
        toast_buttons: Their buttons, without the one that closes them.
        running_prompt: The prompts of running cells.
    """

    def __init__(self, notebook: NotebookPage) -> None:
        self.notebook, self.page = notebook, notebook.page
        self.panel = self.page.locator("#modelarts-magics-panel")
        self.notices = self.panel.locator(".ma-Panel-notices")
        self.status_item = self.page.locator(".ma-Status-button")
        self.countdown = CountdownView(self.panel.locator(".ma-Countdown"))
        self.any_toast = self.page.locator(".Toastify__toast")
        self.toasts = self.any_toast.filter(has_text="left as of")
        self.toast_buttons = self.any_toast.locator(".jp-toast-button")
        self.running_prompt = self.page.locator(".jp-InputPrompt", has_text=RUNNING_PROMPT)

    def run_command(self, command: str, **arguments: object) -> None:
        """Run a JupyterLab command in the page."""
        self.page.evaluate(RUN_COMMAND_JS, [command, arguments])

    def open_panel(self) -> SidebarPage:
        """Show the panel, and wait until it shows the time left."""
        self.run_command("modelarts-magics:show-panel")
        expect(self.countdown.element("timer")).to_be_visible()
        return self

    def refresh(self) -> SidebarPage:
        """Run the command of the refresh button, which queries the API."""
        self.run_command("modelarts-magics:refresh")
        return self

    def button(self, name: str) -> Locator:
        """Return a button of the panel."""
        return self.panel.get_by_role("button", name=name, exact=True)

    def findings(self, title: str) -> Locator:
        """Return the content of a collapsed section of the panel that is filled when it is opened."""
        return self.panel.locator("details", has_text=title).locator(".ma-Panel-findings")

    def detail(self, name: str) -> Locator:
        """Return the value of a detail of the instance in the panel."""
        return self.panel.locator(".ma-Panel-details dt", has_text=name).locator("+ dd")

    def saved_line(self, name: str) -> Locator:
        """Return the line of the notices that lists a document as saved, among those that other pages saved."""
        return self.notices.locator("p", has_text=re.compile(f"^Saved: .*{re.escape(name)}"))

    def trigger_reminder(self, instance_control: InstanceControl) -> None:
        """Move the stop time close, and wait for the reminder."""
        instance_control.approach_stop()
        self.refresh()
        expect(self.toasts).to_have_count(1)

    def toast_button_rows(self) -> int:
        """Return on how many lines the buttons of the notifications are."""
        return len({round(each.bounding_box()["y"]) for each in self.toast_buttons.all()})

    def make_dirty(self) -> None:
        """Add a cell to the notebook without saving it."""
        self.page.evaluate(APPEND_CELL_JS)
        assert self.page.evaluate(IS_DIRTY_JS)

    def interrupt(self) -> None:
        """Interrupt the running cell, and wait until it has ended."""
        self.notebook.interrupt()
        expect(self.running_prompt).to_have_count(0)


class CountingUser:
    """Clicks, enters texts and presses keys, and counts these actions.

    Attributes:
        actions: The number of actions so far.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self.actions = 0

    def click(self, target: Locator) -> None:
        """Click an element."""
        self.actions += 1
        target.click()

    def enter_text(self, field: Locator, text: str) -> None:
        """Replace the text of a field."""
        self.actions += 1
        field.fill(text)

    def press(self, key: str) -> None:
        """Press a key or a combination of keys."""
        self.actions += 1
        self._page.keyboard.press(key)


def open_sidebar_page(
    context: BrowserContext,
    server: JupyterServerProcess,
    front_end: FrontEnd = FrontEnd.LAB,
    *,
    name: str = "",
) -> SidebarPage:
    """Open a notebook in a new tab; without a name, open a new copy of `countdown.ipynb`."""
    name = name or server.copy_notebook("countdown.ipynb")
    return SidebarPage(NotebookPage(context.new_page(), server, front_end, name).wait_until_ready())
