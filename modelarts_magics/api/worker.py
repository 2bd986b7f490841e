"""One call at a time in a thread of its own, so that the caller can always stop waiting.

A name look-up and a TLS handshake cannot be interrupted from Python; a wait for a queue can, by a
deadline and by Ctrl-C. A call that is given up goes on in its thread, unseen, until it ends by itself.
"""

from __future__ import annotations

import os
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Callable, Generic, TypeVar

if TYPE_CHECKING:
    from modelarts_magics.clock import Deadline

T = TypeVar("T")

_TICK = 0.5
"""Seconds between two looks at the deadline; on Windows also at Ctrl-C."""


class _Job(Generic[T]):
    """A call and the queue on which its outcome arrives."""

    def __init__(self, call: Callable[[], T]) -> None:
        self.call = call
        self.outcome: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def run(self) -> None:
        try:
            self.outcome.put((self.call(), None))
        except BaseException as error:  # noqa: BLE001 - handed to who waits, never lost
            self.outcome.put((None, error))


class Worker:
    """A daemon thread that makes the calls; started on first use and after a call was given up."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[_Job[Any] | None] | None = None
        self._owner = 0

    def run(self, call: Callable[[], T], *, deadline: Deadline) -> T:
        """Make the call and return its result.

        Raises:
            TimeoutError: The deadline passed first.
        """
        job: _Job[T] = _Job(call)
        self._queue().put(job)
        try:
            value, error = _wait(job, deadline)
        except BaseException:
            self.stop()
            raise
        if error is not None:
            raise error
        return value  # type: ignore[no-any-return]  # what the call returned

    def stop(self) -> None:
        """Let the thread end after what it is doing; the next call starts another."""
        if self._jobs is not None:
            self._jobs.put(None)
            self._jobs = None

    def _queue(self) -> SimpleQueue[_Job[Any] | None]:
        if self._jobs is None or self._owner != os.getpid():  # a fork copies no thread
            self._jobs, self._owner = SimpleQueue(), os.getpid()
            threading.Thread(
                target=_serve, args=(self._jobs,), name="modelarts-http", daemon=True
            ).start()
        return self._jobs


def _wait(job: _Job[Any], deadline: Deadline) -> tuple[Any, BaseException | None]:
    while deadline.left > 0:
        try:
            return job.outcome.get(timeout=max(0.001, min(_TICK, deadline.left)))
        except Empty:
            continue
    raise TimeoutError


def _serve(jobs: SimpleQueue[_Job[Any] | None]) -> None:
    while True:
        job = jobs.get()
        if job is None:
            return
        job.run()
        del job
