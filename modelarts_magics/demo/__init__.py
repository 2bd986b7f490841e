"""``modelarts-magics demo``: the emulator, JupyterLab and the quickstart notebook in one command.

Nothing of the person's is used or changed: settings, history, runtime files and the last known
state live in a folder of their own that is removed at the end. Only the notebooks are in sight, in
``./.demo``; they stay if they were edited.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from modelarts_magics import messages
from modelarts_magics.demo.console import print_error, print_lines
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelarts_magics.emulator.local import LocalEmulator

MINUTES_LEFT = 40
REQUIRED_PACKAGES = ("tornado", "jupyterlab", "ipykernel", "nbclient")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo until Ctrl-C, or the quickstart once with ``--check``.

    Args:
        argv: The arguments; those of the process if None.

    Returns:
        0 at the end, 1 if something is missing or failed; wrong arguments exit with 2.
    """
    messages.use_language(os.environ.get("MODELARTS_LANGUAGE"))
    arguments = build_parser().parse_args(argv)
    if not all(find_spec(name) for name in REQUIRED_PACKAGES):
        return _fail(text("demo.missing"))
    _interrupt_on_signals()
    try:
        with _create_emulator(arguments) as emulator:
            return _run_demo(emulator, arguments)
    except KeyboardInterrupt:
        print_lines("", text("demo.ended"))
        return 0
    except BrokenPipeError:  # nobody reads any more, and at its end Python would complain of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _fail(text("demo.failed", reason=error))


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="modelarts-magics demo", description=text("demo.help"))

    def add_option(name: str, **how: object) -> None:
        words = text("demo.help." + name.strip("-").replace("-", "_"))
        made.add_argument(name, help=words, **how)  # type: ignore[arg-type]

    add_option("--edition", choices=("2019", "2021"), default="2019")
    add_option("--api", choices=("demanager", "notebooks"), default="demanager")
    add_option("--time-scale", type=_positive_number, default=1.0, metavar="FACTOR")
    add_option("--port", type=int, default=0)
    add_option("--check", action="store_true")
    return made


def _positive_number(value_text: str) -> float:
    value = float(value_text)
    if value <= 0:
        raise ValueError(value_text)
    return value


def _fail(message: str) -> int:
    print_error(message)
    return 1


def _interrupt_on_signals() -> None:
    """Let a request to end, or the terminal's closing, end the demo as Ctrl-C does."""
    names = ("SIGTERM", "SIGHUP", "SIGBREAK")
    for number in (getattr(signal, name) for name in names if hasattr(signal, name)):
        signal.signal(number, signal.default_int_handler)


def _create_emulator(arguments: argparse.Namespace) -> LocalEmulator:
    from modelarts_magics.emulator.local import LocalEmulator  # noqa: PLC0415 - needs an extra

    return LocalEmulator(
        edition=arguments.edition,
        api=arguments.api,
        time_scale=arguments.time_scale,
        minutes_left=MINUTES_LEFT,
    )


def _run_demo(emulator: LocalEmulator, arguments: argparse.Namespace) -> int:
    from modelarts_magics.demo import check, lab, workspace  # noqa: PLC0415 - as needed only

    if arguments.check:
        with workspace.temporary_workspace(emulator.environment()) as private:
            return check.run_notebook(
                workspace.example_notebooks_folder() / workspace.QUICKSTART, private
            )
    with (
        workspace.notebook_copies() as work,
        workspace.temporary_workspace(emulator.environment(), work) as seen,
    ):
        print_lines(text("demo.starting"))
        return lab.run_jupyterlab(seen, emulator, port=arguments.port, minutes_left=MINUTES_LEFT)
