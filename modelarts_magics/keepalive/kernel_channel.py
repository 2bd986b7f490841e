"""Read what a Jupyter kernel publishes, from any process of the user, through the kernel's connection file.

A `KernelChannel` subscribes to the IOPub channel. It sends nothing to the kernel except, on request, one
``kernel_info_request``, which the kernel answers between two cells.

Source: https://jupyter-client.readthedocs.io/en/stable/messaging.html (the wire protocol) and
https://jupyter-client.readthedocs.io/en/stable/kernels.html#connection-files.

Importing this module imports pyzmq, which an environment without a kernel may lack.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any

import zmq
from zmq.utils.monitor import recv_monitor_message

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

DELIMITER = b"<IDS|MSG>"
"""The frame between the routing prefix of a message and its signature."""
STATUS_TOPIC = b"status"
"""The end of the topic of the status."""
STATUS_ONLY_TOPICS = (STATUS_TOPIC, b"execute_input", b"debug_event")
"""The ends of the topics of a channel for the status alone: also the cell's number and the debugger's events."""
NARROW_AFTER = 20
"""The number of messages after which a channel for the status alone no longer receives everything."""
RECONNECT_INTERVAL_MS = 1000
"""The time between two attempts to connect; the default of 100 ms would waste CPU time on an ended kernel."""
_TYPE = re.compile(rb'"msg_type": ?"(\w+)"')
_SIGNED_FRAMES = 4
"""Header, parent header, metadata and content."""
# A kernel that binds all addresses is reached through the loopback interface.
_ANY_ADDRESS = ("0.0.0.0", "*", "")  # noqa: S104 - nothing is bound here
_LOOPBACK = "127.0.0.1"
_MAX_PORT = 65_535
# Attributes of an enumeration take time.
_READABLE = int(zmq.POLLIN)
_NO_WAIT = int(zmq.NOBLOCK)


@dataclass(frozen=True)
class KernelConnection:
    """The content of a connection file.

    Attributes:
        transport: ``tcp`` or ``ipc``.
        ip: The address, or for ``ipc`` the start of the sockets' paths.
        ports: The port, or for ``ipc`` the number at the end of the path, by channel: ``shell``, ``iopub``, ….
        key: The key of the signatures; empty if messages are not signed.
        digest: The hash function of the signatures, as hashlib names it.
        curve_keys: The public and the secret key of encrypted channels; None without encryption.
    """

    transport: str
    ip: str
    ports: dict[str, int]
    key: bytes = field(repr=False)
    digest: str = "sha256"
    curve_keys: tuple[bytes, bytes] | None = field(default=None, repr=False)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a connection file.

        Raises:
            OSError: The file cannot be read.
            ValueError: It is no connection file, or is not yet written in whole.
        """
        data = json.loads(path.read_bytes())
        try:
            ports = {name: _port(data[f"{name}_port"]) for name in ("shell", "iopub")}
            curve = [str(data[f"curve_{name}key"]).encode() for name in _curve_names(data)]
            return cls(
                transport=str(data["transport"]),
                ip=str(data["ip"]),
                ports=ports,
                key=str(data["key"]).encode(),
                digest=_digest_name(str(data.get("signature_scheme") or "hmac-sha256")),
                curve_keys=(curve[0], curve[1]) if curve else None,
            )
        except (KeyError, TypeError) as error:
            raise ValueError(path) from error

    def address(self, channel: str) -> str:
        """Return the ZeroMQ address of a channel, for example ``tcp://127.0.0.1:5000``."""
        port = self.ports[channel]
        if self.transport == "ipc":
            return f"ipc://{self.ip}-{port}"
        return f"{self.transport}://{_LOOPBACK if self.ip in _ANY_ADDRESS else self.ip}:{port}"

    def sign(self, frames: list[bytes]) -> bytes:
        """Return the signature of the four signed frames."""
        if not self.key:
            return b""
        signature = hmac.new(self.key, digestmod=self.digest)
        for frame in frames:
            signature.update(frame)
        return signature.hexdigest().encode()

    def connect(self, channel: str, socket: zmq.Socket[bytes]) -> None:
        """Connect a socket to a channel, with the keys of encrypted channels.

        Raises:
            ValueError: The connection file names no valid address, or no valid keys.
        """
        socket.linger = 0
        socket.reconnect_ivl = RECONNECT_INTERVAL_MS
        try:
            if self.curve_keys:
                # Kernel and clients share one pair of keys, which the connection file protects.
                socket.curve_publickey, socket.curve_secretkey = self.curve_keys
                socket.curve_serverkey = self.curve_keys[0]
            socket.connect(self.address(channel))
        except zmq.ZMQError as error:
            raise ValueError(self.address(channel)) from error


