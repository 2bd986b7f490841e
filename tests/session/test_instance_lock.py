"""The lock of an instance: its holder is named, and no secret of its command line."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from modelarts_magics.domain.clock import SYSTEM_CLOCK, Deadline
from modelarts_magics.errors import LockTimeoutError
from modelarts_magics.session.instance_lock import (
    LOCK_WAIT_S,
    hold_lock,
    process_command,
    share_read,
)

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import InstantSleepClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a lock file that does not exist yet."""
    return tmp_path / "state" / "one.lock"


def refusal(path: Path, instant_clock: InstantSleepClock) -> LockTimeoutError:
    """Return the error of a write that waits for the lock, with a minute of time."""
    clock = instant_clock.clock
    deadline = Deadline(60, clock=clock)
    with pytest.raises(LockTimeoutError) as caught, hold_lock(path, deadline=deadline, clock=clock):
        pass
    return caught.value


def test_wait_is_short_and_names_the_holder(path: Path, instant_clock: InstantSleepClock) -> None:
    """The holder is this process here, which the user is not advised to end."""
    with hold_lock(path, deadline=Deadline(9), clock=SYSTEM_CLOCK):
        error = refusal(path, instant_clock)
    assert LOCK_WAIT_S - 0.1 < sum(instant_clock.sleeps) < LOCK_WAIT_S + 0.1
    assert f"process {os.getpid()}, " in error.message
    assert "kill" not in error.hint


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"pid": "x"}', b'{"pid": -1, "command": ""}', b"\xff" * 9000]
)
def test_unreadable_holder_is_not_named(
    path: Path, instant_clock: InstantSleepClock, content: bytes
) -> None:
    """The error has the path of the lock."""
    with hold_lock(path, deadline=Deadline(9), clock=SYSTEM_CLOCK):
        path.write_bytes(content)
        error = refusal(path, instant_clock)
    assert error.code == "store.locked"
    assert str(path) in error.hint


def test_holder_of_another_process_is_named(path: Path, instant_clock: InstantSleepClock) -> None:
    """With the commands that continue and end it."""
    with hold_lock(path, deadline=Deadline(9), clock=SYSTEM_CLOCK):
        path.write_text(json.dumps({"pid": os.getppid(), "command": "jupyter lab"}))
        error = refusal(path, instant_clock)
    assert f"process {os.getppid()}, jupyter lab" in error.message
    assert f"kill -CONT {os.getppid()}" in error.hint
    assert f"kill -9 {os.getppid()}" in error.hint


def test_command_hides_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of options that may be secrets do not leave the process."""
    words = [
        "python",
        "-m",
        "jupyter",
        "--IdentityProvider.token=abc",
        "--password",
        "def",
        "-f",
        "x",
    ]
    monkeypatch.setattr(sys, "orig_argv", words, raising=False)
    command = process_command()
    assert command.startswith("python -m jupyter ")
    assert command.endswith("-f x")
    assert "abc" not in command
    assert "def" not in command


def test_read_waits_for_no_write(path: Path, instant_clock: InstantSleepClock) -> None:
    """It uses another lock file, and fails never."""
    with (
        hold_lock(path, deadline=Deadline(9), clock=SYSTEM_CLOCK),
        share_read(path.with_suffix(".read"), wait_s=1, clock=instant_clock.clock),
    ):
        assert instant_clock.sleeps == []
        with share_read(path.with_suffix(".read"), wait_s=1, clock=instant_clock.clock):
            assert 0.9 < sum(instant_clock.sleeps) < 1.1


def test_pipe_in_place_of_the_lock_blocks_nothing(path: Path) -> None:
    """This process works alone."""
    path.parent.mkdir(mode=0o700)
    os.mkfifo(path, 0o600)
    with hold_lock(path, deadline=Deadline(9), clock=SYSTEM_CLOCK):
        pass
