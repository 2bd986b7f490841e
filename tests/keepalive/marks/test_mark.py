"""Signals and times before the stop as they are typed, and what is sent to which process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from factories import MINUTE

from modelarts_magics.domain.before_stop import parse_before_stop
from modelarts_magics.errors import ModelArtsError
from modelarts_magics.keepalive.marks.mark import (
    Mark,
    needs_daemon,
    own_process,
    parse_signal_mark,
    read_marks,
    remove_mark,
    save_mark,
)
from modelarts_magics.keepalive.marks.process_group import group_members, signal_group
from modelarts_magics.keepalive.marks.result import FAILED, RAN, TIMED_OUT
from modelarts_magics.keepalive.marks.shell_command import run_command
from modelarts_magics.keepalive.processes import process_started

if TYPE_CHECKING:
    from pathlib import Path

PARENT = """
import signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; print(1, flush=True); time.sleep(99)"])
signal.signal(signal.SIGUSR1, lambda *_: None)
sys.exit(-child.wait())
"""


@pytest.mark.parametrize("text", ["TERM@10m", "SIGTERM@10m", "term@600s", "15@0:10"])
def test_signal_mark_is_parsed(text: str) -> None:
    """A signal has a name with or without its prefix, or a number."""
    assert parse_signal_mark(text) == ("TERM", 10 * MINUTE)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("TERM", "usage.signal_mark"),
        ("NOPE@10m", "usage.signal"),
        ("99@10m", "usage.signal"),
        ("SIG_DFL@10m", "usage.signal"),
        ("TERM@", "duration.invalid"),
        ("TERM@10", "duration.no_unit"),
    ],
)
def test_invalid_signal_mark_is_refused(text: str, code: str) -> None:
    """The error names what is wrong."""
    with pytest.raises(ModelArtsError) as caught:
        parse_signal_mark(text)
    assert caught.value.code == code


def test_command_before_the_stop_is_parsed() -> None:
    """The first colon with a space ends the time left."""
    assert parse_before_stop("1h30m: echo a: b") == (90 * MINUTE, "echo a: b")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("python checkpoint.py", "usage.before_stop"),
        ("10m: ", "usage.before_stop"),
        ("1m: sync", "usage.before_stop_short"),
        ("soon: sync", "duration.invalid"),
    ],
)
def test_invalid_command_before_the_stop_is_refused(text: str, code: str) -> None:
    """A command needs a minute that it can use."""
    with pytest.raises(ModelArtsError) as caught:
        parse_before_stop(text)
    assert caught.value.code == code


def test_marks_are_files(tmp_path: Path) -> None:
    """Any process reads them, the earliest first; each needs the daemon until its work ends, not its guard."""
    later = Mark("processes", MINUTE, signal="TERM", guard="ended", **own_process())
    earlier = Mark("cell", 2 * MINUTE, signal="TERM", **own_process())
    for mark in (later, earlier):
        save_mark(tmp_path, mark)
    assert read_marks(tmp_path) == [earlier, later]
    assert needs_daemon(tmp_path)
    remove_mark(tmp_path, earlier)
    assert needs_daemon(tmp_path)
    save_mark(tmp_path, replace(later, started=1))
    assert not needs_daemon(tmp_path)


@pytest.mark.process
@pytest.mark.parametrize("leads_group", [True, False])
def test_signal_reaches_the_group_of_the_command_only(*, leads_group: bool) -> None:
    """The command and its child are signalled; this process, which may share the group, is not."""
    received: list[int] = []
    previous = signal.signal(signal.SIGUSR1, lambda number, _frame: received.append(number))
    try:
        with subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", PARENT],
            stdout=subprocess.PIPE,
            start_new_session=leads_group,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"1\n"
            assert len(group_members(process.pid)) == 1
            started = process_started(process.pid)
            assert signal_group(process.pid, signal.SIGUSR1, started=started)
            assert process.wait(timeout=60) == signal.SIGUSR1
            assert not signal_group(process.pid, signal.SIGUSR1, started=started)
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert received == []


@pytest.mark.process
@pytest.mark.parametrize(
    ("command", "timeout_s", "expected"),
    [
        ("echo done", 60, (RAN, 0, "done")),
        ("for i in 1 2 3 4 5 6 7; do echo $i; done; exit 3", 60, (FAILED, 3, "3\n4\n5\n6\n7")),
        ("no-such-command-here 2>/dev/null", 60, (FAILED, 127, "")),
        ("echo begun; sleep 60", 0.5, (TIMED_OUT, None, "begun")),
    ],
)
def test_command_has_an_outcome_and_last_lines(
    tmp_path: Path, command: str, timeout_s: float, expected: tuple[str, int | None, str]
) -> None:
    """It ran, failed with an exit status, or was ended at its time limit."""
    environ = {"PATH": os.environ["PATH"]}
    assert run_command(command, timeout_s=timeout_s, folder=tmp_path, environ=environ) == expected
