"""What a user wants to do in a terminal or in CI, with the number of commands that it takes."""

from __future__ import annotations

import io
import json
import sys
from datetime import datetime, timezone
from typing import Any, Callable

import pytest
from emulator_harness import EmulatorHarness, environment_variables

from modelarts_magics.cli import main


class CountedTerminal:
    """A terminal that counts the commands.

    Args:
        harness: The emulator.
        capsys: What the commands print.
    """

    def __init__(self, harness: EmulatorHarness, capsys: pytest.CaptureFixture[str]) -> None:
        self.harness, self._capsys, self.commands = harness, capsys, 0

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command: its exit status, output and errors."""
        self.commands += 1
        with environment_variables(self.harness.environ):
            status = main(arguments)
        return (status, *self._capsys.readouterr())


@pytest.fixture
def terminal(
    make_harness: Callable[..., EmulatorHarness], capsys: pytest.CaptureFixture[str]
) -> CountedTerminal:
    """Return a terminal in which no command has been entered; commands use the time of this machine."""
    return CountedTerminal(make_harness(start=datetime.now(timezone.utc)), capsys)


def stored(terminal: CountedTerminal) -> dict[str, Any]:
    """Return the values that a change can move."""
    state = terminal.harness.instance_state()
    return {name: state[name] for name in ("stops_at", "duration_s", "description", "enable")}


def test_three_more_hours_take_one_command(terminal: CountedTerminal) -> None:
    """The stop time is in the output."""
    status, out, _ = terminal.run("extend", "3h")
    assert (status, terminal.commands) == (0, 1)
    assert "Extended." in out


@pytest.mark.parametrize(
    "change", [("extend", "1h"), ("describe", "--clear"), ("auto-stop", "off")]
)
def test_undo_takes_one_command(terminal: CountedTerminal, change: tuple[str, ...]) -> None:
    """It needs no value of the change."""
    before = stored(terminal)
    terminal.run(*change)
    assert stored(terminal) != before
    terminal.commands = 0
    assert terminal.run("undo")[0] == 0
    assert (stored(terminal), terminal.commands) == (before, 1)


def test_restoring_the_usual_run_time_takes_one_command(terminal: CountedTerminal) -> None:
    """It names the run time, and leaves this run as it is."""
    terminal.run("extend", "1h")
    before, terminal.commands = stored(terminal), 0
    status, out, _ = terminal.run("restore")
    assert (status, stored(terminal), terminal.commands) == (0, before, 1)
    assert "1 h" in out


def test_name_and_id_of_the_instance_take_one_command(terminal: CountedTerminal) -> None:
    """The name is in the first line."""
    out = terminal.run("status", "--all")[1]
    assert out.startswith("demo-notebook")
    assert str(terminal.harness.instance_state()["id"]) in out
    assert terminal.commands == 1


def test_wrong_credentials_name_the_next_command(terminal: CountedTerminal) -> None:
    """It can be copied."""
    terminal.harness.emulator.add_fault("401")
    status, out, err = terminal.run("status")
    assert (status, out) == (1, "")
    assert " login" in err.splitlines()[-1]


def test_mistyped_command_names_the_right_one(terminal: CountedTerminal) -> None:
    """Nothing is sent."""
    before = stored(terminal)
    status, out, err = terminal.run("extned", "2h")
    assert (status, out, stored(terminal)) == (2, "", before)
    assert "Did you mean “extend”?" in err


def test_two_durations_are_refused(terminal: CountedTerminal) -> None:
    """The second one is named, and nothing is sent."""
    before = stored(terminal)
    status, out, err = terminal.run("extend", "1h", "2h")
    assert (status, out, stored(terminal)) == (1, "", before)
    assert "“2h”" in err


def test_stopped_instance_says_so(terminal: CountedTerminal) -> None:
    """One command shows the state, and an extension is refused with a reason."""
    terminal.harness.emulator.set_instance(status="STOPPED")
    assert "STOPPED" in terminal.run("status")[1]
    status, out, err = terminal.run("extend")
    assert (status, out) == (1, "")
    assert "Traceback" not in err
    assert err.count("\n") == 2


def test_ci_job_is_neither_asked_nor_coloured(
    terminal: CountedTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal, a command that would ask is refused; JSON has the result of the others."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    before = stored(terminal)
    status, out, err = terminal.run("stop")
    assert (status, stored(terminal)) == (1, before)
    assert "--yes" in err
    status, out, err = terminal.run("extend", "1h", "--json", "--wait")
    assert (status, json.loads(out)["effect"]) == (0, "now")
    assert "\x1b" not in out + err


def test_cleared_description_is_called_cleared(terminal: CountedTerminal) -> None:
    """The result has what it was."""
    out = terminal.run("describe", "--clear")[1]
    assert out.startswith("Description cleared. It was “Demo instance of the local emulator”.")
