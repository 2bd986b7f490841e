"""What was last known of one instance, on local disk, shared by every process of this machine.

One small JSON file for each endpoint, project and instance, mode 0600, replaced atomically and
written only when something changed; beside it a lock file that makes a read-change-read-back of one
process exclude those of the others. Where the folder cannot be written everything still works, alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from datetime import datetime, timedelta, timezone
from typing import IO, TYPE_CHECKING, Any

from modelarts_magics.config.atomic_file import replace_file
from modelarts_magics.domain.clock import SYSTEM_CLOCK
from modelarts_magics.errors import LockTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelarts_magics.domain.clock import Clock, Deadline

FORMAT_VERSION = 1
_FILE_PATTERN = f"{'[0-9a-f]' * 16}.json"
_LOCK_RETRY_S = 0.02
"""Seconds between two tries for the lock: `flock` can wait, but neither time out nor be interrupted."""


class Store:
    """The file of one instance.

    Args:
        folder: Where the files are; made when first written.
        key: What the file is about, as endpoint, project id and instance id.
    """

    def __init__(self, folder: Path, *, key: tuple[str, str, str]) -> None:
        digest = hashlib.sha256("\n".join(key).encode()).hexdigest()[:16]
        self.path = folder / f"{digest}.json"
        self._lock_path = folder / f"{digest}.lock"
        self._loaded_fingerprint: tuple[int, int, int] | None = None
        self._data: dict[str, Any] = {}
        self._unsaved_since: datetime | None = None

    @classmethod
    def latest(cls, folder: Path) -> Store | None:
        """The store that was confirmed last, for who cannot say what it is about; None if there is none."""
        files = [
            (stamp[1], path)
            for path in folder.glob(_FILE_PATTERN)
            for stamp in (file_fingerprint(path),)
            if stamp
        ]
        if not files:
            return None
        store = cls(folder, key=("", "", ""))
        store.path = max(files)[1]
        store._lock_path = store.path.with_suffix(".lock")
        return store

    def load(self) -> dict[str, Any]:
        """What was last saved; empty if nothing was, or it cannot be read."""
        stamp = self._fingerprint()
        if stamp != self._loaded_fingerprint:
            data = {} if stamp is None else _read_file(self.path)
            if data != self._data:  # the same object as long as it says the same
                self._data = data
            self._loaded_fingerprint, self._unsaved_since = stamp, None
        return self._data

    def save(self, data: dict[str, Any]) -> bool:
        """Replace what is saved, unless it is the same already.

        Returns:
            Whether it is on disk now; False where the folder cannot be written, so that only this
            object knows it.
        """
        if data == self.load() and self._unsaved_since is None:
            return True
        try:
            # JSON in ASCII can also hold an unpaired surrogate.
            content = json.dumps({"version": FORMAT_VERSION, **data}).encode()
            self._loaded_fingerprint = stat_fingerprint(replace_file(self.path, content))
            self._unsaved_since = None
        except OSError:
            self._loaded_fingerprint, self._unsaved_since = self._fingerprint(), SYSTEM_CLOCK.now()
        self._data = data
        return self._unsaved_since is None

    def touch(self) -> None:
        """Note that what is saved was confirmed just now."""
        if self._unsaved_since is not None:
            self._unsaved_since = SYSTEM_CLOCK.now()
            return
        with contextlib.suppress(OSError):
            before = self._fingerprint()
            os.utime(self.path)
            stamp = self._fingerprint()
            # Of two files that replaced the one seen, the second may have its inode: only the time tells.
            if (
                stamp
                and before
                and before == self._loaded_fingerprint
                and stamp[::2] == before[::2]
            ):
                self._loaded_fingerprint = stamp

    def age(self, now: datetime) -> timedelta | None:
        """How long ago what is saved was last confirmed; None if nothing is saved."""
        stamp = self._fingerprint()
        if stamp == self._loaded_fingerprint and self._unsaved_since is not None:
            return now - self._unsaved_since
        return None if stamp is None else now - datetime.fromtimestamp(stamp[1] / 1e9, timezone.utc)

    @contextlib.contextmanager
    def lock(self, *, deadline: Deadline, clock: Clock) -> Iterator[None]:
        """Exclude the other processes (and threads) that work on this instance.

        Raises:
            LockTimeoutError: Somebody else held the lock until the deadline.
        """
        try:
            self._lock_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = self._lock_path.open("a+b")
        except OSError:  # no folder to write to: this process works alone
            yield
            return
        with handle:
            while not _try_lock(handle):
                if deadline.time_left_s <= 0:
                    raise LockTimeoutError("store.locked", path=str(self._lock_path))
                clock.sleep(_LOCK_RETRY_S)
            try:
                yield
            finally:
                _unlock(handle)

    def _fingerprint(self) -> tuple[int, int, int] | None:
        return file_fingerprint(self.path)


def file_fingerprint(path: Path) -> tuple[int, int, int] | None:
    """What tells one version of a file from another that took its place; None if there is none."""
    try:
        return stat_fingerprint(path.stat())
    except OSError:
        return None


def stat_fingerprint(stat: os.stat_result) -> tuple[int, int, int]:
    """Return the fingerprint of the file that has this status."""
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _read_file(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(data, dict) or data.pop("version", None) != FORMAT_VERSION:
        return {}
    return data


if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: IO[bytes]) -> bool:
        handle.seek(0)
        try:
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(handle: IO[bytes]) -> None:
        handle.seek(0)
        msvcrt.locking(handle.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(handle: IO[bytes]) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks: this process works alone
            return True
        return True

    def _unlock(handle: IO[bytes]) -> None:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)
