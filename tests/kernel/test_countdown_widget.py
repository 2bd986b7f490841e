"""The countdown widget in the kernel: its state, its clicks, and that it follows changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, Callable

import pytest
from emulator_harness import HTML_INJECTION, StrictHtmlParser
from ipywidgets import Widget
from widget_helpers import (
    DEMANAGER_2019,
    DEMANAGER_2021,
    NOTEBOOKS_2021,
    DeferredJobs,
    every_api_version,
    open_widget_ids,
    parametrize_api_version,
    run_immediately,
)

from modelarts_magics.doctor.page_widgets import WidgetObstacle
from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.errors import ForbiddenError
from modelarts_magics.kernel.countdown_widget import Countdown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import NotebookShell
    from emulator_harness import EmulatorHarness
    from widget_helpers import ApiVersion

    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.session.session import Session

    Connect = Callable[..., Session]
    Make = Callable[..., Countdown]
    Truth = Callable[[], dict[str, Any]]

TOLERANCE_MS = 1000
REQUEST_DELAY_MS = 30_000
"""The delay of a request, by which a lease ends later, since it counts from the arrival."""
TIMEOUT_S = 30
SYNCED = {"state", "as_of_ms", "widget_id", "language"}


@pytest.fixture
def session(make_session: Connect) -> Session:
    """Return a session with an instance that stops in 40 minutes."""
    return make_session()


@pytest.fixture
def make(session: Session) -> Iterator[Make]:
    """Return a function that makes countdowns whose clicks run immediately; all are closed afterwards."""
    made: list[Countdown] = []
    before = open_widget_ids()

    def countdown(
        schedule: Callable[..., None] = run_immediately, given: Session = session
    ) -> Countdown:
        made.append(Countdown(given, schedule=schedule))
        return made[-1]

    yield countdown
    for each in made:
        each.close()
        each.layout.close()
    assert open_widget_ids() == before


@pytest.fixture
def widget(make: Make) -> Countdown:
    """Return a new countdown."""
    return make()


@pytest.fixture(autouse=True)
def _all_closed() -> Iterator[None]:
    """Close the widgets made by magics."""
    yield
    Widget.close_all()


def send_message(widget: Countdown, **message: object) -> None:
    """Send a message as a page does."""
    widget._handle_custom_msg(message, [])


def click_message(
    widget: Countdown, action: str = "extend", seconds: int = 4800
) -> dict[str, object]:
    """Return the message of a click."""
    stop_time_ms = widget.state["stops_at_ms"]
    return {
        "type": "request",
        "id": "1",
        "action": action,
        "seconds": seconds,
        "base_stops_at_ms": stop_time_ms,
    }


@every_api_version
def test_state_contains_the_absolute_stop_time(
    widget: Countdown, instance_state: Truth, api_version: ApiVersion
) -> None:
    """It also has mode, status and the time of the reading, and no counter."""
    state = widget.state
    assert abs(state["stops_at_ms"] - datetime_to_ms(instance_state()["stops_at"])) < TOLERANCE_MS
    assert (state["status"], state["enabled"], state["mode"]) == ("RUNNING", True, "TIMING")
    assert state["api"] == api_version.api
    assert state["demo"] is True
    assert widget.as_of_ms == datetime_to_ms(widget.instance.observed_at)
    assert widget.widget_id == widget.model_id


@every_api_version
def test_new_countdown_reads_the_instance(
    session: Session, make: Make, emulator: LocalEmulator
) -> None:
    """It does not use the cache."""
    session.refresh()
    emulator.set_instance(name="renamed elsewhere")
    assert make().state["name"] == "renamed elsewhere"


@every_api_version
def test_saved_state_contains_no_secret(widget: Countdown, emulator: LocalEmulator) -> None:
    """A notebook file may contain the whole state of a widget, with the id and name of the instance."""
    assert set(widget.get_state()) >= SYNCED
    saved = json.dumps({name: widget.get_state()[name] for name in SYNCED})
    for secret in (emulator.auth_token, emulator.ak, emulator.sk, emulator.endpoint):
        assert secret not in saved
    assert widget.state["id"] == emulator.instance_id


@every_api_version
def test_all_countdowns_show_changes_of_any_session(
    make: Make, make_session: Connect, instance_state: Truth
) -> None:
    """Changes made in the same process are shown immediately."""
    first, second = make(), make()
    make_session().extend("80m")
    end = datetime_to_ms(instance_state()["stops_at"])
    for each in (first, second):
        assert abs(each.state["stops_at_ms"] - end) < TOLERANCE_MS
        assert each.state == first.state


@pytest.mark.process
@parametrize_api_version(DEMANAGER_2019)
def test_countdown_shows_changes_by_another_process(
    make: Make, emulator: LocalEmulator, instance_state: Truth, tmp_path: Path
) -> None:
    """No cell has to run for it."""
    widget, changed = make(), threading.Event()
    was = widget.state["stops_at_ms"]
    widget.observe(lambda change: change.new["stops_at_ms"] != was and changed.set(), names="state")
    subprocess.run(
        [sys.executable, "-m", "modelarts_magics", "extend", "80m"],
        env={
            **os.environ,
            **emulator.environment(),
            "MODELARTS_STATE_DIR": str(tmp_path / "state"),
            "HOME": str(tmp_path),
        },
        capture_output=True,
        check=True,
    )
    assert changed.wait(TIMEOUT_S)
    expected = datetime_to_ms(instance_state()["stops_at"])
    assert abs(widget.state["stops_at_ms"] - expected) < TOLERANCE_MS


@parametrize_api_version(DEMANAGER_2019, NOTEBOOKS_2021)
def test_click_moves_the_stop_time(widget: Countdown, instance_state: Truth) -> None:
    """The pages get the new state."""
    was = widget.state["stops_at_ms"]
    send_message(widget, **click_message(widget))
    assert abs(widget.state["stops_at_ms"] - was - 4_800_000) < REQUEST_DELAY_MS
    assert (
        abs(datetime_to_ms(instance_state()["stops_at"]) - widget.state["stops_at_ms"])
        < TOLERANCE_MS
    )


@parametrize_api_version(DEMANAGER_2021)
def test_click_effective_at_the_next_start_keeps_the_stop_time(widget: Countdown) -> None:
    """The state still has the stop time of this run."""
    was = widget.state["stops_at_ms"]
    send_message(widget, **click_message(widget))
    assert widget.state["stops_at_ms"] == was
    assert widget.state["duration_s"] == 8400


@every_api_version
def test_cancelled_click_sends_no_request(make: Make, emulator: LocalEmulator) -> None:
    """Both messages are in the queue of a busy kernel."""
    queue = DeferredJobs()
    widget = make(queue)
    send_message(widget, **click_message(widget))
    send_message(widget, type="cancel", id="1")
    queue.run_all()
    assert [each["method"] for each in emulator.requests if each["method"] != "GET"] == []


@every_api_version
def test_unknown_messages_are_ignored(widget: Countdown) -> None:
    """A later version of the page may send other types."""
    send_message(widget, type="later", id="1")
    send_message(widget)


@every_api_version
def test_front_ends_without_widgets_get_a_line(make: Make, emulator: LocalEmulator) -> None:
    """It is plain text and escaped HTML."""
    emulator.set_instance(name=HTML_INJECTION)
    bundle = make()._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert data["text/plain"].startswith("Stops at 20")
    assert " left (as of " in data["text/plain"]
    assert StrictHtmlParser(data["text/html"]).text == data["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in data


@every_api_version
def test_page_that_cannot_show_it_gets_text_with_the_reason(session: Session) -> None:
    """Only the text is displayed, because the page would show an error in place of the widget."""
    obstacle = WidgetObstacle("no <front end>", "Add it.", shows_controls=True)
    widget = Countdown(session, find_obstacle=lambda: obstacle)
    bundle = widget._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    widget.close()
    assert set(data) == {"text/plain", "text/html"}
    assert data["text/plain"].splitlines()[1:] == ["No live countdown: no <front end>.", "Add it."]
    assert "no &lt;front end&gt;" in data["text/html"]


@every_api_version
def test_front_end_of_another_anywidget_is_accepted(widget: Countdown) -> None:
    """That of the page may come from another kernel's environment."""
    assert widget.get_state()["_view_module_version"] == "0.x"
    assert widget.get_state()["_model_module_version"] == "0.x"


