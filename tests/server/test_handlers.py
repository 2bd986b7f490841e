"""Requests of a page and their responses."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

import pytest
from api_versions import ApiVersion

from modelarts_magics.domain.planning import AutoStopRequest
from modelarts_magics.keepalive.marks.mark import COMMAND, Mark
from modelarts_magics.keepalive.marks.result import FAILED, Result, record

if TYPE_CHECKING:
    from conftest import SendRequest

    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.server.service import InstanceService
    from modelarts_magics.session.session import Session

HOUR = timedelta(hours=1)
REFRESH = {"refresh": "1"}
SECOND_MS = 1000
HAN = re.compile("[\u4e00-\u9fff]")


def changes(emulator: LocalEmulator) -> list[dict[str, Any]]:
    """Return the write requests that the API received."""
    return [one for one in emulator.requests if one["method"] != "GET"]


def as_base(instance: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an instance that a page sends as the base of an edit."""
    names = ("enabled", "mode", "duration_s", "prompt", "stops_at_ms")
    auto_stop = {name: instance[name] for name in names}
    return {"description": instance["description"], "auto_stop": auto_stop}


async def test_page_gets_everything_it_shows(
    send_request: SendRequest, emulator: LocalEmulator, instance_state: Callable[[], dict[str, Any]]
) -> None:
    """The first page of a server waits for the first response."""
    got = await send_request("instance")
    assert got.status == 200
    assert got.body["problem"] is None
    assert got.body["read_only"] is False
    assert got.body["instance"]["id"] == emulator.instance_id
    assert got.body["instance"]["description"] == instance_state()["description"]
    assert got.body["instance"]["demo"] is True
    end_ms = instance_state()["stops_at"].timestamp() * 1000
    assert abs(got.body["instance"]["stops_at_ms"] - end_ms) < SECOND_MS
    assert got.body["instance"]["can_change"] is True
    assert abs(got.body["server_now_ms"] - got.body["as_of_ms"]) < 20 * SECOND_MS
    assert got.body["capabilities"]["api"] == got.body["instance"]["api"]
    assert got.headers["Cache-Control"] == "no-store"


def without_moving_bounds(instance: dict[str, Any]) -> dict[str, Any]:
    """Return an instance without its bounds if they count from now, and so move with each reading."""
    return {**instance, "bounds": None} if instance["bounds"]["from_now"] else instance


async def test_extend_returns_the_new_stop_time(send_request: SendRequest) -> None:
    """The response has the current state, so the page need not read again."""
    seen = (await send_request("instance")).body["instance"]["stops_at_ms"]
    got = await send_request("extend", "POST", {"seconds": 3600, "base_stops_at_ms": seen})
    assert got.status == 200
    assert (got.body["ok"], got.body["effect"]) == (True, "now")
    now = got.body["current"]
    moved = now["instance"]["stops_at_ms"] - seen
    # A lease counts from the time of the request.
    late_ms = 30 * SECOND_MS
    assert abs(moved - 3600 * SECOND_MS) < late_ms
    after = (await send_request("instance")).body
    assert after["instance"]["stops_at_ms"] == now["instance"]["stops_at_ms"]
    assert without_moving_bounds(after["instance"]) == without_moving_bounds(now["instance"])
    assert after["seq"] == now["seq"]


async def test_negative_extension_shortens_the_run(
    send_request: SendRequest, other_session: Session
) -> None:
    """The stop time moves by the given number of seconds."""
    other_session.set_auto_stop(AutoStopRequest(duration=3 * HOUR))
    before = (await send_request("instance", params=REFRESH)).body["instance"]["duration_s"]
    end = other_session.refresh().auto_stop.stops_at
    got = await send_request("extend", "POST", {"seconds": -1800})
    assert got.status == 200
    after = other_session.refresh().auto_stop.stops_at
    assert before is None or got.body["values"]["duration_s"] == before - 1800
    assert end is not None
    assert after is not None
    assert abs(end - after - HOUR / 2) < timedelta(seconds=30)


