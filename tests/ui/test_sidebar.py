"""The sidebar in a real page: panel, status item, reminders, and what is saved before the stop."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from ui.pages import Countdown, Front, OpenNotebook, new_context
from ui.place import OUR_SERVER, Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Locator
    from ui.pages import Cloud

    from modelarts_magics.emulator.local import LocalEmulator

AT_ONCE_MS = 2_000
SILENT = "The Jupyter server does not answer."
HIDDEN_MS = 2_500  # longer than a hidden tab lets another one go first with a reminder
EXTENDED = re.compile(r"^1 h (39|40) min")
THEMES = "@jupyterlab/apputils-extension:themes"
TRANSLATION = "@jupyterlab/translation-extension:plugin"
RUN = "async ([command, given]) => { await jupyterapp.commands.execute(command, given); }"
DIRTY = "() => jupyterapp.shell.currentWidget.context.model.dirty"
ALONE = "async id => (await (await fetch('/api/kernels')).json()).map(k => k.id).join() === id"
MINE = "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.id"


class Sidebar:
    """What our extension shows in a page."""

    def __init__(self, notebook: OpenNotebook) -> None:
        self.notebook, self.page = notebook, notebook.page
        self.panel = self.page.locator("#modelarts-magics-panel")
        self.status = self.page.locator(".ma-Status-button")
        self.countdown = Countdown(self.panel.locator(".ma-Countdown"))
        self.toasts = self.page.locator(".Toastify__toast", has_text="left at")

    def run(self, command: str, **given: str) -> None:
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

    def complaints(self) -> list[str]:
        """What axe finds wrong with the panel, after it has looked at enough."""
        found = Axe().run(self.page, context="#modelarts-magics-panel").response
        assert len(found["passes"]) > 10
        return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found["violations"]]


@pytest.fixture(scope="module")
def place(emulator: LocalEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A Jupyter server with our extensions."""
    place = Place(tmp_path_factory.mktemp("sidebar"), emulator.environment(), sidebar=True)
    with place.serving():
        yield place


