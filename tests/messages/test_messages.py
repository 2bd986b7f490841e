"""Formatting of durations, times and messages, and the choice of language."""

from __future__ import annotations

import re
from datetime import timedelta, timezone

import pytest
from factories import HOUR, MINUTE, NOW
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics import messages
from modelarts_magics.messages import Message, en


@pytest.mark.parametrize(
    ("duration", "expected", "argument"),
    [
        (timedelta(0), "0 s", "0s"),
        (timedelta(seconds=5), "5 s", "5s"),
        (MINUTE, "1 min", "1m"),
        (HOUR, "1 h", "1h"),
        (HOUR + timedelta(seconds=5), "1 h 5 s", "1h5s"),
        (HOUR + 30 * MINUTE, "1 h 30 min", "1h30m"),
        (24 * HOUR, "24 h", "24h"),
        (72 * HOUR, "72 h", "72h"),
        (timedelta(seconds=3599.6), "1 h", "1h"),
    ],
)
def test_duration_is_exact_as_text_and_argument(
    duration: timedelta, expected: str, argument: str
) -> None:
    """Days are shown as hours, and parts that are zero are omitted."""
    assert messages.format_duration(duration) == expected
    assert messages.format_duration_argument(duration) == argument


@pytest.mark.parametrize(
    ("remaining", "expected"),
    [
        (timedelta(seconds=-5), "0 s"),
        (timedelta(0), "0 s"),
        (timedelta(seconds=59.9), "59 s"),
        (10 * MINUTE - timedelta(milliseconds=1), "9 min 59 s"),
        (10 * MINUTE, "10 min"),
        (HOUR + timedelta(seconds=59), "1 h"),
        (25 * HOUR + MINUTE, "25 h 1 min"),
    ],
)
def test_time_left_shows_seconds_below_ten_minutes(remaining: timedelta, expected: str) -> None:
    """The time left is rounded down and never negative."""
    assert messages.format_time_left(remaining) == expected


@given(st.timedeltas(timedelta(days=-1), timedelta(days=9)))
def test_time_left_is_never_rounded_up(remaining: timedelta) -> None:
    """The time left that is shown is at most the time left."""
    shown = re.findall(r"(\d+) (h|min|s)", messages.format_time_left(remaining))
    seconds = sum(int(n) * {"h": 3600, "min": 60, "s": 1}[unit] for n, unit in shown)
    assert seconds <= max(0.0, remaining.total_seconds())


def test_datetime_has_date_and_offset() -> None:
    """A time in saved output is still correct later and in another time zone."""
    assert messages.format_datetime(NOW) == "2026-11-23 08:52 +00:00"
    assert messages.format_clock_time(NOW) == "08:52"


@pytest.mark.parametrize(
    ("offset", "when", "clock"),
    [
        (8 * HOUR, "2026-11-23 16:52 +08:00", "16:52"),
        (-5 * HOUR - 30 * MINUTE, "2026-11-23 03:22 -05:30", "03:22"),
        (16 * HOUR, "2026-11-24 00:52 +16:00", "00:52"),
    ],
)
def test_time_zone_applies_to_all_times(offset: timedelta, when: str, clock: str) -> None:
    """The time zone applies to times in messages and to times alone."""
    messages.use_timezone(timezone(offset))
    assert (messages.format_datetime(NOW), messages.format_clock_time(NOW)) == (when, clock)
    assert messages.text("refuse.time_in_past", stop_time=NOW) == f"{when} is in the past."
    messages.use_timezone(None)
    assert messages.format_datetime(NOW) == "2026-11-23 08:52 +00:00"


def test_same_day_depends_on_the_time_zone() -> None:
    """Two times of one UTC day may be on two days in another time zone."""
    assert messages.same_day(NOW, NOW + 10 * HOUR)
    messages.use_timezone(timezone(8 * HOUR))
    assert not messages.same_day(NOW, NOW + 10 * HOUR)