async def test_extend_works_after_the_stop_time(
    send_request: SendRequest, emulator: LocalEmulator
) -> None:
    """The page sends the stop time that has passed; the extension counts from now."""
    emulator.set_instance(stops_on_time=False)
    emulator.set_instance(minutes_left=-2)
    shown = (await send_request("instance", params=REFRESH)).body["instance"]
    assert (shown["stops_at_ms"], shown["unknown_reason"]) == (None, "stop-time-passed")
    base = {"base_stops_at_ms": shown["passed_stop_ms"]}
    got = await send_request("extend", "POST", {"seconds": 3600, **base})
    assert (got.status, got.body["effect"]) == (200, "now")
    left_ms = got.body["current"]["instance"]["stops_at_ms"] - got.body["current"]["server_now_ms"]
    assert abs(left_ms - 3600 * SECOND_MS) < 30 * SECOND_MS
    assert got.body["current"]["instance"]["passed_stop_ms"] is None


@pytest.mark.parametrize("api_version", [ApiVersion("demanager", "2021")], ids=["2021"])
async def test_lengthening_later_runs_needs_consent(
    send_request: SendRequest, emulator: LocalEmulator
) -> None:
    """The page asks, and repeats the request with the answer."""
    first = await send_request("extend", "POST", {"seconds": 3600})
    assert (first.body["effect"], first.body["values"]["keeps_running"]) == ("next-start", "off")
    got = await send_request("extend", "POST", {"seconds": 3600})
    assert (got.status, got.body["code"]) == (422, "refuse.lengthens_later_runs")
    assert got.body["answer"]["code"] == "lengthens-later-runs"
    assert got.body["answer"]["values"] == {"duration_s": 10800, "previous_duration_s": 7200}
    assert "%modelarts" not in got.body["hint"]
    assert len(changes(emulator)) == 1
    agreed = {"seconds": 3600, "lengthen_later_runs": True}
    assert (await send_request("extend", "POST", agreed)).body["effect"] == "next-start"


async def test_extend_refuses_a_changed_stop_time(
    send_request: SendRequest, emulator: LocalEmulator
) -> None:
    """The response is 409 with the current state; nothing is sent."""
    seen = (await send_request("instance")).body["instance"]["stops_at_ms"]
    got = await send_request(
        "extend", "POST", {"seconds": 3600, "base_stops_at_ms": seen - 600 * SECOND_MS}
    )
    assert (got.status, got.body["code"]) == (409, "refuse.stop_time_changed")
    assert got.body["answer"]["code"] == "changed"
    assert got.body["current"]["instance"]["stops_at_ms"] == seen
    assert changes(emulator) == []


async def test_description_changes_without_auto_stop(
    send_request: SendRequest, emulator: LocalEmulator
) -> None:
    """The console's reminder setting stays, too."""
    before = (await send_request("instance")).body
    # The current API changes the description of a stopped instance only.
    emulator.set_instance(status="STOPPED")
    text = "新的 description ☕"
    base = {"description": before["instance"]["description"]}
    got = await send_request("instance", "PATCH", {"description": text, "base": base})
    assert (got.status, got.body["effect"]) == (200, "now")
    after = (await send_request("instance")).body["instance"]
    assert after["description"] == text
    assert after["prompt"] == before["instance"]["prompt"]


@pytest.mark.parametrize("field", ["duration_s", "within_s", "until_ms"])
async def test_auto_stop_accepts_three_kinds_of_time(field: str, send_request: SendRequest) -> None:
    """A run time, a time from now or a stop time; the description stays."""
    before = (await send_request("instance")).body
    value = {
        "duration_s": 7200,
        "within_s": 7200,
        "until_ms": before["server_now_ms"] + 7200 * SECOND_MS,
    }[field]
    got = await send_request("instance", "PATCH", {"auto_stop": {"enabled": True, field: value}})
    assert (got.status, got.body["effect"]) == (200, "now")
    after = (await send_request("instance")).body["instance"]
    assert after["description"] == before["instance"]["description"]
    assert after["stops_at_ms"] > before["instance"]["stops_at_ms"]


async def test_response_can_be_the_base_of_the_next_change(
    send_request: SendRequest,
) -> None:
    """A second click need not wait for another reading."""
    instance = (await send_request("instance")).body["instance"]
    for hours in (3, 5, 4):
        body = {
            "auto_stop": {"enabled": True, "within_s": 3600 * hours},
            "base": as_base(instance),
        }
        got = await send_request("instance", "PATCH", body)
        assert got.status == 200
        instance = got.body["current"]["instance"]


