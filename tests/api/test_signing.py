"""The request signature, compared with the signer of the vendor."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from factories import NOW
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics.api.signing import authorization, timestamp

VECTORS = json.loads((Path(__file__).parent / "signatures.json").read_text(encoding="utf-8"))[
    "vectors"
]
HEADERS = {"Host": "host", "X-Sdk-Date": "20240229T235959Z"}


def sign(**changes: Any) -> str:  # noqa: ANN401 - any argument
    """Return the signature of a simple request, with changes."""
    values: dict[str, Any] = {
        "method": "GET",
        "path": "/v1/p/notebooks",
        "query": (),
        "headers": HEADERS,
        "body": b"",
        "access": "AK",
        "secret": "SK",
    }
    return authorization(**{**values, **changes})


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_signature_equals_that_of_the_vendor(vector: dict[str, Any]) -> None:
    """Every byte, for the same request."""
    url = urlsplit(vector["url"])
    signed = authorization(
        method=vector["method"],
        path=url.path,
        query=parse_qsl(url.query, keep_blank_values=True),
        headers=vector["headers"],
        body=vector["body"].encode(),
        access=vector["ak"],
        secret=vector["sk"],
    )
    assert signed == vector["authorization"]


def test_all_six_vectors_are_present() -> None:
    """No test vector is missing."""
    assert len(VECTORS) == 6


def test_timestamp_is_utc_to_the_second() -> None:
    """The zone of the time does not matter."""
    assert timestamp(NOW) == "20261123T085200Z"
    assert timestamp(NOW.astimezone(timezone(timedelta(hours=8)))) == "20261123T085200Z"
    assert timestamp(datetime(2026, 1, 2, 3, 4, 5, 999_999, timezone.utc)) == "20260102T030405Z"


@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"path": "/v1/p/notebook"},
        {"query": (("a", "1"),)},
        {"headers": {**HEADERS, "X-Project-Id": "p"}},
        {"headers": {**HEADERS, "X-Sdk-Date": "20240301T000000Z"}},
        {"headers": {**HEADERS, "Host": "other"}},
        {"body": b" "},
        {"access": "OTHER"},
        {"secret": "other"},
    ],
)
def test_every_part_of_a_request_is_signed(change: dict[str, Any]) -> None:
    """A change of any part changes the signature."""
    assert sign(**change) != sign()


@pytest.mark.parametrize(
    "same",
    [
        {"path": "/v1/p/notebooks/"},
        {"path": "/v1/%70/notebooks"},
        {"headers": {"host": "host", "x-sdk-date": "20240229T235959Z"}},
        {"headers": {"HOST": " host ", "X-SDK-DATE": "20240229T235959Z\t"}},
        {"headers": dict(reversed(HEADERS.items()))},
    ],
)
def test_signature_tolerates_normalisation(same: dict[str, Any]) -> None:
    """A trailing slash, quoting, the case and order of headers and spaces around values."""
    assert sign(**same) == sign()


def test_header_does_not_contain_the_secret() -> None:
    """Only the ID of the key is in it."""
    assert "s3cret" not in sign(secret="s3cret")
    assert sign().startswith("SDK-HMAC-SHA256 Access=AK, SignedHeaders=host;x-sdk-date, Signature=")


PAIRS = st.lists(st.tuples(st.text(max_size=6), st.text(max_size=6)), max_size=5)


@given(st.text(max_size=30), PAIRS, st.binary(max_size=20))
def test_any_path_and_query_can_be_signed(
    path: str, query: list[tuple[str, str]], body: bytes
) -> None:
    """The signature has 64 hexadecimal digits; the order of the query does not matter."""
    signed = sign(path=f"/{path}", query=query, body=body)
    assert set(signed.rpartition("=")[2]) <= set("0123456789abcdef")
    assert len(signed.rpartition("=")[2]) == 64
    assert sign(path=f"/{path}", query=list(reversed(query)), body=body) == signed


@given(st.text(alphabet=st.characters(exclude_characters="/%", codec="utf-8"), max_size=20))
def test_quoted_and_plain_path_have_equal_signatures(path: str) -> None:
    """Both are the same path."""
    assert sign(path=f"/{path}") == sign(path=f"/{quote(path, safe='')}")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((("a", "b&c=d"),), (("a", "b"), ("c", "d"))),
        ((("a=b", "c"),), (("a", "b=c"),)),
        ((("a", "+"),), (("a", " "),)),
        ((("a", ""),), (("a", "a"),)),
    ],
)
def test_different_queries_have_different_signatures(one: object, other: object) -> None:
    """Quoting keeps them apart."""
    assert sign(query=one) != sign(query=other)
