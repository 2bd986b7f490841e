"""The setting ``before_stop``: a command, and how long before the stop it is run."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from modelarts_magics.domain.durations import parse_duration
from modelarts_magics.errors import UsageError

MIN_BEFORE = timedelta(minutes=2)
"""A command has to end a minute before the stop, so it begins earlier than that."""


class BeforeStop(NamedTuple):
    """A command that is run before each stop.

    Attributes:
        before: The time left when it begins.
        command: The command, for the shell.
    """

    before: timedelta
    command: str


def parse_before_stop(text: str) -> BeforeStop:
    """Parse a text such as ``10m: python checkpoint.py``.

    Raises:
        UsageError: The text has another form, or the time left is too short for a command.
        DurationError: The time left is invalid.
    """
    before, separator, command = text.partition(": ")
    if not separator or not command.strip():
        raise UsageError("usage.before_stop", text=text)
    duration = parse_duration(before)
    if duration < MIN_BEFORE:
        raise UsageError("usage.before_stop_short", minimum=MIN_BEFORE)
    return BeforeStop(duration, command.strip())
