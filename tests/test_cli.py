"""The command line: exit status, output streams, hints and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import pytest
from emulator_harness import (
    SETTING_PREFIXES,
    EmulatorHarness,
    environment_variables,
)

from modelarts_magics import __version__
from modelarts_magics.cli import command_prefix, exit_status_of_error, main
from modelarts_magics.errors import (
    DeadlineError,
    ModelArtsError,
    OutcomeUnknownError,
    PartialUpdateError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT_ERROR = DeadlineError("unreachable.read_timeout", host="h")
PREFIX = command_prefix("__main__.py", getattr(sys, "orig_argv", [sys.executable])[0])
CHILD_PREFIX = command_prefix("__main__.py", sys.executable)
"""The same in a process that a test starts."""
Terminal = Callable[..., "tuple[int, str, str]"]


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str]) -> Terminal:
    """Return a function that runs a command in this process: its exit status, output and errors."""

    def run(harness: EmulatorHarness, *arguments: str) -> tuple[int, str, str]:
        with environment_variables(harness.environ):
            status = main(arguments)
        return (status, *capsys.readouterr())

    return run


def start_command(
    harness: EmulatorHarness, arguments: Sequence[str], encoding: str = "utf-8"
) -> subprocess.Popen[str]:
    """Start a command in a process in which warnings are errors."""
    plain = {
        name: value for name, value in os.environ.items() if not name.startswith(SETTING_PREFIXES)
    }
    return subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-W", "error", "-m", "modelarts_magics", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding=encoding,
        env={**plain, **harness.environ, "PYTHONIOENCODING": encoding},
    )


LATER_STARTS = "Later starts will also run for 2 h (now 1 h).\n"
"""The notice on standard error before a run is extended by an hour."""


@pytest.fixture
def make_harness(make_harness: Callable[..., EmulatorHarness]) -> Callable[..., EmulatorHarness]:
    """Return the function with the time of the processes that these tests start."""
    return partial(make_harness, start=datetime.now(timezone.utc))


@pytest.mark.parametrize(
    ("edition", "arguments", "status", "expected"),
    [
        ("2019", "", 0, "demo-notebook · RUNNING"),
        ("2019", "status --all", 0, "workspace.id"),
        ("2019", "extend 1h", 0, "Extended."),
        ("2019", "describe two words", 0, "“two words”"),
        ("2019", "describe", 0, "Demo instance of the local emulator"),
        ("2019", "auto-stop off", 0, "Auto-stop is off"),
        ("2019", "doctor", 0, "No problems found"),
        ("2019", "help", 0, f"{PREFIX} extend stop later"),
        ("2019", "-h", 0, "View and change"),
        ("2019", "extend --help", 0, f"{PREFIX} extend [DURATION] [--yes]"),
        ("2021", "extend 1h", 3, "This run was NOT extended"),
        ("2021", "auto-stop 2h", 3, "This run is NOT affected"),
        ("2021", "describe new", 0, "Description saved"),
        ("2021", "auto-stop off", 0, "Auto-stop is off"),
    ],
)
def test_result_is_on_standard_output(  # noqa: PLR0913 - a row of the table
    make_harness: Callable[..., EmulatorHarness],
    terminal: Terminal,
    edition: str,
    arguments: str,
    status: int,
    expected: str,
) -> None:
    """The exit status is 0, or 3 for a change that applies at the next start."""
    code, out, err = terminal(make_harness(edition=edition), *arguments.split())
    lengthens = arguments in ("extend 1h", "auto-stop 2h")
    assert (code, err) == (status, LATER_STARTS if lengthens else "")
    # Help is broken at words, depending on the path of the interpreter.
    assert expected in " ".join(out.split())
    assert "%modelarts" not in out.replace("%%modelarts", "")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [("extend --json", 0), ("describe --json new", 0), ("status --json", 0)],
)
def test_json_is_the_only_output(
    harness: EmulatorHarness, terminal: Terminal, arguments: str, status: int
) -> None:
    """Other programs can parse it."""
    code, out, err = terminal(harness, *arguments.split())
    assert (code, err) == (status, "")
    assert json.loads(out)


def test_json_has_the_same_exit_status(
    make_harness: Callable[..., EmulatorHarness], terminal: Terminal
) -> None:
    """A notice before a change is on standard error."""
    harness = make_harness(edition="2021")
    assert terminal(harness, "extend", "--json")[0] == 3
    code, out, err = terminal(harness, "extend", "2h", "--json", "--yes")
    assert (code, json.loads(out)["effect"]) == (3, "next-start")
    assert "probably still stop at" in err


def test_unconfirmed_change_exits_with_3(harness: EmulatorHarness, terminal: Terminal) -> None:
    """The API did not confirm the change."""
    harness.emulator.add_fault("ignored", methods=["PUT"])
    code, out, err = terminal(harness, "describe", "new")
    assert (code, err) == (3, "")
    assert out.startswith("NOT confirmed")


@pytest.mark.parametrize(
    ("arguments", "status", "expected"),
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
def test_error_is_on_standard_error(
    harness: EmulatorHarness, terminal: Terminal, arguments: list[str], status: int, expected: str
) -> None:
    """It is one line and one hint; the exit status is 2 for a wrong usage, else 1."""
    before = harness.instance_state()
    code, out, err = terminal(harness, *arguments)
    assert (code, out) == (status, "")
    assert expected in err
    assert err.count("\n") == 2
    assert "%modelarts" not in err
    assert harness.instance_state() == before


@pytest.mark.parametrize("fault", ["401", "403", "404", "html", "redirect"])
def test_api_failure_exits_with_1(harness: EmulatorHarness, terminal: Terminal, fault: str) -> None:
    """The hint can be copied, and no secret is shown."""
    harness.emulator.add_fault(fault)
    harness.environ["MODELARTS_TOTAL_TIMEOUT"] = "0.5"
    code, out, err = terminal(harness)
    assert (code, out) == (1, "")
    assert err.count("\n") == 2
    assert harness.emulator.auth_token not in err


def test_hint_contains_the_whole_command(harness: EmulatorHarness, terminal: Terminal) -> None:
    """It begins as the command did."""
    _, out, _ = terminal(harness, "describe", "new")
    undo = next(line for line in out.splitlines() if line.startswith("Undo: "))
    assert undo == f"Undo: {PREFIX} describe 'Demo instance of the local emulator'"
    assert f"{PREFIX} auto-stop in 2h" in terminal(harness, "shorten")[2]


def test_invalid_settings_file_can_be_repaired(
    harness: EmulatorHarness, terminal: Terminal
) -> None:
    """Help, doctor and configure work, and configure replaces the file."""
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


def test_invalid_settings_file_is_one_error(harness: EmulatorHarness, terminal: Terminal) -> None:
    """It is one line and one hint with the prefix of a terminal."""
    home = harness.environ["HOME"]
    os.makedirs(home, exist_ok=True)  # noqa: PTH103 - the path is a string
    with open(f"{home}/.modelarts-magics.ini", "w", encoding="utf-8") as handle:  # noqa: PTH123
        handle.write("no section\n")
    code, out, err = terminal(harness)
    assert (code, out) == (1, "")
    assert ".modelarts-magics.ini" in err
    assert "%modelarts" not in err


@pytest.mark.parametrize("program", ["emulator", "demo"])
def test_subcommand_programs_have_their_own_help(
    program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """They get all arguments after their name."""
    with pytest.raises(SystemExit) as caught:
        main([program, "--help"])
    assert caught.value.code == 0
    assert f"{program} [" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("program", "interpreter", "prefix"),
    [
        ("/env/lib/modelarts_magics/__main__.py", "python", "python -m modelarts_magics"),
        (
            "/env/lib/modelarts_magics/__main__.py",
            "/my env/python",
            "'/my env/python' -m modelarts_magics",
        ),
        ("/elsewhere/modelarts-magics", "python", "/elsewhere/modelarts-magics"),
        ("/my env/modelarts-magics", "python", "'/my env/modelarts-magics'"),
    ],
)
def test_hints_repeat_the_command_as_typed(program: str, interpreter: str, prefix: str) -> None:
    """A path that the shell would not find is written in full."""
    assert command_prefix(program, interpreter) == prefix


def test_quiet_command_prints_errors_only(harness: EmulatorHarness, terminal: Terminal) -> None:
    """Its exit status says whether it succeeded; the option may stand anywhere before a text."""
    assert terminal(harness, "extend", "1h", "--quiet") == (0, "", "")
    assert terminal(harness, "describe", "--quiet", "new") == (0, "", "")
    assert harness.instance_state()["description"] == "new"
    code, out, err = terminal(harness, "extend", "--quiet", "soon")
    assert (code, out) == (1, "")
    assert "“soon”" in err


def test_wait_reads_until_the_change_shows(harness: EmulatorHarness, terminal: Terminal) -> None:
    """An unconfirmed change has exit status 3, a confirmed one 0."""
    harness.emulator.add_fault("stale", methods=("GET",), skip=1, times=3)
    assert terminal(harness, "describe", "--wait", "new")[0] == 0


@pytest.mark.process
def test_installed_command_shows_its_version_and_its_name(harness: EmulatorHarness) -> None:
    """Where the shell finds the command, hints contain just its name."""
    folder = Path(sys.executable).parent
    environ = {**harness.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    found = [
        subprocess.run(  # noqa: S603 - our own command
            ["modelarts-magics", word],  # noqa: S607 - found by PATH
            capture_output=True,
            text=True,
            env=environ,
            check=False,
        )
        for word in ("--version", "stauts")
    ]
    assert found[0].stdout == f"modelarts-magics {__version__}\n"
    assert found[1].stderr.endswith(" modelarts-magics help\n")


@pytest.mark.process
@pytest.mark.parametrize(
    ("arguments", "variables", "first"),
    [
        (["extend"], {}, "\x1b[32mExtended."),
        (["stauts"], {}, "\x1b[31mUnknown command"),
        (["extend"], {"NO_COLOR": "1"}, "Extended."),
        (["extend"], {"TERM": "dumb"}, "Extended."),
        (["extend", "--json"], {}, "{"),
    ],
)
def test_terminal_shows_the_outcome_in_colour(
    harness: EmulatorHarness, arguments: list[str], variables: dict[str, str], first: str
) -> None:
    """Success is green and an error is red, unless the user wants no colours."""
    master, slave = os.openpty()
    try:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "modelarts_magics", *arguments],
            stdout=slave,
            stderr=slave,
            env={"TERM": "xterm", **harness.environ, **variables},
        )
        process.wait(timeout=30)
        shown = os.read(master, 65536).decode()
    finally:
        os.close(master)
        os.close(slave)
    assert shown.replace("\r", "").removeprefix(LATER_STARTS).startswith(first)


@pytest.mark.process
def test_module_can_be_run(harness: EmulatorHarness) -> None:
    """There is no warning and no open connection, and the exit status is that of the process."""
    process = start_command(harness, ["auto-stop", "in", "2h"])
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "Run time set to 2 h 20 min" in out
    process = start_command(harness, ["stauts"])
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (2, "")
    assert f"{PREFIX} help" in err


@pytest.mark.process
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_unencodable_characters_are_escaped(harness: EmulatorHarness, encoding: str) -> None:
    """The command does not fail after a change was made."""
    process = start_command(harness, ["describe", "训练 🤖"], encoding)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "\\u8bad\\u7ec3 \\U0001f916" in out


@pytest.mark.process
def test_closed_pipe_is_no_error(harness: EmulatorHarness) -> None:
    """The change was made, and the exit status is 0."""
    process = start_command(harness, ["extend"])
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert (process.stderr.read(), process.wait(timeout=30)) == (LATER_STARTS, 0)
    process.stderr.close()
    assert harness.instance_state()["duration_s"] == 7200


@pytest.mark.process
@pytest.mark.parametrize(
    ("command", "note"),
    [
        ("status", ""),
        ("extend", f" The change may already have been sent; check with: {CHILD_PREFIX} status"),
    ],
)
def test_ctrl_c_prints_one_line(harness: EmulatorHarness, command: str, note: str) -> None:
    """The exit status is 1; a change is mentioned only if one may have been sent."""
    harness.emulator.add_fault("delay", arg=20)
    process = start_command(harness, [command])
    harness.wait_for_request()
    process.send_signal(signal.SIGINT)
    # The delay of the response is longer than this timeout.
    out, err = process.communicate(timeout=15)
    assert (process.returncode, out) == (1, "")
    assert err == f"Interrupted.{note}\n"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OutcomeUnknownError("outcome_unknown.not_read_back", cause=TIMEOUT_ERROR), 3),
        (OutcomeUnknownError("outcome_unknown.not_applied", cause=TIMEOUT_ERROR), 1),
        (PartialUpdateError("partial.description", cause=TIMEOUT_ERROR), 3),
        (UsageError("usage.extra"), 2),
        (TIMEOUT_ERROR, 1),
    ],
)
def test_exit_status_of_errors(error: ModelArtsError, status: int) -> None:
    """A change that may be effective, or is in part, has status 3."""
    assert exit_status_of_error(error) == status
