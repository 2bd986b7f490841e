"""Times as a person enters them, with the cases that the page is tested with, too."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from factories import NOW
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics.domain.durations import datetime_to_ms, parse_clock_time
from modelarts_magics.domain.time_input import TimeInput, parse_time_input
from modelarts_magics.errors import DurationError

CASES = json.loads((Path(__file__).parents[1] / "contract/time_input.json").read_text("utf-8"))
SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["text"])
def test_time_input_means_the_same_as_in_the_page(case: dict[str, Any]) -> None:
    """Durations, durations from now, clock times and errors are as in the shared table."""
    if case["kind"] is None:
        with pytest.raises(DurationError) as caught:
            _parse(case["text"])
        assert caught.value.code == case["code"]
    else:
        assert _parse(case["text"]) == (case["kind"], case.get("seconds", case.get("ms")))


def _parse(text: str) -> tuple[str, int]:
    entered = parse_time_input(text)
    if entered.clock_time is not None:
        moment = parse_clock_time(entered.clock_time, now=NOW, zone=SHANGHAI)
        return "at", datetime_to_ms(moment)
    if entered.time_left is not None:
        return "in", entered.time_left // timedelta(seconds=1)
    assert entered.duration is not None
    return "duration", entered.duration // timedelta(seconds=1)


@given(st.text(alphabet="inat0123456789:.hms d天小时后明天tomorow+-Z：", max_size=24))  # noqa: RUF001 - a colon of full width
def test_time_input_never_crashes(text: str) -> None:
    """Any text sets exactly one field, or is an error about a duration."""
    try:
        entered = parse_time_input(text)
    except DurationError:
        return
    given = [each for each in entered if each is not None]
    assert entered != TimeInput()
    assert len(given) == 1