async def test_edit_of_an_outdated_state_is_refused(
    send_request: SendRequest, other_session: Session, emulator: LocalEmulator
) -> None:
    """The response is 409 with the changed parts and the current state; nothing is sent."""
    before = (await send_request("instance")).body["instance"]
    other_session.set_auto_stop(AutoStopRequest(time_left=3 * HOUR))
    emulator.clear_requests()
    base = as_base(before)
    got = await send_request("instance", "PATCH", {"auto_stop": {"within_s": 7200}, "base": base})
    assert (got.status, got.body["code"]) == (409, "refuse.edit_conflict")
    assert got.body["changed"] == ["auto_stop"]
    assert got.body["current"]["instance"]["stops_at_ms"] != before["stops_at_ms"]
    assert changes(emulator) == []
    again = {"auto_stop": {"within_s": 7200}, "base": as_base(got.body["current"]["instance"])}
    assert (await send_request("instance", "PATCH", again)).status == 200


BAD: list[tuple[str, str, object, str]] = [
    ("instance", "PATCH", "no json", ""),
    ("instance", "PATCH", "[1]", ""),
    ("instance", "PATCH", b"\xff\xfe{", ""),
    ("instance", "PATCH", b"[" * 100_000, ""),
    ("instance", "PATCH", {}, "description"),
    ("instance", "PATCH", {"description": None}, "description"),
    ("instance", "PATCH", {"description": "a/b"}, "description"),
    ("instance", "PATCH", {"description": "x" * 513}, "description"),
    ("instance", "PATCH", {"token": "x"}, "token"),
    ("instance", "PATCH", {"auto_stop": 5}, "auto_stop"),
    ("instance", "PATCH", {"auto_stop": {}}, "auto_stop.enabled"),
    ("instance", "PATCH", {"auto_stop": {"enabled": 1}}, "auto_stop.enabled"),
    ("instance", "PATCH", {"auto_stop": {"duration_s": True}}, "auto_stop.duration_s"),
    ("instance", "PATCH", {"auto_stop": {"duration_s": 60.5}}, "auto_stop.duration_s"),
    ("instance", "PATCH", {"auto_stop": {"duration_s": 60}}, "auto_stop.duration_s"),
    ("instance", "PATCH", {"auto_stop": {"within_s": -1}}, "auto_stop.within_s"),
    ("instance", "PATCH", {"auto_stop": {"until_ms": 1e30}}, "auto_stop.until_ms"),
    ("instance", "PATCH", {"auto_stop": {"mode": "LAZY"}}, "auto_stop.mode"),
    (
        "instance",
        "PATCH",
        {"auto_stop": {"within_s": 7200, "duration_s": 7200}},
        "auto_stop.within_s",
    ),
    ("instance", "PATCH", {"description": "x", "base": {"name": "x"}}, "base.name"),
    ("extend", "POST", {}, "seconds"),
    ("extend", "POST", {"seconds": 0}, "seconds"),
    ("extend", "POST", {"seconds": "1h"}, "seconds"),
    ("extend", "POST", {"seconds": 10**12}, "seconds"),
    ("extend", "POST", {"seconds": 60, "base_stops_at_ms": "now"}, "base_stops_at_ms"),
    ("extend", "POST", {"seconds": 60, "lengthen_later_runs": 1}, "lengthen_later_runs"),
    ("saved", "POST", {"saved": []}, "stops_at_ms"),
    ("saved", "POST", {"stops_at_ms": 1, "saved": "a.ipynb"}, "saved"),
    ("saved", "POST", {"stops_at_ms": 1, "saved": [1]}, "saved.0"),
    ("saved", "POST", {"stops_at_ms": 1, "saved": ["x"] * 1001}, "saved"),
    ("saved", "POST", {"stops_at_ms": 1, "not_saved": ["b.py"]}, "not_saved.0"),
    ("saved", "POST", {"stops_at_ms": 1, "not_saved": [{"path": "b.py"}]}, "not_saved.0.reason"),
    ("saved", "POST", {"stops_at_ms": 1, "tab": 1}, "tab"),
    ("saved", "POST", {"stops_at_ms": 1, "tab": "x" * 65}, "tab"),
    ("remind", "POST", {"muted": "yes"}, "muted"),
    ("remind", "POST", {}, "muted"),
]


