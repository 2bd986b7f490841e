"""What goes wrong on demand: each fault, and which requests it meets."""

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


def put(client: EmulatorClient) -> httpx.Response:
    """Ask for a change of everything that can change."""
    return client.request("PUT", client.instance_path, json=CHANGE)


def until(condition: Callable[[], object]) -> None:
    """Wait until something is so that the server does by itself."""
    pause = threading.Event()
    for _ in range(1500):
        if condition():
            return
        pause.wait(0.02)
    raise AssertionError("it did not come to pass")


def stored(client: EmulatorClient) -> str:
    """Return the description that the cloud really holds."""
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
def test_a_refusal_instead_of_the_answer(  # noqa: PLR0913 - columns of the table
    client: EmulatorClient,
    status_and_code: ErrorOf,
    name: str,
    arg: object,
    expected: tuple[int, str],
    retry_after: str | None,
) -> None:
    """With its code, and nothing done."""
    client.emulator.add_fault(name, arg=arg)
    answer = put(client)
    assert status_and_code(answer) == expected
    assert answer.headers.get("Retry-After") == retry_after
    assert answer.headers["Date"] == "Mon, 23 Nov 2026 08:00:00 GMT"
    assert stored(client) != "changed"


@pytest.mark.parametrize(("arg", "status"), [(None, 200), (502, 502)])
def test_an_html_page(client: EmulatorClient, arg: object, status: int) -> None:
    """With a status that may be good."""
    client.emulator.add_fault("html", arg=arg)
    answer = put(client)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.text.startswith("<!DOCTYPE html>")
    assert stored(client) != "changed"


@pytest.mark.parametrize(
    ("arg", "where"), [(None, "/elsewhere"), ("http://x.test/", "http://x.test/")]
)
def test_a_redirect(client: EmulatorClient, arg: object, where: str) -> None:
    """With a place to go to."""
    client.emulator.add_fault("redirect", arg=arg)
    answer = put(client)
    assert (answer.status_code, answer.headers["Location"]) == (302, where)
    assert stored(client) != "changed"


@pytest.mark.parametrize(("name", "expected"), [("reset", "old"), ("reset-after", "changed")])
def test_a_reset_before_or_after_it_was_done(
    make_client: Callable[..., EmulatorClient], name: str, expected: str
) -> None:
    """The client sees the same in both cases; the cloud does not."""
    client = make_client(description="old")
    client.emulator.add_fault(name, times=1)
    with pytest.raises(httpx.ReadError):
        put(client)
    assert stored(client) == expected
    assert client.request("GET", client.instance_path).status_code == 200


def test_a_truncated_body(client: EmulatorClient) -> None:
    """Less than Content-Length says; the change is done."""
    client.emulator.add_fault("truncated", times=1)
    with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
        put(client)
    assert stored(client) == "changed"


@pytest.mark.parametrize(
    ("name", "arg"), [("bad-json", None), ("empty", None), ("no-content", None), ("oversized", 3e5)]
)
def test_an_odd_body_of_a_change_that_is_done(
    client: EmulatorClient, name: str, arg: object
) -> None:
    """Syntax, nothing, 204, or too much."""
    client.emulator.add_fault(name, arg=arg, times=1)
    answer = put(client)
    assert stored(client) == "changed"
    assert answer.status_code == (204 if name == "no-content" else 200)
    if name in ("empty", "no-content"):
        assert answer.content == b""
    elif name == "oversized":
        assert len(answer.content) > 300_000
        assert answer.json()["description"] == "changed"
    else:
        with pytest.raises(ValueError, match="Expecting"):
            answer.json()


def test_a_change_that_is_done_and_denied(client: EmulatorClient, status_and_code: ErrorOf) -> None:
    """500, and yet."""
    client.emulator.add_fault("applied-500", times=1)
    assert status_and_code(put(client)) == (500, "0010")
    assert stored(client) == "changed"


