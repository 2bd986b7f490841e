"""From what was typed to a `CommandRequest`, or to an error that says what is off."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelarts_magics.commands.grammar import COMMANDS, HELP, STATUS, Command
from modelarts_magics.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_QUOTES = ("'", '"')


@dataclass(frozen=True)
class CommandRequest:
    """A parsed command.

    Attributes:
        command: Which one.
        options: The switches given, by name, with their value or "".
        arguments: What follows, for a command that takes words.
        text: What follows, for a command that takes free text; None if nothing does.
    """

    command: Command
    options: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    text: str | None = None

    def has_option(self, name: str) -> bool:
        """Whether a switch was given."""
        return name in self.options


def parse_line(line: str, *, cell: str | None = None) -> CommandRequest:
    """Parse the line behind ``%modelarts``; a cell's body, if there is one, is a description.

    Free text is taken raw: only one enclosing pair of quotes is removed.

    Raises:
        UsageError: Something is off; the message names it, the hint shows what is possible.
    """
    name, rest = _split_first_word(line)
    command = find_command(name.rstrip(";"))
    if command.free_text:
        return _add_cell_body(_parse_free_text(command, rest), cell)
    if cell is not None:
        raise UsageError("usage.cell", command=command.name)
    return _parse_tokens(command, rest.rstrip().rstrip(";").split())


def parse_arguments(arguments: Sequence[str]) -> CommandRequest:
    """Parse a terminal's arguments, whose quotes the shell has removed already.

    Raises:
        UsageError: As for `parse_line`.
    """
    command = find_command(arguments[0] if arguments else "")
    rest, known = list(arguments[1:]), command.without_kernel_options
    if not command.free_text:
        return _parse_tokens(command, rest)
    options: dict[str, str] = {}
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word == "--":
            break
        if _is_help_option(word):
            return CommandRequest(HELP, arguments=(command.name,))
        _reject_kernel_only_option(command, word)
        value = rest.pop(0) if _takes_value(known, word) and rest else ""
        _add_option(options, known, word, value)
    return CommandRequest(command, options, text=" ".join(rest) if rest else None)


def find_command(name: str) -> Command:
    """The command that a word names; none is ``status``.

    Raises:
        UsageError: There is no such command; the hint names the nearest one.
    """
    if not name:
        return STATUS
    if _is_help_option(name):
        return HELP
    if name in COMMANDS:
        return COMMANDS[name]
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    if near:
        raise UsageError("usage.command_near", word=name, near=near[0])
    raise UsageError("usage.command", word=name)


def _parse_tokens(command: Command, tokens: Sequence[str]) -> CommandRequest:
    options: dict[str, str] = {}
    words: list[str] = []
    for word in tokens:
        if _is_help_option(word):
            return CommandRequest(HELP, arguments=(command.name,))
        if word.startswith("--"):
            _add_option(options, command, word, "")
        else:
            words.append(word)
    return CommandRequest(command, options, tuple(words))


def _parse_free_text(command: Command, rest: str) -> CommandRequest:
    """Switches up to the first other word or ``--``; what is left is the text, as typed."""
    options: dict[str, str] = {}
    while True:
        word, behind = _split_first_word(rest)
        if word == "--":
            rest = behind
            break
        if not word.startswith("-"):
            break
        if _is_help_option(word):
            return CommandRequest(HELP, arguments=(command.name,))
        value, behind = _split_first_word(behind) if _takes_value(command, word) else ("", behind)
        _add_option(options, command, word, value.rstrip(";"))
        rest = behind
    text = _unquote(rest.strip())
    return CommandRequest(command, options, text=text if rest.strip() else None)


def _add_cell_body(request: CommandRequest, cell: str | None) -> CommandRequest:
    if cell is None:
        return request
    if request.command is HELP:
        return request
    if request.text is not None:
        raise UsageError("usage.beside_cell", word=request.text)
    if not cell.strip():
        raise UsageError("usage.empty_cell")
    body = cell.removesuffix("\n")
    return CommandRequest(request.command, request.options, text=body)


def _add_option(options: dict[str, str], command: Command, word: str, value: str) -> None:
    name = word.rstrip(";")
    option = command.find_option(name)
    usage = command.synopsis
    if option is None:
        names = [each.name for each in command.options]
        near = difflib.get_close_matches(name, names, n=1)
        if near:
            raise UsageError(
                "usage.option_near", command=command.name, word=name, near=near[0], usage=usage
            )
        raise UsageError("usage.option", command=command.name, word=name, usage=usage)
    if option.metavar and not value:
        raise UsageError("usage.missing", command=name, what=option.metavar, usage=usage)
    options[name] = value


def _reject_kernel_only_option(command: Command, word: str) -> None:
    option = command.find_option(word)
    if option and option.kernel_only:
        raise UsageError(
            "usage.kernel_only_option", option=word, usage=command.without_kernel_options.synopsis
        )


def _takes_value(command: Command, word: str) -> bool:
    option = command.find_option(word)
    return bool(option and option.metavar)


def _is_help_option(word: str) -> bool:
    return word in ("-h", "--help")


def _split_first_word(text: str) -> tuple[str, str]:
    """The first word and what follows; any white space parts them, an ideographic space too."""
    word, *rest = text.split(None, 1) or [""]
    return word, rest[0] if rest else ""


def _unquote(text: str) -> str:
    enclosed = len(text) > 1 and text[0] in _QUOTES and text[-1] == text[0]
    return text[1:-1] if enclosed else text
