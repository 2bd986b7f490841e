"""Warn in the terminals of the user of a stop because nothing works, as `shutdown` does."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from modelarts_magics.keepalive.activity.source import TERMINAL
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from modelarts_magics.keepalive.activity.report import ActivityReport
    from modelarts_magics.keepalive.stopping import PendingStop

_MULTIPLEXER = "activity.terminal.multiplexer"


def warn_terminals(
    pending: PendingStop, report: ActivityReport, *, devices: Path = Path("/dev")
) -> None:
    """Write one line to each terminal that was found; one that cannot be written to is left out.

    Args:
        pending: The stop.
        report: The sources, among them the terminals.
        devices: The folder of the terminals' devices; replaced in tests.
    """
    assert pending.stops_at is not None  # noqa: S101 - for the type checker: nothing works, so nothing postpones it
    warning = text("idle_stop.terminal_warning", stop_time=pending.stops_at)
    line = f"\r\n{warning}\r\n".encode()
    for source in report.sources:
        # A client of tmux shows a terminal that is written to itself.
        if source.kind == TERMINAL and source.name and source.reason.code != _MULTIPLEXER:
            with contextlib.suppress(OSError):
                _write(devices / source.name, line)


def _write(path: Path, line: bytes) -> None:
    # A terminal whose output was suspended must not suspend the daemon.
    descriptor = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)
