"""Events that open pages receive through the event socket."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Callable

import pytest
from api_versions import API_VERSIONS
from matrix import first

from modelarts_magics.server.extension import EVENT_SCHEMA_ID
from modelarts_magics.server.poller import HELLO

if TYPE_CHECKING:
    from conftest import SendRequest

    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.session.session import Session

PATH = ("api", "events", "subscribe")


async def next_event(socket: Any) -> dict[str, Any]:
    """Return the next event of this package that announces a change."""
    while True:
        event = json.loads(await socket.read_message())
        if event["schema_id"] == EVENT_SCHEMA_ID and event["kind"] != HELLO:
            return event


@pytest.mark.parametrize("api_version", first(API_VERSIONS))
async def test_page_that_connects_receives_the_last_event_number(
    jp_ws_fetch: Callable[..., Any], send_request: SendRequest
) -> None:
    """A page that missed no event need not read again."""
    known = (await send_request("instance")).body
    page = await jp_ws_fetch(*PATH)
    hello = json.loads(await page.read_message())
    while hello["schema_id"] != EVENT_SCHEMA_ID:
        hello = json.loads(await page.read_message())
    assert hello["kind"] == HELLO
    assert (hello["server_id"], hello["seq"]) == (known["server_id"], known["seq"])
    page.close()


async def test_change_by_a_magic_reaches_every_page(
    jp_ws_fetch: Callable[..., Any],
    send_request: SendRequest,
    other_session: Session,
    emulator: LocalEmulator,
) -> None:
    """Each page receives an event with the next number and can then read the change."""
    # Both know this state before the change, so that there is one event.
    emulator.set_instance(status="STOPPED")
    known = (await send_request("instance", params={"refresh": "1"})).body
    pages = [await jp_ws_fetch(*PATH) for _ in range(3)]
    other_session.describe("by a magic")
    for page in pages:
        event = await next_event(page)
        assert {"server_id", "seq", "kind"} <= set(event)
        assert (event["server_id"], event["kind"]) == (known["server_id"], "instance")
        assert event["seq"] == known["seq"] + 1
        assert "by a magic" not in repr(event)
    now = (await send_request("instance")).body
    assert now["instance"]["description"] == "by a magic"
    assert now["seq"] == known["seq"] + 1
    for page in pages:
        page.close()


async def test_change_by_one_page_reaches_the_others(
    jp_ws_fetch: Callable[..., Any], send_request: SendRequest, other_session: Session
) -> None:
    """A kernel receives it through the state file."""
    known = (await send_request("instance")).body
    page = await jp_ws_fetch(*PATH)
    got = await send_request("extend", "POST", {"seconds": 3600})
    event = await next_event(page)
    assert event["seq"] == known["seq"] + 1
    seen = other_session.last_known()
    assert seen is not None
    assert seen.auto_stop.stops_at is not None
    moved_ms = got.body["current"]["instance"]["stops_at_ms"]
    assert round(seen.auto_stop.stops_at.timestamp() * 1000) == moved_ms
    page.close()


async def test_open_pages_are_counted(
    jp_ws_fetch: Callable[..., Any], send_request: SendRequest, jp_serverapp: Any
) -> None:
    """A page counts while its event socket is open."""
    extension = jp_serverapp.extension_manager.extension_points["modelarts_magics"].app
    await send_request("instance")
    assert not extension._listeners()
    page = await jp_ws_fetch(*PATH)
    await send_request("instance")
    assert extension._listeners()
    page.close()
    while extension._listeners():
        await send_request("instance")


async def test_muting_and_saving_send_events(
    jp_ws_fetch: Callable[..., Any], send_request: SendRequest, other_session: Session
) -> None:
    """The event names the part that has changed."""
    known = (await send_request("instance")).body
    page = await jp_ws_fetch(*PATH)
    await send_request("saved", "POST", {"stops_at_ms": known["instance"]["stops_at_ms"]})
    assert (await next_event(page))["kind"] == "last-run"
    await send_request("remind", "POST", {"muted": True})
    expected = "instance" if other_session.capabilities.supports_reminder else "reminders"
    assert (await next_event(page))["kind"] == expected
    page.close()
