"""HTTP server of the emulator, on 127.0.0.1 only."""

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
    """Write no access log: the account's request log has every request."""
    del handler


def make_application(account: EmulatedAccount) -> Application:
    """Return the tornado application for an account."""
    arguments = {"account": account}
    return Application(
        [(r"/emulator/([a-z]+)", ControlHandler, arguments), (r".*", ApiHandler, arguments)],
        account=account,
        log_function=_discard_log,
    )


@asynccontextmanager
async def serving(account: EmulatedAccount, *, port: int = 0) -> AsyncIterator[int]:
    """Serve an account until the block ends.

    Args:
        account: The account.
        port: The port; 0 for any free port.

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
    """Open the listening socket; tornado's own function leaks it if the port is in use."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name != "nt":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind((HOST, port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


async def _cancel_other_tasks() -> None:
    """Cancel the requests that a fault still delays."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
