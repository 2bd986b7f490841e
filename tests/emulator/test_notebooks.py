"""The current API: leases in ms, and what differs from the historical one."""

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


def renew(client: EmulatorClient, query: str = "", **body: object) -> httpx.Response:
    """Ask for a lease, in the body, the query, or both."""
    how: dict[str, Any] = {"json": body} if body else {}
    return client.request("PATCH", f"{client.notebook_path}/lease{query}", **how)


def test_a_notebook_embeds_its_lease_and_its_secret(client: EmulatorClient) -> None:
    """The secret is obviously fake; the lease is the one of its own path."""
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
def test_a_renewal_counts_from_now_and_create_at_never_moves(
    client: EmulatorClient, query: str, body: dict[str, Any], hours: int
) -> None:
    """The query overrides the body, type included."""
    before = client.lease()
    client.advance(minutes=7)
    answer = renew(client, query, **body).json()
    assert answer == client.lease()
    assert answer["create_at"] == before["create_at"]
    assert answer["type"] == "TIMING"
    assert answer["update_at"] == to_ms(client.clock.now())
    assert client.lease_time_left() == timedelta(hours=hours)


def test_a_renewal_shortens_too(client: EmulatorClient) -> None:
    """From 72 h to 1 h."""
    renew(client, duration=72 * HOUR_MS)
    renew(client, duration=HOUR_MS)
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
def test_a_wrong_renewal_is_refused_and_changes_nothing(
    client: EmulatorClient, status_and_code: ErrorOf, query: str, body: dict[str, Any]
) -> None:
    """All of them are invalid payloads."""
    before = client.lease()
    assert status_and_code(renew(client, query, **body)) == (400, "6400")
    assert client.lease() == before


@pytest.mark.parametrize("status", ["STOPPED", "STARTING", "STOPPING", "FROZEN"])
def test_only_a_running_instance_is_renewed(
    client: EmulatorClient, status_and_code: ErrorOf, status: str
) -> None:
    """6327 otherwise."""
    client.emulator.set_instance(client.emulator.notebook_id, status=status)
    assert status_and_code(renew(client, duration=HOUR_MS)) == (400, "6327")


@pytest.mark.parametrize("query", ["", "?duration=-1"])
def test_switching_off_is_possible_where_the_option_says_so(
    make_client: MakeClient, query: str
) -> None:
    """Then it never stops, and another renewal switches it on again."""
    client = make_client(patch_off="accept")
    body = {} if query else {"duration": -1}
    off = renew(client, query, **body).json()
    assert (off["enable"], off["update_at"]) == (False, to_ms(client.clock.now()))
    client.advance(days=9)
    assert client.request("GET", client.notebook_path).json()["status"] == "RUNNING"
    assert renew(client, duration=HOUR_MS).json()["enable"] is True
    assert client.lease_time_left() == timedelta(hours=1)


def test_an_idle_lease_has_no_end(client: EmulatorClient) -> None:
    """The emulated instance is never idle."""
    assert renew(client, duration=HOUR_MS, type="IDLE").json()["type"] == "IDLE"
    client.advance(hours=5)
    assert client.request("GET", client.notebook_path).json()["status"] == "RUNNING"


@pytest.mark.parametrize(
    ("form", "expected"), [("upper", "TIMING"), ("lower", "timing"), ("absent", None)]
)
def test_the_type_of_a_lease_appears_as_the_option_says(
    make_client: MakeClient, form: str, expected: str | None
) -> None:
    """As in published answers; alone and embedded."""
    client = make_client(lease_type=form)
    assert client.lease().get("type") == expected
    assert client.request("GET", client.notebook_path).json()["lease"].get("type") == expected


def test_a_disabled_lease_keeps_its_fields(make_client: MakeClient) -> None:
    """Started without auto-stop."""
    client = make_client(auto_stop=False)
    assert client.lease()["enable"] is False
    client.advance(days=2)
    assert client.request("GET", client.notebook_path).json()["status"] == "RUNNING"


def test_an_end_in_the_past_can_be_played(client: EmulatorClient) -> None:
    """A cloud that is late: RUNNING past its own end."""
    client.emulator.set_instance(client.emulator.notebook_id, stops_on_time=False)
    client.advance(minutes=50)
    assert client.lease_time_left() == timedelta(minutes=-10)
    assert client.request("GET", client.notebook_path).json()["status"] == "RUNNING"


