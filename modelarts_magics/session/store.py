"""The state file of one instance, shared by the processes of a machine.

There is one small JSON file for each endpoint, project and instance. It has mode 0600, is replaced
atomically, and is written only if something changed. A lock file beside it excludes other processes
from a write and its read-back. If the folder cannot be written, or others can write it, the process works
without sharing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

from modelarts_magics.config.atomic_file import replace_file
from modelarts_magics.config.private_file import (
    is_exposed,
    private_status,
    read_private,
)
from modelarts_magics.config.surviving_folder import surviving_folder
from modelarts_magics.domain.clock import SYSTEM_CLOCK
from modelarts_magics.session.instance_lock import hold_lock, share_read
from modelarts_magics.session.notify import notify

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from modelarts_magics.config.settings import Settings
    from modelarts_magics.domain.clock import Clock, Deadline

FORMAT_VERSION = 1
RUN_FILE_NAME = ".modelarts-magics-run.json"
_FILE_PATTERN = f"{'[0-9a-f]' * 16}.json"
_utime_follows_links = os.utime not in os.supports_follow_symlinks


def run_file_path(settings: Settings, environ: Mapping[str, str]) -> Path:
    """Return the path of the file about the last run, which may not exist yet."""
    return surviving_folder(settings, environ) / RUN_FILE_NAME


_FOLDER_CHECK_INTERVAL_S = 1.0
"""Seconds between two checks of the folder's mode, which seldom changes."""


class Store:
    """The state file of one instance.

    Args:
        folder: The folder of the state files; created by the first write.
        key: Endpoint, project ID and instance ID.
    """

    def __init__(self, folder: Path, *, key: tuple[str, str, str]) -> None:
        digest = state_digest(key)
        self._folder = folder
        self.path = folder / f"{digest}.json"
        self._lock_path = folder / f"{digest}.lock"
        self._loaded_fingerprint: tuple[int, int, int] | None = None
        self._data: dict[str, Any] = {}
        self._unsaved_since: datetime | None = None
        self._is_folder_exposed = False
        self._check_folder_after_s = 0.0

    @classmethod
    def latest(cls, folder: Path) -> Store | None:
        """Return the state file that was confirmed last; None if there is none.

        It is used if the instance cannot be identified.
        """
        if is_exposed(folder):
            return None
        found = [(private_fingerprint(path), path) for path in folder.glob(_FILE_PATTERN)]
        files = [(fingerprint[1], path) for fingerprint, path in found if fingerprint]
        if not files:
            return None
        store = cls(folder, key=("", "", ""))
        store.path = max(files)[1]
        store._lock_path = store.path.with_suffix(".lock")
        return store

    def load(self) -> dict[str, Any]:
        """Return the stored data; empty if there is none or it cannot be read."""
        fingerprint = self._fingerprint()
        if fingerprint != self._loaded_fingerprint:
            data = {} if fingerprint is None else _read_file(self.path)
            # Keep the same object while the content is the same: the cache compares identity.
            if data != self._data:
                self._data = data
            self._loaded_fingerprint, self._unsaved_since = fingerprint, None
        return self._data

    def save(self, data: dict[str, Any]) -> bool:
        """Store the data, unless it is unchanged.

        Returns:
            Whether it is on disk; False if the folder cannot be written, so that only this object has it.
        """
        if data == self.load() and self._unsaved_since is None:
            return True
        try:
            # JSON in ASCII can also hold an unpaired surrogate.
            content = json.dumps({"version": FORMAT_VERSION, **data}).encode()
            if is_exposed(self._folder):
                raise PermissionError(self._folder)
            status = replace_file(self.path, content, follow_link=False)
            self._loaded_fingerprint = stat_fingerprint(status)
            self._unsaved_since = None
            notify(self._folder)
        except OSError:
            self._loaded_fingerprint, self._unsaved_since = self._fingerprint(), SYSTEM_CLOCK.now()
        self._data = data
        return self._unsaved_since is None

    def touch(self) -> None:
        """Record that the stored data was confirmed now."""
        if self._unsaved_since is not None:
            self._unsaved_since = SYSTEM_CLOCK.now()
            return
        with contextlib.suppress(OSError):
            before = self._fingerprint()
            if before is None:
                return
            os.utime(self.path, follow_symlinks=_utime_follows_links)
            after = self._fingerprint()
            # The second of two new files may reuse the inode of the old one; its time differs.
            loaded = before == self._loaded_fingerprint
            if loaded and after and after[::2] == before[::2]:
                self._loaded_fingerprint = after

    def age(self, now: datetime) -> timedelta | None:
        """Return the time since the stored data was last confirmed; None if there is none."""
        fingerprint = self._fingerprint()
        if fingerprint == self._loaded_fingerprint and self._unsaved_since is not None:
            return now - self._unsaved_since
        if fingerprint is None:
            return None
        # The time of a file may be far beyond the range of `datetime`.
        return timedelta(seconds=now.timestamp() - fingerprint[1] / 1e9)

    def lock(self, *, deadline: Deadline, clock: Clock) -> AbstractContextManager[None]:
        """Exclude other processes and threads that change this instance; see `hold_lock`.

        Raises:
            LockTimeoutError: The lock was not free in time.
        """
        return hold_lock(self._lock_path, deadline=deadline, clock=clock)

    def share_read(self, *, wait_s: float, clock: Clock) -> AbstractContextManager[None]:
        """Wait shortly for a process that reads this instance, but for no write; see `share_read`."""
        return share_read(self._lock_path.with_suffix(".read"), wait_s=wait_s, clock=clock)

    def _fingerprint(self) -> tuple[int, int, int] | None:
        now_s = monotonic()
        if now_s >= self._check_folder_after_s:
            self._check_folder_after_s = now_s + _FOLDER_CHECK_INTERVAL_S
            self._is_folder_exposed = is_exposed(self._folder)
        return None if self._is_folder_exposed else private_fingerprint(self.path)


def private_fingerprint(path: Path) -> tuple[int, int, int] | None:
    """Return the fingerprint of a file; None if there is none, or if others may have written it."""
    status = private_status(path)
    return stat_fingerprint(status) if status else None


def state_digest(key: tuple[str, str, str]) -> str:
    """Return the name of the files of an instance, from its endpoint, project ID and instance ID."""
    return hashlib.sha256("\n".join(key).encode()).hexdigest()[:16]


def file_fingerprint(path: Path) -> tuple[int, int, int] | None:
    """Return a value that differs between two versions of a file; None if there is no file."""
    try:
        return stat_fingerprint(path.stat())
    except OSError:
        return None


def stat_fingerprint(stat: os.stat_result) -> tuple[int, int, int]:
    """Return the fingerprint of the file that has this status."""
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _read_file(path: Path) -> dict[str, Any]:
    try:
        data = json.loads((read_private(path) or b"").decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(data, dict) or data.pop("version", None) != FORMAT_VERSION:
        return {}
    return data
