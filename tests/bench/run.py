"""Measure, print the table, and fail where a target is missed: ``python tests/bench/run.py``.

The first part runs under any interpreter that has the package; it makes the environment that the
figures are measured in, and starts itself again there.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from measure import Figure
    from refresh_calls import ClientFactory

IN_ENVIRONMENT_FLAG = "--inside"
"""Said by the first part to the second."""
MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108 - folders in it get random names
"""Linux's file system in memory; elsewhere, or where it is not writable, the disk has to do."""
GROUPS = ("interpreters", "kernels", "calls", "signing", "page", "sidebar")


def main(arguments: Sequence[str]) -> int:
    """Measure and return the exit status: 1 where a target is missed."""
    options = _options(arguments)
    if not options.inside:
        return _restart_in_environment(arguments)
    with (
        _temporary_folder() as disk,
        _temporary_folder(MEMORY_FOLDER) as memory,
        _run_server() as endpoint,
    ):
        import refresh_calls  # noqa: PLC0415 - only inside can it be imported

        clients = refresh_calls.ClientFactory(endpoint, memory_folder=memory, disk_folder=disk)
        if options.profile:
            refresh_calls.profile(clients)
            return 0
        return _measure(options.group or GROUPS, endpoint, clients)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the figures of tests/bench/README.md.")
    parser.add_argument("group", nargs="*", help=f"measure only these: {', '.join(GROUPS)}")
    parser.add_argument(
        "--profile", action="store_true", help="show where a refresh spends its time"
    )
    parser.add_argument(IN_ENVIRONMENT_FLAG, action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    for group in set(options.group) - set(GROUPS):
        parser.error(f"no group {group!r}: choose from {', '.join(GROUPS)}")
    return options


def _restart_in_environment(arguments: Sequence[str]) -> int:
    from environment import isolated_variables, prepare_environment  # noqa: PLC0415 - not needed inside

    python = str(prepare_environment())
    with _temporary_folder() as home:
        return subprocess.run(  # noqa: S603 - our own program
            [python, __file__, IN_ENVIRONMENT_FLAG, *arguments],
            env=isolated_variables(home),
            check=False,
        ).returncode


def _measure(groups: Sequence[str], endpoint: str, clients: ClientFactory) -> int:
    from measure import table  # noqa: PLC0415 - after the choice of environment

    begun = perf_counter()
    figures = [figure for group in groups for figure in _figures(group, endpoint, clients)]
    missed = sum(figure.verdict == "MISSED" for figure in figures)
    seconds = perf_counter() - begun
    sys.stdout.write(f"{table(figures)}\n\nmedians of one run, {seconds:.0f} s; missed: {missed}\n")
    return 1 if missed else 0


def _figures(group: str, endpoint: str, clients: ClientFactory) -> list[Figure]:
    sys.stderr.write(f"measuring: {group}\n")
    import countdown_page  # noqa: PLC0415
    import interpreters  # noqa: PLC0415
    import kernels  # noqa: PLC0415
    import lab_page  # noqa: PLC0415
    import refresh_calls  # noqa: PLC0415 - only inside can it be imported
    import signatures  # noqa: PLC0415

    environ = dict(os.environ)
    if group == "interpreters":
        return interpreters.figures(endpoint, environ)
    if group == "kernels":
        return kernels.figures({**environ, **interpreters.session_variables(endpoint)})
    if group == "calls":
        return refresh_calls.figures(clients)
    if group == "page":
        return countdown_page.figures()
    if group == "sidebar":
        return lab_page.figures({**environ, **interpreters.session_variables(endpoint)})
    return signatures.figures()


@contextmanager
def _temporary_folder(parent: Path | None = None) -> Iterator[Path]:
    """Give an empty folder, in the one that is named if that is there."""
    place = parent if parent and os.access(parent, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as folder:
        yield Path(folder)


@contextmanager
def _run_server() -> Iterator[str]:
    """Serve in a process of its own, and give the endpoint."""
    program = Path(__file__).with_name("canned_api.py")
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the server has no pipes")
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.stdin.close()  # which ends it


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
