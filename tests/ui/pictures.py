"""Take the pictures of the README files from JupyterLab and the local emulator.

``make pictures`` runs this script. It starts one server for each language, opens a notebook, and writes
the pictures to ``labextension/pictures``.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
# The browser tests import each other as `ui.…`, from the folder of the tests.
sys.path.insert(0, str(ROOT / "tests"))

from ui.browser import launch_browser  # noqa: E402 - needs the path above
from ui.jupyter_server_process import JupyterServerProcess, free_port  # noqa: E402
from ui.notebook_page import InstanceControl, new_context  # noqa: E402
from ui.sidebar.sidebar_page import SidebarPage, open_sidebar_page  # noqa: E402

from modelarts_magics.emulator.local import LocalEmulator  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PICTURES = ROOT / "labextension" / "pictures"
MAX_BYTES = 150_000
"""The largest size of one picture."""
OVERVIEW_SIZE = {"width": 1180, "height": 700}
STEP_SIZE = {"width": 800, "height": 440}
MINUTES_LEFT = 29.9
"""Slightly less than the time left at which the first reminder is due."""
TRANSLATION_PLUGIN = "@jupyterlab/translation-extension:plugin"
COLLAPSE_SIDEBARS_JS = """async () => {
  jupyterapp.shell.collapseLeft();
  jupyterapp.shell.collapseRight();
}"""
TOAST = ".Toastify__toast"
LONGER_THAN_AN_HOUR = re.compile(r"1 (h|小时) \d\d")
BLUR_JS = "() => document.activeElement?.blur()"


@dataclass(frozen=True)
class Language:
    """One language of the pictures.

    Attributes:
        name: The locale of JupyterLab and of this package.
        suffix: The end of the file names.
        description: The description of the instance.
        training: The first line of the training cell.
        file_name: The name of the notebook.
    """

    name: str
    suffix: str
    description: str
    training: str
    file_name: str


LANGUAGES = (
    Language("en", "", "ResNet baseline, owner Li", "# Train for 90 epochs", "train.ipynb"),
    Language("zh_CN", ".zh-CN", "ResNet 基线实验", "# 训练 90 个 epoch", "train.ipynb"),
)


def write_notebook(server: JupyterServerProcess, language: Language) -> None:
    """Write the notebook of the pictures into the folder of the server."""
    sources = (
        "%load_ext modelarts_magics\n%modelarts",
        "%modelarts countdown",
        f"{language.training}\nimport time\n\ntime.sleep(3600)",
    )
    cells = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for number, source in enumerate(sources)
    ]
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook = {
        "cells": cells,
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = server.work_folder / language.file_name
    path.write_text(json.dumps(notebook), encoding="utf-8")


def take_pictures(browser: Browser, language: Language) -> None:
    """Take all pictures of one language."""
    with tempfile.TemporaryDirectory() as folder, LocalEmulator(port=free_port()) as emulator:
        variables = {**emulator.environment(), "MODELARTS_LANGUAGE": language.name}
        server = JupyterServerProcess(Path(folder), variables, with_extensions=True)
        server.write_settings(TRANSLATION_PLUGIN, {"locale": language.name})
        write_notebook(server, language)
        InstanceControl(emulator).reset()
        emulator.set_instance(description=language.description, minutes_left=MINUTES_LEFT)
        with server.running():
            server.refresh_instance()
            context = new_context(browser, viewport=OVERVIEW_SIZE, device_scale_factor=1)
            sidebar = open_sidebar_page(context, server, name=language.file_name)
            _take_overview(sidebar, language)
            _take_steps(sidebar, language)
            context.close()


def _take_overview(sidebar: SidebarPage, language: Language) -> None:
    """Take the picture of the panel, the countdown in the notebook, the status bar and a reminder."""
    sidebar.page.evaluate(COLLAPSE_SIDEBARS_JS)
    sidebar.open_panel().notebook.run_cells(0, 1)
    expect(sidebar.notebook.countdown.element("timer")).to_be_visible()
    expect(sidebar.page.locator(TOAST)).to_have_count(1)
    _save(sidebar.page, f"overview{language.suffix}")


def _take_steps(sidebar: SidebarPage, language: Language) -> None:
    """Take three pictures: a reminder while a cell runs, the result of the click, and the panel."""
    page = sidebar.page
    page.set_viewport_size(STEP_SIZE)
    page.evaluate(COLLAPSE_SIDEBARS_JS)
    sidebar.notebook.start_cell(2)
    _save(page, f"extend-1{language.suffix}")
    page.locator(TOAST).get_by_role("button").filter(has_text="1").click()
    expect(sidebar.status_item).to_contain_text(LONGER_THAN_AN_HOUR)
    # A notification under the mouse pointer stays open.
    page.locator(f"{TOAST}--success").hover()
    expect(page.locator(TOAST)).to_have_count(1)
    _save(page, f"extend-2{language.suffix}")
    page.mouse.move(1, 1)
    sidebar.run_command("apputils:dismiss-notification")
    expect(page.locator(TOAST)).to_have_count(0)
    sidebar.open_panel()
    _save(page, f"extend-3{language.suffix}")
    sidebar.interrupt()


def _save(page: Page, name: str) -> None:
    """Write a picture of the page.

    Raises:
        SystemExit: The picture is larger than `MAX_BYTES`.
    """
    page.evaluate(BLUR_JS)
    # Notifications slide in, and the layout follows a changed width.
    page.wait_for_timeout(1000)
    PICTURES.mkdir(exist_ok=True)
    path = PICTURES / f"{name}.png"
    # Disabled animations would finish the progress bar of a notification, and thereby close it.
    page.screenshot(path=path)
    size = path.stat().st_size
    sys.stdout.write(f"{path.relative_to(ROOT)}: {size:,} bytes\n")
    if size > MAX_BYTES:
        raise SystemExit(f"{path.name} has {size:,} bytes, more than {MAX_BYTES:,}")


def main() -> None:
    """Take the pictures in each language."""
    with sync_playwright() as playwright:
        browser = launch_browser(playwright)
        for language in LANGUAGES:
            take_pictures(browser, language)
        browser.close()


if __name__ == "__main__":
    main()
