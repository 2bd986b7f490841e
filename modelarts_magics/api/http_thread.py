"""Run one call at a time in a separate thread, so that the caller can stop waiting for it.

Python cannot interrupt a name lookup or a TLS handshake, but it can interrupt waiting for a queue, by
a deadline or by Ctrl-C. An abandoned call continues in its thread, and its result is discarded; a call
that has not begun is not made.
"""

from __future__ import annotations

import threading
import weakref
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Callable, Generic, TypeVar

from modelarts_magics.domain.after_fork import reset_in_child

if TYPE_CHECKING:
    from modelarts_magics.domain.clock import Deadline

T = TypeVar("T")

_WAIT_INTERVAL_S = 0.5
"""Seconds between two checks of the deadline, and on Windows of Ctrl-C."""
_SHUTDOWN_TIMEOUT_S = 1.0
"""Seconds that a thread has for closing its connections, so that exiting never hangs."""


class _Job(Generic[T]):
    """A call and the queue for its result."""

    def __init__(self, call: Callable[[], T]) -> None:
        self.call = call
        self.result: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        self.abandoned = False

    def run(self) -> None:
        if self.abandoned:
            return
        try:
            self.result.put((self.call(), None))
        except BaseException as error:  # noqa: BLE001 - passed to the caller
            self.result.put((None, error))


_JobQueue = SimpleQueue["_Job[Any] | None"]


def _do_nothing() -> None:
    """Do nothing."""


class HttpThread:
    """A daemon thread that makes the calls; started on first use and after an abandoned call.

    The thread ends with `stop`, or when this object is garbage-collected.

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
        self._queue: _JobQueue | None = None
        self._thread: threading.Thread | None = None
        self._finalizer: weakref.finalize[..., HttpThread] = weakref.finalize(self, _do_nothing)
        reset_in_child(self)

    def reset_after_fork(self) -> None:
        """Forget the thread, which a fork does not copy, and renew the lock."""
        self._lock, self._queue, self._thread = threading.Lock(), None, None

    def run(self, call: Callable[[], T], *, deadline: Deadline) -> T:
        """Make the call in the thread and return its result.

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
        return value  # type: ignore[no-any-return]  # the queue is not generic

    def stop(self) -> None:
        """End the thread after the current call; the next call starts a new one."""
        thread = self._thread
        if self._queue is not None:
            self._abandon_thread(self._queue)
            if thread is not None:
                thread.join(self._shutdown_timeout_s)

    def _submit(self, job: _Job[Any]) -> _JobQueue:
        with self._lock:
            if self._queue is None:
                self._queue = SimpleQueue()
                self._end_when_collected(self._queue)
                self._thread = threading.Thread(
                    target=_run_jobs,
                    args=(self._queue, self._on_exit),
                    name="modelarts-http",
                    daemon=True,
                )
                self._thread.start()
            self._queue.put(job)
            return self._queue

    def _end_when_collected(self, queue: _JobQueue) -> None:
        self._finalizer.detach()
        self._finalizer = weakref.finalize(self, queue.put, None)
        # At exit, a daemon thread needs no end.
        self._finalizer.atexit = False

    def _abandon_thread(self, queue: _JobQueue) -> None:
        """End the thread of these jobs, and use a new one from now on."""
        with self._lock:
            queue.put(None)
            # Otherwise another caller has replaced the queue already.
            if self._queue is queue:
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
