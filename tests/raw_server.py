"""A server that sends scripted bytes, also such as are no valid HTTP."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

LONG_S = 20.0


def response(body: bytes = b'{"id": "x"}', *headers: bytes) -> bytes:
    """Return a complete response."""
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join([*lines, b"", body])


class RawServer:
    """A server on loopback; each connection runs a script in a thread.

    Args:
        script: Called with each connection and its number.
        tls: The context of a server with TLS.

    Attributes:
        connection_count: How many connections were opened.
        closed: Set when the client has closed a connection that `wait_for_close` waits for.
    """

    def __init__(
        self, script: Callable[[RawServer, socket.socket, int], None], *, tls: ssl.SSLContext | None
    ) -> None:
        self._script = script
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        scheme = "https" if tls else "http"
        self.endpoint = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connection_count = 0
        self.closed = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def wait_for_close(self, connection: socket.socket) -> None:
        """Wait until the client closes the connection, and say so."""
        connection.settimeout(LONG_S)
        with contextlib.suppress(OSError):
            while connection.recv(65536):
                pass
        self.closed.set()

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connection_count += 1
                arguments = (connection, self.connection_count)
                threading.Thread(target=self._run, args=arguments, daemon=True).start()

    def _run(self, connection: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.enter_context(connection)
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                stack.enter_context(connection)
            self._script(self, connection, number)


@contextlib.contextmanager
def raw_server(
    script: Callable[[RawServer, socket.socket, int], None], *, tls: ssl.SSLContext | None = None
) -> Iterator[RawServer]:
    """Run a server."""
    server = RawServer(script, tls=tls)
    try:
        yield server
    finally:
        server.close()


def receive_request(connection: socket.socket) -> bytes:
    """Return the next request, or "" at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        data += chunk
    return data
