"""Who is asking: the token, or the signature, checked independently of the client's own signer.

The signature is written here a second time on purpose: a mistake shared with the client would
otherwise never show.
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
from modelarts_magics.emulator.errors import ApiError, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

ALGORITHM = "SDK-HMAC-SHA256"
MAX_SKEW = timedelta(minutes=15)

_AUTHORIZATION = re.compile(
    ALGORITHM + r" Access=([^,\s]+), ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)


@dataclass(frozen=True)
class Call:
    """One HTTP request as it came over the wire.

    Attributes:
        method: The verb, in capitals.
        path: The path as sent, still percent-encoded.
        query: What follows the `?`, as sent.
        headers: By lower-case name.
        body: The bytes.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Credentials:
    """The fake credentials of one emulator; a pair of keys for good, and a temporary pair."""

    project_id: str = "facade00facade00facade00facade00"
    auth_token: str = "FAKE-TOKEN-OF-THE-LOCAL-EMULATOR"  # noqa: S105 - made up, and says so
    ak: str = "FAKEAKEMULATOR00001"
    sk: str = "FAKE-SECRET-KEY-OF-THE-LOCAL-EMULATOR"
    temporary_ak: str = "FAKEAKTEMPORARY0001"
    temporary_sk: str = "FAKE-TEMPORARY-SECRET-KEY-OF-THE-EMULATOR"
    security_token: str = "FAKE-SECURITY-TOKEN-OF-THE-EMULATOR"  # noqa: S105 - made up as well


def _encoded(text: str) -> str:
    return quote(text, safe="~")


def _canonical_path(path: str) -> str:
    encoded = "/".join(_encoded(segment) for segment in unquote(path).split("/"))
    return encoded if encoded.endswith("/") else encoded + "/"


def _canonical_query(query: str) -> str:
    pairs = []
    for item in filter(None, query.split("&")):
        name, _, value = item.partition("=")
        pairs.append((unquote_plus(name), unquote_plus(value)))
    return "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in sorted(pairs))


def canonical_request(call: Call, *, signed: list[str]) -> str:
    """Return the text whose hash is signed.

    Source: the vendor's description of SDK-HMAC-SHA256; held to vectors of its own signer.
    """
    lines = [call.method, _canonical_path(call.path), _canonical_query(call.query)]
    lines += [f"{name}:{call.headers.get(name, '').strip()}" for name in signed]
    lines += ["", ";".join(signed), hashlib.sha256(call.body).hexdigest()]
    return "\n".join(lines)


def signature(call: Call, *, signed: list[str], sk: str) -> str:
    """Return the hex signature that this request must carry."""
    digest = hashlib.sha256(canonical_request(call, signed=signed).encode()).hexdigest()
    to_sign = f"{ALGORITHM}\n{call.headers.get('x-sdk-date', '')}\n{digest}"
    return hmac.new(sk.encode(), to_sign.encode(), hashlib.sha256).hexdigest()


class Gate:
    """Lets a request through, or refuses it as the gateway does.

    Args:
        credentials: What is accepted.
        token_expires: When the token expires; None for never.
    """

    def __init__(self, credentials: Credentials, *, token_expires: datetime | None = None) -> None:
        self._credentials = credentials
        self._token_expires = token_expires

    def check(self, call: Call, *, now: datetime, illegal: Refusal) -> None:
        """Let the request pass if it proves who sent it.

        Args:
            call: The request.
            now: The server's time.
            illegal: What an unknown token gets; each API has its own code.

        Raises:
            ApiError: It does not.
        """
        authorization = call.headers.get("authorization", "")
        if authorization:
            self._check_signed(call, authorization=authorization, now=now)
        else:
            token = call.headers.get("x-auth-token", "")
            self._check_token(token, now=now, illegal=illegal)

    def check_project(self, call: Call, *, project_id: str) -> None:
        """Raise `ApiError` unless path and header name the project of the credentials."""
        named = {project_id, call.headers.get("x-project-id") or project_id}
        if named != {self._credentials.project_id}:
            raise ApiError(errors.WRONG_PROJECT)

    def _check_token(self, token: str, *, now: datetime, illegal: Refusal) -> None:
        if not token:
            raise ApiError(errors.NO_TOKEN)
        if not hmac.compare_digest(token.encode(), self._credentials.auth_token.encode()):
            raise ApiError(illegal)
        if self._token_expires is not None and now >= self._token_expires:
            raise ApiError(errors.TOKEN_EXPIRED)

    def _check_signed(self, call: Call, *, authorization: str, now: datetime) -> None:
        parts = _AUTHORIZATION.fullmatch(authorization)
        if parts is None:
            raise ApiError(errors.BAD_SIGNATURE_HEADERS, "The header Authorization is malformed.")
        ak, names, sent = parts.groups()
        signed = names.split(";")
        _check_signed_names(call, signed=signed)
        _check_skew(call.headers.get("x-sdk-date", ""), now=now)
        sk = self._secret_of(ak, security_token=call.headers.get("x-security-token", ""))
        if not hmac.compare_digest(sent, signature(call, signed=signed, sk=sk)):
            raise ApiError(errors.BAD_KEYS, "The signature does not match.")

    def _secret_of(self, ak: str, *, security_token: str) -> str:
        known = self._credentials
        if ak == known.ak and not security_token:
            return known.sk
        if ak == known.temporary_ak and security_token == known.security_token:
            return known.temporary_sk
        raise ApiError(errors.BAD_KEYS, "The access key and the security token are not known.")


def _check_signed_names(call: Call, *, signed: list[str]) -> None:
    needed = {"host", "x-sdk-date"}
    if call.headers.get("x-security-token"):
        needed.add("x-security-token")
    if needed - set(signed) or set(signed) - set(call.headers):
        raise ApiError(errors.BAD_SIGNATURE_HEADERS, "SignedHeaders lacks, or has, too much.")
    if signed != sorted(set(signed)):
        raise ApiError(errors.BAD_SIGNATURE_HEADERS, "SignedHeaders is not sorted.")


def _check_skew(sent: str, *, now: datetime) -> None:
    try:
        moment = datetime.strptime(sent, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise ApiError(errors.BAD_SIGNATURE_HEADERS, "X-Sdk-Date is malformed.") from None
    if abs(now - moment) > MAX_SKEW:
        raise ApiError(errors.BAD_SIGNATURE_HEADERS, "X-Sdk-Date is too far from now.")
