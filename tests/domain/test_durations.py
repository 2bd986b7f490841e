"""Durations, clock times, time zones and milliseconds."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from factories import HOUR, NOW, property_settings
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
"""Text that looks like a time more often than by chance."""


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
def test_a_duration_is_read_as_people_write_it(text: str, seconds: int) -> None:
    """Units, fractions, spaces, capitals and Chinese units are understood."""
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
def test_what_is_no_duration_is_refused_for_its_own_reason(text: str, code: str) -> None:
    """A missing unit, a clock time, a fraction of a second and zero each have their own words."""
    with pytest.raises(DurationError) as caught:
        parse_duration(text)
    assert caught.value.code == code


@property_settings
@given(st.integers(1, 10**9 - 1))
def test_a_duration_written_as_an_argument_reads_back(seconds: int) -> None:
    """What a message offers to type means the same when it is typed."""
    duration = timedelta(seconds=seconds)
    assert parse_duration(messages.format_duration_argument(duration)) == duration


@property_settings
@given(st.text() | ALMOST)
def test_reading_a_duration_never_crashes(text: str) -> None:
    """Any text is a positive duration of whole seconds, or a DurationError of one line."""
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
def test_a_clock_time_is_the_moment_that_is_meant(text: str, expected: str) -> None:
    """At 16:52 in Shanghai: bare times are the next ones, days and offsets count as written."""
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
def test_what_is_no_clock_time_is_refused(text: str) -> None:
    """Impossible hours, days, offsets and years are an error, never a crash or a guess."""
    with pytest.raises(DurationError) as caught:
        parse_clock_time(text, now=NOW, zone=SHANGHAI)
    assert caught.value.code == "clock_time.invalid"
    assert caught.value.values["text"] == text.strip()


@property_settings
@given(
    st.text() | ALMOST,
    st.sampled_from([*ZONES, UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))]),
)
def test_reading_a_clock_time_never_crashes(text: str, zone: ZoneInfo) -> None:
    """Any text is a moment that can be shown in any zone, or a DurationError of one line."""
    try:
        moment = parse_clock_time(text, now=NOW, zone=zone)
    except DurationError as error:
        assert len(error.message.splitlines()) == 1  # noqa: PT017 - or no error
    else:
        for each in ZONES:
            assert moment.astimezone(each) == moment


@property_settings
@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(0, 23),
    st.integers(0, 59),
    st.sampled_from(ZONES),
)
def test_a_bare_clock_time_is_the_next_one(
    now: datetime, hour: int, minute: int, zone: ZoneInfo
) -> None:
    """It lies ahead, by at most a day and what the clocks are put back, and shows what was written."""
    try:
        moment = parse_clock_time(f"{hour:02}:{minute:02}", now=now, zone=zone)
    except DurationError as error:
        assert error.code == "clock_time.skipped"  # noqa: PT017 - the rare other way out of the property
        return
    assert now < moment.astimezone(UTC) <= now + 25 * HOUR
    shown = moment.astimezone(UTC).astimezone(zone)
    assert (shown.hour, shown.minute, shown.second, shown.microsecond) == (hour, minute, 0, 0)


FALL_BACK = datetime(2026, 10, 25, tzinfo=UTC)
"""Berlin puts its clocks back on this day, at 01:00 UTC from 03:00 to 02:00."""
SPRING_FORWARD = datetime(2026, 3, 29, tzinfo=UTC)
"""Berlin puts its clocks on on this day, at 01:00 UTC from 02:00 to 03:00."""


@pytest.mark.parametrize(
    ("now", "text", "expected"),
    [
        ("00:10", "02:30", "00:30"),  # both 02:30 are ahead: the first
        ("00:45", "02:30", "01:30"),  # the first has passed: the second, not tomorrow's
        ("01:10", "02:30", "01:30"),  # between the two, by clocks that show 02:10 again
        ("01:10", "today 02:30", "01:30"),
        ("00:10", "today 02:30", "00:30"),
        ("01:40", "today 02:30", "00:30"),  # both have passed: as written, for others to refuse
        ("01:30", "02:30", "25:30"),  # this very moment is not ahead
        ("00:10", "03:00", "02:00"),
    ],
)
def test_a_time_that_a_day_has_twice_is_the_first_still_to_come(
    now: str, text: str, expected: str
) -> None:
    """On the day on which Berlin puts its clocks back; all moments in UTC."""
    moment = parse_clock_time(text, now=FALL_BACK + _hours(now), zone=BERLIN)
    assert moment.astimezone(UTC) == FALL_BACK + _hours(expected)


@pytest.mark.parametrize(
    ("now", "text"),
    [
        ("00:10", "02:30"),  # 01:10 in Berlin
        ("00:45", "02:30"),  # 01:45, a quarter of an hour before the gap
        ("00:10", "today 02:30"),
        ("05:00", "2026-03-29 02:30"),
        ("-05:00", "tomorrow 02:30"),
        ("-10:00", "02:30"),
    ],
)
def test_a_time_that_no_clock_shows_is_refused(now: str, text: str) -> None:
    """On the day on which Berlin puts its clocks on, 02:30 does not exist and is not shifted silently."""
    with pytest.raises(DurationError) as caught:
        parse_clock_time(text, now=SPRING_FORWARD + _hours(now), zone=BERLIN)
    assert caught.value.code == "clock_time.skipped"
    assert "Berlin" in caught.value.message


@pytest.mark.parametrize("now", ["01:10", "05:00"])
def test_a_skipped_time_that_the_day_has_passed_means_tomorrow(now: str) -> None:
    """After the clocks were put on, 02:30 is the one of the next day."""
    moment = parse_clock_time("02:30", now=SPRING_FORWARD + _hours(now), zone=BERLIN)
    assert moment.isoformat() == "2026-03-30T02:30:00+02:00"


def _hours(written: str) -> timedelta:
    sign = -1 if written.startswith("-") else 1
    hours, minutes = (int(part) for part in written.lstrip("-").split(":"))
    return sign * timedelta(hours=hours, minutes=minutes)


def test_a_written_offset_decides_the_day() -> None:
    """23:30 at -10:00 is today's there, although it is tomorrow in Shanghai already."""
    moment = parse_clock_time("23:30-10:00", now=NOW, zone=SHANGHAI)
    assert moment.isoformat() == "2026-11-22T23:30:00-10:00"


