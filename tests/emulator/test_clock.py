"""The server's clock, and what follows from it on the wire."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from factories import property_settings
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics.emulator.clock import ManualClock, ScaledClock, from_ms, to_ms
from modelarts_magics.emulator.local import LocalEmulator

START = datetime(2026, 11, 23, 8, 0, tzinfo=timezone.utc)


@property_settings
@given(st.integers(min_value=0, max_value=4_102_444_800_000))
def test_a_timestamp_survives_the_way_through_a_moment(timestamp_ms: int) -> None:
    """To the ms."""
    assert to_ms(from_ms(timestamp_ms)) == timestamp_ms


def test_a_scaled_clock_makes_an_hour_a_minute() -> None:
    """From its start; a jump is in its own hours."""
    real = ManualClock(START)
    clock = ScaledClock(scale=60, source=real.now)
    assert clock.now() == START
    real.advance(timedelta(minutes=1))
    assert clock.now() == START + timedelta(hours=1)
    clock.advance(timedelta(hours=1))
    assert clock.now() == START + timedelta(hours=2)


def test_under_a_scale_everything_on_the_wire_agrees_with_the_date() -> None:
    """40 min are 40 min in the answer, and pass in 40 s; the Date header says so."""
    real = ManualClock(START)
    scaled = ScaledClock(scale=60, source=real.now)
    with LocalEmulator(clock=scaled, time_scale=60) as emulator:
        path = f"/v1/{emulator.project_id}/demanager/instances/{emulator.instance_id}"

        def ask() -> tuple[httpx.Response, dict[str, Any]]:
            headers = {"X-Auth-Token": emulator.auth_token}
            answer = httpx.get(emulator.endpoint + path, headers=headers, trust_env=False)
            return answer, answer.json()

        for seconds, status in ((0, "RUNNING"), (39, "RUNNING"), (2, "STOPPED")):
            real.advance(timedelta(seconds=seconds))
            answer, shown = ask()
            auto_stop = shown["spec"]["auto_stop"]
            now = parsedate_to_datetime(answer.headers["Date"])
            assert shown["status"] == status
            assert answer.headers["X-Emulator-Time-Scale"] == "60"
            assert auto_stop["duration"] == 3600
            if status == "RUNNING":
                end = from_ms(auto_stop["stop_timestamp"])
                assert end - now == timedelta(seconds=auto_stop["remain_time"])
