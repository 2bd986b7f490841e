"""The end of a helper kernel without pages, and its shutdown by the server."""

from __future__ import annotations

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Callable

import pytest

from modelarts_magics.helper_kernel.lifetime import HEARTBEAT_TARGET, Lifetime, watch_heartbeats
from modelarts_magics.helper_kernel.own_kernel import shut_down_own_kernel
from modelarts_magics.helper_kernel.requests import RequestHandler, _end_kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE_SOURCE = (
    Path(__file__).parents[2] / "labextension" / "src" / "backend" / "helper-kernel.ts"
).read_text(encoding="utf-8")


class FakeTime:
    """A clock, and a sleep during which events happen.

    Attributes:
        events: The callbacks, each with its time.
    """

    def __init__(self) -> None:
        self.now_s = 0.0
        self.events: list[tuple[float, Callable[[], None]]] = []

    def monotonic(self) -> float:
        """Return the time."""
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        """Advance the time."""
        end = self.now_s + seconds
        while self.events and self.events[0][0] <= end:
            self.now_s, event = self.events.pop(0)
            event()
        self.now_s = end


@pytest.mark.parametrize("heartbeats", [[], [60], [60, 120, 700], [599, 1198]])
def test_kernel_ends_ten_minutes_after_the_last_page(heartbeats: list[float]) -> None:
    """Each heartbeat counts, and nothing has to say goodbye."""
    time = FakeTime()
    lifetime = Lifetime(monotonic=time.monotonic)
    time.events = [(each, lifetime.page_seen) for each in heartbeats]
    asyncio.run(lifetime.wait_until_over(time.sleep))
    assert time.now_s == max([0, *heartbeats]) + 600


def test_helper_kernel_waits_ten_minutes(tmp_path: Path) -> None:
    """The time of the class is that of the handler which the page uses."""
    handler = RequestHandler({"HOME": str(tmp_path)})
    assert 540 < handler.lifetime.remaining_s <= 600
    handler.close()


def test_page_counts_as_open_for_two_heartbeats() -> None:
    """The poller is slower without pages."""
    time = FakeTime()
    lifetime = Lifetime(monotonic=time.monotonic)
    assert lifetime.pages() == ("page",)
    time.now_s = 149
    assert lifetime.pages() == ("page",)
    time.now_s = 151
    assert lifetime.pages() == ()
    lifetime.page_seen()
    assert lifetime.pages() == ("page",)


def test_heartbeats_are_recognized_among_requests() -> None:
    """The kernel answers them like any other request of that type."""
    seen: list[int] = []
    kernel = SimpleNamespace(
        shell_handlers={"comm_info_request": lambda *arguments: ("answered", *arguments)}
    )
    watch_heartbeats(kernel, lambda: seen.append(1))
    handle = kernel.shell_handlers["comm_info_request"]
    for target in ("jupyter.widget", None, HEARTBEAT_TARGET):
        message = {"content": {} if target is None else {"target_name": target}}
        assert handle("stream", "identity", message) == (
            "answered",
            "stream",
            "identity",
            message,
        )
    assert seen == [1]
    assert f"'{HEARTBEAT_TARGET}'" in PAGE_SOURCE


def test_handler_calls_back_when_its_time_is_over(tmp_path: Path) -> None:
    """Once, and from a thread that may stop the handler."""
    ended: list[RequestHandler] = []
    done = threading.Event()

    def end(handler: RequestHandler) -> None:
        handler.close()
        ended.append(handler)
        done.set()

    environ = {"HOME": str(tmp_path), "MODELARTS_STATE_DIR": str(tmp_path / "state")}
    handler = RequestHandler(environ, lifetime=Lifetime(timeout_s=0.05), on_end=end)
    assert done.wait(20)
    assert ended == [handler]


def test_handler_stops_where_the_kernel_cannot_be_shut_down(tmp_path: Path) -> None:
    """An error on the way to the server counts as a refusal: without pages, the API is not called any more."""
    environ = {"HOME": str(tmp_path), "MODELARTS_STATE_DIR": str(tmp_path / "state")}
    # There is no connection file outside of a kernel.
    handler = RequestHandler(environ, lifetime=Lifetime(timeout_s=0.05), on_end=_end_kernel)
    handler._thread.join(20)
    assert not handler._thread.is_alive()


class FakeServer:
    """A Jupyter server that accepts or refuses requests.

    Attributes:
        requests: The method, path and headers of each request.
        status: The status of the answers.
    """

    def __init__(self, runtime: Path) -> None:
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.status = 204
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_DELETE(self) -> None:
                outer.requests.append((self.command, self.path, dict(self.headers)))
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                """Print nothing."""

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()
        self.runtime = runtime
        self.write(hostname="0.0.0.0")  # noqa: S104 - as a server writes it

    def write(self, name: str = "jpserver-7.json", **changes: Any) -> None:  # noqa: ANN401 - any JSON
        """Write the file of the server."""
        info = {"port": self.http.server_port, "base_url": "/notebook/x/", "token": "t0ken"}
        (self.runtime / name).write_text(json.dumps({**info, **changes}))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeServer]:
    """Return a running server."""
    made = FakeServer(tmp_path)
    yield made
    made.http.shutdown()
    made.http.server_close()
    made.thread.join()


@pytest.mark.parametrize("token", ["t0ken", ""])
def test_kernel_is_shut_down_by_its_server(server: FakeServer, token: str) -> None:
    """By its ID, below the base URL, with the token or with the value against forged requests."""
    server.write(hostname="localhost", token=token)
    assert shut_down_own_kernel(server.runtime / "kernel-ab-12.json", server_pid=7)
    ((method, path, headers),) = server.requests
    assert (method, path) == ("DELETE", "/notebook/x/api/kernels/ab-12")
    assert headers.get("Authorization") == (f"token {token}" if token else None)
    assert headers["X-XSRFToken"] in headers["Cookie"]


def test_server_that_refuses_is_reported(server: FakeServer) -> None:
    """Also one that cannot be reached, and a connection file of another program."""
    server.status = 403
    file = server.runtime / "kernel-ab-12.json"
    assert not shut_down_own_kernel(file, server_pid=7)
    assert not shut_down_own_kernel(server.runtime / "other.json", server_pid=7)
    assert not shut_down_own_kernel(file, server_pid=8)
    server.write(port=1)
    assert not shut_down_own_kernel(file, server_pid=7)
    (server.runtime / "jpserver-7.json").write_text("no JSON")
    assert not shut_down_own_kernel(file, server_pid=7)
    assert len(server.requests) == 1
