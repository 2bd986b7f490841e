"""A Jupyter server with our extensions, and pages of it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Error, expect
from ui.pages import Cloud, Front, new_context
from ui.place import Place
from ui.sidebar.tabs import USUAL, Sidebar, tab

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext

    from modelarts_magics.emulator.local import LocalEmulator


@pytest.fixture(scope="session")
def place(emulator: LocalEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A Jupyter server with our extensions."""
    place = Place(tmp_path_factory.mktemp("sidebar"), emulator.environment(), sidebar=True)
    with place.serving():
        yield place


@pytest.fixture(autouse=True)
def _known(place: Place, _fresh: None) -> None:
    """The server has heard that the instance is as it was at the start."""
    place.ask()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A profile of its own."""
    with contextlib.closing(new_context(browser)) as context:
        yield context


@pytest.fixture(scope="session")
def pages(browser: Browser) -> Iterator[dict[Front, Sidebar]]:  # noqa: ARG001 - it ends after them
    """One page of each front end that the tests share, opened when it is first needed."""
    pages: dict[Front, Sidebar] = {}
    yield pages
    for side in pages.values():
        side.page.context.close()


@pytest.fixture
def side(
    pages: dict[Front, Sidebar], place: Place, browser: Browser, front: Front, cloud: Cloud
) -> Sidebar:
    """A shared page with the panel open, nothing shown by the notebook and the instance as it was."""
    if front in pages:
        try:
            return tidy(pages[front], cloud)
        except (Error, AssertionError):
            pages.pop(front).page.context.close()
            cloud.reset()
            place.ask()
    pages[front] = tab(new_context(browser), place, front).open()
    pages[front].notebook.run(0)
    return tidy(pages[front], cloud)


def tidy(side: Sidebar, cloud: Cloud) -> Sidebar:
    """Take back what a test has left in a page, and wait until it knows the stop of this one."""
    if side.running.count():
        side.interrupt()
    side.run("apputils:dismiss-notification")
    side.run("notebook:clear-all-cell-outputs")
    expect(side.page.locator(".jp-Notebook .ma-Countdown")).to_have_count(0)
    cloud.agrees(side.open().countdown)
    expect(side.status).to_contain_text(USUAL)
    expect(side.page.locator(".Toastify__toast")).to_have_count(0)  # also the one that just fades
    return side
