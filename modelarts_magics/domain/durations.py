"""Parse durations and clock times as people write them, and convert the milliseconds of the API.

Outside this module time is always a `timedelta` or an aware `datetime`.
"""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from modelarts_magics.errors import ConfigurationError, DurationError

UTC = timezone.utc
ONE_DAY = timedelta(days=1)
MAX_DURATION = timedelta(days=36500)
"""The longest duration to compute with: far beyond every API, and can be added to any date."""
MAX_RUN_TIME = timedelta(hours=72)
"""The longest run time that either API accepts."""
MAX_TIME_AHEAD = MAX_RUN_TIME + ONE_DAY
"""The time from now after which no run can stop, also if the clock of this machine is wrong by a day."""
FIRST_YEAR, LAST_YEAR = 1970, 9998
"""The range of years in which a moment can be written in any time zone; `datetime` ends in 9999."""
FIRST_PLAUSIBLE_YEAR, LAST_PLAUSIBLE_YEAR = 2000, 2199
"""The range of years of an instance. A timestamp in seconds instead of milliseconds is outside of it."""

_UNIT_SECONDS = {
    **dict.fromkeys(("d", "day", "days", "天"), 86400),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "小时", "个小时", "时"), 3600),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes", "分钟", "分"), 60),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds", "秒"), 1),
}
_UNIT_PATTERN = "|".join(sorted(_UNIT_SECONDS, key=len, reverse=True))
# Compiled when they are first used, like the other patterns that the first command of a kernel does not need.
_DURATION_PART = rf"(?ai)\s*(\d{{1,9}}(?:\.\d{{1,9}})?)\s*({_UNIT_PATTERN})"
# Chinese keyboards type a colon of full width.
_COLON = "[:\uff1a]"
_COLON_DURATION = rf"(?a)(\d{{1,3}}){_COLON}([0-5]\d)(?:{_COLON}([0-5]\d))?"
_HOURS_OF_DAY = range(10, 24)
_CLOCK_TIME = (
    r"(?ai)(?:(?P<day>today|tomorrow|今天|明天|\d{4}-\d{1,2}-\d{1,2}(?=[ T]))[ T]?\s*)?"
    rf"(?P<hour>\d{{1,2}}){_COLON}(?P<minute>[0-5]\d)(?:{_COLON}(?P<second>[0-5]\d))?"
    r"\s*(?P<zone>Z|[+-]\d{2}:?\d{2})?"
)


def parse_duration(text: str) -> timedelta:
    """Parse a duration such as ``90m``, ``2h30m``, ``1.5h``, ``2:30``, ``3 hours`` or ``3小时``.

    Units may be English or Chinese, from seconds to days. With a colon it is ``h:mm`` or ``h:mm:ss``. From
    10 to 23 hours that is refused, because ``18:00`` more often means a time of day.

    Example:
        >>> parse_duration("1h30m")
        datetime.timedelta(seconds=5400)

    Returns:
        A positive duration in whole seconds.

    Raises:
        DurationError: The text cannot be parsed, has no unit or one twice, is zero or is not in whole seconds.
    """
    text = text.strip()
    seconds = _seconds_with_colon(text)
    if seconds is None:
        if re.sub(_DURATION_PART, "", text).strip() or not text:
            raise DurationError(_duration_error_code(text), text=text)
        parts = list(re.finditer(_DURATION_PART, text))
        _refuse_repeated_unit(parts, text)
        seconds = sum(_seconds_of_part(part) for part in parts)
    if seconds != round(seconds):
        raise DurationError("duration.not_whole_seconds", text=text)
    if not 0 < seconds < 10**9:
        raise DurationError("duration.not_positive", text=text)
    return timedelta(seconds=round(seconds))


def _seconds_with_colon(text: str) -> float | None:
    """Return the seconds of ``h:mm`` or ``h:mm:ss``; None if the text is not one of them."""
    match = re.fullmatch(_COLON_DURATION, text)
    if match is None or int(match[1]) in _HOURS_OF_DAY:
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def _refuse_repeated_unit(parts: list[re.Match[str]], text: str) -> None:
    """Raise an error for ``1h 2h``, which is two durations rather than their sum."""
    units: set[int] = set()
    for part in parts:
        unit = _UNIT_SECONDS[part[2].lower()]
        if unit in units:
            raise DurationError("duration.repeated_unit", text=text, part=part[0].strip())
        units.add(unit)


def _seconds_of_part(match: re.Match[str]) -> float:
    return round(float(match[1]) * _UNIT_SECONDS[match[2].lower()], 6)


def _duration_error_code(text: str) -> str:
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        return "duration.no_unit"
    return "duration.is_clock_time" if re.fullmatch(_CLOCK_TIME, text) else "duration.invalid"


