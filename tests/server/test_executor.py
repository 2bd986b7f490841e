"""Blocking calls beside the event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from emulator_harness import TIMEOUT_S, wait_until

from modelarts_magics.server import executor
from modelarts_magics.server.executor import run_in_thread


async def test_result_or_exception_of_a_call_is_returned() -> None:
    """The call runs in a daemon thread."""
    worker = await run_in_thread(threading.current_thread)
    assert worker is not threading.current_thread()
    assert worker.daemon
    with pytest.raises(ZeroDivisionError):
        await run_in_thread(lambda: 1 // 0)


async def test_cancelled_caller_does_not_stop_the_call() -> None:
    """The call goes on, and its result is dropped."""
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, what: errors.append(what))
    # Without idle threads, the end of the thread shows the end of the call.
    executor._idle_queues.clear()
    begun, free = threading.Event(), threading.Event()

    def call() -> None:
        begun.set()
        free.wait(TIMEOUT_S)

    waiting = asyncio.ensure_future(run_in_thread(call))
    await wait_until(begun.is_set)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    free.set()
    await wait_until(lambda: executor._idle_queues)
    await asyncio.sleep(0)
    assert errors == []
