"""Installation of the JupyterLab extensions into the user's data folder, and their removal."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import pytest

from modelarts_magics.commands.install_lab import (
    EXTENSION_NAMES,
    HELPER_FILE,
    install_extensions,
    kernel_spec_name,
    remove_extensions,
)
from modelarts_magics.doctor.jupyter_server import JupyterServer
from modelarts_magics.doctor.lab_extension import (
    EXTENSION_NAME,
    MARKER_FILE,
    WIDGET_MANAGER,
    LabExtension,
    packaged_extension,
    read_extension,
)
from modelarts_magics.errors import RefusedError
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from collections.abc import Iterator

ALL_NAMES = (*EXTENSION_NAMES, WIDGET_MANAGER)


class Installation:
    """Extensions in an environment, a user's data folder and a server.

    Attributes:
        source: The folder of the environment's extensions.
        target: The user's folder of extensions.
    """

    def __init__(self, folder: Path) -> None:
        self.source, self.data = folder / "environment", folder / "home" / "jupyter"
        self.target = self.data / "labextensions"
        self.environ = {"JUPYTER_DATA_DIR": str(self.data)}
        for name in ALL_NAMES:
            self.make(self.source / name, "1.0")

    def make(self, folder: Path, version: str) -> None:
        """Create an extension."""
        (folder / "static").mkdir(parents=True, exist_ok=True)
        package = {"name": folder.name, "version": version}
        (folder / "package.json").write_text(json.dumps(package), encoding="utf-8")
        (folder / "static" / "main.js").write_text("1", encoding="utf-8")

    def find(self, name: str) -> LabExtension | None:
        """Return an extension of the environment."""
        return read_extension(name, self.source / name)

    def server(self, *, lab: str = "4.2.7", data_path: tuple[Path, ...] = ()) -> JupyterServer:
        """Return a server that serves the user's folder, and those in `data_path` before it."""
        versions = {"jupyterlab": lab, "jupyter_server": "2.0", "notebook": ""}
        path = (*data_path, self.data)
        config = (self.data.parent / "config",)
        return JupyterServer(
            1, "/server/bin/python", Path("/server"), versions, self.data, path, config
        )

    def install(self, server: JupyterServer | None = None, *, widgets: bool = False) -> str:
        """Install, and return the output."""
        lines = install_extensions(
            self.environ, server, include_widget_manager=widgets, find_source=self.find
        )
        return "\n".join(lines)

    def remove(self) -> str:
        """Remove, and return the output."""
        return "\n".join(remove_extensions([self.target]))

    def files(self) -> list[str]:
        """Return all files and folders of the user."""
        root = self.data.parent
        return sorted(str(each.relative_to(root)) for each in root.rglob("*"))


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Return an environment with all extensions and an empty home."""
    return Installation(tmp_path)


@pytest.mark.parametrize("widgets", [False, True])
def test_installed_extensions_can_be_removed(installation: Installation, widgets: bool) -> None:
    """After removing them the folder is as before."""
    names = ALL_NAMES if widgets else EXTENSION_NAMES
    output = installation.install(widgets=widgets)
    for name in ALL_NAMES:
        assert (installation.target / name / "static" / "main.js").is_file() is (name in names)
        assert (f"{name} 1.0: installed in" in output) is (name in names)
    assert installation.remove().count("removed from") == len(names)
    assert list(installation.target.iterdir()) == []
    assert installation.remove() == text("lab.not_installed")


def test_newer_version_replaces_the_older_one(installation: Installation) -> None:
    """No file of the older version remains, and the output names both versions."""
    installation.install()
    (installation.target / EXTENSION_NAME / "static" / "old.js").touch()
    installation.make(installation.source / EXTENSION_NAME, "1.1")
    assert f"{EXTENSION_NAME} 1.1: installed in" in installation.install()
    assert not (installation.target / EXTENSION_NAME / "static" / "old.js").exists()
    assert {each.name for each in installation.target.iterdir()} == set(EXTENSION_NAMES)


def test_extension_without_marker_is_not_touched(installation: Installation) -> None:
    """Only extensions with our marker file are replaced or removed; the version is named."""
    installation.make(installation.target / EXTENSION_NAME, "0.9")
    assert "left unchanged" in installation.install()
    assert "version 0.9" in installation.install()
    assert "left unchanged" in installation.remove()
    assert (installation.target / EXTENSION_NAME / "static" / "main.js").is_file()
    assert not (installation.target / EXTENSION_NAME / MARKER_FILE).exists()


def test_extension_installed_by_pip_is_left_alone(installation: Installation) -> None:
    """With ``pip install --user`` the files are in the user's folder already."""
    installation.source = installation.target
    for name in ALL_NAMES:
        installation.make(installation.target / name, "1.0")
    assert "installed by pip" in installation.install()
    assert not (installation.target / EXTENSION_NAME / MARKER_FILE).exists()


