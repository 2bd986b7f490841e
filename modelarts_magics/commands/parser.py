"""The parser: from a typed line, cell or argument list to a `CommandRequest`."""

from __future__ import annotations

import re
import shlex
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from modelarts_magics.commands.grammar import (
    AUTO_STOP,
    COMMANDS,
    CONFIGURE,
    DESCRIBE,
    HELP,
    JSON,
    KEEP,
    NOTIFY,
    QUIET,
    STATUS,
    Command,
)
from modelarts_magics.commands.grammar import COMMAND as COMMAND_OPTION
from modelarts_magics.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_QUOTES = ("'", '"')
_WRITE_COMMANDS = ("extend", "shorten", "stop", "undo", "restore")
_ASSIGNMENT = re.compile(r"""([^\s="']+=)(["'])(.*?)\2(?=\s|$)|\S+""")
_OUTPUT_OPTIONS = {"--json", "--wait", "--quiet"}
_COMMENT = re.compile(r"(?:^|\s)#.*")
_VARIABLE = re.compile(r"\{\w*\}|\$\w")


class CommandRequest(NamedTuple):
    """A parsed command.

    Attributes:
        command: The command.
        options: The given options by name, with their value or "".
        arguments: The words after the options, for a command that takes words.
        text: The text after the options, for a command that takes free text; None if there is none.
    """

    command: Command
    options: Mapping[str, str] = MappingProxyType({})
    arguments: tuple[str, ...] = ()
    text: str | None = None

    def has_option(self, name: str) -> bool:
        """Return whether an option was given."""
        return name in self.options

    def may_write(self) -> bool:
        """Return whether the command may send a change; ``describe`` and ``auto-stop`` alone only show."""
        if self.command.name in _WRITE_COMMANDS:
            return True
        given = self.text is not None or self.arguments or set(self.options) - _OUTPUT_OPTIONS
        return self.command.name in (DESCRIBE.name, AUTO_STOP.name) and bool(given)

    def unexpected_argument(self, word: str) -> UsageError:
        """Return the error for an argument that the command does not take."""
        return UsageError(
            "usage.extra", command=self.command.name, word=word, usage=self.command.synopsis
        )

    def reject_arguments(self) -> None:
        """Check that there are no arguments.

        Raises:
            UsageError: There are some.
        """
        if self.arguments:
            raise self.unexpected_argument(self.arguments[0])


def interrupt_message_code(request: CommandRequest | None) -> str:
    """Return the code of the message for an interrupted command.

    Args:
        request: The command; None if the interrupt came before it was parsed.
    """
    return "cli.interrupted_during_write" if request and request.may_write() else "cli.interrupted"


def parse_line(
    line: str, *, cell: str | None = None, expand: Callable[[str], str] = str
) -> CommandRequest:
    """Parse the line after ``%modelarts``.

    Free text is used verbatim, except that one pair of enclosing quotes is removed. In all other lines,
    variables are replaced, and quotes around a word and a comment at the end are removed.

    Args:
        line: The line without ``%modelarts``.
        cell: The body of a ``%%modelarts`` cell, which is a description; None for a line magic.
        expand: Replaces variables such as ``{hours}``, and leaves those that it does not have.

    Raises:
        UsageError: The command or an option is unknown, or an argument is missing or unexpected.

    Example:
        ``parse_line("extend 2h --json")``
    """
    name, rest = _split_first_word(line)
    command = find_command(name.rstrip(";"))
    if command.free_text:
        return _add_cell_body(_parse_free_text(command, rest), cell)
    if command is KEEP and cell is not None:
        # The body is code.
        return _parse_tokens(command, _split_words(expand(rest)))._replace(text=cell)
    if cell is not None:
        raise UsageError("usage.cell", command=command.name)
    if command is NOTIFY and rest.split(None, 1)[:1] == ["add"]:
        return _parse_notify_add(rest.split(None, 1)[1:])
    if command is CONFIGURE:
        # Its values may be commands or addresses, so none of their characters has a meaning here.
        return _parse_tokens(command, _split_assignments(rest.rstrip().rstrip(";")))
    return _parse_tokens(command, _split_words(expand(rest)))


def _parse_notify_add(rest: list[str]) -> CommandRequest:
    """Parse what follows ``notify add``; no error repeats it, because it may be a secret."""
    option, remainder = _split_first_word(rest[0] if rest else "")
    option = option.rstrip(";") if not remainder else option
    if _is_help_option(option):
        return CommandRequest(HELP, arguments=(NOTIFY.name,))
    if option in ("", JSON.name):
        options = {option: ""} if option else {}
        return CommandRequest(NOTIFY, options, ("add", *remainder.split()))
    if option != COMMAND_OPTION.name:
        return CommandRequest(NOTIFY, {}, ("add", option))
    # The command is used verbatim, like free text.
    value = _unquote(remainder.strip())
    if not value:
        usage = NOTIFY.synopsis
        raise UsageError("usage.missing", command=option, what="CMD", usage=usage)
    return CommandRequest(NOTIFY, {option: value}, ("add",))


def _split_assignments(rest: str) -> list[str]:
    """Return the words ``NAME=VALUE``; a value in quotes may have spaces, and its quotes are removed."""
    return [match[1] + match[3] if match[2] else match[0] for match in _ASSIGNMENT.finditer(rest)]


