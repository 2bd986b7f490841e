"""The doctor's checks of both environments: each finding has the one line that fixes it."""

from __future__ import annotations

import json
import os
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
        self.work = folder / "work"
        self.environ = {"HOME": str(folder)}

    def add(self, name: str, version: str, *, in_prefix: bool = False, ours: bool = False) -> Path:
        """Add an extension."""
        root = self.prefix / "share" / "jupyter" if in_prefix else self.data
        folder = root / "labextensions" / name
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(json.dumps({"version": version}))
        if ours:
            (folder / MARKER_FILE).touch()
        return folder

    def add_kernel(self, name: str, program: str) -> None:
        """Add a kernel spec."""
        folder = self.data / "kernels" / name
        folder.mkdir(parents=True)
        argv = [program, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        (folder / "kernel.json").write_text(json.dumps({"argv": argv, "language": "python"}))

    def all_findings(self, lab: str = "4.2.7", *, pid: int = 7) -> list[Finding]:
        """Return the findings; with the ID of this process, as the server itself finds them."""
        versions = {"jupyterlab": lab, "jupyter_server": "2.1", OWN: ""}
        path = (self.data, self.prefix / "share" / "jupyter")
        server = JupyterServer(
            pid, "/server/python", self.prefix, versions, self.data, path, (self.config,)
        )
        return list(installation_findings(server, self.environ))

    def findings(self, lab: str = "4.2.7", *, pid: int = 7) -> dict[str, Finding]:
        """Return the findings by subject."""
        return {each.subject: each for each in self.all_findings(lab, pid=pid)}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a server without extensions."""
    return Machine(tmp_path)


def test_server_and_its_versions_are_shown(machine: Machine) -> None:
    """With its interpreter, and what is missing there."""
    message = machine.findings()["server packages"].message
    assert message == "JupyterLab 4.2.7 · /server/python · modelarts-magics: not installed"
    assert "httpcore" in machine.findings()["kernel packages"].message


def test_process_without_server_is_no_problem() -> None:
    """Nothing is advised."""
    (found,) = (
        each for each in installation_findings(None, {}) if each.subject == "server packages"
    )
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
    assert "install-lab --widgets" in old["widgets"].hint
    assert "widgets" not in machine.findings(lab="")
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
    machine.add("anywidget", "0.9.21")
    found = machine.findings()["widgets"]
    assert (found.level is Level.OK) is fits
    assert bool(found.hint) is not fits
    assert version or "install-lab --widgets" in found.hint


def add_copy(work: Path, folder: str, version: str) -> None:
    """Add what `setup` writes for a Python version."""
    info = work / ".modelarts-magics" / folder / OWN / "modelarts_magics-1.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (work / "modelarts.py").touch()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {OWN}\nVersion: {version}\n")


def test_widgets_are_added_by_the_command_that_keeps_them(machine: Machine) -> None:
    """After `setup`, those of `install-lab` would be lost when the instance stops."""
    assert "install-lab --widgets" in machine.findings()["widgets"].hint
    add_copy(machine.work, "py3.9", VERSION)
    assert "setup --widgets" in machine.findings()["widgets"].hint


@pytest.mark.process
def test_server_finds_what_its_kernels_have(machine: Machine) -> None:
    """Its own packages are none of a kernel; an interpreter that is missing has nothing."""
    machine.add_kernel("here", sys.executable)
    machine.add_kernel("same", sys.executable)
    machine.add_kernel("gone", "/nowhere/bin/python")
    machine.add_kernel("ir", "R")
    found = [
        each for each in machine.all_findings(pid=os.getpid()) if each.subject == "kernel packages"
    ]
    assert [(each.message, each.level, each.hint) for each in found] == [
        ("gone · /nowhere/bin/python · modelarts-magics: not installed", Level.INFO, ""),
        (f"here, same · {sys.executable} · modelarts-magics: {VERSION}", Level.OK, ""),
    ]


@pytest.mark.process
def test_server_advises_nothing_that_is_done_for_kernels(machine: Machine, tmp_path: Path) -> None:
    """What `setup` has written counts for the kernels of its Python version, also where the server has another."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    answer = json.dumps({"prefix": "/", "python": "2.6.1", "versions": {OWN: ""}})
    python.write_text(f"#!/bin/sh\necho '{answer}'\n")
    python.chmod(0o755)
    machine.add_kernel("other", str(python))
    machine.work.mkdir()
    before = machine.findings(pid=os.getpid())
    assert f"{python} -m pip install" in before["kernel packages"].hint
    assert "%modelarts setup" in before["persistence"].hint
    add_copy(machine.work, "py2.6", VERSION)
    after = machine.findings(pid=os.getpid())
    assert after["kernel packages"].message.endswith(f"modelarts-magics: {VERSION}")
    assert after["kernel packages"].hint == ""
    assert (after["persistence"].level, after["persistence"].hint) == (Level.OK, "")
    # A kernel of another Python version still needs its own.
    assert "%modelarts setup" in machine.findings()["persistence"].hint


def test_copy_in_the_work_folder_persists(tmp_path: Path) -> None:
    """Without it, `setup` is advised; with another version, too."""
    environ = {"HOME": str(tmp_path)}
    (found,) = persistence_findings(environ)
    assert "setup" not in found.hint
    (tmp_path / "work").mkdir()
    (found,) = persistence_findings(environ)
    assert "%modelarts setup" in found.hint

    own = "py{}.{}".format(*sys.version_info)
    add_copy(tmp_path / "work", own, "0.0.1")
    (found,) = persistence_findings(environ)
    assert "starts version 0.0.1" in found.message
    assert "setup" in found.hint
    add_copy(tmp_path / "work", own, VERSION)
    (found,) = persistence_findings(environ)
    assert (found.level, found.hint) == (Level.OK, "")
