"""Command line of the emulator, run as a process."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from modelarts_magics.emulator.__main__ import build_parser, main
from modelarts_magics.emulator.faults import FAULT_KINDS
from modelarts_magics.emulator.options import Options

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]


@contextmanager
def run_emulator(*options: str) -> Iterator[subprocess.Popen[str]]:
    """Run the emulator until the block ends."""
    command = [sys.executable, "-W", "error", "-m", "modelarts_magics.emulator", *options]
    with subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_line(process: subprocess.Popen[str]) -> str:
    """Wait for the next line of output and return it."""
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("api", ["demanager", "notebooks"])
def test_json_output_and_exit_on_signal(number: signal.Signals, api: str) -> None:
    """The JSON is enough to reach the instance; a signal ends the process with status 0 and no output."""
    with run_emulator("--json", "--api", api, "--minutes-left", "50", "--name", "mine") as process:
        location = json.loads(read_line(process))
        assert list(location) == [
            *("endpoint", "project_id", "instance_id", "auth_token", "ak", "sk"),
        ]
        kind = "demanager/instances" if api == "demanager" else "notebooks"
        url = f"{location['endpoint']}/v1/{location['project_id']}/{kind}/{location['instance_id']}"
        headers = {"X-Auth-Token": location["auth_token"]}
        response = httpx.get(url, headers=headers, trust_env=False)
        assert response.json()["name"] == "mine"
        process.send_signal(number)
        rest, errors = process.communicate(timeout=10)
        assert (process.returncode, rest, errors) == (0, "", "")


def test_output_is_shell_exports() -> None:
    """A shell can evaluate the output: the token is set, the keys are comments."""
    with run_emulator("--fault", "429:9", "--time-scale", "60", "--edition", "2021") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(9)]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
    script = "".join(lines) + "env"
    clean = subprocess.run(
        ["/bin/sh"], input=script, capture_output=True, text=True, check=True, env={}
    ).stdout
    found = dict(re.findall(r"^(MODELARTS_\w+|HUAWEICLOUD\w+)=(.*)$", clean, re.MULTILINE))
    assert set(found) == {
        f"MODELARTS_{name}"
        for name in ("ENDPOINT", "PROJECT_ID", "INSTANCE_ID", "AUTH_TOKEN", "API", "TIME_SCALE")
    }
    assert found["MODELARTS_TIME_SCALE"] == "60"
    assert lines[-1].startswith("# export HUAWEICLOUD_SDK_SK=FAKE")


@pytest.mark.parametrize(
    ("module", "typed"),
    [
        (
            ["modelarts_magics", "emulator"],
            f"{shlex.quote(sys.executable)} -m modelarts_magics emulator",
        ),
        (["modelarts_magics.emulator"], "python -m modelarts_magics.emulator"),
    ],
)
def test_help_shows_the_program_name(module: list[str], typed: str) -> None:
    """The usage line repeats the command as it was typed, or names the module."""
    command = [sys.executable, "-m", *module, "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout  # noqa: S603 - our own command
    # A long path is followed by a line break.
    assert " ".join(shown.split()).startswith(f"usage: {typed} ")


def test_fault_option_affects_the_first_request() -> None:
    """A fault given as an option is active from the start."""
    with run_emulator("--json", "--fault", "429:9") as process:
        endpoint = json.loads(read_line(process))["endpoint"]
        response = httpx.get(endpoint + "/v1/p/notebooks", trust_env=False)
        assert (response.status_code, response.headers["Retry-After"]) == (429, "9")


def test_endpoint_is_on_loopback() -> None:
    """The emulator listens on 127.0.0.1."""
    with run_emulator("--json") as process:
        assert json.loads(read_line(process))["endpoint"].startswith("http://127.0.0.1:")


def test_port_in_use_exits_with_one_line() -> None:
    """A port in use is reported in one line with status 1."""
    with run_emulator("--json") as process:
        port = json.loads(read_line(process))["endpoint"].rpartition(":")[2]
        with run_emulator("--port", port) as second:
            out, errors = second.communicate(timeout=10)
        assert (second.returncode, out) == (1, "")
        assert errors.count("\n") == 1
        assert f"127.0.0.1:{port}" in errors


def test_missing_tornado_prints_the_install_command() -> None:
    """Without tornado, one line says what to install, and the status is 1."""
    program = (
        "import sys; sys.modules['tornado'] = None\n"
        "from modelarts_magics.emulator.__main__ import main\n"
        "sys.exit(main([]))"
    )
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == ("The emulator requires tornado: pip install 'modelarts-magics[demo]'\n")


@pytest.mark.parametrize("argument", ["--time-scale=0", "--minutes-left=-1"])
def test_number_out_of_range_exits_with_2(
    argument: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A number out of range is reported with its limit."""
    assert main([argument]) == 2
    assert "must be above 0" in capsys.readouterr().err


@pytest.mark.parametrize("argument", ["--fault=nonsense", "--edition=2020", "--nonsense"])
def test_invalid_option_exits_with_2(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The error names the invalid option or value."""
    with pytest.raises(SystemExit) as caught:
        main([argument])
    assert caught.value.code == 2
    assert argument.rsplit("=", maxsplit=1)[-1] in capsys.readouterr().err


def test_help_lists_only_options_for_users() -> None:
    """Every listed option has a description; options for tests are accepted but not listed."""
    parser = build_parser()
    actions = [action for action in parser._actions if action.option_strings]
    listed = {action.option_strings[-1] for action in actions if action.help != argparse.SUPPRESS}
    assert listed == {
        *("--help", "--port", "--api", "--edition", "--time-scale", "--minutes-left"),
        *("--no-auto-stop", "--name", "--description", "--fault", "--json"),
    }
    assert not [action for action in actions if not action.help]
    shown = set(re.findall(r"--[a-z][a-z-]*", parser.format_help()))
    assert shown == listed
    assert len(actions) > len(listed)


def test_help_lists_every_fault() -> None:
    """Each fault is described in the help."""
    text = build_parser().format_help()
    assert not [name for name, kind in FAULT_KINDS.items() if name not in text]
    assert not [name for name, kind in FAULT_KINDS.items() if kind.summary not in text]


def test_option_defaults_are_those_of_options() -> None:
    """The parser without arguments gives the defaults of `Options`."""
    arguments = vars(build_parser().parse_args([]))
    for name in ("port", "json", "fault"):
        del arguments[name]
    assert Options(**arguments) == Options()
