"""A real kernel, as a front end sees it: MIME bundles, the status of a cell, and an interrupt."""

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

PATIENCE_S = 30
NEWS = "application/vnd.modelarts-magics.event+json"


class KernelClient:
    """A front end that runs cells and collects what the kernel sends about them."""

    def __init__(self, stage: EmulatorHarness) -> None:
        plain = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(SETTING_PREFIXES)
        }
        self.stage = stage
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(
            env={**plain, **stage.environ, "IPYTHONDIR": stage.environ["HOME"]}
        )
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE_S)

    def run(self, cell: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Run a cell; return the kernel's reply and what it published."""
        return self.wait_for_reply(self.client.execute(cell))

    def wait_for_reply(self, request: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Wait for the end of a cell; return the kernel's reply and what it published."""
        published = []
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE_S)
            if message["parent_header"].get("msg_id") != request:
                continue
            published.append(message)
            if message["content"].get("execution_state") == "idle":
                break
        reply = self._reply(request)
        wanted = ("stream", "display_data", "execute_result", "error")
        return reply["content"], [one for one in published if one["msg_type"] in wanted]

    def _reply(self, request: str) -> dict[str, Any]:
        """Return the reply to the request, past those to others (the kernel's greeting, for one)."""
        while True:
            reply: dict[str, Any] = self.client.get_shell_msg(timeout=PATIENCE_S)
            if reply["parent_header"].get("msg_id") == request:
                return reply

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401 - any value
        """Have an expression evaluated as a page does, silently; return its value."""
        code = "from modelarts_magics.helper_kernel.requests import handle_request"
        asked = {"code": code, "silent": True, "user_expressions": {"answer": expression}}
        reply = self._reply(self.client.execute(**asked))["content"]
        return literal_eval(reply["user_expressions"]["answer"]["data"]["text/plain"])

    def events(self, *, seconds: float) -> Iterator[dict[str, Any]]:
        """Give each message with news that the kernel sends by itself within a time."""
        end = time.monotonic() + seconds
        while True:
            message = self.client.get_iopub_msg(timeout=max(0.0, end - time.monotonic()))
            if NEWS in message["content"].get("data", {}):
                yield message

    def close(self) -> None:
        """End the kernel."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


@pytest.fixture(scope="module")
def front_end(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KernelClient]:
    """Return a front end whose kernel has the extension loaded."""
    stage = EmulatorHarness(tmp_path_factory.mktemp("kernel"))
    front = KernelClient(stage)
    reply, published = front.run("%load_ext modelarts_magics")
    assert (reply["status"], published) == ("ok", [])
    yield front
    front.close()
    stage.close()


@pytest.fixture
def page_client(tmp_path: Path) -> Iterator[KernelClient]:
    """Return a front end whose kernel is there to help a page: no magic is loaded, no cell is run."""
    stage = EmulatorHarness(tmp_path)
    front = KernelClient(stage)
    yield front
    front.close()
    stage.close()


@pytest.mark.parametrize("line", ["", "status --all", "extend 1h", "describe new", "doctor"])
def test_a_value_comes_in_html_and_in_text(front_end: KernelClient, line: str) -> None:
    """As the result of the cell."""
    reply, (result,) = front_end.run(f"%modelarts {line}")
    assert (reply["status"], result["msg_type"]) == ("ok", "execute_result")
    data = result["content"]["data"]
    assert set(data) == {"text/plain", "text/html"}
    assert StrictHtmlParser(data["text/html"]).text
    assert front_end.stage.emulator.auth_token not in str(data)


def test_a_command_in_the_middle_is_shown_where_it_stands(front_end: KernelClient) -> None:
    """Before what comes after it."""
    _, published = front_end.run("%modelarts\nprint('after')")
    assert [one["msg_type"] for one in published] == ["display_data", "stream"]
    assert "text/html" in published[0]["content"]["data"]


@pytest.mark.parametrize("line", ["nonsense", "auto-stop 90", "describe a/b", "extend 48h"])
def test_an_error_is_an_error_without_a_traceback(front_end: KernelClient, line: str) -> None:
    """What runs after it in "run all" is not run, and what is shown is one line and one hint."""
    reply, (error,) = front_end.run(f"%modelarts {line}")
    assert reply["status"] == "error"
    assert error["msg_type"] == "error"
    assert len(error["content"]["traceback"]) == 2
    assert error["content"]["traceback"] == error["content"]["evalue"].splitlines()


def test_a_semicolon_is_silence(front_end: KernelClient) -> None:
    """No result at all."""
    reply, published = front_end.run("%modelarts status;")
    assert (reply["status"], published) == ("ok", [])


def test_an_interrupt_ends_a_command_at_once(front_end: KernelClient) -> None:
    """While the cloud takes its time; one line, and the kernel goes on."""
    front_end.stage.emulator.clear_requests()
    front_end.stage.emulator.add_fault("delay", arg=20, times=1)
    request = front_end.client.execute("%modelarts")
    front_end.stage.wait_for_request()
    front_end.manager.interrupt_kernel()
    reply, (error,) = front_end.wait_for_reply(request)
    assert reply["status"] == "error"
    assert error["content"]["traceback"] == ["Interrupted."]
    reply, _ = front_end.run("%modelarts")
    assert reply["status"] == "ok"


def test_the_help_is_found_by_an_inspection(front_end: KernelClient) -> None:
    """As Shift-Tab asks for it."""
    front_end.client.inspect("%modelarts", 10)
    data = front_end.client.get_shell_msg(timeout=PATIENCE_S)["content"]["data"]
    assert "%modelarts auto-stop  show or set auto-stop" in data["text/plain"]


def test_a_page_is_told_by_its_kernel_of_what_another_process_changed(
    page_client: KernelClient,
) -> None:
    """Without a request, and as a message that nothing renders."""
    question = json.dumps({"method": "GET", "path": "instance?refresh=1", "language": "en"})
    known = json.loads(page_client.evaluate(f"handle_request({question!r})"))["body"]
    command = [sys.executable, "-m", "modelarts_magics", "extend", "1h"]
    plain = {
        name: value for name, value in os.environ.items() if not name.startswith(SETTING_PREFIXES)
    }
    environ = {**plain, **page_client.stage.environ}
    subprocess.run(command, env=environ, capture_output=True, check=True)  # noqa: S603 - our own program
    told = page_client.events(seconds=PATIENCE_S)
    message = next(one for one in told if one["content"]["data"][NEWS]["seq"] > known["seq"])
    event = {"server_id": known["server_id"], "seq": known["seq"] + 1, "kind": "instance"}
    assert message["msg_type"] == "display_data"
    assert message["content"] == {"data": {NEWS: event}, "metadata": {}, "transient": {}}
