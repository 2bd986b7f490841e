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

_WAIT_INTERVAL_S = 0.5
"""Seconds between two looks at the deadline; on Windows also at Ctrl-C."""
_SHUTDOWN_TIMEOUT_S = 1.0
"""Seconds that a thread has to close what it has open: nobody wants to wait for a cloud that is silent."""


class _Job(Generic[T]):
    """A call and the queue on which its outcome arrives."""

    def __init__(self, call: Callable[[], T]) -> None:
        self.call = call
        self.result: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        self.abandoned = False

    def run(self) -> None:
        if self.abandoned:
            return
        try:
            self.result.put((self.call(), None))
        except BaseException as error:  # noqa: BLE001 - handed to who waits, never lost
            self.result.put((None, error))


_JobQueue = SimpleQueue["_Job[Any] | None"]


def _do_nothing() -> None:
    """Nothing is to be closed."""


class HttpThread:
    """A daemon thread that makes the calls; started on first use and after a call was given up.

    Args:
        on_exit: Called in the thread when it ends, to close what the calls opened there.
        shutdown_timeout_s: How long `stop` waits for that.
    """

    def __init__(
        self,
        on_exit: Callable[[], None] = _do_nothing,
        *,
        shutdown_timeout_s: float = _SHUTDOWN_TIMEOUT_S,
    ) -> None:
        self._on_exit = on_exit
        self._shutdown_timeout_s = shutdown_timeout_s
        self._lock = threading.Lock()
        self._owner_pid = os.getpid()
        self._queue: _JobQueue | None = None
        self._thread: threading.Thread | None = None

    def run(self, call: Callable[[], T], *, deadline: Deadline) -> T:
        """Make the call and return its result.

        Raises:
            TimeoutError: The deadline passed first.
        """
        job: _Job[T] = _Job(call)
        jobs = self._submit(job)
        try:
            value, error = _wait_for_result(job, deadline)
        except BaseException:
            job.abandoned = True
            self._abandon_thread(jobs)
            raise
        if error is not None:
            raise error
        return value  # type: ignore[no-any-return]  # what the call returned

    def stop(self) -> None:
        """Let the thread end after what it is doing; the next call starts another."""
        thread = self._thread
        if self._queue is not None and self._owner_pid == os.getpid():
            self._abandon_thread(self._queue)
            if thread is not None:
                thread.join(self._shutdown_timeout_s)

    def _submit(self, job: _Job[Any]) -> _JobQueue:
        if (
            self._owner_pid != os.getpid()
        ):  # a fork copies no thread, but perhaps a lock that is held
            self._lock, self._queue, self._owner_pid = threading.Lock(), None, os.getpid()
        with self._lock:
            if self._queue is None:
                self._queue = SimpleQueue()
                self._thread = threading.Thread(
                    target=_run_jobs,
                    args=(self._queue, self._on_exit),
                    name="modelarts-http",
                    daemon=True,
                )
                self._thread.start()
            self._queue.put(job)
            return self._queue

    def _abandon_thread(self, queue: _JobQueue) -> None:
        """Let the thread of these jobs end, and use a new one from here on."""
        with self._lock:
            queue.put(None)
            if self._queue is queue:  # else another caller has left it before
                self._queue = None


def _wait_for_result(job: _Job[Any], deadline: Deadline) -> tuple[Any, BaseException | None]:
    while deadline.time_left_s > 0:
        try:
            return job.result.get(timeout=max(0.001, min(_WAIT_INTERVAL_S, deadline.time_left_s)))
        except Empty:
            continue
    raise TimeoutError


def _run_jobs(queue: _JobQueue, on_exit: Callable[[], None]) -> None:
    try:
        while True:
            job = queue.get()
            if job is None:
                return
            job.run()
            del job
    finally:
        on_exit()
