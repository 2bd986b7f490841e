"""Wake the other processes of this machine when a state file changes.

A process that follows the files of a folder binds a Unix datagram socket in it (mode 0600). A process that has
replaced a file sends one byte to each socket of the folder, and the receivers look at the file. The byte carries
no data.

One daemon thread per process waits for all folders. It starts with the first subscription and ends with the last.
It also calls the subscribers once in a while, for a change without a datagram: by another machine that shares
the folder, or where sockets are not possible.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import selectors
import socket
import stat
import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from modelarts_magics.config.private_file import is_exposed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Callback = Callable[[], object]

POLL_INTERVAL_S = 60.0
"""The longest time between two calls of a subscriber."""
POLL_INTERVAL_WITHOUT_SOCKET_S = 2.0
"""The same where a folder cannot have a socket."""
SOCKET_PREFIX = ".wake-"
_MAX_ADDRESS_BYTES = 100
"""The limit for the path of a socket is 108 bytes on Linux and 104 on macOS."""
_SUPPORTED = hasattr(socket, "AF_UNIX")

_LOG = logging.getLogger(__name__)
_Selector: type[selectors.BaseSelector] = getattr(
    selectors, "PollSelector", selectors.SelectSelector
)


def subscribe(folder: Path, callback: Callback) -> Callable[[], None]:
    """Call `callback` whenever another process may have changed a file of the folder.

    It runs in the listener thread: once soon after this call, after each notification, and at least once a minute.
    An exception that it raises is logged.

    Args:
        folder: The folder to follow; it is created if it does not exist.
        callback: Called without arguments. Equal callbacks of a folder are called once per notification.

    Returns:
        A function that ends the subscription; calling it twice is allowed.
    """
    return _listener.subscribe(folder, callback)


def notify(folder: Path) -> None:
    """Wake the other processes that follow the folder; never raises and never waits.

    Sockets that no process has bound any more are removed.
    """
    _listener.notify(folder)


def _send_to_all(folder: Path, names: Iterable[str]) -> None:
    with _short_path(folder) as base, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        for name in names:
            address = f"{base}/{name}"
            try:
                # A link could lead to the socket of another program.
                if not stat.S_ISSOCK(os.lstat(address).st_mode):
                    continue
                sender.sendto(b"\0", address)
            except ConnectionRefusedError:
                with contextlib.suppress(OSError):
                    Path(address).unlink()
            except OSError:
                # Either the receiver has just ended, or its queue is full and it is about to be woken anyway.
                continue


@contextlib.contextmanager
def _short_path(folder: Path) -> Iterator[str]:
    """Return a path to the folder that leaves room for a name within the limit of a socket address."""
    if len(os.fsencode(folder)) + len(SOCKET_PREFIX) + 20 <= _MAX_ADDRESS_BYTES:
        yield str(folder)
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


class _Folder:
    """The subscribers to one folder and the socket that wakes them.

    Attributes:
        socket: The bound socket; None where the folder cannot have one.
        callbacks: The subscribers by the number of the subscription.
        is_due: Whether to call the subscribers without waiting.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = f"{SOCKET_PREFIX}{os.getpid()}-{os.urandom(4).hex()}"
        self.socket = self._bind() if _SUPPORTED else None
        self.callbacks: dict[int, Callback] = {}
        self.is_due = True

    def run_callbacks(self) -> None:
        """Call each subscriber once."""
        self.is_due = False
        for number, callback in self._distinct_callbacks():
            if number not in self.callbacks:
                continue
            try:
                callback()
            except Exception:  # noqa: BLE001 - a callback may raise anything
                _LOG.debug("A subscriber to %s failed", self._path, exc_info=True)

    def drain(self) -> None:
        """Read all datagrams that have arrived."""
        if self.socket is not None:
            with contextlib.suppress(OSError):
                while self.socket.recv(16):
                    pass

    def close(self, *, unlink: bool = True) -> None:
        """Close the socket and remove it from the folder.

        Args:
            unlink: False in a forked child, whose parent still uses the socket.
        """
        if self.socket is not None:
            self.socket.close()
            if unlink:
                with contextlib.suppress(OSError):
                    (self._path / self.name).unlink()

    def _bind(self) -> socket.socket | None:
        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if is_exposed(self._path):
                raise PermissionError(self._path)
            # On Linux the mode of the descriptor becomes the mode of the file, so it is never open to others.
            os.fchmod(receiver.fileno(), 0o600)
            with _short_path(self._path) as base:
                receiver.bind(f"{base}/{self.name}")
            (self._path / self.name).chmod(0o600)
            receiver.setblocking(False)
        except OSError:
            receiver.close()
            return None
        return receiver

    def _distinct_callbacks(self) -> list[tuple[int, Callback]]:
        first: dict[Callback, int] = {}
        # A finalizer may end a subscription during the loop.
        for number, callback in self.callbacks.copy().items():
            first.setdefault(callback, number)
        return [(number, callback) for callback, number in first.items()]


