"""Demo: the emulator, JupyterLab and the quickstart notebook in one command.

Exports `main` for `modelarts-magics demo`, and `build_parser`. May import the emulator and the messages;
the packages of the extra `demo` are imported only when the demo runs. The demo neither uses nor changes
the user's settings, history, runtime files or state: they are in a temporary folder, which is removed at
the end. Only the notebooks are in `./.demo`; edited ones are kept.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from modelarts_magics import messages
from modelarts_magics.commands.argument_parser import ArgumentParser
from modelarts_magics.demo.console import print_error, print_lines
from modelarts_magics.messages import text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from modelarts_magics.emulator.local import LocalEmulator

PROGRAM = "modelarts-magics demo"
MINUTES_LEFT = 40
REQUIRED_PACKAGES = ("tornado", "jupyterlab", "ipykernel", "nbclient")


def main(argv: Sequence[str] | None = None, *, prog: str = PROGRAM) -> int:
    """Run the demo until Ctrl-C, or the quickstart notebook once with `--check`.

    Args:
        argv: The arguments; `sys.argv` if None.
        prog: The command as it was typed.

    Returns:
        0 after a normal end, 1 if a package is missing or the demo failed; invalid arguments exit
        with 2.
    """
    messages.use_language(os.environ.get("MODELARTS_LANGUAGE"))
    arguments = build_parser(prog).parse_args(argv)
    if not all(find_spec(name) for name in REQUIRED_PACKAGES):
        return _fail(text("demo.missing"))
    _interrupt_on_signals()
    try:
        with _create_emulator(arguments) as emulator:
            return _run_demo(emulator, arguments)
    except KeyboardInterrupt:
        print_lines("", text("demo.ended"))
        return 0
    except BrokenPipeError:
        # Standard output is closed. Without this, Python would report an error at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _fail(text("demo.failed", reason=error))


def build_parser(prog: str = PROGRAM) -> ArgumentParser:
    """Return the argument parser of the command as it was typed."""
    parser = ArgumentParser(prog, "demo.help")

    def add_option(name: str, **options: object) -> None:
        help_text = text("demo.help." + name.strip("-").replace("-", "_"))
        parser.add_argument(name, help=help_text, **options)  # type: ignore[arg-type]

    add_option("--edition", choices=("2019", "2021"), default="2019")
    add_option("--api", choices=("demanager", "notebooks"), default="demanager")
    add_option("--time-scale", type=_positive_number, default=1.0, metavar="FACTOR")
    add_option("--port", type=int, default=0)
    add_option("--check", action="store_true")
    return parser


def _positive_number(value_text: str) -> float:
    value = float(value_text)
    if value <= 0:
        raise ValueError(value_text)
    return value


def _fail(message: str) -> int:
    print_error(message)
    return 1


def _interrupt_on_signals() -> None:
    """Handle termination and the closing of the terminal like Ctrl-C."""
    names = ("SIGTERM", "SIGHUP", "SIGBREAK")
    for number in (getattr(signal, name) for name in names if hasattr(signal, name)):
        signal.signal(number, signal.default_int_handler)


def _create_emulator(arguments: argparse.Namespace) -> LocalEmulator:
    from modelarts_magics.emulator.local import LocalEmulator  # noqa: PLC0415 - tornado is an extra

    return LocalEmulator(
        edition=arguments.edition,
        api=arguments.api,
        time_scale=arguments.time_scale,
        minutes_left=MINUTES_LEFT,
    )


def _run_demo(emulator: LocalEmulator, arguments: argparse.Namespace) -> int:
    from modelarts_magics.demo import check, lab, workspace  # noqa: PLC0415 - JupyterLab is an extra

    if arguments.check:
        with workspace.temporary_workspace(emulator.environment()) as work:
            return check.run_notebook(
                workspace.example_notebooks_folder() / workspace.quickstart_name(), work
            )
    with (
        workspace.notebook_copies() as notebooks,
        workspace.temporary_workspace(emulator.environment(), notebooks) as work,
    ):
        print_lines(text("demo.starting"))
        return lab.run_jupyterlab(work, emulator, port=arguments.port, minutes_left=MINUTES_LEFT)
