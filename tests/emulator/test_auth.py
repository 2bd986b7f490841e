"""Authentication of the emulated API: tokens, signatures, projects and unknown paths."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable
from urllib.parse import urlsplit

import pytest

from modelarts_magics.emulator.auth import HttpRequest, canonical_request, compute_signature

if TYPE_CHECKING:
    import httpx
    from conftest import EmulatorClient

    ErrorOf = Callable[[httpx.Response], tuple[int, str]]

VECTORS = json.loads(
    (Path(__file__).parent / "signature_vectors.json").read_text(encoding="utf-8")
)["vectors"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_signature_matches_vectors_of_the_vendor(vector: dict[str, Any]) -> None:
    """Canonical request and signature equal those of the vendor byte for byte."""
    url = urlsplit(vector["url"])
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    body = vector["body"].encode()
    request = HttpRequest(
        method=vector["method"], path=url.path, query=url.query, headers=headers, body=body
    )
    signed = vector["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    assert canonical_request(request, signed_headers=signed) == vector["canonical_request"]
    assert vector["authorization"].endswith(
        "Signature=" + compute_signature(request, signed_headers=signed, sk=vector["sk"])
    )


@pytest.mark.parametrize(
    ("token", "expected"),
    [(None, (401, "0201")), ("", (401, "0201")), ("another", (401, "0203"))],
)
def test_missing_or_unknown_token_is_refused(
    client: EmulatorClient, status_and_code: ErrorOf, token: str | None, expected: tuple[int, str]
) -> None:
    """A missing and an unknown token have different codes."""
    headers = {} if token is None else {"X-Auth-Token": token}
    assert status_and_code(client.http.get(client.instance_path, headers=headers)) == expected


def test_unknown_token_has_its_own_code_in_notebooks(
    client: EmulatorClient, status_and_code: ErrorOf
) -> None:
    """The code is 6401 in `notebooks`, and 0203 in `demanager`."""
    response = client.http.get(client.notebook_path, headers={"X-Auth-Token": "another"})
    assert status_and_code(response) == (401, "6401")


def test_token_expires_by_the_server_clock(
    make_client: Callable[..., EmulatorClient], status_and_code: ErrorOf
) -> None:
    """A token is valid for `token_hours` and refused as expired afterwards."""
    client = make_client(token_hours=24)
    client.emulator.set_instance(stops_on_time=False)
    client.advance(hours=23, minutes=59)
    assert client.request("GET", client.instance_path).status_code == 200
    client.advance(minutes=1)
    assert status_and_code(client.request("GET", client.instance_path)) == (401, "0202")


@pytest.mark.parametrize(
    "path", ["instance_path", "notebook_path", "instances_path", "notebooks_path"]
)
def test_signed_read_is_accepted(client: EmulatorClient, path: str) -> None:
    """Keys are accepted instead of a token, also with a query."""
    query = "?de_type=Notebook&limit=5" if path in ("instances_path", "notebooks_path") else ""
    assert client.signed_request("GET", getattr(client, path) + query).status_code == 200


def test_signature_covers_the_body(client: EmulatorClient, status_and_code: ErrorOf) -> None:
    """Another body with the same signature is refused."""
    body = json.dumps({"description": "签名"}, ensure_ascii=False).encode()
    response = client.signed_request("PUT", client.instance_path, body=body)
    assert response.json()["description"] == "签名"
    headers = dict(response.request.headers)
    headers["content-length"] = str(len(body))
    other = client.http.put(client.instance_path, headers=headers, content=body[:-3] + b'X"}')
    assert status_and_code(other) == (403, "0206")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"keys": ("FAKEAKEMULATOR00001", "wrong")}, (403, "0206")),
        ({"keys": ("UNKNOWN", "FAKE-SECRET-KEY-OF-THE-LOCAL-EMULATOR")}, (403, "0206")),
        ({"signed": ["x-sdk-date"]}, (401, "APIGW.0301")),
        ({"signed": ["host"]}, (401, "APIGW.0301")),
        ({"signed": ["host", "x-nothing", "x-sdk-date"]}, (401, "APIGW.0301")),
        ({"signed": ["x-sdk-date", "host"]}, (401, "APIGW.0301")),
        ({"headers": {"X-Project-Id": "0" * 32}}, (403, "0210")),
        ({"headers": {"X-Security-Token": "unknown"}}, (403, "0206")),
    ],
)
def test_invalid_signature_is_refused(
    client: EmulatorClient,
    status_and_code: ErrorOf,
    changes: dict[str, Any],
    expected: tuple[int, str],
) -> None:
    """Invalid keys are a 403, invalid signed headers a 401 of the gateway."""
    assert (
        status_and_code(client.signed_request("GET", client.instance_path, **changes)) == expected
    )


def test_malformed_authorization_is_refused(
    client: EmulatorClient, status_and_code: ErrorOf
) -> None:
    """It is refused even with a valid token, as the gateway checks the signature first."""
    response = client.request(
        "GET", client.instance_path, headers={"Authorization": "SDK-HMAC-SHA256 nonsense"}
    )
    assert status_and_code(response) == (401, "APIGW.0301")
    assert response.json()["request_id"] == response.headers["X-Request-Id"]


@pytest.mark.parametrize(("minutes", "status"), [(14, 200), (-14, 200), (16, 401), (-16, 401)])
def test_clock_skew_above_fifteen_minutes_is_refused(
    client: EmulatorClient, minutes: int, status: int
) -> None:
    """The limit holds in both directions, and the error has the `Date` of the server."""
    at = client.clock.now() + timedelta(minutes=minutes)
    response = client.signed_request("GET", client.instance_path, at=at)
    assert response.status_code == status
    assert response.headers["Date"] == "Mon, 23 Nov 2026 08:00:00 GMT"


@pytest.mark.parametrize("date", ["", "yesterday", "20261123"])
def test_malformed_signing_date_is_refused(
    client: EmulatorClient, status_and_code: ErrorOf, date: str
) -> None:
    """An invalid `X-Sdk-Date` is a 401, not a server error."""
    zeros = "0" * 64
    headers = {
        "X-Sdk-Date": date,
        "Authorization": (
            f"SDK-HMAC-SHA256 Access=A, SignedHeaders=host;x-sdk-date, Signature={zeros}"
        ),
    }
    assert status_and_code(client.http.get(client.instance_path, headers=headers)) == (
        401,
        "APIGW.0301",
    )


def test_temporary_keys_require_a_signed_security_token(
    client: EmulatorClient, status_and_code: ErrorOf
) -> None:
    """Temporary keys are refused if their security token is missing or not signed."""
    keys = (client.emulator.temporary_ak, client.emulator.temporary_sk)
    token = {"X-Security-Token": client.emulator.security_token}
    assert (
        client.signed_request("GET", client.instance_path, keys=keys, headers=token).status_code
        == 200
    )
    assert status_and_code(client.signed_request("GET", client.instance_path, keys=keys)) == (
        403,
        "0206",
    )
    unsigned = client.signed_request(
        "GET", client.instance_path, keys=keys, headers=token, signed=["host", "x-sdk-date"]
    )
    assert status_and_code(unsigned) == (401, "APIGW.0301")


def test_other_project_is_refused(client: EmulatorClient, status_and_code: ErrorOf) -> None:
    """The project in the path must be the one of the token."""
    path = client.instance_path.replace(client.emulator.project_id, "0" * 32)
    assert status_and_code(client.request("GET", path)) == (403, "0210")


@pytest.mark.parametrize(
    ("method", "suffix"),
    [
        ("GET", "/"),
        ("DELETE", ""),
        ("PATCH", ""),
        ("POST", ""),
        ("GET", "/action"),
        ("PUT", "/action"),
        ("GET", "/lease"),
    ],
)
def test_unknown_path_is_a_gateway_404(
    client: EmulatorClient, status_and_code: ErrorOf, method: str, suffix: str
) -> None:
    """The path is checked before the credentials."""
    assert status_and_code(client.http.request(method, client.instance_path + suffix)) == (
        404,
        "APIGW.0101",
    )


def test_every_response_has_the_common_headers(client: EmulatorClient) -> None:
    """Every response has request id, emulator header, server date and JSON, and no ETag."""
    for response in (
        client.request("GET", client.instance_path),
        client.http.get(client.instance_path),
        client.http.get("/nowhere"),
    ):
        assert len(response.headers["X-Request-Id"]) == 32
        assert response.headers["X-Emulator"] == "modelarts-magics"
        assert response.headers["Date"] == "Mon, 23 Nov 2026 08:00:00 GMT"
        assert response.headers["Content-Type"] == "application/json"
        assert "ETag" not in response.headers
        assert "X-Emulator-Time-Scale" not in response.headers


@pytest.mark.parametrize(("query", "count"), [("", 4), ("?name=cn-north-4", 1), ("?name=x", 0)])
def test_iam_returns_the_project_of_a_region(
    client: EmulatorClient, query: str, count: int
) -> None:
    """IAM accepts token and keys, and refuses requests without credentials."""
    for response in (
        client.request("GET", "/v3/projects" + query),
        client.signed_request("GET", "/v3/projects" + query),
    ):
        ids = [project["id"] for project in response.json()["projects"]]
        assert ids == [client.emulator.project_id] * count
    assert client.http.get("/v3/projects").status_code == 401
