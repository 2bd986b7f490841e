"""Authentication, authorisation and secrets."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Callable

import pytest
from api_versions import API_VERSIONS
from jupyter_server.auth import Authorizer
from matrix import first

from modelarts_magics.server.handlers import HANDLERS

if TYPE_CHECKING:
    from conftest import SendRequest
    from traitlets.config import Config

    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.server.service import InstanceService

BODIES: dict[tuple[str, str], Any] = {
    ("instance", "PATCH"): {"description": "by another user"},
    ("extend", "POST"): {"seconds": 3600},
    ("saved", "POST"): {"stops_at_ms": 1},
    ("remind", "POST"): {"muted": True},
}
VERBS = sorted(
    (name, verb)
    for name, route in HANDLERS.items()
    for verb in ("GET", "POST", "PATCH", "DELETE")
    if verb.lower() in vars(route)
)
WITHOUT_ACTIVITY = [each for each in VERBS if each[0] != "activity"]
"""The methods that start no process when they are allowed; `test_keep_payloads.py` tests the other one."""
NOBODY = {"Authorization": ""}


class ReadOnlyAuthorizer(Authorizer):
    """An authorizer that allows everyone to read and no one to write."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:  # noqa: ARG002
        """Return whether the request reads the resource of this package."""
        return resource == "modelarts-magics" and action == "read"


@pytest.mark.parametrize(("route", "verb"), VERBS)
async def test_request_without_token_is_refused(
    route: str, verb: str, send_request: SendRequest, emulator: LocalEmulator
) -> None:
    """The response has no data, and the API is not called."""
    got = await send_request(route, verb, BODIES.get((route, verb)), headers=dict(NOBODY))
    assert got.status == 403
    assert got.body["code"] == "http.403"
    assert got.body["hint"] == "Reload the page and log in to Jupyter again."
    assert set(got.body) == {"code", "message", "hint", "request_id", "field", "values"}
    assert not [one for one in emulator.requests if one["method"] != "GET"]


class TestReadOnlyUsers:
    """A server whose authorizer allows reading only."""

    @pytest.fixture
    def jp_server_config(self, jp_server_config: Config) -> Config:
        """Return the configuration with this authorizer."""
        jp_server_config.ServerApp.authorizer_class = ReadOnlyAuthorizer
        return jp_server_config

    @pytest.mark.parametrize(("route", "verb"), VERBS)
    async def test_every_method_is_authorised(
        self, route: str, verb: str, send_request: SendRequest, emulator: LocalEmulator
    ) -> None:
        """Reading and writing are separate permissions."""
        got = await send_request(route, verb, BODIES.get((route, verb)))
        assert got.status == (200 if verb == "GET" else 403)
        assert not [one for one in emulator.requests if one["method"] != "GET"]


async def test_page_of_another_site_cannot_write(
    jp_fetch: Callable[..., Any],
    send_request: SendRequest,
    emulator: LocalEmulator,
    jp_serverapp: Any,
) -> None:
    """A write needs the XSRF token of the page, not only a cookie."""

    async def visit(page: str, **options: Any) -> dict[str, str]:
        got = await jp_fetch(page, follow_redirects=False, raise_error=False, **options)
        return dict(each.split(";")[0].split("=", 1) for each in got.headers.get_list("Set-Cookie"))

    token = jp_serverapp.identity_provider.token
    cookies = await visit("login", params={"token": token}, headers=dict(NOBODY))
    cookie = {**NOBODY, "Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items())}
    assert (await send_request("instance", headers=dict(cookie))).status == 200
    got = await send_request("extend", "POST", {"seconds": 3600}, headers=dict(cookie))
    assert got.status == 403
    assert got.body["code"] == "http.403"
    assert "_xsrf" in got.body["message"]
    assert "Reload the page" in got.body["hint"]
    assert not [one for one in emulator.requests if one["method"] != "GET"]
    xsrf = (await visit("nowhere", headers=dict(cookie)))["_xsrf"]
    same_site = {**cookie, "Cookie": f"{cookie['Cookie']}; _xsrf={xsrf}", "X-XSRFToken": xsrf}
    assert (
        await send_request("extend", "POST", {"seconds": 3600}, headers=same_site)
    ).status == 200


async def test_requests_do_not_count_as_activity(
    send_request: SendRequest, jp_serverapp: Any
) -> None:
    """A server whose pages only show the state may be culled."""
    before = jp_serverapp.web_app.last_activity()
    for route, verb in WITHOUT_ACTIVITY:
        await send_request(route, verb, BODIES.get((route, verb)))
    assert jp_serverapp.web_app.last_activity() == before


async def test_unknown_method_lists_allowed_methods(send_request: SendRequest) -> None:
    """The response is 405 with `Allow`."""
    got = await send_request("extend", "GET")
    assert (got.status, got.headers["Allow"]) == (405, "POST, OPTIONS")


@pytest.mark.parametrize("api_version", first(API_VERSIONS))
async def test_no_secret_leaves_the_server(  # noqa: PLR0913 - all the places where one could be
    send_request: SendRequest,
    service: InstanceService,
    emulator: LocalEmulator,
    environ: dict[str, str],
    jp_serverapp: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither responses, nor logs, nor events contain a secret after any error."""
    events: list[object] = []

    async def listen(logger: object, schema_id: str, data: object) -> None:  # noqa: ARG001
        events.append(data)

    jp_serverapp.event_logger.add_listener(listener=listen)
    caplog.set_level(logging.DEBUG)
    said: list[object] = []
    for fault in ("", "401", "403", "500", "html", "reset", "bad-json"):
        emulator.clear_faults()
        if fault:
            emulator.add_fault(fault, methods=("GET", "PUT", "PATCH", "POST"))
        said.extend(
            [
                (await send_request(route, verb, BODIES.get((route, verb)))).body
                for route, verb in WITHOUT_ACTIVITY
            ]
        )
        if fault in ("401", "html"):
            # The server makes a page wait for some seconds between two of these.
            said.append((await send_request("instance", params={"refresh": "1"})).body)
    await service.poller.stop()
    shown = repr(said) + repr(events) + caplog.text
    assert events
    assert environ["MODELARTS_AUTH_TOKEN"] not in shown
    assert "<html" not in shown
