"""`python -m modelarts_magics.emulator`, as a process of its own."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from modelarts_magics.emulator.__main__ import OPTION_HELP, build_parser, main
from modelarts_magics.emulator.faults import FAULT_KINDS
from modelarts_magics.emulator.options import CHOICES, Options

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@contextmanager
def running(*options: str) -> Iterator[subprocess.Popen[str]]:
    """Run the emulator until the block ends."""
    command = [sys.executable, "-W", "error", "-m", "modelarts_magics.emulator", *options]
    with subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    """Return the first line that a process prints, waiting for it."""
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("api", ["demanager", "notebooks"])
def test_one_line_of_json_and_a_clean_end(number: signal.Signals, api: str) -> None:
    """Enough to reach the instance; status 0 and silence at a signal."""
    with running("--json", "--api", api, "--minutes-left", "50", "--name", "mine") as process:
        place = json.loads(first_line(process))
        assert list(place) == [
            *("endpoint", "project_id", "instance_id", "auth_token", "ak", "sk"),
        ]
        kind = "demanager/instances" if api == "demanager" else "notebooks"
        url = f"{place['endpoint']}/v1/{place['project_id']}/{kind}/{place['instance_id']}"
        headers = {"X-Auth-Token": place["auth_token"]}
        answer = httpx.get(url, headers=headers, trust_env=False)
        assert answer.json()["name"] == "mine"
        process.send_signal(number)
        rest, complaints = process.communicate(timeout=10)
        assert (process.returncode, rest, complaints) == (0, "", "")


def test_exports_for_a_shell() -> None:
    """What `eval` understands: the token in force, the keys as comments."""
    with running("--fault", "429:9", "--time-scale", "60", "--edition", "2021") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(8)]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
    script = "".join(lines) + "env"
    clean = subprocess.run(
        ["/bin/sh"], input=script, capture_output=True, text=True, check=True, env={}
    ).stdout
    found = dict(re.findall(r"^(MODELARTS_\w+|HUAWEICLOUD\w+)=(.*)$", clean, re.MULTILINE))
    assert set(found) == {
        f"MODELARTS_{name}"
        for name in ("ENDPOINT", "PROJECT_ID", "INSTANCE_ID", "AUTH_TOKEN", "API")
    }
    assert lines[-1].startswith("# export HUAWEICLOUD_SDK_SK=FAKE")


@pytest.mark.parametrize(
    ("module", "typed"),
    [
        (["modelarts_magics", "emulator"], "modelarts-magics emulator"),
        (["modelarts_magics.emulator"], "python -m modelarts_magics.emulator"),
    ],
)
def test_help_names_it_as_it_was_called(module: list[str], typed: str) -> None:
    """By the installed command, or as a module."""
    command = [sys.executable, "-m", *module, "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout  # noqa: S603 - our own command
    assert shown.startswith(f"usage: {typed} ")


def test_a_fault_of_the_command_line_is_in_force() -> None:
    """From the first request."""
    with running("--json", "--fault", "429:9") as process:
        endpoint = json.loads(first_line(process))["endpoint"]
        answer = httpx.get(endpoint + "/v1/p/notebooks", trust_env=False)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "9")


def test_it_listens_on_loopback_only() -> None:
    """And nowhere else."""
    with running("--json") as process:
        assert json.loads(first_line(process))["endpoint"].startswith("http://127.0.0.1:")


def test_a_port_that_is_taken_is_one_line_and_status_1() -> None:
    """Not a traceback."""
    with running("--json") as process:
        port = json.loads(first_line(process))["endpoint"].rpartition(":")[2]
        with running("--port", port) as second:
            out, complaints = second.communicate(timeout=10)
        assert (second.returncode, out) == (1, "")
        assert complaints.count("\n") == 1
        assert f"127.0.0.1:{port}" in complaints


def test_without_tornado_it_says_what_to_install() -> None:
    """In one line, with status 1."""
    program = (
        "import sys; sys.modules['tornado'] = None\n"
        "from modelarts_magics.emulator.__main__ import main\n"
        "sys.exit(main([]))"
    )
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == ("The emulator needs tornado: pip install 'modelarts-magics[demo]'\n")


@pytest.mark.parametrize("argument", ["--time-scale=0", "--minutes-left=-1"])
def test_a_number_out_of_range_is_status_2(
    argument: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a sentence."""
    assert main([argument]) == 2
    assert "is above 0" in capsys.readouterr().err


@pytest.mark.parametrize("argument", ["--fault=nonsense", "--edition=2020", "--nonsense"])
def test_a_wrong_option_is_status_2(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With what is possible."""
    with pytest.raises(SystemExit) as caught:
        main([argument])
    assert caught.value.code == 2
    assert argument.rsplit("=", maxsplit=1)[-1] in capsys.readouterr().err


def test_the_help_names_every_choice_and_every_fault() -> None:
    """And the defaults are those of `Options`."""
    made = build_parser()
    text = made.format_help()
    assert set(OPTION_HELP) == set(CHOICES)
    assert not [name for name in FAULT_KINDS if name not in text]
    arguments = vars(made.parse_args([]))
    for name in ("port", "json", "fault"):
        del arguments[name]
    assert Options(**arguments) == Options()
