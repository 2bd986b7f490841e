"""Time that a test moves, for what waits on the event loop."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from typing import Any, Callable

from modelarts_magics.clock import Clock
from modelarts_magics.server.threads import Hands


class Time:
    """The present, and everybody who waits for a moment to come.

    Attributes:
        clock: The same time for who does not wait.
        hands: What a monitor waits and works with: this time, no thread, no chance.
    """

    def __init__(self) -> None:
        self._began = datetime.now(timezone.utc)
        self._passed = 0.0
        self._waiting: list[tuple[float, asyncio.Future[None]]] = []
        self.clock = Clock(now=self.now, monotonic=lambda: self._passed, sleep=self._pass)
        self.hands = Hands(sleep=self.sleep, run=self._run, jitter=lambda: 0.0)

    def now(self) -> datetime:
        """Return the present."""
        return self._began + timedelta(seconds=self._passed)

    async def sleep(self, seconds: float) -> None:
        """Wait until a test has let so many seconds pass."""
        future = asyncio.get_running_loop().create_future()
        entry = (self._passed + seconds, future)
        self._waiting.append(entry)
        try:
            await future
        finally:
            self._waiting.remove(entry)

    async def advance(self, seconds: float) -> None:
        """Let time pass, and everybody do what was due, in order."""
        end = self._passed + seconds
        await settle()
        while True:
            due = min(
                (when for when, future in self._waiting if not future.done()), default=end + 1
            )
            if due > end:
                break
            self._passed = due
            for when, future in list(self._waiting):
                if when <= due and not future.done():
                    future.set_result(None)
            await settle()
        self._passed = end

    def _pass(self, seconds: float) -> None:
        self._passed += seconds

    async def _run(self, call: Callable[[], Any]) -> Any:
        return call()


async def settle() -> None:
    """Let everything run that can run without time passing."""
    for _ in range(20):
        await asyncio.sleep(0)
