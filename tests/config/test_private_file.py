"""Files that others may write are treated as missing; nothing follows a link or waits for a pipe."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from modelarts_magics.config.private_file import (
    MAX_FILE_BYTES,
    is_exposed,
    open_private,
    private_status,
    read_private,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file that only its owner can write."""
    path = tmp_path / "file"
    path.write_bytes(b"content")
    path.chmod(0o600)
    return path


def test_private_file_is_read(file: Path) -> None:
    """Others may read it."""
    file.chmod(0o644)
    assert read_private(file) == b"content"
    assert private_status(file) is not None
    assert not is_exposed(file)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666, 0o777])
def test_file_that_others_may_write_is_not_read(file: Path, mode: int) -> None:
    """Neither its group nor everybody."""
    file.chmod(mode)
    assert read_private(file) is None
    assert private_status(file) is None
    assert is_exposed(file)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs another owner")
def test_file_of_another_user_is_not_read(file: Path) -> None:
    """Its owner may change it."""
    os.chown(file, 12345, 12345)
    assert read_private(file) is None
    assert is_exposed(file)
    with pytest.raises(OSError, match="file"):
        open_private(file)


def test_link_is_not_followed(file: Path, tmp_path: Path) -> None:
    """Whatever it leads to."""
    link, dangling = tmp_path / "link", tmp_path / "dangling"
    link.symlink_to(file)
    dangling.symlink_to(tmp_path / "created")
    for path in (link, dangling):
        assert read_private(path) is None
        assert private_status(path) is None
        with pytest.raises(OSError, match=path.name):
            open_private(path)
    assert not (tmp_path / "created").exists()


def test_pipe_blocks_nobody(tmp_path: Path) -> None:
    """It has no writer."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    assert read_private(pipe) is None
    assert private_status(pipe) is None
    with pytest.raises(OSError, match="pipe"):
        open_private(pipe)


def test_missing_folder_and_large_file_are_not_read(file: Path, tmp_path: Path) -> None:
    """Nothing is raised."""
    assert read_private(tmp_path / "nowhere") is None
    assert read_private(tmp_path) is None
    assert read_private(tmp_path / "a\0b") is None
    assert not is_exposed(tmp_path / "nowhere")
    os.truncate(file, MAX_FILE_BYTES + 1)
    assert read_private(file) is None


def test_lock_file_is_private(tmp_path: Path) -> None:
    """Also one that was created with another mode."""
    path = tmp_path / "lock"
    before = os.umask(0)
    try:
        os.close(open_private(path))
        assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(0o666)
        os.close(open_private(path))
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
