"""A real kernel as seen by a front end: MIME bundles, the status of cells, interrupts and events."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from ast import literal_eval
from typing import TYPE_CHECKING, Any

import pytest
from emulator_harness import SETTING_PREFIXES, EmulatorHarness, StrictHtmlParser
from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.process

TIMEOUT_S = 30
EVENT_MIME_TYPE = "application/vnd.modelarts-magics.event+json"


class KernelClient:
    """A front end that runs cells and collects the messages published about them."""

    def __init__(self, harness: EmulatorHarness) -> None:
        plain = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(SETTING_PREFIXES)
        }
        self.harness = harness
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(
            env={**plain, **harness.environ, "IPYTHONDIR": harness.environ["HOME"]}
        )
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=TIMEOUT_S)

    def run(self, cell: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Run a cell; return the reply of the kernel and the messages it published."""
        return self.wait_for_reply(self.client.execute(cell))

    def wait_for_reply(self, request: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Wait for a cell to finish; return the reply of the kernel and the messages it published."""
        published = []
        while True:
            message = self.client.get_iopub_msg(timeout=TIMEOUT_S)
            if message["parent_header"].get("msg_id") != request:
                continue
            published.append(message)
            if message["content"].get("execution_state") == "idle":
                break
        reply = self._reply(request)
        output_types = ("stream", "display_data", "execute_result", "error")
        return reply["content"], [one for one in published if one["msg_type"] in output_types]

    def _reply(self, request: str) -> dict[str, Any]:
        """Return the reply to the request, skipping replies to others."""
        while True:
            reply: dict[str, Any] = self.client.get_shell_msg(timeout=TIMEOUT_S)
            if reply["parent_header"].get("msg_id") == request:
                return reply

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401 - any value
        """Evaluate an expression silently, as a page does, and return its value."""
        code = "from modelarts_magics.helper_kernel.requests import handle_request"
        content = {"code": code, "silent": True, "user_expressions": {"answer": expression}}
        reply = self._reply(self.client.execute(**content))["content"]
        return literal_eval(reply["user_expressions"]["answer"]["data"]["text/plain"])

    def events(self, *, seconds: float) -> Iterator[dict[str, Any]]:
        """Yield the event messages that the kernel publishes within a number of seconds."""
        end = time.monotonic() + seconds
        while True:
            message = self.client.get_iopub_msg(timeout=max(0.0, end - time.monotonic()))
            if EVENT_MIME_TYPE in message["content"].get("data", {}):
                yield message

    def close(self) -> None:
        """Shut the kernel down."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


@pytest.fixture(scope="module")
def front_end(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KernelClient]:
    """Return a client of a kernel with the extension loaded."""
    harness = EmulatorHarness(tmp_path_factory.mktemp("kernel"), real_time=True)
    client = KernelClient(harness)
    reply, published = client.run("%load_ext modelarts_magics")
    assert (reply["status"], published) == ("ok", [])
    yield client
    client.close()
    harness.close()


@pytest.fixture
def page_client(tmp_path: Path) -> Iterator[KernelClient]:
    """Return a client of a helper kernel: no extension is loaded and no cell runs."""
    harness = EmulatorHarness(tmp_path, real_time=True)
    client = KernelClient(harness)
    yield client
    client.close()
    harness.close()


@pytest.mark.parametrize("line", ["", "status --all", "extend 1h", "describe new", "doctor"])
def test_result_is_published_as_html_and_text(front_end: KernelClient, line: str) -> None:
    """It is the result of the cell; a notice may come before it."""
    reply, (*notices, result) = front_end.run(f"%modelarts {line}")
    assert {one["msg_type"] for one in notices} <= {"stream"}
    assert (reply["status"], result["msg_type"]) == ("ok", "execute_result")
    data = result["content"]["data"]
    assert set(data) == {"text/plain", "text/html"}
    assert StrictHtmlParser(data["text/html"]).text
    assert front_end.harness.emulator.auth_token not in str(data)


def test_command_within_a_cell_is_displayed_in_order(front_end: KernelClient) -> None:
    """Its output comes before that of later lines."""
    _, published = front_end.run("%modelarts\nprint('after')")
    assert [one["msg_type"] for one in published] == ["display_data", "stream"]
    assert "text/html" in published[0]["content"]["data"]


@pytest.mark.parametrize("line", ["nonsense", "auto-stop 90", "describe a/b", "extend 48h"])
def test_error_has_no_traceback(front_end: KernelClient, line: str) -> None:
    """The reply is an error, so that "run all" stops; the output is one line and one hint."""
    reply, (error,) = front_end.run(f"%modelarts {line}")
    assert reply["status"] == "error"
    assert error["msg_type"] == "error"
    assert len(error["content"]["traceback"]) == 2
    assert error["content"]["traceback"] == error["content"]["evalue"].splitlines()


def test_semicolon_publishes_no_result(front_end: KernelClient) -> None:
    """Nothing is displayed."""
    reply, published = front_end.run("%modelarts status;")
    assert (reply["status"], published) == ("ok", [])


def test_interrupt_ends_a_waiting_command(front_end: KernelClient) -> None:
    """The output is one line, and the kernel continues to work."""
    front_end.harness.emulator.clear_requests()
    front_end.harness.emulator.add_fault("delay", arg=20, times=1)
    request = front_end.client.execute("%modelarts")
    front_end.harness.wait_for_request()
    front_end.manager.interrupt_kernel()
    reply, (error,) = front_end.wait_for_reply(request)
    assert reply["status"] == "error"
    assert error["content"]["traceback"] == ["Interrupted."]
    reply, _ = front_end.run("%modelarts")
    assert reply["status"] == "ok"


def test_inspection_returns_the_help(front_end: KernelClient) -> None:
    """Front ends send this request for Shift-Tab."""
    front_end.client.inspect("%modelarts", 10)
    data = front_end.client.get_shell_msg(timeout=TIMEOUT_S)["content"]["data"]
    assert "show or set auto-stop" in data["text/plain"]


def test_helper_kernel_publishes_changes_by_other_processes(
    page_client: KernelClient,
) -> None:
    """The event is a display message that front ends do not render, and needs no request."""
    question = json.dumps({"method": "GET", "path": "instance?refresh=1", "language": "en"})
    known = json.loads(page_client.evaluate(f"handle_request({question!r})"))["body"]
    command = [sys.executable, "-m", "modelarts_magics", "extend", "1h"]
    plain = {
        name: value for name, value in os.environ.items() if not name.startswith(SETTING_PREFIXES)
    }
    environ = {**plain, **page_client.harness.environ}
    subprocess.run(command, env=environ, capture_output=True, check=True)  # noqa: S603 - our own program
    events = page_client.events(seconds=TIMEOUT_S)
    message = next(
        one for one in events if one["content"]["data"][EVENT_MIME_TYPE]["seq"] > known["seq"]
    )
    event = {"server_id": known["server_id"], "seq": known["seq"] + 1, "kind": "instance"}
    assert message["msg_type"] == "display_data"
    assert message["content"] == {"data": {EVENT_MIME_TYPE: event}, "metadata": {}, "transient": {}}