@pytest.mark.parametrize(("route", "verb", "body", "field"), BAD, ids=lambda value: str(value)[:40])
async def test_invalid_request_names_the_field(  # noqa: PLR0913 - four parameters and two fixtures
    route: str, verb: str, body: Any, field: str, send_request: SendRequest, emulator: LocalEmulator
) -> None:
    """The response is 400 with field, message and hint; nothing is written."""
    got = await send_request(route, verb, body)
    assert (got.status, got.body["field"]) == (400, field)
    assert got.body["message"]
    assert got.body["hint"]
    assert changes(emulator) == []


async def test_change_that_the_state_forbids_gets_422(
    send_request: SendRequest, emulator: LocalEmulator
) -> None:
    """The response has the code and a result for a countdown."""
    emulator.set_instance(status="STOPPED")
    got = await send_request("extend", "POST", {"seconds": 3600})
    assert got.status == 422
    assert got.body["code"] in ("refuse.not_running", "refuse.lease_not_running")
    assert got.body["answer"]["ok"] is False
    assert changes(emulator) == []


@pytest.mark.parametrize(
    ("fault", "status"),
    [("401", 502), ("403", 502), ("429", 503), ("500", 502), ("html", 502), ("reset", 503)],
)
async def test_api_failure_differs_from_a_refusal_by_jupyter(
    fault: str, status: int, send_request: SendRequest, emulator: LocalEmulator
) -> None:
    """The status is never 401 or 403; the response has code, hint and request id."""
    await send_request("instance")
    emulator.add_fault(fault, methods=("GET",))
    got = await send_request("extend", "POST", {"seconds": 3600})
    assert got.status == status
    assert got.body["hint"]
    assert got.body["answer"]["text"].startswith(got.body["message"])
    assert isinstance(got.body["request_id"], str)


@pytest.mark.parametrize(("fault", "says"), [("401", True), ("403", False)])
async def test_refused_credentials_get_a_hint_for_the_server(
    fault: str, says: object, send_request: SendRequest, emulator: LocalEmulator
) -> None:
    """A missing permission has another hint."""
    await send_request("instance")
    emulator.add_fault(fault, methods=("GET",))
    shown = (await send_request("instance", params=REFRESH)).body["problem"]
    assert ("does not apply" in shown["hint"]) is says
    assert ("login --save" in shown["hint"]) is says
    assert shown["answer"]["text"].endswith(shown["hint"])


async def test_hint_for_a_page_names_no_command_option(send_request: SendRequest) -> None:
    """A page cannot use it."""
    got = await send_request("instance", "PATCH", {"description": "a/b"})
    assert got.body["hint"] == "Allowed instead: a\uff0fb"
    assert "--" not in got.body["answer"]["text"]


async def test_page_keeps_the_state_while_the_api_is_down(
    send_request: SendRequest, emulator: LocalEmulator
) -> None:
    """The response has the problem beside the state; a refresh clears it."""
    known = (await send_request("instance")).body
    emulator.stop()
    down = (await send_request("instance", params=REFRESH)).body
    assert without_moving_bounds(down["instance"]) == without_moving_bounds(known["instance"])
    assert down["as_of_ms"] == known["as_of_ms"]
    assert down["problem"]["code"].startswith("unreachable.")
    assert down["problem"]["hint"]
    assert down["read_only"] is False
    assert down["seq"] == known["seq"] + 1
    got = await send_request("extend", "POST", {"seconds": 3600})
    assert (got.status, got.headers["Retry-After"]) == (503, "60")
    emulator.start()
    up = (await send_request("instance", params=REFRESH)).body
    assert up["problem"] is None
    assert up["seq"] == down["seq"] + 1


async def test_capabilities_are_those_of_the_api(
    send_request: SendRequest, other_session: Session
) -> None:
    """They include the rules for a description."""
    capabilities = (await send_request("instance")).body["capabilities"]
    expected = other_session.capabilities
    assert capabilities["api"] == expected.api
    assert capabilities["supports_reminder"] == expected.supports_reminder
    assert capabilities["can_disable"] == expected.can_disable
    assert capabilities["max_duration_s"] == expected.max_duration.total_seconds()
    assert capabilities["description_forbidden"] == "&<>\"'/"


async def test_doctor_checks_the_server(
    send_request: SendRequest, service: InstanceService, emulator: LocalEmulator
) -> None:
    """The findings describe the server's environment."""
    got = await send_request("doctor")
    assert got.status == 200
    assert {each["level"] for each in got.body["findings"]} <= {"ok", "info", "problem"}
    before = got.body["problems"]
    emulator.add_fault("403", methods=("GET",))
    service._doctor_reports.clear()
    assert (await send_request("doctor")).body["problems"] == before + 1


