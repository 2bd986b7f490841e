"""The countdown, held to the table that the browser's is held to."""

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
    property_settings,
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
def test_the_contract_holds(case: dict[str, Any]) -> None:
    """Phase, seconds left and English words are those that the browser shows too."""
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


def test_the_contract_has_every_phase() -> None:
    """No phase is left to be agreed on by chance."""
    assert {case["expect"]["phase"] for case in CASES} == {phase.value for phase in Phase}


@property_settings
@given(
    st.sampled_from(list(Status)) | st.builds(Status, st.text(min_size=1, max_size=5)),
    st.booleans(),
    st.sampled_from(list(Mode)),
    st.none() | st.timedeltas(timedelta(days=-99), timedelta(days=99)),
)
def test_no_false_countdown(
    status: Status, enabled: bool, mode: Mode, left: timedelta | None
) -> None:
    """Time left is shown only for a running instance with a fixed end ahead, and is never negative."""
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


def test_the_countdown_of_an_instance_is_that_of_its_status_and_auto_stop() -> None:
    """Both ways to ask give one answer."""
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
def test_the_lasting_words_name_what_is_the_case(some: Instance, code: str) -> None:
    """What is written down says the end, or why there is none; and it can be worded."""
    fact = stop_message(some)
    assert fact.code == code
    assert len(str(fact).splitlines()) == 1


def test_the_lasting_words_hold_date_offset_and_when_that_was() -> None:
    """They are still true tomorrow: the end with its date, the time left with its moment."""
    assert str(stop_message(make_instance(timed_auto_stop(72 * MINUTE)))) == (
        "Stops at 2026-11-23 10:04 +00:00 · 1 h 12 min left (as of 08:52)"
    )


def test_an_end_just_past_has_no_negative_time_left() -> None:
    """Within the minute of grace the words say that nothing is left."""
    assert "0 s left" in str(stop_message(make_instance(timed_auto_stop(-timedelta(seconds=30)))))
