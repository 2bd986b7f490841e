"""The countdown in a page: what it costs while it is open, and how soon it is there."""

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

sys.path.append(str(Path(__file__).resolve().parents[1]))  # for what the tests of the pages share

from ui.browser import launch_browser
from ui.jupyter_server_process import JupyterServerProcess
from ui.notebook_page import FrontEnd, InstanceControl, NotebookPage, new_context

if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTE_MS = 60_000
ROUNDS = 11
MODULE = Path(modelarts_magics.__file__).parent / "static" / "countdown.js"
MAX_BYTES = 10_240
MAX_TO_PAINT_S = 0.5
CHANGES = 10
MAX_DELAY_S = 2.0
OVER_AN_HOUR_JS = """wanted =>
  document.querySelector('.ma-Countdown-timer').textContent.includes(' h ') === wanted"""
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
  const begun = performance.now();
  void jupyterapp.commands.execute('notebook:run-cell');
  return (await painted) - begun;
}"""
"""Milliseconds from the command to the end of the frame that shows the figure."""


def figures() -> list[Figure]:
    """Measure the open countdown, its first paint, and its module."""
    with _open_notebook() as (notebook, place):
        times = [
            notebook.countdown_page.evaluate(TIME_TO_PAINT_JS, 1) / 1000 for _ in range(ROUNDS)
        ]
        messages, requests = _count_messages(notebook)
        latest = max(_change_delay(notebook, place, longer=not each % 2) for each in range(CHANGES))
    size = len(gzip.compress(MODULE.read_bytes(), 9))
    paint = median(times[1:])
    return [
        Figure("open countdown, kernel messages a minute", messages, maximum=0, unit="messages"),
        Figure("open countdown, requests a minute", requests, maximum=0, unit="requests"),
        Figure(f"a terminal's change to it, latest of {CHANGES}", latest, maximum=MAX_DELAY_S),
        Figure("%modelarts countdown to first paint", paint, maximum=MAX_TO_PAINT_S),
        Figure("countdown's ES module, gzipped", size, maximum=MAX_BYTES, unit="bytes"),
    ]


def _count_messages(notebook: NotebookPage) -> tuple[int, int]:
    """Count what passes in a minute in which the countdown ticks."""
    before = notebook.countdown.seconds_left()
    notebook.countdown_page.wait_for_timeout(2000)  # what the last cell had to say has arrived
    notebook.network.clear()
    notebook.countdown_page.wait_for_timeout(MINUTE_MS)
    if before - notebook.countdown.seconds_left() < MINUTE_MS / 1000:
        raise RuntimeError("the countdown stood still")
    return len(notebook.network.frames), len(notebook.network.unexpected_requests)


def _change_delay(notebook: NotebookPage, server: JupyterServerProcess, *, longer: bool) -> float:
    """How long after a command in a terminal the countdown shows what it changed."""
    server.run_cli("extend" if longer else "shorten", "1h")
    done = monotonic()
    notebook.countdown_page.wait_for_function(OVER_AN_HOUR_JS, arg=longer)
    return monotonic() - done


@contextmanager
def _open_notebook() -> Iterator[tuple[NotebookPage, JupyterServerProcess]]:
    """A notebook with the extension loaded, in JupyterLab."""
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
