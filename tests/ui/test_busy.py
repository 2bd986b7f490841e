"""While a cell runs, a click may have to wait for it; it says so, and what to do now.

With ipykernel 7 a front end may have widgets answered in a thread of their own ("comms over subshells");
these tests are about all others.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Callable

import pytest
from playwright.sync_api import expect
from ui.pages import Front

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator
    from ui.pages import Cloud, OpenNotebook
    from ui.place import Place

HOUR = timedelta(hours=1)
COMMAND = f"{sys.executable} -m modelarts_magics extend 1h"
KERNELS = "@jupyterlab/apputils-extension:kernels-settings"
ONE_THREAD = {"commsOverSubshells": "disabled"}


@pytest.fixture
def waiting(desk: OpenNotebook, cloud: Cloud) -> Iterator[OpenNotebook]:
    """A notebook with a running cell and a click that waits for it; nothing waits after the test."""
    desk.own_thread_for_widgets(on=False)
    desk.run(1)
    cloud.agrees(desk.countdown)
    desk.begin(2)
    desk.countdown.button("plus").click()
    expect(desk.countdown.part("waiting")).to_be_visible()
    yield desk
    desk.interrupt()
    expect(desk.countdown.part("waiting")).to_be_hidden()


def test_a_waiting_click_says_what_to_do_now(
    waiting: OpenNotebook, cloud: Cloud, shoot: Callable[[Locator, str], None]
) -> None:
    """The full line for a terminal; the countdown goes on and shows what still holds."""
    countdown = waiting.countdown
    expect(countdown.part("waiting")).to_contain_text("The kernel is busy; this click waits.")
    expect(countdown.part("command")).to_have_text(COMMAND)
    expect(countdown.part("status")).to_contain_text("The kernel is busy")
    shoot(waiting.output(1), "busy")
    assert cloud.writes == []
    cloud.agrees(countdown)
    waiting.interrupt()
    expect(countdown.part("note")).to_contain_text("Now stops at")
    expect(countdown.part("waiting")).to_be_hidden()
    cloud.agrees(countdown)
    assert len(cloud.writes) == 1


@pytest.mark.only(Front.NOTEBOOK)
def test_the_line_for_the_terminal_can_be_copied(waiting: OpenNotebook) -> None:
    """By a button."""
    waiting.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    waiting.countdown.button("copy").click()
    expect(waiting.countdown.button("copy")).to_contain_text("✓")
    assert waiting.page.evaluate("navigator.clipboard.readText()") == COMMAND


@pytest.mark.only(Front.NOTEBOOK)
def test_a_waiting_click_can_be_cancelled(waiting: OpenNotebook, cloud: Cloud) -> None:
    """Nothing is changed, also not when the kernel is free again; the focus is on a button."""
    waiting.countdown.button("cancel").click()
    expect(waiting.countdown.part("waiting")).to_be_hidden()
    expect(waiting.countdown.button("plus")).to_be_focused()
    waiting.interrupt()
    expect(waiting.countdown.part("note")).to_have_text("Cancelled; nothing was changed.")
    assert cloud.writes == []


@pytest.mark.only(Front.NOTEBOOK)
def test_a_waiting_click_is_dropped_when_the_end_moved_meanwhile(
    waiting: OpenNotebook, cloud: Cloud, place: Place
) -> None:
    """Somebody did it in a terminal, as the countdown says; it is not done twice."""
    place.terminal("extend", "1h")
    waiting.countdown.wait_for(lambda shown: shown > HOUR.total_seconds())
    waiting.interrupt()
    expect(waiting.countdown.part("note")).to_contain_text("The stop time changed meanwhile")
    cloud.agrees(waiting.countdown)
    assert len(cloud.writes) == 1


@pytest.mark.only(Front.LAB)
def test_a_reload_beside_a_running_cell_comes_right(
    open_notebook: Callable[..., OpenNotebook],
    cloud: Cloud,
    place: Place,
    shoot: Callable[[Locator, str], None],
) -> None:
    """With one thread for all: a dated line at once, and the countdown when the kernel has time."""
    place.set(KERNELS, ONE_THREAD)
    notebook = open_notebook("countdown.ipynb").ready()
    notebook.own_thread_for_widgets(on=False)
    notebook.run(0, 1).save()
    notebook.begin(2)
    notebook.countdown.button("plus").click()
    expect(notebook.countdown.part("waiting")).to_be_visible()
    notebook.page.reload(wait_until="commit")
    notebook.shown()
    expect(notebook.output(1)).to_contain_text("left as of")
    shoot(notebook.output(1), "reloaded-while-busy")
    notebook.ready().interrupt()
    notebook.countdown.root.wait_for()
    notebook.countdown.wait_for(lambda shown: shown > HOUR.total_seconds())
    cloud.agrees(notebook.countdown)
    assert len(cloud.writes) == 1
