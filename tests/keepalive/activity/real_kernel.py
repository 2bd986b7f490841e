"""A real kernel whose cells last until the test ends them, and the detector that watches it."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zmq
from factories import HOUR, MINUTE, NOW
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager
from keepalive.activity.kernel_environments import DENO, kernel_command, kernel_metadata
from kernel_session import environment_without_settings

from modelarts_magics.keepalive.activity.input_reports import report_input
from modelarts_magics.keepalive.activity.kernels import KernelDetector
from modelarts_magics.keepalive.activity.processes import find_kernel_process

if TYPE_CHECKING:
    from modelarts_magics.keepalive.activity.source import Source

TIMEOUT_S = 60.0
CAN_ENCRYPT = hasattr(KernelManager, "transport_encryption")
"""Whether this version of jupyter_client can start a kernel with encrypted channels."""
PASS_S = 0.05
KERNEL_ID = "abcdef0123"
PYTHON_CELL = "import os, time\nwhile not os.path.exists({path!r}): time.sleep(0.02)"
DENO_CELL = """
while (true) {{
  try {{ Deno.statSync({path!r}); break; }} catch {{ await new Promise((r) => setTimeout(r, 20)); }}
}}
"""


class RealKernel:
    """A kernel, a client, and a detector that looks at it alone.

    Args:
        name: The kernel, as in `kernel_environments`.
        folder: An empty folder.
        encrypted: Whether its channels are encrypted if it says that it can do that.
    """

    def __init__(self, name: str, folder: Path, *, encrypted: bool = False) -> None:
        self.name = name
        self._folder = folder
        self._cells = 0
        self._manager = KernelManager(
            connection_file=str(folder / f"kernel-{KERNEL_ID}.json"),
            **({"transport_encryption": "auto"} if encrypted else {}),
        )
        self._manager._kernel_spec = KernelSpec(
            argv=kernel_command(name), display_name=name, metadata=kernel_metadata(name)
        )
        self._manager.start_kernel(env=environment_without_settings())
        self.client = self._connect()
        self.detector = KernelDetector(
            [folder], find_process=find_kernel_process, page_reports=folder
        )
        self.expect(busy=False)

    @property
    def is_encrypted(self) -> bool:
        """Whether its connection file has the keys of encrypted channels."""
        return "curve_publickey" in json.loads(Path(self._manager.connection_file).read_text())

    def start_cell(self, code: str | None = None, **options: Any) -> None:  # noqa: ANN401 - of the client
        """Run a cell that lasts until `end_cell`, or one with other code."""
        template = DENO_CELL if self.name == DENO else PYTHON_CELL
        self._cells += 1
        path = str(self._folder / f"end-{self._cells}")
        self.client.execute(code or template.format(path=path), **options)

    @property
    def prompt(self) -> str:
        """The code of a cell that waits for input."""
        return 'prompt("")' if self.name == DENO else "input()"

    def end_cell(self) -> None:
        """Let the last cell end."""
        (self._folder / f"end-{self._cells}").touch()

    def look(self, *, after: timedelta = timedelta(0)) -> Source | None:
        """Return the kernel as a source, at a time after its reports; None if it does not run."""
        sources = self.detector.detect(NOW + after)
        assert len(sources) <= 1
        return sources[0] if sources else None

    def expect(self, *, busy: bool | None, reason: str = "") -> None:
        """Wait until the kernel is in a state; `make bench` measures how long that takes.

        Args:
            busy: The state; None for a kernel that does not run.
            reason: A part of the reason.
        """
        end = time.monotonic() + TIMEOUT_S
        while True:
            source = self.look()
            if (source and source.busy) is busy and reason in (
                str(source.reason) if source else ""
            ):
                return
            assert time.monotonic() < end, f"expected {busy} {reason}, found {source}"
            time.sleep(PASS_S)

    def expect_paused(self, reason: str) -> None:
        """Wait until a cell is known to wait for the user; it then counts for an hour."""
        self.expect(busy=True, reason=reason)
        for after, busy in ((HOUR, True), (HOUR + MINUTE, False)):
            source = self.look(after=after)
            assert source is not None
            assert source.busy is busy, source

    def page_reports_prompt(self, *, is_shown: bool) -> None:
        """Report that a page shows a prompt, or no longer."""
        report_input(self._folder, KERNEL_ID, NOW if is_shown else None)

    def expect_still(self, *, busy: bool, for_s: float = 0.6) -> None:
        """Fail if the kernel leaves a state within a time, in seconds."""
        end = time.monotonic() + for_s
        while time.monotonic() < end:
            source = self.look()
            assert source is not None
            assert source.busy is busy, source
            time.sleep(PASS_S)

    def send(self, channel: str, kind: str, content: dict[str, Any], **header: Any) -> str:  # noqa: ANN401
        """Send a request on a channel of the client, and return its ID."""
        message = self.client.session.msg(kind, content)
        message["header"].update(header)
        getattr(self.client, f"{channel}_channel").send(message)
        return str(message["header"]["msg_id"])

    def request(self, channel: str, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        """Send a request, and return the content of its reply."""
        sent = self.send(channel, kind, content)
        while True:
            reply = getattr(self.client, f"{channel}_channel").get_msg(timeout=TIMEOUT_S)
            if reply["parent_header"].get("msg_id") == sent:
                return dict(reply["content"])

    def run(self, code: str) -> None:
        """Run a cell, and wait for its end."""
        sent = self.client.execute(code)
        while self.client.get_shell_msg(timeout=TIMEOUT_S)["parent_header"].get("msg_id") != sent:
            pass

    def close_page(self) -> None:
        """Disconnect the client, as a closed page does."""
        self.client.stop_channels()

    def open_page(self) -> None:
        """Connect another client."""
        self.client = self._connect()

    def kill(self) -> None:
        """Kill the process, as the system does when memory is short."""
        os.kill(self._manager.provisioner.pid, signal.SIGKILL)

    def restart(self) -> None:
        """Restart the kernel on the same ports, as the restarter of a server does."""
        self.client.stop_channels()
        self._manager.restart_kernel(now=True)
        self.open_page()

    def close(self) -> None:
        """End everything."""
        self.detector.close()
        with suppress(zmq.ZMQError):
            self.client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()

    def _connect(self) -> Any:  # noqa: ANN401 - a client
        client = self._manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=TIMEOUT_S)
        return client


def start_debugging(kernel: RealKernel, code: str, *, line: int) -> None:
    """Attach a debugger to a kernel as JupyterLab does, and set a breakpoint in a cell."""
    debug = _Debugger(kernel)
    debug.request("initialize", {"clientID": "test", "adapterID": "", "pathFormat": "path"})
    debug.request("attach", {})
    path = debug.request("dumpCell", {"code": code})["body"]["sourcePath"]
    debug.request(
        "setBreakpoints",
        {"breakpoints": [{"line": line}], "source": {"path": path}, "sourceModified": False},
    )
    debug.request("configurationDone", {})


def continue_debugging(kernel: RealKernel) -> None:
    """Let the cell that has stopped at a breakpoint go on."""
    _Debugger(kernel).request("continue", {"threadId": 1})


class _Debugger:
    def __init__(self, kernel: RealKernel) -> None:
        self._kernel = kernel
        self._number = 0

    def request(self, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        content = {
            "type": "request",
            "seq": self._number,
            "command": command,
            "arguments": arguments,
        }
        return self._kernel.request("control", "debug_request", content)
