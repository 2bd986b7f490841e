"""Installation of the JupyterLab extensions into the user's data folder, and their removal."""

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
    """Return the folder of lab extensions of an environment."""
    folder = tmp_path / "environment"
    for name in EXTENSION_NAMES:
        (folder / name / "static").mkdir(parents=True)
        (folder / name / "package.json").write_text(f'{{"name": "{name}"}}', encoding="utf-8")
        (folder / name / "static" / "main.js").write_text("1", encoding="utf-8")
    return folder


def test_installed_extensions_can_be_removed(source: Path, tmp_path: Path) -> None:
    """After removing them the folder is as before."""
    target = tmp_path / "mine"
    install_extensions(source, target)
    assert {path.name for path in target.iterdir()} == set(EXTENSION_NAMES)
    assert all(
        (target / name / "static" / "main.js").read_text() == "1" for name in EXTENSION_NAMES
    )
    remove_extensions(target)
    assert list(target.iterdir()) == []


def test_newer_version_replaces_the_older_one(source: Path, tmp_path: Path) -> None:
    """No file of the older version remains."""
    target = tmp_path / "mine"
    install_extensions(source, target)
    (target / EXTENSION_NAMES[0] / "static" / "old.js").touch()
    install_extensions(source, target)
    assert not (target / EXTENSION_NAMES[0] / "static" / "old.js").exists()
    assert (target / EXTENSION_NAMES[0] / MARKER_FILE).is_file()


def test_extension_without_marker_is_not_touched(source: Path, tmp_path: Path) -> None:
    """Only extensions with our marker file are replaced or removed."""
    target = tmp_path / "mine"
    (target / EXTENSION_NAMES[1]).mkdir(parents=True)
    (target / EXTENSION_NAMES[1] / "theirs.js").touch()
    lines = install_extensions(source, target)
    assert "left unchanged" in lines[1]
    remove_extensions(target)
    assert [path.name for path in target.iterdir()] == [EXTENSION_NAMES[1]]
    assert (target / EXTENSION_NAMES[1] / "theirs.js").is_file()


def test_widget_manager_is_installed_only_on_request(source: Path, tmp_path: Path) -> None:
    """It is removed with the other extensions."""
    (source / WIDGET_MANAGER / "static").mkdir(parents=True)
    (source / WIDGET_MANAGER / "package.json").touch()
    target = tmp_path / "mine"
    install_extensions(source, target)
    assert not (target / WIDGET_MANAGER).exists()
    install_extensions(source, target, include_widget_manager=True)
    assert (target / WIDGET_MANAGER / "package.json").is_file()
    assert len(remove_extensions(target)) == len(EXTENSION_NAMES) + 1
    assert list(target.iterdir()) == []


def test_missing_extension_is_reported(tmp_path: Path) -> None:
    """Nothing is written."""
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
def test_data_folder_is_that_of_jupyter(
    environ: dict[str, str], platform: str, folder: str
) -> None:
    """The rules are those of Jupyter's documentation."""
    assert jupyter_data_folder(environ, platform=platform) == Path(folder)
