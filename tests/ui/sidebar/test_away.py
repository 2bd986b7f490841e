"""Server, cloud, event socket or credentials are away; all but the last come back."""

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

SILENT = "The Jupyter server is not responding."
TOKEN = "MODELARTS_AUTH_TOKEN"


def test_the_cloud(sidebar: SidebarPage, instance_control: InstanceControl) -> None:
    """The panel says so, goes on counting, and asks again when it is told to."""
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
def test_the_server(
    emulator: LocalEmulator,
    context: BrowserContext,
    instance_control: InstanceControl,
    tmp_path: Path,
) -> None:
    """The panel says so, and recovers; all of it under a path, as on the platform."""
    place = JupyterServerProcess(
        tmp_path, emulator.environment(), with_extensions=True, base_path="/notebook/some-id"
    )
    with place.running():
        side = open_sidebar_page(context, place).open_panel()
    side.refresh()
    expect(side.panel).to_contain_text(SILENT)
    with place.running():
        side.refresh()  # it does so by itself, too, perhaps already
        expect(side.panel).not_to_contain_text(SILENT)
        instance_control.wait_until_shown_in(side.countdown)


class Cut:
    """The event sockets of a page, which a test can cut as a proxy does, and mend again."""

    def __init__(self, context: BrowserContext) -> None:
        self._open: list[WebSocketRoute] = []
        self._broken = False
        context.route_web_socket(re.compile("/api/events/subscribe"), self._on_socket)

    def _on_socket(self, socket: WebSocketRoute) -> None:
        if self._broken:
            socket.close()
        else:
            socket.connect_to_server()
            self._open.append(socket)

    def cut(self) -> None:
        """Close what is open, and let no new one through."""
        self._broken = True
        assert self._open, "the page has no such socket"
        for socket in self._open:
            socket.close()

    def mend(self) -> None:
        """Let the next one through."""
        self._broken = False


def test_the_event_socket(
    sidebar: SidebarPage,
    context: BrowserContext,
    jupyter_server: JupyterServerProcess,
    instance_control: InstanceControl,
    front_end: FrontEnd,
) -> None:
    """What was missed is read once there is a socket again, although Jupyter tells nobody of that."""
    wire = Cut(context)
    apart = open_sidebar_page(context, jupyter_server, front_end).open_panel()
    instance_control.wait_until_shown_in(apart.countdown)
    wire.cut()
    jupyter_server.run_cli("extend", "1h")
    expect(sidebar.status_item).to_contain_text(EXTENDED_TIME_LEFT)  # who has a socket hears of it
    expect(apart.status_item).to_contain_text(DEFAULT_TIME_LEFT)
    wire.mend()
    expect(apart.status_item).to_contain_text(EXTENDED_TIME_LEFT)
    instance_control.wait_until_shown_in(apart.countdown)


def test_the_token(
    emulator: LocalEmulator,
    context: BrowserContext,
    instance_control: InstanceControl,
    tmp_path: Path,
    front_end: FrontEnd,
) -> None:
    """A server without one says what to do; once a kernel has one, what that learned is shown, as of then."""
    variables = emulator.environment()
    token = variables.pop(TOKEN)
    place = JupyterServerProcess(tmp_path, variables, with_extensions=True)
    with place.running():
        side = open_sidebar_page(context, place, front_end)
        expect(side.status_item).to_have_text("Set Up ModelArts")
        side.status_item.click()
        expect(side.notices).to_contain_text("no credentials")
        assert side.notebook.execute(f"import os; os.environ[{TOKEN!r}] = {token!r}") == "ok"
        side.notebook.run_cells(0, 1)
        expect(side.panel.locator(".ma-Panel-observedAt")).to_contain_text("read-only")
        instance_control.wait_until_shown_in(side.countdown)
        expect(side.countdown.button("extend")).to_be_hidden()
        expect(side.button("Edit Description")).to_be_hidden()
        widget = CountdownView(side.page.locator(".jp-Notebook .ma-Countdown"))
        expect(widget.button("extend")).not_to_have_attribute("aria-disabled", "true")
        side.notebook.run_cells(3)
        expect(side.status_item).to_contain_text(EXTENDED_TIME_LEFT)
        assert token not in side.page.content()
