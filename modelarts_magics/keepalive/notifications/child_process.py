"""Start a module of this package in a process of its own, which reads a request from its standard input."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def start_module(
    module: str,
    request: Mapping[str, Any],
    environ: Mapping[str, str],
    *,
    python: str = sys.executable,
    stdout: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a module that outlives a Ctrl-C in this process.

    Args:
        module: Its full name.
        request: What it reads, in JSON. Secrets go this way, because other users see arguments.
        environ: Its environment variables.
        python: The interpreter.
        stdout: Where its output goes, as for `subprocess.Popen`.

    Raises:
        OSError: The interpreter cannot be started.
    """
    process = subprocess.Popen(  # noqa: S603 - our own module
        [python, "-m", module],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        env=dict(environ),
        cwd=os.sep,
        start_new_session=True,
    )
    # It may have ended already. A pipe takes more than any request has.
    with contextlib.suppress(OSError), process.stdin as pipe:  # type: ignore[union-attr]
        pipe.write(json.dumps(request).encode())
    return process
