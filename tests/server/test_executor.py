"""Blocking work beside the loop: its outcome comes back, or goes nowhere if nobody waits."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from emulator_harness import TIMEOUT_S, wait_until

from modelarts_magics.server import executor as threads
from modelarts_magics.server.executor import run_in_thread


async def test_what_is_returned_or_raised_comes_back() -> None:
    """From a thread that keeps no process from ending."""
    worker = await run_in_thread(threading.current_thread)
    assert worker is not threading.current_thread()
    assert worker.daemon
    with pytest.raises(ZeroDivisionError):
        await run_in_thread(lambda: 1 // 0)


async def test_who_stops_waiting_is_not_bothered() -> None:
    """As a page that is closed; the call ends by itself, unseen."""
    wrong: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, what: wrong.append(what))
    threads._idle_queues.clear()  # so that the end of the call is seen
    begun, free = threading.Event(), threading.Event()

    def call() -> None:
        begun.set()
        free.wait(TIMEOUT_S)

    waiting = asyncio.ensure_future(run_in_thread(call))
    await wait_until(begun.is_set)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    free.set()
    await wait_until(lambda: threads._idle_queues)
    await asyncio.sleep(0)
    assert wrong == []
