"""Faults of the emulator: their effects, and which requests they affect."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, Any, Callable

import httpx
import pytest

from modelarts_magics.emulator.faults import FAULT_KINDS, make_fault, parse_fault

if TYPE_CHECKING:
    from conftest import EmulatorClient

    ErrorOf = Callable[[httpx.Response], tuple[int, str]]

CHANGE = {
    "description": "changed",
    "spec": {"auto_stop": {"enable": True, "duration": 7200, "prompt": False}},
}


def put_changes(client: EmulatorClient) -> httpx.Response:
    """Send a PUT that changes all fields."""
    return client.request("PUT", client.instance_path, json=CHANGE)


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds that the server thread brings about."""
    pause = threading.Event()
    for _ in range(1500):
        if condition():
            return
        pause.wait(0.02)
    raise AssertionError("the condition was not met")


def stored_description(client: EmulatorClient) -> str:
    """Return the description that the emulator stores."""
    return str(client.emulator.state()["instances"][0]["description"])


@pytest.mark.parametrize(
    ("name", "arg", "expected", "retry_after"),
    [
        ("401", None, (401, "0202"), None),
        ("401", "APIGW.0301", (401, "APIGW.0301"), None),
        ("403", None, (403, "0108"), None),
        ("403", "ModelArts.0210", (403, "0210"), None),
        ("404", None, (404, "APIGW.0101"), None),
        ("429", None, (429, "APIGW.0308"), None),
        ("429", 7, (429, "APIGW.0308"), "7"),
        ("500", None, (500, "0010"), None),
        ("500", "ModelArts.6102", (500, "6102"), None),
        ("502", None, (502, "APIGW.0601"), None),
        ("503", None, (503, "APIGW.0602"), None),
        (
            "503",
            "Mon, 23 Nov 2026 08:01:00 GMT",
            (503, "APIGW.0602"),
            "Mon, 23 Nov 2026 08:01:00 GMT",
        ),
    ],
)
def test_error_fault_replaces_the_response(  # noqa: PLR0913 - columns of the table
    client: EmulatorClient,
    status_and_code: ErrorOf,
    name: str,
    arg: object,
    expected: tuple[int, str],
    retry_after: str | None,
) -> None:
    """The fault sends its code, and the change is not applied."""
    client.emulator.add_fault(name, arg=arg)
    response = put_changes(client)
    assert status_and_code(response) == expected
    assert response.headers.get("Retry-After") == retry_after
    assert response.headers["Date"] == "Mon, 23 Nov 2026 08:00:00 GMT"
    assert stored_description(client) != "changed"


@pytest.mark.parametrize(("arg", "status"), [(None, 200), (502, 502)])
def test_html_fault_sends_a_page(client: EmulatorClient, arg: object, status: int) -> None:
    """The page may have a success status."""
    client.emulator.add_fault("html", arg=arg)
    response = put_changes(client)
    assert response.status_code == status
    assert response.headers["Content-Type"].startswith("text/html")
    assert response.text.startswith("<!DOCTYPE html>")
    assert stored_description(client) != "changed"


@pytest.mark.parametrize(
    ("arg", "where"), [(None, "/elsewhere"), ("http://x.test/", "http://x.test/")]
)
def test_redirect_fault_sends_a_location(client: EmulatorClient, arg: object, where: str) -> None:
    """The redirect has a `Location` header."""
    client.emulator.add_fault("redirect", arg=arg)
    response = put_changes(client)
    assert (response.status_code, response.headers["Location"]) == (302, where)
    assert stored_description(client) != "changed"


@pytest.mark.parametrize(("name", "expected"), [("reset", "old"), ("reset-after", "changed")])
def test_reset_before_or_after_applying(
    make_client: Callable[..., EmulatorClient], name: str, expected: str
) -> None:
    """The client sees the same error whether the change was applied or not."""
    client = make_client(description="old")
    client.emulator.add_fault(name, times=1)
    with pytest.raises(httpx.ReadError):
        put_changes(client)
    assert stored_description(client) == expected
    assert client.request("GET", client.instance_path).status_code == 200


def test_truncated_fault_sends_half_the_body(client: EmulatorClient) -> None:
    """The body is shorter than Content-Length, and the change is applied."""
    client.emulator.add_fault("truncated", times=1)
    with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
        put_changes(client)
    assert stored_description(client) == "changed"


@pytest.mark.parametrize(
    ("name", "arg"), [("bad-json", None), ("empty", None), ("no-content", None), ("oversized", 3e5)]
)
def test_applied_change_may_have_an_invalid_body(
    client: EmulatorClient, name: str, arg: object
) -> None:
    """The body may be invalid JSON, empty, absent, or too large."""
    client.emulator.add_fault(name, arg=arg, times=1)
    response = put_changes(client)
    assert stored_description(client) == "changed"
    assert response.status_code == (204 if name == "no-content" else 200)
    if name in ("empty", "no-content"):
        assert response.content == b""
    elif name == "oversized":
        assert len(response.content) > 300_000
        assert response.json()["description"] == "changed"
    else:
        with pytest.raises(ValueError, match="Expecting"):
            response.json()


