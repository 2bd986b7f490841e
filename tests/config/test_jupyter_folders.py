"""Jupyter's folders are found by its own rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelarts_magics.config.jupyter_folders import jupyter_data_folder, jupyter_runtime_folder


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


@pytest.mark.parametrize("home", ["~", "relative", "./x"])
def test_relative_home_has_no_folder(home: str) -> None:
    """Nothing in the current folder is taken for that of Jupyter."""
    assert jupyter_data_folder({"HOME": home}).is_absolute()
    assert not jupyter_runtime_folder({"HOME": home}).exists()


def test_runtime_folder_is_in_the_data_folder_unless_named() -> None:
    """As for Jupyter."""
    assert jupyter_runtime_folder({"JUPYTER_DATA_DIR": "/d"}) == Path("/d/runtime")
    variables = {"JUPYTER_DATA_DIR": "/d", "JUPYTER_RUNTIME_DIR": "/r"}
    assert jupyter_runtime_folder(variables) == Path("/r")