def _curve_names(data: dict[str, Any]) -> tuple[str, ...]:
    names = ("public", "secret")
    return names if all(data.get(f"curve_{name}key") for name in names) else ()


def _port(value: object) -> int:
    """Return a port.

    Raises:
        ValueError: There is no such port.
    """
    port = int(str(value))
    if not 0 < port <= _MAX_PORT:
        raise ValueError(port)
    return port


def _digest_name(scheme: str) -> str:
    """Return the hash function of a signature scheme such as ``hmac-sha256``.

    Raises:
        ValueError: The scheme is not known.
    """
    kind, _, digest = scheme.partition("-")
    if kind != "hmac" or digest not in hashlib.algorithms_available:
        raise ValueError(scheme)
    return digest


class KernelMessage:
    """A published message whose parts are decoded when they are read.

    Args:
        topic: See the attribute.
        frames: Header, parent header, metadata and content.

    Attributes:
        topic: The topic under which it was published; empty if there is none.
        raw_header: The header as it was received, in JSON.
        raw_parent_header: The header of the request as it was received, in JSON.
        raw_content: The content as it was received, in JSON.
    """

    def __init__(self, topic: bytes, frames: list[bytes]) -> None:
        self.topic = topic
        self.raw_header, self.raw_parent_header, _, self.raw_content = frames

    @cached_property
    def header(self) -> dict[str, Any]:
        """The header."""
        return _decode(self.raw_header)

    @cached_property
    def parent_header(self) -> dict[str, Any]:
        """The header of the request that caused this message; empty if there is none."""
        return _decode(self.raw_parent_header)

    @cached_property
    def content(self) -> dict[str, Any]:
        """The content."""
        return _decode(self.raw_content)

    @property
    def type(self) -> str:
        """The type, for example ``status``."""
        # Decoding the whole header of each of very many messages would take time.
        found = _TYPE.search(self.raw_header)
        return found[1].decode() if found else str(self.header.get("msg_type", ""))


def _decode(frame: bytes) -> dict[str, Any]:
    """Return an object in JSON; an empty one for anything else, which no kernel sends."""
    try:
        value = json.loads(frame)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