class Listener:
    """The thread that waits for datagrams, and the folders that it waits for; a process uses one.

    Widgets end their subscriptions in finalizers, which may run at any time in any thread, also in one that holds
    the lock. Ending a subscription therefore never waits for the lock: it is queued, and the owner of the lock
    completes it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended: deque[tuple[str, _Folder]] = deque()
        self._folders: dict[str, _Folder] = {}
        self._removed: list[_Folder] = []
        self._subscription_count = 0
        self._wakeup: tuple[socket.socket, socket.socket] | None = None

    def subscribe(self, path: Path, callback: Callback) -> Callable[[], None]:
        """Do what the function `subscribe` of this module describes."""
        with self._lock:
            folder = self._folders.get(str(path))
            if folder is None:
                folder = self._folders[str(path)] = _Folder(path)
            self._subscription_count += 1
            number = self._subscription_count
            folder.callbacks[number] = callback
            folder.is_due = True
            self._start_or_wake()
        self._complete_unsubscribing()
        return lambda: self._unsubscribe(str(path), folder, number)

    def notify(self, path: Path) -> None:
        """Do what the function `notify` of this module describes."""
        folder = self._folders.get(str(path))
        own_name = folder.name if folder else ""
        with contextlib.suppress(OSError):
            if is_exposed(path):
                return
            # Faster than `Path.iterdir`, which makes a path of each name.
            names = os.listdir(path)  # noqa: PTH208
            others = [name for name in names if name.startswith(SOCKET_PREFIX) and name != own_name]
            if others and _SUPPORTED:
                _send_to_all(path, others)

    @property
    def is_running(self) -> bool:
        """Whether there is a thread."""
        return self._wakeup is not None

    def close(self) -> None:
        """Remove the sockets at the end of the process."""
        for folder in tuple(self._folders.values()):
            folder.close()

    def abandon(self) -> None:
        """Close what a forked child has inherited; the parent goes on using it."""
        for folder in (*self._folders.values(), *self._removed):
            folder.close(unlink=False)
        self._close_wakeup()

    def _unsubscribe(self, key: str, folder: _Folder, number: int) -> None:
        folder.callbacks.pop(number, None)
        self._ended.append((key, folder))
        self._complete_unsubscribing()

    def _complete_unsubscribing(self) -> None:
        """Remove folders without subscribers, unless the lock is held: its owner calls this after releasing it."""
        while self._ended and self._lock.acquire(blocking=False):
            try:
                self._remove_unused_folders()
            finally:
                self._lock.release()

    def _remove_unused_folders(self) -> None:
        while self._ended:
            key, folder = self._ended.popleft()
            if not folder.callbacks and self._folders.get(key) is folder:
                del self._folders[key]
                self._removed.append(folder)
                self._start_or_wake()

    def _close_wakeup(self) -> None:
        for each in self._wakeup or ():
            each.close()
        self._wakeup = None

    def _start_or_wake(self) -> None:
        if self._wakeup is None:
            self._wakeup = socket.socketpair()
            self._wakeup[1].setblocking(False)
            threading.Thread(
                target=self._run, args=self._wakeup[:1], name="modelarts-notify", daemon=True
            ).start()
        else:
            # A full buffer wakes the thread as well.
            with contextlib.suppress(BlockingIOError):
                self._wakeup[1].send(b"\0")

    def _run(self, wakeup: socket.socket) -> None:
        while True:
            with self._lock:
                removed, self._removed = self._removed, []
                folders = list(self._folders.values())
                for folder in removed:
                    folder.close()
                if not folders:
                    self._close_wakeup()
            self._complete_unsubscribing()
            if not folders:
                return
            for folder in _wait(folders, wakeup):
                folder.run_callbacks()


def _wait(folders: list[_Folder], wakeup: socket.socket) -> list[_Folder]:
    """Wait for a datagram, a new subscription or the next poll; return the folders to look at."""
    due = [folder for folder in folders if folder.is_due]
    if due:
        return due
    with _Selector() as selector:
        selector.register(wakeup, selectors.EVENT_READ)
        for folder in folders:
            if folder.socket is not None:
                selector.register(folder.socket, selectors.EVENT_READ, folder)
        has_sockets = all(folder.socket is not None for folder in folders)
        events = selector.select(POLL_INTERVAL_S if has_sockets else POLL_INTERVAL_WITHOUT_SOCKET_S)
    ready = [key.data for key, _ in events]
    if None in ready:
        wakeup.recv(4096)
    woken = [folder for folder in ready if folder is not None]
    for folder in woken:
        folder.drain()
    return woken if ready else folders


_listener = Listener()


def _reset_after_fork() -> None:
    """Give the child a listener of its own: it has no thread, and no part in the parent's sockets."""
    global _listener  # noqa: PLW0603 - one listener per process
    _listener.abandon()
    _listener = Listener()


def _close_at_exit() -> None:
    _listener.close()


atexit.register(_close_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)
