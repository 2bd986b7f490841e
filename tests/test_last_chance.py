"""The last minutes of a run and those after its stop time: an extension works, or a way is named."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Callable

import pytest
from api_versions import API_VERSIONS
from emulator_harness import SETTING_PREFIXES

from modelarts_magics.commands.as_text import change_lines
from modelarts_magics.commands.context import CommandContext
from modelarts_magics.commands.dispatch import run_command
from modelarts_magics.commands.parser import parse_line
from modelarts_magics.domain.browser_payloads import countdown_payload
from modelarts_magics.domain.models import Effect
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.errors import RefusedError
from modelarts_magics.kernel.countdown_widget import CountdownMessageHandler

if TYPE_CHECKING:
    from pathlib import Path

    from api_versions import ApiVersion
    from emulator_harness import EmulatorHarness

    MakeLate = Callable[..., EmulatorHarness]

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
LATE = [20, 120]
"""Seconds after the stop time: within the minute in which it still counts as stopping, and later."""
ADVICE_TO_STOP = ("stop the instance", "modelarts stop", "modelarts_magics stop")


@pytest.fixture(params=API_VERSIONS, ids=str)
def version(request: pytest.FixtureRequest) -> ApiVersion:
    """Return each API in each edition."""
    return request.param


@pytest.fixture
def harness(
    make_harness: Callable[..., EmulatorHarness], version: ApiVersion
) -> Callable[[int], EmulatorHarness]:
    """Return a function that lets the stop time of a run pass by some seconds."""

    def make(late_s: int, *, known: bool = True) -> EmulatorHarness:
        made = make_harness(api=version.api, edition=version.edition)
        if known:
            made.run_magic("status")
        made.emulator.set_instance(stops_on_time=False)
        made.clock.advance(40 * 60 * SECOND + late_s * SECOND)
        return made

    return make


def stop_time(harness: EmulatorHarness) -> datetime:
    """Return the stop time according to the emulator."""
    return datetime.fromisoformat(harness.instance_state()["stops_at"])


def check(harness: EmulatorHarness, version: ApiVersion, text: str, *, was: datetime) -> None:
    """Check that the run goes on for an hour, or that the text names what may keep it."""
    assert not any(each in text for each in ADVICE_TO_STOP)
    if version.changes_current_run:
        assert abs(stop_time(harness) - harness.clock.now() - HOUR) < 2 * SECOND
    else:
        assert stop_time(harness) == was
        assert "auto-stop off" in text


@pytest.mark.parametrize("known", [True, False], ids=["known", "first call"])
@pytest.mark.parametrize("late_s", LATE)
@pytest.mark.parametrize("line", ["extend", "extend 1h"])
def test_magic_extends_after_the_stop_time(
    line: str, late_s: int, known: bool, harness: MakeLate, version: ApiVersion
) -> None:
    """Also if this process or machine never saw the run before its stop time."""
    late = harness(late_s, known=known)
    was = stop_time(late)
    change = late.run_magic(line)
    assert change.effect is version.run_time_effect
    check(late, version, "\n".join(change_lines(change)), was=was)


@pytest.mark.parametrize("late_s", LATE)
def test_click_extends_after_the_stop_time(
    late_s: int, harness: MakeLate, version: ApiVersion
) -> None:
    """The page sends the stop time that has passed, in a widget as to a server."""
    late = harness(late_s)
    was = stop_time(late)
    session = late._session
    payload = countdown_payload(session.plan_context(session.refresh()))
    shown = payload["stops_at_ms"] or payload["passed_stop_ms"]
    assert shown == round(was.timestamp() * 1000)
    sent: list[dict[str, Any]] = []
    handler = CountdownMessageHandler(
        lambda: session, now=session.now, send=sent.append, schedule=lambda call: call()
    )
    click = {"type": "request", "id": "1", "action": "extend", "seconds": 3600}
    handler.handle_message({**click, "base_stops_at_ms": shown})
    assert (sent[0]["ok"], sent[0]["effect"]) == (True, version.run_time_effect.value)
    way = f"auto-stop {sent[0]['values'].get('keeps_running')}"
    check(late, version, way, was=was)


def test_click_on_another_passed_stop_time_is_refused(harness: MakeLate) -> None:
    """Another page has extended the run meanwhile, or the run is another one."""
    late = harness(120)
    was = stop_time(late)
    with pytest.raises(RefusedError) as caught:
        late._session.extend(HOUR, seen_stop_time=was - HOUR)
    assert caught.value.code == "refuse.stop_time_changed"
    assert stop_time(late) == was


@pytest.mark.parametrize("line", ["extend 1m", "extend 1s"])
def test_short_extension_says_that_it_is_raised(
    line: str, harness: MakeLate, version: ApiVersion
) -> None:
    """The run ends at the earliest time that the API accepts."""
    late = harness(20)
    change = late.run_magic(line)
    raised = change.expected_stop_time
    assert raised - late.clock.now() >= timedelta(minutes=5)
    assert any("extended to it" in notice for notice in late.notices)
    if version.changes_current_run:
        assert abs(stop_time(late) - raised) < SECOND


def test_way_out_works_where_a_duration_is_deferred(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """The command that is named keeps the run, and reading back confirms it."""
    harness = make_harness(edition="2021", minutes_left=3)
    lines = change_lines(harness.run_magic("extend 1h"))
    assert "To keep this run: %modelarts auto-stop off. It then runs, and is billed" in lines[1]
    change = harness.run_magic("auto-stop off")
    assert change.effect is Effect.NOW
    assert harness.instance_state()["stops_at"] is None
    harness.clock.advance(HOUR)
    assert harness.run_magic("status").running


def test_json_names_the_way_out(make_harness: Callable[..., EmulatorHarness]) -> None:
    """A program can run the command."""
    harness = make_harness(edition="2021", minutes_left=3)
    assert harness.run_magic("extend --json")["keeps_running"] == "auto-stop off"
    harness.run_magic("auto-stop off")
    assert "keeps_running" not in harness.run_magic("auto-stop in 2h --json")


def test_deferral_is_observed_after_the_stop_time(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """The next extension, which would lengthen later runs further, is a question."""
    harness = make_harness(edition="2021")
    harness.run_magic("status")
    harness.emulator.set_instance(stops_on_time=False)
    harness.clock.advance(timedelta(minutes=42))
    first = change_lines(harness.run_magic("extend 1h"))
    assert "its stop time has passed" in first[0]
    with pytest.raises(RefusedError) as caught:
        harness.run_magic("extend 1h --json")
    assert caught.value.code == "refuse.lengthens_later_runs"


def test_off_is_unconfirmed_while_a_stop_time_is_reported(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """The run may still stop then, whatever the setting says."""
    harness = make_harness(edition="2021")
    session = harness._session
    backend = session._backend
    stops_at_ms = round(stop_time(harness).timestamp() * 1000)
    parse = backend.parse

    def parse_with_stop_time(raw: Any, **how: Any) -> Any:  # noqa: ANN401 - as the backend's
        auto_stop = {**raw["spec"]["auto_stop"], "stop_timestamp": stops_at_ms}
        return parse({**raw, "spec": {**raw["spec"], "auto_stop": auto_stop}}, **how)

    backend.parse = parse_with_stop_time
    assert harness.run_magic("auto-stop off").effect is Effect.UNCONFIRMED


class TestLaterRuns:
    """An extension that only lengthens later runs further needs the consent of the user."""

    @pytest.fixture
    def deferred(self, make_harness: Callable[..., EmulatorHarness]) -> EmulatorHarness:
        """Return an emulator whose run did not follow an extension from 1 h to 2 h."""
        harness = make_harness(edition="2021", minutes_left=3)
        harness.run_magic("extend 1h")
        return harness

    def run(self, harness: EmulatorHarness, line: str, answer: str) -> tuple[Any, list[str]]:
        """Run a command with an answer to each question; return its result and the questions."""
        questions: list[str] = []

        def ask(question: str) -> str:
            questions.append(question)
            if answer == "none":
                raise EOFError
            return answer

        context = CommandContext(lambda: harness._session, harness.settings, "%modelarts", ask=ask)
        try:
            return run_command(parse_line(line), context), questions
        except RefusedError as error:
            return error, questions

    @pytest.mark.parametrize("answer", ["no", "", "none"])
    def test_nothing_is_sent_without_a_yes(self, deferred: EmulatorHarness, answer: str) -> None:
        """The question and the refusal name what keeps this run."""
        refusal, questions = self.run(deferred, "extend 1h", answer)
        assert isinstance(refusal, RefusedError)
        assert deferred.instance_state()["duration_s"] == 7200
        assert len(questions) == 1
        for shown in (questions[0], str(refusal)):
            assert "later runs to 3 h (now 2 h)" in shown
            assert "auto-stop off" in shown
        assert "extend 1h --yes" in refusal.hint

    def test_yes_lengthens_later_runs(self, deferred: EmulatorHarness) -> None:
        """The result says again that this run is not extended."""
        change, questions = self.run(deferred, "extend 1h", "yes")
        assert (change.effect, len(questions)) == (Effect.NEXT_START, 1)
        assert deferred.instance_state()["duration_s"] == 3 * 3600

    def test_option_answers_the_question(self, deferred: EmulatorHarness) -> None:
        """A program cannot."""
        change, questions = self.run(deferred, "extend 1h --yes", "no")
        assert (change.effect, questions) == (Effect.NEXT_START, [])

    def test_json_asks_no_question(self, deferred: EmulatorHarness) -> None:
        """The question would be part of the output."""
        refusal, questions = self.run(deferred, "extend 1h --json", "yes")
        assert (type(refusal), questions) == (RefusedError, [])

    def test_click_needs_consent(self, deferred: EmulatorHarness) -> None:
        """The page asks, and repeats the request with the answer."""
        sent: list[dict[str, Any]] = []
        session = deferred._session
        handler = CountdownMessageHandler(
            lambda: session, now=session.now, send=sent.append, schedule=lambda call: call()
        )
        click = {
            "type": "request",
            "id": "1",
            "action": "extend",
            "seconds": 3600,
            "base_stops_at_ms": round(stop_time(deferred).timestamp() * 1000),
        }
        handler.handle_message(click)
        assert (sent[0]["ok"], sent[0]["code"]) == (False, "lengthens-later-runs")
        assert sent[0]["values"] == {"duration_s": 3 * 3600, "previous_duration_s": 7200}
        assert deferred.instance_state()["duration_s"] == 7200
        handler.handle_message({**click, "lengthen_later_runs": True})
        assert (sent[1]["ok"], sent[1]["effect"]) == (True, "next-start")

    def test_first_extension_of_a_run_is_not_a_question(self, deferred: EmulatorHarness) -> None:
        """Later runs are as long as this one again; the notice says what to expect."""
        deferred.run_magic("auto-stop 1h")
        change, questions = self.run(deferred, "extend 1h", "no")
        assert (change.effect, questions) == (Effect.NEXT_START, [])
        assert any("next start" in notice for notice in deferred.notices)


def run_in_terminal(emulator: LocalEmulator, home: Path, *words: str) -> tuple[int, str]:
    """Run a command in a process of its own; return its exit status and all output."""
    plain = {
        name: value for name, value in os.environ.items() if not name.startswith(SETTING_PREFIXES)
    }
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "modelarts_magics", *words],
        env={**plain, **emulator.environment(), "HOME": str(home), "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.process
@pytest.mark.parametrize("api", ["demanager", "notebooks"])
def test_terminal_extends_after_the_stop_time(api: str, tmp_path: Path) -> None:
    """In a process that sees the instance for the first time."""
    with LocalEmulator(api=api) as emulator:
        emulator.set_instance(stops_on_time=False)
        emulator.set_instance(minutes_left=-2)
        status, output = run_in_terminal(emulator, tmp_path, "extend", "1h")
        (one,) = [
            each for each in emulator.state()["instances"] if each["id"] == emulator.instance_id
        ]
    assert status == 0, output
    left = datetime.fromisoformat(one["stops_at"]) - datetime.now(timezone.utc)
    assert abs(left - HOUR) < 60 * SECOND


@pytest.mark.process
def test_terminal_names_a_way_and_asks_before_the_next_extension(tmp_path: Path) -> None:
    """Without an answer nothing is sent; the way that was named keeps the run."""
    with LocalEmulator(edition="2021", minutes_left=3) as emulator:
        status, output = run_in_terminal(emulator, tmp_path, "extend", "1h")
        assert status == 3
        assert "NOT extended" in output
        assert "auto-stop off" in output
        sent = len(emulator.requests)
        status, output = run_in_terminal(emulator, tmp_path, "extend", "1h")
        assert status == 1
        assert "auto-stop off" in output
        assert {each["method"] for each in emulator.requests[sent:]} == {"GET"}
        status, output = run_in_terminal(emulator, tmp_path, "auto-stop", "off")
        assert (status, "Auto-stop is off" in output) == (0, True)
