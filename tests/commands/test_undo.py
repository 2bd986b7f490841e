"""The undo of a change really undoes it: every command that is offered is typed back and compared."""

from __future__ import annotations

import shlex
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

import pytest
from factories import examples
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics.commands.parser import parse_arguments, parse_line
from modelarts_magics.commands.undo import undo
from modelarts_magics.domain.description import FULL_WIDTH
from modelarts_magics.domain.models import Change, Edit, Effect

if TYPE_CHECKING:
    from stage import Stage

EDITIONS = ["2019", "2021"]


def known(stage: Stage) -> dict[str, Any]:
    """Return all of the instance that a command can change; a duration only while it counts."""
    shown = stage.shown()
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
    make_stage: Callable[..., Stage], edition: str, before: str, line: str
) -> None:
    """Typed as shown, in a kernel and in a shell, in both editions."""
    stage = make_stage(edition=edition, minutes_left=300 if "shorten" in line else 40)
    if before:
        stage.magic(before)
    was = known(stage)
    for undo_by in (stage.magic, lambda command: stage.terminal(shlex.split(command))):
        change = stage.magic(line)
        assert known(stage) != was
        undo_by(undo(change))
        assert known(stage) == was


@pytest.mark.parametrize("line", ["describe Demo instance of the local emulator", "auto-stop on"])
def test_what_changed_nothing_has_no_undo(stage: Stage, line: str) -> None:
    """There is nothing to take back."""
    assert undo(stage.magic(line)) == ""


@pytest.mark.parametrize(
    "stored", ["two\nlines", "a/b", "it's", "<b>", "x" * 600, "tab\there", "a\u2028b", "bell\x07"]
)
def test_no_undo_is_offered_that_would_be_refused_or_altered(stage: Stage, stored: str) -> None:
    """A stored description that cannot be typed back in one line."""
    stage.emulator.set_instance(description=stored)
    assert undo(stage.magic("describe new")) == ""


def test_no_undo_to_an_end_that_is_too_near(make_stage: Callable[..., Stage]) -> None:
    """It would be refused: the run would end within five minutes."""
    assert undo(make_stage(minutes_left=4).magic("extend")) == ""
    assert undo(make_stage(minutes_left=6).magic("extend")) == "auto-stop 1h"


def test_no_undo_to_a_duration_that_the_cloud_would_not_take(stage: Stage) -> None:
    """As one that was set before its bounds were."""
    stage.emulator.set_instance(auto_stop={"duration": 1800})
    assert undo(stage.magic("auto-stop 2h")) == ""


def test_what_waits_for_the_next_start_can_be_undone(make_stage: Callable[..., Stage]) -> None:
    """However near this run's end is."""
    change = make_stage(edition="2021", minutes_left=2).magic("extend")
    assert (change.effect, undo(change)) == (Effect.NEXT_START, "auto-stop 1h")


def test_an_unconfirmed_change_has_no_undo(stage: Stage) -> None:
    """Nobody knows what there is to undo."""
    stage.emulator.fault("ignored")
    change = stage.magic("describe new")
    assert (change.effect, undo(change)) == (Effect.UNCONFIRMED, "")


def test_the_undo_of_an_undo_is_the_change(stage: Stage) -> None:
    """Back and forth."""
    first = stage.magic("auto-stop 5h --no-remind")
    second = stage.magic(undo(first))
    assert undo(second) == "auto-stop 5h --no-remind"
    assert stage.magic(undo(second)).after.auto_stop.duration == timedelta(hours=5)


TYPABLE = st.text(
    st.characters(
        blacklist_categories=["Cs", "Cc", "Zl", "Zp"], blacklist_characters="".join(FULL_WIDTH)
    ),
    max_size=40,
)


@examples
@given(TYPABLE)
def test_any_old_description_is_read_back_by_kernel_and_shell(old: str) -> None:
    """Exactly, and as one text: nothing of it becomes an option, a variable or a command."""
    command = undo(_described(old, "\0 never the same"))
    for request in (parse_line(command), parse_arguments(shlex.split(command))):
        assert (request.text or "") == old
        assert request.has("--clear") is (old == "")


def _described(old: str, new: str) -> Change:
    from factories import SEED, instance  # noqa: PLC0415 - next to what it builds

    before, after = (instance(description=text) for text in (old, new))
    return Change(before, after, Effect.NOW, Edit(description=new), SEED, "describe")


@pytest.mark.parametrize(
    "line",
    ["describe new", "extend", "extend 90m", "shorten 1h", "auto-stop 10h", "auto-stop at 23:00"],
)
def test_on_the_current_api_the_old_end_is_set_again(
    make_stage: Callable[..., Stage], line: str
) -> None:
    """A duration counts from now there, so only an end can be gone back to."""
    stage = make_stage(api="notebooks", minutes_left=300)
    was = {name: stage.shown()[name] for name in ("description", "stops_at")}
    change = stage.magic(line)
    assert {name: stage.shown()[name] for name in was} != was
    stage.clock.advance(timedelta(minutes=10))
    stage.terminal(shlex.split(undo(change)))
    assert {name: stage.shown()[name] for name in was} == was


def test_on_the_current_api_an_end_that_is_near_cannot_be_set_again(
    make_stage: Callable[..., Stage],
) -> None:
    """Its shortest lease is an hour."""
    assert undo(make_stage(api="notebooks", minutes_left=40).magic("extend 2h")) == ""
