"""HTTP transport whose socket can be closed by another thread, and which reads within a deadline.

It is a thin layer over the connection pool of httpcore, as `httpx.HTTPTransport` is. In addition, each read and
write of a socket asks the request whether it may go on, and bytes that no request asked for end the connection.
"""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any, Protocol

import httpcore
import httpx

from modelarts_magics.domain.after_fork import close_in_child

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Iterator

CONTROL = "modelarts_magics.control"
"""The name of the extension of a request that holds its `RequestControl`."""
KEEP_ALIVE_S = 5.0
"""The time that an idle connection is kept for the next request."""
_SOCKS_SCHEMES = (b"socks5", b"socks5h")
_HTTPCORE_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)


class RequestControl(Protocol):
    """The owner of a request, which may end it at any time."""

    def check(self, stream: ControlledStream, timeout_s: float | None) -> float | None:
        """Return the timeout of the next read or write of the stream; raise an error to end the request."""

    def count_received(self, size: int) -> None:
        """Count bytes that were received; raise an error to end the request."""


class PooledTransport(httpx.BaseTransport):
    """Send requests through kept connections; used by one thread.

    Args:
        ssl_context: The context for ``https``; None if there is no such request.
        proxy_url: The URL of the proxy; "" for none.

    Raises:
        ImportError: A SOCKS proxy needs an additional package.
        ValueError, httpx.InvalidURL: The URL of the proxy is invalid.
    """

    def __init__(self, *, ssl_context: ssl.SSLContext | None = None, proxy_url: str = "") -> None:
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

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the errors are those of httpx and of the control of the request."""
        self._backend.control = request.extensions.get(CONTROL)
        url = request.url
        sent = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        try:
            response = self._pool.handle_request(sent)
        except _HTTPCORE_ERRORS as error:
            raise _httpx_error(error) from error
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_ResponseStream(response.stream, self._close_unclean_connections),
            extensions=response.extensions,
        )

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
    proxy = httpx.Proxy(proxy_url)
    url = httpcore.URL(
        scheme=proxy.url.raw_scheme,
        host=proxy.url.raw_host,
        port=proxy.url.port,
        target=proxy.url.raw_path,
    )
    if url.scheme in _SOCKS_SCHEMES:
        # Without this package the pool would fail at the first request only.
        import socksio  # type: ignore[import-not-found,unused-ignore]  # noqa: F401, PLC0415

        return httpcore.SOCKSProxy(proxy_url=url, proxy_auth=proxy.raw_auth, **options)
    headers = proxy.headers.raw
    return httpcore.HTTPProxy(
        proxy_url=url, proxy_auth=proxy.raw_auth, proxy_headers=headers, **options
    )


def _has_unread_bytes(connection: object) -> bool:
    """Return whether the parser of a connection has bytes left; True if that cannot be determined."""
    # httpcore does not publish its parser. Where it is not found, no connection is used twice.
    parser = getattr(getattr(connection, "_connection", None), "_h11_state", None)
    return parser is None or bool(parser.trailing_data[0])


def _httpx_error(error: Exception) -> Exception:
    """Return the error of httpx that has the name of one of httpcore."""
    kind: type[httpx.TransportError] = getattr(httpx, type(error).__name__, httpx.TransportError)
    return kind(str(error))


class _ResponseStream(httpx.SyncByteStream):
    """The body of a response.

    Args:
        stream: The body as the pool returns it.
        on_close: Called after the body was read or given up.
    """

    def __init__(self, stream: Any, on_close: Any) -> None:  # noqa: ANN401 - httpcore annotates a union
        self._stream = stream
        self._on_close = on_close

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._stream
        except _HTTPCORE_ERRORS as error:
            raise _httpx_error(error) from error

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