class KernelChannel:
    """A subscription to the IOPub channel of one process of a kernel.

    The topic of a kernel's status is only known from its first message. Until then everything is received.
    Like its socket it is used by one thread.

    Args:
        connection: The content of the connection file.
        status_only: Subscribe to the status, the number of the cell and the debugger's events alone, once the
            kernel publishes much. A cell that prints 40 MB then costs some 20 messages instead of 4,000.
        max_waiting: How many messages may wait to be received, 0 for any number. Beyond it the kernel drops
            messages to this subscriber alone, which the few messages about the status do not reach.

    Raises:
        ValueError: The connection file names no valid address, or no valid keys.

    Attributes:
        socket: The subscriber, for a poller.
        rejected: How many messages had an invalid signature: another kernel has the ports of this one.
    """

    def __init__(
        self,
        connection: KernelConnection,
        *,
        status_only: bool = False,
        max_waiting: int = 1000,
    ) -> None:
        self._connection = connection
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        self._narrow_next = status_only
        self._shell: zmq.Socket[bytes] | None = None
        self._was_connected = self._is_lost = self._is_verified = False
        self.rejected = self._received = 0
        self._topic_start: bytes | None = None
        self.socket = self._context.socket(zmq.SUB)
        self.socket.rcvhwm = max_waiting
        events = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED
        self._monitor = self.socket.get_monitor_socket(events)
        self.socket.subscribe(b"")
        try:
            connection.connect("iopub", self.socket)
        except ValueError:
            self.close()
            raise

    @property
    def is_connected(self) -> bool:
        """Whether the kernel's process has accepted the connection and has not closed it."""
        self._read_events()
        return self._was_connected and not self._is_lost

    @property
    def is_lost(self) -> bool:
        """Whether the connection was closed after it had been accepted: the kernel ended or restarts.

        Its next process publishes under another topic, so open another channel for it.
        """
        self._read_events()
        return self._is_lost

    @property
    def has_news(self) -> bool:
        """Whether a message has arrived, or the connection has changed."""
        return _has_message(self.socket) or _has_message(self._monitor)

    def receive(self, timeout_ms: int = 0) -> KernelMessage | None:
        """Return the next message with a valid signature.

        Args:
            timeout_ms: The longest time to wait for one, in milliseconds.

        Returns:
            The message; None if there is none.
        """
        while _has_message(self.socket) or (timeout_ms and self.socket.poll(timeout_ms)):
            message = self._parse(self.socket.recv_multipart(zmq.NOBLOCK))
            if message is not None:
                if self._narrow_next:
                    self._narrow(message)
                return message
        return None

    def receive_all(self, limit: int) -> list[KernelMessage]:
        """Return the messages that have arrived, at most `limit` of them.

        A connection leads to one process, so only messages up to its first valid signature are checked. Checking
        all of them would take a fifth of the time of recording much output.
        """
        found: list[KernelMessage] = []
        while len(found) < limit:
            try:
                frames = _receive_frames(self.socket)
            except zmq.Again:
                break
            is_trusted = self._is_verified and not self._is_lost
            message = self._parse(frames, is_trusted=is_trusted)
            if message is not None:
                self._is_verified = True
                found.append(message)
        return found

    def send_kernel_info_request(self) -> str:
        """Send the request that a kernel answers at once when it is idle, and else at the end of its cell.

        Jupyter's culling does not count it as activity.

        Returns:
            The ID of the request. The kernel also publishes its status with this request as the parent.
        """
        if self._shell is None:
            self._shell = self._context.socket(zmq.DEALER)
            self._connection.connect("shell", self._shell)
        header = _request_header("kernel_info_request")
        frames = [json.dumps(header).encode(), b"{}", b"{}", b"{}"]
        self._shell.send_multipart([DELIMITER, self._connection.sign(frames), *frames])
        return str(header["msg_id"])

    def receive_reply(self) -> KernelMessage | None:
        """Return the reply to the request, and close its socket; None if there is no reply yet."""
        while self._shell is not None and _has_message(self._shell):
            message = self._parse(self._shell.recv_multipart(zmq.NOBLOCK))
            if message is not None:
                self._close_shell()
                return message
        return None

    def close(self) -> None:
        """Close the sockets; calling it twice is allowed."""
        self._close_shell()
        if not self.socket.closed:
            self.socket.disable_monitor()
            self._monitor.close(linger=0)
            self.socket.close(linger=0)

    def _close_shell(self) -> None:
        if self._shell is not None:
            self._shell.close(linger=0)
            self._shell = None

    def _is_signed(self, signed: list[bytes], signature: bytes) -> bool:
        return hmac.compare_digest(self._connection.sign(signed), signature)

    def _parse(self, frames: list[bytes], *, is_trusted: bool = False) -> KernelMessage | None:
        """Return a message; None if it is incomplete, or its signature is invalid and it is not trusted."""
        try:
            start = frames.index(DELIMITER)
        except ValueError:
            return None
        signature, signed = frames[start + 1 : start + 2], frames[start + 2 : start + 6]
        if len(signed) < _SIGNED_FRAMES:
            return None
        if not is_trusted and not self._is_signed(signed, signature[0]):
            self.rejected += 1
            return None
        return KernelMessage(frames[0] if start else b"", signed)

    def _narrow(self, message: KernelMessage) -> None:
        """Subscribe to the status and a few others, once a kernel publishes much and has shown their topics.

        ipykernel 7 welcomes each subscriber to a topic, which the culling of Jupyter counts as activity. Therefore
        the topics change only during a cell, when the kernel is active anyway. A kernel whose topics do not end in
        the type of the message is subscribed to as a whole.
        """
        self._received += 1
        if message.type == "status" and message.topic.endswith(STATUS_TOPIC):
            self._topic_start = message.topic[: -len(STATUS_TOPIC)]
        is_in_cell = message.parent_header.get("msg_type") == "execute_request"
        if self._topic_start is None or self._received < NARROW_AFTER or not is_in_cell:
            return
        for topic in STATUS_ONLY_TOPICS:
            self.socket.subscribe(self._topic_start + topic)
        self.socket.unsubscribe(b"")
        self._narrow_next = False

    def _read_events(self) -> None:
        while not self._is_lost and not self.socket.closed and _has_message(self._monitor):
            event = recv_monitor_message(self._monitor)["event"]
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._was_connected = True
            elif event == zmq.EVENT_DISCONNECTED:
                self._is_lost = self._was_connected


def _has_message(socket: zmq.Socket[bytes]) -> bool:
    """Return whether a message can be received; a fifth of the price of a poll without a wait."""
    return bool(int(socket.getsockopt(zmq.EVENTS)) & _READABLE)


def _receive_frames(socket: zmq.Socket[bytes]) -> list[bytes]:
    """Return the frames of a message that has arrived; takes two thirds of the time of `recv_multipart`.

    Raises:
        zmq.Again: There is none.
    """
    receive = socket.recv
    frame = receive(_NO_WAIT, copy=False)
    frames = [frame.bytes]
    while frame.more:
        frame = receive(_NO_WAIT, copy=False)
        frames.append(frame.bytes)
    return frames


def _request_header(message_type: str) -> dict[str, str]:
    return {
        "msg_id": uuid.uuid4().hex,
        "msg_type": message_type,
        "username": "modelarts-magics",
        "session": uuid.uuid4().hex,
        "date": datetime.now(timezone.utc).isoformat(),
        "version": "5.3",
    }
