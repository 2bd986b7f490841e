"""Run the command that has to end before the stop, with a time limit and the last lines of its output."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from typing import TYPE_CHECKING

from modelarts_magics.keepalive.marks.result import FAILED, RAN, TIMED_OUT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import IO

LAST_LINES = 5
_MAX_OUTPUT_BYTES = 2000
_NOT_STARTED = 127
"""The exit status of a shell for a command that it cannot start."""
_GRACE_S = 5.0
"""Seconds between SIGTERM and SIGKILL for a command that exceeds its time limit."""


def run_command(
    command: str, *, timeout_s: float, folder: Path, environ: Mapping[str, str]
) -> tuple[str, int | None, str]:
    """Run a command in a shell; return its outcome, its exit status and the last lines of its output.

    Args:
        command: The command.
        timeout_s: Its time limit in seconds; then it and what it has started is ended.
        folder: The folder to run it in.
        environ: Its environment variables.
    """
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(  # noqa: S602 - the user's own command, which may use the shell
                command,
                shell=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=dict(environ),
                start_new_session=True,
            )
        except OSError as error:
            return FAILED, _NOT_STARTED, str(error)
        try:
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            _end(process)
            return TIMED_OUT, None, _last_lines(output)
        return (RAN if status == 0 else FAILED), status, _last_lines(output)


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(OSError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
            return


def _last_lines(output: IO[bytes]) -> str:
    end = output.seek(0, os.SEEK_END)
    output.seek(max(0, end - _MAX_OUTPUT_BYTES))
    lines = output.read().decode(errors="replace").splitlines()
    return "\n".join(line.rstrip() for line in lines[-LAST_LINES:] if line.strip())
