"""Findings of the doctor and their text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from modelarts_magics.domain.models import Word
from modelarts_magics.messages import has_text, text


class Level(Word):
    """The severity of a finding."""

    OK = "ok"
    INFO = "info"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One finding of the doctor.

    Attributes:
        subject: The checked item, a key of the messages ``doctor.about.*`` or the name of a setting.
        level: The severity.
        message: The finding.
        hint: What to do about it; "" if there is nothing to do.
    """

    subject: str
    level: Level
    message: str
    hint: str = ""

    @property
    def label(self) -> str:
        """The subject in the reader's language; the name of a setting is not translated."""
        code = f"doctor.about.{self.subject.replace(' ', '_').replace('-', '_')}"
        return text(code) if has_text(code) else self.subject

    @property
    def short_hint(self) -> str:
        """The hint without the advice to run the doctor."""
        command = text("doctor.command")
        hint = self.hint.removesuffix(" --all")
        if not hint.endswith(command):
            return self.hint
        shortened = hint[: -len(command)].rstrip(" :\N{FULLWIDTH COLON}")
        # Where a sentence of its own names the command, nothing of that sentence is left.
        sentences = re.split(r"(?<=\. )|(?<=\N{IDEOGRAPHIC FULL STOP})", shortened)
        return "".join(sentences[:-1]).rstrip() or shortened
