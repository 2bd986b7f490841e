"""The one place that talks HTTP: authentication, time-outs, retries, clock skew.

One request takes these steps: `Transport.request` repeats `_attempt` while that is safe and there is
time; `_attempt` authenticates, sends once and turns a failing status into an error of this package.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Callable
from urllib.parse import urlsplit

import httpx

from modelarts_magics.api import signing
from modelarts_magics.api.connections import Connections, Timeouts
from modelarts_magics.api.error_mapping import failure
from modelarts_magics.api.http_thread import Worker
from modelarts_magics.api.request import Exchange, Reply
from modelarts_magics.config.credential_chain import AccessKey, Credential, Token
from modelarts_magics.domain.clock import SYSTEM_CLOCK, Clock, Deadline
from modelarts_magics.errors import (
    BadAnswerError,
    ModelArtsError,
    ServerError,
    ThrottledError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

ATTEMPTS = 4
FIRST_PAUSE = 0.3
LARGEST_SKEW = timedelta(minutes=5)
"""A clock further off than this is taken as the reason of a refused signature; the cloud allows 15 min."""
NEGLIGIBLE_SKEW = timedelta(seconds=2)
"""The ``Date`` header has whole seconds: a smaller difference says nothing about the clock."""


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


def _no_other(_refused: Credential) -> bool:
    """There is only one credential."""
    return False


class Transport:
    """A client of one endpoint; safe to use from several threads, one request at a time each.

    Args:
        endpoint: Scheme and host, as ``https://modelarts.cn-north-4.myhuaweicloud.com``.
        project_id: The project that the credential is for; "" where it is not known yet.
        credential: Gives the credential; asked before every request, so that rotated keys count.
        renew: Asked once for each refused credential: whether there is another one now.
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
        renew: Callable[[Credential], bool] = _no_other,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        clock: Clock = SYSTEM_CLOCK,
        http: httpx.BaseTransport | None = None,
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._host = urlsplit(endpoint).netloc
        self._project_id = project_id
        self._credential = credential
        self._renew = renew
        self._timeouts = timeouts
        self._clock = clock
        self._connections = Connections(endpoint, given=http)
        self._worker = Worker(self._connections.close)
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
        content = b"" if body is None else _encoded(body)
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

    def now(self) -> datetime:
        """The cloud's time, as far as its answers told; else the local clock's."""
        return self._clock.now() + self.skew

    def _pause(self, error: ModelArtsError, attempt: int, *, repeatable: bool) -> float | None:
        """Seconds to wait before the next attempt; None if there must be none."""
        refused = isinstance(error, ThrottledError)
        unsent = isinstance(error, UnreachableError) and not error.sent
        passing = isinstance(error, (ServerError, UnreachableError)) or _garbled(error)
        if not (refused or unsent or (repeatable and passing)):
            return None
        backoff: float = FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
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
        if _refuses_credential(reply) and self._renew(credential):
            credential = self._credential()
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
    ) -> Reply:
        request = httpx.Request(
            method,
            _url(self._endpoint + path, query),
            headers=self._headers(method, path, query, content, credential),
            content=content,
            extensions={"timeout": self._timeouts.within(deadline)},
        )
        exchange = Exchange(request, deadline=deadline)
        try:
            return self._worker.run(
                lambda: exchange.run(self._connections.get()), deadline=deadline
            )
        except TimeoutError:
            exchange.call_off()
            raise self._connections.late("unreachable.deadline", deadline, sent=True) from None
        except httpx.HTTPError as error:
            raise self._connections.failure(error, deadline) from None
        except BaseException:
            exchange.call_off()
            raise

    def _headers(
        self,
        method: str,
        path: str,
        query: tuple[tuple[str, str], ...],
        content: bytes,
        credential: Credential,
    ) -> dict[str, str]:
        headers = {"Host": self._host}
        if self._project_id:
            headers["X-Project-Id"] = self._project_id
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

    def _judge(self, reply: Reply, credential: Credential) -> Answer:
        if reply.status >= 400:  # noqa: PLR2004 - HTTP's own bound
            request_id = reply.headers.get("X-Request-Id", "")
            error = failure(
                reply.status, reply.content, request_id=request_id, secrets=credential.secrets
            )
            error.values.update(host=self._host, retry_after=reply.retry_after(self.now()))
            raise error
        if reply.status >= 300:  # noqa: PLR2004
            raise BadAnswerError("answer.redirect", host=self._host, status=reply.status)
        return Answer(reply.json(self._host), self.now(), "X-Emulator" in reply.headers)

    def _learn_skew(self, reply: Reply) -> None:
        date = reply.date
        if date is None:
            return
        skew = date + timedelta(milliseconds=500) - self._clock.now()
        if abs(skew) <= NEGLIGIBLE_SKEW:
            self.skew = timedelta(0)
        elif abs(skew - self.skew) > NEGLIGIBLE_SKEW:  # else time would step back and forth
            self.skew = skew


@lru_cache(maxsize=32)  # a client asks for few, and parsing one takes a tenth of a request
def _url(text: str, query: tuple[tuple[str, str], ...]) -> httpx.URL:
    return httpx.URL(text, params=query) if query else httpx.URL(text)


def _encoded(body: dict[str, Any]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half of a character, in a stored description: carried as it came
        return json.dumps(body).encode()


def _refuses_credential(reply: Reply) -> bool:
    """Whether it is the credential that was refused, as a rotated key is, not what was asked for."""
    rotated = reply.status == HTTPStatus.FORBIDDEN and b"ModelArts.0206" in reply.content
    return rotated or reply.status == HTTPStatus.UNAUTHORIZED


def _garbled(error: ModelArtsError) -> bool:
    """Whether the next answer may well be better: a redirect or a flood is meant."""
    return error.code == "answer.not_json"
