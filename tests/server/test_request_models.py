"""Parsing of request bodies, including the limits of numbers."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Callable

import pytest
from factories import make_instance, timed_auto_stop

from modelarts_magics.domain.models import Mode
from modelarts_magics.errors import InputError
from modelarts_magics.server.json_body import MAX_ITEMS, MAX_TEXT_LENGTH, JsonBody
from modelarts_magics.server.request_models import (
    MAX_DURATION_S,
    MAX_TIMESTAMP_MS,
    parse_extend_request,
    parse_save_report,
    parse_update_request,
)

HOUR = timedelta(hours=1)


def body(value: object) -> JsonBody:
    """Return a body with one field, `it`."""
    return JsonBody({"it": value}, allowed=("it",))


def raw(**fields: Any) -> bytes:
    """Return the body of a request."""
    return json.dumps(fields).encode()


def whole(value: object) -> int | None:
    """Return a whole number from 1 to 10."""
    return body(value).get_int("it", 1, 10)


@pytest.mark.parametrize(
    ("read", "within", "beyond", "code"),
    [
        (whole, 1, 0, "request.out_of_range"),
        (whole, 10, 11, "request.out_of_range"),
        (whole, 2, True, "request.wrong_type"),
        (whole, 2, None, "request.wrong_type"),
        (
            lambda it: body(it).get_text("it"),
            "x" * MAX_TEXT_LENGTH,
            "x" * (MAX_TEXT_LENGTH + 1),
            "request.out_of_range",
        ),
        (
            lambda it: body(it).get_list("it"),
            [0] * MAX_ITEMS,
            [0] * (MAX_ITEMS + 1),
            "request.out_of_range",
        ),
    ],
)
def test_limits_are_inclusive(
    read: Callable[[object], object], within: object, beyond: object, code: str
) -> None:
    """A value beyond a limit is refused with the name of the field."""
    assert read(within) == within
    with pytest.raises(InputError) as caught:
        read(beyond)
    assert (caught.value.code, caught.value.values["field"]) == (code, "it")


def test_integer_may_be_written_as_a_float() -> None:
    """Some languages write all numbers so."""
    assert whole(3.0) == 3
    assert isinstance(whole(3.0), int)
    assert parse_extend_request(raw(seconds=-3600.0)).delta == -HOUR


def test_unknown_stop_time_is_null() -> None:
    """There is nothing to compare then."""
    assert parse_extend_request(raw(seconds=60, base_stops_at_ms=None)).seen_stop_time is None
    assert parse_extend_request(raw(seconds=60)).seen_stop_time is None


def test_base_may_have_null_fields() -> None:
    """A page sends back the nulls that it received; omitted fields are not compared."""
    nothing = dict.fromkeys(("enabled", "mode", "prompt", "duration_s", "stops_at_ms"))
    requested = {"enabled": True}
    known = make_instance(timed_auto_stop(HOUR, duration=HOUR, prompt=False), description="known")
    seen = parse_update_request(
        raw(auto_stop=requested, base={"auto_stop": nothing})
    ).seen_instance(known)
    assert seen is not None
    assert seen.description == "known"
    stop = seen.auto_stop
    assert (stop.enabled, stop.mode, stop.prompt) == (False, Mode.TIMING, None)
    assert (stop.duration, stop.stops_at) == (None, None)
    same = parse_update_request(raw(auto_stop=requested, base={"auto_stop": {}})).seen_instance(
        known
    )
    assert same == known


def test_base_duration_is_compared_in_whole_seconds() -> None:
    """A difference of a second or more is a change."""
    known = make_instance(timed_auto_stop(HOUR, duration=HOUR + timedelta(milliseconds=400)))
    for seconds, same in ((3600, True), (3599, False), (3601, True), (3602, False)):
        base = {"auto_stop": {"duration_s": seconds}}
        seen = parse_update_request(raw(auto_stop={"enabled": True}, base=base)).seen_instance(
            known
        )
        assert seen is not None
        assert (seen.auto_stop.duration == known.auto_stop.duration) is same


def test_largest_accepted_values_do_not_overflow() -> None:
    """They can be added to a date."""
    assert (
        parse_extend_request(raw(seconds=-MAX_DURATION_S, base_stops_at_ms=MAX_TIMESTAMP_MS)).delta
        == -366 * 24 * HOUR
    )
    assert parse_save_report(raw(stops_at_ms=MAX_TIMESTAMP_MS)).stops_at_ms == MAX_TIMESTAMP_MS
    request = parse_update_request(raw(auto_stop={"until_ms": MAX_TIMESTAMP_MS}))
    assert request.auto_stop is not None
    assert request.auto_stop.stop_time is not None
    assert request.auto_stop.stop_time.year == 9987
