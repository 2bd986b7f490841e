"""One request and its whole answer, within a deadline and a size; can be called off until it is sent."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast

from modelarts_magics.errors import BadAnswerError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx

    from modelarts_magics.domain.clock import Deadline

MAX_ANSWER_BYTES = 1 << 20
LAST_YEAR = 9000
"""A later date is nonsense, and leaves no room to reckon with."""


class Reply:
    """A complete HTTP answer, not yet judged."""

    __slots__ = ("content", "headers", "status")

    def __init__(self, response: httpx.Response, content: bytes) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.content = content

    @property
    def date(self) -> datetime | None:
        """When the cloud answered, aware, by its own clock; None if it does not say."""
        return _http_date(self.headers.get("Date", ""))

    def retry_after(self, now: datetime) -> float | None:
        """Seconds to wait before asking again; None if the cloud does not say.

        Args:
            now: The cloud's time.
        """
        value = self.headers.get("Retry-After", "").strip()
        if value.isascii() and value.isdigit():
            return float(value[:9])
        date = _http_date(value)
        return None if date is None else max(0.0, (date - now).total_seconds())

    def json(self, host: str) -> Any:  # noqa: ANN401 - any JSON
        """What the body says; None where it is empty.

        Raises:
            BadAnswerError: It is no JSON; `host` is named.
        """
        if not self.content.strip():
            return None
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            raise BadAnswerError("answer.not_json", host=host) from None


class Exchange:
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
        self._called_off = False
        if request.method != "GET":
            request.extensions = {**request.extensions, "trace": self._before_sending}

    def call_off(self) -> None:
        """Send it no more, if it is not sent yet, and read no further."""
        self._called_off = True

    def run(self, carrier: httpx.BaseTransport) -> Reply:
        """Send the request and read the whole answer.

        Raises:
            TimeoutError: The deadline passed, or it was called off.
            BadAnswerError: The answer is larger than `MAX_ANSWER_BYTES`.
        """
        response = carrier.handle_request(self._request)
        try:
            pieces: list[bytes] = []
            size = 0
            for piece in self._pieces(response):
                pieces.append(piece)
                size += len(piece)
                if size > MAX_ANSWER_BYTES:
                    raise BadAnswerError("answer.too_large", limit=MAX_ANSWER_BYTES >> 20)
                self._check_time()
            return Reply(response, b"".join(pieces))
        finally:
            response.close()

    def _pieces(self, response: httpx.Response) -> Iterable[bytes]:
        """The body, unpacked if it is packed; what is not takes the short way.

        What is packed more than once is refused: each packing multiplies the size by up to 1000.
        """
        packing = response.headers.get("Content-Encoding", "")
        if "," in packing:
            raise BadAnswerError("answer.not_json", host=self._request.headers["Host"])
        return response.iter_bytes() if packing else cast("Iterable[bytes]", response.stream)

    def _check_time(self) -> None:
        if self._called_off or self._deadline.left <= 0:
            raise TimeoutError

    def _before_sending(self, event: str, _info: object) -> None:
        if event.endswith("send_request_headers.started"):
            self._check_time()


def _http_date(text: str) -> datetime | None:
    """The moment that a header names; None if it names none, or one that no clock will show."""
    try:
        date = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if date.year > LAST_YEAR:
        return None
    return date if date.tzinfo else date.replace(tzinfo=timezone.utc)
