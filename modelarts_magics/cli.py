"""The command line: ``modelarts-magics …`` and ``python -m modelarts_magics …``."""

from __future__ import annotations

import builtins
import io
import os
import shlex
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from modelarts_magics import __version__, messages
from modelarts_magics.commands.completion import SHELLS, find_candidates, shell_script
from modelarts_magics.commands.context import CommandContext
from modelarts_magics.commands.dispatch import configure_messages, run_command
from modelarts_magics.commands.parser import interrupt_message_code, parse_arguments
from modelarts_magics.commands.render import colour_first_line, render_terminal, render_text
from modelarts_magics.config.settings import Settings
from modelarts_magics.doctor.report import DoctorReport
from modelarts_magics.domain.models import Change, Effect
from modelarts_magics.errors import ModelArtsError, PartialUpdateError, UsageError
from modelarts_magics.keepalive.resume import resume
from modelarts_magics.session.connect import open_session
from modelarts_magics.session.session import LATER_STARTS_NOTICE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelarts_magics.commands.parser import CommandRequest
    from modelarts_magics.messages import Message
    from modelarts_magics.session.session import Session

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INCOMPLETE = 0, 1, 2, 3
"""Exit statuses; the last is for changes applied in part, at the next start only, or unconfirmed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Args:
        arguments: The arguments after the program's name; None for those of the process.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    _escape_unencodable(sys.stdout, sys.stderr)
    if words[:1] in (["--version"], ["-V"]):
        sys.stdout.write(f"modelarts-magics {__version__}\n")
        return EXIT_OK
    if words and words[0] in _SUBCOMMANDS:
        return _SUBCOMMANDS[words[0]](words[1:])
    return _run_command(words, out=sys.stdout, err=sys.stderr)


def command_prefix(program: str, interpreter: str) -> str:
    """Return how this program was started, so that hints can be repeated as they are.

    Args:
        program: The first word of the arguments: the path of the command or of ``__main__.py``.
        interpreter: The Python interpreter as it was typed.
    """
    path = Path(program)
    if path.stem != "modelarts-magics":
        return f"{shlex.quote(interpreter)} -m modelarts_magics"
    return path.stem if shutil.which(path.stem) == program else shlex.quote(program)


def _own_prefix() -> str:
    # IPython defines it while a cell runs, such as one with `%run -m`.
    if hasattr(builtins, "get_ipython"):
        return "%run -m modelarts_magics"
    # Python 3.9 does not keep the interpreter as it was typed.
    return command_prefix(sys.argv[0], getattr(sys, "orig_argv", [sys.executable])[0])


def _escape_unencodable(*streams: TextIO) -> None:
    """Write characters that an encoding lacks as escape sequences instead of failing."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _run_command(arguments: Sequence[str], *, out: TextIO, err: TextIO) -> int:
    prefix = _own_prefix()
    opened: list[Session] = []
    request: CommandRequest | None = None
    try:
        settings = Settings.load()
        configure_messages(settings, prefix)

        def show_notice(notice: Message) -> None:
            # A script reads the result, which says the same.
            for_script = request and (request.has_option("--quiet") or request.has_option("--json"))
            if not (for_script and notice.code == LATER_STARTS_NOTICE):
                print(notice, file=err)

        def get_session() -> Session:
            opened.append(open_session(settings, actor="terminal"))
            opened[-1].on_notice = show_notice
            resume(opened[-1], os.environ)
            return opened[-1]

        request = parse_arguments(arguments)
        value = run_command(request, CommandContext(get_session, lambda: settings, prefix))
    except ModelArtsError as error:
        print(colour_first_line(str(error), "error") if _has_colours(err) else error, file=err)
        return exit_status_of_error(error)
    except KeyboardInterrupt:
        print(messages.text(interrupt_message_code(request)), file=err)
        return EXIT_FAILED
    finally:
        for each in opened:
            each.close()
    if request.has_option("--quiet"):
        return _exit_status(value)
    _print_result(render_terminal(value) if _has_colours(out) else render_text(value), out)
    return _exit_status(value)


def _has_colours(stream: TextIO) -> bool:
    """Return whether a stream is a terminal on which the user wants colours.

    Source: https://no-color.org
    """
    unwanted = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not unwanted


def _print_result(output: str, out: TextIO) -> None:
    """Print a result; the reader may have closed the pipe, for example ``head``."""
    try:
        print(output, file=out, flush=True)
    except BrokenPipeError:
        # Python flushes the stream again at exit, which must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())


def _exit_status(value: object) -> int:
    if isinstance(value, DoctorReport) and value.problems:
        return EXIT_FAILED
    effect = value.effect if isinstance(value, Change) else None
    if isinstance(value, dict) and "effect" in value:
        effect = Effect(value["effect"])
    return EXIT_OK if effect in (None, Effect.NOW) else EXIT_INCOMPLETE


def exit_status_of_error(error: ModelArtsError) -> int:
    """Return the exit status for an error."""
    if isinstance(error, UsageError):
        return EXIT_USAGE
    incomplete = (
        isinstance(error, PartialUpdateError) or error.code == "outcome_unknown.not_read_back"
    )
    return EXIT_INCOMPLETE if incomplete else EXIT_FAILED


def _run_emulator(arguments: Sequence[str]) -> int:
    if find_spec("tornado") is None:
        messages.use_language(os.environ.get("MODELARTS_LANGUAGE"))
        sys.stderr.write(messages.text("emulator.missing") + "\n")
        return EXIT_FAILED
    from modelarts_magics.emulator.__main__ import main as run_emulator  # noqa: PLC0415 - needs an extra

    return run_emulator(list(arguments), prog=f"{_own_prefix()} emulator")


def _run_demo(arguments: Sequence[str]) -> int:
    from modelarts_magics.demo import main as run_demo  # noqa: PLC0415 - needs an extra

    return run_demo(list(arguments), prog=f"{_own_prefix()} demo")


def _run_completion(arguments: Sequence[str]) -> int:
    """Print the completion script of a shell, or the words that can follow: ``words WORD… BEGINNING``."""
    messages.use_language(os.environ.get("MODELARTS_LANGUAGE"))
    if arguments[:1] == ["words"]:
        *preceding, word = arguments[1:] or [""]
        found = find_candidates(preceding, word, terminal=True) or {}
        sys.stdout.writelines(f"{each}\t{description}\n" for each, description in found.items())
        return EXIT_OK
    if len(arguments) == 1 and arguments[0] in SHELLS:
        sys.stdout.write(shell_script(arguments[0]))
        return EXIT_OK
    messages.use_command_prefix(_own_prefix())
    usage = messages.text("usage.completion", shells=" | ".join(SHELLS))
    asked = arguments[:1] in (["-h"], ["--help"])
    print(usage, file=sys.stdout if asked else sys.stderr)
    return EXIT_OK if asked else EXIT_USAGE


def _run_guarded(arguments: Sequence[str]) -> int:
    from modelarts_magics.commands.run import main as run  # noqa: PLC0415 - used by this subcommand only

    return run(arguments, prefix=_own_prefix())


_SUBCOMMANDS = {
    "run": _run_guarded,
    "completion": _run_completion,
    "emulator": _run_emulator,
    "demo": _run_demo,
}