def _split_words(rest: str) -> list[str]:
    """Return the words without a comment, a semicolon at the end, and enclosing quotes.

    Raises:
        UsageError: A variable in braces was not replaced.
    """
    line = _COMMENT.sub("", rest).strip().rstrip(";")
    splitter = shlex.shlex(line, posix=True)
    splitter.whitespace_split, splitter.commenters, splitter.escape = True, "", ""
    try:
        words = " ".join(splitter).split()
    except ValueError:
        # A quote without its other half belongs to the word.
        words = line.split()
    variable = next((word for word in words if _VARIABLE.search(word)), None)
    if variable:
        raise UsageError("usage.variable", word=variable)
    return words


def parse_arguments(arguments: Sequence[str]) -> CommandRequest:
    """Parse the arguments of a process; quotes were removed by the shell and are not removed again.

    Raises:
        UsageError: As for `parse_line`.
    """
    command = find_command(arguments[0] if arguments else "")
    with_quiet = command._replace(options=(*command.options, QUIET))
    parse = _parse_free_text_arguments if command.free_text else _parse_tokens
    request = parse(with_quiet, list(arguments[1:]))
    return request._replace(command=command) if request.command is with_quiet else request


def _parse_free_text_arguments(command: Command, remaining: list[str]) -> CommandRequest:
    """Parse the options up to the first other argument or ``--``; the rest is the text, joined by spaces."""
    available = command.without_kernel_options
    options: dict[str, str] = {}
    while remaining and remaining[0].startswith("-"):
        word = remaining.pop(0)
        if word == "--":
            break
        if _is_help_option(word):
            return CommandRequest(HELP, arguments=(command.name,))
        _reject_kernel_only_option(command, word)
        value = remaining.pop(0) if _takes_value(available, word) and remaining else ""
        _add_option(options, available, word, value)
    return CommandRequest(command, options, text=" ".join(remaining) if remaining else None)


def find_command(name: str) -> Command:
    """Return the command of that name; "" stands for ``status``.

    Raises:
        UsageError: There is no such command; the hint suggests a similar one.
    """
    if not name:
        return STATUS
    if _is_help_option(name):
        return HELP
    if name in COMMANDS:
        return COMMANDS[name]
    near = _nearest(name, COMMANDS)
    if near:
        raise UsageError("usage.command_near", word=name, near=near)
    raise UsageError("usage.command", word=name)


def _nearest(word: str, names: Iterable[str]) -> str | None:
    """Return the name that was probably meant; None if none is similar."""
    import difflib  # noqa: PLC0415 - needed after a typing error only

    return next(iter(difflib.get_close_matches(word, names, n=1)), None)


def _parse_tokens(command: Command, tokens: Sequence[str]) -> CommandRequest:
    options: dict[str, str] = {}
    words: list[str] = []
    remaining = list(tokens)
    while remaining:
        word = remaining.pop(0)
        if _is_help_option(word):
            return CommandRequest(HELP, arguments=(command.name,))
        name, equals, value = word.partition("=")
        if not word.startswith("--"):
            words.append(word)
        elif not _takes_value(command, name):
            _add_option(options, command, word, "")
        else:
            _add_option(
                options, command, name, value if equals or not remaining else remaining.pop(0)
            )
    return CommandRequest(command, options, tuple(words))


def _parse_free_text(command: Command, rest: str) -> CommandRequest:
    """Parse the options up to the first other word or ``--``; the rest is the text, verbatim."""
    options: dict[str, str] = {}
    while True:
        word, remainder = _split_first_word(rest)
        if word == "--":
            rest = remainder
            break
        if not word.startswith("-"):
            break
        if _is_help_option(word):
            return CommandRequest(HELP, arguments=(command.name,))
        value = ""
        if _takes_value(command, word):
            value, remainder = _split_first_word(remainder)
        _add_option(options, command, word, value.rstrip(";"))
        rest = remainder
    text = _unquote(rest.strip())
    return CommandRequest(command, options, text=text if rest.strip() else None)


def _add_cell_body(request: CommandRequest, cell: str | None) -> CommandRequest:
    if cell is None:
        return request
    if request.command is HELP:
        return request
    if request.text is not None:
        raise UsageError("usage.text_and_cell", word=request.text)
    if not cell.strip():
        raise UsageError("usage.empty_cell")
    body = cell.removesuffix("\n")
    return CommandRequest(request.command, request.options, text=body)


def _add_option(options: dict[str, str], command: Command, word: str, value: str) -> None:
    name = word.rstrip(";")
    option = command.find_option(name)
    usage = command.synopsis
    if option is None:
        near = _nearest(name, [each.name for each in command.options])
        if near:
            raise UsageError(
                "usage.option_near", command=command.name, word=name, near=near, usage=usage
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
    """Split at the first white space, which includes the ideographic space of Chinese keyboards."""
    word, *rest = text.split(None, 1) or [""]
    return word, rest[0] if rest else ""


def _unquote(text: str) -> str:
    enclosed = len(text) > 1 and text[0] in _QUOTES and text[-1] == text[0]
    return text[1:-1] if enclosed else text
