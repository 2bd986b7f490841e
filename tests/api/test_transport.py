"""The transport against servers that break the rules of HTTP: no thread, socket or foreign byte is left."""

from __future__ import annotations

import ssl
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import pytest
from raw_server import RawServer, raw_server, receive_request, response

from modelarts_magics.api.client import ApiClient
from modelarts_magics.api.request import PendingRequest
from modelarts_magics.api.transport import PooledTransport, parse_url
from modelarts_magics.config.credentials import Token
from modelarts_magics.domain.clock import Clock, Deadline
from modelarts_magics.errors import DeadlineError, InvalidResponseError, UnreachableError

if TYPE_CHECKING:
    import socket

SOON_S = 10.0
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CERTIFICATE = Path(__file__).parent / "loopback_certificate.pem"
"""A self-signed certificate for 127.0.0.1 with its key; it is used in these tests only."""


def open_client(server: RawServer, *, verify: bool = True) -> ApiClient:
    """Return a client of the server."""
    return ApiClient(
        server.endpoint,
        project_id="p",
        credential=lambda: Token("FAKE"),
        verify=verify,
        clock=Clock(sleep=lambda _: None),
    )


def get(client: ApiClient, *, seconds: float = SOON_S) -> object:
    """Send a GET."""
    return client.request("GET", "/v1/x", deadline=Deadline(seconds)).data


def http_threads() -> set[threading.Thread]:
    """Return the threads that send requests; those of other tests are among them."""
    return {each for each in threading.enumerate() if each.name == "modelarts-http"}


def wait_for_threads(known: set[threading.Thread]) -> None:
    """Wait until all others have ended; fail after a timeout."""
    for each in http_threads() - known:
        each.join(SOON_S)
    assert http_threads() <= known


def send_endless_continue(server: RawServer, connection: socket.socket, _number: int) -> None:
    """Announce a response for ever."""
    receive_request(connection)
    pause = threading.Event()
    try:
        while True:
            connection.sendall(CONTINUE)
            pause.wait(0.01)
    except OSError:
        server.closed.set()


def send_slow_headers(server: RawServer, connection: socket.socket, _number: int) -> None:
    """Send one byte of an endless header at a time."""
    receive_request(connection)
    pause = threading.Event()
    try:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while True:
            connection.sendall(b"x")
            pause.wait(0.01)
    except OSError:
        server.closed.set()


def send_nothing(server: RawServer, connection: socket.socket, _number: int) -> None:
    """Answer nothing."""
    receive_request(connection)
    server.wait_for_close(connection)


@pytest.mark.parametrize("script", [send_endless_continue, send_slow_headers, send_nothing])
def test_request_given_up_leaves_no_thread_or_socket(
    script: Callable[[RawServer, socket.socket, int], None],
) -> None:
    """The server sees the end of the connection, and the thread has ended."""
    known = http_threads()
    with raw_server(script) as server:
        client = open_client(server)
        start = time.monotonic()
        with pytest.raises(DeadlineError):
            get(client, seconds=0.3)
        assert time.monotonic() - start < SOON_S
        assert server.closed.wait(SOON_S)
        # A client that is in use keeps a thread that waits for the next request.
        client.close()
        wait_for_threads(known)


@pytest.mark.parametrize("script", [send_endless_continue, send_slow_headers, send_nothing])
def test_cancelled_request_closes_its_socket_at_once(
    script: Callable[[RawServer, socket.socket, int], None],
) -> None:
    """Long before the deadline, as after Ctrl-C."""
    with raw_server(script) as server:
        deadline = Deadline(60)
        pending = PendingRequest(
            "GET",
            parse_url(server.endpoint),
            headers={"Host": "localhost"},
            timeouts={"read": 60.0},
            deadline=deadline,
        )
        failures: list[BaseException] = []

        def send() -> None:
            try:
                pending.send(PooledTransport())
            except Exception as error:  # noqa: BLE001 - compared below
                failures.append(error)

        thread = threading.Thread(target=send)
        thread.start()
        while not server.connection_count:
            thread.join(0.01)
        pending.cancel()
        thread.join(SOON_S)
        assert not thread.is_alive()
        assert len(failures) == 1
        assert server.closed.wait(SOON_S)


