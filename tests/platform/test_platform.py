"""A kernel and a server of different versions, as on the platform, through the first day and after a stop."""

from __future__ import annotations

import json
import shutil
import time
from typing import TYPE_CHECKING, Any, Callable

import httpx
import pytest
from platform_environments import (
    KERNELS,
    SERVERS,
    add_wheel,
    build_environment,
    installed_versions,
)
from server_kernels import ServerKernel, add_kernel_spec
from ui.jupyter_server_process import JupyterServerProcess

from modelarts_magics.emulator.local import LocalEmulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wheel_builds import BuiltPackages

pytestmark = [pytest.mark.process, pytest.mark.soak]

EXTENSION = "modelarts-magics-lab"
FIRST_CELL = "%load_ext modelarts_magics\n%modelarts"
CELLS = [(server, kernel) for server in SERVERS for kernel in KERNELS]


class Instance:
    """An instance of the platform: a server, a kernel environment and a home of which ``~/work`` is kept.

    Attributes:
        server: The server.
        image: The kernel environment of the image.
        work: The folder that is kept.
    """

    def __init__(self, folder: Path, server: str, kernel: str, emulator: LocalEmulator) -> None:
        python = build_environment("server", server) / "bin" / "python"
        self.image = build_environment("kernel", kernel)
        self.server = JupyterServerProcess(
            folder, emulator.environment(), with_extensions=True, python=python, base_path="/nb/id"
        )
        self._folder = folder
        self.work = folder / "home" / "work"
        self.work.mkdir(parents=True)

    def install(self, wheel: Path) -> None:
        """Install the wheel in the kernel environment."""
        python = add_wheel(self.image, self._folder / "environment", wheel)
        add_kernel_spec(self.server, "work", python)

    def stop(self) -> None:
        """Lose everything but ``~/work``, and use the environment of the image again."""
        for name in ("data", "config", "settings", "workspaces", "ipython", "runtime"):
            shutil.rmtree(self._folder / name, ignore_errors=True)
        self.server.reset()
        add_kernel_spec(self.server, "work", self.image / "bin" / "python")

    def run(self, *cells: str) -> list[str]:
        """Run cells in a new kernel, and return what each one shows."""
        kernel = ServerKernel(self.server, "work")
        try:
            return [kernel.run(cell) for cell in cells]
        finally:
            kernel.close()

    def page_extensions(self) -> list[str]:
        """Return the names of the extensions that a page loads."""
        page = self._get("lab").text
        config = page.partition('id="jupyter-config-data"')[2].partition(">")[2].partition("<")[0]
        return [each["name"] for each in json.loads(config)["federated_extensions"]]

    def settings(self) -> httpx.Response:
        """Return the settings of all extensions, without which a page stays white."""
        return self._get("lab/api/settings")

    def _get(self, path: str) -> httpx.Response:
        headers = {"Authorization": f"token {self.server.token}"}
        url = f"{self.server.url}/{path}"
        return httpx.get(url, headers=headers, trust_env=False, timeout=60)


@pytest.fixture
def make_instance(tmp_path: Path) -> Iterator[Callable[[str, str], Instance]]:
    """Return a function that creates an instance with an emulator."""
    with LocalEmulator() as emulator:
        yield lambda server, kernel: Instance(tmp_path, server, kernel, emulator)


