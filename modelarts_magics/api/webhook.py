"""Send a JSON document to a webhook, with the proxies and certificates of all other requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from modelarts_magics.api.connections import Connections
from modelarts_magics.api.http_thread import HttpThread
from modelarts_magics.api.request import parse_retry_after
from modelarts_magics.domain.clock import SYSTEM_CLOCK, Deadline
from modelarts_magics.errors import UnreachableError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping


@dataclass(frozen=True)
class WebhookResponse:
    """The response of a webhook.

    Attributes:
        status: The HTTP status; a redirect is not followed.
        retry_after_s: The seconds to wait before the next request, if the response says so.
    """

    status: int
    retry_after_s: float | None


def post_json(
    url: str, content: bytes, headers: Mapping[str, str], *, timeout_s: float
) -> WebhookResponse:
    """Send a document once and return the response.

    Args:
        url: The address; user and password in it are sent as basic authentication.
        content: The document.
        headers: More headers.
        timeout_s: The time for everything, from the name lookup to the response.

    Raises:
        UnreachableError: No response; its attribute ``sent`` says whether the document may have arrived.
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    connections = Connections(f"{parts.scheme}://{host}", create=_create_transport)
    deadline = Deadline(timeout_s)
    request = _Request(url, content, headers, deadline)
    # The timeouts of httpx are for each part of a request, and none is for the name lookup.
    thread = HttpThread(on_exit=connections.close)
    try:
        return thread.run(lambda: request.send(connections.transport()), deadline=deadline)
    except httpx.TransportError as error:
        # Its cause is the error of the connection pool, which all other requests have.
        failure = connections.to_error(_cause(error), deadline)
        if isinstance(failure, UnreachableError):
            failure.sent = request.is_sent
        raise failure from None
    except TimeoutError:
        sent = request.is_sent
        raise connections.timeout_error("unreachable.read_timeout", deadline, sent=sent) from None
    finally:
        thread.stop()


class _Request:
    """One request, and whether its last part may have left this machine."""

    def __init__(
        self, url: str, content: bytes, headers: Mapping[str, str], deadline: Deadline
    ) -> None:
        self.is_sent = False
        self._url = url
        self._content = content
        self._headers = {"Content-Type": "application/json", "User-Agent": "modelarts-magics"}
        self._headers.update(headers)
        self._deadline = deadline

    def send(self, transport: httpx.BaseTransport) -> WebhookResponse:
        """Send the request in the current thread; its response has no use but the headers."""
        timeout = max(0.001, self._deadline.time_left_s)
        with httpx.Client(transport=transport, timeout=timeout, trust_env=False) as client:
            extensions = {"trace": self._trace}
            with client.stream(
                "POST",
                self._url,
                content=self._content,
                headers=self._headers,
                extensions=extensions,
            ) as response:
                waiting_time = response.headers.get("Retry-After", "")
                return WebhookResponse(
                    response.status_code, parse_retry_after(waiting_time, SYSTEM_CLOCK.now())
                )

    def _trace(self, event: str, info: dict[str, Any]) -> None:
        if self._deadline.time_left_s <= 0:
            # The caller has given up, so nothing more is sent.
            raise TimeoutError
        # A proxy gets a request of its own first.
        if event.endswith("send_request_body.started") and info["request"].method == b"POST":
            self.is_sent = True


def _create_transport(ssl_context: ssl.SSLContext | None, proxy_url: str) -> httpx.HTTPTransport:
    # Without https there is nothing to verify.
    return httpx.HTTPTransport(verify=ssl_context or False, proxy=proxy_url or None)


def _cause(error: httpx.TransportError) -> Exception:
    cause = error.__cause__
    return cause if isinstance(cause, Exception) else error