def test_applied_500_applies_the_change(client: EmulatorClient, status_and_code: ErrorOf) -> None:
    """The response is a 500 although the change is applied."""
    client.emulator.add_fault("applied-500", times=1)
    assert status_and_code(put_changes(client)) == (500, "0010")
    assert stored_description(client) == "changed"


@pytest.mark.parametrize(("name", "shown"), [("ignored", "old"), ("echoed", "changed")])
def test_change_may_be_confirmed_but_not_applied(
    make_client: Callable[..., EmulatorClient], name: str, shown: str
) -> None:
    """The response is 200 with the old or the new values, and the change is not applied."""
    client = make_client(description="old")
    before = client.auto_stop()
    client.emulator.add_fault(name, methods=["PUT"])
    response = put_changes(client)
    assert (response.status_code, response.json()["description"]) == (200, shown)
    assert stored_description(client) == "old"
    assert client.auto_stop() == before


def test_renewal_may_be_confirmed_but_not_applied(client: EmulatorClient) -> None:
    """The faults work in the `notebooks` API too."""
    before = client.lease()
    client.emulator.add_fault("echoed", methods=["PATCH"])
    response = client.request(
        "PATCH", client.notebook_path + "/lease", json={"duration": 7_200_000}
    ).json()
    assert response["duration"] != before["duration"]
    assert client.lease() == before


def test_invalid_change_is_refused_despite_a_fault(
    client: EmulatorClient, status_and_code: ErrorOf
) -> None:
    """A fault does not weaken the validation."""
    client.emulator.add_fault("echoed")
    assert status_and_code(
        client.request("PUT", client.instance_path, json={"description": "a/b"})
    ) == (
        400,
        "6334",
    )


def test_stale_fault_returns_the_previous_state(make_client: Callable[..., EmulatorClient]) -> None:
    """The next read returns the current state."""
    client = make_client(description="old")
    assert put_changes(client).json()["description"] == "changed"
    client.emulator.add_fault("stale", times=1, methods=["GET"])
    assert client.request("GET", client.instance_path).json()["description"] == "old"
    assert client.request("GET", client.instance_path).json()["description"] == "changed"


def test_stale_fault_without_a_write_returns_the_current_state(client: EmulatorClient) -> None:
    """A refused write does not count as a write."""
    client.request("PUT", client.instance_path, json={"description": "a/b"})
    client.emulator.add_fault("stale")
    assert client.request("GET", client.instance_path).json()["description"] == stored_description(
        client
    )


def test_wrong_types_fault_changes_json_types(client: EmulatorClient) -> None:
    """Several fields, or the named field, have another JSON type."""
    client.emulator.add_fault("wrong-types", times=1)
    shown = client.request("GET", client.instance_path).json()
    assert not isinstance(shown["status"], str)
    assert not isinstance(shown["spec"]["auto_stop"], dict)
    client.emulator.add_fault("wrong-types", arg="stop_timestamp", times=1)
    shown = client.request("GET", client.instance_path).json()
    assert isinstance(shown["status"], str)
    assert isinstance(shown["spec"]["auto_stop"]["stop_timestamp"], list)
    client.emulator.add_fault("wrong-types", arg="enable", times=1)
    assert client.lease()["enable"] == "True"


def test_stop_time_may_be_missing_or_contradictory(client: EmulatorClient) -> None:
    """The faults affect the fields that the countdown uses."""
    good = client.auto_stop()
    client.emulator.add_fault("no-stop-timestamp", times=1)
    assert client.auto_stop() == {key: good[key] for key in good if key != "stop_timestamp"}
    client.emulator.add_fault("no-remain-time", times=1)
    assert client.auto_stop() == {key: good[key] for key in good if key != "remain_time"}
    client.emulator.add_fault("disagreeing-remain", arg=-90, times=1)
    assert client.auto_stop() == {**good, "remain_time": good["remain_time"] - 90}
    client.emulator.add_fault("no-stop-timestamp", times=1)
    assert "create_at" not in client.lease()
    assert client.auto_stop() == good


def test_no_date_fault_omits_the_header(client: EmulatorClient) -> None:
    """Only one response has no `Date` header."""
    client.emulator.add_fault("no-date", times=1)
    assert "Date" not in client.request("GET", client.instance_path).headers
    assert "Date" in client.request("GET", client.instance_path).headers


@pytest.mark.parametrize(("name", "done"), [("delay", "changed"), ("late-apply", "old")])
def test_delay_after_or_before_applying(
    make_client: Callable[..., EmulatorClient], name: str, done: str
) -> None:
    """A client that times out cannot find out whether the change was applied."""
    client = make_client(description="old")
    client.emulator.add_fault(name, arg=60)
    with pytest.raises(httpx.ReadTimeout):
        client.request(
            "PUT", client.instance_path, json=CHANGE, timeout=httpx.Timeout(30, read=0.1)
        )
    # The server may read the request after the client has timed out.
    wait_until(lambda: client.emulator.requests)
    wait_until(lambda: stored_description(client) == done)
    assert (client.emulator.requests[0]["status"] is None) is (done == "old")


