"""JupyterLab as it is, with our sidebar, and with jupyter-resource-usage: each on a server of its own."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from environment import aside
from playwright.sync_api import expect

import modelarts_magics
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.server.handlers import PREFIX

sys.path.append(str(Path(__file__).resolve().parents[1]))  # for what the tests of the pages share

from ui.pages import PATIENCE_MS, Cloud, Front, OpenNotebook, Wire, new_context
from ui.place import OUR_PAGES, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Locator, Page

ASIDE = aside(Path(sys.prefix))
SETTLE_MS = 3_000
"""Long enough for what a page still does once it shows everything."""
WATCH = """(() => {
  const seen = (window.bench = {});
  let splash = false;
  const observer = new MutationObserver(() => {
    const shown = document.querySelector('#jupyterlab-splash') !== null;
    if (splash && !shown) {
      seen.ready ??= performance.now();
    }
    splash = shown;
    if (/[0-9]/.test(document.querySelector('.ma-Status-button')?.textContent)) {
      seen.figure ??= performance.now();
    }
  });
  observer.observe(document, { childList: true, characterData: true, subtree: true });
})()"""
"""Note when JupyterLab's splash is gone, and when the time left is there, both since the page was asked for."""
READY = "() => window.bench?.ready"


@dataclass(frozen=True)
class Extension:
    """What is measured.

    Attributes:
        name: The name of what it brings to the page.
        files: The folder of that.
        asks: What the addresses of its requests have in common.
        item: Selects what it shows in the status bar.
        text: What that says once it works.
    """

    name: str
    files: Path
    asks: str
    item: str
    text: re.Pattern[str]

    def shown(self, page: Page) -> Locator:
        """What it shows in the status bar once it works."""
        return page.locator(self.item, has_text=self.text)

    def asked(self, wire: Wire) -> int:
        """How many requests a page has sent for it."""
        return sum(self.asks in each for each in wire.requests)


OURS = Extension(
    OUR_PAGES,
    Path(modelarts_magics.__file__).parent / "labextension",
    f"/{PREFIX}/",
    ".ma-Status-button",
    re.compile("[0-9]"),
)
THEIRS = Extension(
    "@jupyter-server/resource-usage",
    Path(ASIDE["JUPYTER_PATH"], "labextensions", "@jupyter-server", "resource-usage"),
    "/api/metrics/v1",
    ".jp-StatusBar-Item",
    re.compile("^Mem: +[0-9]"),
)


@dataclass(frozen=True)
class Lab:
    """One running server.

    Attributes:
        place: Where it works.
        pid: Its process.
        extension: What is added to it.
    """

    place: Place
    pid: int
    extension: Extension | None = None

    @property
    def cpu_s(self) -> float:
        """What the server's process has used so far, kernels not counted."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    def tab(self, context: BrowserContext, workspace: str = "default") -> Tab:
        """Open a page in which nothing is open, and wait for what the extension shows."""
        tab = Tab(context.new_page(), self)
        address = f"{self.place.url}/lab/workspaces/{workspace}?token={self.place.token}"
        tab.page.goto(address, wait_until="commit")
        return tab.ready()

    def notebook(self, page: Page, name: str = "") -> OpenNotebook:
        """Open a notebook in a page, and wait for its kernel and for what the extension shows."""
        name = name or self.place.copy("countdown.ipynb")
        notebook = OpenNotebook(page, self.place, Front.LAB, name).ready()
        self.shown(page)
        return notebook

    def shown(self, page: Page) -> None:
        """Wait for what the extension shows."""
        if self.extension:
            expect(self.extension.shown(page)).to_be_visible(timeout=PATIENCE_MS)


@dataclass
class Tab:
    """A page with JupyterLab.

    Attributes:
        page: The page.
        lab: Who serves it.
        wire: What it asks.
    """

    page: Page
    lab: Lab

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.add_init_script(WATCH)
        self.wire = Wire(self.page)

    def ready(self) -> Tab:
        """Wait for JupyterLab, and for what the extension shows."""
        self.page.wait_for_function(READY)
        self.lab.shown(self.page)
        return self

    def times(self) -> dict[str, float]:
        """Milliseconds from the request of the page to JupyterLab (`ready`) and to the time left (`figure`)."""
        times: dict[str, float] = self.page.evaluate("bench")
        return times


def settle(*tabs: Tab) -> None:
    """Wait until pages have done what they do at their start, and forget that."""
    tabs[0].page.wait_for_timeout(SETTLE_MS)
    for tab in tabs:
        if tab.lab.extension and not tab.lab.extension.asked(tab.wire):
            raise RuntimeError("its requests are not recognised: none could be counted")
        tab.wire.clear()


@contextmanager
def serving(extension: Extension | None, emulator: LocalEmulator, *options: str) -> Iterator[Lab]:
    """Run a server with at most one extension.

    Args:
        extension: Ours, theirs, or none.
        emulator: The cloud.
        options: More of the server's command line.
    """
    beside = ASIDE if extension is THEIRS else {}
    with tempfile.TemporaryDirectory() as folder:
        variables = {**emulator.environment(), **beside}
        place = Place(Path(folder), variables, sidebar=extension is OURS)
        if extension is OURS:
            shutil.copytree(OURS.files, Path(folder, "data", "labextensions", OURS.name))
        with place.serving(*options) as pid:
            yield Lab(place, pid, extension)


@contextmanager
def side_by_side(browser: Browser) -> Iterator[dict[Extension | None, Tab]]:
    """Give a fresh page of each server, by the extension that it has."""
    with ExitStack() as stack:
        emulator = stack.enter_context(LocalEmulator())
        Cloud(emulator).reset()
        labs = [stack.enter_context(serving(each, emulator)) for each in (None, OURS, THEIRS)]
        contexts = [stack.enter_context(new_context(browser)) for _ in labs]
        yield {lab.extension: lab.tab(context) for lab, context in zip(labs, contexts)}
