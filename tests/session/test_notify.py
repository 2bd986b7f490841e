"""Notifications between processes, with real sockets and processes."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any, Callable

import pytest

from modelarts_magics.session import notify
from modelarts_magics.session.notify import Listener

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TIMEOUT_S = 20

pytestmark = pytest.mark.process


class Subscriber:
    """A subscriber to a folder that reports its calls."""

    def __init__(self, listener: Listener, folder: Path) -> None:
        self.calls: SimpleQueue[None] = SimpleQueue()
        self.unsubscribe = listener.subscribe(folder, self)
        # The first call comes with the subscription.
        self.wait()

    def __call__(self) -> None:
        """Report a call."""
        self.calls.put(None)

    def wait(self) -> None:
        """Wait for a call and drop the others that have come."""
        self.calls.get(timeout=TIMEOUT_S)
        while not self.calls.empty():
            self.calls.get()


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Return a listener of its own, without the subscriptions of other tests."""
    made = Listener()
    yield made
    made.close()


@pytest.fixture
def subscribe(listener: Listener, tmp_path: Path) -> Iterator[Callable[..., Subscriber]]:
    """Return a function that subscribes to a folder, by default to `tmp_path`."""
    made: list[Subscriber] = []

    def subscribe_to(folder: Path = tmp_path) -> Subscriber:
        made.append(Subscriber(listener, folder))
        return made[-1]

    yield subscribe_to
    for each in made:
        each.unsubscribe()
    wait_until_stopped(listener)


def wait_until_stopped(listener: Listener) -> None:
    """Wait until the thread has ended."""
    deadline = monotonic() + TIMEOUT_S
    while listener.is_running:
        assert monotonic() < deadline


def notify_from_other_process(folder: Path) -> None:
    """Notify as another process does."""
    program = (
        "import sys; from pathlib import Path; from modelarts_magics.session.notify import notify;"
        "notify(Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", program, str(folder)], check=True, timeout=TIMEOUT_S)  # noqa: S603 - our own program


def sockets_in(folder: Path) -> list[Path]:
    """Return the sockets of the listeners of a folder."""
    return [each for each in folder.iterdir() if each.name.startswith(notify.SOCKET_PREFIX)]


@pytest.mark.process
def test_other_process_wakes_all_subscribers(
    subscribe: Callable[..., Subscriber], tmp_path: Path
) -> None:
    """One listener thread calls all subscribers of the folder."""
    first, second = subscribe(), subscribe()
    notify_from_other_process(tmp_path)
    first.wait()
    second.wait()
    assert len(sockets_in(tmp_path)) == 1


