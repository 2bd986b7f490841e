"""Parse what a person enters to say when the instance stops: a duration, ``in`` a duration or ``at`` a time.

The page parses the same texts in ``labextension/src/countdown/time-input.ts``; both are tested with
``tests/contract/time_input.json``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from modelarts_magics.domain.durations import parse_duration

if TYPE_CHECKING:
    from datetime import timedelta

_IN = r"(?is)in\b\s*(.+)|(.+?)\s*(?:from now|后)"
_AT = r"(?is)at\b\s*(.+)|((?:today|tomorrow|今天|明天|\d{4}-\d{1,2}-\d{1,2}[ T]).*)"


class TimeInput(NamedTuple):
    """A parsed time; exactly one field is not None.

    Attributes:
        duration: A duration, for example ``2h30m``.
        time_left: A duration from now, for example ``in 90m``.
        clock_time: A time of day as entered, without ``at``; `parse_clock_time` reads it.
    """

    duration: timedelta | None = None
    time_left: timedelta | None = None
    clock_time: str | None = None


def parse_time_input(text: str) -> TimeInput:
    """Parse ``2h30m``, ``2:30``, ``in 90m``, ``at 18:00``, ``tomorrow 09:00`` or ``明天09:00``.

    A clock time is only recognised here: to read it, the time of the API and a time zone are needed.

    Example:
        >>> parse_time_input("in 90m").time_left
        datetime.timedelta(seconds=5400)

    Raises:
        DurationError: The text contains a duration that cannot be parsed.
    """
    text = text.strip()
    at = re.fullmatch(_AT, text)
    if at:
        return TimeInput(clock_time=(at[1] or at[2]).strip())
    within = re.fullmatch(_IN, text)
    if within:
        return TimeInput(time_left=parse_duration(within[1] or within[2]))
    return TimeInput(duration=parse_duration(text))
