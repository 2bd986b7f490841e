"""What the doctor found out, worded for who reads it."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import Enum

from modelarts_magics.messages import has_text, text


class Level(str, Enum):
    """How a finding is meant."""

    OK = "ok"
    INFO = "info"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One thing found out: what about, how it is, and what to do where it is a problem."""

    subject: str
    level: Level
    message: str
    hint: str = ""

    @property
    def label(self) -> str:
        """What it is about, in the reader's language; a setting keeps its name."""
        code = f"doctor.about.{self.subject.replace(' ', '_').replace('-', '_')}"
        return text(code) if has_text(code) else self.subject

    @property
    def short_hint(self) -> str:
        """The hint, without the advice to ask the doctor."""
        again = text("doctor.command")
        return (
            self.hint[: -len(again)].rstrip(" :\N{FULLWIDTH COLON}")
            if self.hint.endswith(again)
            else self.hint
        )


def pad_label(label: str, width: int) -> str:
    """The label in a column; a Chinese character takes two places of a terminal."""
    return label + " " * (width - display_width(label))


def display_width(value: str) -> int:
    """How many places of a terminal a label takes."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in value)
