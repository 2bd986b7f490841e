"""Deliveries by their own processes to receivers on loopback, their faults, and the secrets in them."""

from __future__ import annotations

import contextlib
import json
import os
import socketserver
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from raw_server import RawServer, raw_server, receive_request
from webhook_receiver import receiver

from modelarts_magics.commands.context import CommandContext
from modelarts_magics.commands.notify import notify
from modelarts_magics.commands.parser import parse_arguments, parse_line
from modelarts_magics.config.settings import Settings
from modelarts_magics.doctor.notifications import notification_findings
from modelarts_magics.domain.clock import wait_until
from modelarts_magics.errors import InputError, ModelArtsError, RefusedError, UsageError
from modelarts_magics.keepalive.notifications.send import send
from modelarts_magics.keepalive.notifications.sender import Attempt
from modelarts_magics.keepalive.notifications.sinks import APPRISE, FILE_NAME, WEBHOOK, Sink

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

PAYLOAD = {"id": "x", "event": "test", "title": "t", "text": "b"}
MARK = "MARKED"


class Mailbox(socketserver.StreamRequestHandler):
    """A conversation with an SMTP client."""

    def handle(self) -> None:
        """Accept any login and any mail."""
        self.reply("220 ready")
        for line in self.rfile:
            word = line.split()[0].upper().decode()
            if word == "EHLO":
                self.reply("250-here")
                self.reply("250 AUTH PLAIN LOGIN")
            elif word == "DATA":
                self.reply("354 go on")
                self.read_mail()
                self.reply("250 ok")
            else:
                self.reply({"AUTH": "235 welcome", "QUIT": "221 bye"}.get(word, "250 ok"))

    def read_mail(self) -> None:
        """Add the lines up to the final dot to the mails of the server."""
        lines = list(iter(self.rfile.readline, b".\r\n"))
        self.server.mails.append(b"".join(lines))  # type: ignore[attr-defined]

    def reply(self, text: str) -> None:
        """Send a line."""
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mail_server() -> Iterator[tuple[int, list[bytes]]]:
    """Run an SMTP server on loopback; yield its port and the mails."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox) as server:
        server.mails = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], server.mails  # type: ignore[attr-defined]
        server.shutdown()


class Terminal:
    """The command ``notify`` with its files in a folder, and everything that it printed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings.load(environ=os.environ)
        self.printed: list[str] = []

    def run(self, line: str, typed: str = "") -> Any:  # noqa: ANN401 - any result
        """Run a command; the address is typed where it is asked for."""

        def get_session() -> Any:  # noqa: ANN401 - never returns
            raise RefusedError("notify.none")

        context = CommandContext(
            get_session, lambda: self.settings, "%modelarts", ask_secret=lambda _: typed
        )
        try:
            result = notify(parse_line(f"notify {line}"), context)
        except ModelArtsError as error:
            self.printed.append(f"{error} {error.values}")
            raise
        self.printed.append(repr(result))
        return result


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Return a command with an empty state folder."""
    monkeypatch.setenv("MODELARTS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return Terminal(tmp_path)


@pytest.mark.process
def test_every_kind_of_sink_is_delivered_and_masked(terminal: Terminal) -> None:
    """A webhook, `json://` and `mailto://` of Apprise, and a command; no output has a secret."""
    with receiver(204, {}) as (address, received), mail_server() as (port, mails):
        host = address.partition("//")[2]
        terminal.run("add", f"{address}/{MARK}-1?key={MARK}")
        terminal.run("add", f"json://{host}/{MARK}-2")
        mail = f"mailto://user:{MARK}-3@127.0.0.1:{port}?from=a@example.com&to=b@example.com&mode=insecure"
        terminal.run("add", mail)
        terminal.run(f"add --command cat > {terminal.folder}/got; echo $MODELARTS_NOTIFY_EVENT")
        result = terminal.run("test")
    assert str(result).count("delivered") == 4
    assert sorted(handler.path for handler, _ in received) == [
        f"/{MARK}-1?key={MARK}",
        f"/{MARK}-2",
    ]
    assert b"Test message from ModelArts" in mails[0]
    got = json.loads((terminal.folder / "got").read_text())
    assert (got["event"], got["version"]) == ("test", 1)
    listed = terminal.run("list --json")
    assert [each["last_delivery"]["outcome"] for each in listed["sinks"]] == ["done"] * 4
    terminal.run("list")
    findings = list(notification_findings(terminal.settings, os.environ))
    assert len([each for each in findings if "delivered: test" in each.message]) == 4
    shown = "\n".join([*terminal.printed, *(f"{each}" for each in findings)])
    assert MARK not in shown
    files = [path for path in terminal.folder.rglob("*") if path.is_file()]
    with_secrets = [path.name for path in files if MARK in path.read_text(errors="replace")]
    assert with_secrets == [FILE_NAME]
    assert all(
        path.stat().st_mode & 0o077 == 0
        for path in files
        if path.parent.name != terminal.folder.name
    )


def test_events_are_turned_off_and_on(terminal: Terminal) -> None:
    """All are on at first."""
    assert all(terminal.run("list --json")["events"].values())
    assert terminal.run("off stopping last-run --json")["events"]["last-run"] is False
    assert not any(terminal.run("off all --json")["events"].values())
    assert all(terminal.run("on all --json")["events"].values())


@pytest.mark.parametrize(
    ("address", "code"),
    [
        (f"http://example.com/{MARK}", "notify.address_plain"),
        (f"json://example.com/{MARK}", "notify.address_plain"),
        (f"https:///{MARK}", "notify.address"),
        (f"https://host:no/{MARK}", "notify.address"),
        (f"https://host/{MARK} {MARK}", "notify.address"),
        (MARK, "notify.address"),
        ("", "notify.address"),
    ],
)
def test_address_that_is_none_is_refused_without_repeating_it(
    terminal: Terminal, address: str, code: str
) -> None:
    """Nothing is saved."""
    with pytest.raises(InputError) as caught:
        terminal.run("add", address)
    assert caught.value.code == code
    assert MARK not in terminal.printed[0]
    assert not terminal.run("list --json")["sinks"]


@pytest.mark.parametrize(
    "parse", [parse_line, lambda line: parse_arguments(line.split())], ids=["line", "arguments"]
)
def test_address_on_the_line_is_refused_without_repeating_it(
    terminal: Terminal,
    parse: Any,  # noqa: ANN401 - a function
) -> None:
    """The history has it already."""
    context = CommandContext(lambda: pytest.fail("opened"), lambda: terminal.settings, "%modelarts")
    with pytest.raises(UsageError) as caught:
        notify(parse(f"notify add https://host/{MARK}$x"), context)
    assert MARK not in f"{caught.value} {caught.value.values}"


def test_sink_is_added_once_and_removed_by_its_number(terminal: Terminal) -> None:
    """Numbers are not used again."""
    terminal.run("add", "https://a.example.com/x")
    with pytest.raises(RefusedError):
        terminal.run("add", "https://a.example.com/x")
    terminal.run("remove 1")
    terminal.run("add", "https://a.example.com/x")
    assert [each["id"] for each in terminal.run("list --json")["sinks"]] == ["2"]
    with pytest.raises(InputError):
        terminal.run("remove 1")


def test_missing_extra_gets_the_install_line(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command can be copied."""
    monkeypatch.setattr("modelarts_magics.keepalive.notifications.sinks.EXTRA_PACKAGE", "no_such")
    with pytest.raises(RefusedError) as caught:
        terminal.run("add", f"dingtalk://{MARK}")
    assert "-m pip install 'modelarts-magics[notify]'" in caught.value.hint
    assert MARK not in terminal.printed[0]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "delivered"),
        (204, "delivered"),
        (302, "refused"),
        (308, "refused"),
        (404, "refused"),
        (429, "not-sent"),
        (500, "unknown"),
        (502, "unknown"),
    ],
)
def test_status_decides_whether_it_is_sent_again(status: int, outcome: str) -> None:
    """A redirect is not followed, and a gateway's error may hide a delivery."""
    headers = {"Retry-After": "9", "Location": "http://127.0.0.1:9/"}
    with receiver(status, headers) as (address, received):
        found = send({"kind": WEBHOOK, "target": address, "payload": PAYLOAD})
    assert found["outcome"] == outcome
    assert len(received) == 1
    assert received[0][0].headers["Idempotency-Key"] == "x"
    assert found["retry_after_s"] == (9.0 if status in (404, 429, 500, 502) else None)


