"""Look at another process of this machine without a dependency."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HAS_PROC = Path("/proc/self/stat").exists()
"""Whether this system has ``/proc`` as Linux has it."""
PARENT_FIELD = 1
_STATE_FIELD, _START_FIELD = 0, 19
"""Positions in the result of `stat_fields`."""


def stat_fields(pid: int, *, processes: Path = Path("/proc")) -> list[str] | None:
    """Return the fields of ``/proc/PID/stat`` from the third on; None if there is no such process.

    Source: proc(5).

    Args:
        pid: The process ID.
        processes: The folder with a folder for each process; replaced in tests.
    """
    try:
        with open(f"{processes}/{pid}/stat", "rb", buffering=0) as file:  # noqa: PTH123 - a Path takes time
            content = file.read().decode("ascii", "replace")
    except OSError:
        return None
    # The command, in parentheses, may contain spaces and parentheses.
    return content.rpartition(")")[2].split()


def process_started(pid: int) -> int | None:
    """Return when a process started, in a unit of the system; None if that is unknown or it has ended.

    Together with the ID it identifies a process, because IDs are used again.
    """
    fields = stat_fields(pid)
    if fields is None or fields[_STATE_FIELD] in ("Z", "X"):
        return None
    return int(fields[_START_FIELD])


def is_process_alive(pid: int, *, started: object = None) -> bool:
    """Return whether a process runs; a zombie does not.

    Args:
        pid: The process ID.
        started: What `process_started` returned for it; None if that is unknown.
    """
    if HAS_PROC:
        found = process_started(pid)
        return found is not None and started in (None, found)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextlib.contextmanager
def signals_blocked() -> Iterator[None]:
    """Block all signals for the threads that are started in a block: they are meant for another thread."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)
