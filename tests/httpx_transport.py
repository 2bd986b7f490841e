"""Let the client of this package send its requests through a transport of httpx, which scripts responses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpcore
import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator


class HttpxTransport:
    """A transport of the client that sends through one of httpx, with the errors of httpcore.

    Args:
        transport: The transport of httpx, such as `httpx.MockTransport`.
    """

    def __init__(self, transport: httpx.BaseTransport) -> None:
        self._transport = transport

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request."""
        url = request.url
        port = "" if url.port is None else f":{url.port}"
        sent = httpx.Request(
            request.method.decode(),
            f"{url.scheme.decode()}://{url.host.decode()}{port}{url.target.decode()}",
            headers=request.headers,
            stream=httpx.ByteStream(b"".join(request.stream)),  # type: ignore[arg-type]
            extensions=request.extensions,
        )
        sent.read()
        try:
            response = self._transport.handle_request(sent)
        except httpx.TransportError as error:
            raise _core_error(error) from error
        return httpcore.Response(
            response.status_code, headers=response.headers.raw, content=_Stream(response)
        )

    def close(self) -> None:
        """Close the transport."""
        self._transport.close()


class _Stream:
    """The body of a response, with the errors of httpcore."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._response.stream  # type: ignore[misc]
        except httpx.TransportError as error:
            raise _core_error(error) from error

    def close(self) -> None:
        self._response.close()


def _core_error(error: httpx.TransportError) -> Exception:
    """Return the error of httpcore with the name of one of httpx."""
    kind: type[Exception] = getattr(httpcore, type(error).__name__)
    return kind(str(error))