def test_delay_fault_delays_the_response(client: EmulatorClient) -> None:
    """The response arrives after the delay."""
    client.emulator.add_fault("delay", arg=0.1)
    begun = time.perf_counter()
    assert client.request("GET", client.instance_path).status_code == 200
    assert time.perf_counter() - begun >= 0.1


def test_drip_fault_sends_single_bytes(client: EmulatorClient) -> None:
    """The body is complete, and each read gets one byte."""
    client.emulator.add_fault("drip", arg=0, times=1)
    whole = client.request("GET", client.instance_path)
    assert len(whole.content) == int(whole.headers["Content-Length"])
    client.emulator.add_fault("drip", arg=60)
    with client.http.stream("GET", client.instance_path, headers=client.token) as response:
        assert next(response.iter_raw()) == whole.content[:1]


def test_stop_cancels_delayed_requests(client: EmulatorClient) -> None:
    """The server stops without waiting for the delay."""
    client.emulator.add_fault("delay", arg=60)
    with pytest.raises(httpx.ReadTimeout):
        client.request("GET", client.instance_path, timeout=httpx.Timeout(30, read=0.1))
    wait_until(lambda: client.emulator.requests)
    begun = time.perf_counter()
    client.emulator.stop()
    assert time.perf_counter() - begun < 30


def request_statuses(client: EmulatorClient, *requests: tuple[str, str]) -> list[int]:
    """Send requests and return their statuses."""
    return [client.request(method, path).status_code for method, path in requests]


def test_fault_counts_and_skips_requests(client: EmulatorClient) -> None:
    """The first request passes, two are affected, then the fault is used up."""
    client.emulator.add_fault("500", times=2, skip=1, methods=["get"])
    get, write = ("GET", client.instance_path), ("PUT", client.instance_path)
    assert request_statuses(client, get, write, get, write, get, get) == [
        200,
        400,
        500,
        400,
        500,
        200,
    ]


def test_fault_can_be_limited_to_paths(client: EmulatorClient) -> None:
    """Only requests to the lease are affected."""
    client.emulator.add_fault("403", path="/lease")
    assert request_statuses(
        client, ("GET", client.notebook_path), ("GET", client.notebook_path + "/lease")
    ) == [200, 403]


def test_first_of_two_error_faults_applies(client: EmulatorClient) -> None:
    """The second fault applies when the first is used up."""
    client.emulator.add_fault("429", times=1)
    client.emulator.add_fault("500", times=1)
    get = ("GET", client.instance_path)
    assert request_statuses(client, get, get, get) == [429, 500, 200]


def test_clear_faults_removes_all_faults(client: EmulatorClient) -> None:
    """After clearing, requests succeed."""
    client.emulator.add_fault("500")
    client.emulator.add_fault("delay", arg=60)
    client.emulator.clear_faults()
    assert client.request("GET", client.instance_path).status_code == 200


def test_refused_request_stays_refused_under_faults(
    client: EmulatorClient, status_and_code: ErrorOf
) -> None:
    """Faults that alter successful responses do not alter an error."""
    for name in ("bad-json", "empty", "no-content", "applied-500", "oversized", "ignored", "stale"):
        client.emulator.add_fault(name, times=1)
        assert status_and_code(client.request("GET", client.instances_path + "/unknown")) == (
            400,
            "6309",
        ), name


@pytest.mark.parametrize("name", sorted(FAULT_KINDS))
def test_every_fault_is_logged(client: EmulatorClient, name: str) -> None:
    """The server handles the next request after each fault."""
    small = {"delay": 0.01, "late-apply": 0.01, "drip": 0, "oversized": 1000}
    client.emulator.add_fault(name, arg=small.get(name), times=1)
    try:
        put_changes(client)
    except httpx.TransportError:
        assert name in ("reset", "reset-after", "truncated")
    assert client.emulator.requests[-1]["faults"] == [name]
    assert client.request("GET", client.instance_path).status_code == 200


@pytest.mark.parametrize("text", ["nonsense", "drip:slow", "delay:x", "html:x"])
def test_invalid_fault_raises(text: str) -> None:
    """It raises when it is created, not when it is applied."""
    with pytest.raises(ValueError, match=re.compile("unknown fault|float|int")):
        parse_fault(text)


def test_parse_fault_splits_name_and_argument() -> None:
    """The argument may contain a colon."""
    fault: Any = parse_fault("redirect:http://x.test/")
    assert (fault.name, fault.arg) == ("redirect", "http://x.test/")
    assert parse_fault("429").arg == ""
    assert make_fault("drip").arg == "0.5"
