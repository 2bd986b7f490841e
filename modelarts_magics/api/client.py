"""HTTP client of one endpoint: authentication, timeouts, retries and clock skew.

`ApiClient.request` repeats `_attempt` while that is safe and there is time. `_attempt` authenticates,
sends the request and turns a failing status into an error of this package.
"""

from __future__ import annotations

import json
import random
import re
from datetime import datetime, timedelta
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Protocol
from urllib.parse import quote, urlencode, urlsplit

from modelarts_magics.api import signing
from modelarts_magics.api.api_clock import ApiClock
from modelarts_magics.api.connections import Connections, Timeouts
from modelarts_magics.api.error_mapping import error_from_response
from modelarts_magics.api.http_thread import HttpThread
from modelarts_magics.api.request import HttpResponse, PendingRequest
from modelarts_magics.api.transport import TRANSPORT_ERRORS, parse_url
from modelarts_magics.config.credentials import AccessKey, Credential, Token
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

    import httpcore

    from modelarts_magics.api.transport import Transport

MAX_ATTEMPTS = 4
INITIAL_BACKOFF_S = 0.3
MAX_SIGNING_SKEW = timedelta(minutes=5)
"""A clock that differs by more is taken as the reason for a refused signature.

The API accepts a difference of 15 min.
"""


_EXPIRED_PATTERN = rb"(?i)ModelArts\.0202|APIGW?\.0307|expired"


class ApiResponse(NamedTuple):
    """A successful response.

    Attributes:
        data: The JSON body; None if it is empty.
        observed_at: When the API answered, aware, by the clock of the API.
        demo: Whether the local emulator answered.
    """

    data: Any
    observed_at: datetime
    demo: bool = False


