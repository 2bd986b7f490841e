"""Help texts, generated from the grammar."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from modelarts_magics.commands.grammar import COMMANDS, MAGIC_PREFIX, QUIET, Command
from modelarts_magics.commands.parser import find_command
from modelarts_magics.commands.results import TextResult
from modelarts_magics.messages import has_text, text
from modelarts_magics.messages.columns import display_width, pad_label, wrap_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NOTEBOOK_WIDTH = 88
"""The columns of help in a notebook, which fits beside the sidebar."""
_UNLIMITED = 10_000
_MIN_DESCRIPTION_WIDTH = 30
"""Where a description would have fewer columns, it is below the command."""
_TYPED = {"run": "run -- CMD"}
"""How a program of a terminal is typed, if not by its name alone."""


def help_width(prefix: str) -> int:
    """Return the columns of help: those of the terminal, or as many as fit into a notebook."""
    return NOTEBOOK_WIDTH if prefix == MAGIC_PREFIX else shutil.get_terminal_size((100, 24)).columns


def help_overview(prefix: str, *, width: int = _UNLIMITED) -> TextResult:
    """Return the list of commands.

    Args:
        prefix: The text before a command, for example ``%modelarts``.
        width: The columns of a line.
    """
    lines = [*wrap_words(text("help.title"), width), ""]
    lines += _table([(f"{prefix} {name}", text(f"help.{name}")) for name in COMMANDS], width)
    if prefix != MAGIC_PREFIX:
        rows = [
            (f"{prefix} {_TYPED.get(name, name)}", text(f"help.program.{name}"))
            for name in _programs()
        ]
        lines += ["", *_table(rows, width), "", text("help.programs")]
    return TextResult("\n".join([*lines, "", text("help.more", prefix=prefix)]))


def _programs() -> Iterable[str]:
    from modelarts_magics.commands.completion import PROGRAMS  # noqa: PLC0415 - for terminals only

    return PROGRAMS


def command_help(word: str, prefix: str, *, width: int = _UNLIMITED) -> TextResult:
    """Return the usage, options and examples of one command.

    Args:
        word: The name of the command.
        prefix: The text before a command, for example ``%modelarts``.
        width: The columns of a line.

    Raises:
        UsageError: There is no such command.
    """
    if prefix != MAGIC_PREFIX and (name := word.lower()) in _programs():
        usage = f"{prefix} {_TYPED.get(name, name)}"
        lines = [usage, "", *wrap_words(text(f"help.program.{name}"), width)]
        return TextResult("\n".join([*lines, "", f"  {prefix} {name} --help"]))
    command = find_command(word)
    name = command.name
    if prefix != MAGIC_PREFIX:
        command = command.without_kernel_options
        command = command._replace(options=(*command.options, QUIET))
    usage, *more = wrap_words(f"{prefix} {command.synopsis}", width)
    lines = [usage, *(f"    {line}" for line in more), ""]
    lines += [*wrap_words(text(f"help.{name}"), width), *_option_lines(command, width)]
    examples = text(f"help.{name}.examples", prefix=prefix)
    return TextResult("\n".join([*lines, "", *(f"  {line}" for line in examples.splitlines())]))


def _option_lines(command: Command, width: int) -> list[str]:
    rows = [
        (f"{each.name} {each.metavar}".rstrip(), _option_text(command.name, each.name[2:]))
        for each in command.options
    ]
    return ["", *_table(rows, width)] if rows else []


def _option_text(command: str, option: str) -> str:
    """Return what an option means, which may differ between commands."""
    code = f"help.option.{command}.{option}"
    return text(code if has_text(code) else f"help.option.{option}")


def _table(rows: Iterable[tuple[str, str]], width: int) -> Iterator[str]:
    """Yield the lines of words and their descriptions, which are broken at words and aligned."""
    rows = list(rows)
    column = max(display_width(words) for words, _ in rows) + 4
    below = width - column < _MIN_DESCRIPTION_WIDTH
    indent = " " * (6 if below else column)
    for words, description in rows:
        first, *more = wrap_words(description, width - len(indent))
        if below:
            yield f"  {words}"
            more.insert(0, first)
        else:
            yield f"  {pad_label(words, column - 4)}  {first}"
        yield from (f"{indent}{line}" for line in more)
