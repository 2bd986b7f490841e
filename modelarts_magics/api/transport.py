"""The one place that talks HTTP: authentication, time-outs, retries, clock skew.

One request takes these steps: `Transport.request` repeats `_attempt` while that is safe and there is
time; `_attempt` authenticates, sends once and turns a failing status into an error of this package.
"""

from __future__ import annotations

import json
import random
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Callable
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from modelarts_magics.api import signing
from modelarts_magics.api.exchange import Exchange, Reply
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


class _Own(threading.local):
    """What belongs to one thread: its connections, so that a stuck one is left behind with its thread."""

    carrier: httpx.BaseTransport | None = None


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
        timeouts: Timeouts = Timeouts(),
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
        self._http = http
        self._own = _Own()
        self._worker = Worker(self._close_own)
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
            extensions={"timeout": self._time_limits(deadline)},
        )
        exchange = Exchange(request, deadline=deadline)
        try:
            return self._worker.run(lambda: exchange.run(self._carrier()), deadline=deadline)
        except TimeoutError:
            exchange.call_off()
            raise DeadlineError(
                "unreachable.deadline", sent=True, **self._where(deadline)
            ) from None
        except httpx.HTTPError as error:
            raise self._unreachable(error, deadline) from None
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
        self.skew = skew if abs(skew) > NEGLIGIBLE_SKEW else timedelta(0)

    def _carrier(self) -> httpx.BaseTransport:
        """The connections of the thread that asks.

        No `httpx.Client` stands before them: its cookies and redirects are not wanted here, and cost a
        tenth of a request.
        """
        if self._own.carrier is None:
            try:
                self._own.carrier = self._http or self._new_carrier()
            except OSError:
                raise self._no_connection("tls") from None  # a CA file that is not there
            except (ValueError, ImportError, httpx.InvalidURL):
                raise self._no_connection("proxy") from None  # one that httpx cannot use
        return self._own.carrier

    def _new_carrier(self) -> httpx.BaseTransport:
        if is_loopback(self._endpoint):
            # no proxy can reach this machine's own loopback; a CA bundle takes 30 ms for nothing there
            return httpx.HTTPTransport(verify=False, trust_env=False)
        return httpx.HTTPTransport(proxy=_proxy(self._endpoint))

    def _close_own(self) -> None:
        carrier, self._own.carrier = self._own.carrier, None
        if carrier is not None:
            carrier.close()

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
        if sent:
            return UnreachableError("unreachable.broken", sent=True, host=self._host)
        return self._no_connection(_reason(error))

    def _no_connection(self, reason: str) -> UnreachableError:
        words = Message(f"reason.{reason}")
        return UnreachableError("unreachable.connect", host=self._host, reason=words)


@lru_cache(maxsize=32)  # a client asks for few, and parsing one takes a tenth of a request
def _url(text: str, query: tuple[tuple[str, str], ...]) -> httpx.URL:
    return httpx.URL(text, params=query) if query else httpx.URL(text)


def _proxy(endpoint: str) -> str | None:
    """The proxy that the environment wants for the endpoint."""
    parts = urlsplit(endpoint)
    if proxy_bypass(parts.netloc):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy:
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


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
