"""Durations, clock times, time zones and milliseconds."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from factories import HOUR, NOW
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics import messages
from modelarts_magics.domain.durations import (
    UTC,
    datetime_from_ms,
    datetime_to_ms,
    duration_from_ms,
    duration_to_ms,
    parse_clock_time,
    parse_duration,
    parse_timezone,
)
from modelarts_magics.errors import ConfigurationError, DurationError

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
ZONES = (SHANGHAI, BERLIN, NEW_YORK)

ALMOST = st.text(alphabet="0123456789.:+-hmsdTZ 天小时分钟秒todaymrw/今明", max_size=24)
"""Text that often resembles a time."""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90m", 5400),
        ("2h30m", 9000),
        ("1.5h", 5400),
        ("5400s", 5400),
        ("1 h 30 min", 5400),
        ("  1h ", 3600),
        ("1H30M", 5400),
        ("1d", 86400),
        ("0.1h", 360),
        ("1.1h", 3960),
        ("2 hours 1 minute 1 second", 7261),
        ("30m2h", 9000),
        ("0h1s", 1),
        ("999999999s", 999_999_999),
        ("2小时30分钟", 9000),
        ("1天", 86400),
        ("1时1分1秒", 3661),
    ],
)
def test_parse_duration_accepts_common_forms(text: str, seconds: int) -> None:
    """Units, fractions, spaces, capitals and Chinese units are accepted."""
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "duration.invalid"),
        ("   ", "duration.invalid"),
        ("h", "duration.invalid"),
        ("-1h", "duration.invalid"),
        ("+1h", "duration.invalid"),
        ("1h30", "duration.invalid"),
        ("1h,30m", "duration.invalid"),
        ("1,5h", "duration.invalid"),
        ("1..5h", "duration.invalid"),
        (".5h", "duration.invalid"),
        ("1h.", "duration.invalid"),
        ("1e3s", "duration.invalid"),
        ("infh", "duration.invalid"),
        ("1hx", "duration.invalid"),
        ("10000000000s", "duration.invalid"),
        ("\uff11h", "duration.invalid"),
        ("٣h", "duration.invalid"),
        ("1\u017f", "duration.invalid"),
        ("1h\x00", "duration.invalid"),
        ("5400", "duration.no_unit"),
        ("1.5", "duration.no_unit"),
        ("18:00", "duration.is_clock_time"),
        ("tomorrow 09:00", "duration.is_clock_time"),
        ("0.0001h", "duration.not_whole_seconds"),
        ("1.5s", "duration.not_whole_seconds"),
        ("0h", "duration.not_positive"),
        ("0m0s", "duration.not_positive"),
        ("999999999d", "duration.not_positive"),
    ],
)
def test_parse_duration_names_the_reason_for_refusal(text: str, code: str) -> None:
    """A missing unit, a clock time, a fraction of a second and zero have different errors."""
    with pytest.raises(DurationError) as caught:
        parse_duration(text)
    assert caught.value.code == code


@given(st.integers(1, 10**9 - 1))
def test_formatted_argument_parses_to_same_duration(seconds: int) -> None:
    """A duration suggested by a message means the same when it is entered."""
    duration = timedelta(seconds=seconds)
    assert parse_duration(messages.format_duration_argument(duration)) == duration


@given(st.text() | ALMOST)
def test_parse_duration_never_crashes(text: str) -> None:
    """Any text is a positive duration in whole seconds or a DurationError of one line."""
    try:
        duration = parse_duration(text)
    except DurationError as error:
        assert len(error.message.splitlines()) == 1  # noqa: PT017 - or no error
    else:
        assert duration >= timedelta(seconds=1)
        assert duration.microseconds == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("18:00", "2026-11-23T18:00:00+08:00"),
        ("16:53", "2026-11-23T16:53:00+08:00"),
        ("16:52", "2026-11-24T16:52:00+08:00"),
        ("09:00", "2026-11-24T09:00:00+08:00"),
        ("9:00", "2026-11-24T09:00:00+08:00"),
        ("18:00:30", "2026-11-23T18:00:30+08:00"),
        ("00:00", "2026-11-24T00:00:00+08:00"),
        ("18:00+08:00", "2026-11-23T18:00:00+08:00"),
        ("18:00+0800", "2026-11-23T18:00:00+08:00"),
        ("18:00 -05:00", "2026-11-23T18:00:00-05:00"),
        ("18:00Z", "2026-11-23T18:00:00+00:00"),
        ("18:00z", "2026-11-23T18:00:00+00:00"),
        ("tomorrow 09:00", "2026-11-24T09:00:00+08:00"),
        ("Tomorrow 18:00", "2026-11-24T18:00:00+08:00"),
        ("明天09:00", "2026-11-24T09:00:00+08:00"),
        ("今天 18:00", "2026-11-23T18:00:00+08:00"),
        ("today 18:00", "2026-11-23T18:00:00+08:00"),
        ("today 09:00", "2026-11-23T09:00:00+08:00"),
        ("2026-11-25 18:00", "2026-11-25T18:00:00+08:00"),
        ("2026-11-25T18:00:00Z", "2026-11-25T18:00:00+00:00"),
        ("2026-11-25t18:00+08:00", "2026-11-25T18:00:00+08:00"),
        ("2026-1-2 3:04", "2026-01-02T03:04:00+08:00"),
        ("2028-02-29 18:00", "2028-02-29T18:00:00+08:00"),
        (" 18:00 ", "2026-11-23T18:00:00+08:00"),
    ],
)
def test_parse_clock_time_returns_the_intended_moment(text: str, expected: str) -> None:
    """At 16:52 in Shanghai a bare time is the next one; days and offsets count as written."""
    moment = parse_clock_time(text, now=NOW, zone=SHANGHAI)
    assert moment.isoformat() == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "18",
        "1800",
        "24:00",
        "18:60",
        "18:00:60",
        "6pm",
        "18:00 tomorrow",
        "yesterday 18:00",
        "18:00+24:00",
        "18:00+08:60",
        "18:00+8",
        "2026-02-30 18:00",
        "2026-13-01 18:00",
        "2026-11-2318:00",
        "2026-11-118:00",
        "0000-01-01 00:00",
        "0001-01-01 00:00+08:00",
        "9999-12-31 23:59-08:00",
        "9999-12-31 23:59+08:00",
        "\uff11\uff18:00",
        "18:00\x00",
        "18:0",
    ],
)
def test_parse_clock_time_refuses_impossible_times(text: str) -> None:
    """Impossible hours, days, offsets and years are errors."""
    with pytest.raises(DurationError) as caught:
        parse_clock_time(text, now=NOW, zone=SHANGHAI)
    assert caught.value.code == "clock_time.invalid"
    assert caught.value.values["text"] == text.strip()


@given(
    st.text() | ALMOST,
    st.sampled_from([*ZONES, UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))]),
)
def test_parse_clock_time_never_crashes(text: str, zone: ZoneInfo) -> None:
    """Any text is a time in any zone or a DurationError of one line."""
    try:
        moment = parse_clock_time(text, now=NOW, zone=zone)
    except DurationError as error:
        assert len(error.message.splitlines()) == 1  # noqa: PT017 - or no error
    else:
        for each in ZONES:
            assert moment.astimezone(each) == moment


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(0, 23),
    st.integers(0, 59),
    st.sampled_from(ZONES),
)
def test_bare_clock_time_is_the_next_one(
    now: datetime, hour: int, minute: int, zone: ZoneInfo
) -> None:
    """It is at most a day and one clock change ahead, and has the entered digits."""
    try:
        moment = parse_clock_time(f"{hour:02}:{minute:02}", now=now, zone=zone)
    except DurationError as error:
        assert error.code == "clock_time.skipped"  # noqa: PT017 - the rare other way out of the property
        return
    assert now < moment.astimezone(UTC) <= now + 25 * HOUR
    shown = moment.astimezone(UTC).astimezone(zone)
    assert (shown.hour, shown.minute, shown.second, shown.microsecond) == (hour, minute, 0, 0)


FALL_BACK = datetime(2026, 10, 25, tzinfo=UTC)
"""On this day Berlin sets its clocks back, at 01:00 UTC from 03:00 to 02:00."""
SPRING_FORWARD = datetime(2026, 3, 29, tzinfo=UTC)
"""On this day Berlin sets its clocks forward, at 01:00 UTC from 02:00 to 03:00."""


@pytest.mark.parametrize(
    ("now", "text", "expected"),
    [
        # Both 02:30 are to come: the first one.
        ("00:10", "02:30", "00:30"),
        # The first has passed: the second one, not that of tomorrow.
        ("00:45", "02:30", "01:30"),
        # Between both, when clocks show 02:10 again.
        ("01:10", "02:30", "01:30"),
        ("01:10", "today 02:30", "01:30"),
        ("00:10", "today 02:30", "00:30"),
        # Both have passed: the time as entered, for the caller to refuse.
        ("01:40", "today 02:30", "00:30"),
        # The current time is not to come.
        ("01:30", "02:30", "25:30"),
        ("00:10", "03:00", "02:00"),
    ],
)
def test_repeated_clock_time_is_the_first_to_come(now: str, text: str, expected: str) -> None:
    """When Berlin sets its clocks back, the first of both times that is to come is used."""
    moment = parse_clock_time(text, now=FALL_BACK + _hours(now), zone=BERLIN)
    assert moment.astimezone(UTC) == FALL_BACK + _hours(expected)


@pytest.mark.parametrize(
    ("now", "text"),
    [
        # 01:10 in Berlin.
        ("00:10", "02:30"),
        # 01:45, a quarter of an hour before the gap.
        ("00:45", "02:30"),
        ("00:10", "today 02:30"),
        ("05:00", "2026-03-29 02:30"),
        ("-05:00", "tomorrow 02:30"),
        ("-10:00", "02:30"),
    ],
)
def test_skipped_clock_time_is_refused(now: str, text: str) -> None:
    """When Berlin sets its clocks forward, 02:30 does not exist and is not shifted."""
    with pytest.raises(DurationError) as caught:
        parse_clock_time(text, now=SPRING_FORWARD + _hours(now), zone=BERLIN)
    assert caught.value.code == "clock_time.skipped"
    assert "Berlin" in caught.value.message


@pytest.mark.parametrize("now", ["01:10", "05:00"])
def test_skipped_clock_time_in_the_past_means_tomorrow(now: str) -> None:
    """After the clocks were set forward, 02:30 is the one of the next day."""
    moment = parse_clock_time("02:30", now=SPRING_FORWARD + _hours(now), zone=BERLIN)
    assert moment.isoformat() == "2026-03-30T02:30:00+02:00"


def _hours(written: str) -> timedelta:
    sign = -1 if written.startswith("-") else 1
    hours, minutes = (int(part) for part in written.lstrip("-").split(":"))
    return sign * timedelta(hours=hours, minutes=minutes)


def test_offset_determines_the_day() -> None:
    """23:30 at -10:00 is today there, although it is already tomorrow in Shanghai."""
    moment = parse_clock_time("23:30-10:00", now=NOW, zone=SHANGHAI)
    assert moment.isoformat() == "2026-11-22T23:30:00-10:00"


def test_zone_of_now_does_not_matter() -> None:
    """The same moment in another zone gives the same result."""
    elsewhere = NOW.astimezone(NEW_YORK)
    assert parse_clock_time("18:00", now=elsewhere, zone=SHANGHAI) == parse_clock_time(
        "18:00", now=NOW, zone=SHANGHAI
    )


@pytest.mark.parametrize(
    ("name", "offset_h"),
    [("Asia/Shanghai", 8), ("+08:00", 8), ("-05:30", -5.5), ("Z", 0), ("z", 0), ("UTC", 0)],
)
def test_parse_timezone_accepts_name_and_offset(name: str, offset_h: float) -> None:
    """Both give the expected offset."""
    assert NOW.astimezone(parse_timezone(name)).utcoffset() == timedelta(hours=offset_h)


@pytest.mark.parametrize(
    "name",
    [
        "Asia/Nowhere",
        "+24:00",
        "+08:60",
        "+8",
        "Asia",
        "../../../etc/passwd",
        "/etc/localtime",
        "Asia/Shanghai\x00",
        "北京",
        "\ud800",
        ".",
    ],
)
def test_parse_timezone_refuses_unknown_zone(name: str) -> None:
    """The error is a ConfigurationError of one line."""
    with pytest.raises(ConfigurationError) as caught:
        parse_timezone(name)
    assert caught.value.code == "config.timezone"
    assert len(caught.value.message.splitlines()) == 1


@given(st.text(max_size=12))
def test_parse_timezone_never_crashes(name: str) -> None:
    """Any text is a zone or a ConfigurationError."""
    try:
        zone = parse_timezone(name)
    except ConfigurationError:
        return
    assert NOW.astimezone(zone) == NOW


def test_empty_timezone_is_the_system_zone() -> None:
    """Without a setting, clock times are read in the zone of the system."""
    assert NOW.astimezone(parse_timezone("")).utcoffset() is not None


@given(st.integers(0, 253_000_000_000_000))
def test_timestamp_round_trip(milliseconds: int) -> None:
    """Milliseconds to a time and back are the same milliseconds."""
    assert datetime_to_ms(datetime_from_ms(milliseconds)) == milliseconds


@pytest.mark.parametrize(
    "milliseconds", [-1, -(10**15), 253_402_300_799_000, 10**15, 10**18, 10**400, -(10**400)]
)
def test_timestamp_out_of_range_raises_value_error(milliseconds: int) -> None:
    """The year 9999, which some systems use for "never", has no date in Shanghai."""
    with pytest.raises(ValueError, match=r".*"):
        datetime_from_ms(milliseconds)


@given(st.integers(-(10**12), 10**12))
def test_duration_round_trip(milliseconds: int) -> None:
    """Milliseconds to a duration and back are the same milliseconds."""
    assert duration_to_ms(duration_from_ms(milliseconds)) == milliseconds
