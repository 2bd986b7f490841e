"""The sidebar in an idle JupyterLab: what it asks, what it costs, and how soon it is there."""

from __future__ import annotations

import gzip
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from lab_servers import (
    MODELARTS,
    RESOURCE_USAGE,
    SETTLE_MS,
    Extension,
    LabPage,
    open_all,
    wait_until_idle,
)
from measure import Figure
from playwright.sync_api import sync_playwright
from server_cpu import MINUTE_S
from ui.browser import launch_browser

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Pages = dict["Extension | None", LabPage]
"""The open pages, by the extension that each has."""

CHANGE_DELAY_JS = """async code => {
  const isLong = () => document.querySelector('.ma-Status-button').textContent.includes(' h ');
  const { kernel } = jupyterapp.shell.currentWidget.sessionContext.session;
  const before = isLong();
  await kernel.requestExecute({ code, store_history: false }).done;
  const done = performance.now();
  while (isLong() === before) {
    await new Promise(resolve => requestAnimationFrame(resolve));
  }
  return performance.now() - done;
}"""
"""Run a magic that adds an hour or takes it back; answers how long after it the page shows so."""
RESOURCE_USAGE_NAME = "resource-usage"
PLAIN_NAME = "plain JupyterLab"
RELOADS = 7
CHANGES = 10
CPU_PROCESSES = 3
"""How many processes tell the server half's CPU; one by itself may have been moved about."""
MAX_CPU_S = 0.030
MAX_BYTES = 20_480
MAX_DELAY_S = 2.0
MAX_LOAD_RATIO = 1.25
"""How long the figure may take, as a multiple of JupyterLab itself."""


def figures(environ: Mapping[str, str]) -> list[Figure]:
    """Measure three servers side by side, then one with many pages.

    Args:
        environ: What leads the server half to the canned answers.
    """
    cpu_s = _server_extension_cpu(environ)
    with sync_playwright() as playwright, closing(launch_browser(playwright)) as browser:
        with open_all(browser) as tabs:
            first = [*_measure_sizes(tabs), *_measure_reloads(tabs)]
            minute = _measure_idle_minute(tabs, cpu_s)
            delay = _measure_change_delay(tabs[MODELARTS])
        return [*minute, delay, *many_clients.figures(browser), *first]


def _measure_sizes(pages: Pages) -> list[Figure]:
    """What a fresh page has fetched, and what it might."""
    pages[MODELARTS].page.wait_for_timeout(SETTLE_MS)
    fetched = [
        _gzipped_size(_fetched_files(pages[each], each)) for each in (MODELARTS, RESOURCE_USAGE)
    ]
    everything = [
        _gzipped_size((each.files / "static").glob("*.js")) for each in (MODELARTS, RESOURCE_USAGE)
    ]
    return [
        Figure(
            "fetched at page load, gzipped",
            *fetched,
            RESOURCE_USAGE_NAME,
            maximum=MAX_BYTES,
            unit="bytes",
        ),
        Figure("  all its scripts, gzipped", *everything, RESOURCE_USAGE_NAME, unit="bytes"),
    ]


def _fetched_files(page: LabPage, extension: Extension) -> set[Path]:
    """The files of an extension that a page has asked for."""
    start = f"/lab/extensions/{extension.name}/static/"
    asked = (unquote(urlsplit(each.partition(" ")[2]).path) for each in page.network.requests)
    files = {extension.files / "static" / path[len(start) :] for path in asked if start in path}
    if not files:
        raise RuntimeError(f"the page is without {extension.name}")
    return files


def _gzipped_size(files: Iterable[Path]) -> int:
    return sum(len(gzip.compress(file.read_bytes(), 9)) for file in files)


def _measure_reloads(pages: Pages) -> list[Figure]:
    """How soon a page that was loaded before is there again."""
    seen: dict[Extension | None, list[dict[str, float]]] = {MODELARTS: [], None: []}
    for _ in range(RELOADS):
        for each, times in seen.items():
            pages[each].page.reload(wait_until="commit")
            times.append(pages[each].wait_until_ready().load_times())
    ready, plain = (median(one["ready"] for one in times[1:]) / 1000 for times in seen.values())
    figure = median(one["figure"] for one in seen[MODELARTS][1:]) / 1000
    return [
        Figure("page load to the time left", figure, ready, "its JupyterLab", None, MAX_LOAD_RATIO),
        Figure("  page load to JupyterLab", ready, plain, PLAIN_NAME),
    ]


def _measure_idle_minute(pages: Pages, cpu_s: float) -> list[Figure]:
    """What passes in a minute in which a notebook is open and nobody does anything."""
    for tab in pages.values():
        tab.server.open_notebook(tab.page)
    used = _idle_cpu(pages)
    asked = {each: each.count_requests(pages[each].network) for each in (MODELARTS, RESOURCE_USAGE)}
    frames = [len(pages[each].network.frames) for each in (MODELARTS, RESOURCE_USAGE)]
    theirs = used[RESOURCE_USAGE] - used[None]
    return [
        Figure(
            "idle tab, requests a minute",
            *asked.values(),
            RESOURCE_USAGE_NAME,
            maximum=0,
            unit="requests",
        ),
        Figure(
            "idle tab, kernel messages a minute",
            *frames,
            RESOURCE_USAGE_NAME,
            maximum=0,
            unit="messages",
        ),
        Figure("server half's CPU a minute", cpu_s, theirs, RESOURCE_USAGE_NAME, maximum=MAX_CPU_S),
        Figure("  whole server's CPU a minute", used[MODELARTS], used[None], PLAIN_NAME),
        Figure(
            "  whole server's CPU a minute",
            used[MODELARTS],
            used[RESOURCE_USAGE],
            RESOURCE_USAGE_NAME,
        ),
    ]


def _measure_change_delay(page: LabPage) -> Figure:
    """How late the page shows what a magic has changed, at most."""
    page.page.evaluate(CHANGE_DELAY_JS, "%load_ext modelarts_magics\n%modelarts extend 1h")
    magics = [f"%modelarts {('shorten', 'extend')[each % 2]} 1h" for each in range(CHANGES)]
    latest = max(page.page.evaluate(CHANGE_DELAY_JS, magic) for magic in magics) / 1000
    return Figure(f"a magic's change to the page, latest of {CHANGES}", latest, maximum=MAX_DELAY_S)


def _idle_cpu(pages: Pages) -> dict[Extension | None, float]:
    """Let a minute pass, and return what the servers have used in it."""
    wait_until_idle(*pages.values())
    page = pages[MODELARTS].page
    shown = MODELARTS.visible_item(page).inner_text()
    before = {each: tab.server.cpu_s for each, tab in pages.items()}
    page.wait_for_timeout(MINUTE_S * 1000)
    used = {each: tab.server.cpu_s - before[each] for each, tab in pages.items()}
    if MODELARTS.visible_item(page).inner_text() == shown:
        raise RuntimeError("the time left stood still")
    return used


def _server_extension_cpu(environ: Mapping[str, str]) -> float:
    """The CPU seconds of its minute, less those of an event loop that waits."""
    running = [
        [_start_cpu_process(what, environ) for _ in range(CPU_PROCESSES)]
        for what in ("desk", "idle")
    ]
    desk, idle = (median(float(each.communicate()[0]) for each in some) for some in running)
    return desk - idle


def _start_cpu_process(mode: str, environ: Mapping[str, str]) -> subprocess.Popen[str]:
    """Begin a minute of the server half alone, or of nothing."""
    program = Path(__file__).with_name("server_cpu.py")
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, str(program), mode], env=environ, stdout=subprocess.PIPE, text=True
    )