@pytest.mark.parametrize(("server", "kernel"), CELLS)
def test_first_day_and_later_start(
    make_instance: Callable[[str, str], Instance],
    built_packages: BuiltPackages,
    server: str,
    kernel: str,
) -> None:
    """The first cell works; the sidebar comes and goes; after a stop one short cell restores all."""
    instance = make_instance(server, kernel)
    is_new = not server.startswith("3.")
    before = installed_versions(instance.image)
    instance.install(built_packages.wheel)
    after = installed_versions(instance.image.parent / instance.image.name)
    assert after == before
    with instance.server.running():
        assert EXTENSION not in instance.page_extensions()
        status, installed, seen = instance.run(
            FIRST_CELL, "%modelarts install-lab", "%modelarts countdown"
        )
        assert "Stops at" in status
        assert "Stops at" in seen
        assert (EXTENSION in instance.page_extensions()) is is_new
        assert ("needs JupyterLab 4" in installed) is not is_new
        assert instance.settings().status_code == 200
        (_, removed) = instance.run("%load_ext modelarts_magics", "%modelarts install-lab --remove")
        assert ("removed" in removed) is is_new
        assert EXTENSION not in instance.page_extensions()
        instance.run("%run -m modelarts_magics setup --yes")
        assert (EXTENSION in instance.page_extensions()) is is_new
    instance.stop()
    with instance.server.running():
        started, status, again, shown = instance.run(
            "%run ~/work/modelarts.py",
            "%modelarts",
            "%run ~/work/modelarts.py",
            "%modelarts countdown",
        )
        assert ("reload the page" in started) is is_new
        assert "Stops at" in status
        assert again.strip() == ""
        assert "Stops at" in shown
        assert (EXTENSION in instance.page_extensions()) is is_new
        assert instance.settings().status_code == 200
        removed = instance.run("%run ~/work/modelarts.py", "%modelarts setup --remove")[-1]
        assert "Removed" in removed
        assert list(instance.work.iterdir()) == []
        assert EXTENSION not in instance.page_extensions()


@pytest.mark.parametrize("kernel", ["7.34", "8.10"])
def test_installing_replaces_no_package_of_the_kernel(
    built_packages: BuiltPackages, tmp_path: Path, kernel: str
) -> None:
    """Neither IPython nor ipykernel nor ipywidgets."""
    image = build_environment("kernel", kernel)
    before = installed_versions(image)
    add_wheel(image, tmp_path / "environment", built_packages.wheel)
    after = installed_versions(tmp_path / "environment")
    assert {name: after[name] for name in before} == before


HELPER_CELL = """
import json
from modelarts_magics.helper_kernel import lifetime, requests
lifetime.Lifetime.__init__.__kwdefaults__["timeout_s"] = 2.0
request = {"method": "GET", "path": "instance", "body": None, "language": "en"}
print(json.loads(requests.handle_request(json.dumps(request)))["status"])
"""


def test_helper_kernel_ends_for_good(tmp_path: Path) -> None:
    """The server shuts it down at its own request, and does not start it again."""
    with LocalEmulator() as emulator:
        server = JupyterServerProcess(tmp_path, emulator.environment(), base_path="/nb/id")
        with server.running():
            kernel = ServerKernel(server, "python3")
            assert kernel.run(HELPER_CELL).strip() == "200"
            kernel.disconnect()
            deadline = time.monotonic() + 30
            while server.kernel_ids() and time.monotonic() < deadline:
                time.sleep(0.2)
            assert server.kernel_ids() == set()
    log: Any = (tmp_path / "jupyter.log").read_text(encoding="utf-8")
    assert "restarting kernel" not in log.lower()


MEMORY_CELL = """
import json
from modelarts_magics.helper_kernel import requests
request = {"method": "GET", "path": "instance", "body": None, "language": "en"}
requests.handle_request(json.dumps(request))
lines = open("/proc/self/smaps_rollup").read().splitlines()
print(next(int(each.split()[1]) for each in lines if each.startswith("Pss:")) / 1024)
"""
"""Prints the memory in MB; what several processes share is divided by their number."""


@pytest.mark.parametrize("kernel", KERNELS)
def test_helper_kernel_needs_little_memory(
    make_instance: Callable[[str, str], Instance], built_packages: BuiltPackages, kernel: str
) -> None:
    """At most 65 MB beside the kernel of a notebook, most of which ipykernel itself needs."""
    instance = make_instance("newest", kernel)
    instance.install(built_packages.wheel)
    with instance.server.running():
        notebook = ServerKernel(instance.server, "work")
        notebook.run(FIRST_CELL)
        (used,) = instance.run(MEMORY_CELL)
        notebook.close()
    assert float(used) <= 65
