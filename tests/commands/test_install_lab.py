"""Lab extensions in the person's own folder: copied, marked, taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelarts_magics.commands.install_lab import (
    EXTENSION_NAMES,
    MARKER_FILE,
    WIDGET_MANAGER,
    install_extensions,
    jupyter_data_folder,
    remove_extensions,
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An environment's lab extensions."""
    folder = tmp_path / "environment"
    for name in EXTENSION_NAMES:
        (folder / name / "static").mkdir(parents=True)
        (folder / name / "package.json").write_text(f'{{"name": "{name}"}}', encoding="utf-8")
        (folder / name / "static" / "main.js").write_text("1", encoding="utf-8")
    return folder


def test_what_is_installed_is_whole_and_can_be_taken_back(source: Path, tmp_path: Path) -> None:
    """After removing, the folder is as it was."""
    target = tmp_path / "mine"
    install_extensions(source, target)
    assert {path.name for path in target.iterdir()} == set(EXTENSION_NAMES)
    assert all(
        (target / name / "static" / "main.js").read_text() == "1" for name in EXTENSION_NAMES
    )
    remove_extensions(target)
    assert list(target.iterdir()) == []


def test_a_newer_version_replaces_ours(source: Path, tmp_path: Path) -> None:
    """Nothing of the older one stays."""
    target = tmp_path / "mine"
    install_extensions(source, target)
    (target / EXTENSION_NAMES[0] / "static" / "old.js").touch()
    install_extensions(source, target)
    assert not (target / EXTENSION_NAMES[0] / "static" / "old.js").exists()
    assert (target / EXTENSION_NAMES[0] / MARKER_FILE).is_file()


def test_what_somebody_else_put_there_is_neither_replaced_nor_removed(
    source: Path, tmp_path: Path
) -> None:
    """Only our own mark gives the right to."""
    target = tmp_path / "mine"
    (target / EXTENSION_NAMES[1]).mkdir(parents=True)
    (target / EXTENSION_NAMES[1] / "theirs.js").touch()
    lines = install_extensions(source, target)
    assert "left unchanged" in lines[1]
    remove_extensions(target)
    assert [path.name for path in target.iterdir()] == [EXTENSION_NAMES[1]]
    assert (target / EXTENSION_NAMES[1] / "theirs.js").is_file()


def test_what_shows_widgets_is_installed_only_if_asked_for(source: Path, tmp_path: Path) -> None:
    """And goes with the rest; somebody's own stays."""
    (source / WIDGET_MANAGER / "static").mkdir(parents=True)
    (source / WIDGET_MANAGER / "package.json").touch()
    target = tmp_path / "mine"
    install_extensions(source, target)
    assert not (target / WIDGET_MANAGER).exists()
    install_extensions(source, target, include_widget_manager=True)
    assert (target / WIDGET_MANAGER / "package.json").is_file()
    assert len(remove_extensions(target)) == len(EXTENSION_NAMES) + 1
    assert list(target.iterdir()) == []


def test_what_the_environment_lacks_is_said(tmp_path: Path) -> None:
    """And nothing is written for it."""
    lines = install_extensions(tmp_path / "empty", tmp_path / "mine")
    assert all("not found in this environment" in line for line in lines)
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    ("environ", "platform", "folder"),
    [
        ({"JUPYTER_DATA_DIR": "/d", "HOME": "/h"}, "linux", "/d"),
        ({"HOME": "/h"}, "linux", "/h/.local/share/jupyter"),
        ({"HOME": "/h", "XDG_DATA_HOME": "/x"}, "linux", "/x/jupyter"),
        ({"HOME": "/h"}, "darwin", "/h/Library/Jupyter"),
        ({"APPDATA": "/a", "USERPROFILE": "/u"}, "win32", "/a/jupyter"),
    ],
)
def test_the_folder_is_the_one_that_jupyter_reads(
    environ: dict[str, str], platform: str, folder: str
) -> None:
    """As Jupyter's own documentation names it."""
    assert jupyter_data_folder(environ, platform=platform) == Path(folder)
