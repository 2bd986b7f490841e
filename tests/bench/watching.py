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


class Watching(ModelArtsServer):
    """The extension as it is on a server with a page open that has nothing to hear.

    Attributes:
        looked: That it has asked which page listens, which it does before each look at the store.
    """

    def __init__(self) -> None:
        super().__init__()
        self.looked = asyncio.Event()

    def _emit(self, event: dict[str, Any]) -> None:
        """There is no socket to send it to."""

    def _listeners(self) -> tuple[str]:
        self.looked.set()
        return ("a page",)


async def desk() -> float:
    """Use what the extension makes: a minute of watching, and one question to the cloud in it."""
    server = Watching()
    made = server._make_desk()
    await made.instance()
    await server.looked.wait()
    server.looked.clear()
    known = made.monitor.view.instance
    used = await _minute(made.monitor.ask())
    if made.monitor.view.instance is known or not server.looked.is_set():
        raise RuntimeError("nothing was watched")
    await made.monitor.stop()
    return used


async def idle() -> float:
    """Wait."""
    return await _minute()


async def _minute(*jobs: Awaitable[object]) -> float:
    begun = process_time()
    await asyncio.gather(asyncio.sleep(MINUTE_S), *jobs)
    return process_time() - begun


if __name__ == "__main__":
    sys.stdout.write(f"{asyncio.run({'desk': desk, 'idle': idle}[sys.argv[1]]())}\n")