# Apprise imports modules that Python has deprecated.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", [WEBHOOK, APPRISE])
@pytest.mark.parametrize("answer", [None, b"", b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"])
def test_lost_answer_or_error_of_a_server_is_an_unknown_outcome(
    kind: str, answer: bytes | None
) -> None:
    """It hangs, closes the connection, or fails: the message may have arrived; the cause has no secret."""

    def fail(server: RawServer, connection: socket.socket, _: int) -> None:
        receive_request(connection)
        if answer is None:
            server.wait_for_close(connection)
        else:
            connection.sendall(answer)
            connection.close()

    with raw_server(fail) as server:
        address = f"{server.endpoint}/{MARK}"
        target = address if kind == WEBHOOK else address.replace("http:", "json:")
        found = send({"kind": kind, "target": target, "payload": PAYLOAD}, timeout_s=1)
    assert found["outcome"] == "unknown"
    assert found["cause"]
    assert MARK not in str(found)


@contextlib.contextmanager
def hanging_receiver() -> Iterator[tuple[RawServer, threading.Event]]:
    """Yield a server that never answers, and the event of its first request."""
    arrived = threading.Event()

    def hang(server: RawServer, connection: socket.socket, _: int) -> None:
        receive_request(connection)
        arrived.set()
        server.wait_for_close(connection)

    with raw_server(hang) as server:
        yield server, arrived


@pytest.mark.process
def test_address_is_in_no_process_list(terminal: Terminal) -> None:
    """The process that sends has it from a pipe; its command and environment do not have it."""
    with hanging_receiver() as (server, arrived):
        sink = Sink("1", WEBHOOK, f"{server.endpoint}/{MARK}")
        attempt = Attempt(sink, PAYLOAD, dict(os.environ))
        try:
            assert arrived.wait(60)
            process = Path("/proc") / str(attempt.pid)
            for name in ("cmdline", "environ"):
                assert MARK.encode() not in (process / name).read_bytes()
            assert attempt.poll() is None
        finally:
            attempt.close()
    assert not process.exists()
    assert terminal.printed == []


@pytest.mark.process
def test_killed_process_has_an_unknown_outcome(terminal: Terminal) -> None:
    """It had begun to send."""
    with hanging_receiver() as (server, arrived):
        attempt = Attempt(Sink("1", WEBHOOK, server.endpoint), PAYLOAD, dict(os.environ))
        assert arrived.wait(60)
        attempt.kill()
        result = wait_until(attempt.poll, timeout_s=60)
    assert result is not None
    assert result.outcome == "unknown"
    assert not list(terminal.folder.glob("*"))
