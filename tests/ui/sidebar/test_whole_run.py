"""A whole run at sixty times the normal speed, as with ``demo --time-scale 60``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from ui.jupyter_server_process import JupyterServerProcess
from ui.notebook_page import FrontEnd, InstanceControl
from ui.sidebar.sidebar_page import IS_DIRTY_JS, open_sidebar_page

from modelarts_magics.emulator.local import LocalEmulator

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext

TIME_SCALE = 60
POLL_INTERVAL_S = 300 / TIME_SCALE
INITIAL_MINUTES_LEFT = 24 * 60
"""Enough for the many emulated minutes that pass until the page is open."""

BEFORE_REMINDER, BEFORE_URGENT = 33, 12
"""Minutes left, set by the test, from which the next phase begins within seconds."""


@pytest.mark.only(FrontEnd.LAB)
def test_run_reminds_saves_stops_and_restarts(context: BrowserContext, tmp_path: Path) -> None:
    """The page goes through all phases of a run, and counts again after the next start."""
    with LocalEmulator(time_scale=TIME_SCALE, minutes_left=INITIAL_MINUTES_LEFT) as emulator:
        server = JupyterServerProcess(tmp_path, emulator.environment(), with_extensions=True)
        instance_control = InstanceControl(emulator)
        with server.running(f"--ModelArtsServer.poll_interval={POLL_INTERVAL_S}"):
            sidebar = open_sidebar_page(context, server).open_panel()
            sidebar.make_dirty()
            status = sidebar.page.locator(".ma-Status")
            emulator.set_instance(minutes_left=50)
            sidebar.refresh()
            expect(status).to_have_attribute("data-phase", "calm")
            expect(sidebar.toasts).to_have_count(0)
            emulator.set_instance(minutes_left=BEFORE_REMINDER)
            expect(status).to_have_attribute("data-phase", "soon")
            expect(sidebar.toasts).to_have_count(1)
            emulator.set_instance(minutes_left=BEFORE_URGENT)
            expect(status).to_have_attribute("data-phase", "urgent")
            expect(sidebar.page.locator(".ma-Status")).to_have_attribute("data-phase", "urgent")
            expect(sidebar.notices).to_contain_text(f"Saved: {sidebar.notebook.name}")
            assert not sidebar.page.evaluate(IS_DIRTY_JS)
            expect(sidebar.status_item).to_have_text("Stopped")
            assert instance_control.instance["status"] == "STOPPED"
            expect(sidebar.toasts).to_have_count(0)
            emulator.set_instance(status="RUNNING", minutes_left=50)
            expect(status).to_have_attribute("data-phase", "calm")
