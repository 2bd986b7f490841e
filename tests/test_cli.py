"""The same words in a terminal: exit status, streams, hints to copy, and a clean Ctrl-C."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import pytest
from emulator_harness import (
    SETTING_PREFIXES,
    EmulatorHarness,
    english_messages,
    environment_variables,
)

from modelarts_magics.cli import exit_status_of_error, main
from modelarts_magics.errors import (
    DeadlineError,
    ModelArtsError,
    OutcomeUnknownError,
    PartialUpdateError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LATE = DeadlineError("unreachable.read_timeout", host="h")
SELF = f"{shlex.quote(sys.executable)} -m modelarts_magics"
Terminal = Callable[..., "tuple[int, str, str]"]


@pytest.fixture
def make_harness(tmp_path: Path) -> Iterator[Callable[..., EmulatorHarness]]:
    """Make stages with options, each for a terminal of its own; close them afterwards."""
    made: list[EmulatorHarness] = []

    def make(**options: object) -> EmulatorHarness:
        made.append(EmulatorHarness(tmp_path / str(len(made)), **options))
        return made[-1]

    with english_messages():
        yield make
    for stage in made:
        stage.close()


@pytest.fixture
def harness(make_harness: Callable[..., EmulatorHarness]) -> EmulatorHarness:
    """Return a stage of the seed's edition."""
    return make_harness()


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str]) -> Terminal:
    """Return what runs a command in a terminal of this process: its status, output and errors."""

    def run(stage: EmulatorHarness, *arguments: str) -> tuple[int, str, str]:
        with environment_variables(stage.environ):
            status = main(arguments)
        return (status, *capsys.readouterr())

    return run


def started(
    stage: EmulatorHarness, arguments: Sequence[str], encoding: str = "utf-8"
) -> subprocess.Popen[str]:
    """Start a terminal's command as a process in which warnings are errors."""
    plain = {
        name: value for name, value in os.environ.items() if not name.startswith(SETTING_PREFIXES)
    }
    return subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-W", "error", "-m", "modelarts_magics", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding=encoding,
        env={**plain, **stage.environ, "PYTHONIOENCODING": encoding},
    )


@pytest.mark.parametrize(
    ("edition", "arguments", "status", "words"),
    [
        ("2019", "", 0, "demo-notebook · RUNNING"),
        ("2019", "status --all", 0, "workspace.id"),
        ("2019", "extend 1h", 0, "Extended."),
        ("2019", "describe two words", 0, "“two words”"),
        ("2019", "describe", 0, "Demo instance of the local emulator"),
        ("2019", "auto-stop off", 0, "Auto-stop is off"),
        ("2019", "doctor", 1, "Problems found: 1"),
        ("2019", "help", 0, f"{SELF} extend "),
        ("2019", "-h", 0, "View and change"),
        ("2019", "extend --help", 0, f"{SELF} extend [DURATION]"),
        ("2021", "extend 1h", 3, "This run was NOT extended"),
        ("2021", "auto-stop 2h", 3, "This run is NOT affected"),
        ("2021", "describe new", 0, "Description saved"),
        ("2021", "auto-stop off", 0, "Auto-stop is off"),
    ],
)
def test_what_went_well_is_on_the_output(  # noqa: PLR0913 - a row of the table
    make_harness: Callable[..., EmulatorHarness],
    terminal: Terminal,
    edition: str,
    arguments: str,
    status: int,
    words: str,
) -> None:
    """Status 0 in effect, 3 saved but not as asked; nothing on the error stream."""
    code, out, err = terminal(make_harness(edition=edition), *arguments.split())
    assert (code, err) == (status, "")
    assert words in out
    assert "%modelarts" not in out.replace("%%modelarts", "")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [("extend --json", 0), ("describe --json new", 0), ("status --json", 0)],
)
def test_json_is_the_whole_output(
    harness: EmulatorHarness, terminal: Terminal, arguments: str, status: int
) -> None:
    """For another program to read."""
    code, out, err = terminal(harness, *arguments.split())
    assert (code, err) == (status, "")
    assert json.loads(out)


def test_json_has_the_same_status(
    make_harness: Callable[..., EmulatorHarness], terminal: Terminal
) -> None:
    """3 where it waits for the next start; what is said before a write is not in the way."""
    stage = make_harness(edition="2021")
    assert terminal(stage, "extend", "--json")[0] == 3
    code, out, err = terminal(stage, "extend", "2h", "--json")
    assert (code, json.loads(out)["effect"]) == (3, "next-start")
    assert "probably still stop at" in err


def test_unconfirmed_is_3(harness: EmulatorHarness, terminal: Terminal) -> None:
    """The cloud did not say that it holds."""
    harness.emulator.add_fault("ignored", methods=["PUT"])
    code, out, err = terminal(harness, "describe", "new")
    assert (code, err) == (3, "")
    assert out.startswith("NOT confirmed")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["nonsense"], 2, "Unknown command"),
        (["stats"], 2, "Did you mean “status”?"),
        (["--json"], 2, "Unknown command"),
        (["extend", "--jsn"], 2, "Did you mean “--json”?"),
        (["auto-stop", "in"], 2, "in requires DURATION."),
        (["describe", "--clear", "text"], 2, "cannot be used together"),
        (["status", "now"], 2, "Unexpected argument “now”"),
        (["help", "nonsense"], 2, "Unknown command"),
        (["auto-stop", "90"], 1, "has no unit"),
        (["describe", "a/b"], 1, "(position 2)"),
        (["describe", "--from", "x"], 2, "--from is available in notebooks only"),
        (["auto-stop", "48h"], 1, "out of range: this API accepts"),
        (["shorten"], 1, "is in the past"),
    ],
)
def test_what_went_wrong_is_on_the_error_stream(
    harness: EmulatorHarness, terminal: Terminal, arguments: list[str], status: int, words: str
) -> None:
    """One line and one hint: 2 for the words of a command, else 1."""
    before = harness.instance_state()
    code, out, err = terminal(harness, *arguments)
    assert (code, out) == (status, "")
    assert words in err
    assert err.count("\n") == 2
    assert "%modelarts" not in err
    assert harness.instance_state() == before


