"""The tornado application, on 127.0.0.1 and nowhere else."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from modelarts_magics.emulator.control import ControlHandler
from modelarts_magics.emulator.http import ApiHandler

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from modelarts_magics.emulator.account import EmulatedAccount

HOST = "127.0.0.1"
MAX_BODY_BYTES = 1024 * 1024


def _discard_log(handler: RequestHandler) -> None:
    """Keep stderr quiet: the request log of the world says it all."""
    del handler


def make_application(account: EmulatedAccount) -> Application:
    """Return the application for a world."""
    take = {"account": account}
    return Application(
        [(r"/emulator/([a-z]+)", ControlHandler, take), (r".*", ApiHandler, take)],
        account=account,
        log_function=_discard_log,
    )


@asynccontextmanager
async def serving(account: EmulatedAccount, *, port: int = 0) -> AsyncIterator[int]:
    """Serve a world until the block ends.

    Args:
        account: What is served.
        port: Where; 0 for any that is free.

    Yields:
        The port.
    """
    listener = _open_listener(port)
    server = HTTPServer(make_application(account), max_body_size=MAX_BODY_BYTES)
    server.add_sockets([listener])
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.stop()
        await server.close_all_connections()
        await _cancel_other_tasks()


def _open_listener(port: int) -> socket.socket:
    """Listen; tornado's own helper leaves a socket open where the port is taken."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name != "nt":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setblocking(False)
        made.bind((HOST, port))
        made.listen()
    except OSError:
        made.close()
        raise
    return made


async def _cancel_other_tasks() -> None:
    """Cancel the requests that a fault still holds."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
