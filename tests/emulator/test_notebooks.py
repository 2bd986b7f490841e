"""The current API: leases in ms, and what differs from the historical one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

import pytest

from modelarts_magics.emulator.clock import to_ms

if TYPE_CHECKING:
    import httpx
    from conftest import Lab

    ErrorOf = Callable[[httpx.Response], tuple[int, str]]
    MakeLab = Callable[..., Lab]

HOUR_MS = 3_600_000


def renew(lab: Lab, query: str = "", **body: object) -> httpx.Response:
    """Ask for a lease, in the body, the query, or both."""
    how: dict[str, Any] = {"json": body} if body else {}
    return lab.ask("PATCH", f"{lab.note}/lease{query}", **how)


def test_a_notebook_embeds_its_lease_and_its_secret(lab: Lab) -> None:
    """The secret is obviously fake; the lease is the one of its own path."""
    shown = lab.ask("GET", lab.note).json()
    assert shown["token"].startswith("FAKE-")
    assert shown["lease"] == lab.lease()
    assert shown["lease"] == {
        "create_at": to_ms(lab.clock.now() - timedelta(days=3)),
        "duration": 3 * 24 * HOUR_MS + 40 * 60_000,
        "enable": True,
        "type": "TIMING",
        "update_at": to_ms(lab.clock.now() - timedelta(minutes=20)),
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
    lab: Lab, query: str, body: dict[str, Any], hours: int
) -> None:
    """The query overrides the body, type included."""
    before = lab.lease()
    lab.pass_time(minutes=7)
    answer = renew(lab, query, **body).json()
    assert answer == lab.lease()
    assert answer["create_at"] == before["create_at"]
    assert answer["type"] == "TIMING"
    assert answer["update_at"] == to_ms(lab.clock.now())
    assert lab.left() == timedelta(hours=hours)


def test_a_renewal_shortens_too(lab: Lab) -> None:
    """From 72 h to 1 h."""
    renew(lab, duration=72 * HOUR_MS)
    renew(lab, duration=HOUR_MS)
    assert lab.left() == timedelta(hours=1)


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
    lab: Lab, error_of: ErrorOf, query: str, body: dict[str, Any]
) -> None:
    """All of them are invalid payloads."""
    before = lab.lease()
    assert error_of(renew(lab, query, **body)) == (400, "6400")
    assert lab.lease() == before


@pytest.mark.parametrize("status", ["STOPPED", "STARTING", "STOPPING", "FROZEN"])
def test_only_a_running_instance_is_renewed(lab: Lab, error_of: ErrorOf, status: str) -> None:
    """6327 otherwise."""
    lab.emulator.set_instance(lab.emulator.notebook_id, status=status)
    assert error_of(renew(lab, duration=HOUR_MS)) == (400, "6327")


@pytest.mark.parametrize("query", ["", "?duration=-1"])
def test_switching_off_is_possible_where_the_option_says_so(make_lab: MakeLab, query: str) -> None:
    """Then it never stops, and another renewal switches it on again."""
    lab = make_lab(patch_off="accept")
    body = {} if query else {"duration": -1}
    off = renew(lab, query, **body).json()
    assert (off["enable"], off["update_at"]) == (False, to_ms(lab.clock.now()))
    lab.pass_time(days=9)
    assert lab.ask("GET", lab.note).json()["status"] == "RUNNING"
    assert renew(lab, duration=HOUR_MS).json()["enable"] is True
    assert lab.left() == timedelta(hours=1)


def test_an_idle_lease_has_no_end(lab: Lab) -> None:
    """The emulated instance is never idle."""
    assert renew(lab, duration=HOUR_MS, type="IDLE").json()["type"] == "IDLE"
    lab.pass_time(hours=5)
    assert lab.ask("GET", lab.note).json()["status"] == "RUNNING"


@pytest.mark.parametrize(
    ("form", "expected"), [("upper", "TIMING"), ("lower", "timing"), ("absent", None)]
)
def test_the_type_of_a_lease_appears_as_the_option_says(
    make_lab: MakeLab, form: str, expected: str | None
) -> None:
    """As in published answers; alone and embedded."""
    lab = make_lab(lease_type=form)
    assert lab.lease().get("type") == expected
    assert lab.ask("GET", lab.note).json()["lease"].get("type") == expected


def test_a_disabled_lease_keeps_its_fields(make_lab: MakeLab) -> None:
    """Started without auto-stop."""
    lab = make_lab(auto_stop=False)
    assert lab.lease()["enable"] is False
    lab.pass_time(days=2)
    assert lab.ask("GET", lab.note).json()["status"] == "RUNNING"


def test_an_end_in_the_past_can_be_played(lab: Lab) -> None:
    """A cloud that is late: RUNNING past its own end."""
    lab.emulator.set_instance(lab.emulator.notebook_id, runs_down=False)
    lab.pass_time(minutes=50)
    assert lab.left() == timedelta(minutes=-10)
    assert lab.ask("GET", lab.note).json()["status"] == "RUNNING"


def test_the_notebook_runs_down_stops_and_starts_again(lab: Lab) -> None:
    """The new run's duration counts from RUNNING, in a lease made days ago."""
    made = lab.lease()["create_at"]
    lab.pass_time(minutes=40)
    assert lab.ask("GET", lab.note).json()["status"] == "STOPPING"
    lab.pass_time(seconds=5)
    start = lab.ask("POST", f"{lab.note}/start?duration={2 * HOUR_MS}&type=TIMING").json()
    assert start["status"] == "STARTING"
    lab.pass_time(seconds=65)
    assert lab.left() == timedelta(hours=2, minutes=-1)
    assert lab.lease()["create_at"] == made