def test_nothing_to_install_is_an_error(installation: Installation) -> None:
    """Nothing is written."""
    installation.source = installation.source / "empty"
    with pytest.raises(RefusedError, match="Nothing was installed") as caught:
        installation.install()
    assert sys.executable in caught.value.hint
    assert installation.files() == []


@pytest.mark.parametrize("failing", [0, 1, 2])
@pytest.mark.parametrize("present", [False, True])
def test_failed_copy_leaves_nothing_behind(
    installation: Installation, failing: int, present: bool
) -> None:
    """Neither a new folder nor a half replaced one."""
    if present:
        installation.install(widgets=True)
        installation.make(installation.source / EXTENSION_NAME, "1.1")
    before = installation.files()
    broken = installation.source / ALL_NAMES[failing] / "static" / "broken.js"
    broken.symlink_to("nowhere")
    with pytest.raises(RefusedError, match="Cannot write"):
        installation.install(widgets=True)
    assert installation.files() == before
    broken.unlink()
    installation.install(widgets=True)


@pytest.mark.parametrize("lab", ["3.2.9", "3.6.8", ""])
def test_old_jupyterlab_is_refused_with_reason(installation: Installation, lab: str) -> None:
    """Nothing is written; the message says what serves the page and what works instead."""
    with pytest.raises(RefusedError, match="needs JupyterLab 4") as caught:
        installation.install(installation.server(lab=lab))
    assert (f"JupyterLab {lab}" if lab else "Jupyter Server 2.0") in str(caught.value)
    for works in ("status", "extend", "remind"):
        assert works in caught.value.hint
    assert ("install-lab --widgets" in caught.value.hint) is bool(lab)
    assert installation.files() == []


def test_old_jupyterlab_gets_widgets_without_the_sidebar(installation: Installation) -> None:
    """Only on request, and all is removed again."""
    output = installation.install(installation.server(lab="3.6.8"), widgets=True)
    assert "JupyterLab 3.6.8 cannot load the sidebar" in output
    assert (installation.target / "anywidget" / "static" / "main.js").is_file()
    assert not (installation.target / EXTENSION_NAME).exists()
    assert installation.remove().count("removed from") == 2
    assert list(installation.target.iterdir()) == []
    with pytest.raises(RefusedError, match="Nothing was installed"):
        installation.install(installation.server(lab=""), widgets=True)


def test_widget_front_end_of_the_server_is_kept(installation: Installation, tmp_path: Path) -> None:
    """Another one would show no widgets of the other kernels; our own copy is replaced."""
    server = installation.server(data_path=(tmp_path / "system",))
    served = tmp_path / "system" / "labextensions" / WIDGET_MANAGER
    installation.make(served, "5.0.16")
    installation.install(server, widgets=True)
    assert not (installation.target / WIDGET_MANAGER).exists()
    shutil.rmtree(served)
    installation.install(server, widgets=True)
    installation.make(installation.source / WIDGET_MANAGER, "1.1")
    assert f"{WIDGET_MANAGER} 1.1: installed in" in installation.install(server, widgets=True)


