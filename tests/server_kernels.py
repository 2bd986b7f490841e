"""Kernels of a running Jupyter server, and cells that run in them as in a page."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import httpx
import websocket

if TYPE_CHECKING:
    from pathlib import Path

    from ui.jupyter_server_process import JupyterServerProcess

TIMEOUT_S = 60


class ServerKernel:
    """A kernel that a Jupyter server has started.

    Args:
        server: The server.
        spec: The name of the kernel spec.
    """

    def __init__(self, server: JupyterServerProcess, spec: str) -> None:
        self._headers = {"Authorization": f"token {server.token}"}
        self._url = server.url
        self.id = self._request("POST", "api/kernels", {"name": spec})["id"]
        channels = f"{server.url.replace('http', 'ws', 1)}/api/kernels/{self.id}/channels"
        self._socket = websocket.create_connection(
            channels, header=self._headers, timeout=TIMEOUT_S, http_no_proxy=["127.0.0.1"]
        )

    def run(self, cell: str) -> str:
        """Run a cell, and return everything that it shows."""
        message_id = uuid.uuid4().hex
        header = {"msg_id": message_id, "msg_type": "execute_request", "session": self.id}
        content = {"code": cell, "silent": False, "store_history": True, "allow_stdin": False}
        message = {
            "header": {**header, "username": "", "version": "5.3"},
            "parent_header": {},
            "metadata": {},
            "content": content,
            "channel": "shell",
            "buffers": [],
        }
        self._socket.send(json.dumps(message))
        shown: list[str] = []
        ended = set()
        while ended != {"execute_reply", "idle"}:
            answer = self._receive()
            if answer["parent_header"].get("msg_id") != message_id:
                continue
            shown.append(_shown_text(answer))
            if answer["msg_type"] == "execute_reply":
                ended.add("execute_reply")
            if answer["content"].get("execution_state") == "idle":
                ended.add("idle")
        return "\n".join(filter(None, shown))

    def disconnect(self) -> None:
        """Close the connection; the kernel goes on."""
        self._socket.close()

    def close(self) -> None:
        """Shut the kernel down."""
        self.disconnect()
        self._request("DELETE", f"api/kernels/{self.id}")

    def _receive(self) -> dict[str, Any]:
        while True:
            received = self._socket.recv()
            # Binary messages have buffers, which no cell here shows.
            if isinstance(received, str):
                return json.loads(received)

    def _request(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - any JSON
        response = httpx.request(
            method,
            f"{self._url}/{path}",
            json=body,
            headers=self._headers,
            trust_env=False,
            timeout=TIMEOUT_S,
        )
        response.raise_for_status()
        return response.json() if response.content else None


def _shown_text(message: dict[str, Any]) -> str:
    content = message["content"]
    if message["msg_type"] == "error":
        return "\n".join(content["traceback"])
    return content.get("text") or content.get("data", {}).get("text/plain") or ""


def add_kernel_spec(server: JupyterServerProcess, name: str, python: Path | str) -> None:
    """Add a kernel spec for an interpreter, as ``ipykernel install --user`` does."""
    folder = server.folder / "data" / "kernels" / name
    folder.mkdir(parents=True, exist_ok=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": name, "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