@every_api_version
def test_failed_first_read_leaves_no_widget(make: Make, emulator: LocalEmulator) -> None:
    """The error is raised to the caller."""
    emulator.add_fault("403")
    before = open_widget_ids()
    with pytest.raises(ForbiddenError):
        make()
    assert open_widget_ids() == before


@every_api_version
def test_closed_countdown_follows_no_changes(make: Make, make_session: Connect) -> None:
    """Closing twice does nothing."""
    widget = make()
    widget.close()
    widget.close()
    was = widget.instance
    make_session().describe("after")
    assert widget.instance is was


@every_api_version
def test_closed_countdown_sends_nothing(make: Make, emulator: LocalEmulator) -> None:
    """A click that waits when it is closed is dropped."""
    queue = DeferredJobs()
    widget = make(queue)
    send_message(widget, **click_message(widget))
    widget.close()
    queue.run_all()
    assert [each["method"] for each in emulator.requests if each["method"] != "GET"] == []


@pytest.mark.parametrize("word", ["countdown", "form"])
def test_terminal_shows_the_stop_time_once(notebook: NotebookShell, word: str) -> None:
    """A shell without a kernel has no pages, and shows a widget as its text."""
    for cell in (f"%modelarts {word}", f"%modelarts {word}\n1"):
        assert notebook.run(cell).count("Stops at 20") == 1


