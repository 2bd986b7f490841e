"""JupyterLab alone, with this extension, and with jupyter-resource-usage, each on a server of its own."""

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
from environment import separate_variables
from playwright.sync_api import expect

import modelarts_magics
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.server.handlers import URL_PREFIX

sys.path.append(str(Path(__file__).resolve().parents[1]))  # for the helpers in tests/ui

from ui.jupyter_server_process import LAB_EXTENSION, JupyterServerProcess
from ui.notebook_page import (
    TIMEOUT_MS,
    FrontEnd,
    InstanceControl,
    NetworkLog,
    NotebookPage,
    new_context,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Locator, Page

RESOURCE_USAGE_VARIABLES = separate_variables(Path(sys.prefix))
SETTLE_MS = 3_000
"""Time for the last start-up requests of a page that shows everything already."""
TIMING_JS = """(() => {
  const times = (window.bench = {});
  let splash = false;
  const observer = new MutationObserver(() => {
    const shown = document.querySelector('#jupyterlab-splash') !== null;
    if (splash && !shown) {
      times.ready ??= performance.now();
    }
    splash = shown;
    if (/[0-9]/.test(document.querySelector('.ma-Status-button')?.textContent)) {
      times.figure ??= performance.now();
    }
  });
  observer.observe(document, { childList: true, characterData: true, subtree: true });
})()"""
"""Record when the splash screen of JupyterLab disappears, and when the time left appears."""
READY_JS = "() => window.bench?.ready"


@dataclass(frozen=True)
class Extension:
    """Measured extension.

    Attributes:
        name: The name of its front end package.
        files: The folder of that package.
        request_path: The common part of the URLs of its requests.
        selector: The selector of its status bar item.
        text: The text of the item once it works.
    """

    name: str
    files: Path
    request_path: str
    selector: str
    text: re.Pattern[str]

    def visible_item(self, page: Page) -> Locator:
        """Return its status bar item once it works."""
        return page.locator(self.selector, has_text=self.text)

    def count_requests(self, network: NetworkLog) -> int:
        """Return how many requests a page has sent for it."""
        return sum(self.request_path in each for each in network.requests)


MODELARTS = Extension(
    LAB_EXTENSION,
    Path(modelarts_magics.__file__).parent / "labextension",
    f"/{URL_PREFIX}/",
    ".ma-Status-button",
    re.compile("[0-9]"),
)
RESOURCE_USAGE = Extension(
    "@jupyter-server/resource-usage",
    Path(
        RESOURCE_USAGE_VARIABLES["JUPYTER_PATH"],
        "labextensions",
        "@jupyter-server",
        "resource-usage",
    ),
    "/api/metrics/v1",
    ".jp-StatusBar-Item",
    re.compile("^Mem: +[0-9]"),
)


@dataclass(frozen=True)
class LabServer:
    """Running server.

    Attributes:
        process: The server process.
        pid: Its process id.
        extension: The extension of the server, if any.
    """

    process: JupyterServerProcess
    pid: int
    extension: Extension | None = None

    @property
    def cpu_s(self) -> float:
        """The CPU seconds of the server process so far, without kernels."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    def open_page(self, context: BrowserContext, workspace: str = "default") -> LabPage:
        """Open a page without a document, and wait until the extension shows its item."""
        page = LabPage(context.new_page(), self)
        address = f"{self.process.url}/lab/workspaces/{workspace}?token={self.process.token}"
        page.page.goto(address, wait_until="commit")
        return page.wait_until_ready()

    def open_notebook(self, page: Page, name: str = "") -> NotebookPage:
        """Open a notebook in a page, and wait for its kernel and for the item of the extension."""
        name = name or self.process.copy_notebook("countdown.ipynb")
        notebook = NotebookPage(page, self.process, FrontEnd.LAB, name).wait_until_ready()
        self.wait_until_shown(page)
        return notebook

    def wait_until_shown(self, page: Page) -> None:
        """Wait until the extension shows its item."""
        if self.extension:
            expect(self.extension.visible_item(page)).to_be_visible(timeout=TIMEOUT_MS)


@dataclass
class LabPage:
    """Page with JupyterLab.

    Attributes:
        page: The page.
        server: Its server.
        network: Its network traffic.
    """

    page: Page
    server: LabServer

    def __post_init__(self) -> None:
        self.page.set_default_timeout(TIMEOUT_MS)
        self.page.add_init_script(TIMING_JS)
        self.network = NetworkLog(self.page)

    def wait_until_ready(self) -> LabPage:
        """Wait for JupyterLab and for the item of the extension."""
        self.page.wait_for_function(READY_JS)
        self.server.wait_until_shown(self.page)
        return self

    def load_times(self) -> dict[str, float]:
        """Return the ms from navigation to JupyterLab (`ready`) and to the time left (`figure`)."""
        times: dict[str, float] = self.page.evaluate("bench")
        return times


def wait_until_idle(*pages: LabPage) -> None:
    """Wait until pages have completed their start-up, and clear their traffic logs."""
    pages[0].page.wait_for_timeout(SETTLE_MS)
    for tab in pages:
        if tab.server.extension and not tab.server.extension.count_requests(tab.network):
            raise RuntimeError("no request of the extension was recognised")
        tab.network.clear()


@contextmanager
def run_server(
    extension: Extension | None, emulator: LocalEmulator, *options: str
) -> Iterator[LabServer]:
    """Run a server with at most one extension.

    Args:
        extension: The extension, or None.
        emulator: The emulator that the extension uses.
        options: More arguments of the server.
    """
    extra_variables = RESOURCE_USAGE_VARIABLES if extension is RESOURCE_USAGE else {}
    with tempfile.TemporaryDirectory() as folder:
        variables = {**emulator.environment(), **extra_variables}
        process = JupyterServerProcess(
            Path(folder), variables, with_extensions=extension is MODELARTS
        )
        if extension is MODELARTS:
            shutil.copytree(MODELARTS.files, Path(folder, "data", "labextensions", MODELARTS.name))
        with process.running(*options) as pid:
            yield LabServer(process, pid, extension)


@contextmanager
def open_all(browser: Browser) -> Iterator[dict[Extension | None, LabPage]]:
    """Run all three servers and yield a fresh page of each, by its extension."""
    with ExitStack() as stack:
        emulator = stack.enter_context(LocalEmulator())
        InstanceControl(emulator).reset()
        servers = [
            stack.enter_context(run_server(each, emulator))
            for each in (None, MODELARTS, RESOURCE_USAGE)
        ]
        contexts = [stack.enter_context(new_context(browser)) for _ in servers]
        yield {lab.extension: lab.open_page(context) for lab, context in zip(servers, contexts)}
