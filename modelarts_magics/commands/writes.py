"""Whether a request may change the instance, for what is said of one that was interrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelarts_magics.commands.grammar import AUTO_STOP, DESCRIBE

if TYPE_CHECKING:
    from modelarts_magics.commands.parser import CommandRequest

_WRITE_COMMANDS = ("extend", "shorten", "stop")
_OUTPUT_OPTIONS = {"--json"}


def interrupt_message_code(request: CommandRequest | None) -> str:
    """The code of the sentence about an interrupt: whether a change may have been sent."""
    return "cli.interrupted.write" if request and may_write(request) else "cli.interrupted"


def may_write(request: CommandRequest) -> bool:
    """Whether it sends a change: without words, ``describe`` and ``auto-stop`` only show."""
    if request.command.name in _WRITE_COMMANDS:
        return True
    given = request.text is not None or request.arguments or set(request.options) - _OUTPUT_OPTIONS
    return request.command.name in (DESCRIBE.name, AUTO_STOP.name) and bool(given)
