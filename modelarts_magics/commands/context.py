"""The context that a command runs in: session, settings, variables and prompts of the caller."""

from __future__ import annotations

import getpass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelarts_magics.config.credentials import FoundCredential
    from modelarts_magics.config.settings import Settings
    from modelarts_magics.keepalive.marks.mark import CellMarks
    from modelarts_magics.session.session import Session


def ask(question: str) -> str:
    """Ask a question and return the answer; in a kernel, `input` asks in the front end."""
    return input(question)


def ask_secret(question: str) -> str:
    """Ask a question without showing or recording the answer, and return it."""
    return getpass.getpass(question)


class CommandContext(NamedTuple):
    """The context that a command runs in.

    Attributes:
        get_session: Returns the session; called only by commands that send requests.
        get_settings: Returns the current settings.
        prefix: The text before a command in help and hints, for example ``%modelarts``.
        namespace: The variables that ``--from`` can name.
        ask: Asks a question and returns the answer.
        ask_secret: Asks a question without showing the answer.
        use_interactive_credential: Takes the credential entered by ``login``, or None to forget it; None if it
            cannot be kept in memory.
        get_interactive_credential: Returns the credential entered by ``login``, or None.
        show_outputs: Displays outputs in the format of a notebook; None in a terminal.
        widget_factories: Functions that create a widget, by command; empty in a terminal.
        get_cell_marks: Returns the marks of this kernel; None in a terminal.
    """

    get_session: Callable[[], Session]
    get_settings: Callable[[], Settings]
    prefix: str
    namespace: Mapping[str, Any] = MappingProxyType({})
    ask: Callable[[str], str] = ask
    ask_secret: Callable[[str], str] = ask_secret
    use_interactive_credential: Callable[[FoundCredential | None], None] | None = None
    get_interactive_credential: Callable[[], FoundCredential | None] = lambda: None
    show_outputs: Callable[[Sequence[dict[str, Any]]], None] | None = None
    widget_factories: Mapping[str, Callable[[], object]] = MappingProxyType({})
    get_cell_marks: Callable[[], CellMarks] | None = None
