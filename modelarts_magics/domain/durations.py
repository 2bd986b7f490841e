"""Durations and clock times as people write them, and milliseconds as the cloud writes them.

The only place that knows milliseconds: everywhere else time is a `timedelta` or an aware
`datetime`.
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
FIRST_YEAR, LAST_YEAR = 1970, 9998
"""The years of a moment that can be written in any time zone: a calendar of ours ends in 9999."""

_UNIT_SECONDS = {
    **dict.fromkeys(("d", "day", "days", "天"), 86400),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "小时", "时"), 3600),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes", "分钟", "分"), 60),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds", "秒"), 1),
}
_UNIT_PATTERN = "|".join(sorted(_UNIT_SECONDS, key=len, reverse=True))
_DURATION_PART = re.compile(
    rf"\s*(\d{{1,9}}(?:\.\d{{1,9}})?)\s*({_UNIT_PATTERN})", re.ASCII | re.IGNORECASE
)
_CLOCK_TIME = re.compile(
    r"(?:(?P<day>today|tomorrow|今天|明天|\d{4}-\d{1,2}-\d{1,2}(?=[ T]))[ T]?\s*)?"
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?"
    r"\s*(?P<zone>Z|[+-]\d{2}:?\d{2})?",
    re.ASCII | re.IGNORECASE,
)


def parse_duration(text: str) -> timedelta:
    """Read a duration such as ``90m``, ``2h30m``, ``1.5h``, ``5400s`` or ``1 h 30 min``.

    Returns:
        A positive duration of whole seconds.

    Raises:
        DurationError: It cannot be read, has no unit, is zero or is not whole seconds.
    """
    written = text.strip()
    seconds = sum(_seconds_of_part(match) for match in _DURATION_PART.finditer(written))
    if _DURATION_PART.sub("", written).strip() or not written:
        raise DurationError(_duration_error_code(written), text=written)
    if seconds != round(seconds):
        raise DurationError("duration.fraction", text=written)
    if not 0 < seconds < 10**9:
        raise DurationError("duration.not_positive", text=written)
    return timedelta(seconds=round(seconds))


def _seconds_of_part(match: re.Match[str]) -> float:
    return round(float(match[1]) * _UNIT_SECONDS[match[2].lower()], 6)


def _duration_error_code(text: str) -> str:
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        return "duration.no_unit"
    return "duration.is_clock" if _CLOCK_TIME.fullmatch(text) else "duration.unreadable"


def parse_clock_time(text: str, *, now: datetime, zone: tzinfo) -> datetime:
    """Read a clock time such as ``18:00``, ``18:00+08:00``, ``tomorrow 09:00`` or an ISO time.

    A bare clock time is the next one: today if it is still to come, else tomorrow. A time that a day
    has twice, when the clocks go back, is the first that is still to come.

    Args:
        text: What was written.
        now: The present, aware.
        zone: The zone of a time written without an offset.

    Returns:
        An aware moment in `zone`, or in the offset that was written.

    Raises:
        DurationError: It cannot be read, or no clock shows that time on that day.
    """
    written = text.strip()
    match = _CLOCK_TIME.fullmatch(written)
    if not match:
        raise DurationError("clock.unreadable", text=written)
    day = (match["day"] or "").lower()
    try:
        where = _parse_offset(match["zone"]) if match["zone"] else zone
        here = now.astimezone(where)
        naive = _resolve_day(day, match, here)
        days = (naive,) if day else (naive, naive + ONE_DAY)
    except (ValueError, OverflowError):
        raise DurationError("clock.unreadable", text=written) from None
    both = [each.replace(tzinfo=where, fold=fold) for each in days for fold in (0, 1)]
    moment = next((each for each in both if _is_upcoming(each, now, here)), both[0])
    if _is_in_dst_gap(moment):
        raise DurationError("clock.skipped", text=written, zone=str(where))
    return moment


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


def _is_upcoming(moment: datetime, now: datetime, local_now: datetime) -> bool:
    if _is_in_dst_gap(moment):  # no moment at all: what counts is whether the day has passed it
        return moment.replace(tzinfo=None) > local_now.replace(tzinfo=None)
    return moment.astimezone(UTC) > now


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
    """The time zone of that name (``Asia/Shanghai``) or offset (``+08:00``); empty: the system's.

    Raises:
        ConfigurationError: No such zone is known on this machine.
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
    """A duration as the whole milliseconds that the cloud counts in."""
    return duration // timedelta(milliseconds=1)


def duration_from_ms(milliseconds: int) -> timedelta:
    """The duration of so many milliseconds."""
    return timedelta(milliseconds=milliseconds)


def datetime_from_ms(milliseconds: int) -> datetime:
    """The moment, in UTC, of a timestamp in milliseconds since 1970.

    Raises:
        ValueError: Not a moment that can be written in any time zone.
    """
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, OSError):
        raise ValueError(milliseconds) from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(milliseconds)
    return moment


def datetime_to_ms(moment: datetime) -> int:
    """The timestamp of an aware moment, in milliseconds since 1970."""
    return round(moment.timestamp() * 1000)