def parse_clock_time(text: str, *, now: datetime, zone: tzinfo) -> datetime:
    """Parse a clock time such as ``18:00``, ``18:00+08:00``, ``tomorrow 09:00`` or an ISO time.

    A time without a day is the next one: today if it is still to come, else tomorrow. A time that occurs
    twice on a day, when clocks are set back, is the first one that is still to come.

    Example:
        >>> now = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
        >>> parse_clock_time("18:00", now=now, zone=UTC)
        datetime.datetime(2026, 11, 23, 18, 0, tzinfo=datetime.timezone.utc)

    Args:
        text: The time as entered.
        now: The current time, aware.
        zone: The time zone if the text has no offset.

    Returns:
        An aware time in `zone`, or in the offset of the text.

    Raises:
        DurationError: The text cannot be parsed, or that time does not exist on that day.
    """
    text = text.strip()
    match = re.fullmatch(_CLOCK_TIME, text)
    if not match:
        raise DurationError("clock_time.invalid", text=text)
    try:
        zone = _parse_offset(match["zone"]) if match["zone"] else zone
        moment = _next_matching_time(match, now.astimezone(zone))
    except (ValueError, OverflowError):
        raise DurationError("clock_time.invalid", text=text) from None
    if _is_in_dst_gap(moment):
        raise DurationError("clock_time.skipped", text=text, zone=str(zone))
    return moment


def has_offset(text: str) -> bool:
    """Return whether a clock time names its offset from UTC, so that it does not depend on a time zone."""
    match = re.fullmatch(_CLOCK_TIME, text.strip())
    return match is not None and match["zone"] is not None


def _next_matching_time(match: re.Match[str], local_now: datetime) -> datetime:
    day = (match["day"] or "").lower()
    naive = _resolve_day(day, match, local_now)
    days = (naive,) if day else (naive, naive + ONE_DAY)
    candidates = [
        each.replace(tzinfo=local_now.tzinfo, fold=fold) for each in days for fold in (0, 1)
    ]
    return next((each for each in candidates if _is_upcoming(each, local_now)), candidates[0])


def _resolve_day(day: str, match: re.Match[str], local_now: datetime) -> datetime:
    hour, minute, second = (int(match[unit] or 0) for unit in ("hour", "minute", "second"))
    base = local_now.replace(tzinfo=None, microsecond=0, fold=0)
    if day in ("tomorrow", "明天"):
        base += ONE_DAY
    elif day and day[0].isdigit():
        year, month, date = (int(part) for part in day.split("-"))
        if not FIRST_YEAR <= year <= LAST_YEAR:
            raise ValueError(year)
        base = base.replace(year=year, month=month, day=date)
    return base.replace(hour=hour, minute=minute, second=second)


def _is_upcoming(moment: datetime, local_now: datetime) -> bool:
    # A time in the gap is no moment, so compare the wall-clock readings.
    if _is_in_dst_gap(moment):
        return moment.replace(tzinfo=None) > local_now.replace(tzinfo=None)
    return moment.astimezone(UTC) > local_now.astimezone(UTC)


def _is_in_dst_gap(moment: datetime) -> bool:
    return moment.astimezone(UTC).astimezone(moment.tzinfo).replace(tzinfo=None) != moment.replace(
        tzinfo=None
    )


def _parse_offset(text: str) -> timezone:
    if text.upper() == "Z":
        return UTC
    sign = -1 if text[0] == "-" else 1
    hours, minutes = int(text[1:3]), int(text[-2:])
    if hours > 23 or minutes > 59:  # noqa: PLR2004 - the bounds of an ISO offset
        raise ValueError(text)
    return timezone(sign * timedelta(hours=hours, minutes=minutes))


def parse_timezone(name: str) -> tzinfo:
    """Return the time zone for a name (``Asia/Shanghai``) or an offset (``+08:00``).

    Args:
        name: The name or offset; "" for the time zone of the system.

    Raises:
        ConfigurationError: The time zone is unknown on this machine.
    """
    if not name:
        return _system_timezone()
    try:
        if re.fullmatch(r"[+-]\d{2}:\d{2}|Z", name, re.ASCII | re.IGNORECASE):
            return _parse_offset(name)
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigurationError("config.timezone", value=name) from None


def _system_timezone() -> tzinfo:
    try:
        name = os.environ.get("TZ", "").lstrip(":")
        if name:
            return ZoneInfo(name)
        with Path("/etc/localtime").open("rb") as rules:
            return ZoneInfo.from_file(rules, key="local")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return datetime.now().astimezone().tzinfo or UTC


def duration_to_ms(duration: timedelta) -> int:
    """Convert a duration to whole milliseconds, the unit of the API."""
    return duration // timedelta(milliseconds=1)


def duration_from_ms(milliseconds: int) -> timedelta:
    """Convert milliseconds to a duration."""
    return timedelta(milliseconds=milliseconds)


def datetime_from_ms(milliseconds: int) -> datetime:
    """Convert a timestamp in milliseconds since 1970 to a time in UTC.

    Raises:
        ValueError: The time cannot be written in every time zone.
    """
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, OSError):
        raise ValueError(milliseconds) from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(milliseconds)
    return moment


def is_plausible_time(moment: datetime) -> bool:
    """Return whether an aware time can belong to an instance: from the year 2000 to 2199."""
    return FIRST_PLAUSIBLE_YEAR <= moment.year <= LAST_PLAUSIBLE_YEAR


def datetime_to_ms(moment: datetime) -> int:
    """Convert an aware time to milliseconds since 1970."""
    return round(moment.timestamp() * 1000)
