"""CPU time of the server extension in one minute: `python server_cpu.py server` or `idle`.

`server` runs the part of the extension that works without Jupyter, with a page open; `idle` runs only an
event loop. Prints the CPU seconds of the process in all threads.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from time import process_time
from typing import TYPE_CHECKING, Any

from modelarts_magics.server.extension import ModelArtsServer

if TYPE_CHECKING:
    from collections.abc import Awaitable

MINUTE_S = 60.0


class MeasuredServer(ModelArtsServer):
    """Extension with one open page that receives no event.

    Attributes:
        pages_checked: Set when the extension has asked for the open pages, as it does every five seconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pages_checked = asyncio.Event()

    def _emit(self, event: dict[str, Any]) -> None:
        """Discard the event, as there is no socket."""

    def _listeners(self) -> tuple[str]:
        self.pages_checked.set()
        return ("page",)


async def measure_server() -> float:
    """Run the extension for a minute with one API call, and return the CPU seconds."""
    with tempfile.TemporaryDirectory() as folder:
        server = MeasuredServer()
        # Processes that are measured at the same time must not notify each other.
        server.state_dir = folder
        poller = server._create_service(server.poll_interval).poller
        # The first call opens the connection, which happens once and not every minute.
        await poller.refresh()
        await server.pages_checked.wait()
        server.pages_checked.clear()
        before = poller.snapshot.instance
        cpu_s = await _cpu_per_minute(poller.refresh())
        if poller.snapshot.instance is before or not server.pages_checked.is_set():
            raise RuntimeError("the extension was not running")
        await poller.stop()
    return cpu_s


async def measure_event_loop() -> float:
    """Run an idle event loop for a minute, and return the CPU seconds."""
    return await _cpu_per_minute()


async def _cpu_per_minute(*jobs: Awaitable[object]) -> float:
    start = process_time()
    await asyncio.gather(asyncio.sleep(MINUTE_S), *jobs)
    return process_time() - start


if __name__ == "__main__":
    sys.stdout.write(
        f"{asyncio.run({'server': measure_server, 'idle': measure_event_loop}[sys.argv[1]]())}\n"
    )
