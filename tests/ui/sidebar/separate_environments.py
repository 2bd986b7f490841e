"""A server without this package and a kernel with it, in two environments as on ModelArts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from platform_environments import build_environment
from server_kernels import add_kernel_spec
from ui.jupyter_server_process import JupyterServerProcess
from ui.notebook_page import FrontEnd
from ui.sidebar.sidebar_page import open_sidebar_page
from wheel_builds import VirtualEnvironment

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext
    from ui.sidebar.sidebar_page import SidebarPage

    from modelarts_magics.emulator.local import LocalEmulator

OWN_SPEC = "separate-kernel"
BASE_PATH = "/notebook/some-id"


class SeparateEnvironments:
    """A server of one JupyterLab version behind a base path, and a kernel.

    Args:
        folder: An empty folder for both.
        wheel: The wheel to install in the kernel's environment.
        emulator: The API.
        lab: The version of JupyterLab, as in `platform_environments`.
        kernel_packages: The packages of the kernel's environment besides the wheel.

    Attributes:
        server: The server.
        server_python: The interpreter of its environment.
        kernel: The kernel's environment.
        is_newest: Whether it is the newest JupyterLab.
    """

    def __init__(
        self,
        folder: Path,
        wheel: Path,
        emulator: LocalEmulator,
        lab: str,
        kernel_packages: tuple[str, ...] = ("ipykernel",),
    ) -> None:
        self.is_newest = lab == "newest"
        self.server_python = build_environment("server", lab) / "bin" / "python"
        self.kernel = VirtualEnvironment(folder / "kernel", wheel, *kernel_packages)
        self.server = JupyterServerProcess(
            folder,
            emulator.environment(),
            with_extensions=True,
            python=self.server_python,
            base_path=BASE_PATH,
        )
        # The server cannot import this package's extension.
        (folder / "config" / "jupyter_server_config.json").unlink()
        add_kernel_spec(self.server, OWN_SPEC, self.kernel.python)

    def install_lab(self, *options: str) -> str:
        """Run `install-lab` in the kernel's environment."""
        return self.server.run_cli("install-lab", *options, python=self.kernel.python)

    def open_tab(self, context: BrowserContext, spec: str = OWN_SPEC) -> SidebarPage:
        """Open a notebook that uses a kernel, by default the one with the package."""
        file = self.server.work_folder / self.server.copy_notebook("countdown.ipynb")
        notebook = json.loads(file.read_text(encoding="utf-8"))
        notebook["metadata"]["kernelspec"] = {
            "name": spec,
            "display_name": spec,
            "language": "python",
        }
        file.write_text(json.dumps(notebook), encoding="utf-8")
        return open_sidebar_page(context, self.server, FrontEnd.LAB, name=file.name)
