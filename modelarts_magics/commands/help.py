"""Help texts, generated from the grammar."""

from __future__ import annotations

from dataclasses import replace

from modelarts_magics.commands.grammar import COMMANDS, MAGIC_PREFIX, QUIET, Command
from modelarts_magics.commands.parser import find_command
from modelarts_magics.commands.results import TextResult
from modelarts_magics.messages import text


def help_overview(prefix: str) -> TextResult:
    """Return the list of commands.

    Args:
        prefix: The text before a command, for example ``%modelarts``.
    """
    lines = [text("help.title"), ""]
    width = max(map(len, COMMANDS))
    lines += [f"  {prefix} {name:<{width}}  {text(f'help.{name}')}" for name in COMMANDS]
    if prefix != MAGIC_PREFIX:
        lines += ["", text("help.programs", prefix=prefix)]
    return TextResult("\n".join([*lines, "", text("help.more", prefix=prefix)]))


def command_help(word: str, prefix: str) -> TextResult:
    """Return the usage, options and examples of one command.

    Args:
        word: The name of the command.
        prefix: The text before a command, for example ``%modelarts``.

    Raises:
        UsageError: There is no such command.
    """
    command = find_command(word)
    name = command.name
    if prefix != MAGIC_PREFIX:
        command = command.without_kernel_options
        command = replace(command, options=(*command.options, QUIET))
    lines = [f"{prefix} {command.synopsis}", "", text(f"help.{name}")]
    lines += _option_lines(command)
    examples = text(f"help.{name}.examples", prefix=prefix)
    return TextResult("\n".join([*lines, "", *(f"  {line}" for line in examples.splitlines())]))


def _option_lines(command: Command) -> list[str]:
    rows = [(f"{each.name} {each.metavar}".rstrip(), each) for each in command.options]
    width = max((len(words) for words, _ in rows), default=0)
    described = [
        f"  {words:<{width}}  {text(f'help.option.{each.name[2:]}')}" for words, each in rows
    ]
    return ["", *described] if described else []
