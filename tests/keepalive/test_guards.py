"""Guards: alive as long as the working process, and ended by deleting their data file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from factories import HOUR, NOW

from modelarts_magics.keepalive import guards
from modelarts_magics.keepalive.guards import (
    CELL,
    NAMED,
    PID,
    Guard,
    hold_guard,
    list_guards,
    read_guards,
    remove_guard,
    save_guard,
)
from modelarts_magics.keepalive.processes import process_started
from modelarts_magics.keepalive.record_lock import RecordLock, is_locked

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import os, sys, time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from modelarts_magics.keepalive.guards import Guard, hold_guard
now = datetime.now(timezone.utc)
with hold_guard(Path(sys.argv[1]), Guard("train", "cell", os.getpid(), now, now + timedelta(hours=1))):
    for _ in range(int(sys.argv[2])):
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
    print("held", flush=True)
    exec(sys.argv[3])
"""


def make_guard(**changes: object) -> Guard:
    """Return the guard of a cell in this process."""
    values = {"name": "train", "kind": CELL, "pid": os.getpid(), "since": NOW, "until": NOW + HOUR}
    return Guard(**{**values, **changes})  # type: ignore[arg-type]


def start_holder(
    folder: Path, *, children: int = 0, work: str = "time.sleep(60)"
) -> subprocess.Popen[str]:
    """Start a process that holds a guard, and wait until it does."""
    holder = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", HOLDER, str(folder), str(children), work],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    return holder


def seconds_until_ended(folder: Path) -> float:
    """Wait until no guard is alive; return how long that took, at most two seconds."""
    started = time.monotonic()
    while list_guards(folder) and time.monotonic() - started < 2:
        time.sleep(0.005)
    return time.monotonic() - started


def test_guard_lasts_as_long_as_the_block(tmp_path: Path) -> None:
    """The guard is alive inside the block, and leaves no file behind."""
    guard = make_guard(reason="fine-tune", details={"record": True})
    with hold_guard(tmp_path, guard):
        assert list_guards(tmp_path) == [guard]
        assert list_guards(tmp_path) == [guard]
    assert list(tmp_path.iterdir()) == []


def test_guard_that_ends_with_a_stop_leaves_its_files_to_the_daemon(tmp_path: Path) -> None:
    """The daemon must learn of the end, even if it does not run at that moment."""
    guard = make_guard(then="stop")
    with hold_guard(tmp_path, guard):
        assert list_guards(tmp_path) == [guard]
    assert list_guards(tmp_path) == []
    assert read_guards(tmp_path) == [guard]


def test_files_are_private(tmp_path: Path) -> None:
    """No other user can read a guard or its lock."""
    folder = tmp_path / "new"
    with hold_guard(folder, make_guard()):
        assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.process
@pytest.mark.parametrize("children", [0, 2])
def test_guard_ends_when_the_process_is_killed(tmp_path: Path, children: int) -> None:
    """A killed process holds no guard, although its forked children go on."""
    with start_holder(tmp_path, children=children) as holder:
        assert [guard.pid for guard in list_guards(tmp_path)] == [holder.pid]
        holder.kill()
        assert seconds_until_ended(tmp_path) < 1
        assert [guard.pid for guard in read_guards(tmp_path)] == [holder.pid]


@pytest.mark.process
def test_forked_child_that_leaves_the_block_ends_nothing(tmp_path: Path) -> None:
    """The guard belongs to the process that entered the block."""
    work = "child = os.fork()\nif child == 0: sys.exit(0)\nos.waitpid(child, 0)\n"
    work += "print('reaped', flush=True)\ntime.sleep(60)"
    with start_holder(tmp_path, work=work) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "reaped\n"
        assert [guard.pid for guard in list_guards(tmp_path)] == [holder.pid]
        holder.kill()


@pytest.mark.process
def test_guard_lasts_while_the_process_holds_the_gil(tmp_path: Path) -> None:
    """A process that runs no other thread keeps its guard."""
    work = "import re; re.match(r'(a+)+$', 'a' * 40 + 'b')"
    with start_holder(tmp_path, work=work) as holder:
        time.sleep(0.3)
        assert list_guards(tmp_path)
        holder.send_signal(signal.SIGKILL)


def test_guard_of_a_process_lasts_as_long_as_it(tmp_path: Path) -> None:
    """The process is identified by its ID and its start, because IDs are used again."""
    pid = os.getpid()
    started = process_started(pid)
    save_guard(tmp_path, make_guard(kind=PID, name="this", details={"process_started": started}))
    save_guard(tmp_path, make_guard(kind=PID, name="reused", details={"process_started": 1}))
    save_guard(tmp_path, make_guard(kind=PID, name="ended", pid=2**22 + 1))
    assert [guard.name for guard in list_guards(tmp_path)] == ["this"]


def test_named_guard_lasts_until_it_is_removed(tmp_path: Path) -> None:
    """A guard that was started by name belongs to no process."""
    guard = make_guard(kind=NAMED, pid=2**22 + 1)
    save_guard(tmp_path, guard)
    assert list_guards(tmp_path) == [guard]
    remove_guard(tmp_path, guard)
    remove_guard(tmp_path, guard)
    assert list_guards(tmp_path) == []


@pytest.mark.process
def test_bound_is_changed_from_another_process(tmp_path: Path) -> None:
    """Changing the bound of a held guard leaves its lock alone."""
    with start_holder(tmp_path) as holder:
        (guard,) = list_guards(tmp_path)
        save_guard(tmp_path, replace(guard, until=guard.until + HOUR))
        assert [each.until for each in list_guards(tmp_path)] == [guard.until + HOUR]
        holder.kill()


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"version": 2}', "\x00", '{"version": 1, "name": "x"}']
)
def test_invalid_data_file_is_no_guard(tmp_path: Path, content: str) -> None:
    """A file of another version, or a damaged one, is ignored."""
    (tmp_path / "guard-00.json").write_text(content)
    assert read_guards(tmp_path) == []


def test_oldest_guard_comes_first(tmp_path: Path) -> None:
    """The guards are listed in the order in which the work began."""
    for minutes in (5, 1, 3):
        name = str(minutes)
        since = NOW + timedelta(minutes=minutes)
        save_guard(tmp_path, make_guard(kind=NAMED, name=name, since=since))
    assert [guard.name for guard in list_guards(tmp_path)] == ["1", "3", "5"]


def test_guard_that_cannot_be_written_raises(tmp_path: Path) -> None:
    """Where the folder cannot be created, the caller gets the error and no lock remains."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"), hold_guard(tmp_path / "file", make_guard()):
        pytest.fail("the block must not run")
    assert guards.list_guards(tmp_path / "file") == []


def test_lock_is_exclusive(tmp_path: Path) -> None:
    """A second lock of the same file fails until the first is released."""
    path = tmp_path / "lock"
    lock, other = RecordLock(path), RecordLock(path)
    assert not is_locked(path)
    assert lock.acquire()
    assert is_locked(path)
    assert not other.acquire()
    lock.release()
    assert not is_locked(path)
    assert other.acquire(wait=True)
    other.release()
