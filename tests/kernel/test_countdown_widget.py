"""The countdown in the kernel: what it tells its pages, and that it follows every change."""

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

from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.errors import ForbiddenError
from modelarts_magics.kernel.countdown_widget import Countdown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import NotebookShell
    from emulator_harness import EmulatorHarness
    from widget_helpers import ApiVersion

    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.session.session import Session

    Connect = Callable[..., Session]
    Make = Callable[..., Countdown]
    Truth = Callable[[], dict[str, Any]]

NEAR_MS = 1000
MEANWHILE_MS = 30_000
"""What a lease may end later since the request took time to get there: it counts from then."""
PATIENCE_S = 30
SYNCED = {"state", "as_of_ms", "own_id", "terminal_prefix", "language"}


@pytest.fixture
def session(make_session: Connect) -> Session:
    """A session on an instance that stops in 40 minutes."""
    return make_session()


@pytest.fixture
def make(session: Session) -> Iterator[Make]:
    """Make countdowns that do clicks at once, and close them afterwards."""
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
    """A countdown that was just opened."""
    return make()


@pytest.fixture(autouse=True)
def _all_closed() -> Iterator[None]:
    """Close what a magic made: nobody else would."""
    yield
    Widget.close_all()


def ask(widget: Countdown, **message: object) -> None:
    """Send a message as a page does."""
    widget._handle_custom_msg(message, [])


def request(widget: Countdown, action: str = "extend", seconds: int = 4800) -> dict[str, object]:
    """What a page asks for when it is clicked."""
    end = widget.state["stops_at_ms"]
    return {
        "type": "request",
        "id": "1",
        "action": action,
        "seconds": seconds,
        "base_stops_at_ms": end,
    }


@every_api_version
def test_it_gives_the_absolute_end(
    widget: Countdown, instance_state: Truth, api_version: ApiVersion
) -> None:
    """With mode and status, and when the cloud said so; never a counter."""
    state = widget.state
    assert abs(state["stops_at_ms"] - datetime_to_ms(instance_state()["stops_at"])) < NEAR_MS
    assert (state["status"], state["enabled"], state["mode"]) == ("RUNNING", True, "TIMING")
    assert state["api"] == api_version.api
    assert state["demo"] is True
    assert widget.as_of_ms == datetime_to_ms(widget.instance.observed_at)
    assert widget.own_id == widget.model_id
    assert widget.terminal_prefix.endswith(" -m modelarts_magics")


@every_api_version
def test_a_new_one_asks_the_cloud(session: Session, make: Make, emulator: LocalEmulator) -> None:
    """It does not do with what was known before."""
    session.refresh()
    emulator.set_instance(name="renamed elsewhere")
    assert make().state["name"] == "renamed elsewhere"


@every_api_version
def test_what_is_saved_has_no_secret(widget: Countdown, emulator: LocalEmulator) -> None:
    """A notebook's file may hold the whole state of a widget; whose it is stands there, as the name does."""
    assert set(widget.get_state()) >= SYNCED
    saved = json.dumps({name: widget.get_state()[name] for name in SYNCED})
    for secret in (emulator.auth_token, emulator.ak, emulator.sk, emulator.endpoint):
        assert secret not in saved
    assert widget.state["id"] == emulator.instance_id


@every_api_version
def test_every_view_follows_every_change(
    make: Make, make_session: Connect, instance_state: Truth
) -> None:
    """Whichever session of this process makes it, at once."""
    first, second = make(), make()
    make_session().extend("80m")
    end = datetime_to_ms(instance_state()["stops_at"])
    for each in (first, second):
        assert abs(each.state["stops_at_ms"] - end) < NEAR_MS
        assert each.state == first.state


@every_api_version
def test_what_another_process_learns_shows_when_the_store_is_looked_at(
    widget: Countdown, session: Session, make_session: Connect
) -> None:
    """Also if a command of this process has looked at the store meanwhile."""
    other = make_session()
    heard: list[str] = []
    forget = session.subscribe(lambda instance: heard.append(instance.description))
    other._cache._key = "another process"  # its news stay its own
    other.describe("from afar")
    assert widget.instance.description != "from afar"
    assert session.last_known().description == "from afar"  # read, but nobody told
    session.check_for_updates()
    assert widget.instance.description == "from afar"
    session.check_for_updates()
    session.refresh()
    assert heard == ["from afar"]
    forget()


@parametrize_api_version(DEMANAGER_2019)
def test_it_looks_at_the_store_by_itself_until_it_is_closed(
    make: Make, make_session: Connect
) -> None:
    """Nobody has to run a cell for it, and nothing goes on looking after it."""
    before = set(threading.enumerate())
    widget, seen = make(), threading.Event()
    widget.observe(lambda _change: seen.set(), names="state")
    (looking,) = [
        each
        for each in threading.enumerate()
        if each.name == "modelarts-watch" and each not in before
    ]
    other = make_session()
    other._cache._key = "another process"  # its news stay its own
    other.extend("80m")
    assert seen.wait(PATIENCE_S)
    widget.close()
    looking.join(PATIENCE_S)
    assert not looking.is_alive()


