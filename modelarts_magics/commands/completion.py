"""The words that can follow on a command line, from the grammar, for kernels and shells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelarts_magics import messages
from modelarts_magics.commands.grammar import COMMANDS, QUIET
from modelarts_magics.domain.durations import parse_duration
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAMS = ("completion", "demo", "emulator", "run")
"""The commands that exist in a terminal only."""
SHELLS = ("bash", "zsh", "fish")

_PROGRAM = "modelarts-magics"
_SCRIPTS = {
    "bash": """\
_modelarts_magics() {
    local IFS=$'\\n'
    COMPREPLY=($(PROGRAM completion words "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1))
    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace
}
complete -o nosort -F _modelarts_magics PROGRAM
""",
    "zsh": """\
#compdef PROGRAM
_modelarts_magics() {
    local -a lines shown
    local line
    lines=("${(@f)$(PROGRAM completion words "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    for line in $lines; do
        shown+=("${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}")
    done
    _describe -V PROGRAM shown
}
compdef _modelarts_magics PROGRAM
""",
    "fish": """\
complete -c PROGRAM -f -k -a '(PROGRAM completion words (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
""",
}


def shell_script(shell: str) -> str:
    """Return the script that completes commands in a shell, one of `SHELLS`."""
    return _SCRIPTS[shell].replace("PROGRAM", _PROGRAM)


def find_candidates(
    preceding: Sequence[str], word: str, *, terminal: bool = False
) -> dict[str, str] | None:
    """Return the words that can follow with their descriptions: values in natural order, then options.

    Args:
        preceding: The words before the cursor, without the name of the magic or program.
        word: The beginning of the word at the cursor.
        terminal: Whether to offer what exists in a terminal only, and not what needs a kernel.

    Returns:
        None inside a description or the name of a variable.
    """
    if _is_free_text(preceding):
        return None
    found = _candidates(preceding, terminal=terminal)
    return {each: description for each, description in found.items() if each.startswith(word)}


def _is_free_text(preceding: Sequence[str]) -> bool:
    command = COMMANDS.get(preceding[0]) if preceding else None
    if command is None or not command.free_text:
        return False
    options = [command.find_option(each) for each in preceding[1:]]
    return any(option is None or option.metavar for option in options)


def _candidates(preceding: Sequence[str], *, terminal: bool) -> dict[str, str]:
    offered = [each for each in COMMANDS.values() if not (terminal and each.kernel_only)]
    names = {each.name: text(f"help.{each.name}") for each in offered}
    if not preceding:
        programs = {each: text(f"help.program.{each}") for each in PROGRAMS} if terminal else {}
        return {**names, **programs}
    if list(preceding) == ["help"]:
        return {name: description for name, description in names.items() if name != "help"}
    command = COMMANDS.get(preceding[0])
    if command is None or command.name == "help":
        return {}
    words = command.completions if len(preceding) == 1 else ()
    options = command.without_kernel_options.options if terminal else command.options
    if terminal:
        options = (*options, QUIET)
    unused = [each.name for each in options if each.name not in preceding]
    return {
        **{each: _describe_value(each) for each in words},
        **{name: text(f"help.option.{name[2:]}") for name in unused},
    }


def _describe_value(value: str) -> str:
    """Return the description of a value: a duration in full, or its text in the catalogue."""
    if value[0].isdigit():
        return messages.format_duration(parse_duration(value))
    code = f"help.value.{value}"
    return text(code) if messages.has_text(code) else ""
