"""Who is let in: tokens, signatures, projects, and the paths that exist."""

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
def test_our_verifier_computes_what_the_vendors_signer_wrote(vector: dict[str, Any]) -> None:
    """Canonical request and signature are those of the vendor, byte for byte."""
    url = urlsplit(vector["url"])
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    body = vector["body"].encode()
    call = HttpRequest(
        method=vector["method"], path=url.path, query=url.query, headers=headers, body=body
    )
    signed = vector["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    assert canonical_request(call, signed_headers=signed) == vector["canonical_request"]
    assert vector["authorization"].endswith(
        "Signature=" + compute_signature(call, signed_headers=signed, sk=vector["sk"])
    )


@pytest.mark.parametrize(
    ("token", "expected"),
    [(None, (401, "0201")), ("", (401, "0201")), ("another", (401, "0203"))],
)
def test_a_token_that_is_absent_or_unknown_is_refused(
    client: EmulatorClient, status_and_code: ErrorOf, token: str | None, expected: tuple[int, str]
) -> None:
    """The two cases have codes of their own."""
    headers = {} if token is None else {"X-Auth-Token": token}
    assert status_and_code(client.http.get(client.instance_path, headers=headers)) == expected


def test_an_unknown_token_has_another_code_at_notebooks(
    client: EmulatorClient, status_and_code: ErrorOf
) -> None:
    """6401 there, 0203 at demanager."""
    answer = client.http.get(client.notebook_path, headers={"X-Auth-Token": "another"})
    assert status_and_code(answer) == (401, "6401")


def test_a_token_expires_by_the_servers_clock(
    make_client: Callable[..., EmulatorClient], status_and_code: ErrorOf
) -> None:
    """It is good until its hour and refused as expired from then on."""
    client = make_client(token_hours=24)
    client.emulator.set_instance(stops_on_time=False)
    client.advance(hours=23, minutes=59)
    assert client.request("GET", client.instance_path).status_code == 200
    client.advance(minutes=1)
    assert status_and_code(client.request("GET", client.instance_path)) == (401, "0202")


@pytest.mark.parametrize(
    "path", ["instance_path", "notebook_path", "instances_path", "notebooks_path"]
)
def test_a_signed_read_is_let_in(client: EmulatorClient, path: str) -> None:
    """Keys are as good as the token, with a query too."""
    query = "?de_type=Notebook&limit=5" if path in ("instances_path", "notebooks_path") else ""
    assert client.signed_request("GET", getattr(client, path) + query).status_code == 200


def test_a_signed_write_covers_its_body(client: EmulatorClient, status_and_code: ErrorOf) -> None:
    """The body that was hashed is let in; another one under the same signature is not."""
    body = json.dumps({"description": "签名"}, ensure_ascii=False).encode()
    answer = client.signed_request("PUT", client.instance_path, body=body)
    assert answer.json()["description"] == "签名"
    stolen = dict(answer.request.headers)
    stolen["content-length"] = str(len(body))
    other = client.http.put(client.instance_path, headers=stolen, content=body[:-3] + b'X"}')
    assert status_and_code(other) == (403, "0206")


@pytest.mark.parametrize(
    ("how", "expected"),
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
def test_a_wrong_signature_is_refused(
    client: EmulatorClient, status_and_code: ErrorOf, how: dict[str, Any], expected: tuple[int, str]
) -> None:
    """Bad keys are a 403, a malformed set of headers a 401 of the gateway."""
    assert status_and_code(client.signed_request("GET", client.instance_path, **how)) == expected


def test_a_malformed_authorization_is_refused(
    client: EmulatorClient, status_and_code: ErrorOf
) -> None:
    """Even beside a good token: the gateway looks at the signature first."""
    answer = client.request(
        "GET", client.instance_path, headers={"Authorization": "SDK-HMAC-SHA256 nonsense"}
    )
    assert status_and_code(answer) == (401, "APIGW.0301")
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(("minutes", "status"), [(14, 200), (-14, 200), (16, 401), (-16, 401)])
def test_a_clock_more_than_fifteen_minutes_off_is_refused(
    client: EmulatorClient, minutes: int, status: int
) -> None:
    """In both directions; the refusal's Date tells the time that would have been right."""
    at = client.clock.now() + timedelta(minutes=minutes)
    answer = client.signed_request("GET", client.instance_path, at=at)
    assert answer.status_code == status
    assert answer.headers["Date"] == "Mon, 23 Nov 2026 08:00:00 GMT"


@pytest.mark.parametrize("date", ["", "yesterday", "20261123"])
def test_a_malformed_signing_date_is_refused(
    client: EmulatorClient, status_and_code: ErrorOf, date: str
) -> None:
    """It is no crash."""
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


def test_temporary_keys_need_their_security_token(
    client: EmulatorClient, status_and_code: ErrorOf
) -> None:
    """With it they are let in, without it or unsigned they are not."""
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


def test_another_project_is_refused(client: EmulatorClient, status_and_code: ErrorOf) -> None:
    """The project of the path has to be the token's."""
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
def test_an_unknown_api_is_a_404_of_the_gateway(
    client: EmulatorClient, status_and_code: ErrorOf, method: str, suffix: str
) -> None:
    """Before any look at the credentials."""
    assert status_and_code(client.http.request(method, client.instance_path + suffix)) == (
        404,
        "APIGW.0101",
    )


def test_every_answer_says_who_it_is_and_when(client: EmulatorClient) -> None:
    """Good or bad: a request id, the badge, the server's date, JSON, and no ETag."""
    for answer in (
        client.request("GET", client.instance_path),
        client.http.get(client.instance_path),
        client.http.get("/nowhere"),
    ):
        assert len(answer.headers["X-Request-Id"]) == 32
        assert answer.headers["X-Emulator"] == "modelarts-magics"
        assert answer.headers["Date"] == "Mon, 23 Nov 2026 08:00:00 GMT"
        assert answer.headers["Content-Type"] == "application/json"
        assert "ETag" not in answer.headers
        assert "X-Emulator-Time-Scale" not in answer.headers


@pytest.mark.parametrize(("query", "count"), [("", 4), ("?name=cn-north-4", 1), ("?name=x", 0)])
def test_iam_finds_the_project_by_region(client: EmulatorClient, query: str, count: int) -> None:
    """With token or keys; never without."""
    for answer in (
        client.request("GET", "/v3/projects" + query),
        client.signed_request("GET", "/v3/projects" + query),
    ):
        ids = [project["id"] for project in answer.json()["projects"]]
        assert ids == [client.emulator.project_id] * count
    assert client.http.get("/v3/projects").status_code == 401
