"""Rules of the current API: leases in ms, and the differences from the historical API."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

import pytest

from modelarts_magics.emulator.clock import to_ms

if TYPE_CHECKING:
    import httpx
    from conftest import EmulatorClient

    ErrorOf = Callable[[httpx.Response], tuple[int, str]]
    MakeClient = Callable[..., EmulatorClient]

HOUR_MS = 3_600_000


def renew_lease(client: EmulatorClient, query: str = "", **body: object) -> httpx.Response:
    """Renew the lease with values in the body, the query, or both."""
    arguments: dict[str, Any] = {"json": body} if body else {}
    return client.request("PATCH", f"{client.notebook_path}/lease{query}", **arguments)


def test_notebook_contains_its_lease_and_token(client: EmulatorClient) -> None:
    """The token is a fake one; the lease equals the one of its own path."""
    shown = client.request("GET", client.notebook_path).json()
    assert shown["token"].startswith("FAKE-")
    assert shown["lease"] == client.lease()
    assert shown["lease"] == {
        "create_at": to_ms(client.clock.now() - timedelta(days=3)),
        "duration": 3 * 24 * HOUR_MS + 40 * 60_000,
        "enable": True,
        "type": "TIMING",
        "update_at": to_ms(client.clock.now() - timedelta(minutes=20)),
    }


@pytest.mark.parametrize(
    ("query", "body", "hours"),
    [
        ("", {"duration": 2 * HOUR_MS, "type": "TIMING"}, 2),
        ("", {"duration": 2 * HOUR_MS}, 2),
        ("", {"type": "TIMING"}, 1),
        ("", {}, 1),
        ("", {"duration": 72 * HOUR_MS}, 72),
        (f"?duration={3 * HOUR_MS}", {}, 3),
        (f"?duration={3 * HOUR_MS}", {"duration": 5 * HOUR_MS, "type": "IDLE"}, 3),
    ],
)
def test_renewal_counts_from_now(
    client: EmulatorClient, query: str, body: dict[str, Any], hours: int
) -> None:
    """The query overrides duration and type of the body; `create_at` is unchanged."""
    before = client.lease()
    client.advance(minutes=7)
    response = renew_lease(client, query, **body).json()
    assert response == client.lease()
    assert response["create_at"] == before["create_at"]
    assert response["type"] == "TIMING"
    assert response["update_at"] == to_ms(client.clock.now())
    assert client.lease_time_left() == timedelta(hours=hours)


def test_renewal_can_shorten_the_lease(client: EmulatorClient) -> None:
    """A lease of 72 h can be renewed to 1 h."""
    renew_lease(client, duration=72 * HOUR_MS)
    renew_lease(client, duration=HOUR_MS)
    assert client.lease_time_left() == timedelta(hours=1)


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("", {"duration": HOUR_MS - 1}),
        ("", {"duration": 72 * HOUR_MS + 1}),
        ("", {"duration": str(HOUR_MS)}),
        ("", {"duration": float(HOUR_MS)}),
        ("", {"duration": True}),
        ("", {"duration": None}),
        ("", {"duration": -1}),
        ("", {"type": "timing"}),
        ("", {"type": None}),
        ("", {"type": "FOREVER"}),
        ("", {"enable": False}),
        ("", {"create_at": 1}),
        ("?duration=x", {}),
        ("?duration=", {}),
        ("?duration=-1", {}),
        ("?duration=3600", {}),
    ],
)
def test_invalid_renewal_is_refused_and_changes_nothing(
    client: EmulatorClient, status_and_code: ErrorOf, query: str, body: dict[str, Any]
) -> None:
    """Each case is an invalid payload."""
    before = client.lease()
    assert status_and_code(renew_lease(client, query, **body)) == (400, "6400")
    assert client.lease() == before


@pytest.mark.parametrize("status", ["STOPPED", "STARTING", "STOPPING", "FROZEN"])
def test_renewal_requires_a_running_instance(
    client: EmulatorClient, status_and_code: ErrorOf, status: str
) -> None:
    """The code is 6327 in any other status."""
    client.emulator.set_instance(client.emulator.notebook_id, status=status)
    assert status_and_code(renew_lease(client, duration=HOUR_MS)) == (400, "6327")


@pytest.mark.parametrize("query", ["", "?duration=-1"])
def test_option_allows_disabling_by_renewal(make_client: MakeClient, query: str) -> None:
    """A duration of -1 disables auto-stop, and another renewal enables it."""
    client = make_client(patch_off="accept")
    body = {} if query else {"duration": -1}
    off = renew_lease(client, query, **body).json()
    assert (off["enable"], off["update_at"]) == (False, to_ms(client.clock.now()))
    client.advance(days=9)
    assert client.request("GET", client.notebook_path).json()["status"] == "RUNNING"
    assert renew_lease(client, duration=HOUR_MS).json()["enable"] is True
    assert client.lease_time_left() == timedelta(hours=1)


def test_idle_lease_does_not_stop_the_instance(client: EmulatorClient) -> None:
    """The emulated instance is never idle."""
    assert renew_lease(client, duration=HOUR_MS, type="IDLE").json()["type"] == "IDLE"
    client.advance(hours=5)
    assert client.request("GET", client.notebook_path).json()["status"] == "RUNNING"


@pytest.mark.parametrize(
    ("form", "expected"), [("upper", "TIMING"), ("lower", "timing"), ("absent", None)]
)
def test_lease_type_follows_the_option(
    make_client: MakeClient, form: str, expected: str | None
) -> None:
    """The lease and the notebook show `type` as the option says."""
    client = make_client(lease_type=form)
    assert client.lease().get("type") == expected
    assert client.request("GET", client.notebook_path).json()["lease"].get("type") == expected


def test_disabled_lease_does_not_stop_the_instance(make_client: MakeClient) -> None:
    """An instance that starts without auto-stop keeps running."""
    client = make_client(auto_stop=False)
    assert client.lease()["enable"] is False
    client.advance(days=2)
    assert client.request("GET", client.notebook_path).json()["status"] == "RUNNING"


def test_instance_may_run_past_its_stop_time(client: EmulatorClient) -> None:
    """With `stops_on_time` false, the instance is RUNNING after its stop time."""
    client.emulator.set_instance(client.emulator.notebook_id, stops_on_time=False)
    client.advance(minutes=50)
    assert client.lease_time_left() == timedelta(minutes=-10)
    assert client.request("GET", client.notebook_path).json()["status"] == "RUNNING"


def test_notebook_stops_and_starts_again(client: EmulatorClient) -> None:
    """The new run's duration counts from RUNNING; `create_at` is unchanged."""
    created = client.lease()["create_at"]
    client.advance(minutes=40)
    assert client.request("GET", client.notebook_path).json()["status"] == "STOPPING"
    client.advance(seconds=5)
    start = client.request(
        "POST", f"{client.notebook_path}/start?duration={2 * HOUR_MS}&type=TIMING"
    ).json()
    assert start["status"] == "STARTING"
    client.advance(seconds=65)
    assert client.lease_time_left() == timedelta(hours=2, minutes=-1)
    assert client.lease()["create_at"] == created