@pytest.mark.parametrize("fault", ["401", "403", "404", "html", "redirect"])
def test_a_failing_cloud_is_1(harness: EmulatorHarness, terminal: Terminal, fault: str) -> None:
    """With a hint that can be copied, and no secret."""
    harness.emulator.add_fault(fault)
    harness.environ["MODELARTS_TOTAL_TIMEOUT"] = "0.5"
    code, out, err = terminal(harness)
    assert (code, out) == (1, "")
    assert err.count("\n") == 2
    assert harness.emulator.auth_token not in err


def test_a_hint_can_be_copied(harness: EmulatorHarness, terminal: Terminal) -> None:
    """It has the whole command of this Python, wherever that is."""
    _, out, _ = terminal(harness, "describe", "new")
    undo = next(line for line in out.splitlines() if line.startswith("Undo: "))
    assert undo == f"Undo: {SELF} describe 'Demo instance of the local emulator'"
    assert f"{SELF} auto-stop in 2h" in terminal(harness, "shorten")[2]


def test_a_broken_settings_file_keeps_neither_help_nor_repair_away(
    harness: EmulatorHarness, terminal: Terminal
) -> None:
    """Help, doctor and configure work; what configure writes takes its place."""
    path = Path(harness.environ["HOME"]) / ".modelarts-magics.ini"
    path.parent.mkdir(exist_ok=True)
    path.write_text("no section\n", encoding="utf-8")
    assert terminal(harness, "help")[0] == 0
    code, out, err = terminal(harness, "doctor")
    assert (code, err) == (1, "")
    assert f"Cannot read the settings file {path}." in out
    assert terminal(harness, "configure")[0] == 1
    assert terminal(harness, "configure", "region=cn-north-4")[0] == 0
    assert "region = cn-north-4" in path.read_text(encoding="utf-8")
    assert terminal(harness)[0] == 0


def test_a_broken_settings_file_speaks_as_a_terminal(
    harness: EmulatorHarness, terminal: Terminal
) -> None:
    """And is one line and one hint."""
    home = harness.environ["HOME"]
    os.makedirs(home, exist_ok=True)  # noqa: PTH103 - a text is at hand
    with open(f"{home}/.modelarts-magics.ini", "w", encoding="utf-8") as handle:  # noqa: PTH123
        handle.write("no section\n")
    code, out, err = terminal(harness)
    assert (code, out) == (1, "")
    assert ".modelarts-magics.ini" in err
    assert "%modelarts" not in err


@pytest.mark.parametrize("program", ["emulator", "demo"])
def test_programs_have_a_help_of_their_own(
    program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are handed what follows their name."""
    with pytest.raises(SystemExit) as caught:
        main([program, "--help"])
    assert caught.value.code == 0
    assert f"{program} [" in capsys.readouterr().out


def test_as_a_module_in_a_process_of_its_own(harness: EmulatorHarness) -> None:
    """No warning, no connection left open, and the status is the process's."""
    process = started(harness, ["auto-stop", "in", "2h"])
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "Run time set to 2 h 20 min (was 1 h)" in out
    process = started(harness, ["stauts"])
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (2, "")
    assert f"{SELF} help" in err


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_terminal_that_lacks_characters_shows_their_codes(
    harness: EmulatorHarness, encoding: str
) -> None:
    """Instead of failing behind a change that was made."""
    process = started(harness, ["describe", "训练 🤖"], encoding)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "\\u8bad\\u7ec3 \\U0001f916" in out


def test_a_reader_that_has_seen_enough_is_no_error(harness: EmulatorHarness) -> None:
    """As `head`: the change was made, and its status is the process's."""
    process = started(harness, ["extend"])
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert (process.stderr.read(), process.wait(timeout=30)) == ("", 0)
    process.stderr.close()
    assert harness.instance_state()["duration_s"] == 7200


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("status", ""),
        ("extend", f" The change may already have been sent; check with: {SELF} status"),
    ],
)
def test_ctrl_c_is_one_line(harness: EmulatorHarness, command: str, words: str) -> None:
    """And status 1, at once, while the cloud takes its time; a change is spoken of where one is."""
    harness.emulator.add_fault("delay", arg=20)
    process = started(harness, [command])
    harness.wait_for_request()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=15)  # sooner than the cloud
    assert (process.returncode, out) == (1, "")
    assert err == f"Interrupted.{words}\n"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OutcomeUnknownError("outcome_unknown.not_read_back", cause=LATE), 3),
        (OutcomeUnknownError("outcome_unknown.not_applied", cause=LATE), 1),
        (PartialUpdateError("partial.description", cause=LATE), 3),
        (UsageError("usage.extra"), 2),
        (LATE, 1),
    ],
)
def test_the_status_tells_a_failure_from_an_open_end(error: ModelArtsError, status: int) -> None:
    """What may hold, or holds in part, is 3."""
    assert exit_status_of_error(error) == status
