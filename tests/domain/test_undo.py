"""The command that undoes a change: it is run, and the state before and after is compared."""

from __future__ import annotations

import shlex
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics.commands.parser import parse_arguments, parse_line
from modelarts_magics.domain.description import FULL_WIDTH_FORMS
from modelarts_magics.domain.models import Change, Edit, Effect
from modelarts_magics.domain.undo import undo_command

if TYPE_CHECKING:
    from emulator_harness import EmulatorHarness

EDITIONS = ["2019", "2021"]


def changeable_state(harness: EmulatorHarness) -> dict[str, Any]:
    """Return all fields that a command can change; a duration only if auto-stop is on."""
    shown = harness.instance_state()
    names = ["description", "enable", "prompt"]
    return {name: shown[name] for name in names + ["duration_s", "stops_at"] * shown["enable"]}


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize(
    ("before", "line"),
    [
        ("", "describe something else"),
        ("", "describe --clear"),
        ("describe --clear", "describe first text"),
        ("describe what?", "describe new"),
        ("describe -- -dash", "describe new"),
        ("describe ' blank around '", "describe new"),
        ("describe $HOME {x} `id` $(id) ; # * ! \\", "describe new"),
        ("describe 训练；🤖\u3000全角", "describe new"),  # noqa: RUF001 - Chinese
        ('describe --replace "it\'s"', "describe new"),
        ("describe --json", "describe new"),
        ("", "auto-stop 2h"),
        ("", "auto-stop in 3h"),
        ("", "auto-stop at 20:00"),
        ("", "auto-stop off"),
        ("auto-stop off", "auto-stop on"),
        ("auto-stop off", "auto-stop 5h"),
        ("", "auto-stop --no-remind"),
        ("auto-stop --no-remind", "auto-stop --remind"),
        ("auto-stop --no-remind", "auto-stop 4h --remind"),
        ("", "auto-stop 4h --no-remind"),
        ("", "auto-stop off --no-remind"),
        ("auto-stop off --no-remind", "auto-stop on --remind"),
        ("", "extend"),
        ("", "extend 90m"),
        ("", "shorten 2h"),
        ("auto-stop 12345s", "extend 1s --yes"),
    ],
)
def test_undo_restores_the_previous_state(
    make_harness: Callable[..., EmulatorHarness], edition: str, before: str, line: str
) -> None:
    """The command is entered as shown, in a kernel and in a shell, for both editions."""
    harness = make_harness(edition=edition, minutes_left=300 if "shorten" in line else 40)
    if before:
        harness.run_magic(before)
    was = changeable_state(harness)
    for undo_by in (
        harness.run_magic,
        lambda command: harness.run_in_terminal(shlex.split(command)),
    ):
        change = harness.run_magic(line)
        if change.leaves_no_trace:
            # This run did not follow, and the run time of later starts has been restored.
            assert changeable_state(harness) == was
            assert undo_command(change) == ""
            return
        assert changeable_state(harness) != was
        undo_by(undo_command(change))
        assert changeable_state(harness) == was


@pytest.mark.parametrize("line", ["describe Demo instance of the local emulator", "auto-stop on"])
def test_unchanged_instance_has_no_undo(harness: EmulatorHarness, line: str) -> None:
    """There is nothing to restore."""
    assert undo_command(harness.run_magic(line)) == ""


@pytest.mark.parametrize(
    "stored", ["two\nlines", "a/b", "it's", "<b>", "x" * 600, "tab\there", "a\u2028b", "bell\x07"]
)
def test_untypable_description_has_no_undo(harness: EmulatorHarness, stored: str) -> None:
    """The command would be refused, or would set another text."""
    harness.emulator.set_instance(description=stored)
    assert undo_command(harness.run_magic("describe new")) == ""


def test_stop_time_within_five_minutes_has_no_undo(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """The command would be refused."""
    assert undo_command(make_harness(minutes_left=4).run_magic("extend")) == ""
    assert undo_command(make_harness(minutes_left=6).run_magic("extend")) == "auto-stop 1h"


def test_duration_outside_the_limits_has_no_undo(harness: EmulatorHarness) -> None:
    """It was set before the limits existed."""
    harness.emulator.set_instance(auto_stop={"duration": 1800})
    assert undo_command(harness.run_magic("auto-stop 2h")) == ""


def test_deferred_change_has_an_undo(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """The stop time of this run does not matter."""
    change = make_harness(edition="2021", minutes_left=2).run_magic("extend")
    assert (change.effect, undo_command(change)) == (Effect.NEXT_START, "auto-stop 1h")


def test_unconfirmed_change_has_no_undo(harness: EmulatorHarness) -> None:
    """The state after the change is unknown."""
    harness.emulator.add_fault("ignored")
    change = harness.run_magic("describe new")
    assert (change.effect, undo_command(change)) == (Effect.UNCONFIRMED, "")


def test_undo_of_an_undo_repeats_the_change(harness: EmulatorHarness) -> None:
    """The commands are inverse."""
    first = harness.run_magic("auto-stop 5h --no-remind")
    second = harness.run_magic(undo_command(first))
    assert undo_command(second) == "auto-stop 5h --no-remind"
    assert harness.run_magic(undo_command(second)).after.auto_stop.duration == timedelta(hours=5)


TYPABLE = st.text(
    st.characters(
        blacklist_categories=["Cs", "Cc", "Cf", "Zl", "Zp"],
        blacklist_characters="".join(FULL_WIDTH_FORMS),
    ),
    max_size=40,
)


@pytest.mark.parametrize("mark", ["\u202e", "\u200f", "\u2066"])
def test_direction_marks_are_not_undone(mark: str) -> None:
    """The command would show escapes in their place."""
    assert undo_command(_described(f"a{mark}b", "other")) == ""


@given(TYPABLE)
def test_any_description_survives_parsing_of_its_undo(old: str) -> None:
    """Nothing in it becomes an option, a variable or a command, in a kernel or in a shell."""
    command = undo_command(_described(old, "\0 never the same"))
    for request in (parse_line(command), parse_arguments(shlex.split(command))):
        assert (request.text or "") == old
        assert request.has_option("--clear") is (old == "")


def _described(old: str, new: str) -> Change:
    from factories import DEMANAGER_CAPABILITIES, make_instance  # noqa: PLC0415 - next to what it builds

    before, after = (make_instance(description=text) for text in (old, new))
    return Change(
        before, after, Effect.NOW, Edit(description=new), DEMANAGER_CAPABILITIES, "describe"
    )


@pytest.mark.parametrize(
    "line",
    ["describe new", "extend", "extend 90m", "shorten 1h", "auto-stop 10h", "auto-stop at 23:00"],
)
def test_current_api_undo_restores_the_stop_time(
    make_harness: Callable[..., EmulatorHarness], line: str
) -> None:
    """A duration counts from now, so only a stop time can be restored."""
    harness = make_harness(api="notebooks", minutes_left=300)
    was = {name: harness.instance_state()[name] for name in ("description", "stops_at")}
    change = harness.run_magic(line)
    assert {name: harness.instance_state()[name] for name in was} != was
    harness.clock.advance(timedelta(minutes=10))
    harness.run_in_terminal(shlex.split(undo_command(change)))
    assert {name: harness.instance_state()[name] for name in was} == was


def test_current_api_near_stop_time_has_no_undo(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """The shortest lease is one hour."""
    assert undo_command(make_harness(api="notebooks", minutes_left=40).run_magic("extend 2h")) == ""
