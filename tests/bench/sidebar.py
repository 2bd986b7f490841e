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

import crowd
from labs import OURS, SETTLE_MS, THEIRS, Extension, Tab, settle, side_by_side
from measure import Figure
from playwright.sync_api import sync_playwright
from ui.browser import launch
from watching import MINUTE_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Tabs = dict["Extension | None", Tab]
"""The open pages, by the extension that each has."""

MOVED = """async code => {
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
OTHER = "resource-usage"
PLAIN = "plain JupyterLab"
RELOADS = 7
CHANGES = 10
ALONE = 3
"""How many processes tell the server half's CPU; one by itself may have been moved about."""
MOST_CPU_S = 0.030
MOST_BYTES = 20_480
MOST_LATE_S = 2.0
MOST_OF_PAGE = 1.25
"""How long the figure may take, as a multiple of JupyterLab itself."""


def figures(environ: Mapping[str, str]) -> list[Figure]:
    """Measure three servers side by side, then one with many pages.

    Args:
        environ: What leads the server half to the canned answers.
    """
    half = _server_half(environ)
    with sync_playwright() as playwright, closing(launch(playwright)) as browser:
        with side_by_side(browser) as tabs:
            first = [*_sizes(tabs), *_reloads(tabs)]
            minute = _minute(tabs, half)
            late = _late(tabs[OURS])
        return [*minute, late, *crowd.figures(browser), *first]


def _sizes(tabs: Tabs) -> list[Figure]:
    """What a fresh page has fetched, and what it might."""
    tabs[OURS].page.wait_for_timeout(SETTLE_MS)
    fetched = [_gzipped(_fetched(tabs[each], each)) for each in (OURS, THEIRS)]
    everything = [_gzipped((each.files / "static").glob("*.js")) for each in (OURS, THEIRS)]
    return [
        Figure("fetched at page load, gzipped", *fetched, OTHER, most=MOST_BYTES, unit="bytes"),
        Figure("  all its scripts, gzipped", *everything, OTHER, unit="bytes"),
    ]


def _fetched(tab: Tab, extension: Extension) -> set[Path]:
    """The files of an extension that a page has asked for."""
    start = f"/lab/extensions/{extension.name}/static/"
    asked = (unquote(urlsplit(each.partition(" ")[2]).path) for each in tab.wire.requests)
    files = {extension.files / "static" / path[len(start) :] for path in asked if start in path}
    if not files:
        raise RuntimeError(f"the page is without {extension.name}")
    return files


def _gzipped(files: Iterable[Path]) -> int:
    return sum(len(gzip.compress(file.read_bytes(), 9)) for file in files)


def _reloads(tabs: Tabs) -> list[Figure]:
    """How soon a page that was loaded before is there again."""
    seen: dict[Extension | None, list[dict[str, float]]] = {OURS: [], None: []}
    for _ in range(RELOADS):
        for each, times in seen.items():
            tabs[each].page.reload(wait_until="commit")
            times.append(tabs[each].ready().times())
    ready, plain = (median(one["ready"] for one in times[1:]) / 1000 for times in seen.values())
    figure = median(one["figure"] for one in seen[OURS][1:]) / 1000
    return [
        Figure("page load to the time left", figure, ready, "its JupyterLab", None, MOST_OF_PAGE),
        Figure("  page load to JupyterLab", ready, plain, PLAIN),
    ]


def _minute(tabs: Tabs, half: float) -> list[Figure]:
    """What passes in a minute in which a notebook is open and nobody does anything."""
    for tab in tabs.values():
        tab.lab.notebook(tab.page)
    used = _idle(tabs)
    asked = {each: each.asked(tabs[each].wire) for each in (OURS, THEIRS)}
    frames = [len(tabs[each].wire.frames) for each in (OURS, THEIRS)]
    theirs = used[THEIRS] - used[None]
    return [
        Figure("idle tab, requests a minute", *asked.values(), OTHER, most=0, unit="requests"),
        Figure("idle tab, kernel messages a minute", *frames, OTHER, most=0, unit="messages"),
        Figure("server half's CPU a minute", half, theirs, OTHER, most=MOST_CPU_S),
        Figure("  whole server's CPU a minute", used[OURS], used[None], PLAIN),
        Figure("  whole server's CPU a minute", used[OURS], used[THEIRS], OTHER),
    ]


def _late(tab: Tab) -> Figure:
    """How late the page shows what a magic has changed, at most."""
    tab.page.evaluate(MOVED, "%load_ext modelarts_magics\n%modelarts extend 1h")
    magics = [f"%modelarts {('shorten', 'extend')[each % 2]} 1h" for each in range(CHANGES)]
    latest = max(tab.page.evaluate(MOVED, magic) for magic in magics) / 1000
    return Figure(f"a magic's change to the page, latest of {CHANGES}", latest, most=MOST_LATE_S)


def _idle(tabs: Tabs) -> dict[Extension | None, float]:
    """Let a minute pass, and return what the servers have used in it."""
    settle(*tabs.values())
    page = tabs[OURS].page
    shown = OURS.shown(page).inner_text()
    before = {each: tab.lab.cpu_s for each, tab in tabs.items()}
    page.wait_for_timeout(MINUTE_S * 1000)
    used = {each: tab.lab.cpu_s - before[each] for each, tab in tabs.items()}
    if OURS.shown(page).inner_text() == shown:
        raise RuntimeError("the time left stood still")
    return used


def _server_half(environ: Mapping[str, str]) -> float:
    """The CPU seconds of its minute, less those of an event loop that waits."""
    running = [[_alone(what, environ) for _ in range(ALONE)] for what in ("desk", "idle")]
    desk, idle = (median(float(each.communicate()[0]) for each in some) for some in running)
    return desk - idle


def _alone(what: str, environ: Mapping[str, str]) -> subprocess.Popen[str]:
    """Begin a minute of the server half alone, or of nothing."""
    program = Path(__file__).with_name("watching.py")
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, str(program), what], env=environ, stdout=subprocess.PIPE, text=True
    )
