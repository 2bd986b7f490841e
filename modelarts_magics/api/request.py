"""Send one request and read the whole response, within a deadline and a size limit.

A request can be cancelled until it is sent.
"""

from __future__ import annotations

import json
import threading
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpcore

from modelarts_magics.api.transport import CONTROL, PooledTransport
from modelarts_magics.errors import InvalidResponseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from modelarts_magics.api.transport import ControlledStream, Transport
    from modelarts_magics.domain.clock import Deadline

MAX_RESPONSE_BYTES = 1 << 20
MAX_RECEIVED_BYTES = 2 * MAX_RESPONSE_BYTES
"""The limit for a response with its headers, and with all that precedes it, such as ``100 Continue``."""
MAX_HTTP_DATE_YEAR = 9000
"""A later year is invalid, and would leave no room for date arithmetic."""

_STANDARD_LENGTH = 29
_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {f" {name} ": number for number, name in enumerate(_MONTH_NAMES, start=1)}


class HttpResponse:
    """A complete HTTP response of any status.

    Attributes:
        status: The HTTP status.
        headers: The headers by their names in lower case.
        content: The body.
    """

    __slots__ = ("content", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.status = status
        self.headers = headers
        self.content = content

    @property
    def date(self) -> datetime | None:
        """When the API answered, aware, by its own clock; None if the header is missing."""
        return _parse_http_date(self.headers.get("date", ""))

    def retry_after(self, now: datetime) -> float | None:
        """Return the seconds to wait before the next request; None if the header is missing.

        Args:
            now: The current time by the clock of the API.
        """
        return parse_retry_after(self.headers.get("retry-after", ""), now)

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
        method: The HTTP method.
        url: The URL.
        headers: All headers, with the length of the content if there is any.
        content: The body; empty for none.
        timeouts: The timeouts in the form of httpcore.
        deadline: When the response must be complete.
    """

    def __init__(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        url: httpcore.URL,
        *,
        headers: Mapping[str, str],
        deadline: Deadline,
        content: bytes = b"",
        timeouts: Mapping[str, float] | None = None,
    ) -> None:
        self._host = headers.get("Host", "")
        self._has_content = bool(content)
        self._deadline = deadline
        self._cancelled = False
        self._stream: ControlledStream | None = None
        self._received_bytes = 0
        self._lock = threading.Lock()
        self._sent = method == "GET"
        extensions: dict[str, Any] = {"timeout": dict(timeouts or {}), CONTROL: self}
        if not self._sent:
            extensions["trace"] = self._on_trace_event
        self._request = httpcore.Request(
            method, url, headers=list(headers.items()), content=content, extensions=extensions
        )

    @property
    def sent(self) -> bool:
        """Whether the request may have reached the API as a whole; final after `cancel`."""
        return self._sent

    def cancel(self) -> None:
        """Do not send the request if it is not sent yet, and close its connection."""
        with self._lock:
            self._cancelled = True
        if self._stream is not None:
            self._stream.shut_down()

    def send(self, transport: Transport) -> HttpResponse:
        """Send the request and read the whole response.

        Raises:
            TimeoutError: The deadline passed, or the request was cancelled.
            InvalidResponseError: The response is compressed, or larger than `MAX_RESPONSE_BYTES`.
        """
        if not self._sent:
            self._check_send(completes=not isinstance(transport, PooledTransport))
        response = transport.handle_request(self._request)
        headers = decode_headers(response)
        try:
            chunks: list[bytes] = []
            size = 0
            for chunk in self._body_chunks(response, headers):
                chunks.append(chunk)
                size += len(chunk)
                if size > MAX_RESPONSE_BYTES:
                    raise _too_large_error()
                self._check_deadline()
            return HttpResponse(response.status, headers, b"".join(chunks))
        finally:
            response.close()
            # The connection belongs to the next request.
            self._stream = None

    def check(self, stream: ControlledStream, timeout_s: float | None) -> float | None:
        """Return the timeout of the next read or write.

        Raises:
            TimeoutError: The deadline passed, or the request was cancelled.
        """
        # Set before the check, so that a cancellation at this moment finds one or the other.
        self._stream = stream
        self._check_deadline()
        left = self._deadline.time_left_s
        return left if timeout_s is None else min(timeout_s, left)

    def count_received(self, size: int) -> None:
        """Count received bytes.

        Raises:
            InvalidResponseError: There are more than `MAX_RECEIVED_BYTES`.
        """
        self._received_bytes += size
        if self._received_bytes > MAX_RECEIVED_BYTES:
            raise _too_large_error()

    def _body_chunks(
        self, response: httpcore.Response, headers: Mapping[str, str]
    ) -> Iterable[bytes]:
        """Return the body in chunks; none for a compressed error, whose status is enough.

        A compressed body is not decoded: it can become a thousand times larger, and was not asked for.
        """
        encoding = headers.get("content-encoding", "")
        if encoding.strip().lower() in ("", "identity"):
            return response.stream  # type: ignore[return-value]  # all transports are synchronous
        if response.status >= HTTPStatus.BAD_REQUEST:
            return ()
        raise InvalidResponseError("response.encoding", host=self._host)

    def _check_deadline(self) -> None:
        if self._cancelled or self._deadline.time_left_s <= 0:
            raise TimeoutError

    def _on_trace_event(self, event: str, _info: object) -> None:
        """Check a write before each of its two parts: the API cannot carry it out without its last one."""
        if event.endswith("send_request_headers.started"):
            self._check_send(completes=not self._has_content)
        elif event.endswith("send_request_body.started"):
            self._check_send(completes=True)

    def _check_send(self, *, completes: bool) -> None:
        """Check a write as the last step before its bytes.

        Args:
            completes: Whether the API has the whole request after these bytes.
        """
        with self._lock:
            self._check_deadline()
            self._deadline.check_send()
            self._sent = completes


def decode_headers(response: httpcore.Response) -> dict[str, str]:
    """Return the headers of a response by their names in lower case."""
    return {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
    }


def _too_large_error() -> InvalidResponseError:
    return InvalidResponseError("response.too_large", limit=MAX_RESPONSE_BYTES >> 20)


def parse_retry_after(value: str, now: datetime) -> float | None:
    """Return the seconds to wait that a header ``Retry-After`` names; None if it is missing or invalid."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    date = _parse_http_date(value)
    return None if date is None else max(0.0, (date - now).total_seconds())


def _parse_http_date(text: str) -> datetime | None:
    """Parse the date in a header; None if it is missing, invalid or out of range."""
    try:
        date = _parse_standard_date(text) or parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if date.year > MAX_HTTP_DATE_YEAR:
        return None
    return date if date.tzinfo else date.replace(tzinfo=timezone.utc)


def _parse_standard_date(text: str) -> datetime | None:
    """Parse a date such as ``Sun, 06 Nov 1994 08:49:37 GMT``; None for another form, which takes longer.

    Source: RFC 9110, section 5.6.7, IMF-fixdate.
    """
    month = _MONTHS.get(text[7:12])
    if month is None or len(text) != _STANDARD_LENGTH or not text.endswith(" GMT"):
        return None
    return datetime.fromisoformat(f"{text[12:16]}-{month:02}-{text[5:7]}T{text[17:25]}+00:00")
