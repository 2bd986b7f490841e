"""The sidebar in an idle JupyterLab: requests, CPU time of the server, delay of changes, and load time."""

from __future__ import annotations

import gzip
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import many_clients
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
"""The open pages by the extension of their server."""

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
"""Run a magic that extends or shortens by an hour; return the ms until the page shows the change."""
RESOURCE_USAGE_NAME = "resource-usage"
PLAIN_NAME = "plain JupyterLab"
RELOADS = 7
CHANGES = 10
CPU_PROCESSES = 3
"""How many processes measure the CPU time of the server extension; the median counts."""
MAX_CPU_S = 0.010
MAX_BYTES = 21_500
MAX_DELAY_S = 0.3
MAX_LOAD_RATIO = 1.0
"""The longest load time of the time left, relative to that of JupyterLab."""


def figures(environ: Mapping[str, str]) -> list[Figure]:
    """Measure three servers side by side, then one with many pages.

    Args:
        environ: The environment that connects the server extension to the canned responses.
    """
    cpu_processes = _start_cpu_processes(environ)
    with sync_playwright() as playwright, closing(launch_browser(playwright)) as browser:
        with open_all(browser) as tabs:
            first = [*_measure_sizes(tabs), *_measure_reloads(tabs)]
            minute = _measure_idle_minute(tabs, _server_extension_cpu(cpu_processes))
            delays = _measure_change_delay(tabs[MODELARTS])
        return [*minute, *delays, *many_clients.figures(browser), *first]


def _measure_sizes(pages: Pages) -> list[Figure]:
    """Measure the size of the scripts that a fresh page fetches, and of all scripts."""
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
    """Return the files of an extension that a page has requested."""
    start = f"/lab/extensions/{extension.name}/static/"
    paths = (unquote(urlsplit(each.partition(" ")[2]).path) for each in page.network.requests)
    files = {extension.files / "static" / path[len(start) :] for path in paths if start in path}
    if not files:
        raise RuntimeError(f"the page has not loaded {extension.name}")
    return files


def _gzipped_size(files: Iterable[Path]) -> int:
    return sum(len(gzip.compress(file.read_bytes(), 9)) for file in files)


def _measure_reloads(pages: Pages) -> list[Figure]:
    """Measure how long a page takes to load with a warm browser cache."""
    seen: dict[Extension | None, list[dict[str, float]]] = {MODELARTS: [], None: []}
    for _ in range(RELOADS):
        for each, times in seen.items():
            pages[each].page.reload(wait_until="commit")
            times.append(pages[each].wait_until_ready().load_times())
    ready, plain = (median(one["ready"] for one in times[1:]) / 1000 for times in seen.values())
    figure = median(one["figure"] for one in seen[MODELARTS][1:]) / 1000
    return [
        Figure(
            "page load to the time left",
            figure,
            ready,
            "JupyterLab in the same page",
            None,
            MAX_LOAD_RATIO,
        ),
        Figure("  page load to JupyterLab", ready, plain, PLAIN_NAME),
    ]


def _measure_idle_minute(pages: Pages, cpu_s: float) -> list[Figure]:
    """Measure a minute in which a notebook is open and idle."""
    for tab in pages.values():
        tab.server.open_notebook(tab.page)
    cpu_s_by_server = _idle_cpu(pages)
    requests = {
        each: each.count_requests(pages[each].network) for each in (MODELARTS, RESOURCE_USAGE)
    }
    frames = [len(pages[each].network.frames) for each in (MODELARTS, RESOURCE_USAGE)]
    theirs = cpu_s_by_server[RESOURCE_USAGE] - cpu_s_by_server[None]
    return [
        Figure(
            "idle tab, requests per minute",
            *requests.values(),
            RESOURCE_USAGE_NAME,
            maximum=0,
            unit="requests",
        ),
        Figure(
            "idle tab, kernel messages per minute",
            *frames,
            RESOURCE_USAGE_NAME,
            maximum=0,
            unit="messages",
        ),
        Figure(
            "server extension, CPU time per minute",
            cpu_s,
            theirs,
            RESOURCE_USAGE_NAME,
            maximum=MAX_CPU_S,
        ),
        Figure(
            "  whole server, CPU time per minute",
            cpu_s_by_server[MODELARTS],
            cpu_s_by_server[None],
            PLAIN_NAME,
        ),
        Figure(
            "  whole server, CPU time per minute",
            cpu_s_by_server[MODELARTS],
            cpu_s_by_server[RESOURCE_USAGE],
            RESOURCE_USAGE_NAME,
        ),
    ]


def _measure_change_delay(page: LabPage) -> list[Figure]:
    """Measure the time from the end of a magic until the page shows its change."""
    page.page.evaluate(CHANGE_DELAY_JS, "%load_ext modelarts_magics\n%modelarts extend 1h")
    magics = [f"%modelarts {('shorten', 'extend')[each % 2]} 1h" for each in range(CHANGES)]
    delays = [page.page.evaluate(CHANGE_DELAY_JS, magic) / 1000 for magic in magics]
    return [
        Figure("magic to page, median", median(delays), maximum=MAX_DELAY_S),
        Figure(f"  latest of {CHANGES}", max(delays)),
    ]


def _idle_cpu(pages: Pages) -> dict[Extension | None, float]:
    """Return the CPU seconds of each server in an idle minute."""
    wait_until_idle(*pages.values())
    page = pages[MODELARTS].page
    shown = MODELARTS.visible_item(page).inner_text()
    before = {each: tab.server.cpu_s for each, tab in pages.items()}
    page.wait_for_timeout(MINUTE_S * 1000)
    used = {each: tab.server.cpu_s - before[each] for each, tab in pages.items()}
    if MODELARTS.visible_item(page).inner_text() == shown:
        raise RuntimeError("the time left does not change")
    return used


def _start_cpu_processes(environ: Mapping[str, str]) -> list[list[subprocess.Popen[str]]]:
    """Start the processes that measure the extension, and those of an idle event loop."""
    return [
        [_start_cpu_process(mode, environ) for _ in range(CPU_PROCESSES)]
        for mode in ("server", "idle")
    ]


def _server_extension_cpu(running: list[list[subprocess.Popen[str]]]) -> float:
    """Return the CPU seconds of the extension's minute minus those of an idle event loop."""
    server, idle = (median(float(each.communicate()[0]) for each in some) for some in running)
    return server - idle


def _start_cpu_process(mode: str, environ: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start to measure a minute of the server extension alone, or of an idle event loop."""
    program = Path(__file__).with_name("server_cpu.py")
    return subprocess.Popen(  # noqa: S603 - fixed arguments
        [sys.executable, str(program), mode], env=environ, stdout=subprocess.PIPE, text=True
    )