def tab(context: BrowserContext, place: Place, front: Front = Front.LAB) -> Sidebar:
    """Open a notebook in one more tab."""
    name = place.copy("countdown.ipynb")
    return Sidebar(OpenNotebook(context.new_page(), place, front, name).ready())


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A profile of its own."""
    with contextlib.closing(new_context(browser)) as context:
        yield context


@pytest.fixture(scope="module")
def lab(place: Place, browser: Browser) -> Iterator[Sidebar]:
    """A page of JupyterLab that the tests share."""
    with contextlib.closing(new_context(browser)) as context:
        side = tab(context, place).open()
        side.notebook.run(0)
        yield side


@pytest.fixture
def side(lab: Sidebar) -> Sidebar:
    """The shared page, with nothing shown by the notebook and the instance as it was."""
    lab.run("notebook:clear-all-cell-outputs")
    expect(lab.page.locator(".jp-Notebook .ma-Countdown")).to_have_count(0)
    lab.open().ask()
    expect(lab.status).to_contain_text(re.compile("^(39|40) min"))
    return lab


def test_the_panel_and_the_status_item_show_the_instance(side: Sidebar, cloud: Cloud) -> None:
    """Name, status, time left, and that it is a demo."""
    expect(side.panel.get_by_role("heading", level=2)).to_have_text("demo-notebook")
    expect(side.panel.locator(".ma-Panel-demo")).to_have_text("DEMO · local emulator")
    expect(side.panel.locator(".ma-Panel-facts")).to_contain_text("StatusRUNNING")
    expect(side.panel.locator(".ma-Panel-facts")).to_contain_text("Asked bythe Jupyter server")
    cloud.agrees(side.countdown)
    assert side.notebook.errors == []


def test_the_top_bar_of_notebook(place: Place, context: BrowserContext, cloud: Cloud) -> None:
    """It counts where there is no status bar, and opens the panel."""
    side = tab(context, place, Front.NOTEBOOK).ask()
    expect(side.page.locator("#top-panel-wrapper .ma-Status-button")).to_contain_text(" min")
    expect(side.panel).to_be_hidden()
    side.status.click()
    expect(side.panel.get_by_role("heading", level=2)).to_have_text("demo-notebook")
    side.countdown.button("plus").click()
    expect(side.status).to_contain_text(EXTENDED)
    cloud.agrees(side.countdown)


def test_the_panel_extends_while_a_cell_runs(side: Sidebar, cloud: Cloud) -> None:
    """By one request, which no kernel hears of."""
    side.notebook.begin(2)
    side.countdown.button("plus").click()
    expect(side.countdown.part("note")).to_contain_text("Now stops at")
    expect(side.status).to_contain_text(EXTENDED)
    cloud.agrees(side.countdown)
    assert len(cloud.writes) == 1
    running = side.page.locator(".jp-InputPrompt", has_text="[*]:")
    expect(running).to_have_count(1)
    side.notebook.interrupt()
    expect(running).to_have_count(0)


def test_a_magic_moves_panel_and_status_item(side: Sidebar, cloud: Cloud) -> None:
    """At once, as seen by a person."""
    side.notebook.run(3)
    expect(side.status).to_contain_text(EXTENDED, timeout=AT_ONCE_MS)
    expect(side.countdown.part("timer")).to_contain_text("1 h", timeout=AT_ONCE_MS)
    cloud.agrees(side.countdown)


def test_the_panel_moves_a_notebooks_countdown(side: Sidebar, cloud: Cloud) -> None:
    """And what the kernel knows."""
    side.notebook.run(1)
    widget = Countdown(side.page.locator(".jp-Notebook .ma-Countdown"))
    cloud.agrees(widget)
    side.countdown.button("plus").click()
    expect(side.countdown.part("note")).to_contain_text("Now stops at")
    expect(widget.part("timer")).to_contain_text("1 h", timeout=AT_ONCE_MS)
    cloud.agrees(widget)
    widget.button("minus").click()
    expect(side.status).to_contain_text(re.compile("^(39|40) min"))
    cloud.agrees(side.countdown)
    assert len(cloud.writes) == 2


def test_the_description_is_edited_in_place(side: Sidebar, cloud: Cloud) -> None:
    """What the API refuses is named while it is typed, and can be had in full width."""
    side.button("Edit the description").click()
    area = side.panel.get_by_role("textbox", name="Description")
    area.fill("a/b")
    expect(side.panel.locator(".ma-Panel-wrong")).to_have_text("“/” at position 2 is not allowed.")
    save = side.panel.locator(".ma-Panel-form .ma-mod-accept")
    expect(save).to_be_disabled()
    side.button("Use full-width characters").click()
    expect(area).to_have_value("a\uff0fb")
    save.click()
    expect(side.panel.locator(".ma-Panel-description")).to_have_text("a\uff0fb")
    assert cloud.instance["description"] == "a\uff0fb"


def test_a_server_without_our_routes(
    emulator: LocalEmulator, context: BrowserContext, cloud: Cloud, tmp_path: Path
) -> None:
    """A helper kernel does it, also while a cell runs, and goes with the page."""
    place = Place(tmp_path, emulator.environment(), sidebar=True)
    off = {"ServerApp": {"jpserver_extensions": {OUR_SERVER: False}}}
    (tmp_path / "config/jupyter_server_config.json").write_text(json.dumps(off), encoding="utf-8")
    with place.serving():
        side = tab(context, place).open()
        expect(side.panel.locator(".ma-Panel-facts")).to_contain_text("a helper kernel")
        cloud.agrees(side.countdown)
        mine = side.page.evaluate(MINE)
        assert not side.page.evaluate(ALONE, mine)
        side.notebook.begin(2)
        side.countdown.button("plus").click()
        expect(side.status).to_contain_text(EXTENDED)
        cloud.agrees(side.countdown)
        assert len(cloud.writes) == 1
        side.notebook.interrupt()
        expect(side.page.locator(".jp-Notebook .jp-InputPrompt").nth(2)).to_have_text("[1]:")
        side.notebook.save()
        side.page.goto(f"{place.url}/login")
        side.page.wait_for_function(ALONE, arg=mine)


def test_two_tabs_remind_once(place: Place, context: BrowserContext, cloud: Cloud) -> None:
    """And what the reminder offers works."""
    tabs = [tab(context, place), tab(context, place)]
    cloud.emulator.set_instance(minutes_left=9)
    tabs[0].ask()
    for each in tabs:
        expect(each.page.locator(".ma-Status")).to_have_attribute("data-phase", "urgent")
    tabs[0].page.wait_for_timeout(HIDDEN_MS)
    (shown,) = [each for each in tabs for _ in each.toasts.all()]
    shown.toasts.get_by_role("button", name="Extend 1 h").click()
    for each in tabs:
        expect(each.status).to_contain_text(re.compile("^1 h [89] min"))
    expect(shown.toasts).to_have_count(0)
    cloud.agrees(shown.open().countdown)
    assert len(cloud.writes) == 1


def test_a_dirty_file_is_saved_before_the_stop(side: Sidebar, place: Place, cloud: Cloud) -> None:
    """Without a question, and the panel says so."""
    file = place.work / "plain.txt"
    file.write_text("before\n", encoding="utf-8")
    side.run("docmanager:open", path=file.name)
    side.page.locator(".jp-FileEditor .cm-content").click()
    side.page.keyboard.type("typed ")
    assert side.page.evaluate(DIRTY)
    cloud.emulator.set_instance(minutes_left=1.5)
    side.ask()
    notices = side.panel.locator(".ma-Panel-notices")
    expect(notices).to_contain_text(re.compile("Saved: .*plain.txt"))
    assert "typed" in file.read_text(encoding="utf-8")
    assert not side.page.evaluate(DIRTY)
    side.run("application:close")


def test_the_cloud_is_away_and_comes_back(side: Sidebar, cloud: Cloud) -> None:
    """The panel says so, goes on counting, and asks again when it is told to."""
    notice = side.panel.locator('.ma-Panel-notice[data-tone="bad"]')
    cloud.emulator.stop()
    try:
        side.ask()
        expect(notice).to_be_visible()
        expect(side.countdown.part("timer")).to_be_visible()
    finally:
        cloud.emulator.start()
    cloud.emulator.set_instance(minutes_left=100)
    side.button("Try again").click()
    expect(notice).to_have_count(0)
    expect(side.status).to_contain_text(EXTENDED)
    cloud.agrees(side.countdown)


def test_the_server_is_away_and_comes_back(
    emulator: LocalEmulator, context: BrowserContext, cloud: Cloud, tmp_path: Path
) -> None:
    """The panel says so, and recovers."""
    place = Place(tmp_path, emulator.environment(), sidebar=True)
    with place.serving():
        side = tab(context, place).open()
    side.ask()
    expect(side.panel).to_contain_text(SILENT)
    with place.serving():
        side.button("Try again").dispatch_event("click")  # Jupyter's own dialog may cover it
        expect(side.panel).not_to_contain_text(SILENT)
        cloud.agrees(side.countdown)


def test_axe_has_no_complaint(side: Sidebar) -> None:
    """With a wrong description being edited, too."""
    side.button("Edit the description").click()
    side.panel.get_by_role("textbox", name="Description").fill("a/b")
    assert side.complaints() == []
    side.panel.locator(".ma-Panel-form").get_by_role("button", name="Cancel").click()


@pytest.mark.only(Front.LAB)
def test_dark_and_chinese(
    place: Place, context: BrowserContext, shoot: Callable[[Locator, str], None]
) -> None:
    """The colours are the theme's, the words those of the page."""
    place.set(THEMES, {"theme": "JupyterLab Dark"})
    place.set(TRANSLATION, {"locale": "zh_CN"})
    side = tab(context, place).open().ask()
    expect(side.page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    expect(side.countdown.root).to_have_attribute("lang", "zh-CN")
    expect(side.status).to_contain_text("分")
    expect(side.panel.locator(".ma-Panel-content")).to_contain_text("描述")
    assert side.complaints() == []
    shoot(side.panel, "sidebar-dark-chinese")
