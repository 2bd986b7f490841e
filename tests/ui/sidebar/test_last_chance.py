"""The stop time has passed and the instance still runs, or this run does not follow an extension."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from ui.jupyter_server_process import JupyterServerProcess
from ui.notebook_page import FrontEnd, InstanceControl
from ui.sidebar.sidebar_page import open_sidebar_page

from modelarts_magics.emulator.local import LocalEmulator

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext


@pytest.mark.only(FrontEnd.LAB)
def test_panel_extends_after_stop_time(context: BrowserContext, tmp_path: Path) -> None:
    """The button +1 h still works two minutes after the stop time."""
    with LocalEmulator() as emulator:
        server = JupyterServerProcess(tmp_path, emulator.environment(), with_extensions=True)
        instance_control = InstanceControl(emulator)
        with server.running():
            sidebar = open_sidebar_page(context, server).open_panel()
            emulator.set_instance(stops_on_time=False)
            emulator.set_instance(minutes_left=-2)
            sidebar.refresh()
            reason = sidebar.countdown.element("reason")
            expect(reason).to_contain_text("The stop time has passed")
            extend = sidebar.countdown.button("extend")
            expect(extend).not_to_have_attribute("aria-disabled", "true")
            extend.click()
            expect(sidebar.countdown.element("feedback")).to_contain_text("New stop time")
            expect(sidebar.status_item).to_contain_text(re.compile(r"^Stops in (59 min|1 h)"))
            instance_control.wait_until_shown_in(sidebar.countdown)


@pytest.mark.only(FrontEnd.LAB)
def test_unextended_run_names_way_and_asks_before_next_extension(
    context: BrowserContext, tmp_path: Path
) -> None:
    """Without consent nothing more is sent; with it, later runs become longer."""
    with LocalEmulator(edition="2021", minutes_left=20) as emulator:
        server = JupyterServerProcess(tmp_path, emulator.environment(), with_extensions=True)
        instance_control = InstanceControl(emulator)
        with server.running():
            sidebar = open_sidebar_page(context, server).open_panel()
            feedback = sidebar.countdown.element("feedback")
            extend = sidebar.countdown.button("extend")
            extend.click()
            expect(feedback).to_contain_text("This run was NOT extended")
            expect(feedback).to_contain_text("Turning auto-stop off may keep this run")
            dialog = sidebar.page.locator(".jp-Dialog", has_text="Lengthen later runs?")
            for button, requests in (("Cancel", 1), ("Lengthen Later Runs", 2)):
                extend.click()
                dialog.get_by_role("button", name=button).click()
                expect(dialog).to_have_count(0)
                expect(feedback).to_contain_text("NOT")
                assert len(instance_control.write_requests) == requests