@pytest.mark.process
def test_subscribers_of_other_folders_are_not_called(
    subscribe: Callable[..., Subscriber], tmp_path: Path
) -> None:
    """A notification is about one folder."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = subscribe(tmp_path / "a"), subscribe(tmp_path / "b")
    notify_from_other_process(tmp_path / "a")
    first.wait()
    assert second.calls.empty()


def test_own_process_is_not_notified(
    subscribe: Callable[..., Subscriber], listener: Listener, tmp_path: Path
) -> None:
    """A process does not wake itself."""
    subscriber = subscribe()
    listener.notify(tmp_path)
    with pytest.raises(Empty):
        subscriber.calls.get(timeout=0.1)


def test_socket_belongs_to_the_user_alone(
    subscribe: Callable[..., Subscriber], tmp_path: Path
) -> None:
    """Other users cannot write to the socket, nor to a folder that is created for it."""
    subscribe(tmp_path / "new" / "state")
    (address,) = sockets_in(tmp_path / "new" / "state")
    assert stat.S_IMODE(address.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new" / "state").stat().st_mode) == 0o700


def test_last_unsubscribe_removes_socket_and_thread(listener: Listener, tmp_path: Path) -> None:
    """Nothing is left after the last subscription has ended, and a new one works."""
    for _ in range(2):
        one, other = Subscriber(listener, tmp_path), Subscriber(listener, tmp_path)
        one.unsubscribe()
        one.unsubscribe()
        assert sockets_in(tmp_path)
        other.unsubscribe()
        wait_until_stopped(listener)
        assert not sockets_in(tmp_path)


def test_socket_of_a_dead_process_is_removed(tmp_path: Path) -> None:
    """The next notification removes a socket that no process has bound."""
    address = tmp_path / f"{notify.SOCKET_PREFIX}1-dead"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(address))
    notify.notify(tmp_path)
    assert not address.exists()


@pytest.mark.process
def test_socket_is_removed_when_the_process_exits(tmp_path: Path) -> None:
    """A process that subscribed leaves no socket behind."""
    program = (
        "import sys; from pathlib import Path; from modelarts_magics.session.notify import subscribe;"
        "folder = Path(sys.argv[1]); subscribe(folder, print);"
        "sys.exit(0 if any(folder.iterdir()) else 3)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, timeout=TIMEOUT_S)  # noqa: S603 - our own program
    assert not sockets_in(tmp_path)


def test_notification_fills_no_queue(
    subscribe: Callable[..., Subscriber], listener: Listener, tmp_path: Path
) -> None:
    """A thousand notifications neither wait nor fail while the receiver is busy."""
    release = threading.Event()
    unsubscribe = listener.subscribe(tmp_path, release.wait)
    for _ in range(1000):
        notify.notify(tmp_path)
    release.set()
    unsubscribe()
    subscriber = subscribe()
    notify.notify(tmp_path)
    subscriber.wait()


@pytest.mark.process
def test_long_folder_name_fits_into_a_socket_address(
    subscribe: Callable[..., Subscriber], tmp_path: Path
) -> None:
    """A path beyond the limit of a socket address works, too."""
    folder = tmp_path / ("x" * 120) / ("y" * 120)
    subscriber = subscribe(folder)
    assert sockets_in(folder)
    notify_from_other_process(folder)
    subscriber.wait()


@pytest.mark.process
def test_subscriber_that_fails_does_not_stop_the_others(
    subscribe: Callable[..., Subscriber], listener: Listener, tmp_path: Path
) -> None:
    """An exception in one callback is contained."""

    def fail() -> None:
        raise ZeroDivisionError

    unsubscribe = listener.subscribe(tmp_path, fail)
    subscriber = subscribe()
    notify_from_other_process(tmp_path)
    subscriber.wait()
    unsubscribe()


def test_folder_without_socket_is_polled(
    subscribe: Callable[..., Subscriber], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no socket can be bound, the subscriber is called every two seconds."""
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(notify, "POLL_INTERVAL_WITHOUT_SOCKET_S", 0.01)
    subscriber = subscribe(tmp_path / "file")
    subscriber.wait()


def test_notify_ignores_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    """No process is subscribed."""
    notify.notify(tmp_path / "missing")
    assert not (tmp_path / "missing").exists()


@pytest.mark.process
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_child_leaves_the_parents_socket_alone(tmp_path: Path) -> None:
    """A child can notify its parent, and its exit does not remove the socket."""
    program = (
        "import os, sys; from pathlib import Path; from queue import SimpleQueue;"
        "from modelarts_magics.session import notify;"
        "folder, calls = Path(sys.argv[1]), SimpleQueue();"
        "notify.subscribe(folder, lambda: calls.put(1)); calls.get(timeout=20);"
        "child = os.fork();\n"
        "if child == 0:\n    notify.notify(folder); sys.exit(0)\n"
        "calls.get(timeout=20); assert os.waitpid(child, 0)[1] == 0;"
        "assert [e for e in folder.iterdir() if e.name.startswith(notify.SOCKET_PREFIX)]"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, timeout=60)  # noqa: S603 - our own program


class FolderWithFinalizer:
    """A path during whose use the garbage collector runs a finalizer."""

    def __init__(self, path: Path, finalize: Callable[[], None]) -> None:
        self._path = path
        self._finalize = finalize

    def __str__(self) -> str:
        """Run the finalizer and return the path."""
        self._finalize()
        return str(self._path)


def test_finalizer_may_unsubscribe_while_another_subscribes(
    listener: Listener, subscribe: Callable[..., Subscriber], tmp_path: Path
) -> None:
    """A widget that is collected meanwhile blocks neither thread."""
    collected, kept = subscribe(), subscribe()
    # The subscription of `kept` has called both.
    collected.wait()
    folder: Any = FolderWithFinalizer(tmp_path, collected.unsubscribe)

    def subscribe_and_unsubscribe() -> None:
        unsubscribe = listener.subscribe(folder, lambda: None)
        unsubscribe()

    thread = threading.Thread(target=subscribe_and_unsubscribe, daemon=True)
    thread.start()
    thread.join(TIMEOUT_S)
    assert not thread.is_alive()
    notify_from_other_process(tmp_path)
    kept.wait()
    assert collected.calls.empty()
