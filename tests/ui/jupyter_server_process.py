"""A Jupyter server as a child, with a home, settings and a work folder of its own.

It serves JupyterLab and Notebook 7, as any server does where both are installed.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HOST = "127.0.0.1"
PORTS = range(11_000, 32_000)
"""Below those that a system hands out, and without any that a browser shuns."""
START_TIMEOUT_S, STOP_TIMEOUT_S = 90.0, 15.0
EXCLUDED_PREFIXES = ("MODELARTS_", "HUAWEICLOUD_", "JUPYTER", "JPY_", "PYTHON")
"""What leads elsewhere than to the emulator, or to this machine's own set-up."""
NOTEBOOKS = Path(__file__).with_name("notebooks")
LAB_EXTENSION, SERVER_EXTENSION = "modelarts-magics-lab", "modelarts_magics"
"""Our extensions of the page and of the server, by the names that switch them off."""
NOTIFICATION_PLUGIN = "@jupyterlab/apputils-extension:notification"
NEWS_DISABLED = {"fetchNews": "false", "checkForUpdates": False}
"""JupyterLab shall not ask whether it may fetch news: the question covers the page."""


class JupyterServerProcess:
    """Where one server works.

    Args:
        folder: An empty one.
        variables: What points at the emulator.
        with_extensions: Whether page and server have our extensions; else kernels are all that is ours, as
            in most environments that the package is put into.
        python: The interpreter of the server's environment; this one by default.
        base_path: The path that stands before all others, as on the platform; by default there is none.

    Attributes:
        work_folder: The folder that the pages show.
        environ: The variables of the server, its kernels and terminals.
        token: What lets a page in.
    """

    def __init__(
        self,
        folder: Path,
        variables: Mapping[str, str],
        *,
        with_extensions: bool = False,
        python: Path | str = sys.executable,
        base_path: str = "",
    ) -> None:
        self.folder, self.work_folder = folder, folder / "work"
        self.work_folder.mkdir()
        self._with_extensions = with_extensions
        self._python = str(python)
        self._base_path = base_path
        self.token = secrets.token_hex(16)
        self.port = free_port()
        self._counter = count(1)
        kept = {
            name: text
            for name, text in os.environ.items()
            if not name.startswith(EXCLUDED_PREFIXES)
        }
        names = ("config", "data", "runtime", "settings", "workspaces", "ipython", "state", "home")
        folders = {name: str(folder / name) for name in names}
        self.environ = {
            **kept,
            "HOME": folders["home"],
            "JUPYTER_CONFIG_DIR": folders["config"],
            "JUPYTER_DATA_DIR": folders["data"],
            "JUPYTER_RUNTIME_DIR": folders["runtime"],
            "JUPYTERLAB_SETTINGS_DIR": folders["settings"],
            "JUPYTERLAB_WORKSPACES_DIR": folders["workspaces"],
            "IPYTHONDIR": folders["ipython"],
            "MODELARTS_STATE_DIR": folders["state"],
            "LANG": "C.UTF-8",  # the kernel words in English, the page by itself
            "TZ": "Asia/Shanghai",
            "JUPYTER_TOKEN": self.token,
            **variables,
        }
        self.reset()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.port}{self._base_path}"

    def copy_notebook(self, notebook: str) -> str:
        """Put a notebook into the work folder, under a name that nothing else has, and return that."""
        name = f"{Path(notebook).stem}-{next(self._counter)}.ipynb"
        shutil.copyfile(NOTEBOOKS / notebook, self.work_folder / name)
        return name

    def reset(self) -> None:
        """Make all settings the default ones, but for the news."""
        for name in ("settings", "config", "workspaces"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        self.write_settings(NOTIFICATION_PLUGIN, NEWS_DISABLED)
        extensions = {
            "ServerApp": {"jpserver_extensions": {SERVER_EXTENSION: self._with_extensions}}
        }
        self._write("config/jupyter_server_config.json", extensions)
        self.disable_extensions()

    def write_settings(self, plugin: str, settings: Mapping[str, object]) -> None:
        """Write a plug-in's settings, as the settings editor does; the next page reads them."""
        package, _, name = plugin.partition(":")
        self._write(f"settings/{package}/{name}.jupyterlab-settings", settings)

    def disable_extensions(self, *extensions: str) -> None:
        """Switch off extensions of the page, as an administrator does; the next page is without them."""
        disabled = extensions if self._with_extensions else (LAB_EXTENSION, *extensions)
        self._write(
            "config/labconfig/page_config.json",
            {"disabledExtensions": dict.fromkeys(disabled, True)},
        )

    def _write(self, name: str, content: Mapping[str, object]) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")

    def refresh_instance(self) -> None:
        """Let our extension of the server ask the cloud, so that no page begins with what was known before."""
        self._get("modelarts-magics/v1/instance?refresh=1")

    def kernel_ids(self) -> set[str]:
        """The ids of the kernels that run."""
        return {kernel["id"] for kernel in self._get("api/kernels")}

    def _get(self, path: str) -> Any:  # noqa: ANN401 - whatever the server answers
        header = {"Authorization": f"token {self.token}"}
        answer = httpx.get(
            f"{self.url}/{path}", headers=header, trust_env=False, timeout=START_TIMEOUT_S
        )
        return answer.raise_for_status().json()

    @contextlib.contextmanager
    def running(self, *options: str) -> Iterator[int]:
        """Run the server, in a session of its own, and end it by its id, which is given.

        Args:
            options: More of its command line.
        """
        (self.folder / "home").mkdir(exist_ok=True)
        with (self.folder / "jupyter.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and words
                [*self._command(), *options],
                env=self.environ,
                cwd=self.work_folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                self._wait_until_ready(process)
                yield process.pid
            finally:
                _stop_process(process)

    def run_cli(self, *arguments: str, python: Path | str = sys.executable) -> str:
        """Run our command as a person does in a terminal of this server, and return what it says."""
        done = subprocess.run(  # noqa: S603 - our own interpreter
            [str(python), "-m", "modelarts_magics", *arguments],
            env=self.environ,
            cwd=self.work_folder,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def _command(self) -> list[str]:
        return [
            self._python,
            "-m",
            "jupyterlab",
            "--no-browser",
            "--allow-root",
            f"--ServerApp.ip={HOST}",
            f"--ServerApp.port={self.port}",
            f"--ServerApp.base_url={self._base_path}/",
            "--ServerApp.port_retries=0",
            f"--ServerApp.root_dir={self.work_folder}",
            "--LabApp.extension_manager=readonly",  # the other one asks a package index
            "--LabApp.expose_app_in_browser=True",
            "--JupyterNotebookApp.expose_app_in_browser=True",
        ]

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{self.url}/api", trust_env=False)
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
        log = (self.folder / "jupyter.log").read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(f"the server did not start:\n{log}")


def free_port() -> int:
    """Return a port that nobody has, nor gets by asking for any, as kernels and connections do."""
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        with contextlib.suppress(OSError), socket.socket() as one:
            one.bind((HOST, port))
            return port
    raise OSError("no port is free")


def _stop_process(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