@pytest.mark.parametrize(
    ("query", "enable", "hours"), [("", True, 1), ("?duration=-1", False, None)]
)
def test_a_start_has_a_default_and_a_way_to_run_without_end(
    lab: Lab,
    query: str,
    enable: bool,
    hours: int | None,
) -> None:
    """One hour, or -1."""
    lab.emulator.set_instance(lab.emulator.notebook_id, status="STOPPED")
    assert lab.ask("POST", f"{lab.note}/start{query}").status_code == 200
    lab.pass_time(seconds=5)
    assert lab.lease()["enable"] is enable
    if hours:
        assert lab.left() == timedelta(hours=hours)


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
    lab: Lab, error_of: ErrorOf, status: str, action: str, code: str
) -> None:
    """Each with its code, and the status stays."""
    lab.emulator.set_instance(lab.emulator.notebook_id, status=status)
    assert error_of(lab.ask("POST", f"{lab.note}/{action}")) == (400, code)
    assert lab.ask("GET", lab.note).json()["status"] == status


def test_a_put_changes_description_and_name(lab: Lab) -> None:
    """And leaves the lease alone."""
    before = lab.lease()
    answer = lab.ask("PUT", lab.note, json={"description": "训练", "name": "n-1_x"}).json()
    assert (answer["description"], answer["name"]) == ("训练", "n-1_x")
    assert lab.lease() == before


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
def test_a_wrong_put_is_refused(lab: Lab, error_of: ErrorOf, body: dict[str, Any]) -> None:
    """All of them are invalid payloads."""
    assert error_of(lab.ask("PUT", lab.note, json=body)) == (400, "6400")


def test_a_put_while_running_is_refused_where_the_option_says_so(
    make_lab: MakeLab, error_of: ErrorOf
) -> None:
    """As the pages have it; stopped, it is taken."""
    lab = make_lab(description_put_while_running="refuse", description="old", api="notebooks")
    assert error_of(lab.ask("PUT", lab.note, json={"description": "new"})) == (400, "6347")
    assert lab.ask("GET", lab.note).json()["description"] == "old"
    lab.emulator.set_instance(status="STOPPED")
    assert lab.ask("PUT", lab.note, json={"description": "new"}).status_code == 200


def test_an_unknown_notebook_is_a_400(lab: Lab, error_of: ErrorOf) -> None:
    """With the code of this API, on every path."""
    other = f"{lab.note_list}/{lab.emulator.demanager_id}"
    for method, suffix in (("GET", ""), ("PUT", ""), ("GET", "/lease"), ("PATCH", "/lease")):
        assert error_of(lab.ask(method, other + suffix)) == (400, "6404")


def test_the_list_is_filtered_and_paged(lab: Lab) -> None:
    """With totals and pages."""
    more = [lab.emulator.add_instance("notebooks", name=f"other-{n}") for n in range(11)]
    found = lab.ask("GET", lab.note_list).json()
    assert (found["total"], found["pages"], found["size"], found["current"]) == (12, 2, 10, 0)
    found = lab.ask("GET", f"{lab.note_list}?offset=10&limit=10").json()
    assert (found["size"], found["current"]) == (2, 1)
    found = lab.ask("GET", f"{lab.note_list}?name=other-3").json()
    assert [one["id"] for one in found["data"]] == [more[3]]
    assert lab.ask("GET", f"{lab.note_list}?status=STOPPED").json()["total"] == 0


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "offset=-1"])
def test_a_wrong_list_query_is_refused(lab: Lab, error_of: ErrorOf, query: str) -> None:
    """All of them are invalid payloads."""
    assert error_of(lab.ask("GET", f"{lab.note_list}?{query}")) == (400, "6400")
