"""JupyterLab 3, which cannot load the sidebar: the page stays whole, and everything in notebooks works."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from server_kernels import ServerKernel
from ui.notebook_page import FrontEnd
from ui.sidebar.separate_environments import OWN_SPEC, SeparateEnvironments

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page
    from wheel_builds import BuiltPackages

    from modelarts_magics.emulator.local import LocalEmulator

pytestmark = [pytest.mark.only(FrontEnd.LAB), pytest.mark.soak]

IPYWIDGETS = {"3.2": "ipywidgets>=7.7,<8", "3.6": "ipywidgets>=8,<9"}
"""The kernel's package whose widgets each page shows."""
WIDGETS = "%modelarts install-lab --widgets"
COMMANDS = (
    ("%modelarts install-lab", "needs JupyterLab 4"),
    ("%run -m modelarts_magics setup --yes", "needs JupyterLab 4"),
    ("%modelarts setup --remove", "Removed"),
    (WIDGETS, "Only the front ends of widgets"),
    ("%modelarts install-lab --remove", "anywidget: removed"),
)
"""The commands that add and remove the sidebar elsewhere, with a part of what they print here."""

PAGE_CONFIG = {"exposeAppInBrowser": True}
"""A setting that the servers of other tests have as an option, which this JupyterLab ignores."""


@pytest.mark.parametrize("lab", sorted(IPYWIDGETS))
def test_old_page_works_before_and_after_installation(  # noqa: PLR0913 - fixtures
    emulator: LocalEmulator,
    built_packages: BuiltPackages,
    context: BrowserContext,
    tmp_path: Path,
    take_screenshot: Callable[[Page, str], None],
    lab: str,
) -> None:
    """The countdown is text before, after each command and after the removal; with its front end it is live."""
    environments = SeparateEnvironments(
        tmp_path, built_packages.wheel, emulator, lab, ("ipykernel>=6.29,<7", IPYWIDGETS[lab])
    )
    (tmp_path / "home" / "work").mkdir(parents=True)
    (tmp_path / "config" / "labconfig" / "page_config.json").write_text(json.dumps(PAGE_CONFIG))
    with environments.server.running():
        for number, (command, printed) in enumerate((("", ""), *COMMANDS)):
            if command:
                kernel = ServerKernel(environments.server, OWN_SPEC)
                assert printed in kernel.run(f"%load_ext modelarts_magics\n{command}")
                kernel.close()
            sidebar = environments.open_tab(context)
            sidebar.notebook.run_cells(0, 1)
            expect(sidebar.notebook.output(1)).to_contain_text("left")
            expect(sidebar.status_item).to_have_count(0)
            live = 1 if command == WIDGETS else 0
            expect(sidebar.page.locator(".ma-Countdown")).to_have_count(live)
            expect(sidebar.notebook.output(1)).not_to_contain_text(
                re.compile("error", re.IGNORECASE)
            )
            take_screenshot(sidebar.page, f"old-lab-{lab}-{number}")
            assert sidebar.notebook.own_errors == []
            sidebar.page.close()
