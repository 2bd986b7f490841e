"""The same words in a terminal: ``modelarts-magics …`` and ``python -m modelarts_magics …``."""

from __future__ import annotations

import io
import os
import shlex
import sys
from typing import TYPE_CHECKING, TextIO

from modelarts_magics import messages
from modelarts_magics.commands.dispatch import Context, prepare, run
from modelarts_magics.commands.parser import parse_arguments
from modelarts_magics.commands.render import as_text
from modelarts_magics.commands.writes import interrupted
from modelarts_magics.config.settings import Settings
from modelarts_magics.doctor import Report
from modelarts_magics.domain.models import Change, Effect
from modelarts_magics.errors import ModelArtsError, PartialError, UsageError
from modelarts_magics.session.connect import open_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelarts_magics.commands.parser import Request
    from modelarts_magics.session.session import Session

IN_EFFECT, FAILED, USAGE, NOT_AS_ASKED = 0, 1, 2, 3
"""Exit status: the last is for what was saved in part or for the next start only, or is not confirmed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command of a terminal and return its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _make_writable(sys.stdout, sys.stderr)
    if given and given[0] in _PROGRAMS:
        return _PROGRAMS[given[0]](given[1:])
    return _command(given, out=sys.stdout, err=sys.stderr)


def _make_writable(*streams: TextIO) -> None:
    """Let a terminal or pipe that lacks a character show its code instead of failing."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _command(arguments: Sequence[str], *, out: TextIO, err: TextIO) -> int:
    prefix = f"{shlex.quote(sys.executable)} -m modelarts_magics"
    opened: list[Session] = []
    request: Request | None = None
    try:
        settings = Settings.gather()
        prepare(settings, prefix)

        def session() -> Session:
            opened.append(open_session(settings))
            opened[-1].notice = lambda notice: print(notice, file=err)
            return opened[-1]

        request = parse_arguments(arguments)
        value = run(request, Context(session, lambda: settings, prefix))
    except ModelArtsError as error:
        print(error, file=err)
        return status_of_error(error)
    except KeyboardInterrupt:
        print(messages.text(interrupted(request)), file=err)
        return FAILED
    finally:
        for each in opened:
            each.close()
    _print(as_text(value), out)
    return _status(value)


def _print(words: str, out: TextIO) -> None:
    """Print to a reader that may have seen enough, as ``head`` has after a few lines."""
    try:
        print(words, file=out, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())  # for what is flushed at the end


def _status(value: object) -> int:
    if isinstance(value, Report) and value.problems:
        return FAILED
    effect = value.effect if isinstance(value, Change) else None
    if isinstance(value, dict) and "effect" in value:
        effect = Effect(value["effect"])
    return IN_EFFECT if effect in (None, Effect.NOW) else NOT_AS_ASKED


def status_of_error(error: ModelArtsError) -> int:
    """The exit status of a command that ended so."""
    if isinstance(error, UsageError):
        return USAGE
    open_end = isinstance(error, PartialError) or error.code == "unsettled.unread"
    return NOT_AS_ASKED if open_end else FAILED


def _emulator(arguments: Sequence[str]) -> int:
    from modelarts_magics.emulator.__main__ import main as emulate  # noqa: PLC0415 - needs an extra

    return emulate(list(arguments))


def _demo(arguments: Sequence[str]) -> int:
    from modelarts_magics.demo import main as demonstrate  # noqa: PLC0415 - needs an extra

    return demonstrate(list(arguments))


def _install_lab(arguments: Sequence[str]) -> int:
    from modelarts_magics.commands.install_lab import main as install  # noqa: PLC0415 - for who asks

    return install(list(arguments))


_PROGRAMS = {"emulator": _emulator, "demo": _demo, "install-lab": _install_lab}
