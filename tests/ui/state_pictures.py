"""Take a picture of each state of the page and the terminal, in both languages, light and dark.

``make pictures`` runs this script after that of the README files. The pictures are for review, and are not
committed: they are in ``tests/ui/screenshots/states``, with an ``index.html`` that shows all of them.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
# The browser tests import each other as `ui.…`, from the folder of the tests.
sys.path.insert(0, str(ROOT / "tests"))

from ui.browser import launch_browser  # noqa: E402 - needs the path above
from ui.jupyter_server_process import JupyterServerProcess, free_port  # noqa: E402
from ui.notebook_page import TIMEOUT_MS, FrontEnd, InstanceControl, new_context  # noqa: E402
from ui.sidebar.sidebar_page import SidebarPage, open_sidebar_page  # noqa: E402

from modelarts_magics.emulator.local import LocalEmulator  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Locator

PICTURES = ROOT / "tests" / "ui" / "screenshots" / "states"
PAGE_SIZE = {"width": 1180, "height": 900}
LANGUAGES = ("en", "zh_CN")
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
TRANSLATION_PLUGIN = "@jupyterlab/translation-extension:plugin"
THEMES_PLUGIN = "@jupyterlab/apputils-extension:themes"
TOAST = ".Toastify__toast"
COUNTDOWN_CELL, FORM_CELL = 1, 2
HOUR_S = 3600
TERMINAL_LINES = (
    "modelarts-magics",
    "modelarts-magics extend 30m",
    "modelarts-magics extend 1x",
    "modelarts-magics undo",
    "modelarts-magics history",
)
DESCRIPTIONS = {"en": "ResNet baseline, owner Li", "zh_CN": "ResNet 基线实验"}
ELSEWHERE = {"en": "Changed elsewhere", "zh_CN": "在别处修改"}
BLUR_JS = "() => document.activeElement?.blur()"
OPEN_SECTIONS_JS = (
    "(panel, open) => panel.querySelectorAll('details').forEach(each => { each.open = open; })"
)
PROMPTS_JS = """count => {
  const { _term: terminal } = jupyterapp.shell.currentWidget.content;
  const buffer = terminal?.buffer.active;
  const lines = Array.from({ length: buffer?.length ?? 0 }, (_, at) => buffer.getLine(at).translateToString());
  return lines.filter(line => line.startsWith('$')).length === count;
}"""
"""Whether the current terminal, which is drawn on a canvas, shows so many prompts."""


@dataclass(frozen=True)
class World:
    """The servers of the pictures.

    Attributes:
        server: A Jupyter server with an instance of the historical API.
        control: The instance of that server.
        idle_server: A Jupyter server with an instance of the current API, which has a mode that stops when idle.
        idle_control: The instance of that server.
    """

    server: JupyterServerProcess
    control: InstanceControl
    idle_server: JupyterServerProcess
    idle_control: InstanceControl


@dataclass(frozen=True)
class Look:
    """One language and theme.

    Attributes:
        language: The locale of the page.
        theme: A key of `THEMES`.
    """

    language: str
    theme: str

    def apply_to(self, server: JupyterServerProcess) -> None:
        """Set language and theme for pages that are opened later."""
        server.reset()
        server.write_settings(TRANSLATION_PLUGIN, {"locale": self.language})
        server.write_settings(THEMES_PLUGIN, {"theme": THEMES[self.theme]})


class Studio:
    """Takes the pictures of one look.

    Args:
        look: The language and the theme.
        world: The servers.
        context: The browser profile of the pages.
    """

    def __init__(self, look: Look, world: World, context: BrowserContext) -> None:
        self.look, self.world, self.control = look, world, world.control
        self._context = context
        self.sidebar = self._open(world.server)
        self.page = self.sidebar.page

    def _open(self, server: JupyterServerProcess, front: FrontEnd = FrontEnd.LAB) -> SidebarPage:
        server.refresh_instance()
        name = server.copy_notebook("pictures.ipynb")
        sidebar = open_sidebar_page(self._context, server, front, name=name).open_panel()
        sidebar.notebook.run_cells(0, COUNTDOWN_CELL)
        expect(sidebar.page.locator(".jp-Notebook .ma-Countdown-timer")).to_be_visible()
        return sidebar

    def save(self, name: str, sidebar: SidebarPage | None = None) -> None:
        """Take a picture of a page, by default of the one with most states."""
        page = (sidebar or self.sidebar).page
        # Notifications slide in, and the layout follows a changed width.
        page.wait_for_timeout(1000)
        PICTURES.mkdir(parents=True, exist_ok=True)
        path = PICTURES / f"{name}-{self.look.language}-{self.look.theme}.png"
        # Disabled animations would finish the progress bar of a notification, and thereby close it.
        page.screenshot(path=path)
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")

    def set_instance(self, **fields: object) -> None:
        """Set fields of the instance, and let the page read them."""
        self.control.emulator.set_instance(**fields)
        self.sidebar.refresh()

    def expect_phase(self, phase: str) -> None:
        """Wait until the page shows a phase."""
        expect(self.page.locator(".ma-Status")).to_have_attribute("data-phase", phase)

    def dismiss(self) -> None:
        """Close all notifications."""
        self.sidebar.run_command("apputils:dismiss-notification")
        expect(self.page.locator(TOAST)).to_have_count(0)

    def reset(self) -> None:
        """Restore an instance with much time left."""
        self.control.reset()
        self.set_instance(
            description=DESCRIPTIONS[self.look.language],
            auto_stop={"duration": 2 * HOUR_S},
            minutes_left=100,
        )
        self.expect_phase("calm")
        self.dismiss()

    @property
    def form_output(self) -> Locator:
        """The output of the cell with the form."""
        return self.sidebar.notebook.output(FORM_CELL)

    # --- The states ---

    def take_time_left(self) -> None:
        """Take the states that differ by the time left, and the reminder."""
        self.save("running")
        self.set_instance(minutes_left=24.9)
        self.expect_phase("soon")
        expect(self.page.locator(TOAST)).to_have_count(1)
        self.save("toast")
        self.dismiss()
        self.save("soon")
        self.set_instance(minutes_left=8.9)
        self.expect_phase("urgent")
        expect(self.page.locator(TOAST)).to_have_count(1)
        self.dismiss()
        self.save("urgent")

    def take_without_time_left(self) -> None:
        """Take the states in which no time is counted down."""
        self.set_instance(auto_stop={"enable": False}, minutes_left=None)
        self.expect_phase("off")
        self.save("off")
        self.reset()
        for fault in ("no-stop-timestamp", "no-remain-time"):
            self.control.emulator.add_fault(fault)
        self.sidebar.refresh()
        self.expect_phase("unknown")
        self.save("unknown")
        self.reset()
        self.control.emulator.stop()
        self.sidebar.refresh()
        expect(self.sidebar.panel.locator('.ma-Panel-notice[data-tone="error"]')).to_be_visible()
        self.save("as-of")
        self.control.emulator.start()
        self.set_instance(status="STOPPED")
        self.expect_phase("stopped")
        self.save("stopped")
        self.reset()

    def take_editing(self) -> None:
        """Take a conflict and a refused change in the panel, and the form with both."""
        self.sidebar.run_command("modelarts-magics:edit-description")
        self.sidebar.panel.locator(".ma-Panel-form textarea").fill("ResNet 2")
        self.set_instance(description=ELSEWHERE[self.look.language])
        conflict = self.sidebar.panel.locator(".ma-Panel-form .ma-Panel-conflict")
        expect(conflict).to_contain_text(ELSEWHERE[self.look.language])
        conflict.scroll_into_view_if_needed()
        self.save("conflict")
        conflict.get_by_role("button").last.click()
        self.reset()
        self.control.emulator.add_fault("403", methods=("PUT",))
        self.sidebar.countdown.button("extend").click()
        expect(self.sidebar.countdown.element("feedback")).to_have_attribute("data-tone", "error")
        self.save("error")
        self.control.emulator.clear_faults()

    def take_sections(self) -> None:
        """Take the panel with all of its sections open."""
        self.page.set_viewport_size({**PAGE_SIZE, "height": 1800})
        self.sidebar.panel.evaluate(OPEN_SECTIONS_JS, True)
        expect(self.sidebar.panel.locator(".ma-Panel-finding").first).to_be_visible()
        self.save("sections")
        self.sidebar.panel.evaluate(OPEN_SECTIONS_JS, False)
        self.page.set_viewport_size(PAGE_SIZE)

    def take_form(self) -> None:
        """Take the form as it opens, and with invalid input."""
        self.sidebar.notebook.run_cells(FORM_CELL)
        expect(self.form_output.locator("textarea")).to_be_visible()
        self.form_output.scroll_into_view_if_needed()
        self.save("form")
        self.form_output.locator("textarea").fill("a/b")
        self.form_output.get_by_role("textbox").last.fill("99h")
        expect(self.form_output).to_contain_text("99 ")
        self.save("form-error")

    def take_jupyter(self) -> None:
        """Take the command palette and the settings."""
        self.sidebar.run_command("apputils:activate-command-palette")
        self.page.locator(".lm-CommandPalette-input, .jp-FilterBox input").last.fill("ModelArts")
        self.save("palette")
        self.page.keyboard.press("Escape")
        self.sidebar.run_command("settingeditor:open", query="ModelArts")
        expect(self.page.locator("#setting-editor")).to_be_visible()
        self.save("settings")

    def take_terminal(self) -> None:
        """Take the commands of a terminal."""
        self.sidebar.run_command("terminal:create-new")
        for count, line in enumerate(TERMINAL_LINES, start=1):
            self.page.wait_for_function(PROMPTS_JS, arg=count)
            self.page.keyboard.type(line)
            self.page.keyboard.press("Enter")
        self.page.wait_for_function(PROMPTS_JS, arg=len(TERMINAL_LINES) + 1)
        self.save("terminal")

    def take_others(self) -> None:
        """Take Notebook 7, and an instance that stops when idle."""
        notebook = self._open(self.world.server, FrontEnd.NOTEBOOK)
        self.save("notebook-7", notebook)
        notebook.page.close()
        idle = self._open(self.world.idle_server)
        self.world.idle_control.emulator.set_instance(lease={"enable": True, "type": "IDLE"})
        idle.refresh()
        expect(idle.page.locator(".ma-Status")).to_have_attribute("data-phase", "idle")
        self.save("idle", idle)
        self.world.idle_control.emulator.set_instance(lease={"type": "TIMING"}, minutes_left=100)

    def take_all(self) -> None:
        """Take the pictures of all states."""
        self.reset()
        self.take_time_left()
        self.reset()
        self.take_without_time_left()
        self.take_editing()
        self.take_sections()
        self.take_form()
        self.take_jupyter()
        self.take_terminal()
        self.take_others()


@contextlib.contextmanager
def _server(folder: Path, emulator: LocalEmulator) -> Iterator[JupyterServerProcess]:
    """Run a Jupyter server with the extensions, whose terminals find the command and have a short prompt."""
    folder.mkdir()
    variables = {
        **emulator.environment(),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PS1": "$ ",
        "TERM": "xterm-256color",
    }
    server = JupyterServerProcess(folder, variables, with_extensions=True)
    with server.running("--ServerApp.terminado_settings={'shell_command':['bash','--norc']}"):
        yield server


def _write_index(looks: list[Look]) -> None:
    """Write a page with all pictures, one row for each state."""
    names = sorted(
        {path.name.split("-" + looks[0].language)[0] for path in PICTURES.glob("*-en-light.png")}
    )
    rows = [
        f"<h2>{name}</h2>"
        + "".join(
            f'<img src="{name}-{each.language}-{each.theme}.png" width="49%">' for each in looks
        )
        for name in names
    ]
    (PICTURES / "index.html").write_text("\n".join(rows), encoding="utf-8")


def take_pictures(browser: Browser, world: World) -> None:
    """Take the pictures of each look."""
    looks = [Look(language, theme) for language in LANGUAGES for theme in THEMES]
    for look in looks:
        for server in (world.server, world.idle_server):
            look.apply_to(server)
        with contextlib.closing(new_context(browser, viewport=PAGE_SIZE)) as context:
            Studio(look, world, context).take_all()
    _write_index(looks)


def main() -> None:
    """Start the servers, and take all pictures."""
    expect.set_options(timeout=TIMEOUT_MS)
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        folder = Path(enter(tempfile.TemporaryDirectory()))
        emulator = enter(LocalEmulator(port=free_port()))
        idle_emulator = enter(LocalEmulator(port=free_port(), api="notebooks"))
        world = World(
            enter(_server(folder / "timing", emulator)),
            InstanceControl(emulator),
            enter(_server(folder / "idle", idle_emulator)),
            InstanceControl(idle_emulator),
        )
        browser = launch_browser(enter(sync_playwright()))
        take_pictures(browser, world)
        browser.close()


if __name__ == "__main__":
    main()
