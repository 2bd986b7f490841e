"""Tests of reading what a kernel publishes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Callable

import pytest
from keepalive.fake_kernel import FakeKernel, sign
from waiting import wait_until

from modelarts_magics.keepalive.kernel_channel import (
    NARROW_AFTER,
    KernelChannel,
    KernelConnection,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MakeKernel = Callable[..., FakeKernel]
Connect = Callable[..., KernelChannel]

IN_CELL = {"msg_id": "1", "msg_type": "execute_request"}
WAIT_MS = 10_000
NOTHING_MS = 100


@pytest.fixture
def make_kernel(tmp_path: Path) -> Iterator[Callable[..., FakeKernel]]:
    """Create kernels, and close them after the test."""
    made: list[FakeKernel] = []

    def make(**options: object) -> FakeKernel:
        made.append(FakeKernel(tmp_path / f"kernel-{len(made)}.json", **options))
        return made[-1]

    yield make
    for kernel in made:
        kernel.close()


@pytest.fixture
def connect() -> Iterator[Callable[..., KernelChannel]]:
    """Open channels to kernels, and close them after the test."""
    opened: list[KernelChannel] = []

    def open_one(kernel: FakeKernel, **options: bool) -> KernelChannel:
        opened.append(KernelChannel(KernelConnection.read(kernel.path), **options))
        kernel.wait_for_subscription()
        return opened[-1]

    yield open_one
    for channel in opened:
        channel.close()


@pytest.mark.parametrize("curve", [False, True], ids=["plain", "encrypted"])
def test_message_is_received_and_decoded(
    make_kernel: MakeKernel, connect: Connect, curve: bool
) -> None:
    """A published message arrives with topic, type, parent and content, also on encrypted channels."""
    kernel = make_kernel(curve=curve)
    channel = connect(kernel)
    kernel.publish("stream", {"text": "hello"}, {"msg_id": "7"})
    message = channel.receive(WAIT_MS)
    assert (message.type, message.topic) == ("stream", b"kernel.abc.stream")
    assert (message.content, message.parent_header) == ({"text": "hello"}, {"msg_id": "7"})


def test_message_with_a_wrong_signature_is_dropped(
    make_kernel: MakeKernel, connect: Connect
) -> None:
    """A message that somebody without the key publishes is not returned; the next one is."""
    kernel = make_kernel()
    channel = connect(kernel)
    forged = [b"{}", b"{}", b"{}", b"{}"]
    kernel.iopub.send_multipart([b"kernel.abc.status", b"<IDS|MSG>", b"0" * 64, *forged])
    kernel.iopub.send_multipart([b"kernel.abc.status", b"<IDS|MSG>", sign(forged), *forged[1:]])
    kernel.iopub.send_multipart([b"welcome"])
    kernel.publish("stream", {"text": "genuine"})
    assert channel.receive(WAIT_MS).content == {"text": "genuine"}


def test_status_only_channel_receives_no_output(make_kernel: MakeKernel, connect: Connect) -> None:
    """After its first status the channel receives no output any more."""
    kernel = make_kernel()
    channel = connect(kernel, status_only=True)
    kernel.status("busy", "1")
    for _ in range(NARROW_AFTER):
        kernel.publish("stream", {"text": "line"}, IN_CELL)
    for _ in range(NARROW_AFTER):
        channel.receive(WAIT_MS)
    kernel.wait_for_subscription(b"kernel.abc.debug_event")
    wait_until(lambda: kernel.iopub.poll(0) and kernel.iopub.recv() == b"\0")
    kernel.publish("stream", {"text": "much"})
    kernel.publish("debug_event", {"event": "stopped"})
    kernel.status("idle", "1")
    assert [channel.receive(WAIT_MS).type for _ in range(2)] == ["debug_event", "status"]


def test_quiet_kernel_gets_no_new_subscription(make_kernel: MakeKernel, connect: Connect) -> None:
    """A new topic is welcomed by the kernel, which Jupyter takes for activity, so it waits for a cell."""
    kernel = make_kernel()
    channel = connect(kernel, status_only=True)
    for number in range(2 * NARROW_AFTER):
        kernel.status("idle", str(number), "kernel_info_request")
        channel.receive(WAIT_MS)
    assert not kernel.iopub.poll(NOTHING_MS)


@pytest.mark.parametrize("topic", ["", "{type}", "anything"])
def test_status_is_received_under_any_topic(
    make_kernel: MakeKernel, connect: Connect, topic: str
) -> None:
    """Kernels without topics, or with other ones than ipykernel's, are followed as well."""
    kernel = make_kernel(topic=topic)
    channel = connect(kernel, status_only=True)
    for number in range(3):
        kernel.status("busy", str(number))
        assert channel.receive(WAIT_MS).parent_header["msg_id"] == str(number)


