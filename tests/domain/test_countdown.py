"""The countdown, tested with the same cases as the countdown of the page."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from factories import (
    HOUR,
    MINUTE,
    NOW,
    disabled_auto_stop,
    idle_auto_stop,
    make_instance,
    timed_auto_stop,
)
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics.domain.countdown import (
    Phase,
    compute_countdown,
    instance_countdown,
    stop_message,
)
from modelarts_magics.domain.durations import datetime_from_ms
from modelarts_magics.domain.models import AutoStop, Instance, Mode, Status, StopTimeUnknown

CASES = json.loads(
    (Path(__file__).parents[1] / "contract" / "countdown.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_countdown_matches_the_shared_cases(case: dict[str, Any]) -> None:
    """Phase, seconds left and English text equal those of the page."""
    ends, now = case["stops_at_ms"], datetime_from_ms(case["now_ms"])
    stop = AutoStop(
        enabled=case["enabled"],
        mode=Mode(case["mode"] or "TIMING"),
        stops_at=None if ends is None else datetime_from_ms(ends),
    )
    result = compute_countdown(Status(case["status"]), stop, now)
    left = None if result.time_left is None else result.time_left.total_seconds()
    expected = case["expect"]
    assert (result.phase.value, left) == (expected["phase"], expected["remaining_s"])
    assert result.label == expected["label_en"]


def test_shared_cases_cover_every_phase_and_status() -> None:
    """Every phase and every documented status occurs in the shared cases."""
    assert {case["expect"]["phase"] for case in CASES} == {phase.value for phase in Phase}
    assert {case["status"] for case in CASES} >= {status.value for status in Status}


@given(
    st.sampled_from(list(Status)) | st.builds(Status, st.text(min_size=1, max_size=5)),
    st.booleans(),
    st.sampled_from(list(Mode)),
    st.none() | st.timedeltas(timedelta(days=-99), timedelta(days=99)),
)
def test_time_left_needs_a_running_instance_with_stop_time(
    status: Status, enabled: bool, mode: Mode, left: timedelta | None
) -> None:
    """Time left is shown only before a known stop time of a running instance, and is never negative."""
    stop = AutoStop(enabled=enabled, mode=mode, stops_at=None if left is None else NOW + left)
    result = compute_countdown(status, stop, NOW)
    if result.phase in (Phase.CALM, Phase.SOON, Phase.URGENT):
        assert status.running
        assert enabled
        assert mode is Mode.TIMING
        assert left is not None
        assert result.time_left is not None
        assert timedelta(0) <= left - result.time_left < timedelta(seconds=1)
    else:
        assert not result.time_left


def test_instance_countdown_equals_countdown_of_its_parts() -> None:
    """Both functions return the same countdown."""
    some = make_instance(timed_auto_stop(40 * MINUTE))
    assert instance_countdown(some, NOW) == compute_countdown(some.status, some.auto_stop, NOW)
    assert instance_countdown(some, NOW).time_left == 40 * MINUTE


@pytest.mark.parametrize(
    ("some", "code"),
    [
        (make_instance(timed_auto_stop(HOUR)), "stop.at"),
        (make_instance(timed_auto_stop(20 * HOUR)), "stop.at_other_day"),
        (make_instance(disabled_auto_stop()), "stop.off"),
        (make_instance(idle_auto_stop()), "stop.idle"),
        (make_instance(timed_auto_stop(None)), "stop.missing"),
        (
            make_instance(timed_auto_stop(None, stop_time_unknown=StopTimeUnknown.PAST)),
            "stop.passed",
        ),
        (
            make_instance(timed_auto_stop(None, stop_time_unknown=StopTimeUnknown.INCONSISTENT)),
            "stop.inconsistent",
        ),
        (make_instance(timed_auto_stop(None, stop_time_unknown=None)), "stop.missing"),
        (make_instance(status=Status.STOPPED), "stop.stopping_or_stopped"),
        (make_instance(status=Status.STOPPING), "stop.stopping_or_stopped"),
        (make_instance(status=Status.STARTING), "stop.not_running"),
        (make_instance(disabled_auto_stop(), status=Status.STOPPED), "stop.stopping_or_stopped"),
        (make_instance(idle_auto_stop(), status=Status.STARTING), "stop.not_running"),
    ],
)
def test_stop_message_names_stop_time_or_reason(some: Instance, code: str) -> None:
    """The message has the stop time, or the reason why there is none."""
    fact = stop_message(some)
    assert fact.code == code
    assert len(str(fact).splitlines()) == 1


def test_stop_message_names_date_offset_and_time_of_reading() -> None:
    """The message is still true tomorrow: the stop time has its date, the time left its moment."""
    assert str(stop_message(make_instance(timed_auto_stop(72 * MINUTE)))) == (
        "Stops at 2026-11-23 10:04 +00:00 · 1 h 12 min left (as of 08:52)"
    )


def test_stop_message_has_no_negative_time_left() -> None:
    """Within the grace period the time left is zero."""
    assert "0 s left" in str(stop_message(make_instance(timed_auto_stop(-timedelta(seconds=30)))))
