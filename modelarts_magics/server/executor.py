"""Run blocking work beside the event loop.

`asyncio.to_thread` uses threads that the interpreter waits for at its end, so an API that does not answer would
keep a server from ending. The threads here are daemons.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import random
import threading
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Callable, TypeVar

from modelarts_magics.session import notify

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

T = TypeVar("T")
_JobQueue = SimpleQueue["Callable[[], None]"]

MAX_IDLE_THREADS = 2
"""The number of threads that wait for more work; starting one costs more than keeping it."""
_idle_queues: list[_JobQueue] = []
if hasattr(os, "register_at_fork"):
    # A forked child has no threads.
    os.register_at_fork(after_in_child=_idle_queues.clear)


async def run_in_thread(call: Callable[[], T]) -> T:
    """Make the call in a daemon thread; return what it returns and raise what it raises.

    The call runs in the context of the caller, with the language of the request. If the caller is cancelled,
    the call goes on and its result is dropped.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def set_outcome(value: T | None, error: BaseException | None) -> None:
        if outcome.done():
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(value)  # type: ignore[arg-type]  # the type is that of the call's result

    def job() -> None:
        value, error = None, None
        try:
            value = context.run(call)
        except BaseException as caught:  # noqa: BLE001 - raised again in the caller
            error = caught
        # The loop may have been closed meanwhile.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(set_outcome, value, error)

    _submit(job)
    return await outcome


def _submit(job: Callable[[], None]) -> None:
    try:
        queue = _idle_queues.pop()
    except IndexError:
        queue = SimpleQueue()
        threading.Thread(
            target=_run_worker, args=(queue,), name="modelarts-server", daemon=True
        ).start()
    queue.put(job)


def _run_worker(queue: _JobQueue) -> None:
    while True:
        queue.get()()
        if len(_idle_queues) >= MAX_IDLE_THREADS:
            return
        _idle_queues.append(queue)


@dataclass(frozen=True)
class AsyncRuntime:
    """The functions through which the poller waits and works; a test replaces them.

    Attributes:
        sleep: Wait for a number of seconds.
        run_blocking: Make a blocking call off the loop.
        follow_folder: Call a function whenever another process may have changed a file of a folder; returns
            what ends that.
        jitter: Return a number from 0 to 1.
    """

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    run_blocking: Callable[[Callable[[], Any]], Awaitable[Any]] = run_in_thread
    follow_folder: Callable[[Path, Callable[[], object]], Callable[[], None]] = notify.subscribe
    jitter: Callable[[], float] = random.random