@pytest.mark.parametrize("word", ["countdown", "form"])
def test_assigned_widget_is_not_displayed(notebook: NotebookShell, word: str) -> None:
    """It is displayed where its name is used."""
    assert notebook.run(f"x = %modelarts {word}") == ""
    assert notebook.run(f"%modelarts {word};") == ""
    assert "Stops at 20" in notebook.run("x")
    assert notebook.run("x.close()") == ""


def test_language_is_that_of_the_setting(notebook: NotebookShell) -> None:
    """It is read when the countdown is created."""
    notebook.run("c = %modelarts countdown")
    notebook.run("%config ModelArts.language = 'zh_CN'")
    notebook.run("d = %modelarts countdown")
    assert [notebook.variable(name).language for name in "cd"] == ["en", "zh_CN"]


@pytest.mark.process
@parametrize_api_version(DEMANAGER_2019)
def test_script_without_ipython_uses_the_environment(emulator: LocalEmulator) -> None:
    """A session is opened from the settings of the environment."""
    code = "from modelarts_magics import Countdown; print(Countdown().instance.id)"
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", code],
        env={**os.environ, **emulator.environment()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == emulator.instance_id


def test_widgets_use_the_session_of_the_magics(
    notebook: NotebookShell, harness: EmulatorHarness
) -> None:
    """A widget and a magic use the same instance and settings."""
    notebook.run("from modelarts_magics import Countdown, InstanceForm")
    notebook.run("c, f = Countdown(), InstanceForm()")
    notebook.run("%modelarts describe by a magic")
    assert notebook.variable("c").instance.description == "by a magic"
    assert notebook.variable("f").description.value == "by a magic"
    notebook.run("f.description.value = 'by the form'")
    assert "Description saved" in notebook.run("f.apply()")
    assert harness.instance_state()["description"] == "by the form"
