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
START_LIMIT_S, END_LIMIT_S = 90.0, 15.0
FOREIGN = ("MODELARTS_", "HUAWEICLOUD_", "JUPYTER", "JPY_", "PYTHON")
"""What leads elsewhere than to the emulator, or to this machine's own set-up."""
NOTEBOOKS = Path(__file__).with_name("notebooks")
OUR_PAGES, OUR_SERVER = "modelarts-magics-lab", "modelarts_magics"
"""Our extensions of the page and of the server, by the names that switch them off."""
NEWS = "@jupyterlab/apputils-extension:notification"
NO_NEWS = {"fetchNews": "false", "checkForUpdates": False}
"""JupyterLab shall not ask whether it may fetch news: the question covers the page."""


class Place:
    """Where one server works.

    Args:
        folder: An empty one.
        variables: What points at the emulator.
        sidebar: Whether page and server have our extensions; else kernels are all that is ours, as
            in most environments that the package is put into.
        python: The interpreter of the server's environment; this one by default.
        base: The path that stands before all others, as on the platform; by default there is none.

    Attributes:
        work: The folder that the pages show.
        environ: The variables of the server, its kernels and terminals.
        token: What lets a page in.
    """

    def __init__(
        self,
        folder: Path,
        variables: Mapping[str, str],
        *,
        sidebar: bool = False,
        python: Path | str = sys.executable,
        base: str = "",
    ) -> None:
        self.folder, self.work = folder, folder / "work"
        self.work.mkdir()
        self._sidebar = sidebar
        self._python = str(python)
        self._base = base
        self.token = secrets.token_hex(16)
        self.port = free_port()
        self._numbers = count(1)
        kept = {name: text for name, text in os.environ.items() if not name.startswith(FOREIGN)}
        own = ("config", "data", "runtime", "settings", "workspaces", "ipython", "state", "home")
        places = {name: str(folder / name) for name in own}
        self.environ = {
            **kept,
            "HOME": places["home"],
            "JUPYTER_CONFIG_DIR": places["config"],
            "JUPYTER_DATA_DIR": places["data"],
            "JUPYTER_RUNTIME_DIR": places["runtime"],
            "JUPYTERLAB_SETTINGS_DIR": places["settings"],
            "JUPYTERLAB_WORKSPACES_DIR": places["workspaces"],
            "IPYTHONDIR": places["ipython"],
            "MODELARTS_STATE_DIR": places["state"],
            "LANG": "C.UTF-8",  # the kernel words in English, the page by itself
            "TZ": "Asia/Shanghai",
            "JUPYTER_TOKEN": self.token,
            **variables,
        }
        self.reset()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.port}{self._base}"

    def copy(self, notebook: str) -> str:
        """Put a notebook into the work folder, under a name that nothing else has, and return that."""
        name = f"{Path(notebook).stem}-{next(self._numbers)}.ipynb"
        shutil.copyfile(NOTEBOOKS / notebook, self.work / name)
        return name

    def reset(self) -> None:
        """Make all settings the default ones, but for the news."""
        for name in ("settings", "config", "workspaces"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        self.set(NEWS, NO_NEWS)
        extensions = {"ServerApp": {"jpserver_extensions": {OUR_SERVER: self._sidebar}}}
        self._write("config/jupyter_server_config.json", extensions)
        self.disable()

    def set(self, plugin: str, settings: Mapping[str, object]) -> None:
        """Write a plug-in's settings, as the settings editor does; the next page reads them."""
        package, _, name = plugin.partition(":")
        self._write(f"settings/{package}/{name}.jupyterlab-settings", settings)

    def disable(self, *extensions: str) -> None:
        """Switch off extensions of the page, as an administrator does; the next page is without them."""
        off = extensions if self._sidebar else (OUR_PAGES, *extensions)
        self._write(
            "config/labconfig/page_config.json", {"disabledExtensions": dict.fromkeys(off, True)}
        )

    def _write(self, name: str, content: Mapping[str, object]) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")

    def ask(self) -> None:
        """Let our extension of the server ask the cloud, so that no page begins with what was known before."""
        self._get("modelarts-magics/v1/instance?refresh=1")

    def kernels(self) -> set[str]:
        """The ids of the kernels that run."""
        return {kernel["id"] for kernel in self._get("api/kernels")}

    def _get(self, path: str) -> Any:  # noqa: ANN401 - whatever the server answers
        header = {"Authorization": f"token {self.token}"}
        answer = httpx.get(
            f"{self.url}/{path}", headers=header, trust_env=False, timeout=START_LIMIT_S
        )
        return answer.raise_for_status().json()

    @contextlib.contextmanager
    def serving(self, *options: str) -> Iterator[int]:
        """Run the server, in a session of its own, and end it by its id, which is given.

        Args:
            options: More of its command line.
        """
        (self.folder / "home").mkdir(exist_ok=True)
        with (self.folder / "jupyter.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and words
                [*self._command(), *options],
                env=self.environ,
                cwd=self.work,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                self._wait(process)
                yield process.pid
            finally:
                _end(process)

    def terminal(self, *arguments: str, python: Path | str = sys.executable) -> str:
        """Run our command as a person does in a terminal of this server, and return what it says."""
        done = subprocess.run(  # noqa: S603 - our own interpreter
            [str(python), "-m", "modelarts_magics", *arguments],
            env=self.environ,
            cwd=self.work,
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
            f"--ServerApp.base_url={self._base}/",
            "--ServerApp.port_retries=0",
            f"--ServerApp.root_dir={self.work}",
            "--LabApp.extension_manager=readonly",  # the other one asks a package index
            "--LabApp.expose_app_in_browser=True",
            "--JupyterNotebookApp.expose_app_in_browser=True",
        ]

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + START_LIMIT_S
        while process.poll() is None and time.monotonic() < end:
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


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
