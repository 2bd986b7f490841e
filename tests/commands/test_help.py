"""The help texts cover the whole grammar."""

from __future__ import annotations

import pytest

from modelarts_magics.commands.grammar import COMMANDS
from modelarts_magics.commands.help import command_help, help_overview
from modelarts_magics.commands.parser import parse_arguments, parse_line
from modelarts_magics.errors import UsageError
from modelarts_magics.messages import text, use_language
from modelarts_magics.messages.columns import display_width

PREFIX = "%modelarts"


def test_overview_lists_every_command() -> None:
    """Each line contains the command as typed."""
    lines = help_overview(PREFIX).splitlines()
    for name in COMMANDS:
        assert [line for line in lines if line.startswith(f"  {PREFIX} {name} ")], name


@pytest.mark.parametrize("name", list(COMMANDS))
def test_command_help_has_usage_options_and_examples(name: str) -> None:
    """Every option has a description."""
    command = COMMANDS[name]
    shown = command_help(name, PREFIX)
    assert shown.splitlines()[0] == f"{PREFIX} {name} {command.usage}".rstrip()
    for option in command.options:
        assert f"  {option.name}" in shown
        assert option.name in command.usage


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_example_can_be_parsed(name: str) -> None:
    """This holds in a kernel and in a shell."""
    for line in text(f"help.{name}.examples", prefix="X").splitlines():
        typed = line.removeprefix("X").strip()
        assert parse_line(typed).command is parse_arguments(typed.split()).command


def test_help_uses_the_prefix_of_the_caller() -> None:
    """Help in a terminal contains no magic."""
    shown = help_overview("python -m modelarts_magics") + command_help("describe", "python -m x")
    assert "%modelarts" not in shown


@pytest.mark.parametrize("prefix", [PREFIX, "/opt/python/bin/python -m modelarts_magics"])
@pytest.mark.parametrize("language", ["en", "zh_CN"])
@pytest.mark.parametrize("width", [60, 100])
def test_help_is_broken_at_words(prefix: str, language: str, width: int) -> None:
    """No line is longer than the terminal is wide, except examples and a prefix that is a path."""
    use_language(language)
    for shown in (help_overview(prefix, width=width), command_help("login", prefix, width=width)):
        lines = [line for line in shown.splitlines() if prefix not in line]
        assert lines
        assert max(map(display_width, lines)) <= width


@pytest.mark.parametrize(
    ("word", "hint"),
    [("autostop", "Did you mean “auto-stop”?"), ("xyzzy", "To list all commands:")],
)
def test_help_for_an_unknown_command_suggests_another(word: str, hint: str) -> None:
    """The hint is that for a mistyped command."""
    with pytest.raises(UsageError) as caught:
        command_help(word, PREFIX)
    assert hint in caught.value.hint


def test_option_is_explained_for_its_command() -> None:
    """The same word may mean something else for another command."""
    shown = {name: command_help(name, PREFIX) for name in ("status", "keep", "doctor")}
    assert "all fields" in shown["status"]
    assert not any("all fields" in shown[name] for name in ("keep", "doctor"))


def test_program_of_a_terminal_has_help() -> None:
    """The command that the list names is known; there is none in a notebook."""
    assert "x run -- CMD" in command_help("run", "x")
    with pytest.raises(UsageError):
        command_help("run", PREFIX)
