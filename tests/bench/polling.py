"""API calls per hour of the server extension, counted in simulated time.

The poller runs against the emulator with a clock that jumps from one pause to the next, so that six hours
pass in seconds and the count does not depend on the machine. The random jitter of the pauses is 0.
"""

from __future__ import annotations

import asyncio
import tempfile
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Callable

from measure import Figure

from modelarts_magics.domain.clock import Clock
from modelarts_magics.emulator.clock import ManualClock
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.server.executor import AsyncRuntime
from modelarts_magics.server.poller import Poller
from modelarts_magics.server.session_provider import SessionFactory

if TYPE_CHECKING:
    from collections.abc import Collection

HOURS = 6
MINUTES_LEFT = 24 * 60
"""The instance has far more than one hour left during the whole simulation."""
MAX_CALLS_WITH_PAGE, MAX_CALLS_WITHOUT_PAGE = 12, 4
LOOP_TURNS = 30
"""How often the event loop must run until nothing is left to do without time passing."""


class SimulatedTime:
    """Clock that jumps to the end of the next pause.

    Attributes:
        api_clock: The clock of the emulator.
        clock: The clock of the session.
        runtime: The runtime of the poller; blocking calls run on the event loop.
    """

    def __init__(self) -> None:
        self.api_clock = ManualClock(datetime.now(timezone.utc))
        self.clock = Clock(
            now=self.api_clock.now,
            monotonic=lambda: self.api_clock.now().timestamp(),
            sleep=lambda _seconds: None,
        )
        self.runtime = AsyncRuntime(sleep=self._sleep, run_blocking=_run, jitter=lambda: 0.0)
        self._elapsed_s = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    async def advance(self, seconds: float) -> None:
        """Let time pass; each pause that ends meanwhile ends at its time."""
        end_s = self._elapsed_s + seconds
        await _run_pending_tasks()
        while (due_s := min((due for due, _ in self._sleepers), default=end_s + 1)) <= end_s:
            self._jump_to(due_s)
            for due, sleeper in self._sleepers:
                if due <= due_s and not sleeper.done():
                    sleeper.set_result(None)
            await _run_pending_tasks()
        self._jump_to(end_s)

    def _jump_to(self, elapsed_s: float) -> None:
        self.api_clock.advance(timedelta(seconds=elapsed_s - self._elapsed_s))
        self._elapsed_s = elapsed_s

    async def _sleep(self, seconds: float) -> None:
        entry = (self._elapsed_s + seconds, asyncio.get_running_loop().create_future())
        self._sleepers.append(entry)
        try:
            await entry[1]
        finally:
            self._sleepers.remove(entry)


def figures() -> list[Figure]:
    """Count the API calls per hour with a page open, and without one."""
    with_page = asyncio.run(_calls_per_hour(listeners=("page",)))
    without_page = asyncio.run(_calls_per_hour(listeners=()))
    return [
        Figure(
            "API calls per hour, page open", with_page, maximum=MAX_CALLS_WITH_PAGE, unit="calls"
        ),
        Figure(
            "API calls per hour, no page open, over 1 h left",
            without_page,
            maximum=MAX_CALLS_WITHOUT_PAGE,
            unit="calls",
        ),
    ]


async def _calls_per_hour(*, listeners: Collection[str]) -> float:
    time = SimulatedTime()
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalEmulator(clock=time.api_clock, minutes_left=MINUTES_LEFT) as emulator,
    ):
        environ = {**emulator.environment(), "MODELARTS_STATE_DIR": folder, "HOME": folder}
        poller = Poller(
            SessionFactory({}, environ, time.clock),
            notify=lambda _kind: None,
            listeners=lambda: listeners,
            runtime=time.runtime,
        )
        poller.start()
        await time.advance(1.0)
        if poller.snapshot.instance is None:
            raise RuntimeError("the poller has read no instance")
        emulator.clear_requests()
        await time.advance(HOURS * 3600)
        calls = len(emulator.requests)
        await poller.stop()
    return calls / HOURS


async def _run(call: Callable[[], Any]) -> Any:  # noqa: ANN401 - the result of the call
    return call()


async def _run_pending_tasks() -> None:
    for _ in range(LOOP_TURNS):
        await asyncio.sleep(0)
