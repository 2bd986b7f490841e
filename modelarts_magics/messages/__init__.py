"""Every sentence shown to a person, by code, in the person's language.

Code elsewhere names a sentence by its code and gives it values; only this package turns
the two into text. Values stay what they are (a ``timedelta``, an aware ``datetime``) until
then, so that the same code and values can also cross to a browser and be worded there.
"""

from __future__ import annotations

import os
import string
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from modelarts_magics.messages import en

if TYPE_CHECKING:
    from collections.abc import Mapping

LANGUAGES = ("en", "zh_CN")
"""The languages that ship; `en` is complete by definition."""

_process_language: str | None = None
_request_language: ContextVar[str | None] = ContextVar("modelarts_language", default=None)
_timezone: tzinfo | None = None
_command_prefix = "%modelarts"


@dataclass(frozen=True)
class Message:
    """A sentence not yet worded: its code and its values.

    Attributes:
        code: The key of the sentence in the catalogue.
        values: What the sentence's places are filled with.
    """

    code: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return text(self.code, **self.values)


def text(code: str, **values: object) -> str:
    """Word the sentence `code` in the language in force.

    Raises:
        KeyError: No catalogue has the code; a mistake in this package, not of the person.
    """
    template = _catalogue().get(code) or en.TEXTS[code]
    return _FORMATTER.vformat(
        template, (), {"cmd": _command_prefix, "login": _login_command(), **values}
    )


def _login_command() -> str:
    """How a key is entered where the reader is: a terminal's command forgets one that it does not save."""
    return (
        f"{_command_prefix} login"
        if _command_prefix.startswith("%")
        else f"{_command_prefix} login --save"
    )


def source_label(source: str) -> str:
    """The place that a value came from, in words where it is no name that one could type."""
    code = f"source.{source.replace(' ', '_')}"
    return text(code) if has_text(code) else source


def has_text(code: str) -> bool:
    """Whether a sentence of that code exists."""
    return code in en.TEXTS


def use_language(tag: str | None) -> None:
    """Choose the language of all later sentences: ``"en"``, ``"zh_CN"``, or None for the locale's.

    An unknown tag falls back to English, so that a setting never takes the words away.
    """
    global _process_language  # noqa: PLW0603 - one person, one language: a process-wide choice by nature
    _process_language = None if not tag else _match_language(tag)


def use_request_language(tag: str | None) -> None:
    """Choose the language of one question and of all that is done for it, before the process's own.

    It holds in the present context (`contextvars`): a task, or a thread that was given a copy.

    Args:
        tag: As for `use_language`, or a whole ``Accept-Language``; None or "" for the process's own.
    """
    _request_language.set(_match_language(tag) if tag else None)


def language() -> str:
    """The language in force: the question's, else the one chosen, else the locale's, else English."""
    return _request_language.get() or _process_language or _locale_language(os.environ)


def use_command_prefix(prefix: str) -> None:
    """Choose how a sentence writes a command to type: ``%modelarts`` or a terminal's words."""
    global _command_prefix  # noqa: PLW0603 - as for the language
    _command_prefix = prefix


def use_timezone(timezone: tzinfo | None) -> None:
    """Choose the time zone in which all later sentences name a moment; None: as it comes."""
    global _timezone  # noqa: PLW0603 - as for the language
    _timezone = timezone


def to_local(moment: datetime) -> datetime:
    """The same moment in the zone that sentences use."""
    return moment.astimezone(_timezone) if _timezone else moment


def same_day(one: datetime, other: datetime) -> bool:
    """Whether two moments share a date where the reader is."""
    return to_local(one).date() == to_local(other).date()


def format_duration(duration: timedelta) -> str:
    """An exact duration in words: ``1 h 30 min``, ``24 h``, ``1 h 5 s``."""
    seconds = round(duration.total_seconds())
    parts = (
        (seconds // 3600, "unit.h"),
        (seconds // 60 % 60, "unit.min"),
        (seconds % 60, "unit.s"),
    )
    named = [(number, unit) for number, unit in parts if number] or [(0, "unit.s")]
    if len(named) == 1 and named[0][1] == "unit.min":
        return text("unit.min_only", n=named[0][0])  # a word of its own in Chinese
    return " ".join(text(unit, n=number) for number, unit in named)


def format_duration_argument(duration: timedelta) -> str:
    """A duration as a command takes it: ``2h30m``."""
    seconds = round(duration.total_seconds())
    parts = ((seconds // 3600, "h"), (seconds // 60 % 60, "m"), (seconds % 60, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def format_time_left(time_left: timedelta) -> str:
    """A time that runs down, as fine as it matters: seconds only in the last ten minutes."""
    seconds = max(0, int(time_left.total_seconds()))
    fine = seconds if seconds < 600 else seconds - seconds % 60  # noqa: PLR2004 - ten minutes
    return format_duration(timedelta(seconds=fine))


def format_datetime(moment: datetime) -> str:
    """A point in time that is still true tomorrow: ``2026-11-23 18:04 +08:00``."""
    local = to_local(moment)
    return f"{local:%Y-%m-%d %H:%M} {_format_offset(local)}"


def _format_offset(moment: datetime) -> str:
    raw = moment.strftime("%z") or "+0000"
    return f"{raw[:3]}:{raw[3:5]}"


def format_clock_time(moment: datetime) -> str:
    """The time of day alone, for what ticks: ``18:04``."""
    return f"{to_local(moment):%H:%M}"


class _MessageFormatter(string.Formatter):
    """`str.format` that knows spans and moments; ``:left``, ``:arg`` and ``:clock`` choose other forms."""

    def format_field(self, value: Any, format_spec: str) -> Any:  # noqa: ANN401 - the base's signature
        if isinstance(value, timedelta):
            return {"left": format_time_left, "arg": format_duration_argument}.get(
                format_spec, format_duration
            )(value)
        if isinstance(value, datetime):
            return format_clock_time(value) if format_spec == "clock" else format_datetime(value)
        if isinstance(value, Message):
            return str(value)
        return super().format_field(value, format_spec)


_FORMATTER = _MessageFormatter()


def _match_language(tag: str) -> str:
    return "zh_CN" if tag.lower().startswith("zh") else "en"


def _locale_language(environ: Mapping[str, str]) -> str:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environ.get(name):
            return _match_language(environ[name])
    return "en"


def _catalogue() -> Mapping[str, str]:
    if language() == "en":
        return en.TEXTS
    from modelarts_magics.messages import zh_cn  # noqa: PLC0415 - loaded by who reads it

    return zh_cn.TEXTS
