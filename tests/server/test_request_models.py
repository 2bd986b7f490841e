"""What a request may say, to the last number that is let in."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Callable

import pytest
from factories import instance, stop_in

from modelarts_magics.domain.models import Mode
from modelarts_magics.errors import InputError
from modelarts_magics.server.json_body import LONGEST_TEXT, MOST_ITEMS, Body
from modelarts_magics.server.request_models import (
    LATEST_MS,
    LONGEST_S,
    change_request,
    saved,
    shift,
)

HOUR = timedelta(hours=1)


def body(value: object) -> Body:
    """Return a body with one field, `it`."""
    return Body({"it": value}, allowed=("it",))


def raw(**fields: Any) -> bytes:
    """Return the body of a request."""
    return json.dumps(fields).encode()


def whole(value: object) -> int | None:
    """Return a whole number from 1 to 10."""
    return body(value).whole("it", 1, 10)


@pytest.mark.parametrize(
    ("read", "within", "beyond", "code"),
    [
        (whole, 1, 0, "request.range"),
        (whole, 10, 11, "request.range"),
        (whole, 2, True, "request.kind"),
        (whole, 2, None, "request.kind"),
        (
            lambda it: body(it).text("it"),
            "x" * LONGEST_TEXT,
            "x" * (LONGEST_TEXT + 1),
            "request.range",
        ),
        (
            lambda it: body(it).items("it"),
            [0] * MOST_ITEMS,
            [0] * (MOST_ITEMS + 1),
            "request.range",
        ),
    ],
)
def test_a_bound_is_let_in_and_what_is_beyond_is_not(
    read: Callable[[object], object], within: object, beyond: object, code: str
) -> None:
    """Each field is read as it is, or refused by its name."""
    assert read(within) == within
    with pytest.raises(InputError) as caught:
        read(beyond)
    assert (caught.value.code, caught.value.values["field"]) == (code, "it")


def test_a_whole_number_may_be_written_with_a_point() -> None:
    """As some languages write all of theirs."""
    assert whole(3.0) == 3
    assert isinstance(whole(3.0), int)
    assert shift(raw(seconds=-3600.0)).by == -HOUR


def test_an_end_that_nobody_saw_is_null() -> None:
    """As where it is not known; then there is nothing to compare."""
    assert shift(raw(seconds=60, base_stops_at_ms=None)).seen_end is None
    assert shift(raw(seconds=60)).seen_end is None


def test_what_a_page_saw_may_be_nothing() -> None:
    """It sends back what it was told, and null is how nothing is told; what it leaves out is as it is now."""
    nothing = dict.fromkeys(("enabled", "mode", "prompt", "duration_s", "stops_at_ms"))
    wish = {"enabled": True}
    known = instance(stop_in(HOUR, duration=HOUR, prompt=False), description="known")
    seen = change_request(raw(auto_stop=wish, base={"auto_stop": nothing})).seen(known)
    assert seen is not None
    assert seen.description == "known"
    stop = seen.auto_stop
    assert (stop.enabled, stop.mode, stop.prompt) == (False, Mode.TIMING, None)
    assert (stop.duration, stop.stops_at) == (None, None)
    same = change_request(raw(auto_stop=wish, base={"auto_stop": {}})).seen(known)
    assert same == known


def test_what_a_page_saw_of_a_length_is_in_whole_seconds() -> None:
    """Which is no other length; a second less is one."""
    known = instance(stop_in(HOUR, duration=HOUR + timedelta(milliseconds=400)))
    for seconds, same in ((3600, True), (3599, False), (3601, True), (3602, False)):
        base = {"auto_stop": {"duration_s": seconds}}
        seen = change_request(raw(auto_stop={"enabled": True}, base=base)).seen(known)
        assert seen is not None
        assert (seen.auto_stop.duration == known.auto_stop.duration) is same


def test_the_longest_and_the_latest_can_be_handled() -> None:
    """Nothing that is let in overflows later."""
    assert shift(raw(seconds=-LONGEST_S, base_stops_at_ms=LATEST_MS)).by == -366 * 24 * HOUR
    assert saved(raw(stops_at_ms=LATEST_MS)).stops_at_ms == LATEST_MS
    request = change_request(raw(auto_stop={"until_ms": LATEST_MS}))
    assert request.auto_stop is not None
    assert request.auto_stop.until is not None
    assert request.auto_stop.until.year == 9987
