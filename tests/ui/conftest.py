"""One emulator, one Jupyter server and one browser for all tests of the pages.

A page takes seconds to load, so most tests share one for each front end and notebook: a `desk`. Before each
test its widgets are closed, its outputs cleared and the emulated instance is as it was at the start.

Playwright keeps an event loop in this thread from its first use to the end of the session; that is why
these tests come last.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Error, expect, sync_playwright
from ui.browser import launch
from ui.pages import PATIENCE_MS, Cloud, Front, OpenNotebook, new_context
from ui.place import Place, free_port

from modelarts_magics.emulator.local import LocalEmulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Locator, Page

SCREENSHOTS = Path(__file__).with_name("screenshots")
CLEAN = "from ipywidgets import Widget; Widget.close_all()"
WIDE = {"width": 1200, "height": 860}

expect.set_options(timeout=PATIENCE_MS)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that names a front end, or a shared page, in JupyterLab and in Notebook 7."""
    if "front" in metafunc.fixturenames and not metafunc.definition.get_closest_marker("only"):
        metafunc.parametrize("front", list(Front), ids=lambda front: front.name.lower())


def pytest_configure(config: pytest.Config) -> None:
    """Explain the marker."""
    config.addinivalue_line("markers", "only(front): runs in this front end only")


@pytest.fixture
def front(request: pytest.FixtureRequest) -> Front:
    """The front end of a test that runs in one only."""
    marker = request.node.get_closest_marker("only")
    return marker.args[0] if marker else Front.LAB


@pytest.fixture(scope="session")
def emulator() -> Iterator[LocalEmulator]:
    """The local cloud, on real time."""
    with LocalEmulator(port=free_port()) as emulator:  # it is its own while it is stopped, too
        yield emulator


@pytest.fixture(scope="session")
def place(emulator: LocalEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A Jupyter server whose kernels know the emulator."""
    place = Place(tmp_path_factory.mktemp("jupyter"), emulator.environment())
    with place.serving():
        yield place


@pytest.fixture(scope="session")
def cloud(emulator: LocalEmulator) -> Cloud:
    """The emulated instance."""
    return Cloud(emulator)


@pytest.fixture(autouse=True)
def _fresh(place: Place, cloud: Cloud) -> None:
    """Default settings, and 40 minutes left of a run of one hour."""
    place.reset()
    cloud.reset()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def open_notebook(place: Place, browser: Browser) -> Iterator[Callable[..., OpenNotebook]]:
    """Open a page of its own; its kernel and profile are gone after the test."""
    opened: list[OpenNotebook] = []

    def open_one(
        name: str, *, front: Front = Front.LAB, script: str = "", **options: object
    ) -> OpenNotebook:
        context = new_context(browser, **options)
        if script:
            context.add_init_script(script)
        path = name if (place.work / name).exists() else place.copy(name)
        opened.append(OpenNotebook(context.new_page(), place, front, path))
        return opened[-1]

    yield open_one
    for notebook in opened:
        close(notebook)


@pytest.fixture(scope="session")
def desks(place: Place, browser: Browser) -> Iterator[Desks]:
    """The shared pages, opened when they are first needed."""
    desks = Desks(place, browser)
    yield desks
    desks.close()


@pytest.fixture
def desk(desks: Desks, front: Front) -> OpenNotebook:
    """A shared page with `countdown.ipynb`, the extension loaded and nothing shown."""
    return desks.clean(front, "countdown.ipynb")


@pytest.fixture
def form_desk(desks: Desks, front: Front) -> OpenNotebook:
    """A shared page with `form.ipynb`, the extension loaded and nothing shown."""
    return desks.clean(front, "form.ipynb")


@pytest.fixture
def shoot(front: Front) -> Callable[[Page | Locator, str], None]:
    """Take a picture, to be looked at by a person."""

    def shoot(what: Page | Locator, name: str) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        what.screenshot(
            path=SCREENSHOTS / f"{name}-{front.name.lower()}.png", animations="disabled"
        )

    return shoot


class Desks:
    """Pages that several tests use, one after the other.

    Args:
        place: The server.
        browser: What shows them.
    """

    def __init__(self, place: Place, browser: Browser) -> None:
        self._place, self._browser = place, browser
        self._open: dict[tuple[Front, str], OpenNotebook] = {}

    def clean(self, front: Front, notebook: str) -> OpenNotebook:
        """Return a page without widgets and outputs; a new one where the old one is beyond help."""
        key = (front, notebook)
        if key in self._open:
            try:
                return tidy(self._open[key])
            except (Error, AssertionError):
                close(self._open.pop(key))
        page = new_context(self._browser).new_page()
        self._open[key] = OpenNotebook(page, self._place, front, self._place.copy(notebook))
        return self._open[key].ready().run(0)

    def close(self) -> None:
        """Close all pages."""
        for notebook in self._open.values():
            close(notebook)


def tidy(notebook: OpenNotebook) -> OpenNotebook:
    """Take back what a test has left in a page."""
    page = notebook.page
    page.set_viewport_size(WIDE)
    page.emulate_media(reduced_motion="no-preference")
    running = page.locator(".jp-InputPrompt", has_text="[*]:")
    if running.count():
        notebook.interrupt()
        expect(running).to_have_count(0)
    assert notebook.execute(CLEAN) == "ok"
    notebook.own_thread_for_widgets(on=True)
    page.evaluate("jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    expect(page.locator(".ma-Countdown")).to_have_count(0)
    return notebook


def close(notebook: OpenNotebook) -> None:
    """Close a page, with its kernel and its profile."""
    try:
        notebook.shut_down()
    except Error:  # it never came so far, or its kernel is gone already
        pass
    finally:
        notebook.page.context.close()
