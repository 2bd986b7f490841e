"""The countdown in a page: network traffic while it is open, delay of changes, and time to first paint."""

from __future__ import annotations

import gzip
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import monotonic
from typing import TYPE_CHECKING

from measure import Figure
from playwright.sync_api import sync_playwright

import modelarts_magics
from modelarts_magics.emulator.local import LocalEmulator

sys.path.append(str(Path(__file__).resolve().parents[1]))  # for the helpers in tests/ui

from ui.browser import launch_browser
from ui.jupyter_server_process import JupyterServerProcess
from ui.notebook_page import FrontEnd, InstanceControl, NotebookPage, new_context

if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTE_MS = 60_000
ROUNDS = 11
MODULE = Path(modelarts_magics.__file__).parent / "static" / "countdown.js"
MAX_BYTES = 10_240
MAX_TO_PAINT_S = 0.150
CHANGES = 10
MAX_DELAY_S = 0.3
OVER_AN_HOUR_JS = """expected =>
  document.querySelector('.ma-Countdown-timer').textContent.includes(' h ') === expected"""
TIME_TO_PAINT_JS = """async index => {
  const { content } = jupyterapp.shell.currentWidget;
  content.activeCellIndex = index;
  await jupyterapp.commands.execute('notebook:clear-all-cell-outputs');
  const shown = () => document.querySelector('.ma-Countdown-timeLeft')?.textContent;
  const painted = new Promise(done => {
    const observer = new MutationObserver(() => {
      if (shown()) {
        observer.disconnect();
        requestAnimationFrame(() => setTimeout(() => done(performance.now())));
      }
    });
    observer.observe(document.body, { childList: true, characterData: true, subtree: true });
  });
  const start = performance.now();
  void jupyterapp.commands.execute('notebook:run-cell');
  return (await painted) - start;
}"""
"""Return the ms from running the cell to the end of the frame that shows the time left."""


def figures() -> list[Figure]:
    """Measure the open countdown, its first paint, and the size of its module."""
    with _open_notebook() as (notebook, server):
        times = [notebook.page.evaluate(TIME_TO_PAINT_JS, 1) / 1000 for _ in range(ROUNDS)]
        messages, requests = _count_messages(notebook)
        delays = [_change_delay(notebook, server, longer=not each % 2) for each in range(CHANGES)]
    size = len(gzip.compress(MODULE.read_bytes(), 9))
    # The shortest time is the one that other load has disturbed least.
    paint = min(times[1:])
    return [
        Figure("open countdown, kernel messages per minute", messages, maximum=0, unit="messages"),
        Figure("open countdown, requests per minute", requests, maximum=0, unit="requests"),
        Figure("terminal command to countdown, median", median(delays), maximum=MAX_DELAY_S),
        Figure(f"  latest of {CHANGES}", max(delays)),
        Figure("%modelarts countdown to first paint", paint, maximum=MAX_TO_PAINT_S),
        Figure("  median", median(times[1:])),
        Figure("ES module of the countdown, gzipped", size, maximum=MAX_BYTES, unit="bytes"),
    ]


def _count_messages(notebook: NotebookPage) -> tuple[int, int]:
    """Count kernel messages and requests during a minute in which the countdown ticks."""
    before = notebook.countdown.seconds_left()
    # The messages of the last cell arrive meanwhile.
    notebook.page.wait_for_timeout(2000)
    notebook.network.clear()
    notebook.page.wait_for_timeout(MINUTE_MS)
    if before - notebook.countdown.seconds_left() < MINUTE_MS / 1000:
        raise RuntimeError("the countdown does not tick")
    return len(notebook.network.frames), len(notebook.network.unexpected_requests)


def _change_delay(notebook: NotebookPage, server: JupyterServerProcess, *, longer: bool) -> float:
    """Return the seconds from the end of a terminal command until the countdown shows the change."""
    server.run_cli("extend" if longer else "shorten", "1h")
    start = monotonic()
    notebook.page.wait_for_function(OVER_AN_HOUR_JS, arg=longer)
    return monotonic() - start


@contextmanager
def _open_notebook() -> Iterator[tuple[NotebookPage, JupyterServerProcess]]:
    """Open a notebook in JupyterLab and load the extension."""
    with tempfile.TemporaryDirectory() as folder, LocalEmulator() as emulator:
        server = JupyterServerProcess(Path(folder), emulator.environment())
        InstanceControl(emulator).reset()
        with server.running(), sync_playwright() as playwright:
            browser = launch_browser(playwright)
            page = new_context(browser).new_page()
            notebook = NotebookPage(
                page, server, FrontEnd.LAB, server.copy_notebook("countdown.ipynb")
            )
            yield notebook.wait_until_ready().run_cells(0), server
            notebook.shut_down()
            browser.close()
