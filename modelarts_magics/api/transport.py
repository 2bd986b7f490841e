"""The one place that talks HTTP: authentication, time-outs, retries, clock skew.

One request takes these steps: `Transport.request` repeats `_attempt` while that is safe and there is
time; `_attempt` authenticates, sends once and turns a failing status into an error of this package.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Callable
from urllib.parse import urlsplit

import httpx

from modelarts_magics.api import signing
from modelarts_magics.api.failures import failure
from modelarts_magics.api.worker import Worker
from modelarts_magics.clock import SYSTEM_CLOCK, Clock, Deadline
from modelarts_magics.config import is_loopback
from modelarts_magics.credentials import AccessKey, Credential, Token
from modelarts_magics.errors import (
    BadAnswerError,
    DeadlineError,
    ModelArtsError,
    ServerError,
    ThrottledError,
    UnreachableError,
)
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_ANSWER_BYTES = 1 << 20
ATTEMPTS = 4
FIRST_PAUSE = 0.3
LARGEST_SKEW = timedelta(minutes=5)
"""A clock further off than this is taken as the reason of a refused signature; the cloud allows 15 min."""
NEGLIGIBLE_SKEW = timedelta(seconds=2)
"""The ``Date`` header has whole seconds: a smaller difference says nothing about the clock."""

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


@dataclass(frozen=True)
class Timeouts:
    """How long to wait, in seconds.

    Attributes:
        connect: For a connection.
        read: For each piece of an answer.
    """

    connect: float = 5.0
    read: float = 15.0


@dataclass(frozen=True)
class Answer:
    """A successful answer.

    Attributes:
        data: The JSON of the body; None where the body is empty.
        observed_at: When the cloud gave it, aware, by the cloud's clock.
        demo: Whether the local emulator gave it.
    """

    data: Any
    observed_at: datetime
    demo: bool = False


class _Reply:
    """A complete HTTP answer, not yet judged."""

    __slots__ = ("content", "headers", "status")

    def __init__(self, response: httpx.Response, content: bytes) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.content = content


class Transport:
    """A client of one endpoint; safe to use from several threads, one request at a time each.

    Args:
        endpoint: Scheme and host, as ``https://modelarts.cn-north-4.myhuaweicloud.com``.
        project_id: The project that the credential is for.
        credential: Gives the credential; asked before every request, so that rotated keys count.
        timeouts: Connect and read time-outs.
        clock: Time, for tests.
        http: What carries the requests, for tests; None for the network.
    """

    def __init__(  # noqa: PLR0913 - each is one thing a test or a setting replaces
        self,
        endpoint: str,
        *,
        project_id: str,
        credential: Callable[[], Credential],
        timeouts: Timeouts = Timeouts(),
        clock: Clock = SYSTEM_CLOCK,
        http: httpx.BaseTransport | None = None,
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._host = urlsplit(endpoint).netloc
        self._project_id = project_id
        self._credential = credential
        self._timeouts = timeouts
        self._clock = clock
        self._http = http
        self._client: httpx.Client | None = None
        self._worker = Worker()
        self.skew = timedelta(0)

    def request(
        self,
        method: str,
        path: str,
        *,
        deadline: Deadline,
        query: Iterable[tuple[str, str]] = (),
        body: dict[str, Any] | None = None,
    ) -> Answer:
        """Send a request, again where that is safe, and return the JSON of the answer.

        A GET is repeated after any passing failure; another method only where the cloud surely did
        not act on it: the connection failed, or it was throttled.

        Raises:
            CloudError: The cloud refused, with its own code.
            UnreachableError: No answer, or none in time; `sent` says whether it may have arrived.
            BadAnswerError: The answer is not JSON, too large, or a redirect.
        """
        content = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        pairs = tuple(query)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._attempt(method, path, pairs, content, deadline)
            except ModelArtsError as error:
                pause = self._pause(error, attempt, repeatable=method == "GET")
                if pause is None or attempt == ATTEMPTS or deadline.left <= pause:
                    raise
            self._clock.sleep(pause)
        raise AssertionError  # the last attempt returns or raises

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        self._worker.stop()
        if self._client is not None:
            self._client.close()
            self._client = None

    def now(self) -> datetime:
        """The cloud's time, as far as its answers told; else the local clock's."""
        return self._clock.now() + self.skew

    def _pause(self, error: ModelArtsError, attempt: int, *, repeatable: bool) -> float | None:
        """Seconds to wait before the next attempt; None if there must be none."""
        refused = isinstance(error, ThrottledError)
        unsent = isinstance(error, UnreachableError) and not error.sent
        passing = isinstance(error, (ServerError, UnreachableError, BadAnswerError))
        if not (refused or unsent or (repeatable and passing)):
            return None
        backoff = FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
        asked: float | None = error.values.get("retry_after")
        return backoff if asked is None else max(backoff, asked)

    def _attempt(
        self,
        method: str,
        path: str,
        query: tuple[tuple[str, str], ...],
        content: bytes,
        deadline: Deadline,
    ) -> Answer:
        credential = self._credential()
        reply = self._send(method, path, query, content, credential, deadline)
        if reply.status in (401, 403) and isinstance(credential, AccessKey):
            before = self.skew
            self._learn_skew(reply)
            if abs(self.skew - before) > LARGEST_SKEW:
                reply = self._send(method, path, query, content, credential, deadline)
        self._learn_skew(reply)
        return self._judge(reply, credential)

    def _send(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        path: str,
        query: tuple[tuple[str, str], ...],
        content: bytes,
        credential: Credential,
        deadline: Deadline,
    ) -> _Reply:
        url = httpx.URL(self._endpoint + path, params=query) if query else self._endpoint + path
        headers = self._headers(method, path, query, content, credential)
        request = httpx.Request(
            method,
            url,
            headers=headers,
            content=content,
            extensions={"timeout": self._time_limits(deadline)},
        )
        try:
            client = self._open()
            return self._worker.run(lambda: _exchange(client, request, deadline), deadline=deadline)
        except TimeoutError:
            self._abandon()
            raise DeadlineError(
                "unreachable.deadline", sent=True, **self._where(deadline)
            ) from None
        except httpx.HTTPError as error:
            raise self._unreachable(error, deadline) from None
        except KeyboardInterrupt:
            self._abandon()
            raise

    def _headers(
        self,
        method: str,
        path: str,
        query: tuple[tuple[str, str], ...],
        content: bytes,
        credential: Credential,
    ) -> dict[str, str]:
        headers = {"Host": self._host, "X-Project-Id": self._project_id}
        if content or method != "GET":
            headers["Content-Type"] = "application/json"
        if isinstance(credential, Token):
            headers["X-Auth-Token"] = credential.value
        else:
            headers["X-Sdk-Date"] = signing.timestamp(self.now())
            if credential.security_token:
                headers["X-Security-Token"] = credential.security_token
            headers["Authorization"] = signing.authorization(
                method=method,
                path=path,
                query=query,
                headers=headers,
                body=content,
                access=credential.access,
                secret=credential.secret,
            )
        headers["Accept"] = "application/json"
        headers["User-Agent"] = "modelarts-magics"
        return headers

    def _judge(self, reply: _Reply, credential: Credential) -> Answer:
        if reply.status >= 400:  # noqa: PLR2004 - HTTP's own bound
            request_id = reply.headers.get("X-Request-Id", "")[:80]
            error = failure(
                reply.status, reply.content, request_id=request_id, secrets=credential.secrets
            )
            error.values.update(host=self._host, retry_after=_retry_after(reply, self._clock.now()))
            raise error
        if reply.status >= 300:  # noqa: PLR2004
            raise BadAnswerError("answer.redirect", host=self._host, status=reply.status)
        return Answer(_json(reply, self._host), self.now(), "X-Emulator" in reply.headers)

    def _learn_skew(self, reply: _Reply) -> None:
        try:
            date = parsedate_to_datetime(reply.headers["Date"])
        except (KeyError, TypeError, ValueError, IndexError):
            return
        if date.tzinfo is None:
            date = date.replace(tzinfo=timezone.utc)
        skew = date + timedelta(milliseconds=500) - self._clock.now()
        self.skew = skew if abs(skew) > NEGLIGIBLE_SKEW else timedelta(0)

    def _open(self) -> httpx.Client:
        if self._client is None:
            local = is_loopback(self._endpoint)
            self._client = httpx.Client(
                transport=self._http,
                follow_redirects=False,
                trust_env=not local,  # a proxy cannot reach this machine's own loopback
                verify=not local,  # plain http there: the CA bundle would take 30 ms for nothing
            )
        return self._client

    def _abandon(self) -> None:
        """Leave a stuck connection to its thread, and use new ones from here on."""
        self._client = None

    def _time_limits(self, deadline: Deadline) -> dict[str, float]:
        left = max(0.001, deadline.left)
        connect, read = min(self._timeouts.connect, left), min(self._timeouts.read, left)
        return {"connect": connect, "read": read, "write": read, "pool": connect}

    def _where(self, deadline: Deadline) -> dict[str, Any]:
        return {"host": self._host, "seconds": f"{deadline.seconds:g}"}

    def _unreachable(self, error: httpx.HTTPError, deadline: Deadline) -> ModelArtsError:
        sent = not isinstance(error, _NOT_SENT)
        if isinstance(error, httpx.DecodingError):
            return BadAnswerError("answer.not_json", host=self._host)
        if isinstance(error, httpx.TimeoutException):
            return DeadlineError("unreachable.timeout", sent=sent, **self._where(deadline))
        code = "unreachable.broken" if sent else "unreachable.connect"
        return UnreachableError(
            code, sent=sent, host=self._host, reason=Message(f"reason.{_reason(error)}")
        )


def _exchange(client: httpx.Client, request: httpx.Request, deadline: Deadline) -> _Reply:
    """Send the request and read the whole answer, within the deadline and the size limit."""
    response = client.send(request, stream=True)
    try:
        pieces: list[bytes] = []
        size = 0
        for piece in response.iter_bytes():
            pieces.append(piece)
            size += len(piece)
            if size > MAX_ANSWER_BYTES:
                raise BadAnswerError("answer.too_large", limit=MAX_ANSWER_BYTES >> 20)
            if deadline.left <= 0:
                raise TimeoutError
        return _Reply(response, b"".join(pieces))
    finally:
        response.close()


def _json(reply: _Reply, host: str) -> Any:  # noqa: ANN401 - any JSON
    if not reply.content.strip():
        return None
    try:
        return json.loads(reply.content)
    except (ValueError, RecursionError):
        raise BadAnswerError("answer.not_json", host=host) from None


def _retry_after(reply: _Reply, now: datetime) -> float | None:
    value = reply.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (TypeError, ValueError, IndexError):
        return None


def _reason(error: httpx.HTTPError) -> str:
    """The kind of a connection failure, as a word of `messages`."""
    words = str(error).lower()
    if "name" in words and ("resol" in words or "known" in words or "service" in words):
        return "name"
    if "certificate" in words or "ssl" in words or "tls" in words:
        return "tls"
    if isinstance(error, httpx.ProxyError):
        return "proxy"
    return "refused" if "refused" in words else "network"
