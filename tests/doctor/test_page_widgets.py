"""Which widgets the pages of a server can show, and the line that adds the others."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from modelarts_magics.doctor.jupyter_server import JupyterServer
from modelarts_magics.doctor.lab_extension import WIDGET_MANAGER
from modelarts_magics.doctor.page_widgets import find_widget_obstacle

if TYPE_CHECKING:
    from pathlib import Path

ENABLE = "/server/python -m jupyter labextension enable anywidget"
INSTALL = "%modelarts install-lab --widgets"
CHANGE_7, CHANGE_8 = (f"{sys.executable} -m pip install 'ipywidgets=={n}.*'" for n in (7, 8))


def write(path: Path, content: object) -> None:
    """Write a JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def make_server(folder: Path, lab: str, extensions: dict[str, str]) -> JupyterServer:
    """Return a server with extensions, given with their versions."""
    versions = {"jupyterlab": lab, "jupyter_server": "2.1"}
    for name, version in extensions.items():
        write(folder / "data" / "labextensions" / name / "package.json", {"version": version})
    data, config = folder / "data", folder / "config"
    return JupyterServer(7, "/server/python", folder / "env", versions, data, (data,), (config,))


@pytest.mark.parametrize("lab", ["3.2.9", "3.6.8", "4.2.7"])
@pytest.mark.parametrize(
    ("ipywidgets", "extensions", "hint", "shows_controls"),
    [
        ("8.1.5", {}, INSTALL, False),
        ("8.1.5", {"anywidget": "0.9.21"}, INSTALL, False),
        ("8.1.5", {WIDGET_MANAGER: "3.1.11", "anywidget": "0.9.21"}, CHANGE_7, False),
        ("7.7.0", {WIDGET_MANAGER: "5.0.16", "anywidget": "0.9.21"}, CHANGE_8, False),
        ("8.1.5", {WIDGET_MANAGER: "5.0.16"}, INSTALL, True),
        ("7.7.0", {WIDGET_MANAGER: "3.1.11"}, INSTALL, True),
    ],
)
def test_what_is_missing_is_named_with_its_remedy(  # noqa: PLR0913 - the table
    tmp_path: Path,
    lab: str,
    ipywidgets: str,
    extensions: dict[str, str],
    hint: str,
    shows_controls: bool,
) -> None:
    """In each JupyterLab that loads front ends from the user's folder."""
    server = make_server(tmp_path, lab, extensions)
    found = find_widget_obstacle(server, {"HOME": str(tmp_path)}, ipywidgets=ipywidgets)
    assert found is not None
    assert hint in found.hint
    assert found.shows_controls is shows_controls


@pytest.mark.parametrize("lab", ["3.2.9", "4.2.7"])
def test_disabled_front_end_is_enabled_by_its_command(tmp_path: Path, lab: str) -> None:
    """It is served, but the page does not load it."""
    server = make_server(tmp_path, lab, {WIDGET_MANAGER: "5.0.16", "anywidget": "0.9.21"})
    assert find_widget_obstacle(server, {"HOME": str(tmp_path)}, ipywidgets="8.1.5") is None
    disabled = {"disabledExtensions": {"anywidget": True}}
    write(tmp_path / "config" / "labconfig" / "page_config.json", disabled)
    found = find_widget_obstacle(server, {"HOME": str(tmp_path)}, ipywidgets="8.1.5")
    assert found is not None
    assert ENABLE in found.hint


def test_unknown_pages_are_no_obstacle(tmp_path: Path) -> None:
    """Those of other programs, and of a JupyterLab that was built with its extensions."""
    environ = {"HOME": str(tmp_path)}
    for lab in ("", "2.3.1"):
        server = make_server(tmp_path, lab, {})
        assert find_widget_obstacle(server, environ, ipywidgets="8.1.5") is None
    build = tmp_path / "env" / "share" / "jupyter" / "lab" / "static" / "package.json"
    write(build, {"jupyterlab": {"extensions": {WIDGET_MANAGER: ""}}})
    server = make_server(tmp_path, "3.6.8", {})
    assert find_widget_obstacle(server, environ, ipywidgets="7.7.0") is None
