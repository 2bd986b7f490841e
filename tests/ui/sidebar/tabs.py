"""What our extension shows in a page, and how a person uses it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect
from ui.pages import Countdown, Front, OpenNotebook

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator
    from ui.pages import Cloud
    from ui.place import Place

USUAL = re.compile(r"^(3\d|40) min")
EXTENDED = re.compile(r"^1 h (3\d|40) min")
"""What a test may see of 40 minutes, and of one hour more: it may take some of them."""
RUN = "async ([command, given]) => { await jupyterapp.commands.execute(command, given); }"
DIRTY = "() => jupyterapp.shell.currentWidget.context.model.dirty"
APPEND = """async () => {
  const { content } = jupyterapp.shell.currentWidget;
  content.activeCellIndex = content.widgets.length - 1;
  await jupyterapp.commands.execute('notebook:insert-cell-below');
}"""
RUNNING = "[*]:"


class Sidebar:
    """What our extension shows in a page.

    Attributes:
        panel: The sidebar.
        status: The item with the time left.
        countdown: The one in the panel.
        toasts: The reminders.
    """

    def __init__(self, notebook: OpenNotebook) -> None:
        self.notebook, self.page = notebook, notebook.page
        self.panel = self.page.locator("#modelarts-magics-panel")
        self.notices = self.panel.locator(".ma-Panel-notices")
        self.status = self.page.locator(".ma-Status-button")
        self.countdown = Countdown(self.panel.locator(".ma-Countdown"))
        self.toasts = self.page.locator(".Toastify__toast", has_text="left at")
        self.running = self.page.locator(".jp-InputPrompt", has_text=RUNNING)

    def run(self, command: str, **given: object) -> None:
        """Run a command of the page."""
        self.page.evaluate(RUN, [command, given])

    def open(self) -> Sidebar:
        """Show the panel, and wait until it knows the instance."""
        self.run("modelarts-magics:show-panel")
        expect(self.countdown.part("timer")).to_be_visible()
        return self

    def ask(self) -> Sidebar:
        """Ask the cloud now, as a person does by the button."""
        self.run("modelarts-magics:refresh")
        return self

    def button(self, name: str) -> Locator:
        """A button of the panel."""
        return self.panel.get_by_role("button", name=name, exact=True)

    def fact(self, name: str) -> Locator:
        """What the panel says of the instance."""
        return self.panel.locator(".ma-Panel-facts dt", has_text=name).locator("+ dd")

    def be_reminded(self, cloud: Cloud) -> None:
        """Let the stop come near, and see the reminder."""
        cloud.come_near()
        self.ask()
        expect(self.toasts).to_have_count(1)

    def make_dirty(self) -> None:
        """Add a cell to the notebook without saving it."""
        self.page.evaluate(APPEND)
        assert self.page.evaluate(DIRTY)

    def interrupt(self) -> None:
        """End the running cell, and wait for that."""
        self.notebook.interrupt()
        expect(self.running).to_have_count(0)


def tab(
    context: BrowserContext, place: Place, front: Front = Front.LAB, *, name: str = ""
) -> Sidebar:
    """Open a notebook in one more tab; a fresh one if none is named."""
    name = name or place.copy("countdown.ipynb")
    return Sidebar(OpenNotebook(context.new_page(), place, front, name).ready())
