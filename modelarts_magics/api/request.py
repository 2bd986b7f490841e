"""One request and its whole answer, within a deadline and a size; can be called off until it is sent."""

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
"""A later date is nonsense, and leaves no room to reckon with."""


class HttpResponse:
    """A complete HTTP answer, not yet judged."""

    __slots__ = ("content", "headers", "status")

    def __init__(self, response: httpx.Response, content: bytes) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.content = content

    @property
    def date(self) -> datetime | None:
        """When the cloud answered, aware, by its own clock; None if it does not say."""
        return _parse_http_date(self.headers.get("Date", ""))

    def retry_after(self, now: datetime) -> float | None:
        """Seconds to wait before asking again; None if the cloud does not say.

        Args:
            now: The cloud's time.
        """
        value = self.headers.get("Retry-After", "").strip()
        if value.isascii() and value.isdigit():
            return float(value[:9])
        date = _parse_http_date(value)
        return None if date is None else max(0.0, (date - now).total_seconds())

    def json(self, host: str) -> Any:  # noqa: ANN401 - any JSON
        """What the body says; None where it is empty.

        Raises:
            InvalidResponseError: It is no JSON; `host` is named.
        """
        if not self.content.strip():
            return None
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            raise InvalidResponseError("response.not_json", host=host) from None


class PendingRequest:
    """A request on its way.

    A write that hangs before it is sent, in a name look-up say, must not arrive when whoever asked
    for it has long given up: it would undo what was changed since.

    Args:
        request: What to send.
        deadline: When it must be over.
    """

    def __init__(self, request: httpx.Request, *, deadline: Deadline) -> None:
        self._request = request
        self._deadline = deadline
        self._cancelled = False
        if request.method != "GET":
            request.extensions = {**request.extensions, "trace": self._on_trace_event}

    def cancel(self) -> None:
        """Send it no more, if it is not sent yet, and read no further."""
        self._cancelled = True

    def send(self, transport: httpx.BaseTransport) -> HttpResponse:
        """Send the request and read the whole answer.

        Raises:
            TimeoutError: The deadline passed, or it was called off.
            InvalidResponseError: The answer is larger than `MAX_RESPONSE_BYTES`.
        """
        response = transport.handle_request(self._request)
        try:
            pieces: list[bytes] = []
            size = 0
            for piece in self._body_chunks(response):
                pieces.append(piece)
                size += len(piece)
                if size > MAX_RESPONSE_BYTES:
                    raise InvalidResponseError("response.too_large", limit=MAX_RESPONSE_BYTES >> 20)
                self._check_deadline()
            return HttpResponse(response, b"".join(pieces))
        finally:
            response.close()

    def _body_chunks(self, response: httpx.Response) -> Iterable[bytes]:
        """The body, unpacked if it is packed; what is not takes the short way.

        What is packed more than once is refused: each packing multiplies the size by up to 1000.
        """
        packing = response.headers.get("Content-Encoding", "")
        if "," in packing:
            raise InvalidResponseError("response.not_json", host=self._request.headers["Host"])
        return response.iter_bytes() if packing else cast("Iterable[bytes]", response.stream)

    def _check_deadline(self) -> None:
        if self._cancelled or self._deadline.time_left_s <= 0:
            raise TimeoutError

    def _on_trace_event(self, event: str, _info: object) -> None:
        if event.endswith("send_request_headers.started"):
            self._check_deadline()


def _parse_http_date(text: str) -> datetime | None:
    """The moment that a header names; None if it names none, or one that no clock will show."""
    try:
        date = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if date.year > MAX_HTTP_DATE_YEAR:
        return None
    return date if date.tzinfo else date.replace(tzinfo=timezone.utc)
