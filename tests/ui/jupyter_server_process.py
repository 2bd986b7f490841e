"""A Jupyter server as a child process, with its own home, settings and work folder.

It serves JupyterLab and Notebook 7, like any server in an environment with both.
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
"""Ports below the ephemeral range and without those that browsers block."""
START_TIMEOUT_S, STOP_TIMEOUT_S = 90.0, 15.0
EXCLUDED_PREFIXES = ("MODELARTS_", "HUAWEICLOUD_", "JUPYTER", "JPY_", "PYTHON")
"""Prefixes of variables that the server must not inherit: credentials, and settings of this machine."""
NOTEBOOKS = Path(__file__).with_name("notebooks")
UNUSED_SERVER_EXTENSION = "jupyter_lsp"
"""A server extension that searches for language servers, with Node, for a fifth of the time of a start."""
LAB_EXTENSION, SERVER_EXTENSION = "modelarts-magics-lab", "modelarts_magics"
"""The names of this package's extensions of the page and of the server, as used to disable them."""
NOTIFICATION_PLUGIN = "@jupyterlab/apputils-extension:notification"
DOCUMENT_PLUGIN = "@jupyterlab/docmanager-extension:plugin"
NEWS_DISABLED = {"fetchNews": "false", "checkForUpdates": False}
"""Settings that keep JupyterLab from asking whether it may fetch news; the question covers the page."""

UNUSED_EXTENSIONS = tuple(
    f"@jupyterlab/{name}-extension"
    for name in (
        *("audio", "csvviewer", "debugger", "extensionmanager", "htmlviewer", "hub", "imageviewer"),
        *(
            "inspector",
            "javascript",
            "json",
            "logconsole",
            "lsp",
            "mermaid",
            "pdf",
            "vega5",
            "video",
        ),
    )
)
"""Extensions of JupyterLab that no test needs; a page without them takes less time."""