@parametrize_api_version(DEMANAGER_2019, NOTEBOOKS_2021)
def test_a_click_moves_the_end(widget: Countdown, instance_state: Truth) -> None:
    """And the pages are told by the new state."""
    was = widget.state["stops_at_ms"]
    ask(widget, **request(widget))
    assert abs(widget.state["stops_at_ms"] - was - 4_800_000) < MEANWHILE_MS
    assert abs(datetime_to_ms(instance_state()["stops_at"]) - widget.state["stops_at_ms"]) < NEAR_MS


@parametrize_api_version(DEMANAGER_2021)
def test_a_click_that_waits_for_the_next_start_moves_nothing(widget: Countdown) -> None:
    """The end that is shown stays the true one."""
    was = widget.state["stops_at_ms"]
    ask(widget, **request(widget))
    assert widget.state["stops_at_ms"] == was
    assert widget.state["duration_s"] == 8400


@every_api_version
def test_a_cancelled_click_is_not_done(make: Make, emulator: LocalEmulator) -> None:
    """It stands in the queue of a busy kernel, and its cancellation behind it."""
    queue = DeferredJobs()
    widget = make(queue)
    ask(widget, **request(widget))
    ask(widget, type="cancel", id="1")
    queue.run_all()
    assert [each["method"] for each in emulator.requests if each["method"] != "GET"] == []


@every_api_version
def test_a_message_of_nobody_is_left_alone(widget: Countdown) -> None:
    """What a later version of the page may send."""
    ask(widget, type="later", id="1")
    ask(widget)


@every_api_version
def test_one_line_stays_true_without_widgets(make: Make, emulator: LocalEmulator) -> None:
    """As text and as HTML, escaped."""
    emulator.set_instance(name=HTML_INJECTION)
    bundle = make()._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert data["text/plain"].startswith("Stops 20")
    assert " left as of " in data["text/plain"]
    assert StrictHtmlParser(data["text/html"]).text == data["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in data


@every_api_version
def test_a_refused_first_look_leaves_nothing(make: Make, emulator: LocalEmulator) -> None:
    """No widget, no thread; the error is the caller's."""
    emulator.add_fault("403")
    before = open_widget_ids()
    with pytest.raises(ForbiddenError):
        make()
    assert open_widget_ids() == before


@every_api_version
def test_a_closed_one_hears_nothing(make: Make, make_session: Connect) -> None:
    """Closing twice is fine."""
    widget = make()
    widget.close()
    widget.close()
    was = widget.instance
    make_session().describe("after")
    assert widget.instance is was


@pytest.mark.parametrize("word", ["countdown", "form"])
def test_the_magic_leaves_a_line_beside_it(notebook: NotebookShell, word: str) -> None:
    """The instance first, in words that stay; then the widget."""
    shown = notebook.run(f"%modelarts {word}")
    assert shown.count("Stops 2026-11-23 16:40 +08:00") == 2
    shown = notebook.run(f"%modelarts {word}\n1")
    assert shown.count("Stops 2026-11-23 16:40 +08:00") == 2


@pytest.mark.parametrize("word", ["countdown", "form"])
def test_a_widget_that_is_kept_shows_nothing(notebook: NotebookShell, word: str) -> None:
    """It is shown where its name stands, by the name alone."""
    assert notebook.run(f"x = %modelarts {word}") == ""
    assert notebook.run(f"%modelarts {word};") == ""
    assert "Stops 2026-11-23 16:40 +08:00" in notebook.run("x")
    assert notebook.run("x.close()") == ""


def test_its_words_are_those_of_the_setting(notebook: NotebookShell) -> None:
    """As it is when the countdown is opened."""
    notebook.run("c = %modelarts countdown")
    notebook.run("%config ModelArts.language = 'zh_CN'")
    notebook.run("d = %modelarts countdown")
    assert [notebook.variable(name).language for name in "cd"] == ["en", "zh_CN"]


def test_the_line_for_a_terminal_names_this_python_in_quotes(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its path has a space, it is copied as one word."""
    monkeypatch.setattr(sys, "executable", "/opt/my env/bin/python")
    assert make().terminal_prefix == "'/opt/my env/bin/python' -m modelarts_magics"


def test_without_any_ipython_a_session_of_its_own_is_used(emulator: LocalEmulator) -> None:
    """As in a script: by the settings of the environment."""
    code = "from modelarts_magics import Countdown; print(Countdown().instance.id)"
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", code],
        env={**os.environ, **emulator.environment()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == emulator.instance_id


def test_the_public_names_find_the_magics_session(
    notebook: NotebookShell, harness: EmulatorHarness
) -> None:
    """So that a widget and a magic speak with the same instance by the same settings."""
    notebook.run("from modelarts_magics import Countdown, InstanceForm")
    notebook.run("c, f = Countdown(), InstanceForm()")
    notebook.run("%modelarts describe by a magic")
    assert notebook.variable("c").instance.description == "by a magic"
    assert notebook.variable("f").description.value == "by a magic"
    notebook.run("f.description.value = 'by the form'")
    assert "Description saved" in notebook.run("f.apply()")
    assert harness.instance_state()["description"] == "by the form"
