"""What goes wrong on demand: each fault, and which requests it meets."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, Any, Callable

import httpx
import pytest

from modelarts_magics.emulator.faults import KINDS, make, parse

if TYPE_CHECKING:
    from conftest import Lab

    ErrorOf = Callable[[httpx.Response], tuple[int, str]]

CHANGE = {
    "description": "changed",
    "spec": {"auto_stop": {"enable": True, "duration": 7200, "prompt": False}},
}


def put(lab: Lab) -> httpx.Response:
    """Ask for a change of everything that can change."""
    return lab.ask("PUT", lab.dev, json=CHANGE)


def until(condition: Callable[[], object]) -> None:
    """Wait until something is so that the server does by itself."""
    pause = threading.Event()
    for _ in range(1500):
        if condition():
            return
        pause.wait(0.02)
    raise AssertionError("it did not come to pass")


def stored(lab: Lab) -> str:
    """Return the description that the cloud really holds."""
    return str(lab.emulator.state()["instances"][0]["description"])


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
    lab: Lab,
    error_of: ErrorOf,
    name: str,
    arg: object,
    expected: tuple[int, str],
    retry_after: str | None,
) -> None:
    """With its code, and nothing done."""
    lab.emulator.fault(name, arg=arg)
    answer = put(lab)
    assert error_of(answer) == expected
    assert answer.headers.get("Retry-After") == retry_after
    assert answer.headers["Date"] == "Mon, 23 Nov 2026 08:00:00 GMT"
    assert stored(lab) != "changed"


@pytest.mark.parametrize(("arg", "status"), [(None, 200), (502, 502)])
def test_an_html_page(lab: Lab, arg: object, status: int) -> None:
    """With a status that may be good."""
    lab.emulator.fault("html", arg=arg)
    answer = put(lab)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.text.startswith("<!DOCTYPE html>")
    assert stored(lab) != "changed"


@pytest.mark.parametrize(
    ("arg", "where"), [(None, "/elsewhere"), ("http://x.test/", "http://x.test/")]
)
def test_a_redirect(lab: Lab, arg: object, where: str) -> None:
    """With a place to go to."""
    lab.emulator.fault("redirect", arg=arg)
    answer = put(lab)
    assert (answer.status_code, answer.headers["Location"]) == (302, where)
    assert stored(lab) != "changed"


@pytest.mark.parametrize(("name", "expected"), [("reset", "old"), ("reset-after", "changed")])
def test_a_reset_before_or_after_it_was_done(
    make_lab: Callable[..., Lab], name: str, expected: str
) -> None:
    """The client sees the same in both cases; the cloud does not."""
    lab = make_lab(description="old")
    lab.emulator.fault(name, times=1)
    with pytest.raises(httpx.ReadError):
        put(lab)
    assert stored(lab) == expected
    assert lab.ask("GET", lab.dev).status_code == 200


def test_a_truncated_body(lab: Lab) -> None:
    """Less than Content-Length says; the change is done."""
    lab.emulator.fault("truncated", times=1)
    with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
        put(lab)
    assert stored(lab) == "changed"


@pytest.mark.parametrize(
    ("name", "arg"), [("bad-json", None), ("empty", None), ("no-content", None), ("oversized", 3e5)]
)
def test_an_odd_body_of_a_change_that_is_done(lab: Lab, name: str, arg: object) -> None:
    """Syntax, nothing, 204, or too much."""
    lab.emulator.fault(name, arg=arg, times=1)
    answer = put(lab)
    assert stored(lab) == "changed"
    assert answer.status_code == (204 if name == "no-content" else 200)
    if name in ("empty", "no-content"):
        assert answer.content == b""
    elif name == "oversized":
        assert len(answer.content) > 300_000
        assert answer.json()["description"] == "changed"
    else:
        with pytest.raises(ValueError, match="Expecting"):
            answer.json()


def test_a_change_that_is_done_and_denied(lab: Lab, error_of: ErrorOf) -> None:
    """500, and yet."""
    lab.emulator.fault("applied-500", times=1)
    assert error_of(put(lab)) == (500, "0010")
    assert stored(lab) == "changed"


@pytest.mark.parametrize(("name", "shown"), [("ignored", "old"), ("echoed", "changed")])
def test_a_change_that_is_confirmed_and_not_done(
    make_lab: Callable[..., Lab], name: str, shown: str
) -> None:
    """Openly, or with an answer that claims it."""
    lab = make_lab(description="old")
    before = lab.auto_stop()
    lab.emulator.fault(name, methods=["PUT"])
    answer = put(lab)
    assert (answer.status_code, answer.json()["description"]) == (200, shown)
    assert stored(lab) == "old"
    assert lab.auto_stop() == before


def test_an_ignored_renewal(lab: Lab) -> None:
    """The other API has it too."""
    before = lab.lease()
    lab.emulator.fault("echoed", methods=["PATCH"])
    answer = lab.ask("PATCH", lab.note + "/lease", json={"duration": 7_200_000}).json()
    assert answer["duration"] != before["duration"]
    assert lab.lease() == before


def test_an_illegal_change_is_refused_even_when_changes_are_ignored(
    lab: Lab, error_of: ErrorOf
) -> None:
    """A fault makes nothing softer."""
    lab.emulator.fault("echoed")
    assert error_of(lab.ask("PUT", lab.dev, json={"description": "a/b"})) == (400, "6334")


def test_a_stale_read(make_lab: Callable[..., Lab]) -> None:
    """Shows the instance before its last write, and the truth after that."""
    lab = make_lab(description="old")
    assert put(lab).json()["description"] == "changed"
    lab.emulator.fault("stale", times=1, methods=["GET"])
    assert lab.ask("GET", lab.dev).json()["description"] == "old"
    assert lab.ask("GET", lab.dev).json()["description"] == "changed"


def test_a_stale_read_without_a_write_is_the_truth(lab: Lab) -> None:
    """A refused write leaves nothing behind either."""
    lab.ask("PUT", lab.dev, json={"description": "a/b"})
    lab.emulator.fault("stale")
    assert lab.ask("GET", lab.dev).json()["description"] == stored(lab)


def test_wrong_types(lab: Lab) -> None:
    """Of several fields, or of the one that is named."""
    lab.emulator.fault("wrong-types", times=1)
    shown = lab.ask("GET", lab.dev).json()
    assert not isinstance(shown["status"], str)
    assert not isinstance(shown["spec"]["auto_stop"], dict)
    lab.emulator.fault("wrong-types", arg="stop_timestamp", times=1)
    shown = lab.ask("GET", lab.dev).json()
    assert isinstance(shown["status"], str)
    assert isinstance(shown["spec"]["auto_stop"]["stop_timestamp"], list)
    lab.emulator.fault("wrong-types", arg="enable", times=1)
    assert lab.lease()["enable"] == "True"


def test_the_end_may_be_missing_or_contradictory(lab: Lab) -> None:
    """The fields that a countdown is made of."""
    good = lab.auto_stop()
    lab.emulator.fault("no-stop-timestamp", times=1)
    assert lab.auto_stop() == {key: good[key] for key in good if key != "stop_timestamp"}
    lab.emulator.fault("no-remain-time", times=1)
    assert lab.auto_stop() == {key: good[key] for key in good if key != "remain_time"}
    lab.emulator.fault("disagreeing-remain", arg=-90, times=1)
    assert lab.auto_stop() == {**good, "remain_time": good["remain_time"] - 90}
    lab.emulator.fault("no-stop-timestamp", times=1)
    assert "create_at" not in lab.lease()
    assert lab.auto_stop() == good


def test_no_date(lab: Lab) -> None:
    """Then a client has no clock but its own."""
    lab.emulator.fault("no-date", times=1)
    assert "Date" not in lab.ask("GET", lab.dev).headers
    assert "Date" in lab.ask("GET", lab.dev).headers


@pytest.mark.parametrize(("name", "done"), [("delay", "changed"), ("late-apply", "old")])
def test_a_delay_after_or_before_it_is_done(
    make_lab: Callable[..., Lab], name: str, done: str
) -> None:
    """A client that gives up cannot tell which."""
    lab = make_lab(description="old")
    lab.emulator.fault(name, arg=60)
    with pytest.raises(httpx.ReadTimeout):
        lab.ask("PUT", lab.dev, json=CHANGE, timeout=httpx.Timeout(30, read=0.1))
    until(lambda: lab.emulator.requests)  # it may have been read later than the client could wait
    until(lambda: stored(lab) == done)
    assert (lab.emulator.requests[0]["status"] is None) is (done == "old")


def test_a_delay_really_delays(lab: Lab) -> None:
    """And then answers."""
    lab.emulator.fault("delay", arg=0.1)
    begun = time.perf_counter()
    assert lab.ask("GET", lab.dev).status_code == 200
    assert time.perf_counter() - begun >= 0.1


def test_a_drip_comes_byte_by_byte(lab: Lab) -> None:
    """No single read takes long; the whole does, and is whole."""
    lab.emulator.fault("drip", arg=0, times=1)
    whole = lab.ask("GET", lab.dev)
    assert len(whole.content) == int(whole.headers["Content-Length"])
    lab.emulator.fault("drip", arg=60)
    with lab.http.stream("GET", lab.dev, headers=lab.token) as answer:
        assert next(answer.iter_raw()) == whole.content[:1]


def test_a_stop_ends_requests_that_a_fault_holds(lab: Lab) -> None:
    """At once, not after the minute."""
    lab.emulator.fault("delay", arg=60)
    with pytest.raises(httpx.ReadTimeout):
        lab.ask("GET", lab.dev, timeout=httpx.Timeout(30, read=0.1))
    until(lambda: lab.emulator.requests)
    begun = time.perf_counter()
    lab.emulator.stop()
    assert time.perf_counter() - begun < 30


def statuses(lab: Lab, *requests: tuple[str, str]) -> list[int]:
    """Send requests and return what came back."""
    return [lab.ask(method, path).status_code for method, path in requests]


def test_a_fault_counts_and_skips_the_requests_it_meets(lab: Lab) -> None:
    """The first passes, two are hit, then it is gone."""
    lab.emulator.fault("500", times=2, skip=1, methods=["get"])
    get, put_ = ("GET", lab.dev), ("PUT", lab.dev)
    assert statuses(lab, get, put_, get, put_, get, get) == [200, 400, 500, 400, 500, 200]


def test_a_fault_may_meet_some_paths_only(lab: Lab) -> None:
    """The lease and not the notebook."""
    lab.emulator.fault("403", path="/lease")
    assert statuses(lab, ("GET", lab.note), ("GET", lab.note + "/lease")) == [200, 403]


def test_of_two_answers_the_first_counts(lab: Lab) -> None:
    """The second waits for its turn."""
    lab.emulator.fault("429", times=1)
    lab.emulator.fault("500", times=1)
    get = ("GET", lab.dev)
    assert statuses(lab, get, get, get) == [429, 500, 200]


def test_clearing_ends_them_all(lab: Lab) -> None:
    """The cloud is well again."""
    lab.emulator.fault("500")
    lab.emulator.fault("delay", arg=60)
    lab.emulator.clear_faults()
    assert lab.ask("GET", lab.dev).status_code == 200


def test_a_refusal_stays_a_refusal_under_every_fault_that_does_it(
    lab: Lab, error_of: ErrorOf
) -> None:
    """An unknown instance is not found, whatever happens to good answers."""
    for name in ("bad-json", "empty", "no-content", "applied-500", "oversized", "ignored", "stale"):
        lab.emulator.fault(name, times=1)
        assert error_of(lab.ask("GET", lab.dev_list + "/unknown")) == (400, "6309"), name


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_fault_is_logged_and_leaves_the_server_alive(lab: Lab, name: str) -> None:
    """Whatever the client makes of it, the next request is answered."""
    small = {"delay": 0.01, "late-apply": 0.01, "drip": 0, "oversized": 1000}
    lab.emulator.fault(name, arg=small.get(name), times=1)
    try:
        put(lab)
    except httpx.TransportError:
        assert name in ("reset", "reset-after", "truncated")
    assert lab.emulator.requests[-1]["faults"] == [name]
    assert lab.ask("GET", lab.dev).status_code == 200


@pytest.mark.parametrize("text", ["nonsense", "drip:slow", "delay:x", "html:x"])
def test_an_unknown_fault_or_argument_is_an_error(text: str) -> None:
    """When it is set, not when it should act."""
    with pytest.raises(ValueError, match=re.compile("no fault|float|int")):
        parse(text)


def test_the_command_lines_form_has_an_argument() -> None:
    """`NAME[:ARG]`; a colon may be in it."""
    fault: Any = parse("redirect:http://x.test/")
    assert (fault.name, fault.arg) == ("redirect", "http://x.test/")
    assert parse("429").arg == ""
    assert make("drip").arg == "0.5"