class _Call(NamedTuple):
    """What to send, without credentials."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    content: bytes
    deadline: Deadline

    @property
    def is_read(self) -> bool:
        """Whether it changes nothing."""
        return self.method == "GET"


class RenewCredential(Protocol):
    """Return whether another credential is available after one was refused."""

    def __call__(self, refused: Credential, *, expired: bool) -> bool:
        """Return it; `expired` says whether that is the reason of the refusal."""


def _never_renew(refused: Credential, *, expired: bool) -> bool:  # noqa: ARG001 - as in the protocol
    """Return False: there is only one credential."""
    return False


class ApiClient:
    """A client of one endpoint. It is thread-safe; each thread sends one request at a time.

    Args:
        endpoint: Scheme and host, such as ``https://modelarts.cn-north-4.myhuaweicloud.com``.
        project_id: The project of the credential; "" if not known yet.
        credential: Returns the credential; called before every request, so that rotated keys are used.
        write_credential: The same for a request that changes something; None for the same credential.
        renew: Called with a refused credential; returns whether another one is available.
        timeouts: The connect and read timeouts.
        verify: Whether to verify the certificate of the server.
        clock: Time; replaced in tests.
        transport: Replaces the network in tests.
    """

    def __init__(  # noqa: PLR0913 - independent options
        self,
        endpoint: str,
        *,
        project_id: str,
        credential: Callable[[], Credential],
        write_credential: Callable[[], Credential] | None = None,
        renew: RenewCredential = _never_renew,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - immutable
        verify: bool = True,
        clock: Clock = SYSTEM_CLOCK,
        transport: Transport | None = None,
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._host = urlsplit(endpoint).netloc
        self._project_id = project_id
        self._credential = credential
        self._write_credential = write_credential or credential
        self._renew = renew
        self._timeouts = timeouts
        self._clock = clock
        self._connections = Connections(endpoint, verify=verify, transport=transport)
        self._http_thread = HttpThread(self._connections.close)
        self._api_clock = ApiClock(clock)

    def request(
        self,
        method: str,
        path: str,
        *,
        deadline: Deadline,
        query: Iterable[tuple[str, str]] = (),
        body: dict[str, Any] | None = None,
    ) -> ApiResponse:
        """Send a request and return the JSON response; retry where that is safe.

        A GET is retried after any transient error. Another method is retried only if the API certainly did
        not process it: the connection failed, or the request was throttled.

        Args:
            method: The HTTP method.
            path: The path of the URL.
            deadline: When the request, including retries, must have ended.
            query: Name and value of each query parameter.
            body: The JSON body; None for none.

        Raises:
            ApiError: The API returned an error; it has the error code of the API.
            UnreachableError: There was no response, or none in time; `sent` says whether the request may
                have arrived.
            InvalidResponseError: The response is a redirect, too large or not JSON.
        """
        content = b"" if body is None else _encode_body(body)
        call = _Call(method, path, tuple(query), content, deadline)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                return self._attempt(call)
            except ModelArtsError as error:
                pause = self._retry_delay(error, attempt, idempotent=call.is_read)
                if pause is None or attempt == MAX_ATTEMPTS or deadline.time_left_s <= pause:
                    raise
            self._clock.sleep(pause)
        # The last attempt returns or raises an error.
        raise AssertionError

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        self._http_thread.stop()

    def now(self) -> datetime:
        """Return the current time by the clock of the API."""
        return self._api_clock.now()

    @property
    def skew(self) -> timedelta:
        """How far the clock of the API is ahead of the wall clock of this machine."""
        return self._api_clock.skew

    def _retry_delay(
        self, error: ModelArtsError, attempt: int, *, idempotent: bool
    ) -> float | None:
        """Return the seconds to wait before the next attempt; None if there must be none."""
        throttled = isinstance(error, ThrottledError)
        unsent = isinstance(error, UnreachableError) and not error.sent
        transient = isinstance(error, (ServerError, UnreachableError)) or _is_invalid_json(error)
        if not (throttled or unsent or (idempotent and transient)):
            return None
        backoff: float = INITIAL_BACKOFF_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
        retry_after: float | None = error.values.get("retry_after")
        return backoff if retry_after is None else max(backoff, retry_after)

    def _attempt(self, call: _Call) -> ApiResponse:
        get_credential = self._credential if call.is_read else self._write_credential
        credential = get_credential()
        response = self._send(call, credential)
        differs = self._api_clock.observe(response.date)
        if differs and (call.is_read or self._is_signature_outdated(response, credential)):
            response = self._send(call, credential)
            self._api_clock.observe(response.date)
        if _is_credential_refused(response) and self._renew(
            credential, expired=_is_expired(response)
        ):
            credential = get_credential()
            response = self._send(call, credential)
            self._api_clock.observe(response.date)
        return self._check_response(response, credential)

    def _is_signature_outdated(self, response: HttpResponse, credential: Credential) -> bool:
        """Return whether a signature may have been refused because of the clock of this machine."""
        refused = response.status in (401, 403) and isinstance(credential, AccessKey)
        difference = abs(self._api_clock.candidate_time() - self._api_clock.now())
        return refused and difference > MAX_SIGNING_SKEW

    def _send(self, call: _Call, credential: Credential) -> HttpResponse:
        deadline = call.deadline
        pending = PendingRequest(
            call.method,
            _build_url(self._endpoint + call.path, call.query),
            headers=self._headers(call, credential),
            content=call.content,
            timeouts=self._timeouts.capped_by(deadline),
            deadline=deadline,
        )
        try:
            return self._http_thread.run(
                lambda: pending.send(self._connections.transport()), deadline=deadline
            )
        except TimeoutError:
            pending.cancel()
            code = "unreachable.total_timeout" if pending.sent else "unreachable.no_time"
            raise self._connections.timeout_error(code, deadline, sent=pending.sent) from None
        except TRANSPORT_ERRORS as error:
            raise self._connections.to_error(error, deadline) from None
        except BaseException:
            pending.cancel()
            raise

    def _headers(self, call: _Call, credential: Credential) -> dict[str, str]:
        headers = {"Host": self._host}
        if self._project_id:
            headers["X-Project-Id"] = self._project_id
        if call.content or not call.is_read:
            headers["Content-Type"] = "application/json"
        if isinstance(credential, Token):
            headers["X-Auth-Token"] = credential.value
        else:
            headers["X-Sdk-Date"] = signing.timestamp(self._api_clock.candidate_time())
            if credential.security_token:
                headers["X-Security-Token"] = credential.security_token
            headers["Authorization"] = signing.authorization(
                method=call.method,
                path=call.path,
                query=call.query,
                headers=headers,
                body=call.content,
                access=credential.access_key_id,
                secret=credential.secret_key,
            )
        if "Content-Type" in headers:
            headers["Content-Length"] = str(len(call.content))
        headers["Accept"] = "application/json"
        headers["Accept-Encoding"] = "identity"
        headers["User-Agent"] = "modelarts-magics"
        return headers

    def _check_response(self, response: HttpResponse, credential: Credential) -> ApiResponse:
        if response.status >= HTTPStatus.BAD_REQUEST:
            request_id = response.headers.get("x-request-id", "")
            error = error_from_response(
                response.status, response.content, request_id=request_id, secrets=credential.secrets
            )
            retry_after = response.retry_after(response.date or self.now())
            error.values.update(host=self._host, retry_after=retry_after)
            raise error
        if response.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise InvalidResponseError("response.redirect", host=self._host, status=response.status)
        return ApiResponse(response.json(self._host), self.now(), "x-emulator" in response.headers)


# A client uses few URLs, and parsing one takes a tenth of the time of a request.
@lru_cache(maxsize=32)
def _build_url(text: str, query: tuple[tuple[str, str], ...]) -> httpcore.URL:
    return parse_url(f"{text}?{urlencode(query, quote_via=quote)}" if query else text)


def _encode_body(body: dict[str, Any]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False).encode()
    # A stored description may contain an unpaired surrogate; send it unchanged.
    except UnicodeEncodeError:
        return json.dumps(body).encode()


def _is_credential_refused(response: HttpResponse) -> bool:
    """Whether the credential was refused, for example after a rotation, not the operation."""
    rotated = response.status == HTTPStatus.FORBIDDEN and b"ModelArts.0206" in response.content
    return rotated or response.status == HTTPStatus.UNAUTHORIZED


def _is_expired(response: HttpResponse) -> bool:
    """Whether the credential was valid before.

    Source: the error codes of ModelArts (0202) and API Gateway (0307); other codes are explained in the text.
    """
    return bool(re.search(_EXPIRED_PATTERN, response.content))


def _is_invalid_json(error: ModelArtsError) -> bool:
    """Whether the body was not JSON, which another attempt may fix, unlike a redirect."""
    return error.code == "response.not_json"
