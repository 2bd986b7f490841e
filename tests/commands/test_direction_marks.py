"""Marks that change the direction of text are escaped wherever a description is shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from modelarts_magics.commands.render import render_html, render_text
from modelarts_magics.domain.models import Effect
from modelarts_magics.errors import OutcomeUnknownError

if TYPE_CHECKING:
    from emulator_harness import EmulatorHarness

MARKS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
STORED = f"a{MARKS}b"
SHOWN = "".join(f"\\u{ord(mark):04x}" for mark in MARKS)


@pytest.mark.parametrize(
    "line",
    [
        "status",
        "status --all",
        "status --json",
        "describe",
        "describe --json",
        "describe new",
        "extend",
        "extend --json",
    ],
)
def test_direction_marks_are_shown_as_escapes(harness: EmulatorHarness, line: str) -> None:
    """In a terminal and as HTML."""
    harness.emulator.set_instance(description=STORED)
    value = harness.run_magic(line)
    for shown in (render_text(value), render_html(value)):
        assert not set(MARKS) & set(shown)
        assert SHOWN in shown or line == "extend"


def test_json_has_the_same_text(harness: EmulatorHarness) -> None:
    """A program that reads the output gets the marks."""
    harness.emulator.set_instance(description=STORED)
    assert json.loads(repr(harness.run_magic("status --json")))["description"] == STORED


def test_description_with_marks_can_be_set(harness: EmulatorHarness) -> None:
    """They are part of right-to-left text; the result shows them."""
    change = harness.run_magic(f"describe {STORED}")
    assert change.effect is Effect.NOW
    assert harness.instance_state()["description"] == STORED
    assert SHOWN in render_text(change)


def test_error_shows_marks_as_escapes(harness: EmulatorHarness) -> None:
    """It quotes the description as read back."""
    harness.emulator.set_instance(description=STORED)
    harness.emulator.add_fault("500", methods=("PUT",))
    with pytest.raises(OutcomeUnknownError) as caught:
        harness.run_magic("extend")
    assert SHOWN in str(caught.value)
    assert not set(MARKS) & set(str(caught.value))
