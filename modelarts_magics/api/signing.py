"""SDK-HMAC-SHA256, the cloud's request signature, as a pure function.

Source: "Signing a Request", API Gateway; held to vectors that the vendor's signer made.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ALGORITHM = "SDK-HMAC-SHA256"
_UNRESERVED = "-_.~"


def timestamp(moment: datetime) -> str:
    """An aware moment as the ``X-Sdk-Date`` header wants it: ``20260102T030405Z``."""
    return moment.astimezone(timezone.utc).strftime("%Y%m%dT%H%M%SZ")


def authorization(  # noqa: PLR0913 - what a signature covers
    *,
    method: str,
    path: str,
    query: Iterable[tuple[str, str]],
    headers: Mapping[str, str],
    body: bytes,
    access: str,
    secret: str,
) -> str:
    """The value of the ``Authorization`` header.

    Args:
        method: The HTTP method, upper case.
        path: The path of the URL, quoted or not, without the query.
        query: The query's pairs, not quoted.
        headers: All headers to sign; ``host`` and ``x-sdk-date`` must be among them.
        body: The very bytes that are sent.
        access: The access key's id.
        secret: The secret access key.
    """
    lowered = {name.lower(): value.strip() for name, value in headers.items()}
    names = sorted(lowered)
    signed = ";".join(names)
    canonical = "\n".join(
        (
            method,
            _canonical_path(path),
            _canonical_query(query),
            *(f"{name}:{lowered[name]}" for name in names),
            "",
            signed,
            hashlib.sha256(body).hexdigest(),
        )
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"{ALGORITHM}\n{lowered['x-sdk-date']}\n{digest}"
    signature = hmac.digest(secret.encode(), to_sign.encode(), "sha256").hex()
    return f"{ALGORITHM} Access={access}, SignedHeaders={signed}, Signature={signature}"


def _canonical_path(path: str) -> str:
    segments = (quote(unquote(segment), safe=_UNRESERVED) for segment in path.split("/"))
    joined = "/".join(segments)
    return joined if joined.endswith("/") else f"{joined}/"


def _canonical_query(query: Iterable[tuple[str, str]]) -> str:
    pairs = sorted(
        (quote(name, safe=_UNRESERVED), quote(value, safe=_UNRESERVED)) for name, value in query
    )
    return "&".join(f"{name}={value}" for name, value in pairs)