def test_the_notebook_runs_down_stops_and_starts_again(client: EmulatorClient) -> None:
    """The new run's duration counts from RUNNING, in a lease made days ago."""
    made = client.lease()["create_at"]
    client.advance(minutes=40)
    assert client.request("GET", client.notebook_path).json()["status"] == "STOPPING"
    client.advance(seconds=5)
    start = client.request(
        "POST", f"{client.notebook_path}/start?duration={2 * HOUR_MS}&type=TIMING"
    ).json()
    assert start["status"] == "STARTING"
    client.advance(seconds=65)
    assert client.lease_time_left() == timedelta(hours=2, minutes=-1)
    assert client.lease()["create_at"] == made


@pytest.mark.parametrize(
    ("query", "enable", "hours"), [("", True, 1), ("?duration=-1", False, None)]
)
def test_a_start_has_a_default_and_a_way_to_run_without_end(
    client: EmulatorClient,
    query: str,
    enable: bool,
    hours: int | None,
) -> None:
    """One hour, or -1."""
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
def test_an_action_that_does_not_fit_is_refused(
    client: EmulatorClient, status_and_code: ErrorOf, status: str, action: str, code: str
) -> None:
    """Each with its code, and the status stays."""
    client.emulator.set_instance(client.emulator.notebook_id, status=status)
    assert status_and_code(client.request("POST", f"{client.notebook_path}/{action}")) == (
        400,
        code,
    )
    assert client.request("GET", client.notebook_path).json()["status"] == status


def test_a_put_changes_description_and_name(client: EmulatorClient) -> None:
    """And leaves the lease alone."""
    before = client.lease()
    answer = client.request(
        "PUT", client.notebook_path, json={"description": "训练", "name": "n-1_x"}
    ).json()
    assert (answer["description"], answer["name"]) == ("训练", "n-1_x")
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
def test_a_wrong_put_is_refused(
    client: EmulatorClient, status_and_code: ErrorOf, body: dict[str, Any]
) -> None:
    """All of them are invalid payloads."""
    assert status_and_code(client.request("PUT", client.notebook_path, json=body)) == (400, "6400")


def test_a_put_while_running_is_refused_where_the_option_says_so(
    make_client: MakeClient, status_and_code: ErrorOf
) -> None:
    """As the pages have it; stopped, it is taken."""
    client = make_client(description_put_while_running="refuse", description="old", api="notebooks")
    assert status_and_code(
        client.request("PUT", client.notebook_path, json={"description": "new"})
    ) == (400, "6347")
    assert client.request("GET", client.notebook_path).json()["description"] == "old"
    client.emulator.set_instance(status="STOPPED")
    assert (
        client.request("PUT", client.notebook_path, json={"description": "new"}).status_code == 200
    )


def test_an_unknown_notebook_is_a_400(client: EmulatorClient, status_and_code: ErrorOf) -> None:
    """With the code of this API, on every path."""
    other = f"{client.notebooks_path}/{client.emulator.demanager_id}"
    for method, suffix in (("GET", ""), ("PUT", ""), ("GET", "/lease"), ("PATCH", "/lease")):
        assert status_and_code(client.request(method, other + suffix)) == (400, "6404")


def test_the_list_is_filtered_and_paged(client: EmulatorClient) -> None:
    """With totals and pages."""
    more = [client.emulator.add_instance("notebooks", name=f"other-{n}") for n in range(11)]
    found = client.request("GET", client.notebooks_path).json()
    assert (found["total"], found["pages"], found["size"], found["current"]) == (12, 2, 10, 0)
    found = client.request("GET", f"{client.notebooks_path}?offset=10&limit=10").json()
    assert (found["size"], found["current"]) == (2, 1)
    found = client.request("GET", f"{client.notebooks_path}?name=other-3").json()
    assert [one["id"] for one in found["data"]] == [more[3]]
    assert client.request("GET", f"{client.notebooks_path}?status=STOPPED").json()["total"] == 0


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "offset=-1"])
def test_a_wrong_list_query_is_refused(
    client: EmulatorClient, status_and_code: ErrorOf, query: str
) -> None:
    """All of them are invalid payloads."""
    assert status_and_code(client.request("GET", f"{client.notebooks_path}?{query}")) == (
        400,
        "6400",
    )
