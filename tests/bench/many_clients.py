"""Additional API calls caused by more tabs, kernels and widgets."""

from __future__ import annotations

import json
from datetime import timedelta
from time import perf_counter
from typing import TYPE_CHECKING

from lab_servers import MODELARTS, LabServer, run_server, wait_until_idle
from measure import Figure
from playwright.sync_api import expect
from ui.jupyter_server_process import NOTEBOOKS
from ui.notebook_page import InstanceControl, new_context

from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.server.poll_schedule import JITTER_FRACTION, PollSchedule

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

POLL_INTERVAL_S = 5.0
"""Poll interval of the server: an hour of the default interval passes in a minute."""
CALLS_PER_HOUR = round(timedelta(hours=1) / PollSchedule().interval)
"""Calls per hour at the default interval."""
SIMULATED_HOUR_S = CALLS_PER_HOUR * POLL_INTERVAL_S
TABS = 10
WIDGETS_PER_KERNEL = (7, 7, 6)
"""The number of widgets of each of three kernels."""
LOAD = f"{TABS} tabs, {len(WIDGETS_PER_KERNEL)} kernels, {sum(WIDGETS_PER_KERNEL)} widgets"


def figures(browser: Browser) -> list[Figure]:
    """Measure the calls of an hour with one tab, and with many tabs, kernels and widgets."""
    with LocalEmulator() as emulator, new_context(browser) as context:
        InstanceControl(emulator).reset()
        with run_server(
            MODELARTS, emulator, f"--ModelArtsServer.poll_interval={POLL_INTERVAL_S}"
        ) as lab:
            tab = lab.open_page(context)
            wait_until_idle(tab)
            one = _calls_per_hour(emulator, tab.page)
            requests = MODELARTS.count_requests(tab.network)
            start = perf_counter()
            _open_many(lab, context)
            hours = (perf_counter() - start) / SIMULATED_HOUR_S
            opening = _count_calls(emulator)
            under_load = _calls_per_hour(emulator, tab.page)
    return [
        Figure(
            f"idle tab, requests during {CALLS_PER_HOUR} API calls",
            requests,
            maximum=0,
            unit="requests",
        ),
        Figure(
            f"API calls per hour, {LOAD}",
            under_load,
            one,
            "1 tab",
            None,
            1 + JITTER_FRACTION,
            "calls",
        ),
        Figure(
            "  API calls while these opened", opening, round(one * hours), "1 tab", unit="calls"
        ),
    ]


def _open_many(lab: LabServer, context: BrowserContext) -> None:
    """Open all tabs but the first, and display all widgets."""
    for number, widgets in enumerate(WIDGETS_PER_KERNEL):
        name = f"many-{number}.ipynb"
        _write_notebook(lab, name, widgets)
        notebook = lab.open_notebook(context.new_page(), name).run_cells(*range(widgets + 1))
        expect(notebook.page.locator(".jp-Notebook .ma-Countdown")).to_have_count(widgets)
    for number in range(TABS - len(WIDGETS_PER_KERNEL) - 1):
        lab.open_page(context, f"many-tab-{number}")


def _write_notebook(lab: LabServer, name: str, widgets: int) -> None:
    """Write a notebook that loads the extension and displays countdowns."""
    notebook = json.loads((NOTEBOOKS / "countdown.ipynb").read_text(encoding="utf-8"))
    load, show = notebook["cells"][:2]
    shows = [{**show, "id": f"show-{number}"} for number in range(widgets)]
    text = json.dumps({**notebook, "cells": [load, *shows]})
    (lab.process.work_folder / name).write_text(text, encoding="utf-8")


def _calls_per_hour(emulator: LocalEmulator, page: Page) -> float:
    """Return the calls per hour, from the time that the calls of one hour take."""
    _wait_for_calls(emulator, page, 1)
    start = perf_counter()
    _wait_for_calls(emulator, page, CALLS_PER_HOUR)
    calls = CALLS_PER_HOUR * SIMULATED_HOUR_S / (perf_counter() - start)
    return round(calls, 1)


def _wait_for_calls(emulator: LocalEmulator, page: Page, number: int) -> None:
    """Wait for a number of calls from now on."""
    emulator.clear_requests()
    deadline = perf_counter() + 2 * SIMULATED_HOUR_S
    while _count_calls(emulator) < number:
        if perf_counter() > deadline:
            raise RuntimeError("the server has stopped to poll")
        page.wait_for_timeout(20)
    emulator.clear_requests()


def _count_calls(emulator: LocalEmulator) -> int:
    """Return how often the instance was requested."""
    paths = [each["path"] for each in emulator.requests if each["method"] == "GET"]
    return sum(path.endswith(emulator.instance_id) for path in paths)
