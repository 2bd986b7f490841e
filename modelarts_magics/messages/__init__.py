"""Message catalogue: the text of every message by its code, in English and Chinese.

Other modules name a message by its code and pass values; only this package formats them as text. Values keep their
type (``timedelta``, aware ``datetime``) until then, so that code and values can also be sent to a browser.

It imports no other module of this project.
"""

from __future__ import annotations

import os
import re
import shlex
import string
import sys
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from modelarts_magics.messages import en
from modelarts_magics.messages.shared import SHARED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LANGUAGES = ("en", "zh_CN")
"""The available languages. The English catalogue is complete, so it is the fallback."""

_process_language: str | None = None
_request_language: ContextVar[str | None] = ContextVar("modelarts_language", default=None)
_timezone: tzinfo | None = None
_command_prefix = "%modelarts"
_SECONDS_SHOWN_BELOW_S = 600
_DIRECTION_MARKS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_BYTES_PER_KB = 1000


@dataclass(frozen=True)
class Message:
    """A message code with its values, formatted by `str`.

    Example:
        >>> str(Message("unit.h", {"n": 2}))
        '2 h'

    Attributes:
        code: The key of the message in the catalogue.
        values: The values of the placeholders.
    """

    code: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return text(self.code, **self.values)


def text(code: str, **values: object) -> str:
    """Return the message `code` in the current language.

    Args:
        code: The key of the message in the catalogue.
        **values: The values of the placeholders.

    Raises:
        KeyError: The catalogue has no such code, which is a bug in this package.
    """
    key = SHARED.get(code, code)
    template = _catalogue().get(key) or en.TEXTS[key]
    commands = {
        "cmd": _command_prefix,
        "login": _login_command(),
        "terminal": terminal_command(),
    }
    return _FORMATTER.vformat(template, (), {**commands, **values})


def _login_command() -> str:
    """Return the login command; in a terminal with ``--save``, because the process ends with the command."""
    return (
        f"{_command_prefix} login"
        if _command_prefix.startswith("%")
        else f"{_command_prefix} login --save"
    )


def terminal_command() -> str:
    """Return the command for a terminal, whose search path need not have this interpreter."""
    return f"{shlex.quote(sys.executable)} -m modelarts_magics"


def source_label(source: str) -> str:
    """Return the display name of the source of a value; the name of a variable is returned unchanged."""
    code = f"source.{source.replace(' ', '_')}"
    return text(code) if has_text(code) else source


def has_text(code: str) -> bool:
    """Return whether the catalogue has a message with this code."""
    return SHARED.get(code, code) in en.TEXTS


def join_list(items: Iterable[str]) -> str:
    """Join items with the list separator of the current language."""
    return text("word.list").join(items)


def use_language(tag: str | None) -> None:
    """Set the language of this process.

    Args:
        tag: ``"en"``, ``"zh_CN"`` or another tag, which falls back to English; None for the locale's language.
    """
    global _process_language  # noqa: PLW0603 - a process has one language
    _process_language = None if not tag else _match_language(tag)


def use_request_language(tag: str | None) -> None:
    """Set the language of the current request, which takes precedence over that of the process.

    It applies to the current context (`contextvars`): a task, or a thread that runs in a copy of the context.

    Args:
        tag: As for `use_language`, or an ``Accept-Language`` header; None or "" for the language of the process.
    """
    _request_language.set(_match_language(tag) if tag else None)


def escape_direction_marks(value: str) -> str:
    r"""Replace each invisible mark that changes the direction of text by an escape such as ``\u202e``."""
    return _DIRECTION_MARKS.sub(lambda match: f"\\u{ord(match[0]):04x}", value)


def has_direction_marks(value: str) -> bool:
    """Return whether a text has marks that change the direction of text."""
    return _DIRECTION_MARKS.search(value) is not None


def language() -> str:
    """Return the current language: of the request, else of the process, else of the locale, else English."""
    return _request_language.get() or _process_language or locale_language(os.environ)


def use_command_prefix(prefix: str) -> None:
    """Set how messages write a command: ``%modelarts`` or the command line of a terminal."""
    global _command_prefix  # noqa: PLW0603 - a process has one prefix
    _command_prefix = prefix


def use_timezone(timezone: tzinfo | None) -> None:
    """Set the time zone of the times in messages; None keeps the zone of each value."""
    global _timezone  # noqa: PLW0603 - a process has one time zone
    _timezone = timezone