def test_folder_of_the_server_is_used(installation: Installation, tmp_path: Path) -> None:
    """Its data folder may be another one than that of this process."""
    installation.environ = {"JUPYTER_DATA_DIR": str(tmp_path / "kernel")}
    installation.install(installation.server())
    assert (installation.target / EXTENSION_NAME).is_dir()
    assert not (tmp_path / "kernel").exists()


def test_copy_that_takes_precedence_is_reported(installation: Installation, tmp_path: Path) -> None:
    """The server serves the first one of its path."""
    installation.make(tmp_path / "first" / "labextensions" / EXTENSION_NAME, "0.8")
    output = installation.install(installation.server(data_path=(tmp_path / "first",)))
    assert f"another copy, version 0.8 in {tmp_path / 'first'}" in output


def test_unserved_folder_is_reported(installation: Installation, tmp_path: Path) -> None:
    """The server's path lacks the user's folder, for example because it runs isolated."""
    server = installation.server()
    isolated = JupyterServer(**{**vars(server), "data_path": (tmp_path / "other",)})
    assert "does not search" in installation.install(isolated)


@pytest.mark.parametrize("value", [{EXTENSION_NAME: True}, [EXTENSION_NAME]])
def test_disabled_extension_is_reported(installation: Installation, value: object) -> None:
    """The output has the command that enables it."""
    config = installation.data.parent / "config" / "labconfig" / "page_config.json"
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps({"disabledExtensions": value}))
    output = installation.install(installation.server())
    assert f"/server/bin/python -m jupyter labextension enable {EXTENSION_NAME}" in output
    config.write_text(json.dumps({"disabledExtensions": {EXTENSION_NAME: False}}))
    assert "labextension enable" not in installation.install(installation.server())


def test_kernel_of_this_interpreter_is_recorded(installation: Installation) -> None:
    """The page starts it first."""
    foreign = ["/other/bin/python", "python", ""]
    specs = {"a": foreign, "b": [sys.executable, "-m", "ipykernel"], "c": []}
    for name, argv in specs.items():
        folder = installation.data / "kernels" / name
        folder.mkdir(parents=True)
        (folder / "kernel.json").write_text(json.dumps({"argv": argv}))
    (installation.data / "kernels" / "c" / "kernel.json").write_text("no JSON")
    installation.install()
    recorded = json.loads((installation.target / EXTENSION_NAME / HELPER_FILE).read_text())
    assert (recorded["kernel"], recorded["activate"], recorded["version"]) == ("b", "", "1.0")
    assert recorded["installed_at_ms"] == pytest.approx(time.time() * 1000, abs=60_000)
    assert kernel_spec_name([]) == ""


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Return a function that installs a distribution, as pip does for a scheme."""

    def make(package: str, share: str, record: str) -> Path:
        root, data = tmp_path / package, tmp_path / share / "share/jupyter/labextensions"
        info = root / "modelarts_magics-9.9.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: modelarts-magics\nVersion: 9.9\n"
        )
        file = f"{record}share/jupyter/labextensions/{EXTENSION_NAME}/package.json"
        (info / "RECORD").write_text(f"{file},,\n")
        (data / EXTENSION_NAME).mkdir(parents=True)
        (data / EXTENSION_NAME / "package.json").write_text('{"version": "9.9"}')
        monkeypatch.setattr(sys, "path", [str(root), *sys.path])
        return data / EXTENSION_NAME

    return make


@pytest.mark.parametrize(
    ("package", "share", "record"),
    [
        ("lib/python3.9/site-packages", "", "../../../"),
        (".local/lib/python3.9/site-packages", ".local", "../../../"),
        ("target", "target", "../../"),
    ],
    ids=["environment", "user", "target"],
)
def test_files_are_found_by_the_metadata(
    distribution: Callable[..., Path], package: str, share: str, record: str
) -> None:
    """Also those of ``pip install --user`` and ``--target``, whose metadata is wrong about the place."""
    folder = distribution(package, share, record)
    found = packaged_extension(EXTENSION_NAME)
    assert found is not None
    assert found.folder.samefile(folder)
    assert found.version == "9.9"
