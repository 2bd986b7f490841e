"""The payloads for the browser: codes, numbers and their units."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from factories import (
    DEMANAGER_CAPABILITIES,
    HOUR,
    NOTEBOOKS_CAPABILITIES,
    NOW,
    auto_stop_edit,
    disabled_auto_stop,
    idle_auto_stop,
    make_instance,
    timed_auto_stop,
)

from modelarts_magics.domain.browser_payloads import (
    change_response,
    countdown_payload,
    error_response,
)
from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.domain.models import Change, Effect, Status, StopTimeUnknown
from modelarts_magics.domain.planning import MIN_TIME_LEFT, PlanContext
from modelarts_magics.errors import ForbiddenError, RefusedError, UnreachableError

MESSAGES_TS = Path(__file__).parents[2] / "labextension/src/countdown/messages.ts"
SENTENCES_TS = MESSAGES_TS.with_name("feedback.ts")
NOW_MS = datetime_to_ms(NOW)


def fields_of(interface: str) -> set[str]:
    """Return the names of the fields of a TypeScript interface."""
    found = re.search(
        rf"interface {interface} {{(.*?)\n}}", MESSAGES_TS.read_text(encoding="utf-8"), re.DOTALL
    )
    assert found
    return set(re.findall(r"readonly (\w+)", found[1]))


def state(given: PlanContext) -> dict[str, Any]:
    """Return the payload after a round trip through JSON."""
    return json.loads(json.dumps(countdown_payload(given)))


def test_python_and_typescript_have_the_same_fields() -> None:
    """All fields of the state and of its bounds; the owner is optional."""
    full = state(PlanContext(make_instance(), DEMANAGER_CAPABILITIES, NOW - HOUR))
    assert full["id"] == make_instance().id
    assert set(full) == fields_of("InstanceState")
    assert set(full["bounds"]) == fields_of("Bounds")


def test_running_instance_with_stop_time() -> None:
    """Times are in milliseconds, durations in seconds."""
    full = state(PlanContext(make_instance(), DEMANAGER_CAPABILITIES, NOW - HOUR))
    assert full["stops_at_ms"] == NOW_MS + 3_600_000
    assert full["run_started_at_ms"] == NOW_MS - 3_600_000
    assert full["duration_s"] == 7200
    assert (full["enabled"], full["mode"], full["status"]) == (True, "TIMING", "RUNNING")
    assert (full["can_change"], full["reason"], full["unknown_reason"]) == (True, "", "")


def test_bounds_count_from_the_run_start() -> None:
    """They are fixed: at least the shortest run, and five minutes from now."""
    limits = state(PlanContext(make_instance(), DEMANAGER_CAPABILITIES, NOW - HOUR))["bounds"]
    notice = round(MIN_TIME_LEFT.total_seconds() * 1000)
    assert limits["earliest_stop_ms"] == NOW_MS + notice
    assert limits["latest_stop_ms"] == NOW_MS + 23 * 3_600_000
    assert limits["from_now"] is False


def test_bounds_count_from_now() -> None:
    """They move with the clock, which the payload says."""
    limits = state(PlanContext(make_instance(), NOTEBOOKS_CAPABILITIES))["bounds"]
    assert limits["earliest_stop_ms"] == NOW_MS + 3_600_000
    assert limits["latest_stop_ms"] == NOW_MS + 72 * 3_600_000
    assert limits["from_now"] is True


def test_lease_has_no_duration() -> None:
    """Its length is not the duration of a request."""
    lease = timed_auto_stop(HOUR, duration_start=NOW - HOUR)
    full = state(PlanContext(make_instance(lease), NOTEBOOKS_CAPABILITIES))
    assert full["run_started_at_ms"] == NOW_MS - 3_600_000
    assert full["duration_s"] is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            make_instance(disabled_auto_stop()),
            {"enabled": False, "mode": None, "stops_at_ms": None},
        ),
        (make_instance(idle_auto_stop()), {"enabled": True, "mode": "IDLE", "stops_at_ms": None}),
        (
            make_instance(timed_auto_stop(None, stop_time_unknown=StopTimeUnknown.PAST)),
            {"stops_at_ms": None, "unknown_reason": "stop-time-passed"},
        ),
        (make_instance(timed_auto_stop(None)), {"stops_at_ms": None, "unknown_reason": ""}),
        (
            make_instance(disabled_auto_stop(), status=Status.STOPPED),
            {"status": "STOPPED", "bounds": None},
        ),
        (make_instance(status=Status("LATER_WORD")), {"status": "LATER_WORD"}),
    ],
)
def test_states_without_stop_time(given: Any, expected: dict[str, Any]) -> None:  # noqa: ANN401
    """No stop time is made up."""
    full = state(PlanContext(given, DEMANAGER_CAPABILITIES))
    assert {name: full[name] for name in expected} == expected


def test_no_bounds_without_a_run_start() -> None:
    """They cannot be computed."""
    assert state(PlanContext(make_instance(), DEMANAGER_CAPABILITIES))["bounds"] is None


@pytest.mark.parametrize("effect", Effect)
def test_change_response_has_effect_and_durations(effect: Effect) -> None:
    """The page words the result with both durations."""
    before, after = (
        make_instance(),
        make_instance(replace(timed_auto_stop(HOUR), duration=3 * HOUR)),
    )
    change = Change(
        before, after, effect, auto_stop_edit(3 * HOUR), DEMANAGER_CAPABILITIES, "extend"
    )
    answer = change_response(change)
    assert (answer["ok"], answer["effect"]) == (True, effect.value)
    keeps = {} if effect is Effect.NOW else {"keeps_running": "off"}
    assert answer["values"] == {"duration_s": 10800, "previous_duration_s": 7200, **keeps}
    json.dumps(answer)


def test_change_without_read_back_has_no_new_duration() -> None:
    """The instance could not be read after the write."""
    change = Change(
        make_instance(),
        None,
        Effect.UNCONFIRMED,
        auto_stop_edit(HOUR),
        DEMANAGER_CAPABILITIES,
        "extend",
    )
    answer = change_response(change)
    assert answer["effect"] == "unconfirmed"
    assert answer["values"]["duration_s"] is None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RefusedError("refuse.auto_stop_off", verb="extend"), "off"),
        (RefusedError("refuse.idle_mode", verb="extend"), "idle"),
        (RefusedError("refuse.stop_time_passed", verb="extend"), "stop-time-passed"),
        (RefusedError("refuse.stop_time_unknown", verb="extend"), "stop-time-unknown"),
        (RefusedError("refuse.stop_time_changed", stop_time=NOW), "changed"),
        (ForbiddenError("api.403.0108", status=403), "no-permission"),
    ],
)
def test_refusal_has_a_code_for_the_page(error: Any, code: str) -> None:  # noqa: ANN401
    """The page words it in its language."""
    answer = error_response(error)
    assert (answer["ok"], answer["effect"], answer["code"]) == (False, None, code)
    words = SENTENCES_TS.read_text(encoding="utf-8")
    # A code without a sentence is worded as an unknown stop time.
    has_fallback = code == "stop-time-unknown" and "?? 'is-unknown'" in words
    assert has_fallback or re.search(rf"^  '?{code}'?: \[", words, re.MULTILINE)


def test_other_error_has_its_text() -> None:
    """The message and the hint."""
    answer = error_response(UnreachableError("unreachable.read_timeout", host="h"))
    assert answer["code"] == "unreachable.read_timeout"
    assert answer["text"].startswith("h timed out. Try again")
    late = RefusedError("refuse.time_in_past", stop_time=NOW)
    assert "is in the past" in error_response(late)["text"]
