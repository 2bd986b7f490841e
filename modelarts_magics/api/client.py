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
from modelarts_magics.api.error_mapping import error_from_response
from modelarts_magics.api.http_thread import HttpThread
from modelarts_magics.api.request import HttpResponse, PendingRequest
from modelarts_magics.config.credential_chain import AccessKey, Credential, Token
from modelarts_magics.domain.clock import SYSTEM_CLOCK, Clock, Deadline
from modelarts_magics.errors import (
    InvalidResponseError,
    ModelArtsError,
    ServerError,
    ThrottledError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_ATTEMPTS = 4
INITIAL_BACKOFF_S = 0.3
MAX_SIGNING_SKEW = timedelta(minutes=5)
"""A clock further off than this is taken as the reason of a refused signature; the cloud allows 15 min."""
NEGLIGIBLE_SKEW = timedelta(seconds=2)
"""The ``Date`` header has whole seconds: a smaller difference says nothing about the clock."""


@dataclass(frozen=True)
class ApiResponse:
    """A successful answer.

    Attributes:
        data: The JSON of the body; None where the body is empty.
        observed_at: When the cloud gave it, aware, by the cloud's clock.
        demo: Whether the local emulator gave it.
    """

    data: Any
    observed_at: datetime
    demo: bool = False


def _never_renew(_refused: Credential) -> bool:
    """There is only one credential."""
    return False


class ApiClient:
    """A client of one endpoint; safe to use from several threads, one request at a time each.

    Args:
        endpoint: Scheme and host, as ``https://modelarts.cn-north-4.myhuaweicloud.com``.
        project_id: The project that the credential is for; "" where it is not known yet.
        credential: Gives the credential; asked before every request, so that rotated keys count.
        renew: Asked once for each refused credential: whether there is another one now.
        timeouts: Connect and read time-outs.
        clock: Time, for tests.
        transport: What carries the requests, for tests; None for the network.
    """

    def __init__(  # noqa: PLR0913 - each is one thing a test or a setting replaces
        self,
        endpoint: str,
        *,
        project_id: str,
        credential: Callable[[], Credential],
        renew: Callable[[Credential], bool] = _never_renew,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        clock: Clock = SYSTEM_CLOCK,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._host = urlsplit(endpoint).netloc
        self._project_id = project_id
        self._credential = credential
        self._renew = renew
        self._timeouts = timeouts
        self._clock = clock
        self._connections = Connections(endpoint, transport=transport)
        self._http_thread = HttpThread(self._connections.close)
        self.skew = timedelta(0)

    def request(
        self,
        method: str,
        path: str,
        *,
        deadline: Deadline,
        query: Iterable[tuple[str, str]] = (),
        body: dict[str, Any] | None = None,
    ) -> ApiResponse:
        """Send a request, again where that is safe, and return the JSON of the answer.

        A GET is repeated after any passing failure; another method only where the cloud surely did
        not act on it: the connection failed, or it was throttled.

        Raises:
            ApiError: The cloud refused, with its own code.
            UnreachableError: No answer, or none in time; `sent` says whether it may have arrived.
            InvalidResponseError: The answer is not JSON, too large, or a redirect.
        """
        content = b"" if body is None else _encode_body(body)
        pairs = tuple(query)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                return self._attempt(method, path, pairs, content, deadline)
            except ModelArtsError as error:
                pause = self._retry_delay(error, attempt, idempotent=method == "GET")
                if pause is None or attempt == MAX_ATTEMPTS or deadline.time_left_s <= pause:
                    raise
            self._clock.sleep(pause)
        raise AssertionError  # the last attempt returns or raises

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        self._http_thread.stop()

    def now(self) -> datetime:
        """The cloud's time, as far as its answers told; else the local clock's."""
        return self._clock.now() + self.skew

    def _retry_delay(
        self, error: ModelArtsError, attempt: int, *, idempotent: bool
    ) -> float | None:
        """Seconds to wait before the next attempt; None if there must be none."""
        refused = isinstance(error, ThrottledError)
        unsent = isinstance(error, UnreachableError) and not error.sent
        passing = isinstance(error, (ServerError, UnreachableError)) or _is_invalid_json(error)
        if not (refused or unsent or (idempotent and passing)):
            return None
        backoff: float = INITIAL_BACKOFF_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
        asked: float | None = error.values.get("retry_after")
        return backoff if asked is None else max(backoff, asked)

    def _attempt(
        self,
        method: str,
        path: str,
        query: tuple[tuple[str, str], ...],
        content: bytes,
        deadline: Deadline,
    ) -> ApiResponse:
        credential = self._credential()
        reply = self._send(method, path, query, content, credential, deadline)
        if reply.status in (401, 403) and isinstance(credential, AccessKey):
            before = self.skew
            self._update_skew(reply)
            if abs(self.skew - before) > MAX_SIGNING_SKEW:
                reply = self._send(method, path, query, content, credential, deadline)
        if _is_credential_refused(reply) and self._renew(credential):
            credential = self._credential()
            reply = self._send(method, path, query, content, credential, deadline)
        self._update_skew(reply)
        return self._check_response(reply, credential)

    def _send(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        path: str,
        query: tuple[tuple[str, str], ...],
        content: bytes,
        credential: Credential,
        deadline: Deadline,
    ) -> HttpResponse:
        request = httpx.Request(
            method,
            _build_url(self._endpoint + path, query),
            headers=self._headers(method, path, query, content, credential),
            content=content,
            extensions={"timeout": self._timeouts.capped_by(deadline)},
        )
        exchange = PendingRequest(request, deadline=deadline)
        try:
            return self._http_thread.run(
                lambda: exchange.send(self._connections.transport()), deadline=deadline
            )
        except TimeoutError:
            exchange.cancel()
            raise self._connections.timeout_error(
                "unreachable.total_timeout", deadline, sent=True
            ) from None
        except httpx.HTTPError as error:
            raise self._connections.to_error(error, deadline) from None
        except BaseException:
            exchange.cancel()
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
                access=credential.access_key_id,
                secret=credential.secret_key,
            )
        headers["Accept"] = "application/json"
        headers["User-Agent"] = "modelarts-magics"
        return headers

    def _check_response(self, response: HttpResponse, credential: Credential) -> ApiResponse:
        if response.status >= 400:  # noqa: PLR2004 - HTTP's own bound
            request_id = response.headers.get("X-Request-Id", "")
            error = error_from_response(
                response.status, response.content, request_id=request_id, secrets=credential.secrets
            )
            error.values.update(host=self._host, retry_after=response.retry_after(self.now()))
            raise error
        if response.status >= 300:  # noqa: PLR2004
            raise InvalidResponseError("response.redirect", host=self._host, status=response.status)
        return ApiResponse(response.json(self._host), self.now(), "X-Emulator" in response.headers)

    def _update_skew(self, response: HttpResponse) -> None:
        date = response.date
        if date is None:
            return
        skew = date + timedelta(milliseconds=500) - self._clock.now()
        if abs(skew) <= NEGLIGIBLE_SKEW:
            self.skew = timedelta(0)
        elif abs(skew - self.skew) > NEGLIGIBLE_SKEW:  # else time would step back and forth
            self.skew = skew


@lru_cache(maxsize=32)  # a client asks for few, and parsing one takes a tenth of a request
def _build_url(text: str, query: tuple[tuple[str, str], ...]) -> httpx.URL:
    return httpx.URL(text, params=query) if query else httpx.URL(text)


def _encode_body(body: dict[str, Any]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half of a character, in a stored description: carried as it came
        return json.dumps(body).encode()


def _is_credential_refused(response: HttpResponse) -> bool:
    """Whether it is the credential that was refused, as a rotated key is, not what was asked for."""
    rotated = response.status == HTTPStatus.FORBIDDEN and b"ModelArts.0206" in response.content
    return rotated or response.status == HTTPStatus.UNAUTHORIZED


def _is_invalid_json(error: ModelArtsError) -> bool:
    """Whether the next answer may well be better: a redirect or a flood is meant."""
    return error.code == "response.not_json"