def test_the_zone_of_now_does_not_matter() -> None:
    """The same present in another zone gives the same moment."""
    elsewhere = NOW.astimezone(NEW_YORK)
    assert parse_clock_time("18:00", now=elsewhere, zone=SHANGHAI) == parse_clock_time(
        "18:00", now=NOW, zone=SHANGHAI
    )


@pytest.mark.parametrize(
    ("name", "offset_h"),
    [("Asia/Shanghai", 8), ("+08:00", 8), ("-05:30", -5.5), ("Z", 0), ("z", 0), ("UTC", 0)],
)
def test_a_zone_is_a_name_or_an_offset(name: str, offset_h: float) -> None:
    """Both kinds give the offset they stand for."""
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
def test_what_is_no_zone_is_a_wrong_setting(name: str) -> None:
    """It is a ConfigurationError of one line, whatever was written."""
    with pytest.raises(ConfigurationError) as caught:
        parse_timezone(name)
    assert caught.value.code == "config.timezone"
    assert len(caught.value.message.splitlines()) == 1


@property_settings
@given(st.text(max_size=12))
def test_reading_a_zone_never_crashes(name: str) -> None:
    """Any text is a zone or a ConfigurationError."""
    try:
        zone = parse_timezone(name)
    except ConfigurationError:
        return
    assert NOW.astimezone(zone) == NOW


def test_no_zone_is_the_system_s() -> None:
    """Without a setting there is still a zone to read clock times in."""
    assert NOW.astimezone(parse_timezone("")).utcoffset() is not None


@property_settings
@given(st.integers(0, 253_000_000_000_000))
def test_a_timestamp_survives_the_way_in_and_out(milliseconds: int) -> None:
    """Milliseconds to a moment and back are the same milliseconds."""
    assert datetime_to_ms(datetime_from_ms(milliseconds)) == milliseconds


@pytest.mark.parametrize(
    "milliseconds", [-1, -(10**15), 253_402_300_799_000, 10**15, 10**18, 10**400, -(10**400)]
)
def test_a_timestamp_that_no_zone_can_show_is_a_value_error(milliseconds: int) -> None:
    """The year 9999, which some write for never, has no date in Shanghai; nor have larger numbers."""
    with pytest.raises(ValueError, match=r".*"):
        datetime_from_ms(milliseconds)


@property_settings
@given(st.integers(-(10**12), 10**12))
def test_a_duration_survives_milliseconds(milliseconds: int) -> None:
    """Milliseconds to a duration and back are the same milliseconds."""
    assert duration_to_ms(duration_from_ms(milliseconds)) == milliseconds
