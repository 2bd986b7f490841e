"""Proxies that do not know our paths, drop connections, or refuse WebSockets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from gateway import ANSWERS, behind_gateway
from playwright.sync_api import expect
from ui.notebook_page import FrontEnd, NotebookPage
from ui.sidebar.sidebar_page import (
    DEFAULT_TIME_LEFT,
    EXTENDED_TIME_LEFT,
    SidebarPage,
    open_sidebar_page,
)

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext
    from ui.jupyter_server_process import JupyterServerProcess
    from ui.notebook_page import InstanceControl

pytestmark = [pytest.mark.only(FrontEnd.LAB), pytest.mark.soak]

POLL_TIMEOUT_MS = 60_000
"""The interval of 30 seconds, and a margin."""
SILENT = "The helper kernel is not responding. If cells do not run either, a proxy may refuse"


def open_page_without_kernel(context: BrowserContext, server: JupyterServerProcess) -> SidebarPage:
    """Open a notebook whose kernel cannot be reached."""
    name = server.copy_notebook("countdown.ipynb")
    notebook = NotebookPage(context.new_page(), server, FrontEnd.LAB, name)
    return SidebarPage(notebook.wait_until_visible())


@pytest.mark.parametrize("unknown", ANSWERS)
def test_helper_kernel_is_used_where_gateway_does_not_know_our_path(
    jupyter_server: JupyterServerProcess,
    context: BrowserContext,
    instance_control: InstanceControl,
    unknown: str,
) -> None:
    """Also where every second connection about kernels is dropped."""
    with behind_gateway(jupyter_server, unknown=unknown, drop_every=2) as gateway:
        sidebar = open_sidebar_page(context, jupyter_server).open_panel()
        expect(sidebar.detail("Data source")).to_have_text("helper kernel")
        instance_control.wait_until_shown_in(sidebar.countdown)
        sidebar.countdown.button("extend").click()
        expect(sidebar.status_item).to_contain_text(EXTENDED_TIME_LEFT)
        assert gateway.dropped > 0


def test_page_without_websockets_reads_and_changes(
    jupyter_server: JupyterServerProcess,
    context: BrowserContext,
    instance_control: InstanceControl,
) -> None:
    """No cell can run there; the server extension still answers, and changes elsewhere are polled."""
    with behind_gateway(jupyter_server, forbids_websockets=True):
        sidebar = open_page_without_kernel(context, jupyter_server).open_panel()
        expect(sidebar.detail("Data source")).to_have_text("Jupyter server")
        instance_control.wait_until_shown_in(sidebar.countdown)
        sidebar.countdown.button("extend").click()
        expect(sidebar.status_item).to_contain_text(EXTENDED_TIME_LEFT)
        jupyter_server.run_cli("shorten", "1h")
        expect(sidebar.status_item).to_contain_text(DEFAULT_TIME_LEFT, timeout=POLL_TIMEOUT_MS)


def test_page_says_that_no_kernel_can_be_reached(
    jupyter_server: JupyterServerProcess, context: BrowserContext
) -> None:
    """Where WebSockets are refused and our path is not known, it does not say that the package is missing."""
    with behind_gateway(jupyter_server, unknown="403", forbids_websockets=True):
        sidebar = open_page_without_kernel(context, jupyter_server)
        sidebar.run_command("modelarts-magics:show-panel")
        expect(sidebar.panel).to_contain_text(SILENT, timeout=120_000)
        expect(sidebar.panel).not_to_contain_text("not installed")
        expect(sidebar.status_item).to_have_text(re.compile("No response"))