@pytest.mark.parametrize(
    ("query", "enable", "hours"), [("", True, 1), ("?duration=-1", False, None)]
)
def test_start_has_a_default_duration(
    client: EmulatorClient,
    query: str,
    enable: bool,
    hours: int | None,
) -> None:
    """A start gets one hour by default, and no stop time with -1."""
    client.emulator.set_instance(client.emulator.notebook_id, status="STOPPED")
    assert client.request("POST", f"{client.notebook_path}/start{query}").status_code == 200
    client.advance(seconds=5)
    assert client.lease()["enable"] is enable
    if hours:
        assert client.lease_time_left() == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("status", "action", "code"),
    [
        ("RUNNING", "start", "6357"),
        ("STOPPED", "stop", "6327"),
        ("STOPPED", "start?duration=1", "6400"),
        ("STOPPED", "start?type=timing", "6400"),
        ("STOPPING", "stop", "6357"),
    ],
)
def test_invalid_action_for_a_status_is_refused(
    client: EmulatorClient, status_and_code: ErrorOf, status: str, action: str, code: str
) -> None:
    """Each case has its code, and the status is unchanged."""
    client.emulator.set_instance(client.emulator.notebook_id, status=status)
    assert status_and_code(client.request("POST", f"{client.notebook_path}/{action}")) == (
        400,
        code,
    )
    assert client.request("GET", client.notebook_path).json()["status"] == status


def test_put_changes_description_and_name(client: EmulatorClient) -> None:
    """The lease is unchanged."""
    before = client.lease()
    response = client.request(
        "PUT", client.notebook_path, json={"description": "训练", "name": "n-1_x"}
    ).json()
    assert (response["description"], response["name"]) == ("训练", "n-1_x")
    assert client.lease() == before


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"description": "a/b"},
        {"description": None},
        {"description": "x" * 513},
        {"name": ""},
        {"name": "a b"},
        {"lease": {}},
        {"auto_stop": {}},
    ],
)
def test_invalid_put_is_refused(
    client: EmulatorClient, status_and_code: ErrorOf, body: dict[str, Any]
) -> None:
    """Each case is an invalid payload."""
    assert status_and_code(client.request("PUT", client.notebook_path, json=body)) == (400, "6400")


def test_option_refuses_put_while_running(
    make_client: MakeClient, status_and_code: ErrorOf
) -> None:
    """A stopped instance accepts the PUT."""
    client = make_client(description_put_while_running="refuse", description="old", api="notebooks")
    assert status_and_code(
        client.request("PUT", client.notebook_path, json={"description": "new"})
    ) == (400, "6347")
    assert client.request("GET", client.notebook_path).json()["description"] == "old"
    client.emulator.set_instance(status="STOPPED")
    assert (
        client.request("PUT", client.notebook_path, json={"description": "new"}).status_code == 200
    )


def test_unknown_notebook_is_a_400(client: EmulatorClient, status_and_code: ErrorOf) -> None:
    """Each path responds with the code of this API."""
    other = f"{client.notebooks_path}/{client.emulator.demanager_id}"
    for method, suffix in (("GET", ""), ("PUT", ""), ("GET", "/lease"), ("PATCH", "/lease")):
        assert status_and_code(client.request(method, other + suffix)) == (400, "6404")


def test_list_is_filtered_and_paged(client: EmulatorClient) -> None:
    """The list has total and number of pages."""
    added = [client.emulator.add_instance("notebooks", name=f"other-{n}") for n in range(11)]
    found = client.request("GET", client.notebooks_path).json()
    assert (found["total"], found["pages"], found["size"], found["current"]) == (12, 2, 10, 0)
    found = client.request("GET", f"{client.notebooks_path}?offset=10&limit=10").json()
    assert (found["size"], found["current"]) == (2, 1)
    found = client.request("GET", f"{client.notebooks_path}?name=other-3").json()
    assert [one["id"] for one in found["data"]] == [added[3]]
    assert client.request("GET", f"{client.notebooks_path}?status=STOPPED").json()["total"] == 0


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "offset=-1"])
def test_invalid_list_query_is_refused(
    client: EmulatorClient, status_and_code: ErrorOf, query: str
) -> None:
    """Each case is an invalid payload."""
    assert status_and_code(client.request("GET", f"{client.notebooks_path}?{query}")) == (
        400,
        "6400",
    )
