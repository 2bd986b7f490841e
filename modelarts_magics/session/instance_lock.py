"""The lock of an instance: one process of the machine at a time changes it.

The holder writes its process ID and command into the lock file, so that a process that waits in vain can name it.
A suspended process keeps its lock.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import sys
from typing import IO, TYPE_CHECKING, NamedTuple

from modelarts_magics.config.private_file import is_exposed, open_private
from modelarts_magics.domain.after_fork import close_in_child
from modelarts_magics.domain.clock import Clock, Deadline
from modelarts_magics.errors import LockTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_WAIT_S = 5.0
"""Seconds that a write waits for the lock."""
_RETRY_S = 0.02
"""Seconds between two attempts to get the lock: a blocking `flock` has no timeout."""
_MAX_INFO_BYTES = 4096
_MAX_COMMAND_LENGTH = 160
_SECRET_OPTION = re.compile(r"token|passw|secret|credential|key", re.IGNORECASE)


class Holder(NamedTuple):
    """The process that holds a lock."""

    pid: int
    command: str


@contextlib.contextmanager
def hold_lock(path: Path, *, deadline: Deadline, clock: Clock) -> Iterator[None]:
    """Exclude other processes and threads during a block; without a usable lock file, exclude none.

    Args:
        path: The lock file.
        deadline: When to give up; at most `LOCK_WAIT_S` from now.
        clock: Time; replaced in tests.

    Raises:
        LockTimeoutError: The lock was not free in time; the error names its holder.
    """
    handle = _open_lock_file(path)
    if handle is None:
        yield
        return
    limit = Deadline(min(LOCK_WAIT_S, deadline.time_left_s), clock=clock)
    with handle:
        while not try_lock(handle):
            if limit.time_left_s <= 0:
                raise _timeout_error(path, _read_holder(handle))
            clock.sleep(_RETRY_S)
        pid = os.getpid()
        _write_holder(handle, Holder(pid, process_command()))
        try:
            yield
        finally:
            # A child that was forked in the block would release the lock of its parent.
            if os.getpid() == pid:
                unlock(handle)


@contextlib.contextmanager
def share_read(path: Path, *, wait_s: float, clock: Clock) -> Iterator[None]:
    """Wait shortly for another process that reads the same, so that its response can be used; never fail.

    Args:
        path: The lock file of reads, which no write holds.
        wait_s: Seconds to wait at most.
        clock: Time; replaced in tests.
    """
    handle = _open_lock_file(path)
    if handle is None:
        yield
        return
    limit = Deadline(wait_s, clock=clock)
    with handle:
        held = try_lock(handle)
        while not held and limit.time_left_s > 0:
            clock.sleep(_RETRY_S)
            held = try_lock(handle)
        pid = os.getpid()
        try:
            yield
        finally:
            if held and os.getpid() == pid:
                unlock(handle)


def process_command() -> str:
    """Return the command line of this process, without the values of options that may be secrets."""
    words: list[str] = []
    hide_next = False
    for word in getattr(sys, "orig_argv", [sys.executable, *sys.argv]):
        name, equals, _ = word.partition("=")
        secret = word.startswith("-") and _SECRET_OPTION.search(name) is not None
        words.append("…" if hide_next else f"{name}=…" if secret and equals else word)
        hide_next = secret and not equals
    return shlex.join(words)[:_MAX_COMMAND_LENGTH]


def _open_lock_file(path: Path) -> IO[bytes] | None:
    """Open the lock file; None if that is not possible, so that this process works alone."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if is_exposed(path.parent):
            return None
        handle = os.fdopen(open_private(path), "r+b", buffering=0)
    except OSError:
        return None
    # Otherwise a child would hold the lock when its parent has ended.
    close_in_child(handle)
    return handle


def _write_holder(handle: IO[bytes], holder: Holder) -> None:
    with contextlib.suppress(OSError):
        handle.truncate(0)
        handle.seek(0)
        handle.write(json.dumps(holder._asdict()).encode())


def _read_holder(handle: IO[bytes]) -> Holder | None:
    """Return the process that holds the lock; None if it is not known."""
    try:
        handle.seek(0)
        data = json.loads(handle.read(_MAX_INFO_BYTES))
        return Holder(int(data["pid"]), str(data["command"]))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _timeout_error(path: Path, holder: Holder | None) -> LockTimeoutError:
    if holder is None or not _is_running(holder.pid):
        return LockTimeoutError("store.locked", path=str(path))
    code = "store.locked_here" if holder.pid == os.getpid() else "store.locked_by"
    return LockTimeoutError(code, path=str(path), **holder._asdict())


def _is_running(pid: int) -> bool:
    if pid <= 0 or sys.platform == "win32":
        return pid > 0
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


if sys.platform == "win32":
    import msvcrt

    _LOCKED_BYTE = 1 << 20
    """The byte to lock: a locked one cannot be read, so it is behind those of the holder."""

    def try_lock(handle: IO[bytes]) -> bool:
        """Lock an open file; return whether that was possible."""
        handle.seek(_LOCKED_BYTE)
        try:
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def unlock(handle: IO[bytes]) -> None:
        """Unlock an open file."""
        handle.seek(_LOCKED_BYTE)
        msvcrt.locking(handle.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def try_lock(handle: IO[bytes]) -> bool:
        """Lock an open file; return whether that was possible, or the file system has no locks."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        # On a file system without locks this process works alone.
        except OSError:
            return True
        return True

    def unlock(handle: IO[bytes]) -> None:
        """Unlock an open file."""
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)
