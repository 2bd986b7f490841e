"""The undo of a change really undoes it: every command that is offered is typed back and compared."""

from __future__ import annotations

import shlex
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

import pytest
from factories import property_settings
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics.commands.parser import parse_arguments, parse_line
from modelarts_magics.commands.undo import undo_command
from modelarts_magics.domain.description import FULL_WIDTH_FORMS
from modelarts_magics.domain.models import Change, Edit, Effect

if TYPE_CHECKING:
    from emulator_harness import EmulatorHarness

EDITIONS = ["2019", "2021"]


def known(stage: EmulatorHarness) -> dict[str, Any]:
    """Return all of the instance that a command can change; a duration only while it counts."""
    shown = stage.instance_state()
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
        ("auto-stop 12345s", "extend 1s"),
    ],
)
def test_the_undo_undoes(
    make_harness: Callable[..., EmulatorHarness], edition: str, before: str, line: str
) -> None:
    """Typed as shown, in a kernel and in a shell, in both editions."""
    stage = make_harness(edition=edition, minutes_left=300 if "shorten" in line else 40)
    if before:
        stage.run_magic(before)
    was = known(stage)
    for undo_by in (stage.run_magic, lambda command: stage.run_in_terminal(shlex.split(command))):
        change = stage.run_magic(line)
        assert known(stage) != was
        undo_by(undo_command(change))
        assert known(stage) == was


@pytest.mark.parametrize("line", ["describe Demo instance of the local emulator", "auto-stop on"])
def test_what_changed_nothing_has_no_undo(harness: EmulatorHarness, line: str) -> None:
    """There is nothing to take back."""
    assert undo_command(harness.run_magic(line)) == ""


@pytest.mark.parametrize(
    "stored", ["two\nlines", "a/b", "it's", "<b>", "x" * 600, "tab\there", "a\u2028b", "bell\x07"]
)
def test_no_undo_is_offered_that_would_be_refused_or_altered(
    harness: EmulatorHarness, stored: str
) -> None:
    """A stored description that cannot be typed back in one line."""
    harness.emulator.set_instance(description=stored)
    assert undo_command(harness.run_magic("describe new")) == ""


def test_no_undo_to_an_end_that_is_too_near(make_harness: Callable[..., EmulatorHarness]) -> None:
    """It would be refused: the run would end within five minutes."""
    assert undo_command(make_harness(minutes_left=4).run_magic("extend")) == ""
    assert undo_command(make_harness(minutes_left=6).run_magic("extend")) == "auto-stop 1h"


def test_no_undo_to_a_duration_that_the_cloud_would_not_take(harness: EmulatorHarness) -> None:
    """As one that was set before its bounds were."""
    harness.emulator.set_instance(auto_stop={"duration": 1800})
    assert undo_command(harness.run_magic("auto-stop 2h")) == ""


def test_what_waits_for_the_next_start_can_be_undone(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """However near this run's end is."""
    change = make_harness(edition="2021", minutes_left=2).run_magic("extend")
    assert (change.effect, undo_command(change)) == (Effect.NEXT_START, "auto-stop 1h")


def test_an_unconfirmed_change_has_no_undo(harness: EmulatorHarness) -> None:
    """Nobody knows what there is to undo."""
    harness.emulator.add_fault("ignored")
    change = harness.run_magic("describe new")
    assert (change.effect, undo_command(change)) == (Effect.UNCONFIRMED, "")


def test_the_undo_of_an_undo_is_the_change(harness: EmulatorHarness) -> None:
    """Back and forth."""
    first = harness.run_magic("auto-stop 5h --no-remind")
    second = harness.run_magic(undo_command(first))
    assert undo_command(second) == "auto-stop 5h --no-remind"
    assert harness.run_magic(undo_command(second)).after.auto_stop.duration == timedelta(hours=5)


TYPABLE = st.text(
    st.characters(
        blacklist_categories=["Cs", "Cc", "Zl", "Zp"],
        blacklist_characters="".join(FULL_WIDTH_FORMS),
    ),
    max_size=40,
)


@property_settings
@given(TYPABLE)
def test_any_old_description_is_read_back_by_kernel_and_shell(old: str) -> None:
    """Exactly, and as one text: nothing of it becomes an option, a variable or a command."""
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
def test_on_the_current_api_the_old_end_is_set_again(
    make_harness: Callable[..., EmulatorHarness], line: str
) -> None:
    """A duration counts from now there, so only an end can be gone back to."""
    stage = make_harness(api="notebooks", minutes_left=300)
    was = {name: stage.instance_state()[name] for name in ("description", "stops_at")}
    change = stage.run_magic(line)
    assert {name: stage.instance_state()[name] for name in was} != was
    stage.clock.advance(timedelta(minutes=10))
    stage.run_in_terminal(shlex.split(undo_command(change)))
    assert {name: stage.instance_state()[name] for name in was} == was


def test_on_the_current_api_an_end_that_is_near_cannot_be_set_again(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """Its shortest lease is an hour."""
    assert undo_command(make_harness(api="notebooks", minutes_left=40).run_magic("extend 2h")) == ""
