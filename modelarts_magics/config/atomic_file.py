"""Replace a file atomically: a reader sees the old content or the new, never a part."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def replace_file(path: Path, content: bytes, *, follow_link: bool = True) -> os.stat_result:
    """Write a new file with mode 0600 and put it in the place of `path`.

    Missing folders are created with mode 0700.

    Args:
        path: The path of the file.
        content: The new content.
        follow_link: Whether a symbolic link is followed, so that it remains a link; else it is replaced.

    Returns:
        The status of the new file, taken before another process could replace it in turn.

    Raises:
        OSError: The file cannot be written; the old one is unchanged.
    """
    target = path.resolve() if follow_link and path.is_symlink() else path
    temporary = f"{target}.{os.urandom(6).hex()}"
    try:
        status = _write_new(temporary, content)
        # A `Path` that is used once takes more time than the call.
        os.replace(temporary, target)  # noqa: PTH105
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return status


def replace_object(path: Path, data: Mapping[str, object]) -> None:
    """Write a JSON object as `replace_file` writes a file; `private_file.read_private_object` reads it.

    Raises:
        OSError: The file cannot be written; the old one is unchanged.
    """
    replace_file(path, json.dumps(data).encode())


def _write_new(path: str, content: bytes) -> os.stat_result:
    descriptor = _create(path)
    try:
        if os.write(descriptor, content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


def _create(path: str) -> int:
    try:
        return os.open(path, _CREATE_FLAGS, mode=0o600)
    except FileNotFoundError:
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, _CREATE_FLAGS, mode=0o600)
