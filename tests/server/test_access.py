"""Who may use the routes, and what stays inside the server."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Callable

import pytest
from jupyter_server.auth import Authorizer

from modelarts_magics.server.handlers import HANDLERS

if TYPE_CHECKING:
    from conftest import SendRequest
    from traitlets.config import Config

    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.server.service import InstanceService

BODIES: dict[tuple[str, str], Any] = {
    ("instance", "PATCH"): {"description": "by somebody"},
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
NOBODY = {"Authorization": ""}


class Readers(Authorizer):
    """Lets everybody read and nobody write."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:  # noqa: ARG002
        """Return whether it is our resource and only read."""
        return resource == "modelarts-magics" and action == "read"


@pytest.mark.parametrize(("route", "verb"), VERBS)
async def test_a_stranger_gets_nothing(
    route: str, verb: str, send_request: SendRequest, emulator: LocalEmulator
) -> None:
    """Neither an answer nor a request to the cloud."""
    got = await send_request(route, verb, BODIES.get((route, verb)), headers=dict(NOBODY))
    assert got.status == 403
    assert got.body["code"] == "http.403"
    assert got.body["hint"] == "Reload the page and log in to Jupyter again."
    assert set(got.body) == {"code", "message", "hint", "request_id", "field", "values"}
    assert not [one for one in emulator.requests if one["method"] != "GET"]


class TestReaders:
    """A server whose authorizer lets people read only."""

    @pytest.fixture
    def jp_server_config(self, jp_server_config: Config) -> Config:
        """Return its configuration."""
        jp_server_config.ServerApp.authorizer_class = Readers
        return jp_server_config

    @pytest.mark.parametrize(("route", "verb"), VERBS)
    async def test_every_verb_is_authorised(
        self, route: str, verb: str, send_request: SendRequest, emulator: LocalEmulator
    ) -> None:
        """Reading is one right, changing another."""
        got = await send_request(route, verb, BODIES.get((route, verb)))
        assert got.status == (200 if verb == "GET" else 403)
        assert not [one for one in emulator.requests if one["method"] != "GET"]


async def test_a_page_of_another_site_cannot_write(
    jp_fetch: Callable[..., Any],
    send_request: SendRequest,
    emulator: LocalEmulator,
    jp_serverapp: Any,
) -> None:
    """A cookie alone is not enough for a write; with the token of the page it is."""

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


async def test_no_request_of_ours_is_activity(send_request: SendRequest, jp_serverapp: Any) -> None:
    """A server that is looked at only may be culled."""
    before = jp_serverapp.web_app.last_activity()
    for route, verb in VERBS:
        await send_request(route, verb, BODIES.get((route, verb)))
    assert jp_serverapp.web_app.last_activity() == before


async def test_a_verb_that_there_is_not_says_which_there_are(send_request: SendRequest) -> None:
    """405, with `Allow`."""
    got = await send_request("extend", "GET")
    assert (got.status, got.headers["Allow"]) == (405, "POST, OPTIONS")


async def test_no_secret_leaves_the_server(  # noqa: PLR0913 - all the places where one could be
    send_request: SendRequest,
    service: InstanceService,
    emulator: LocalEmulator,
    environ: dict[str, str],
    jp_serverapp: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither in an answer, nor in a log, nor in an event, whatever goes wrong."""
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
                for route, verb in VERBS
            ]
        )
        said.append((await send_request("instance", params={"refresh": "1"})).body)
    await service.poller.stop()
    shown = repr(said) + repr(events) + caplog.text
    assert events
    assert environ["MODELARTS_AUTH_TOKEN"] not in shown
    assert "<html" not in shown