def test_kernel_info_request_is_answered(make_kernel: MakeKernel, connect: Connect) -> None:
    """The reply to the request is returned once."""
    kernel = make_kernel()
    channel = connect(kernel)
    sent = channel.send_kernel_info_request()
    assert channel.receive_reply() is None
    prefix, header = kernel.request()
    assert (header["msg_type"], header["msg_id"]) == ("kernel_info_request", sent)
    kernel.reply(prefix, header)
    assert wait_until(channel.receive_reply).parent_header["msg_id"] == sent
    assert channel.receive_reply() is None


def test_end_of_the_kernel_is_noticed(make_kernel: MakeKernel, connect: Connect) -> None:
    """A channel is connected while its kernel runs and lost afterwards, also when another one has started."""
    kernel = make_kernel()
    channel = connect(kernel)
    wait_until(lambda: channel.is_connected)
    kernel.end()
    wait_until(lambda: channel.is_lost)
    kernel.open()
    # The socket subscribes again when it is used.
    wait_until(lambda: channel.receive() or kernel.iopub.poll(0))
    assert channel.is_lost
    assert not channel.is_connected


def test_channel_to_a_missing_kernel_is_neither_connected_nor_lost(make_kernel: MakeKernel) -> None:
    """A stale connection file leads to no connection."""
    kernel = make_kernel()
    kernel.end()
    channel = KernelChannel(KernelConnection.read(kernel.path))
    assert channel.receive(NOTHING_MS) is None
    assert (channel.is_connected, channel.is_lost) == (False, False)
    channel.close()
    channel.close()


@pytest.mark.parametrize(
    "change",
    [
        {"signature_scheme": "hmac-rot13"},
        {"signature_scheme": "none"},
        {"iopub_port": None},
        {"shell_port": "x"},
    ],
    ids=str,
)
def test_invalid_connection_file_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    """A file that does not describe a connection raises ValueError."""
    path = tmp_path / "kernel.json"
    valid = {"transport": "tcp", "ip": "::", "key": "", "shell_port": 1, "iopub_port": 2}
    path.write_text(json.dumps({**valid, **change}))
    with pytest.raises(ValueError, match=r"kernel\.json|hmac-rot13|none|invalid literal"):
        KernelConnection.read(path)


@pytest.mark.parametrize("text", ["", "[]", '{"transport": "tcp"}', "{"])
def test_unfinished_connection_file_is_refused(tmp_path: Path, text: str) -> None:
    """A file that is not yet written in whole raises ValueError, so that it is read again later."""
    path = tmp_path / "kernel.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"."):
        KernelConnection.read(path)


@pytest.mark.parametrize(
    ("transport", "ip", "address"),
    [
        ("tcp", "127.0.0.1", "tcp://127.0.0.1:2"),
        ("tcp", "0.0.0.0", "tcp://127.0.0.1:2"),  # noqa: S104 - nothing is bound
        ("tcp", "*", "tcp://127.0.0.1:2"),
        ("ipc", "/run/kernel-ipc", "ipc:///run/kernel-ipc-2"),
    ],
)
def test_address_follows_the_connection_file(transport: str, ip: str, address: str) -> None:
    """The address of a channel is the one that the kernel binds, reached from this machine."""
    connection = KernelConnection(transport, ip, {"iopub": 2}, b"")
    assert connection.address("iopub") == address


def test_secrets_are_not_in_the_representation() -> None:
    """Neither the key nor the secret key of encrypted channels is printed."""
    connection = KernelConnection("tcp", "::", {}, b"secret-1", curve_keys=(b"p", b"secret-2"))
    assert "secret" not in repr(connection)
