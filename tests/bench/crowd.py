"""What more tabs, kernels and widgets add to the calls that the cloud gets."""

from __future__ import annotations

import json
from datetime import timedelta
from time import perf_counter
from typing import TYPE_CHECKING

from labs import OURS, Lab, serving, settle
from measure import Figure
from playwright.sync_api import expect
from ui.pages import Cloud, new_context
from ui.place import NOTEBOOKS

from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.server.poll_schedule import JITTER, Rhythm

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

PERIOD_S = 5.0
"""The server's period, so that an hour of the usual rhythm passes in a minute."""
CALLS = round(timedelta(hours=1) / Rhythm().usual)
"""How many calls an hour has."""
HOUR_S = CALLS * PERIOD_S
TABS = 10
WIDGETS = (7, 7, 6)
"""How many each of three kernels shows."""
CROWD = f"{TABS} tabs, {len(WIDGETS)} kernels, {sum(WIDGETS)} widgets"


def figures(browser: Browser) -> list[Figure]:
    """Measure the calls of an hour with one tab, and with many of everything."""
    with LocalEmulator() as emulator, new_context(browser) as context:
        Cloud(emulator).reset()
        with serving(OURS, emulator, f"--ModelArtsServer.period={PERIOD_S}") as lab:
            tab = lab.tab(context)
            settle(tab)
            one = _hourly(emulator, tab.page)
            asked = OURS.asked(tab.wire)
            begun = perf_counter()
            _crowd(lab, context)
            hours = (perf_counter() - begun) / HOUR_S
            opening = _calls(emulator)
            many = _hourly(emulator, tab.page)
    return [
        Figure(f"idle tab, requests during {CALLS} calls", asked, most=0, unit="requests"),
        Figure(f"cloud calls an hour, {CROWD}", many, one, "1 tab", None, 1 + JITTER, "calls"),
        Figure("  calls while these opened", opening, round(one * hours), "1 tab", unit="calls"),
    ]


def _crowd(lab: Lab, context: BrowserContext) -> None:
    """Open all tabs but the first, and show all widgets."""
    for number, widgets in enumerate(WIDGETS):
        name = f"crowd-{number}.ipynb"
        _write(lab, name, widgets)
        notebook = lab.notebook(context.new_page(), name).run(*range(widgets + 1))
        expect(notebook.page.locator(".jp-Notebook .ma-Countdown")).to_have_count(widgets)
    for number in range(TABS - len(WIDGETS) - 1):
        lab.tab(context, f"crowd-tab-{number}")


def _write(lab: Lab, name: str, widgets: int) -> None:
    """Put a notebook into the work folder that loads the extension and shows so many countdowns."""
    notebook = json.loads((NOTEBOOKS / "countdown.ipynb").read_text(encoding="utf-8"))
    load, show = notebook["cells"][:2]
    shows = [{**show, "id": f"show-{number}"} for number in range(widgets)]
    text = json.dumps({**notebook, "cells": [load, *shows]})
    (lab.place.work / name).write_text(text, encoding="utf-8")


def _hourly(emulator: LocalEmulator, page: Page) -> float:
    """Return the calls an hour: those of one hour, by the time that they take."""
    _await_calls(emulator, page, 1)
    begun = perf_counter()
    _await_calls(emulator, page, CALLS)
    calls = CALLS * HOUR_S / (perf_counter() - begun)
    return round(calls, 1)


def _await_calls(emulator: LocalEmulator, page: Page, number: int) -> None:
    """Wait for so many calls from now on."""
    emulator.clear_requests()
    end = perf_counter() + 2 * HOUR_S
    while _calls(emulator) < number:
        if perf_counter() > end:
            raise RuntimeError("the cloud is not asked any more")
        page.wait_for_timeout(20)
    emulator.clear_requests()


def _calls(emulator: LocalEmulator) -> int:
    """How often the instance was asked for."""
    asked = [each["path"] for each in emulator.requests if each["method"] == "GET"]
    return sum(path.endswith(emulator.instance_id) for path in asked)
