"""A kernel of a real Jupyter server: the server reports it as idle during a cell, and is restarted."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from factories import NOW
from jupyter_client import BlockingKernelClient
from keepalive.activity.kernel_environments import DENO, NEWEST, REQUIREMENTS, kernel_command
from keepalive.activity.real_kernel import DENO_CELL, PYTHON_CELL
from ui.jupyter_server_process import START_TIMEOUT_S, JupyterServerProcess

from modelarts_magics.keepalive.activity.kernels import KernelDetector
from modelarts_magics.keepalive.activity.processes import find_kernel_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelarts_magics.keepalive.activity.source import Source

pytestmark = [pytest.mark.process, pytest.mark.soak]
CELLS = {DENO: DENO_CELL}


class ServerKernel:
    """A notebook with a kernel that a server has started.

    Args:
        server: The server, which runs.
        name: The name of the notebook.
        spec: The name of the kernel's specification.
    """

    def __init__(self, server: JupyterServerProcess, name: str, spec: str = "python3") -> None:
        self._server = server
        body = {"path": name, "name": name, "type": "notebook", "kernel": {"name": spec}}
        self.kernel_id = self.call("sessions", body)["kernel"]["id"]
        runtime = Path(server.environ["JUPYTER_RUNTIME_DIR"])
        self.client = BlockingKernelClient()
        self.client.load_connection_file(str(runtime / f"kernel-{self.kernel_id}.json"))
        self.client.start_channels()

    def call(self, path: str, body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - any JSON value
        """Send a request to the server."""
        response = httpx.request(
            "POST" if body else "GET",
            f"{self._server.url}/api/{path}",
            json=body,
            headers={"Authorization": f"token {self._server.token}"},
            timeout=START_TIMEOUT_S,
            trust_env=False,
        )
        return response.raise_for_status().json()

    def state(self) -> str:
        """Return the state of the kernel as the server reports it."""
        return str(self.call(f"kernels/{self.kernel_id}")["execution_state"])


def install_kernel(folder: Path, name: str) -> str:
    """Install the specification of a kernel into a folder of Jupyter; return its name."""
    spec = folder / "kernels" / "watched"
    spec.mkdir(parents=True)
    content = {"argv": kernel_command(name), "display_name": name, "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(content))
    return spec.name


@pytest.fixture
def server(tmp_path: Path) -> Iterator[JupyterServerProcess]:
    """Return a server that does not run yet."""
    return JupyterServerProcess(tmp_path, {"JUPYTER_PATH": str(tmp_path / "jupyter")})


def wait_for(detector: KernelDetector, *, busy: bool | None) -> Source | None:
    """Wait until the only kernel is in a state; None for no kernel."""
    end = time.monotonic() + 20
    while True:
        sources = detector.detect(NOW)
        assert len(sources) <= 1
        source = sources[0] if sources else None
        if (source and source.busy) is busy:
            return source
        assert time.monotonic() < end, source
        time.sleep(0.05)


@pytest.mark.parametrize("name", [NEWEST, *REQUIREMENTS])
def test_kernel_is_watched_across_a_restart_of_its_server(
    server: JupyterServerProcess, tmp_path: Path, name: str
) -> None:
    """The server's own report is wrong during a cell; its restart leaves nothing busy behind."""
    spec, cell = install_kernel(tmp_path / "jupyter", name), CELLS.get(name, PYTHON_CELL)
    runtime = Path(server.environ["JUPYTER_RUNTIME_DIR"])
    detector = KernelDetector([runtime], find_process=find_kernel_process)
    path = tmp_path / "end"
    with server.running():
        kernel = ServerKernel(server, "train.ipynb", spec)
        source = wait_for(detector, busy=False)
        assert source is not None
        assert name == DENO or source.name == "train.ipynb"
        kernel.client.execute(cell.format(path=str(path)))
        wait_for(detector, busy=True)
        kernel.client.control_channel.send(kernel.client.session.msg("usage_request", {}))
        wait_for_idle_report(kernel)
        assert wait_for(detector, busy=True) is not None
        kernel.client.stop_channels()
    wait_for(detector, busy=None)
    with server.running():
        kernel = ServerKernel(server, "next.ipynb", spec)
        wait_for(detector, busy=False)
        kernel.client.execute(cell.format(path=str(path)))
        path.touch()
        wait_for(detector, busy=False)
        kernel.client.stop_channels()
    detector.close()


@pytest.mark.parametrize("name", [NEWEST, *REQUIREMENTS])
def test_watch_is_no_activity_for_culling(
    server: JupyterServerProcess, tmp_path: Path, name: str
) -> None:
    """The request to a kernel leaves the time of its last activity, by which Jupyter culls, as it is."""
    spec = install_kernel(tmp_path / "jupyter", name)
    runtime = Path(server.environ["JUPYTER_RUNTIME_DIR"])
    with server.running():
        kernel = ServerKernel(server, "train.ipynb", spec)
        kernel.client.execute("1")
        first = KernelDetector([runtime], find_process=find_kernel_process)
        wait_for(first, busy=False)
        first.close()
        kernel.client.get_shell_msg(timeout=60)
        before = kernel.call(f"kernels/{kernel.kernel_id}")["last_activity"]
        second = KernelDetector([runtime], find_process=find_kernel_process)
        wait_for(second, busy=False)
        assert kernel.call(f"kernels/{kernel.kernel_id}")["last_activity"] == before
        second.close()
        kernel.client.stop_channels()


def wait_for_idle_report(kernel: ServerKernel) -> None:
    """Wait until the server reports the kernel as idle, where it does so for a request on the control channel."""
    end = time.monotonic() + 3
    while kernel.state() != "idle" and time.monotonic() < end:
        time.sleep(0.05)