def test_flood_before_the_response_is_limited() -> None:
    """The size limit counts what precedes the response, too."""

    def flood(server: RawServer, connection: socket.socket, _number: int) -> None:
        receive_request(connection)
        try:
            while True:
                connection.sendall(CONTINUE * 1000)
        except OSError:
            server.closed.set()

    known = http_threads()
    with raw_server(flood) as server:
        client = open_client(server)
        with pytest.raises(InvalidResponseError) as caught:
            get(client, seconds=60)
        assert caught.value.code == "response.too_large"
        client.close()
        wait_for_threads(known)
        assert server.closed.wait(SOON_S)


def answer_each(*answers: bytes) -> Callable[[RawServer, socket.socket, int], None]:
    """Return a script that sends these answers on its first connection, the last one on later ones."""

    def script(server: RawServer, connection: socket.socket, number: int) -> None:
        for answer in answers if number == 1 else answers[-1:] * 3:
            if not receive_request(connection):
                break
            connection.sendall(answer)
        server.wait_for_close(connection)

    return script


TRUE, FALSE = response(b'{"id": "true"}'), response(b'{"id": "false"}')


def test_connection_is_kept_between_requests() -> None:
    """Three requests need one connection."""
    with raw_server(answer_each(TRUE, TRUE, TRUE)) as server:
        client = open_client(server)
        assert [get(client) for _ in range(3)] == [{"id": "true"}] * 3
        assert server.connection_count == 1
        client.close()


@pytest.mark.parametrize(
    "unsolicited", [FALSE, b"\r\n", b"x", FALSE[:30], CONTINUE + FALSE], ids=range(5)
)
def test_unsolicited_bytes_are_discarded(unsolicited: bytes) -> None:
    """Bytes after a response are not the response to the next request."""
    with raw_server(answer_each(TRUE + unsolicited, TRUE)) as server:
        client = open_client(server)
        assert [get(client) for _ in range(3)] == [{"id": "true"}] * 3
        assert server.connection_count == 2
        client.close()


def test_bytes_on_an_idle_connection_are_discarded() -> None:
    """They arrive between two requests."""
    sent = threading.Event()

    def script(server: RawServer, connection: socket.socket, number: int) -> None:
        receive_request(connection)
        connection.sendall(TRUE)
        if number == 1:
            connection.sendall(FALSE)
            sent.set()
        server.wait_for_close(connection)

    with raw_server(script) as server:
        client = open_client(server)
        assert get(client) == {"id": "true"}
        assert sent.wait(SOON_S)
        assert get(client) == {"id": "true"}
        assert server.connection_count == 2
        client.close()


@pytest.fixture
def tls() -> ssl.SSLContext:
    """Return the context of a server with a self-signed certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


def test_certificate_is_verified_on_loopback(tls: ssl.SSLContext) -> None:
    """Another user of the machine could listen there."""
    with raw_server(answer_each(TRUE), tls=tls) as server:
        client = open_client(server)
        with pytest.raises(UnreachableError, match="certificate not trusted"):
            get(client)
        client.close()


def test_verification_can_be_turned_off(tls: ssl.SSLContext) -> None:
    """For a local endpoint with a certificate of its own."""
    with raw_server(answer_each(TRUE), tls=tls) as server:
        client = open_client(server, verify=False)
        assert get(client) == {"id": "true"}
        client.close()


def test_own_certificate_is_accepted(tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """SSL_CERT_FILE names it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with raw_server(answer_each(TRUE), tls=tls) as server:
        client = open_client(server)
        assert get(client) == {"id": "true"}
        client.close()
