"""Authentication of the emulated API: tokens and request signatures.

The signature algorithm is implemented a second time on purpose: an error shared with the client would
not show up in a test.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, unquote_plus

from modelarts_magics.emulator import errors
from modelarts_magics.emulator.errors import EmulatedApiError, ErrorSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

ALGORITHM = "SDK-HMAC-SHA256"
MAX_SKEW = timedelta(minutes=15)

_AUTHORIZATION_PATTERN = re.compile(
    ALGORITHM + r" Access=([^,\s]+), ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)


@dataclass(frozen=True)
class HttpRequest:
    """HTTP request as received.

    Attributes:
        method: The HTTP method in capitals.
        path: The path as sent, percent-encoded.
        query: The query string without `?`, as sent.
        headers: The headers by lower-case name.
        body: The body.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class FakeCredentials:
    """Fake credentials of an emulator: a token, permanent keys and temporary keys."""

    project_id: str = "facade00facade00facade00facade00"
    auth_token: str = "FAKE-TOKEN-OF-THE-LOCAL-EMULATOR"  # noqa: S105 - a fake token
    ak: str = "FAKEAKEMULATOR00001"
    sk: str = "FAKE-SECRET-KEY-OF-THE-LOCAL-EMULATOR"
    temporary_ak: str = "FAKEAKTEMPORARY0001"
    temporary_sk: str = "FAKE-TEMPORARY-SECRET-KEY-OF-THE-EMULATOR"
    security_token: str = "FAKE-SECURITY-TOKEN-OF-THE-EMULATOR"  # noqa: S105 - a fake token


def _percent_encode(text: str) -> str:
    return quote(text, safe="~")


def _canonical_path(path: str) -> str:
    encoded = "/".join(_percent_encode(segment) for segment in unquote(path).split("/"))
    return encoded if encoded.endswith("/") else encoded + "/"


def _canonical_query(query: str) -> str:
    pairs = []
    for item in filter(None, query.split("&")):
        name, _, value = item.partition("=")
        pairs.append((unquote_plus(name), unquote_plus(value)))
    return "&".join(
        f"{_percent_encode(name)}={_percent_encode(value)}" for name, value in sorted(pairs)
    )


def canonical_request(request: HttpRequest, *, signed_headers: list[str]) -> str:
    """Return the canonical request, whose hash is signed.

    Source: the vendor's description of SDK-HMAC-SHA256; tested with vectors of the vendor's signer.
    """
    lines = [request.method, _canonical_path(request.path), _canonical_query(request.query)]
    lines += [f"{name}:{request.headers.get(name, '').strip()}" for name in signed_headers]
    lines += ["", ";".join(signed_headers), hashlib.sha256(request.body).hexdigest()]
    return "\n".join(lines)


def compute_signature(request: HttpRequest, *, signed_headers: list[str], sk: str) -> str:
    """Return the expected signature of a request in hexadecimal."""
    digest = hashlib.sha256(
        canonical_request(request, signed_headers=signed_headers).encode()
    ).hexdigest()
    to_sign = f"{ALGORITHM}\n{request.headers.get('x-sdk-date', '')}\n{digest}"
    return hmac.new(sk.encode(), to_sign.encode(), hashlib.sha256).hexdigest()


class Authenticator:
    """Check of tokens and signatures, with the errors of the API gateway.

    Args:
        credentials: The accepted credentials.
        token_expires: When the token expires; None for never.
    """

    def __init__(
        self, credentials: FakeCredentials, *, token_expires: datetime | None = None
    ) -> None:
        self._credentials = credentials
        self._token_expires = token_expires

    def authenticate(
        self, request: HttpRequest, *, now: datetime, invalid_token: ErrorSpec
    ) -> None:
        """Check the credentials of a request.

        Args:
            request: The request.
            now: The time of the server.
            invalid_token: The error for an unknown token; it differs between the APIs.

        Raises:
            EmulatedApiError: The credentials are missing or not accepted.
        """
        authorization = request.headers.get("authorization", "")
        if authorization:
            self._check_signature(request, authorization=authorization, now=now)
        else:
            token = request.headers.get("x-auth-token", "")
            self._check_token(token, now=now, invalid_token=invalid_token)

    def check_project(self, request: HttpRequest, *, project_id: str) -> None:
        """Check that path and header name the project of the credentials.

        Raises:
            EmulatedApiError: They name another project.
        """
        named = {project_id, request.headers.get("x-project-id") or project_id}
        if named != {self._credentials.project_id}:
            raise EmulatedApiError(errors.WRONG_PROJECT)

    def _check_token(self, token: str, *, now: datetime, invalid_token: ErrorSpec) -> None:
        if not token:
            raise EmulatedApiError(errors.NO_TOKEN)
        if not hmac.compare_digest(token.encode(), self._credentials.auth_token.encode()):
            raise EmulatedApiError(invalid_token)
        if self._token_expires is not None and now >= self._token_expires:
            raise EmulatedApiError(errors.TOKEN_EXPIRED)

    def _check_signature(self, request: HttpRequest, *, authorization: str, now: datetime) -> None:
        parts = _AUTHORIZATION_PATTERN.fullmatch(authorization)
        if parts is None:
            raise EmulatedApiError(
                errors.BAD_SIGNATURE_HEADERS, "The header Authorization is malformed."
            )
        ak, names, sent = parts.groups()
        signed = names.split(";")
        _check_signed_headers(request, signed_headers=signed)
        _check_date(request.headers.get("x-sdk-date", ""), now=now)
        sk = self._secret_key_of(ak, security_token=request.headers.get("x-security-token", ""))
        if not hmac.compare_digest(sent, compute_signature(request, signed_headers=signed, sk=sk)):
            raise EmulatedApiError(errors.BAD_KEYS, "The signature does not match.")

    def _secret_key_of(self, ak: str, *, security_token: str) -> str:
        credentials = self._credentials
        if ak == credentials.ak and not security_token:
            return credentials.sk
        if ak == credentials.temporary_ak and security_token == credentials.security_token:
            return credentials.temporary_sk
        raise EmulatedApiError(errors.BAD_KEYS, "The access key or the security token is unknown.")


def _check_signed_headers(request: HttpRequest, *, signed_headers: list[str]) -> None:
    needed = {"host", "x-sdk-date"}
    if request.headers.get("x-security-token"):
        needed.add("x-security-token")
    if needed - set(signed_headers) or set(signed_headers) - set(request.headers):
        raise EmulatedApiError(
            errors.BAD_SIGNATURE_HEADERS,
            "SignedHeaders lacks a required header or lists an absent one.",
        )
    if signed_headers != sorted(set(signed_headers)):
        raise EmulatedApiError(errors.BAD_SIGNATURE_HEADERS, "SignedHeaders is not sorted.")


def _check_date(date: str, *, now: datetime) -> None:
    try:
        moment = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise EmulatedApiError(errors.BAD_SIGNATURE_HEADERS, "X-Sdk-Date is malformed.") from None
    if abs(now - moment) > MAX_SKEW:
        raise EmulatedApiError(
            errors.BAD_SIGNATURE_HEADERS, "X-Sdk-Date differs too much from the server time."
        )
