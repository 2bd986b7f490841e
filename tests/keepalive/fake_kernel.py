"""A kernel's side of the IOPub and shell channels, in the process of the test."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import time
from typing import TYPE_CHECKING, Any

import zmq

if TYPE_CHECKING:
    from pathlib import Path

KEY = b"key-of-the-test"


def _wait_until_free(port: int) -> None:
    """Wait until a port can be bound: ZeroMQ closes it in a thread of its own."""
    end = time.monotonic() + 10
    while True:
        with socket.socket() as probe:
            # As for ZeroMQ's own sockets, connections that were closed are no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                assert time.monotonic() < end
            else:
                return
        time.sleep(0.01)


class FakeKernel:
    """Sockets of a kernel, and its connection file.

    Args:
        path: The connection file to write.
        curve: Whether to encrypt the channels.
        topic: The topic of the status; ``{type}`` is the type of the message.
    """

    def __init__(
        self, path: Path, *, curve: bool = False, topic: str = "kernel.abc.{type}"
    ) -> None:
        self.path = path
        self.topic = topic
        self._context = zmq.Context()
        self._keys = zmq.curve_keypair() if curve else None
        self.ports: dict[str, int] = {}
        self.open()

    def open(self) -> None:
        """Open the sockets, under the ports of the last time if there was one, and write the file."""
        self.iopub = self._bind("iopub", zmq.XPUB)
        # A subscription is also reported while that of a subscriber that has just left still stands.
        self.iopub.xpub_verbose = True
        self.shell = self._bind("shell", zmq.ROUTER)
        data: dict[str, Any] = {
            "transport": "tcp",
            "ip": "127.0.0.1",
            "key": KEY.decode(),
            "signature_scheme": "hmac-sha256",
            "kernel_name": "fake",
            **{f"{name}_port": self.ports[name] for name in ("shell", "iopub")},
            **{f"{name}_port": 1 for name in ("stdin", "control", "hb")},
        }
        if self._keys:
            data["curve_publickey"], data["curve_secretkey"] = (key.decode() for key in self._keys)
        self.path.write_text(json.dumps(data))

    def wait_for_subscription(self, topic: bytes = b"") -> None:
        """Wait until a subscriber has asked for a topic."""
        while self.iopub.poll(10_000):
            if self.iopub.recv() == b"\1" + topic:
                return
        raise AssertionError(f"No subscription to {topic!r}")

    def publish(
        self, message_type: str, content: dict[str, Any], parent: dict[str, Any] | None = None
    ) -> None:
        """Publish a message with a valid signature."""
        frames = _frames(message_type, content, parent or {})
        topic = [self.topic.format(type=message_type).encode()] if self.topic else []
        self.iopub.send_multipart([*topic, b"<IDS|MSG>", sign(frames), *frames])

    def status(self, state: str, parent_id: str, parent_type: str = "execute_request") -> None:
        """Publish the status while a request is handled."""
        parent = {"msg_id": parent_id, "msg_type": parent_type}
        self.publish("status", {"execution_state": state}, parent)

    def request(self) -> tuple[list[bytes], dict[str, Any]]:
        """Receive a request on the shell channel; return its routing prefix and its header."""
        if not self.shell.poll(10_000):
            raise AssertionError("No request")
        parts = self.shell.recv_multipart()
        start = parts.index(b"<IDS|MSG>")
        frames = parts[start + 2 :]
        assert parts[start + 1] == sign(frames)
        return parts[:start], json.loads(frames[0])

    def reply(self, prefix: list[bytes], header: dict[str, Any]) -> None:
        """Answer a request."""
        frames = _frames("kernel_info_reply", {"status": "ok"}, header)
        self.shell.send_multipart([*prefix, b"<IDS|MSG>", sign(frames), *frames])

    def end(self) -> None:
        """Close the sockets as the end of the process does; what was published before still arrives."""
        self.iopub.close(linger=10_000)
        self.shell.close(linger=0)
        for port in self.ports.values():
            _wait_until_free(port)

    def close(self) -> None:
        """Release everything."""
        # A socket that a failed test has left open would block `term` for ever.
        self._context.destroy(linger=0)

    def _bind(self, name: str, kind: int) -> Any:  # noqa: ANN401 - a socket
        channel = self._context.socket(kind)
        channel.linger = 0
        if self._keys:
            channel.curve_server = True
            channel.curve_publickey, channel.curve_secretkey = self._keys
        if name in self.ports:
            channel.bind(f"tcp://127.0.0.1:{self.ports[name]}")
        else:
            self.ports[name] = channel.bind_to_random_port("tcp://127.0.0.1")
        return channel


def sign(frames: list[bytes]) -> bytes:
    """Return the signature of the frames."""
    return hmac.new(KEY, b"".join(frames), hashlib.sha256).hexdigest().encode()


def _frames(message_type: str, content: dict[str, Any], parent: dict[str, Any]) -> list[bytes]:
    header = {"msg_type": message_type, "msg_id": f"id-of-{message_type}"}
    return [json.dumps(part).encode() for part in (header, parent, {}, content)]
