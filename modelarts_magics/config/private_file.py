"""Files that only this user can write, such as those of the state folder.

A file that others can write may hold anything and may be a trap: a link, or a pipe that blocks its reader. Such
a file is treated as missing.
"""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

MAX_FILE_BYTES = 4 << 20
_SAFE_FLAGS = (
    getattr(os, "O_NOFOLLOW", 0)
    # Opening a pipe does not wait for its other end.
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


def private_status(path: Path) -> os.stat_result | None:
    """Return the status of a file; None if there is none, or if others may have written it."""
    try:
        status = os.lstat(path)
    except (OSError, ValueError):
        return None
    return status if _is_private_file(status) else None


def read_private(path: Path) -> bytes | None:
    """Return the content of a file; None if it cannot be read, or if others may have written it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _SAFE_FLAGS)
    except (OSError, ValueError):
        return None
    try:
        status = os.fstat(descriptor)
        if not _is_private_file(status) or status.st_size > MAX_FILE_BYTES:
            return None
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()
    except OSError:
        return None
    finally:
        os.close(descriptor)


def read_private_text(path: Path) -> str:
    """Return the text of a file, without a byte order mark.

    Raises:
        OSError: It cannot be read, or others may have written it.
        UnicodeDecodeError: It is not UTF-8.
    """
    content = read_private(path)
    if content is None:
        raise PermissionError(path)
    return content.decode("utf-8-sig")


def read_private_object(path: Path, *, version: int | None = None) -> dict[str, Any]:
    """Return the JSON object in a file; empty if it cannot be read, or if others may have written it.

    Args:
        path: The path of the file.
        version: What ``version`` of the object has to be; one with another version counts as empty.
    """
    try:
        data = json.loads(read_private_text(path))
    except (OSError, ValueError):
        return {}
    if not isinstance(data, dict) or (version is not None and data.get("version") != version):
        return {}
    return data


def open_private(path: Path, *, flags: int = 0) -> int:
    """Open a file for reading and writing, and create it with mode 0600; return its descriptor.

    Args:
        path: The path of the file.
        flags: More flags for `os.open`.

    Raises:
        OSError: It cannot be opened, is a link or no file, or others may have written it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _SAFE_FLAGS | flags, 0o600)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or not _is_owned(status):
            raise PermissionError(path)
        if os.name == "posix" and stat.S_IMODE(status.st_mode) != stat.S_IRUSR | stat.S_IWUSR:
            os.fchmod(descriptor, stat.S_IRUSR | stat.S_IWUSR)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def is_exposed(path: Path) -> bool:
    """Return whether others may write a file or folder, or own it; False if there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return False
    return not _is_owned(status) or _is_writable_by_others(status)


def _is_private_file(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and _is_owned(status) and not _is_writable_by_others(status)


def _is_owned(status: os.stat_result) -> bool:
    """Return whether the owner is this user or root, who can write every file anyway."""
    return not hasattr(os, "geteuid") or status.st_uid in (os.geteuid(), 0)


def _is_writable_by_others(status: os.stat_result) -> bool:
    return os.name == "posix" and bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
