"""Send a JSON document to a webhook, with the proxies and certificates of all other requests."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import httpcore

from modelarts_magics.api.connections import Connections, Timeouts
from modelarts_magics.api.http_thread import HttpThread
from modelarts_magics.api.request import decode_headers, parse_retry_after
from modelarts_magics.api.transport import TRANSPORT_ERRORS, parse_url
from modelarts_magics.domain.clock import SYSTEM_CLOCK, Deadline
from modelarts_magics.errors import ModelArtsError, UnreachableError

if TYPE_CHECKING:
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
    connections = Connections(f"{parts.scheme}://{host}")
    deadline = Deadline(timeout_s)
    request = _Request(url, content, headers, deadline)
    thread = HttpThread(on_exit=connections.close)
    try:
        return thread.run(lambda: request.send(connections), deadline=deadline)
    except TRANSPORT_ERRORS as error:
        failure = connections.to_error(error, deadline)
        raise _with_sent(failure, is_sent=request.is_sent) from None
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
        self._deadline = deadline
        host = urlsplit(url).netloc.rpartition("@")[2]
        all_headers = {
            "Host": host if host.isascii() else host.encode("idna").decode(),
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            "User-Agent": "modelarts-magics",
            **_authorization(url),
            **headers,
        }
        self._request = httpcore.Request(
            "POST",
            parse_url(url),
            content=content,
            headers=list(all_headers.items()),
            extensions={
                "trace": self._trace,
                "timeout": Timeouts(deadline.timeout_s, deadline.timeout_s).capped_by(deadline),
            },
        )

    def send(self, connections: Connections) -> WebhookResponse:
        """Send the request in the current thread."""
        response = connections.transport().handle_request(self._request)
        try:
            retry_after_s = parse_retry_after(
                decode_headers(response).get("retry-after", ""), SYSTEM_CLOCK.now()
            )
            return WebhookResponse(response.status, retry_after_s)
        finally:
            response.close()

    def _trace(self, event: str, info: dict[str, Any]) -> None:
        if self._deadline.time_left_s <= 0:
            # The caller has given up, so nothing more is sent.
            raise TimeoutError
        # A proxy gets a request of its own first.
        if event.endswith("send_request_body.started") and info["request"].method == b"POST":
            self.is_sent = True


def _authorization(url: str) -> dict[str, str]:
    user_info = urlsplit(url).netloc.rpartition("@")[0]
    if not user_info:
        return {}
    user, _, password = user_info.partition(":")
    encoded = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    return {"Authorization": f"Basic {encoded}"}


def _with_sent(failure: ModelArtsError, *, is_sent: bool) -> ModelArtsError:
    if isinstance(failure, UnreachableError):
        failure.sent = is_sent
    return failure
