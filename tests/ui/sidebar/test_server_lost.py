"""Proxies that pass no event socket, documents that cannot be saved, and a server that stops with its instance."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from ui.jupyter_server_process import JupyterServerProcess
from ui.notebook_page import FrontEnd, InstanceControl
from ui.sidebar.sidebar_page import DEFAULT_TIME_LEFT, IS_DIRTY_JS, open_sidebar_page

from modelarts_magics.emulator.local import LocalEmulator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page, WebSocketRoute
    from ui.sidebar.sidebar_page import SidebarPage

EVENT_SOCKET_URL = re.compile("/api/events/subscribe")
CONTENTS_URL = "**/api/contents/*.ipynb*"
COUNT_EVENTS_JS = """() => {
  window.modelartsEvents = 0;
  jupyterapp.serviceManager.events.stream.connect((_, event) => {
    window.modelartsEvents += event.schema_id.includes('modelarts-magics');
  });
}"""
"""Count the events of this package in `window.modelartsEvents`."""
POLL_TIMEOUT_MS = 45_000
"""The interval of 30 seconds, and a margin."""


def close(socket: WebSocketRoute) -> None:
    """Reject a socket."""
    socket.close()


def ignore(_socket: WebSocketRoute) -> None:
    """Accept a socket, and pass nothing on."""


@pytest.mark.only(FrontEnd.LAB)
@pytest.mark.parametrize("handler", [close, pytest.param(ignore, marks=pytest.mark.soak)])
def test_page_polls_without_event_socket(
    jupyter_server: JupyterServerProcess,
    context: BrowserContext,
    instance_control: InstanceControl,
    handler: Callable[[WebSocketRoute], None],
) -> None:
    """A change made elsewhere shows within half a minute, and the state is shown with its time."""
    context.route_web_socket(EVENT_SOCKET_URL, handler)
    sidebar = open_sidebar_page(context, jupyter_server).open_panel()
    expect(sidebar.status_item).to_contain_text(DEFAULT_TIME_LEFT)
    expect(sidebar.status_item).to_contain_text(re.compile(r"· as of \d\d:\d\d$"))
    expect(sidebar.panel.locator(".ma-Panel-observedAt")).to_contain_text("As of ")
    instance_control.emulator.set_instance(minutes_left=9)
    jupyter_server.run_cli("status")
    expect(sidebar.status_item).to_contain_text(
        re.compile(r"^Stops in 8 min \d+ s · as of"), timeout=POLL_TIMEOUT_MS
    )
    instance_control.wait_until_shown_in(sidebar.countdown)


def test_idle_page_with_event_socket_sends_no_request(sidebar: SidebarPage) -> None:
    """An event shows that the socket is open, so the state is current: it is read after an event only."""
    expect(sidebar.status_item).not_to_contain_text("as of")
    requests: list[str] = []
    sidebar.page.on("request", lambda request: requests.append(request.url))
    sidebar.page.evaluate(COUNT_EVENTS_JS)
    sidebar.page.wait_for_timeout(32_000)
    # A daemon of an earlier test may end meanwhile, which is an event.
    events = sidebar.page.evaluate("modelartsEvents")
    assert len([url for url in requests if "modelarts-magics" in url]) <= events
    expect(sidebar.status_item).not_to_contain_text("as of")


@pytest.mark.only(FrontEnd.LAB)
def test_document_is_saved_when_saving_works_again(
    sidebar: SidebarPage, instance_control: InstanceControl
) -> None:
    """A failed document is listed, and tried again fifteen seconds later."""
    sidebar.make_dirty()
    sidebar.page.route(CONTENTS_URL, lambda route: route.abort())
    try:
        instance_control.emulator.set_instance(minutes_left=1.9)
        sidebar.refresh()
        expect(sidebar.notices).to_contain_text(f"Not saved: {sidebar.notebook.name}")
    finally:
        sidebar.page.unroute(CONTENTS_URL)
    expect(sidebar.saved_line(sidebar.notebook.name)).to_be_visible()
    assert not sidebar.page.evaluate(IS_DIRTY_JS)
    assert instance_control.time_left.total_seconds() > 60
    expect(sidebar.notices).not_to_contain_text("Not saved")


@pytest.mark.only(FrontEnd.LAB)
def test_page_shows_stop_after_server_has_stopped(
    context: BrowserContext, tmp_path: Path, take_screenshot: Callable[[Page, str], None]
) -> None:
    """Panel, status item and a notification that stays say when it stopped and what was saved."""
    with LocalEmulator() as emulator:
        server = JupyterServerProcess(tmp_path, emulator.environment(), with_extensions=True)
        instance_control = InstanceControl(emulator)
        with server.running():
            sidebar = open_sidebar_page(context, server).open_panel()
            sidebar.make_dirty()
            emulator.set_instance(minutes_left=0.4)
            sidebar.refresh()
            expect(sidebar.notices).to_contain_text(f"Saved: {sidebar.notebook.name}")
            while instance_control.time_left.total_seconds() > 1:
                sidebar.page.wait_for_timeout(500)
        sentence = re.compile(
            r"Stopped at \d\d:\d\d by auto-stop \(the server no longer answers\)\. "
            rf"Saved: {re.escape(sidebar.notebook.name)}\. Start it again in the console\."
        )
        expect(sidebar.status_item).to_have_text(sentence)
        expect(sidebar.notices).to_contain_text(sentence)
        expect(sidebar.detail("Status")).to_have_text("STOPPED")
        expect(sidebar.countdown.element("timer")).to_contain_text("Stopped")
        toast = sidebar.page.locator(".Toastify__toast", has_text="by auto-stop")
        expect(toast).to_contain_text(sentence)
        take_screenshot(sidebar.page, "server-stopped")
        with server.running():
            # The page reads again by itself too, but later.
            sidebar.refresh()
            expect(sidebar.notices).not_to_contain_text("by auto-stop")
            expect(toast).to_have_count(0)