@pytest.mark.parametrize(("name", "shown"), [("ignored", "old"), ("echoed", "changed")])
def test_a_change_that_is_confirmed_and_not_done(
    make_client: Callable[..., EmulatorClient], name: str, shown: str
) -> None:
    """Openly, or with an answer that claims it."""
    client = make_client(description="old")
    before = client.auto_stop()
    client.emulator.add_fault(name, methods=["PUT"])
    answer = put(client)
    assert (answer.status_code, answer.json()["description"]) == (200, shown)
    assert stored(client) == "old"
    assert client.auto_stop() == before


def test_an_ignored_renewal(client: EmulatorClient) -> None:
    """The other API has it too."""
    before = client.lease()
    client.emulator.add_fault("echoed", methods=["PATCH"])
    answer = client.request(
        "PATCH", client.notebook_path + "/lease", json={"duration": 7_200_000}
    ).json()
    assert answer["duration"] != before["duration"]
    assert client.lease() == before


def test_an_illegal_change_is_refused_even_when_changes_are_ignored(
    client: EmulatorClient, status_and_code: ErrorOf
) -> None:
    """A fault makes nothing softer."""
    client.emulator.add_fault("echoed")
    assert status_and_code(
        client.request("PUT", client.instance_path, json={"description": "a/b"})
    ) == (
        400,
        "6334",
    )


def test_a_stale_read(make_client: Callable[..., EmulatorClient]) -> None:
    """Shows the instance before its last write, and the truth after that."""
    client = make_client(description="old")
    assert put(client).json()["description"] == "changed"
    client.emulator.add_fault("stale", times=1, methods=["GET"])
    assert client.request("GET", client.instance_path).json()["description"] == "old"
    assert client.request("GET", client.instance_path).json()["description"] == "changed"


def test_a_stale_read_without_a_write_is_the_truth(client: EmulatorClient) -> None:
    """A refused write leaves nothing behind either."""
    client.request("PUT", client.instance_path, json={"description": "a/b"})
    client.emulator.add_fault("stale")
    assert client.request("GET", client.instance_path).json()["description"] == stored(client)


def test_wrong_types(client: EmulatorClient) -> None:
    """Of several fields, or of the one that is named."""
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


def test_the_end_may_be_missing_or_contradictory(client: EmulatorClient) -> None:
    """The fields that a countdown is made of."""
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


def test_no_date(client: EmulatorClient) -> None:
    """Then a client has no clock but its own."""
    client.emulator.add_fault("no-date", times=1)
    assert "Date" not in client.request("GET", client.instance_path).headers
    assert "Date" in client.request("GET", client.instance_path).headers


@pytest.mark.parametrize(("name", "done"), [("delay", "changed"), ("late-apply", "old")])
def test_a_delay_after_or_before_it_is_done(
    make_client: Callable[..., EmulatorClient], name: str, done: str
) -> None:
    """A client that gives up cannot tell which."""
    client = make_client(description="old")
    client.emulator.add_fault(name, arg=60)
    with pytest.raises(httpx.ReadTimeout):
        client.request(
            "PUT", client.instance_path, json=CHANGE, timeout=httpx.Timeout(30, read=0.1)
        )
    until(
        lambda: client.emulator.requests
    )  # it may have been read later than the client could wait
    until(lambda: stored(client) == done)
    assert (client.emulator.requests[0]["status"] is None) is (done == "old")


def test_a_delay_really_delays(client: EmulatorClient) -> None:
    """And then answers."""
    client.emulator.add_fault("delay", arg=0.1)
    begun = time.perf_counter()
    assert client.request("GET", client.instance_path).status_code == 200
    assert time.perf_counter() - begun >= 0.1


def test_a_drip_comes_byte_by_byte(client: EmulatorClient) -> None:
    """No single read takes long; the whole does, and is whole."""
    client.emulator.add_fault("drip", arg=0, times=1)
    whole = client.request("GET", client.instance_path)
    assert len(whole.content) == int(whole.headers["Content-Length"])
    client.emulator.add_fault("drip", arg=60)
    with client.http.stream("GET", client.instance_path, headers=client.token) as answer:
        assert next(answer.iter_raw()) == whole.content[:1]


