"""The lookup of a project in IAM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from httpx_transport import HttpxTransport

from modelarts_magics.api import iam
from modelarts_magics.api.client import ApiClient
from modelarts_magics.config.credentials import AccessKey, Credential, Token
from modelarts_magics.domain.clock import Clock, Deadline
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.errors import (
    AuthenticationError,
    ForbiddenError,
    InvalidResponseError,
    ModelArtsError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def emulator() -> Iterator[LocalEmulator]:
    """Return an emulator with one project in each region."""
    with LocalEmulator() as running:
        yield running


def ask(
    answer: Any,  # noqa: ANN401 - JSON, a response or an error
    *,
    region: str = "cn-north-4",
) -> tuple[str | None, list[httpx.Request]]:
    """Send the lookup to an API with this response; return the result and the requests."""
    sent: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    transport = ApiClient(
        "https://iam.example.com",
        project_id="",
        credential=lambda: Token("t"),
        clock=Clock(sleep=lambda _: None),
        transport=HttpxTransport(httpx.MockTransport(respond)),
    )
    try:
        return iam.find_project_id(transport, region=region, deadline=Deadline(5)), sent
    finally:
        transport.close()


@pytest.mark.parametrize("region", ["cn-north-4", "ap-southeast-1", "cn-unknown-9"])
@pytest.mark.parametrize("with_key", [True, False])
def test_project_of_region_is_found(
    emulator: LocalEmulator, region: str, *, with_key: bool
) -> None:
    """With token or signature, without a project header; None if there is no project."""
    key: Credential = Token(emulator.auth_token)
    if with_key:
        key = AccessKey(emulator.ak, emulator.sk)
    transport = ApiClient(emulator.endpoint, project_id="", credential=lambda: key)
    found = iam.find_project_id(transport, region=region, deadline=Deadline(5))
    transport.close()
    assert found == (None if region == "cn-unknown-9" else emulator.project_id)


@pytest.mark.parametrize(
    ("projects", "found"),
    [
        ([], None),
        ([{"name": "cn-north-4", "id": "p1"}], "p1"),
        (
            [
                {"name": "cn-north-4_sub", "id": "no"},
                {"id": "no"},
                {"name": "cn-north-4", "id": "p1"},
            ],
            "p1",
        ),
        ([{"name": "CN-NORTH-4", "id": "no"}], None),
    ],
)
def test_only_the_default_project_counts(projects: list[dict[str, str]], found: str | None) -> None:
    """A subproject of the region has a longer name."""
    project, sent = ask({"projects": projects})
    assert project == found
    assert [str(one.url) for one in sent] == ["https://iam.example.com/v3/projects?name=cn-north-4"]
    assert "X-Project-Id" not in sent[0].headers


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ([], InvalidResponseError),
        ({"projects": {}}, InvalidResponseError),
        ({"projects": ["cn-north-4"]}, InvalidResponseError),
        ({"projects": [{"name": "cn-north-4"}]}, InvalidResponseError),
        ({"projects": [{"name": "cn-north-4", "id": 5}]}, InvalidResponseError),
        (httpx.Response(204), InvalidResponseError),
        (httpx.Response(401, json={}), AuthenticationError),
        (httpx.Response(403, json={}), ForbiddenError),
        (httpx.ConnectError("refused"), UnreachableError),
    ],
)
def test_invalid_iam_response_is_an_error(answer: object, error: type[ModelArtsError]) -> None:
    """No project is made up."""
    with pytest.raises(error):
        ask(answer)
