"""Help, made from the grammar."""

from __future__ import annotations

from modelarts_magics.commands.grammar import COMMANDS, Command
from modelarts_magics.commands.parser import command_of
from modelarts_magics.commands.results import Text
from modelarts_magics.messages import text

MAGIC = "%modelarts"
"""How a command is typed in a notebook."""


def overview(prefix: str) -> Text:
    """All commands with what they do; `prefix` is how one is typed where this is shown."""
    lines = [text("help.title"), ""]
    width = max(map(len, COMMANDS))
    lines += [f"  {prefix} {name:<{width}}  {text(f'help.{name}')}" for name in COMMANDS]
    if prefix != MAGIC:
        lines += ["", text("help.programs", prefix=prefix)]
    return Text("\n".join([*lines, "", text("help.more", prefix=prefix)]))


def of_command(word: str, prefix: str) -> Text:
    """One command: its usage, its switches and examples.

    Raises:
        UsageError: There is no such command.
    """
    command = command_of(word)
    name = command.name
    if prefix != MAGIC:
        command = command.in_terminal
    lines = [f"{prefix} {command.synopsis}", "", text(f"help.{name}")]
    lines += _options(command)
    examples = text(f"help.{name}.examples", prefix=prefix)
    return Text("\n".join([*lines, "", *(f"  {line}" for line in examples.splitlines())]))


def _options(command: Command) -> list[str]:
    rows = [(f"{each.name} {each.value}".rstrip(), each) for each in command.options]
    width = max((len(words) for words, _ in rows), default=0)
    described = [
        f"  {words:<{width}}  {text(f'help.option.{each.name[2:]}')}" for words, each in rows
    ]
    return ["", *described] if described else []
