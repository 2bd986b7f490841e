"""Measure the figures and print them; exit with 1 if a target is missed: `python tests/bench/run.py`.

Any interpreter that has the package can run it: it creates the environment of the measurements and restarts
itself there.
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
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from measure import Figure
    from refresh_calls import ClientFactory

# Passed when the program restarts itself.
IN_ENVIRONMENT_FLAG = "--inside"
# The file system in memory of Linux; elsewhere, the default folder is used.
MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108 - used with random names
GROUPS = (
    "interpreters",
    "kernels",
    "calls",
    "signing",
    "polling",
    "recording",
    "keeping",
    "activity",
    "page",
    "sidebar",
)


def main(arguments: Sequence[str]) -> int:
    """Measure and return the exit status: 1 if a target is missed."""
    options = _options(arguments)
    if not options.inside:
        return _restart_in_environment(arguments)
    with (
        _temporary_folder() as disk,
        _temporary_folder(MEMORY_FOLDER) as memory,
        _run_server() as endpoint,
    ):
        # Needs the packages of the environment.
        import refresh_calls  # noqa: PLC0415

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
        parser.error(f"unknown group {group!r}: choose from {', '.join(GROUPS)}")
    return options


def _restart_in_environment(arguments: Sequence[str]) -> int:
    from environment import isolated_variables, prepare_environment  # noqa: PLC0415

    python = str(prepare_environment())
    with _temporary_folder() as home:
        return subprocess.run(  # noqa: S603 - fixed arguments
            [python, __file__, IN_ENVIRONMENT_FLAG, *arguments],
            env=isolated_variables(home),
            check=False,
        ).returncode


def _measure(groups: Sequence[str], endpoint: str, clients: ClientFactory) -> int:
    # Needs the packages of the environment.
    from measure import table  # noqa: PLC0415

    start, missed = perf_counter(), 0
    for group in groups:
        sys.stderr.write(f"Measuring {group} …\n")
        figures = _measure_group(group, endpoint, clients)
        missed += sum(figure.verdict == "MISSED" for figure in figures)
        sys.stdout.write(f"{table(figures)}\n\n")
        sys.stdout.flush()
    sys.stdout.write(f"{perf_counter() - start:.0f} s, targets missed: {missed}\n")
    return 1 if missed else 0


def _measure_group(group: str, endpoint: str, clients: ClientFactory) -> list[Figure]:
    # These need the packages of the environment.
    import activity  # noqa: PLC0415
    import countdown_page  # noqa: PLC0415
    import interpreters  # noqa: PLC0415
    import keeping  # noqa: PLC0415
    import kernels  # noqa: PLC0415
    import lab_page  # noqa: PLC0415
    import polling  # noqa: PLC0415
    import recording  # noqa: PLC0415
    import refresh_calls  # noqa: PLC0415
    import signatures  # noqa: PLC0415

    environ = dict(os.environ)
    connected = {**environ, **interpreters.session_variables(endpoint)}
    measurements: dict[str, Callable[[], list[Figure]]] = {
        "interpreters": lambda: interpreters.figures(endpoint, environ),
        "kernels": lambda: kernels.figures(connected),
        "calls": lambda: refresh_calls.figures(clients),
        "signing": signatures.figures,
        "polling": polling.figures,
        "recording": recording.figures,
        "keeping": keeping.figures,
        "activity": activity.figures,
        "page": countdown_page.figures,
        "sidebar": lambda: lab_page.figures(connected),
    }
    return measurements[group]()


@contextmanager
def _temporary_folder(parent: Path | None = None) -> Iterator[Path]:
    """Create an empty folder, inside `parent` if that is writable."""
    folder_parent = parent if parent and os.access(parent, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=folder_parent) as folder:
        yield Path(folder)


@contextmanager
def _run_server() -> Iterator[str]:
    """Run the server in a process of its own and yield its URL."""
    program = Path(__file__).with_name("canned_api.py")
    with subprocess.Popen(  # noqa: S603 - fixed arguments
        [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the server has no pipes")
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        # The server stops when its standard input is closed.
        process.stdin.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
