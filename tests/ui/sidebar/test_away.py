"""Server, cloud, event socket or credentials are away; all but the last come back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from ui.pages import Countdown, Front
from ui.place import Place
from ui.sidebar.tabs import EXTENDED, USUAL, tab

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext, WebSocketRoute
    from ui.pages import Cloud
    from ui.sidebar.tabs import Sidebar

    from modelarts_magics.emulator.local import LocalEmulator

SILENT = "The Jupyter server does not answer."
TOKEN = "MODELARTS_AUTH_TOKEN"


def test_the_cloud(side: Sidebar, cloud: Cloud) -> None:
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


@pytest.mark.only(Front.LAB)
def test_the_server(
    emulator: LocalEmulator, context: BrowserContext, cloud: Cloud, tmp_path: Path
) -> None:
    """The panel says so, and recovers; all of it under a path, as on the platform."""
    place = Place(tmp_path, emulator.environment(), sidebar=True, base="/notebook/some-id")
    with place.serving():
        side = tab(context, place).open()
    side.ask()
    expect(side.panel).to_contain_text(SILENT)
    with place.serving():
        side.ask()  # it does so by itself, too, perhaps already
        expect(side.panel).not_to_contain_text(SILENT)
        cloud.agrees(side.countdown)


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
    side: Sidebar, context: BrowserContext, place: Place, cloud: Cloud, front: Front
) -> None:
    """What was missed is read once there is a socket again, although Jupyter tells nobody of that."""
    wire = Cut(context)
    apart = tab(context, place, front).open()
    cloud.agrees(apart.countdown)
    wire.cut()
    place.terminal("extend", "1h")
    expect(side.status).to_contain_text(EXTENDED)  # who has a socket hears of it
    expect(apart.status).to_contain_text(USUAL)
    wire.mend()
    expect(apart.status).to_contain_text(EXTENDED)
    cloud.agrees(apart.countdown)


def test_the_token(
    emulator: LocalEmulator, context: BrowserContext, cloud: Cloud, tmp_path: Path, front: Front
) -> None:
    """A server without one says what to do; once a kernel has one, what that learned is shown, as of then."""
    variables = emulator.environment()
    token = variables.pop(TOKEN)
    place = Place(tmp_path, variables, sidebar=True)
    with place.serving():
        side = tab(context, place, front)
        expect(side.status).to_have_text("Set up ModelArts")
        side.status.click()
        expect(side.notices).to_contain_text("no credentials")
        assert side.notebook.execute(f"import os; os.environ[{TOKEN!r}] = {token!r}") == "ok"
        side.notebook.run(0, 1)
        expect(side.panel.locator(".ma-Panel-asOf")).to_contain_text("read-only")
        cloud.agrees(side.countdown)
        expect(side.countdown.button("plus")).to_be_hidden()
        expect(side.button("Edit the description")).to_be_hidden()
        widget = Countdown(side.page.locator(".jp-Notebook .ma-Countdown"))
        expect(widget.button("plus")).not_to_have_attribute("aria-disabled", "true")
        side.notebook.run(3)
        expect(side.status).to_contain_text(EXTENDED)
        assert token not in side.page.content()
