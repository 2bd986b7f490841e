"""Help is made from the grammar, so nothing that can be typed is missing from it."""

from __future__ import annotations

import pytest

from modelarts_magics.commands.grammar import COMMANDS
from modelarts_magics.commands.help import command_help, help_overview
from modelarts_magics.commands.parser import parse_arguments, parse_line
from modelarts_magics.errors import UsageError
from modelarts_magics.messages import text

PREFIX = "%modelarts"


def test_the_overview_has_a_line_for_each_command() -> None:
    """With the words to type."""
    lines = help_overview(PREFIX).splitlines()
    for name in COMMANDS:
        assert [line for line in lines if line.startswith(f"  {PREFIX} {name} ")], name


@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_command_shows_its_usage_its_options_and_examples(name: str) -> None:
    """Each option with a sentence of its own."""
    command = COMMANDS[name]
    shown = command_help(name, PREFIX)
    assert shown.splitlines()[0] == f"{PREFIX} {name} {command.usage}".rstrip()
    for option in command.options:
        assert f"  {option.name}" in shown
        assert option.name in command.usage


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_example_is_one_that_the_parser_takes(name: str) -> None:
    """In a kernel, and split by a shell."""
    for line in text(f"help.{name}.examples", prefix="X").splitlines():
        typed = line.removeprefix("X").strip()
        assert parse_line(typed).command is parse_arguments(typed.split()).command


def test_help_speaks_as_where_it_is_shown() -> None:
    """A terminal's help has a terminal's commands."""
    shown = help_overview("python -m modelarts_magics") + command_help("describe", "python -m x")
    assert "%modelarts" not in shown


@pytest.mark.parametrize(
    ("word", "hint"),
    [("autostop", "Did you mean “auto-stop”?"), ("xyzzy", "To list all commands:")],
)
def test_help_about_nothing(word: str, hint: str) -> None:
    """Names the nearest command, as a mistyped one does."""
    with pytest.raises(UsageError) as caught:
        command_help(word, PREFIX)
    assert hint in caught.value.hint
