"""The server, the API, the event socket or the credentials are unavailable."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from ui.jupyter_server_process import JupyterServerProcess
from ui.notebook_page import CountdownView, FrontEnd
from ui.sidebar.sidebar_page import DEFAULT_TIME_LEFT, EXTENDED_TIME_LEFT, open_sidebar_page

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext, WebSocketRoute
    from ui.notebook_page import InstanceControl
    from ui.sidebar.sidebar_page import SidebarPage

    from modelarts_magics.emulator.local import LocalEmulator

NOT_RESPONDING = "The Jupyter server is not responding."
TOKEN_VARIABLE = "MODELARTS_AUTH_TOKEN"


def test_panel_recovers_from_unavailable_api(
    sidebar: SidebarPage, instance_control: InstanceControl
) -> None:
    """The panel shows an error, continues to count, and retries on request."""
    notice = sidebar.panel.locator('.ma-Panel-notice[data-tone="error"]')
    instance_control.emulator.stop()
    try:
        sidebar.refresh()
        expect(notice).to_be_visible()
        expect(sidebar.countdown.element("timer")).to_be_visible()
    finally:
        instance_control.emulator.start()
    instance_control.emulator.set_instance(minutes_left=100)
    sidebar.button("Try Again").click()
    expect(notice).to_have_count(0)
    expect(sidebar.status_item).to_contain_text(EXTENDED_TIME_LEFT)
    instance_control.wait_until_shown_in(sidebar.countdown)


@pytest.mark.only(FrontEnd.LAB)
def test_panel_recovers_from_stopped_server(
    emulator: LocalEmulator,
    context: BrowserContext,
    instance_control: InstanceControl,
    tmp_path: Path,
) -> None:
    """The panel shows an error until the server, under a base path, runs again."""
    server = JupyterServerProcess(
        tmp_path, emulator.environment(), with_extensions=True, base_path="/notebook/some-id"
    )
    with server.running():
        sidebar = open_sidebar_page(context, server).open_panel()
    sidebar.refresh()
    expect(sidebar.panel).to_contain_text(NOT_RESPONDING)
    with server.running():
        # The page refreshes without this command too, but later.
        sidebar.refresh()
        expect(sidebar.panel).not_to_contain_text(NOT_RESPONDING)
        instance_control.wait_until_shown_in(sidebar.countdown)


class EventSocketRoute:
    """The event sockets of a page, which a test can close and block like a proxy."""

    def __init__(self, context: BrowserContext) -> None:
        self._open: list[WebSocketRoute] = []
        self._blocked = False
        context.route_web_socket(re.compile("/api/events/subscribe"), self._on_socket)

    def _on_socket(self, socket: WebSocketRoute) -> None:
        if self._blocked:
            socket.close()
        else:
            socket.connect_to_server()
            self._open.append(socket)

    def block(self) -> None:
        """Close the open sockets, and reject new ones."""
        self._blocked = True
        assert self._open, "the page has no such socket"
        for socket in self._open:
            socket.close()

    def unblock(self) -> None:
        """Accept new sockets."""
        self._blocked = False


def test_page_catches_up_after_lost_event_socket(
    sidebar: SidebarPage,
    context: BrowserContext,
    jupyter_server: JupyterServerProcess,
    instance_control: InstanceControl,
    front_end: FrontEnd,
) -> None:
    """A page reads the missed change when its event socket is connected again."""
    route = EventSocketRoute(context)
    other_page = open_sidebar_page(context, jupyter_server, front_end).open_panel()
    instance_control.wait_until_shown_in(other_page.countdown)
    route.block()
    jupyter_server.run_cli("extend", "1h")
    # A page with a connected socket follows the change.
    expect(sidebar.status_item).to_contain_text(EXTENDED_TIME_LEFT)
    expect(other_page.status_item).to_contain_text(DEFAULT_TIME_LEFT)
    route.unblock()
    expect(other_page.status_item).to_contain_text(EXTENDED_TIME_LEFT)
    instance_control.wait_until_shown_in(other_page.countdown)


def test_panel_shows_kernel_data_without_server_token(
    emulator: LocalEmulator,
    context: BrowserContext,
    instance_control: InstanceControl,
    tmp_path: Path,
    front_end: FrontEnd,
) -> None:
    """A server without a token shows how to set it up, then the state read by a kernel."""
    variables = emulator.environment()
    token = variables.pop(TOKEN_VARIABLE)
    server = JupyterServerProcess(tmp_path, variables, with_extensions=True)
    with server.running():
        sidebar = open_sidebar_page(context, server, front_end)
        expect(sidebar.status_item).to_have_text("Set Up ModelArts")
        sidebar.status_item.click()
        expect(sidebar.notices).to_contain_text("no credentials")
        assert (
            sidebar.notebook.execute(f"import os; os.environ[{TOKEN_VARIABLE!r}] = {token!r}")
            == "ok"
        )
        sidebar.notebook.run_cells(0, 1)
        expect(sidebar.panel.locator(".ma-Panel-observedAt")).to_contain_text("read-only")
        instance_control.wait_until_shown_in(sidebar.countdown)
        expect(sidebar.countdown.button("extend")).to_be_hidden()
        expect(sidebar.button("Edit Description")).to_be_hidden()
        widget = CountdownView(sidebar.page.locator(".jp-Notebook .ma-Countdown"))
        expect(widget.button("extend")).not_to_have_attribute("aria-disabled", "true")
        sidebar.notebook.run_cells(3)
        expect(sidebar.status_item).to_contain_text(EXTENDED_TIME_LEFT)
        assert token not in sidebar.page.content()
