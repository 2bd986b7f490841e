"""A guarded cell whose page is closed: all of its output is recorded, and offered when the notebook is opened."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Callable

import pytest
from playwright.sync_api import expect
from ui.notebook_page import TIMEOUT_MS, FrontEnd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator, Page
    from ui.jupyter_server_process import JupyterServerProcess
    from ui.notebook_page import NotebookPage

LINES = [f"line {number}" for number in range(60)]
TRANSLATION_PLUGIN = "@jupyterlab/translation-extension:plugin"
OFFER = "插入已记录的输出"


@pytest.fixture
def closed_notebook(
    open_notebook: Callable[..., NotebookPage], jupyter_server: JupyterServerProcess
) -> Iterator[str]:
    """The name of a notebook whose page was closed while a guarded cell printed, and whose cell has ended."""
    before = jupyter_server.complete_record_ids()
    notebook = open_notebook("recorded.ipynb").wait_until_ready().run_cells(0).start_cell(1)
    expect(notebook.output(1)).to_contain_text("line 5\n")
    notebook.save()
    notebook.page.goto("about:blank")
    deadline = time.monotonic() + TIMEOUT_MS / 1000
    while jupyter_server.complete_record_ids() == before:
        assert time.monotonic() < deadline
        notebook.page.wait_for_timeout(200)
    yield notebook.name
    jupyter_server.run_cli("keep", "end", "--all")


@pytest.mark.only(FrontEnd.LAB)
def test_every_line_can_be_inserted_after_the_page_was_closed(
    closed_notebook: str,
    open_notebook: Callable[..., NotebookPage],
    jupyter_server: JupyterServerProcess,
    take_screenshot: Callable[[Page | Locator, str], None],
) -> None:
    """The offer is in the language of the page; afterwards the cell shows every line, and no offer is left."""
    saved = json.loads((jupyter_server.work_folder / closed_notebook).read_text(encoding="utf-8"))
    assert LINES[-1] not in json.dumps(saved)
    jupyter_server.write_settings(TRANSLATION_PLUGIN, {"locale": "zh_CN"})
    notebook = open_notebook(closed_notebook).wait_until_visible()
    offer = notebook.page.locator(".Toastify__toast", has_text="cell-")
    expect(offer.get_by_role("button", name=OFFER)).to_be_visible()
    take_screenshot(notebook.page, "record-offer-zh_CN")
    offer.get_by_role("button", name=OFFER).click()
    expect(notebook.output(1)).to_contain_text(LINES[-1])
    shown = notebook.output(1).inner_text().splitlines()
    assert [line for line in shown if line.startswith("line ")] == LINES
    take_screenshot(notebook.page, "record-inserted")
    notebook.save()
    reopened = open_notebook(closed_notebook).wait_until_visible()
    expect(reopened.output(1)).to_contain_text(LINES[-1])
    reopened.page.wait_for_timeout(2000)
    expect(reopened.page.get_by_role("button", name=OFFER)).to_have_count(0)
    assert reopened.own_errors == []