def test_a_stop_ends_requests_that_a_fault_holds(client: EmulatorClient) -> None:
    """At once, not after the minute."""
    client.emulator.add_fault("delay", arg=60)
    with pytest.raises(httpx.ReadTimeout):
        client.request("GET", client.instance_path, timeout=httpx.Timeout(30, read=0.1))
    until(lambda: client.emulator.requests)
    begun = time.perf_counter()
    client.emulator.stop()
    assert time.perf_counter() - begun < 30


def statuses(client: EmulatorClient, *requests: tuple[str, str]) -> list[int]:
    """Send requests and return what came back."""
    return [client.request(method, path).status_code for method, path in requests]


def test_a_fault_counts_and_skips_the_requests_it_meets(client: EmulatorClient) -> None:
    """The first passes, two are hit, then it is gone."""
    client.emulator.add_fault("500", times=2, skip=1, methods=["get"])
    get, put_ = ("GET", client.instance_path), ("PUT", client.instance_path)
    assert statuses(client, get, put_, get, put_, get, get) == [200, 400, 500, 400, 500, 200]


def test_a_fault_may_meet_some_paths_only(client: EmulatorClient) -> None:
    """The lease and not the notebook."""
    client.emulator.add_fault("403", path="/lease")
    assert statuses(
        client, ("GET", client.notebook_path), ("GET", client.notebook_path + "/lease")
    ) == [200, 403]


def test_of_two_answers_the_first_counts(client: EmulatorClient) -> None:
    """The second waits for its turn."""
    client.emulator.add_fault("429", times=1)
    client.emulator.add_fault("500", times=1)
    get = ("GET", client.instance_path)
    assert statuses(client, get, get, get) == [429, 500, 200]


def test_clearing_ends_them_all(client: EmulatorClient) -> None:
    """The cloud is well again."""
    client.emulator.add_fault("500")
    client.emulator.add_fault("delay", arg=60)
    client.emulator.clear_faults()
    assert client.request("GET", client.instance_path).status_code == 200


def test_a_refusal_stays_a_refusal_under_every_fault_that_does_it(
    client: EmulatorClient, status_and_code: ErrorOf
) -> None:
    """An unknown instance is not found, whatever happens to good answers."""
    for name in ("bad-json", "empty", "no-content", "applied-500", "oversized", "ignored", "stale"):
        client.emulator.add_fault(name, times=1)
        assert status_and_code(client.request("GET", client.instances_path + "/unknown")) == (
            400,
            "6309",
        ), name


@pytest.mark.parametrize("name", sorted(FAULT_KINDS))
def test_every_fault_is_logged_and_leaves_the_server_alive(
    client: EmulatorClient, name: str
) -> None:
    """Whatever the client makes of it, the next request is answered."""
    small = {"delay": 0.01, "late-apply": 0.01, "drip": 0, "oversized": 1000}
    client.emulator.add_fault(name, arg=small.get(name), times=1)
    try:
        put(client)
    except httpx.TransportError:
        assert name in ("reset", "reset-after", "truncated")
    assert client.emulator.requests[-1]["faults"] == [name]
    assert client.request("GET", client.instance_path).status_code == 200


@pytest.mark.parametrize("text", ["nonsense", "drip:slow", "delay:x", "html:x"])
def test_an_unknown_fault_or_argument_is_an_error(text: str) -> None:
    """When it is set, not when it should act."""
    with pytest.raises(ValueError, match=re.compile("no fault|float|int")):
        parse_fault(text)


def test_the_command_lines_form_has_an_argument() -> None:
    """`NAME[:ARG]`; a colon may be in it."""
    fault: Any = parse_fault("redirect:http://x.test/")
    assert (fault.name, fault.arg) == ("redirect", "http://x.test/")
    assert parse_fault("429").arg == ""
    assert make_fault("drip").arg == "0.5"
