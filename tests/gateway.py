"""A small proxy before a Jupyter server, as a platform has it: it refuses, replaces and drops requests."""

from __future__ import annotations

import contextlib
import re
import socket
import socketserver
import threading
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ui.jupyter_server_process import JupyterServerProcess

HOST = "127.0.0.1"
KNOWN_PATHS = re.compile(r"/(api|lab|notebooks|tree|static|kernelspecs|files|login|custom)(/|\?|$)")
"""The paths of Jupyter's own pages and requests; the gateway does not know those of an extension."""
KERNEL_PATHS = re.compile(r"/api/kernels(/|\?|$)")
LOGIN_PAGE = "<html><title>Log in</title><form><input name=password></form></html>"
ANSWERS = {
    "403": ("403 Forbidden", "application/json", '{"error_code": "APIG.0308"}'),
    "405": ("405 Method Not Allowed", "text/html", "<html>Not allowed</html>"),
    "502": ("502 Bad Gateway", "text/html", "<html>Bad gateway</html>"),
    "login page": ("200 OK", "text/html", LOGIN_PAGE),
}
"""What a gateway answers for a path that it does not know: status, content type and body."""
_CHUNK_BYTES = 65_536


class Gateway:
    """A proxy on loopback, which handles one request for each connection.

    Args:
        server_port: The port of the Jupyter server.
        unknown: Its answer for a path that it does not know, of `ANSWERS`; empty if it forwards the request.
        forbids_websockets: Whether it refuses to open a WebSocket.
        drop_every: It closes every so many of the connections that read or follow kernels; 0 for none.

    Attributes:
        port: Its own port.
        dropped: How many connections it has closed.
    """

    def __init__(
        self,
        server_port: int,
        *,
        unknown: str = "",
        forbids_websockets: bool = False,
        drop_every: int = 0,
    ) -> None:
        self._server_port = server_port
        self._unknown = unknown
        self._forbids_websockets = forbids_websockets
        self._drop_every = drop_every
        self._kernel_connections = count(1)
        self.dropped = 0
        handle_connection = self._handle

        class Handler(socketserver.BaseRequestHandler):
            """Passes a connection to the gateway."""

            def handle(self) -> None:
                """Handle the connection."""
                with contextlib.suppress(OSError):
                    handle_connection(self.request)

        self._proxy = socketserver.ThreadingTCPServer((HOST, 0), Handler)
        self._proxy.daemon_threads = True
        # The threads of connections that a page keeps open end with the process.
        self._proxy.block_on_close = False
        self.port = int(self._proxy.server_address[1])

    @contextlib.contextmanager
    def running(self) -> Iterator[Gateway]:
        """Handle requests, until the context ends."""
        thread = threading.Thread(target=self._proxy.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._proxy.shutdown()
            self._proxy.server_close()
            thread.join()

    def _handle(self, client: socket.socket) -> None:
        head, body = _read_head(client)
        path = head.split(b" ", 2)[1].decode() if head.count(b" ") > 1 else ""
        is_websocket = b"upgrade: websocket" in head.lower()
        if self._is_dropped(path, is_read=head.startswith(b"GET ")):
            return
        answer = self._own_answer(path, is_websocket=is_websocket)
        if answer is not None:
            client.sendall(_response(*answer))
            return
        if not is_websocket:
            head = re.sub(rb"(?im)^connection:.*\r\n", b"", head)
            head = head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        with socket.create_connection((HOST, self._server_port)) as server:
            server.sendall(head + body)
            threading.Thread(target=_copy, args=(client, server), daemon=True).start()
            _copy(server, client)

    def _is_dropped(self, path: str, *, is_read: bool) -> bool:
        if not self._drop_every or not is_read or not KERNEL_PATHS.search(path):
            return False
        is_dropped = next(self._kernel_connections) % self._drop_every == 0
        self.dropped += is_dropped
        return is_dropped

    def _own_answer(self, path: str, *, is_websocket: bool) -> tuple[str, str, str] | None:
        if is_websocket and self._forbids_websockets:
            return ANSWERS["403"]
        if self._unknown and not KNOWN_PATHS.search(path):
            return ANSWERS[self._unknown]
        return None


@contextlib.contextmanager
def behind_gateway(
    server: JupyterServerProcess,
    *,
    unknown: str = "",
    forbids_websockets: bool = False,
    drop_every: int = 0,
) -> Iterator[Gateway]:
    """Put a gateway between a server and its pages; for the arguments see `Gateway`."""
    gateway = Gateway(
        server.port, unknown=unknown, forbids_websockets=forbids_websockets, drop_every=drop_every
    )
    with gateway.running():
        server.page_port = gateway.port
        try:
            yield gateway
        finally:
            server.page_port = server.port


def _read_head(client: socket.socket) -> tuple[bytes, bytes]:
    """Return the request up to the empty line, and what was received of its body."""
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = client.recv(_CHUNK_BYTES)
        if not chunk:
            return b"", b""
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", body


def _response(status: str, content_type: str, body: str) -> bytes:
    lines = (f"HTTP/1.1 {status}", f"Content-Type: {content_type}", f"Content-Length: {len(body)}")
    return "\r\n".join((*lines, "Connection: close", "", body)).encode()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes until the source ends, and tell the target so."""
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK_BYTES):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
