"""Replacing a file atomically."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from modelarts_magics.config.atomic_file import replace_file

if TYPE_CHECKING:
    from pathlib import Path


def test_replace_file_creates_private_file_and_folders(tmp_path: Path) -> None:
    """Missing folders are created; other users may not read the file."""
    path = tmp_path / "new" / "folder" / "file.json"
    status = replace_file(path, b"one")
    assert path.read_bytes() == b"one"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert status.st_ino == path.stat().st_ino


def test_replace_file_makes_a_new_file(tmp_path: Path) -> None:
    """A reader that has the old file open still reads the old content."""
    path = tmp_path / "file.json"
    replace_file(path, b"old")
    with path.open("rb") as reader:
        replace_file(path, b"new")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_replace_file_follows_a_symbolic_link(tmp_path: Path) -> None:
    """The link stays, its target gets the content."""
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    replace_file(link, b"content")
    assert link.is_symlink()
    assert target.read_bytes() == b"content"


def test_replace_file_leaves_nothing_after_a_failure(tmp_path: Path) -> None:
    """A folder in the place of the file cannot be replaced."""
    path = tmp_path / "file"
    path.mkdir()
    with pytest.raises(OSError, match="file"):
        replace_file(path, b"content")
    assert list(tmp_path.iterdir()) == [path]
