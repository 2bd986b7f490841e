"""A webhook: every fault of the receiver, and whether the document may have arrived."""

from __future__ import annotations

import json
import socket
import ssl
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from raw_server import RawServer, raw_server, receive_request
from webhook_receiver import receiver

from modelarts_magics.api.webhook import post_json
from modelarts_magics.errors import UnreachableError

CERTIFICATE = Path(__file__).parent / "loopback_certificate.pem"
DOCUMENT = json.dumps({"id": "x"}).encode()


def test_document_and_headers_arrive() -> None:
    """Path, query, user and password of the address are sent, too."""
    with receiver(204, {}) as (address, received):
        url = address.replace("//", "//us%20er:pa@") + "/hook?token=t"
        response = post_json(url, DOCUMENT, {"Idempotency-Key": "x"}, timeout_s=10)
    assert response.status == 204
    handler, body = received[0]
    assert body == DOCUMENT
    assert handler.path == "/hook?token=t"
    assert handler.headers["Content-Type"] == "application/json"
    assert handler.headers["Idempotency-Key"] == "x"
    assert handler.headers["Authorization"] == "Basic dXMgZXI6cGE="
    assert "@" not in handler.headers["Host"]


def test_redirect_is_not_followed() -> None:
    """Its target gets nothing."""
    with ExitStack() as stack:
        target, received = stack.enter_context(receiver(200, {}))
        address, _ = stack.enter_context(receiver(302, {"Location": target}))
        assert post_json(address, DOCUMENT, {}, timeout_s=10).status == 302
        assert not received


def test_wait_that_the_receiver_asks_for_is_read() -> None:
    """The header of a 429 is in seconds or a date."""
    with receiver(429, {"Retry-After": "7"}) as (address, _):
        response = post_json(address, DOCUMENT, {}, timeout_s=10)
    assert (response.status, response.retry_after_s) == (429, 7.0)


def hang(server: RawServer, connection: socket.socket, _: int) -> None:
    """Read the request and answer nothing."""
    receive_request(connection)
    server.wait_for_close(connection)


def reset(_server: RawServer, connection: socket.socket, _: int) -> None:
    """Read the request and close the connection."""
    receive_request(connection)
    connection.close()


def garbage(_server: RawServer, connection: socket.socket, _: int) -> None:
    """Answer with something else than HTTP."""
    receive_request(connection)
    connection.sendall(b"nonsense\r\n\r\n")


@pytest.mark.parametrize("script", [hang, reset, garbage])
def test_lost_answer_has_an_unknown_outcome(script: Any) -> None:  # noqa: ANN401 - a script
    """The document was sent."""
    with raw_server(script) as server, pytest.raises(UnreachableError) as caught:
        post_json(f"{server.endpoint}/MARKED-SECRET", DOCUMENT, {}, timeout_s=1)
    assert caught.value.sent
    assert "MARKED" not in f"{caught.value} {caught.value.values}"


def test_bad_certificate_is_refused() -> None:
    """Nothing was sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with raw_server(hang, tls=context) as server, pytest.raises(UnreachableError) as caught:
        post_json(server.endpoint, DOCUMENT, {}, timeout_s=10)
    assert not caught.value.sent
    assert "certificate not trusted" in str(caught.value)


def test_refused_connection_sends_nothing() -> None:
    """The error names the host only."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/MARKED-SECRET"
    with pytest.raises(UnreachableError) as caught:
        post_json(url, DOCUMENT, {}, timeout_s=10)
    assert not caught.value.sent
    assert "MARKED" not in str(caught.value)


def test_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy gets the request to connect, and nothing else is tried."""
    asked: list[bytes] = []

    def proxy(_server: RawServer, connection: socket.socket, _: int) -> None:
        asked.append(receive_request(connection))
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with raw_server(proxy) as server:
        monkeypatch.setenv("https_proxy", server.endpoint)
        with pytest.raises(UnreachableError) as caught:
            post_json("https://hooks.invalid/MARKED-SECRET", DOCUMENT, {}, timeout_s=10)
    assert asked[0].startswith(b"CONNECT hooks.invalid:443")
    assert not caught.value.sent
    assert b"MARKED" not in asked[0]
