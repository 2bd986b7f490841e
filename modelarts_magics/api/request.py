"""Send one request and read the whole response, within a deadline and a size limit.

A request can be cancelled until it is sent.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast

from modelarts_magics.errors import InvalidResponseError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx

    from modelarts_magics.domain.clock import Deadline

MAX_RESPONSE_BYTES = 1 << 20
MAX_HTTP_DATE_YEAR = 9000
"""A later year is invalid, and would leave no room for date arithmetic."""


class HttpResponse:
    """A complete HTTP response of any status."""

    __slots__ = ("content", "headers", "status")

    def __init__(self, response: httpx.Response, content: bytes) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.content = content

    @property
    def date(self) -> datetime | None:
        """When the API answered, aware, by its own clock; None if the header is missing."""
        return _parse_http_date(self.headers.get("Date", ""))

    def retry_after(self, now: datetime) -> float | None:
        """Return the seconds to wait before the next request; None if the header is missing.

        Args:
            now: The current time by the clock of the API.
        """
        value = self.headers.get("Retry-After", "").strip()
        if value.isascii() and value.isdigit():
            return float(value[:9])
        date = _parse_http_date(value)
        return None if date is None else max(0.0, (date - now).total_seconds())

    def json(self, host: str) -> Any:  # noqa: ANN401 - any JSON
        """Return the JSON body; None if it is empty.

        Args:
            host: The host to name in an error.

        Raises:
            InvalidResponseError: The body is not JSON.
        """
        if not self.content.strip():
            return None
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            raise InvalidResponseError("response.not_json", host=host) from None


class PendingRequest:
    """A request that is being sent.

    A write that hangs before it is sent, for example in a name lookup, must not arrive after its caller
    has given up: it could undo a later change.

    Args:
        request: The request.
        deadline: When the response must be complete.
    """

    def __init__(self, request: httpx.Request, *, deadline: Deadline) -> None:
        self._request = request
        self._deadline = deadline
        self._cancelled = False
        if request.method != "GET":
            request.extensions = {**request.extensions, "trace": self._on_trace_event}

    def cancel(self) -> None:
        """Do not send the request if it is not sent yet, and stop reading the response."""
        self._cancelled = True

    def send(self, transport: httpx.BaseTransport) -> HttpResponse:
        """Send the request and read the whole response.

        Raises:
            TimeoutError: The deadline passed, or the request was cancelled.
            InvalidResponseError: The body is larger than `MAX_RESPONSE_BYTES`.
        """
        response = transport.handle_request(self._request)
        try:
            chunks: list[bytes] = []
            size = 0
            for chunk in self._body_chunks(response):
                chunks.append(chunk)
                size += len(chunk)
                if size > MAX_RESPONSE_BYTES:
                    raise InvalidResponseError("response.too_large", limit=MAX_RESPONSE_BYTES >> 20)
                self._check_deadline()
            return HttpResponse(response, b"".join(chunks))
        finally:
            response.close()

    def _body_chunks(self, response: httpx.Response) -> Iterable[bytes]:
        """Return the body in chunks, decoded if it is compressed.

        More than one encoding is refused: each one can multiply the size by up to 1000.
        """
        encoding = response.headers.get("Content-Encoding", "")
        if "," in encoding:
            raise InvalidResponseError("response.not_json", host=self._request.headers["Host"])
        return response.iter_bytes() if encoding else cast("Iterable[bytes]", response.stream)

    def _check_deadline(self) -> None:
        if self._cancelled or self._deadline.time_left_s <= 0:
            raise TimeoutError

    def _on_trace_event(self, event: str, _info: object) -> None:
        if event.endswith("send_request_headers.started"):
            self._check_deadline()


def _parse_http_date(text: str) -> datetime | None:
    """Parse the date in a header; None if it is missing, invalid or out of range."""
    try:
        date = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if date.year > MAX_HTTP_DATE_YEAR:
        return None
    return date if date.tzinfo else date.replace(tzinfo=timezone.utc)
