"""A minute of the server half, with nothing of Jupyter around it: ``python watching.py desk``, or ``idle``.

It prints the CPU seconds that the process has used in that minute, in all threads.
"""

from __future__ import annotations

import asyncio
import sys
from time import process_time
from typing import TYPE_CHECKING, Any

from modelarts_magics.server.extension import ModelArtsServer

if TYPE_CHECKING:
    from collections.abc import Awaitable

MINUTE_S = 60.0


class MeasuredServer(ModelArtsServer):
    """The extension as it is on a server with a page open that has nothing to hear.

    Attributes:
        store_checked: That it has asked which page listens, which it does before each look at the store.
    """

    def __init__(self) -> None:
        super().__init__()
        self.store_checked = asyncio.Event()

    def _emit(self, event: dict[str, Any]) -> None:
        """There is no socket to send it to."""

    def _listeners(self) -> tuple[str]:
        self.store_checked.set()
        return ("a page",)


async def measure_server() -> float:
    """Use what the extension makes: a minute of watching, and one question to the cloud in it."""
    server = MeasuredServer()
    service = server._create_service()
    await service.get_instance()
    await server.store_checked.wait()
    server.store_checked.clear()
    before = service.poller.snapshot.instance
    used = await _cpu_per_minute(service.poller.refresh())
    if service.poller.snapshot.instance is before or not server.store_checked.is_set():
        raise RuntimeError("nothing was watched")
    await service.poller.stop()
    return used


async def measure_event_loop() -> float:
    """Wait."""
    return await _cpu_per_minute()


async def _cpu_per_minute(*jobs: Awaitable[object]) -> float:
    begun = process_time()
    await asyncio.gather(asyncio.sleep(MINUTE_S), *jobs)
    return process_time() - begun


if __name__ == "__main__":
    sys.stdout.write(
        f"{asyncio.run({'desk': measure_server, 'idle': measure_event_loop}[sys.argv[1]]())}\n"
    )
