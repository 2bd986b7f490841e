"""Fixtures of the browser tests: in each process one emulator, one Jupyter server and one browser.

A page takes seconds to load, so most tests share one page for each front end and notebook. Before each test,
`SharedPages` closes the widgets of the page and clears its outputs, and the instance is reset.

Playwright keeps an event loop in this thread from its first use until pytest exits. The browser tests therefore
run last.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Error, expect, sync_playwright
from ui.browser import launch_browser
from ui.jupyter_server_process import JupyterServerProcess, free_port
from ui.notebook_page import TIMEOUT_MS, FrontEnd, InstanceControl, NotebookPage, new_context

from modelarts_magics.emulator.local import LocalEmulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Locator, Page

SCREENSHOTS = Path(__file__).with_name("screenshots")
CLOSE_WIDGETS_CODE = "from ipywidgets import Widget; Widget.close_all()"
VIEWPORT = {"width": 1200, "height": 860}

SHARED_PAGES = {"shared_pages", "sidebar_pages", "clock_sidebar"}
"""The fixtures that keep pages open for several tests."""

expect.set_options(timeout=TIMEOUT_MS)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers of the browser tests."""
    config.addinivalue_line("markers", "browser: opens a page in a browser")
    config.addinivalue_line("markers", "only(front): runs in this front end only")
    config.addinivalue_line(
        "markers", "every_front_end: runs in all front ends, also without --soak"
    )


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark every test of this folder, because it needs a server and a browser."""
    item.add_marker(pytest.mark.process)
    item.add_marker(pytest.mark.browser)
    shared = SHARED_PAGES.intersection(getattr(item, "fixturenames", ()))
    if shared:
        # pytest-xdist runs a group in one process, so that each shared page is opened once.
        item.add_marker(pytest.mark.xdist_group(min(shared)))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test in JupyterLab, and with ``--soak`` or if it is marked also in Notebook 7."""
    marker = metafunc.definition.get_closest_marker
    if "front_end" not in metafunc.fixturenames or marker("only"):
        return
    marks = () if marker("every_front_end") else (pytest.mark.soak,)
    cells = [
        pytest.param(FrontEnd.LAB, id="lab"),
        pytest.param(FrontEnd.NOTEBOOK, id="notebook", marks=marks),
    ]
    metafunc.parametrize("front_end", cells)


@pytest.fixture
def front_end(request: pytest.FixtureRequest) -> FrontEnd:
    """The front end of a test that runs in only one."""
    marker = request.node.get_closest_marker("only")
    return marker.args[0] if marker else FrontEnd.LAB


@pytest.fixture(scope="session")
def emulator() -> Iterator[LocalEmulator]:
    """The local emulator, in real time."""
    # No other process gets this port while the emulator is stopped.
    with LocalEmulator(port=free_port()) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def jupyter_server(
    emulator: LocalEmulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[JupyterServerProcess]:
    """A Jupyter server whose kernels use the emulator."""
    server = JupyterServerProcess(tmp_path_factory.mktemp("jupyter"), emulator.environment())
    with server.running():
        yield server


@pytest.fixture(scope="session")
def instance_control(emulator: LocalEmulator) -> InstanceControl:
    """Control over the emulated instance."""
    return InstanceControl(emulator)


@pytest.fixture(autouse=True)
def _reset(jupyter_server: JupyterServerProcess, instance_control: InstanceControl) -> None:
    """Restore the default settings and an instance with 40 minutes left of one hour."""
    jupyter_server.reset()
    instance_control.reset()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser that all tests share."""
    with sync_playwright() as playwright:
        browser = launch_browser(playwright)
        yield browser
        browser.close()


@pytest.fixture
def open_notebook(
    jupyter_server: JupyterServerProcess, browser: Browser
) -> Iterator[Callable[..., NotebookPage]]:
    """Function that opens a notebook in a new page; kernel and profile are removed after the test."""
    opened: list[NotebookPage] = []

    def open_page(
        name: str, *, front: FrontEnd = FrontEnd.LAB, script: str = "", **options: object
    ) -> NotebookPage:
        context = new_context(browser, **options)
        if script:
            context.add_init_script(script)
        path = (
            name
            if (jupyter_server.work_folder / name).exists()
            else jupyter_server.copy_notebook(name)
        )
        opened.append(NotebookPage(context.new_page(), jupyter_server, front, path))
        return opened[-1]

    yield open_page
    for notebook in opened:
        close_page(notebook)


@pytest.fixture(scope="session")
def shared_pages(jupyter_server: JupyterServerProcess, browser: Browser) -> Iterator[SharedPages]:
    """The shared pages, each opened when it is first needed."""
    pages = SharedPages(jupyter_server, browser)
    yield pages
    pages.close()


@pytest.fixture
def notebook_page(shared_pages: SharedPages, front_end: FrontEnd) -> NotebookPage:
    """A shared page with `countdown.ipynb`, the extension loaded and no outputs."""
    return shared_pages.get_clean(front_end, "countdown.ipynb")


@pytest.fixture
def form_page(shared_pages: SharedPages, front_end: FrontEnd) -> NotebookPage:
    """A shared page with `form.ipynb`, the extension loaded and no outputs."""
    return shared_pages.get_clean(front_end, "form.ipynb")


@pytest.fixture
def take_screenshot(front_end: FrontEnd) -> Callable[[Page | Locator, str], None]:
    """Function that saves a screenshot for manual review."""

    def save_screenshot(target: Page | Locator, name: str) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        target.screenshot(
            path=SCREENSHOTS / f"{name}-{front_end.name.lower()}.png", animations="disabled"
        )

    return save_screenshot


class SharedPages:
    """Pages that several tests use, one after the other.

    Args:
        server: The server of the notebooks.
        browser: The browser in which the pages open.
    """

    def __init__(self, server: JupyterServerProcess, browser: Browser) -> None:
        self._server, self._browser = server, browser
        self._open: dict[tuple[FrontEnd, str], NotebookPage] = {}

    def get_clean(self, front: FrontEnd, notebook: str) -> NotebookPage:
        """Return a page without widgets and outputs; open a new one if the old one cannot be reset."""
        key = (front, notebook)
        if key in self._open:
            try:
                return reset_page(self._open[key])
            except (Error, AssertionError):
                close_page(self._open.pop(key))
        page = new_context(self._browser).new_page()
        self._open[key] = NotebookPage(
            page, self._server, front, self._server.copy_notebook(notebook)
        )
        return self._open[key].wait_until_ready().run_cells(0)

    def close(self) -> None:
        """Close all pages."""
        for notebook in self._open.values():
            close_page(notebook)


def reset_page(notebook: NotebookPage) -> NotebookPage:
    """Remove the widgets, outputs and running cells that a test left in a page."""
    page = notebook.page
    page.set_viewport_size(VIEWPORT)
    page.emulate_media(reduced_motion="no-preference")
    running = page.locator(".jp-InputPrompt", has_text="[*]:")
    if running.count():
        notebook.interrupt()
        expect(running).to_have_count(0)
    assert notebook.execute(CLOSE_WIDGETS_CODE) == "ok"
    notebook.set_widget_subshells(enabled=True)
    page.evaluate("jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    expect(page.locator(".ma-Countdown")).to_have_count(0)
    return notebook


def close_page(notebook: NotebookPage) -> None:
    """Close a page, its kernel and its profile."""
    try:
        notebook.shut_down()
    except Error:
        # The kernel never started, or it has stopped already.
        pass
    finally:
        notebook.page.context.close()
