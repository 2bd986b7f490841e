"""Fixtures of the server tests: a Jupyter server, an emulator, and clients of both."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

import pytest
from emulator_harness import environment_variables
from pytest_jupyter.jupyter_server import *  # noqa: F403 - provides fixtures
from traitlets.config import Config

from modelarts_magics.config.settings import Settings
from modelarts_magics.domain.clock import Clock
from modelarts_magics.session.connect import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.server.service import InstanceService
    from modelarts_magics.session.session import Session


class ApiVersion(NamedTuple):
    """An API version of the emulator."""

    api: str
    edition: str


API_VERSIONS = (ApiVersion("demanager", "2019"), ApiVersion("notebooks", "2021"))
URL_PARTS = ("modelarts-magics", "v1")


@dataclass(frozen=True)
class Response:
    """The response of a handler."""

    status: int
    body: Any
    headers: dict[str, str]


SendRequest = Callable[..., Any]


@pytest.fixture(params=API_VERSIONS, ids=lambda each: each.api)
def api_version(request: pytest.FixtureRequest) -> ApiVersion:
    """Return each API; the editions of the historical one are tested elsewhere."""
    return request.param


@pytest.fixture
def environ(emulator: LocalEmulator, tmp_path: Path) -> dict[str, str]:
    """Return the environment variables of a server."""
    return {
        **emulator.environment(),
        "MODELARTS_STATE_DIR": str(tmp_path / "state"),
        "MODELARTS_TIMEZONE": "+08:00",
        "MODELARTS_LANGUAGE": "en",
        "TZ": "UTC",
    }


@pytest.fixture
def server_environment(environ: dict[str, str], jp_environ: None) -> Iterator[None]:  # noqa: ARG001 - must run before
    """Set these environment variables in this process, with a separate home."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MODELARTS_", "HUAWEI"))
    }
    with environment_variables({**inherited, **environ}):
        yield


@pytest.fixture
def jp_server_config(server_environment: None) -> Config:  # noqa: ARG001 - read by the server
    """Return the configuration of a server with the extension."""
    return Config(
        {
            "ServerApp": {"jpserver_extensions": {"modelarts_magics": True}},
            "ModelArtsServer": {"clock": Clock(sleep=lambda _seconds: None)},
        }
    )


@pytest.fixture
def send_request(jp_fetch: Callable[..., Any]) -> SendRequest:
    """Return a function that sends a request to a handler and returns its response."""

    async def send(route: str, method: str = "GET", body: Any = None, **options: Any) -> Response:
        if method in ("POST", "PATCH") or body is not None:
            options["body"] = body if isinstance(body, (str, bytes)) else json.dumps(body)
        response = await jp_fetch(*URL_PARTS, route, method=method, raise_error=False, **options)
        return Response(response.code, json.loads(response.body), dict(response.headers))

    return send


@pytest.fixture
def service(jp_serverapp: Any) -> InstanceService:
    """Return the service of the running server."""
    return jp_serverapp.web_app.settings["modelarts_magics_service"]


@pytest.fixture
def other_session(
    server_environment: None,  # noqa: ARG001 - must run before
    environ: dict[str, str],
    tmp_path: Path,
) -> Iterator[Session]:
    """Return a session like that of another process, which shares only the state file.

    Subscriptions within a process go by the path of the file, so another path to the folder keeps them apart.
    """
    (tmp_path / "by another path").symlink_to(tmp_path)
    path = {"MODELARTS_STATE_DIR": str(tmp_path / "by another path" / "state")}
    variables = {**environ, **path}
    session = open_session(Settings.load(environ=variables), environ=variables)
    yield session
    session.close()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests with a Jupyter server, which starts a process for its own version."""
    if "jp_serverapp" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.process)
