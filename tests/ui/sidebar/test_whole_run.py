"""A whole run, sixty times as fast: what a newcomer sees of ``demo --time-scale 60``."""

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

SCALE = 60
PERIOD_S = 300 / SCALE
LONG = 24 * 60
"""Minutes, of which many pass until the page is there."""

BEFORE_REMINDER, BEFORE_URGENT = 33, 12
"""Minutes from which it takes seconds until the next phase begins; the waits between are left out."""


@pytest.mark.only(FrontEnd.LAB)
def test_reminded_saved_and_stopped(context: BrowserContext, tmp_path: Path) -> None:
    """Calm, a reminder, a nearer one, everything saved, stopped; and started again it counts anew."""
    with LocalEmulator(time_scale=SCALE, minutes_left=LONG) as emulator:
        place = JupyterServerProcess(tmp_path, emulator.environment(), with_extensions=True)
        cloud = InstanceControl(emulator)
        with place.running(f"--ModelArtsServer.poll_interval={PERIOD_S}"):
            side = open_sidebar_page(context, place).open_panel()
            side.make_dirty()
            phase = side.page.locator(".ma-Status")
            emulator.set_instance(minutes_left=50)
            side.refresh()
            expect(phase).to_have_attribute("data-phase", "calm")
            expect(side.toasts).to_have_count(0)
            emulator.set_instance(minutes_left=BEFORE_REMINDER)
            expect(phase).to_have_attribute("data-phase", "soon")
            expect(side.toasts).to_have_count(1)
            emulator.set_instance(minutes_left=BEFORE_URGENT)
            expect(phase).to_have_attribute("data-phase", "urgent")
            expect(side.status_item).to_contain_text("about to stop")
            expect(side.notices).to_contain_text(f"Saved: {side.notebook.name}")
            assert not side.page.evaluate(IS_DIRTY_JS)
            expect(side.status_item).to_have_text("Stopped")
            assert cloud.instance["status"] == "STOPPED"
            expect(side.toasts).to_have_count(0)
            emulator.set_instance(status="RUNNING", minutes_left=50)
            expect(phase).to_have_attribute("data-phase", "calm")