async def test_doctor_calls_the_api_at_most_every_few_seconds(
    send_request: SendRequest, emulator: LocalEmulator
) -> None:
    """Requests in a row get the same report."""
    await send_request("instance")
    emulator.clear_requests()
    reports = [(await send_request("doctor")).body for _ in range(5)]
    assert all(each == reports[0] for each in reports)
    assert len(emulator.requests) == 1


async def test_reminders_can_be_muted(send_request: SendRequest, other_session: Session) -> None:
    """The API keeps the setting if it can, else a file that survives the server."""
    assert (await send_request("instance")).body["reminders"] == {"muted": False}
    off = await send_request("remind", "POST", {"muted": True})
    assert (off.status, off.body["current"]["reminders"]) == (200, {"muted": True})
    assert (await send_request("instance", params=REFRESH)).body["reminders"] == {"muted": True}
    if other_session.capabilities.supports_reminder:
        assert other_session.refresh().auto_stop.prompt is False
    on = await send_request("remind", "POST", {"muted": False})
    assert (on.body["effect"], on.body["current"]["reminders"]) == ("now", {"muted": False})


async def test_expected_errors_are_logged_by_code(
    send_request: SendRequest, caplog: pytest.LogCaptureFixture
) -> None:
    """Invalid requests and conflicts are no errors of this package."""
    await send_request("extend", "POST", {"seconds": 0})
    await send_request("extend", "POST", {"seconds": 60, "base_stops_at_ms": 1})
    for code in ("duration.not_positive", "refuse.stop_time_changed"):
        assert f"modelarts-magics: POST: {code}\n" in caplog.text
    assert "Traceback" not in caplog.text


async def test_unexpected_error_is_logged_with_traceback(
    send_request: SendRequest, service: InstanceService, caplog: pytest.LogCaptureFixture
) -> None:
    """The page receives only that an internal error occurred."""
    del service._run_store
    got = await send_request("saved", "DELETE")
    assert (got.status, got.body["code"], got.body["field"]) == (500, "server.internal_error", "")
    assert "a bug in modelarts-magics" in got.body["message"]
    assert "_kept" not in json.dumps(got.body)
    assert "Traceback" in caplog.text


async def test_errors_contain_their_values(send_request: SendRequest) -> None:
    """Times are in ms and durations in s, so that a page can format them."""
    got = await send_request("instance", "PATCH", {"auto_stop": {"duration_s": 60}})
    assert got.body["code"] == "duration.out_of_range"
    assert got.body["values"]["duration"] == 60
    assert got.body["values"]["shortest"] == 3600
    assert json.dumps(got.body)


async def test_messages_are_in_the_language_of_the_page(send_request: SendRequest) -> None:
    """Simultaneous requests may have different languages."""
    tags = ("zh-CN,zh;q=0.9,en;q=0.8", "en-GB,zh;q=0.5")
    doctors = await asyncio.gather(
        *(send_request("doctor", headers={"Accept-Language": tag}) for tag in tags)
    )
    assert [bool(HAN.search(json.dumps(one.body, ensure_ascii=False))) for one in doctors] == [
        True,
        False,
    ]
    refused = await send_request(
        "extend", "POST", {"seconds": 0}, headers={"Accept-Language": "zh-CN"}
    )
    assert HAN.search(refused.body["message"])
    plain = await send_request("extend", "POST", {"seconds": 0}, headers={"Accept-Language": ""})
    assert not HAN.search(plain.body["message"])


async def test_history_of_the_page_has_what_came_of_marks(
    send_request: SendRequest, other_session: Session
) -> None:
    """The entry is a sentence in the language of the page, with the last lines of a command that has failed."""
    mark = Mark(COMMAND, timedelta(minutes=10), "sync", command="sync")
    result = Result(mark, FAILED, timedelta(minutes=10), 3, "disk full")
    record(other_session.history, result, now=other_session.now())
    for tag, words in (
        ("en", ("“sync” failed, 10 min before the stop", "exit status 3", "disk full")),
        ("zh-CN", ("“sync”在停止前 10 分钟运行失败", "退出状态 3", "disk full")),
    ):
        (line,) = (await send_request("history", headers={"Accept-Language": tag})).body["entries"]
        assert [each for each in words if each not in line] == []
