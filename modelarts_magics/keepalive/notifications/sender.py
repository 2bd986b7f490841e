"""Start the processes that send notifications, and read what came of each."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics.domain.clock import wait_until
from modelarts_magics.keepalive.notifications.child_process import start_module
from modelarts_magics.keepalive.notifications.send import (
    BEGUN,
    NOT_SENT,
    TIMEOUT_S,
    UNKNOWN,
)
from modelarts_magics.keepalive.state import decode
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelarts_magics.keepalive.notifications.sinks import Sink

MODULE = "modelarts_magics.keepalive.notifications.send"


@dataclass(frozen=True)
class Result:
    """The outcome of an attempt.

    Attributes:
        outcome: One of the outcomes of `send`.
        cause: Why it was not delivered; None if it was.
        retry_after_s: The seconds to wait before the next attempt, if the receiver said so.
    """

    outcome: str
    cause: Message | None = None
    retry_after_s: float | None = None


class Attempt:
    """A process that sends one notification to one sink.

    Args:
        sink: The sink.
        payload: The document; None to check the address only.
        environ: The environment variables, with the proxies.
        monotonic: The clock for the time limit, in seconds.
    """

    def __init__(
        self,
        sink: Sink,
        payload: Mapping[str, Any] | None,
        environ: Mapping[str, str],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._ends_at_s = monotonic() + TIMEOUT_S
        python = sink.python if Path(sink.python).is_file() else sys.executable
        request = {"kind": sink.kind, "target": sink.target, "payload": payload}
        self._process = start_module(
            MODULE, request, environ, python=python, stdout=subprocess.PIPE
        )

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def poll(self) -> Result | None:
        """Return what came of it; None while that is unknown. Never waits."""
        if self._process.poll() is None:
            if self._monotonic() < self._ends_at_s:
                return None
            self.kill()
        return self._read_result()

    def kill(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """End the process, and release its pipe."""
        if self._process.poll() is None:
            self.kill()
        self._process.stdout.close()  # type: ignore[union-attr]

    def _read_result(self) -> Result:
        with self._process.stdout as stream:  # type: ignore[union-attr]
            first, *rest = stream.read().decode(errors="replace").splitlines() or [""]
        try:
            data = json.loads(rest[0])
            return Result(str(data["outcome"]), decode(data["cause"]), data["retry_after_s"])
        except (IndexError, ValueError, KeyError, TypeError):
            cause = Message("notify.cause.exit_status", {"status": self._process.returncode})
            return Result(UNKNOWN if first == BEGUN else NOT_SENT, cause)


StartAttempt = Callable[["Sink", "Mapping[str, Any] | None"], Attempt]


def send_and_wait(
    sinks: tuple[Sink, ...], payload: Mapping[str, Any] | None, environ: Mapping[str, str]
) -> list[Result]:
    """Send a notification to several sinks at the same time, and wait for all of them."""
    attempts = [Attempt(sink, payload, environ) for sink in sinks]
    try:
        return [
            wait_until(attempt.poll, timeout_s=2 * TIMEOUT_S) or Result(UNKNOWN)
            for attempt in attempts
        ]
    finally:
        for attempt in attempts:
            attempt.close()
