"""The doctor's checks of both environments: each finding has the one line that fixes it."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from modelarts_magics.doctor.findings import Finding, Level
from modelarts_magics.doctor.installation import (
    OWN,
    installation_findings,
    persistence_findings,
)
from modelarts_magics.doctor.jupyter_server import JupyterServer
from modelarts_magics.doctor.lab_extension import EXTENSION_NAME, MARKER_FILE, WIDGET_MANAGER

if TYPE_CHECKING:
    from pathlib import Path

VERSION = metadata.version(OWN)
WIDGETS_7 = metadata.version("ipywidgets").startswith("7")


class Machine:
    """A server and the extensions in its folders."""

    def __init__(self, folder: Path) -> None:
        self.prefix, self.data, self.config = folder / "env", folder / "data", folder / "config"

    def add(self, name: str, version: str, *, in_prefix: bool = False, ours: bool = False) -> Path:
        """Add an extension."""
        root = self.prefix / "share" / "jupyter" if in_prefix else self.data
        folder = root / "labextensions" / name
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(json.dumps({"version": version}))
        if ours:
            (folder / MARKER_FILE).touch()
        return folder

    def findings(self, lab: str = "4.2.7") -> dict[str, Finding]:
        """Return the findings by subject."""
        versions = {"jupyterlab": lab, "jupyter_server": "2.1", OWN: ""}
        path = (self.data, self.prefix / "share" / "jupyter")
        server = JupyterServer(
            7, "/server/python", self.prefix, versions, self.data, path, (self.config,)
        )
        return {each.subject: each for each in installation_findings(server)}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a server without extensions."""
    return Machine(tmp_path)


def test_server_and_its_versions_are_shown(machine: Machine) -> None:
    """With its interpreter, and what is missing there."""
    message = machine.findings()["server packages"].message
    assert message == "JupyterLab 4.2.7 · /server/python · modelarts-magics: not installed"
    assert "httpx" in machine.findings()["kernel packages"].message


def test_process_without_server_is_no_problem() -> None:
    """Nothing is advised."""
    (found,) = (each for each in installation_findings(None) if each.subject == "server packages")
    assert (found.level, found.hint) == (Level.INFO, "")
    assert "no Jupyter server" in found.message


@pytest.mark.parametrize(
    ("version", "options", "level", "hint"),
    [
        (VERSION, {"ours": True}, Level.OK, ""),
        (VERSION, {"in_prefix": True}, Level.OK, ""),
        ("0.0.1", {"ours": True}, Level.PROBLEM, "To install it: %modelarts install-lab"),
        ("0.0.1", {"in_prefix": True}, Level.PROBLEM, "/server/python -m pip install WHEEL"),
        ("0.0.1", {}, Level.PROBLEM, "Delete"),
    ],
)
def test_served_copy_is_compared_with_this_package(
    machine: Machine, version: str, options: dict[str, bool], level: Level, hint: str
) -> None:
    """The hint depends on how the copy was installed; a current one has none."""
    folder = machine.add(EXTENSION_NAME, version, **options)
    found = machine.findings()["sidebar"]
    assert found.level is level
    assert str(folder) in found.message
    assert hint in found.hint
    assert bool(hint) is bool(found.hint)


def test_missing_disabled_and_unsupported_sidebar_have_reasons(machine: Machine) -> None:
    """An old JupyterLab is no problem, because the rest works."""
    assert "install-lab" in machine.findings()["sidebar"].hint
    old = machine.findings(lab="3.6.8")
    assert "JupyterLab 3.6.8 cannot load it" in old["sidebar"].message
    assert old["sidebar"].hint == ""
    assert "widgets" not in old
    machine.add(EXTENSION_NAME, VERSION)
    page_config = machine.config / "labconfig" / "page_config.json"
    page_config.parent.mkdir(parents=True)
    page_config.write_text(json.dumps({"disabledExtensions": {EXTENSION_NAME: True}}))
    assert "labextension enable" in machine.findings()["sidebar"].hint


@pytest.mark.parametrize(
    ("version", "fits"), [("5.0.13", not WIDGETS_7), ("3.1.1", WIDGETS_7), ("", False)]
)
def test_widgets_of_another_version_are_reported(
    machine: Machine, version: str, fits: bool
) -> None:
    """The page shows those of one major version of ipywidgets."""
    if version:
        machine.add(WIDGET_MANAGER, version, in_prefix=True)
    found = machine.findings()["widgets"]
    assert (found.level is Level.OK) is fits
    assert bool(found.hint) is not fits
    assert version or "install-lab --widgets" in found.hint


def test_copy_in_the_work_folder_persists(tmp_path: Path) -> None:
    """Without it, `setup` is advised; with another version, too."""
    environ = {"HOME": str(tmp_path)}
    (found,) = persistence_findings(environ)
    assert "setup" not in found.hint
    (tmp_path / "work").mkdir()
    (found,) = persistence_findings(environ)
    assert "%modelarts setup" in found.hint

    copy = tmp_path / "work/.modelarts-magics" / "py{}.{}".format(*sys.version_info) / OWN
    info = copy / "modelarts_magics-0.0.1.dist-info"
    info.mkdir(parents=True)
    (tmp_path / "work" / "modelarts.py").touch()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {OWN}\nVersion: 0.0.1\n")
    (found,) = persistence_findings(environ)
    assert "starts version 0.0.1" in found.message
    assert "setup" in found.hint
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {OWN}\nVersion: {VERSION}\n")
    (found,) = persistence_findings(environ)
    assert (found.level, found.hint) == (Level.OK, "")
