"""Sign requests with SDK-HMAC-SHA256, as a pure function.

Source: "Signing a Request", API Gateway; tested with vectors made by the signer of the vendor.
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
    """Return an aware time in the form of the ``X-Sdk-Date`` header: ``20260102T030405Z``."""
    return moment.astimezone(timezone.utc).strftime("%Y%m%dT%H%M%SZ")


def authorization(  # noqa: PLR0913 - the parts of a request
    *,
    method: str,
    path: str,
    query: Iterable[tuple[str, str]],
    headers: Mapping[str, str],
    body: bytes,
    access: str,
    secret: str,
) -> str:
    """Return the value of the ``Authorization`` header.

    Args:
        method: The HTTP method in upper case.
        path: The path of the URL without the query, quoted or not.
        query: Name and value of each query parameter, not quoted.
        headers: All headers to sign; they must include ``host`` and ``x-sdk-date``.
        body: The exact body that is sent.
        access: The ID of the access key.
        secret: The secret access key.
    """
    normalized = {name.lower(): value.strip() for name, value in headers.items()}
    names = sorted(normalized)
    signed = ";".join(names)
    parts = (
        method,
        _canonical_path(path),
        _canonical_query(query),
        *(f"{name}:{normalized[name]}" for name in names),
        "",
        signed,
        hashlib.sha256(body).hexdigest(),
    )
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    to_sign = f"{ALGORITHM}\n{normalized['x-sdk-date']}\n{digest}"
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
