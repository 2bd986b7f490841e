"""The notebook is opened again: by itself, after the kernel has gone, or where widgets cannot be shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Callable

import pytest
from playwright.sync_api import expect
from ui.pages import Front

if TYPE_CHECKING:
    from playwright.sync_api import Locator
    from ui.pages import Cloud, OpenNotebook
    from ui.place import Place

MANAGER = "@jupyter-widgets/jupyterlab-manager:plugin"
DATED = "left as of"


@pytest.fixture
def saved(desk: OpenNotebook, cloud: Cloud, place: Place) -> str:
    """A notebook as a front end saves it by default, with a countdown that nobody knows any more."""
    desk.run(1)
    cloud.agrees(desk.countdown)
    desk.save()
    name = f"again-{desk.name}"
    place.work.joinpath(name).write_bytes(place.work.joinpath(desk.name).read_bytes())
    return name


def test_a_dated_line_stays(
    saved: str,
    front: Front,
    open_notebook: Callable[..., OpenNotebook],
    place: Place,
    shoot: Callable[[Locator, str], None],
) -> None:
    """True on any later day, without a kernel that knows the widget."""
    assert "widgets" not in json.loads(place.work.joinpath(saved).read_text("utf-8"))["metadata"]
    again = open_notebook(saved, front=front).shown()
    expect(again.output(1)).to_contain_text(DATED)
    expect(again.page.locator(".ma-Countdown")).to_have_count(0)
    again.ready()
    shoot(again.output(1), "reopened")


@pytest.mark.only(Front.LAB)
def test_a_saved_countdown_says_as_of_when(
    open_notebook: Callable[..., OpenNotebook],
    cloud: Cloud,
    place: Place,
    shoot: Callable[[Locator, str], None],
) -> None:
    """It stands still, its buttons are disabled, and no secret is in the file."""
    place.set(MANAGER, {"saveState": True})
    notebook = open_notebook("countdown.ipynb").ready().run(0, 1)
    cloud.agrees(notebook.countdown)
    notebook.save()
    notebook.shut_down()
    notebook.page.close()
    text = place.work.joinpath(notebook.name).read_text("utf-8")
    assert json.loads(text)["metadata"]["widgets"]
    assert cloud.emulator.auth_token not in text
    again = open_notebook(notebook.name).shown()
    countdown = again.countdown
    expect(countdown.root).to_have_attribute("data-phase", "frozen")
    expect(countdown.part("stop")).to_contain_text("as of")
    expect(countdown.part("phase")).to_have_text("not connected")
    for does in ("plus", "minus", "extend"):
        expect(countdown.button(does)).to_have_attribute("aria-disabled", "true")
    before = countdown.seconds()
    again.page.wait_for_timeout(1500)
    assert countdown.seconds() == before
    shoot(again.output(1), "saved-state")


@pytest.mark.only(Front.LAB)
def test_without_the_widgets_front_end_there_are_words(
    open_notebook: Callable[..., OpenNotebook],
    place: Place,
    shoot: Callable[[Locator, str], None],
) -> None:
    """As on a platform whose JupyterLab has no anywidget."""
    place.disable("anywidget")
    notebook = open_notebook("countdown.ipynb").ready().run(0, 1)
    expect(notebook.output(1)).to_contain_text(DATED)
    expect(notebook.page.locator(".ma-Countdown")).to_have_count(0)
    shoot(notebook.output(1), "without-anywidget")
