"""Fixtures of the sidebar tests: a Jupyter server with the extensions, and its pages."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Error, expect
from ui.jupyter_server_process import JupyterServerProcess
from ui.notebook_page import FrontEnd, InstanceControl, new_context
from ui.sidebar.sidebar_page import DEFAULT_TIME_LEFT, SidebarPage, open_sidebar_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext

    from modelarts_magics.emulator.local import LocalEmulator


@pytest.fixture(scope="session")
def jupyter_server(
    emulator: LocalEmulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[JupyterServerProcess]:
    """A Jupyter server with the extensions of this package."""
    server = JupyterServerProcess(
        tmp_path_factory.mktemp("sidebar"), emulator.environment(), with_extensions=True
    )
    with server.running():
        yield server


@pytest.fixture(autouse=True)
def _refresh_server(jupyter_server: JupyterServerProcess, _reset: None) -> None:
    """Let the server read the reset state of the instance."""
    jupyter_server.refresh_instance()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A new browser profile."""
    with contextlib.closing(new_context(browser)) as context:
        yield context


@pytest.fixture(scope="session")
def sidebar_pages(browser: Browser) -> Iterator[dict[FrontEnd, SidebarPage]]:  # noqa: ARG001 - closes after the pages
    """The shared page of each front end, opened when it is first needed."""
    pages: dict[FrontEnd, SidebarPage] = {}
    yield pages
    for each in pages.values():
        each.page.context.close()


@pytest.fixture
def sidebar(
    sidebar_pages: dict[FrontEnd, SidebarPage],
    jupyter_server: JupyterServerProcess,
    browser: Browser,
    front_end: FrontEnd,
    instance_control: InstanceControl,
) -> SidebarPage:
    """A shared page with an open panel, a notebook without outputs and the reset instance."""
    if front_end in sidebar_pages:
        try:
            return reset_sidebar(sidebar_pages[front_end], instance_control)
        except (Error, AssertionError):
            sidebar_pages.pop(front_end).page.context.close()
            instance_control.reset()
            jupyter_server.refresh_instance()
    sidebar_pages[front_end] = open_sidebar_page(
        new_context(browser), jupyter_server, front_end
    ).open_panel()
    sidebar_pages[front_end].notebook.run_cells(0)
    return reset_sidebar(sidebar_pages[front_end], instance_control)


def reset_sidebar(sidebar: SidebarPage, instance_control: InstanceControl) -> SidebarPage:
    """Remove what an earlier test left in a page, and wait until it shows the reset instance."""
    if sidebar.running_prompt.count():
        sidebar.interrupt()
    sidebar.run_command("apputils:dismiss-notification")
    sidebar.run_command("notebook:clear-all-cell-outputs")
    expect(sidebar.page.locator(".jp-Notebook .ma-Countdown")).to_have_count(0)
    instance_control.wait_until_shown_in(sidebar.open_panel().countdown)
    expect(sidebar.status_item).to_contain_text(DEFAULT_TIME_LEFT)
    # A dismissed notification fades out before it is removed.
    expect(sidebar.page.locator(".Toastify__toast")).to_have_count(0)
    return sidebar
