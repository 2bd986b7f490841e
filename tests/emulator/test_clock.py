"""Clock of the emulated server, and the times in its responses."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics.emulator.clock import ManualClock, ScaledClock, from_ms, to_ms
from modelarts_magics.emulator.local import LocalEmulator

START = datetime(2026, 11, 23, 8, 0, tzinfo=timezone.utc)


@given(st.integers(min_value=0, max_value=4_102_444_800_000))
def test_timestamp_round_trip_keeps_milliseconds(timestamp_ms: int) -> None:
    """Converting a timestamp to a time and back returns the same ms."""
    assert to_ms(from_ms(timestamp_ms)) == timestamp_ms


def test_scaled_clock_runs_faster() -> None:
    """With a scale of 60, an hour passes in a minute; an advance is not scaled."""
    real = ManualClock(START)
    clock = ScaledClock(scale=60, source=real.now)
    assert clock.now() == START
    real.advance(timedelta(minutes=1))
    assert clock.now() == START + timedelta(hours=1)
    clock.advance(timedelta(hours=1))
    assert clock.now() == START + timedelta(hours=2)


def test_scaled_responses_agree_with_the_date_header() -> None:
    """With a scale of 60, 40 minutes left are 40 minutes in the response and pass in 40 s."""
    real = ManualClock(START)
    scaled = ScaledClock(scale=60, source=real.now)
    with LocalEmulator(clock=scaled, time_scale=60) as emulator:
        path = f"/v1/{emulator.project_id}/demanager/instances/{emulator.instance_id}"

        def get_instance() -> tuple[httpx.Response, dict[str, Any]]:
            headers = {"X-Auth-Token": emulator.auth_token}
            response = httpx.get(emulator.endpoint + path, headers=headers, trust_env=False)
            return response, response.json()

        for seconds, status in ((0, "RUNNING"), (39, "RUNNING"), (2, "STOPPED")):
            real.advance(timedelta(seconds=seconds))
            response, shown = get_instance()
            auto_stop = shown["spec"]["auto_stop"]
            now = parsedate_to_datetime(response.headers["Date"])
            assert shown["status"] == status
            assert response.headers["X-Emulator-Time-Scale"] == "60"
            assert auto_stop["duration"] == 3600
            if status == "RUNNING":
                stop_time = from_ms(auto_stop["stop_timestamp"])
                assert stop_time - now == timedelta(seconds=auto_stop["remain_time"])
