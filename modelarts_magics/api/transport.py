"""HTTP transport whose socket can be closed by another thread, and which reads within a deadline.

It is a thin layer over the connection pool of httpcore, with the same interface. In addition, each read and write
of a socket asks the request whether it may go on, and bytes that no request asked for end the connection. httpx is
another layer over this pool, used by `webhook`: its import would add 20 ms to the first command of a kernel.
"""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, unquote, urlsplit

import httpcore

from modelarts_magics.domain.after_fork import close_in_child

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Iterator

CONTROL = "modelarts_magics.control"
"""The name of the extension of a request that holds its `RequestControl`."""
KEEP_ALIVE_S = 5.0
"""The time that an idle connection is kept for the next request."""
_SOCKS_SCHEMES = (b"socks5", b"socks5h")
_PROXY_SCHEMES = (b"http", b"https", *_SOCKS_SCHEMES)
_URL_CHARACTERS = "/?%:@!$&'()*+,;=~"
"""The characters of a path and a query that stay as they are, besides letters, digits and ``_.-``."""
TRANSPORT_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)
"""The errors of `Transport.handle_request`, and of reading its response."""


class RequestControl(Protocol):
    """The owner of a request, which may end it at any time."""

    def check(self, stream: ControlledStream, timeout_s: float | None) -> float | None:
        """Return the timeout of the next read or write of the stream; raise an error to end the request."""

    def count_received(self, size: int) -> None:
        """Count bytes that were received; raise an error to end the request."""


class Transport(Protocol):
    """The interface of a connection pool of httpcore, which tests replace."""

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request, and return the response, whose stream the caller reads and closes."""

    def close(self) -> None:
        """Close all connections."""


class PooledTransport:
    """Send requests through kept connections; used by one thread.

    Args:
        ssl_context: The context for ``https``; None if there is no such request.
        proxy_url: The URL of the proxy; "" for none.

    Raises:
        ImportError: A SOCKS proxy needs an additional package.
        ValueError: The URL of the proxy is invalid.
    """

    def __init__(self, ssl_context: ssl.SSLContext | None = None, proxy_url: str = "") -> None:
        self._backend = _ControlledBackend()
        options: dict[str, Any] = {
            "ssl_context": ssl_context,
            "keepalive_expiry": KEEP_ALIVE_S,
            "network_backend": self._backend,
        }
        self._pool = (
            _create_proxy_pool(proxy_url, options)
            if proxy_url
            else httpcore.ConnectionPool(**options)
        )

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request; the errors are `TRANSPORT_ERRORS` and those of the control of the request."""
        self._backend.control = request.extensions.get(CONTROL)
        response = self._pool.handle_request(request)
        response.stream = _ResponseStream(response.stream, self._close_unclean_connections)
        return response

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def _close_unclean_connections(self) -> None:
        """Close each connection that has received more than its response.

        The next request would take these bytes for its own response. Bytes that arrive later make the connection
        readable while it is idle, so the pool closes it.
        """
        for connection in self._pool.connections:
            if connection.is_idle() and _has_unread_bytes(connection):
                connection.close()


def _create_proxy_pool(proxy_url: str, options: dict[str, Any]) -> httpcore.ConnectionPool:
    url, parts = parse_url(proxy_url), urlsplit(proxy_url)
    if url.scheme not in _PROXY_SCHEMES or not url.host:
        raise ValueError(proxy_url)
    names = (unquote(parts.username or "").encode(), unquote(parts.password or "").encode())
    auth = names if any(names) else None
    if url.scheme in _SOCKS_SCHEMES:
        # Without this package the pool would fail at the first request only.
        import socksio  # type: ignore[import-not-found,unused-ignore]  # noqa: F401, PLC0415

        return httpcore.SOCKSProxy(proxy_url=url, proxy_auth=auth, **options)
    return httpcore.HTTPProxy(proxy_url=url, proxy_auth=auth, **options)


def parse_url(text: str) -> httpcore.URL:
    """Return the parts of a URL as they are sent: quoted, and with an international host name in ASCII.

    Raises:
        ValueError: The URL is invalid.
    """
    parts = urlsplit(text)
    host = parts.hostname or ""
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return httpcore.URL(
        scheme=parts.scheme,
        host=host.encode("ascii" if host.isascii() else "idna"),
        port=parts.port,
        target=quote(target, safe=_URL_CHARACTERS),
    )


def _has_unread_bytes(connection: object) -> bool:
    """Return whether the parser of a connection has bytes left; True if that cannot be determined."""
    # httpcore does not publish its parser. Where it is not found, no connection is used twice.
    parser = getattr(getattr(connection, "_connection", None), "_h11_state", None)
    return parser is None or bool(parser.trailing_data[0])


class _ResponseStream:
    """The body of a response.

    Args:
        stream: The body as the pool returns it.
        on_close: Called after the body was read or given up.
    """

    def __init__(self, stream: Any, on_close: Any) -> None:  # noqa: ANN401 - httpcore annotates a union
        self._stream = stream
        self._on_close = on_close

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._stream)

    def close(self) -> None:
        self._stream.close()
        self._on_close()


class ControlledStream(httpcore.NetworkStream):
    """A connected socket, controlled by the request that uses it."""

    def __init__(self, stream: httpcore.NetworkStream, backend: _ControlledBackend) -> None:
        self._stream = stream
        self._backend = backend
        close_in_child(self)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read at most so many bytes."""
        control = self._backend.control
        if control is None:
            return self._stream.read(max_bytes, timeout)
        data = self._stream.read(max_bytes, control.check(self, timeout))
        control.count_received(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all bytes."""
        control = self._backend.control
        self._stream.write(buffer, control.check(self, timeout) if control else timeout)

    def close(self) -> None:
        """Close the socket."""
        self._stream.close()

    def shut_down(self) -> None:
        """End a read or write that another thread waits for; that thread closes the socket."""
        connected = self._stream.get_extra_info("socket")
        with contextlib.suppress(OSError):
            # The method of an SSL socket would also drop the TLS state, which the other thread uses.
            socket.socket.shutdown(connected, socket.SHUT_RDWR)

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Return the stream with TLS."""
        control = self._backend.control
        limit = control.check(self, timeout) if control else timeout
        stream = self._stream.start_tls(ssl_context, server_hostname, limit)
        return ControlledStream(stream, self._backend)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as in the base class
        """Return what the socket says about itself."""
        return self._stream.get_extra_info(info)


class _ControlledBackend(httpcore.NetworkBackend):
    """Open sockets for one thread.

    Attributes:
        control: The control of the current request.
    """

    def __init__(self) -> None:
        self._backend = httpcore.SyncBackend()
        self.control: RequestControl | None = None

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Open a connection."""
        stream = self._backend.connect_tcp(host, port, timeout, local_address, socket_options)
        return ControlledStream(stream, self)
