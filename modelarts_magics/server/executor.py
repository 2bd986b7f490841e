"""Blocking work beside the event loop.

`asyncio.to_thread` would do, but its threads are waited for when the process ends: a cloud that does not
answer would keep a server from ending for as long as a call may take. Daemon threads are not.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import random
import threading
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Callable, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")
_JobQueue = SimpleQueue["Callable[[], None]"]

MAX_IDLE_THREADS = 2
"""How many threads wait for more work, which is cheaper than starting one for each look at the store."""
_idle_queues: list[_JobQueue] = []


async def run_in_thread(call: Callable[[], T]) -> T:
    """Make the call in a daemon thread; return what it returns, raise what it raises.

    Who stops waiting leaves the call to end by itself, unseen.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()  # the language of who asks

    def set_outcome(value: T | None, error: BaseException | None) -> None:
        if outcome.done():  # nobody waits any more
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(value)  # type: ignore[arg-type]  # what the call returned

    def job() -> None:
        value, error = None, None
        try:
            value = context.run(call)
        except BaseException as caught:  # noqa: BLE001 - raised where it is waited for
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
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


def _random_jitter() -> float:
    return random.uniform(-1, 1)  # noqa: S311 - a pause, no secret


@dataclass(frozen=True)
class AsyncRuntime:
    """What the monitor waits and works with; a test gives its own.

    Attributes:
        sleep: Waits so many seconds.
        run_blocking: Does blocking work off the loop.
        jitter: A number from -1 to 1.
    """

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    run_blocking: Callable[[Callable[[], Any]], Awaitable[Any]] = run_in_thread
    jitter: Callable[[], float] = _random_jitter