class JupyterServerProcess:
    """One Jupyter server and its folders.

    Args:
        folder: An empty folder for all files of the server.
        variables: Environment variables that select the emulator.
        with_extensions: Whether the extensions of the page and of the server are enabled. Without them, only the
            kernels have this package, as in most environments.
        python: The interpreter of the server's environment; by default that of the tests.
        base_path: The prefix of all paths, as on ModelArts; empty by default.

    Attributes:
        work_folder: The root folder of the notebooks.
        environ: The environment variables of the server, its kernels and its terminals.
        token: The token with which a page logs in.
        page_port: The port that pages use: its own one, or that of a proxy before it.
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
        self.port = self.page_port = free_port()
        self._counter = count(1)
        inherited = {
            name: text
            for name, text in os.environ.items()
            if not name.startswith(EXCLUDED_PREFIXES)
        }
        names = ("config", "data", "runtime", "settings", "workspaces", "ipython", "state", "home")
        folders = {name: str(folder / name) for name in names}
        self.environ = {
            **inherited,
            "HOME": folders["home"],
            "JUPYTER_CONFIG_DIR": folders["config"],
            "JUPYTER_DATA_DIR": folders["data"],
            "JUPYTER_RUNTIME_DIR": folders["runtime"],
            "JUPYTERLAB_SETTINGS_DIR": folders["settings"],
            "JUPYTERLAB_WORKSPACES_DIR": folders["workspaces"],
            "IPYTHONDIR": folders["ipython"],
            "MODELARTS_STATE_DIR": folders["state"],
            # The messages of the kernel are in English; the page selects its own language.
            "LANG": "C.UTF-8",
            "TZ": "Asia/Shanghai",
            "JUPYTER_TOKEN": self.token,
            **variables,
        }
        self.reset()

    @property
    def url(self) -> str:
        """The URL of the server, without a slash at its end."""
        return f"http://{HOST}:{self.port}{self._base_path}"

    @property
    def page_url(self) -> str:
        """The URL of the server for pages, without a slash at its end."""
        return f"http://{HOST}:{self.page_port}{self._base_path}"

    def copy_notebook(self, notebook: str) -> str:
        """Copy a notebook into the work folder under a unique name, and return the name."""
        name = f"{Path(notebook).stem}-{next(self._counter)}.ipynb"
        shutil.copyfile(NOTEBOOKS / notebook, self.work_folder / name)
        return name

    def reset(self) -> None:
        """Restore the default settings, except that JupyterLab fetches no news and saves nothing by itself."""
        for name in ("settings", "config", "workspaces"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        self.write_settings(NOTIFICATION_PLUGIN, NEWS_DISABLED)
        # A document that JupyterLab saves every two minutes would be gone from the list of what we saved.
        self.write_settings(DOCUMENT_PLUGIN, {"autosave": False})
        enabled = {SERVER_EXTENSION: self._with_extensions, UNUSED_SERVER_EXTENSION: False}
        extensions = {"ServerApp": {"jpserver_extensions": enabled}}
        self._write("config/jupyter_server_config.json", extensions)
        self.disable_extensions()

    def write_settings(self, plugin: str, settings: Mapping[str, object]) -> None:
        """Write the settings of a plugin, like the settings editor; pages opened later read them."""
        package, _, name = plugin.partition(":")
        self._write(f"settings/{package}/{name}.jupyterlab-settings", settings)

    def disable_extensions(self, *extensions: str) -> None:
        """Disable extensions of the page, as an administrator does, for pages opened later."""
        disabled = extensions if self._with_extensions else (LAB_EXTENSION, *extensions)
        self._write(
            "config/labconfig/page_config.json",
            {
                "disabledExtensions": dict.fromkeys((*UNUSED_EXTENSIONS, *disabled), True),
                # Each page would let the server start Node to find out whether JupyterLab has to be built.
                "buildAvailable": False,
                "buildCheck": False,
            },
        )

    def _write(self, name: str, content: Mapping[str, object]) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")

    def refresh_instance(self) -> None:
        """Let the server extension query the API, so that no page starts with an old state."""
        self._get("modelarts-magics/v1/instance?refresh=1")

    def complete_record_ids(self) -> set[str]:
        """Return the ids of the records of cells that a page can offer."""
        return {each["id"] for each in self._get("modelarts-magics/v1/records")["records"]}

    def kernel_ids(self) -> set[str]:
        """Return the ids of the running kernels."""
        return {kernel["id"] for kernel in self._get("api/kernels")}

    def session_names(self) -> dict[str, str]:
        """Return the name of the session of each kernel."""
        sessions = self._get("api/sessions")
        return {session["kernel"]["id"]: session["name"] for session in sessions}

    def _get(self, path: str) -> Any:  # noqa: ANN401 - any JSON value
        headers = {"Authorization": f"token {self.token}"}
        response = httpx.get(
            f"{self.url}/{path}", headers=headers, trust_env=False, timeout=START_TIMEOUT_S
        )
        return response.raise_for_status().json()

    @contextlib.contextmanager
    def running(self, *options: str) -> Iterator[int]:
        """Run the server in its own process session, yield its process id, and stop it on exit.

        Args:
            options: Additional options of the command line.
        """
        (self.folder / "home").mkdir(exist_ok=True)
        with (self.folder / "jupyter.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - fixed command
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
        """Run `modelarts-magics` as in a terminal of this server, and return its output."""
        completed = subprocess.run(  # noqa: S603 - fixed command
            [str(python), "-m", "modelarts_magics", *arguments],
            env=self.environ,
            cwd=self.work_folder,
            capture_output=True,
            text=True,
            check=True,
        )
        return completed.stdout

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
            # The default extension manager queries a package index.
            "--LabApp.extension_manager=readonly",
            "--LabApp.expose_app_in_browser=True",
            "--JupyterNotebookApp.expose_app_in_browser=True",
        ]

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        # A client for each attempt would load the certificates again each time, and so slow the server's start.
        with httpx.Client(trust_env=False) as client:
            while process.poll() is None and time.monotonic() < deadline:
                with contextlib.suppress(httpx.TransportError):
                    client.get(f"{self.url}/api")
                    return
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.1)
        log = (self.folder / "jupyter.log").read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(f"the server did not start:\n{log}")


def free_port() -> int:
    """Return a free port that the system does not assign to kernels and connections."""
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind((HOST, port))
            return port
    raise OSError("no port is free")


def _stop_process(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