def test_command_has_the_prefix_of_the_environment() -> None:
    """A notebook shows the magic, a terminal the command line."""
    hint = "refuse.auto_stop_off.hint"
    assert messages.text(hint) == "To turn it on: %modelarts auto-stop on"
    messages.use_command_prefix("/usr/bin/python3 -m modelarts_magics")
    assert messages.text(hint).endswith("-m modelarts_magics auto-stop on")


def test_login_in_a_terminal_has_the_save_option() -> None:
    """The process of a terminal command ends, so a login has to be saved."""
    assert messages.text("login.empty.hint") == "Try again: %modelarts login"
    messages.use_command_prefix("python -m modelarts_magics")
    for code in ("login.empty.hint", "credentials.not_found.hint", "api.401.0202.hint"):
        assert "python -m modelarts_magics login --save" in messages.text(code)


@pytest.mark.parametrize("language", messages.LANGUAGES)
@pytest.mark.parametrize("code", ["credentials.not_found", "api.401.0201", "api.401.0202"])
def test_hint_names_login_before_variables(code: str, language: str) -> None:
    """A variable that is named first could lead to a secret in a cell."""
    messages.use_language(language)
    hint = messages.text(f"{code}.hint")
    assert hint.index("%modelarts login") < hint.index("MODELARTS_AUTH_TOKEN")


def test_braces_in_values_are_kept() -> None:
    """A value that looks like a placeholder is shown unchanged."""
    assert "“{cmd} {0} {x!r}”" in messages.text("duration.invalid", text="{cmd} {0} {x!r}")


def test_message_is_formatted_when_it_is_shown() -> None:
    """A message in a message uses the time zone and language at that time."""
    inner = Message("refuse.time_in_past", {"stop_time": NOW})
    messages.use_timezone(timezone(8 * HOUR))
    assert str(inner) == "2026-11-23 16:52 +08:00 is in the past."
    assert str(Message("unreachable.connect", {"host": "h", "reason": Message("reason.name")})) == (
        "Cannot connect to h: host name not resolved."
    )


@pytest.mark.parametrize(
    ("language", "status", "expected"),
    [
        ("en", "STOPPING", "The instance is already STOPPING."),
        ("zh_CN", "STOPPING", "实例已处于“停止中”状态。"),
        ("zh_CN", "NEW_STATUS", "实例已处于“NEW_STATUS”状态。"),
    ],
)
def test_status_is_translated(language: str, status: str, expected: str) -> None:
    """A status is shown in the words of the console; an unknown status is shown unchanged."""
    messages.use_language(language)
    assert messages.text("refuse.already_stopped", status=status) == expected


def test_list_separator_depends_on_the_language() -> None:
    """Chinese separates items with an enumeration comma."""
    assert messages.join_list(["a", "b"]) == "a, b"
    messages.use_language("zh_CN")
    assert messages.join_list(["a", "b"]) == "a、b"


@pytest.mark.parametrize("tag", ["en", "EN_us", "de", "xx", "C"])
def test_unknown_language_is_english(tag: str) -> None:
    """An unsupported language falls back to English."""
    messages.use_language(tag)
    assert messages.language() == "en"
    assert messages.text("refuse.no_reminder") == en.TEXTS["refuse.no_reminder"]


@pytest.mark.parametrize("tag", ["zh", "zh_CN", "zh-Hans", "ZH_cn.UTF-8"])
def test_every_chinese_tag_is_simplified_chinese(tag: str) -> None:
    """All tags of Chinese select the one that is available."""
    messages.use_language(tag)
    assert messages.language() == "zh_CN"


def test_unknown_code_raises_key_error() -> None:
    """An unknown code is a bug, which `has_text` can detect beforehand."""
    assert messages.has_text("refuse.auto_stop_off")
    assert not messages.has_text("refuse.no-such-thing")
    with pytest.raises(KeyError):
        messages.text("refuse.no-such-thing")
