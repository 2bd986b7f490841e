"""``modelarts-magics run``: a guarded and recorded command, against the emulator."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from waiting import wait_until

from modelarts_magics.commands.run import guard_name, split_incomplete
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.keepalive.notebook import recorded_outputs
from modelarts_magics.keepalive.records import FOLDER_NAME, list_records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelarts_magics.keepalive.records import Record

DEADLINE_S = 30
PLAIN = {name: text for name, text in os.environ.items() if not name.startswith("MODELARTS_")}


class Runs:
    """Starts guarded commands in an environment of their own."""

    def __init__(self, emulator: LocalEmulator, home: Path) -> None:
        self.home = home
        (home / "work").mkdir()
        own = {
            "HOME": str(home),
            "MODELARTS_LANGUAGE": "en",
        }
        self.environ = {**PLAIN, **emulator.environment(), **own}

    def start(self, *arguments: str, **options: object) -> subprocess.Popen[bytes]:
        """Start ``modelarts-magics run`` with these arguments."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command = [sys.executable, "-m", "modelarts_magics", "run", *arguments]
        defaults = {**pipes, "env": self.environ}
        return subprocess.Popen(command, **{**defaults, **options})  # noqa: S603 - our own

    def run(self, *arguments: str, stdin: bytes = b"", **variables: str) -> tuple[int, str, str]:
        """Run a command to its end: exit status, output and errors."""
        with self.start(*arguments, env={**self.environ, **variables}) as process:
            out, err = process.communicate(stdin, DEADLINE_S)
        return process.returncode, out.decode(), err.decode()

    def records(self) -> list[Record]:
        """Return the records."""
        return list_records(self.home / "work" / FOLDER_NAME)

    def guards(self) -> list[dict[str, object]]:
        """Return the guards, as the terminal shows them."""
        command = [sys.executable, "-m", "modelarts_magics", "keep", "--json"]
        done = subprocess.run(command, env=self.environ, capture_output=True, check=True)  # noqa: S603 - our own
        guards: list[dict[str, object]] = json.loads(done.stdout)["guards"]
        return guards

    def command(self, *arguments: str) -> str:
        """Run another command of the terminal, and return its output."""
        command = [sys.executable, "-m", "modelarts_magics", *arguments]
        done = subprocess.run(command, env=self.environ, capture_output=True, check=True)  # noqa: S603 - our own
        return done.stdout.decode()

    def history(self) -> str:
        """Return the history as text."""
        return self.command("history")

    def end_daemon(self) -> None:
        """End the guards and the daemon."""
        command = [sys.executable, "-m", "modelarts_magics", "keep", "end", "--all"]
        subprocess.run(command, env=self.environ, capture_output=True, check=False)  # noqa: S603 - our own


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Return a way to run guarded commands, with an emulator whose clock runs."""
    emulator = LocalEmulator(api="notebooks")
    emulator.start()
    made = Runs(emulator, tmp_path_factory.mktemp("home"))
    yield made
    made.end_daemon()
    emulator.stop()


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["python", "train.py", "--x"], "train.py"),
        (["/usr/bin/python3.11", "/data/a b.py"], "a-b.py"),
        (["python3", "-m", "train"], "python3"),
        (["./job.sh"], "job.sh"),
        (["bash"], "bash"),
    ],
)
def test_guard_is_named_after_the_program(command: list[str], name: str) -> None:
    """The name has no space, so that it can be typed."""
    assert guard_name(command) == f"{name}-{os.getpid()}"


@pytest.mark.parametrize("text", ["a", "é", "中", "😀", "a😀b中"])
def test_character_is_never_cut(text: str) -> None:
    """A character whose bytes arrive one by one is recorded in whole."""
    whole, rest = "", b""
    for index in range(len(text.encode())):
        done, rest = split_incomplete(rest + text.encode()[index : index + 1])
        whole += done.decode()
    assert (whole, rest) == (text, b"")


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x80\x80\x80\x80\x80", b"a\xbf"])
def test_invalid_bytes_are_not_kept_back(data: bytes) -> None:
    """Bytes that never become a character are recorded as they are."""
    assert split_incomplete(data) == (data, b"")


@pytest.mark.process
def test_output_is_that_of_the_command_alone(runs: Runs) -> None:
    """The guarantee goes to the standard error, and both streams are recorded."""
    code = "import sys; print('out', sys.stdin.read()); print('err', file=sys.stderr); sys.exit(7)"
    status, out, err = runs.run("--", sys.executable, "-c", code, stdin="中".encode())
    assert (status, out) == (7, "out 中\n")
    assert "Kept alive" in err
    assert err.endswith("err\n")
    record = runs.records()[0]
    assert record.id in err
    shown = {each["name"]: each["text"] for each in recorded_outputs(record)}
    assert shown == {"stdout": "out 中\n", "stderr": "err\n"}
    assert record.name.startswith(sys.executable[:40])
    assert record.ended_at is not None


@pytest.mark.process
def test_command_is_signalled_before_the_stop(runs: Runs) -> None:
    """The daemon signals the command; what came of it is printed and in the history. Here the mark has passed."""
    code = "import signal; signal.sigwait([signal.SIGUSR1]); raise SystemExit(7)"
    # The signal may come before the command has started, and then has to wait: programs inherit what is blocked.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    try:
        command = (sys.executable, "-c", code)
        status, _, err = runs.run("--signal", "usr1@24h", "--", *command)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
    assert status == 7
    assert "Set too late for 24 h: SIGUSR1 was sent to" in err
    assert "SIGUSR1 was sent to" in runs.history()


@pytest.mark.process
@pytest.mark.parametrize(
    ("value", "said"), [("NOPE@10m", "no signal “NOPE”"), ("TERM", "no signal with a time left")]
)
def test_invalid_signal_starts_nothing(runs: Runs, value: str, said: str) -> None:
    """The exit status is that of a command that was not started."""
    status, out, err = runs.run("--signal", value, "--", "echo", "started")
    assert (status, out) == (125, "")
    assert said in err


@pytest.mark.process
def test_command_without_a_guard_is_not_signalled(runs: Runs) -> None:
    """Where the instance cannot be read, it is said that no signal will be sent."""
    status, _, err = runs.run(
        *("--anyway", "--signal", "TERM@10m", "--", "true"), MODELARTS_INSTANCE_ID="none-such"
    )
    assert status == 0
    assert "signals before the stop are NOT sent" in err


@pytest.mark.process
def test_command_of_the_settings_is_run_before_the_stop(runs: Runs) -> None:
    """A command of a terminal starts the daemon for it, and what came of it is in the history."""
    runs.command("configure", "before_stop=24h: echo begun; exit 3")
    try:
        wait_until(lambda: "“echo begun; exit 3” failed" in runs.history())
    finally:
        runs.command("configure", "before_stop=")
    (line,) = [each for each in runs.history().splitlines() if "echo begun" in each]
    assert "Set too late for 24 h" in line
    assert line.endswith("with exit status 3: begun")


@pytest.mark.process
def test_guard_lasts_as_long_as_the_command(runs: Runs) -> None:
    """It has the bound that was asked for, and its process is ours."""
    with runs.start("--up-to", "2h", "--", "sleep", "60") as process:
        try:
            (guard,) = wait_until(runs.guards)
            assert guard["kind"] == "run"
            assert guard["name"] == f"sleep-{process.pid}"
            assert guard["pid"] == process.pid
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == -signal.SIGTERM
    assert runs.guards() == []


@pytest.mark.process
def test_killed_run_lets_go(runs: Runs) -> None:
    """SIGKILL leaves no guard behind, and the record has what was printed."""
    with runs.start("--", sys.executable, "-uc", "print('one'); input()") as process:
        assert process.stdout
        assert process.stdout.readline() == b"one\n"
        process.kill()
        process.wait(DEADLINE_S)
    assert runs.guards() == []
    record = runs.records()[0]
    assert not record.is_running
    assert recorded_outputs(record)[0]["text"] == "one\n"


@pytest.mark.process
def test_command_does_not_start_without_the_guarantee(runs: Runs, tmp_path: Path) -> None:
    """The reason is named, and nothing runs; with ``--anyway`` the command runs unguarded."""
    touched = tmp_path / "touched"
    wrong = {"MODELARTS_AUTH_TOKEN": "wrong"}
    status, out, err = runs.run("--", "touch", str(touched), **wrong)
    assert (status, out) == (125, "")
    assert not touched.exists()
    assert "token" in err
    status, _, err = runs.run("--anyway", "--", "touch", str(touched), **wrong)
    assert status == 0
    assert touched.exists()
    assert "NOT kept alive" in err


@pytest.mark.process
def test_no_record_is_written_on_request(runs: Runs) -> None:
    """With ``--no-record`` the output goes to the terminal only."""
    before = len(runs.records())
    assert runs.run("--no-record", "--", "echo", "secret")[:2] == (0, "secret\n")
    assert len(runs.records()) == before


@pytest.mark.process
def test_full_disk_does_not_stop_the_work(runs: Runs) -> None:
    """A limit for the size of files stands for the full disk."""
    code = "import sys\nfor i in range(3000): print('x' * 100)\nprint('done', file=sys.stderr)"
    limit = (
        f'ulimit -f 64; exec {sys.executable} -m modelarts_magics run -- {sys.executable} -c "$0"'
    )
    done = subprocess.run(  # noqa: S603 - our own command
        ["/bin/bash", "-c", limit, code],
        env=runs.environ,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0
    assert len(done.stdout) == 303_000
    assert "done" in done.stderr
    assert "record is incomplete" in done.stderr


@pytest.mark.process
@pytest.mark.parametrize(
    ("arguments", "status", "expected"),
    [
        (["--", "no-such-command"], 127, "Command not found: no-such-command"),
        (["--"], 2, "CMD"),
        ([], 2, "CMD"),
        (["--then", "explode", "--", "true"], 2, "--then"),
        (["--up-to", "soon", "--", "true"], 125, "soon"),
        (["--help"], 0, ""),
    ],
)
def test_wrong_arguments_are_explained(
    runs: Runs, arguments: list[str], status: int, expected: str
) -> None:
    """Nothing runs, and the status is that of such programs elsewhere."""
    code, out, err = runs.run(*arguments)
    assert code == status
    assert expected in err
    assert bool(out) is ("--help" in arguments)
