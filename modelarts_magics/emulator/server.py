"""The tornado application, on 127.0.0.1 and nowhere else."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from modelarts_magics.emulator.control import ControlHandler
from modelarts_magics.emulator.http import ApiHandler

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from modelarts_magics.emulator.world import World

HOST = "127.0.0.1"
MAX_BODY = 1024 * 1024


def _log_nothing(handler: RequestHandler) -> None:
    """Keep stderr quiet: the request log of the world says it all."""
    del handler


def application(world: World) -> Application:
    """Return the application for a world."""
    take = {"world": world}
    return Application(
        [(r"/emulator/([a-z]+)", ControlHandler, take), (r".*", ApiHandler, take)],
        world=world,
        log_function=_log_nothing,
    )


@asynccontextmanager
async def serving(world: World, *, port: int = 0) -> AsyncIterator[int]:
    """Serve a world until the block ends.

    Args:
        world: What is served.
        port: Where; 0 for any that is free.

    Yields:
        The port.
    """
    sockets = bind_sockets(port, address=HOST)
    server = HTTPServer(application(world), max_body_size=MAX_BODY)
    server.add_sockets(sockets)
    try:
        yield int(sockets[0].getsockname()[1])
    finally:
        server.stop()
        await server.close_all_connections()
        await _end_others()


async def _end_others() -> None:
    """Cancel the requests that a fault still holds."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