def to_local(moment: datetime) -> datetime:
    """Return the same time in the time zone of messages."""
    return moment.astimezone(_timezone) if _timezone else moment


def same_day(one: datetime, other: datetime) -> bool:
    """Return whether two times have the same date in the time zone of messages."""
    return to_local(one).date() == to_local(other).date()


def format_duration(duration: timedelta) -> str:
    """Return an exact duration as text, for example ``1 h 30 min`` or ``24 h``."""
    seconds = round(duration.total_seconds())
    parts = (
        (seconds // 3600, "unit.h"),
        (seconds // 60 % 60, "unit.min"),
        (seconds % 60, "unit.s"),
    )
    named = [(number, unit) for number, unit in parts if number] or [(0, "unit.s")]
    return " ".join(text(unit, n=number) for number, unit in named)


def format_duration_argument(duration: timedelta) -> str:
    """Return a duration as a command argument, for example ``2h30m``."""
    seconds = round(duration.total_seconds())
    parts = ((seconds // 3600, "h"), (seconds // 60 % 60, "m"), (seconds % 60, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def format_time_left(time_left: timedelta) -> str:
    """Return a time left as text, rounded down; with seconds only in the last ten minutes."""
    seconds = max(0, int(time_left.total_seconds()))
    if seconds >= _SECONDS_SHOWN_BELOW_S:
        seconds -= seconds % 60
    return format_duration(timedelta(seconds=seconds))


def format_datetime(moment: datetime) -> str:
    """Return a time with date and UTC offset, for example ``2026-11-23 18:04 +08:00``."""
    local = to_local(moment)
    return f"{local:%Y-%m-%d %H:%M} {_format_offset(local)}"


def _format_offset(moment: datetime) -> str:
    raw = moment.strftime("%z") or "+0000"
    return f"{raw[:3]}:{raw[3:5]}"


def format_clock_time(moment: datetime) -> str:
    """Return the time of day alone, for example ``18:04``."""
    return f"{to_local(moment):%H:%M}"


def format_size(size: float) -> str:
    """Return a number of bytes as text, for example ``4.5 MB``."""
    units = iter(("B", "kB", "MB", "GB"))
    unit = next(units)
    while size >= _BYTES_PER_KB and unit != "GB":
        size, unit = size / _BYTES_PER_KB, next(units)
    return (
        f"{size:.0f} {unit}" if unit == "B" or size >= _BYTES_PER_KB / 10 else f"{size:.1f} {unit}"
    )


def format_status(status: str) -> str:
    """Return an instance status as text, for example ``RUNNING`` in English; an unknown one unchanged."""
    return _format_named("status", status)


def _format_named(prefix: str, value: object) -> str:
    """Return the text of a status or a type; an unknown one is returned unchanged."""
    code = f"{prefix}.{value}"
    return text(code) if has_text(code) else str(value)


_DURATION_FORMATS = {"time_left": format_time_left, "argument": format_duration_argument}


class _MessageFormatter(string.Formatter):
    """Format values by type.

    Formats of a duration: ``:time_left`` and ``:argument``; of a time: ``:clock``; of a string: ``:status`` and
    ``:type`` for the text of an instance status or of a JSON type; of a number: ``:size`` for bytes.
    """

    def format_field(self, value: Any, format_spec: str) -> Any:  # noqa: ANN401 - as in the base class
        if isinstance(value, timedelta):
            return _DURATION_FORMATS.get(format_spec, format_duration)(value)
        if isinstance(value, datetime):
            return format_clock_time(value) if format_spec == "clock" else format_datetime(value)
        if format_spec == "size":
            return format_size(value)
        if format_spec in ("status", "type"):
            return _format_named(format_spec, value)
        if isinstance(value, Message):
            return str(value)
        if isinstance(value, str):
            value = escape_direction_marks(value)
        return super().format_field(value, format_spec)


_FORMATTER = _MessageFormatter()


def _match_language(tag: str) -> str:
    return "zh_CN" if tag.lower().startswith("zh") else "en"


def locale_language(environ: Mapping[str, str]) -> str:
    """Return the language of the locale, else English."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environ.get(name):
            return _match_language(environ[name])
    return "en"


def _catalogue() -> Mapping[str, str]:
    if language() == "en":
        return en.TEXTS
    # Most processes need one language only, so Chinese is loaded when it is used.
    from modelarts_magics.messages import zh_cn  # noqa: PLC0415 - loaded when used

    return zh_cn.TEXTS
