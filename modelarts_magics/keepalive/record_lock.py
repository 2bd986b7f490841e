"""A record lock on a file of its own, which the system releases when its process ends, however it ends.

Unlike `flock`, the lock is not inherited by forked children, so that an orphan does not hold it on. Opening and
closing the file anywhere else in the process that holds the lock would release it; `is_locked` therefore
does not open a file that this process has locked.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_held: dict[str, int] = {}
"""The paths that are locked by a process, with its ID: a forked child inherits the entry but not the lock."""

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int, *, wait: bool, shared: bool) -> bool:  # noqa: ARG001 - as on POSIX
        try:
            msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(descriptor: int, *, wait: bool, shared: bool) -> bool:
        mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.lockf(descriptor, mode if wait else mode | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True


class RecordLock:
    """A lock that this process holds until `release`.

    Args:
        path: The file, which exists for this purpose only; it is created with mode 0600.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._owner = 0

    def acquire(self, *, wait: bool = False) -> bool:
        """Lock the file.

        Args:
            wait: Whether to wait until it is free.

        Returns:
            Whether this process has locked it now; False if it holds the lock already.

        Raises:
            OSError: The file cannot be opened.
        """
        if _is_held_here(self._path):
            return False
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _lock(descriptor, wait=wait, shared=False):
            os.close(descriptor)
            return False
        self._descriptor, self._owner = descriptor, os.getpid()
        _held[str(self._path)] = self._owner
        return True

    def release(self) -> None:
        """Release the lock; do nothing in a forked child or without the lock."""
        if self._descriptor is None or self._owner != os.getpid():
            return
        _held.pop(str(self._path), None)
        os.close(self._descriptor)
        self._descriptor = None


def is_locked(path: Path) -> bool:
    """Return whether a process holds the lock; False if there is no file."""
    if _is_held_here(path):
        return True
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    # A shared lock, so that two processes that look at once do not mistake each other for the holder.
    try:
        return not _lock(descriptor, wait=False, shared=True)
    finally:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def _is_held_here(path: Path) -> bool:
    return _held.get(str(path)) == os.getpid()
