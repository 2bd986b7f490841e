"""One call at a time in a thread of its own, so that the caller can always stop waiting.

A name look-up and a TLS handshake cannot be interrupted from Python; a wait for a queue can, by a
deadline and by Ctrl-C. A call that is given up goes on in its thread, unseen, until it ends by itself;
one that had not begun never begins.
"""

from __future__ import annotations

import os
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Callable, Generic, TypeVar

if TYPE_CHECKING:
    from modelarts_magics.domain.clock import Deadline

T = TypeVar("T")

_TICK = 0.5
"""Seconds between two looks at the deadline; on Windows also at Ctrl-C."""
_GOODBYE = 1.0
"""Seconds that a thread has to close what it has open: nobody wants to wait for a cloud that is silent."""


class _Job(Generic[T]):
    """A call and the queue on which its outcome arrives."""

    def __init__(self, call: Callable[[], T]) -> None:
        self.call = call
        self.outcome: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        self.given_up = False

    def run(self) -> None:
        if self.given_up:
            return
        try:
            self.outcome.put((self.call(), None))
        except BaseException as error:  # noqa: BLE001 - handed to who waits, never lost
            self.outcome.put((None, error))


_Jobs = SimpleQueue["_Job[Any] | None"]


def _nothing() -> None:
    """Nothing is to be closed."""


class Worker:
    """A daemon thread that makes the calls; started on first use and after a call was given up.

    Args:
        finish: Called in the thread when it ends, to close what the calls opened there.
        goodbye_s: How long `stop` waits for that.
    """

    def __init__(
        self, finish: Callable[[], None] = _nothing, *, goodbye_s: float = _GOODBYE
    ) -> None:
        self._finish = finish
        self._goodbye_s = goodbye_s
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._jobs: _Jobs | None = None
        self._thread: threading.Thread | None = None

    def run(self, call: Callable[[], T], *, deadline: Deadline) -> T:
        """Make the call and return its result.

        Raises:
            TimeoutError: The deadline passed first.
        """
        job: _Job[T] = _Job(call)
        jobs = self._submit(job)
        try:
            value, error = _wait(job, deadline)
        except BaseException:
            job.given_up = True
            self._leave(jobs)
            raise
        if error is not None:
            raise error
        return value  # type: ignore[no-any-return]  # what the call returned

    def stop(self) -> None:
        """Let the thread end after what it is doing; the next call starts another."""
        thread = self._thread
        if self._jobs is not None and self._owner == os.getpid():
            self._leave(self._jobs)
            if thread is not None:
                thread.join(self._goodbye_s)

    def _submit(self, job: _Job[Any]) -> _Jobs:
        if self._owner != os.getpid():  # a fork copies no thread, but perhaps a lock that is held
            self._lock, self._jobs, self._owner = threading.Lock(), None, os.getpid()
        with self._lock:
            if self._jobs is None:
                self._jobs = SimpleQueue()
                self._thread = threading.Thread(
                    target=_serve,
                    args=(self._jobs, self._finish),
                    name="modelarts-http",
                    daemon=True,
                )
                self._thread.start()
            self._jobs.put(job)
            return self._jobs

    def _leave(self, jobs: _Jobs) -> None:
        """Let the thread of these jobs end, and use a new one from here on."""
        with self._lock:
            jobs.put(None)
            if self._jobs is jobs:  # else another caller has left it before
                self._jobs = None


def _wait(job: _Job[Any], deadline: Deadline) -> tuple[Any, BaseException | None]:
    while deadline.left > 0:
        try:
            return job.outcome.get(timeout=max(0.001, min(_TICK, deadline.left)))
        except Empty:
            continue
    raise TimeoutError


def _serve(jobs: _Jobs, finish: Callable[[], None]) -> None:
    try:
        while True:
            job = jobs.get()
            if job is None:
                return
            job.run()
            del job
    finally:
        finish()
