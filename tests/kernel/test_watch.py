"""The store watcher: sends no requests, survives errors, and stops."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Callable

from widget_helpers import every_api_version

from modelarts_magics.kernel.watch import POLL_PERIOD_S, StoreWatcher

if TYPE_CHECKING:
    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.session.session import Session

JOIN_S = 60


class CountedWaits:
    """Waits a number of times without delay."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.periods: list[float] = []

    def __call__(self, seconds: float) -> bool:
        """Return whether to stop."""
        self.periods.append(seconds)
        self.left -= 1
        return self.left < 0


@every_api_version
def test_change_by_another_process_is_noticed(
    make_session: Callable[..., Session], emulator: LocalEmulator
) -> None:
    """Subscribers are notified without a request to the API."""
    session, other = make_session(), make_session()
    session.refresh()
    descriptions: list[str] = []
    unsubscribe = session.subscribe(lambda instance: descriptions.append(instance.description))
    # Sessions with one key notify each other within the process.
    other._cache._key = "another process"
    other.describe("from afar")
    emulator.clear_requests()
    waits = CountedWaits(3)
    StoreWatcher(lambda: session, wait=waits).run()
    assert descriptions == ["from afar"]
    assert emulator.requests == []
    assert waits.periods == [POLL_PERIOD_S] * 4
    unsubscribe()


def test_failed_check_does_not_stop_the_watcher() -> None:
    """The next check is made all the same."""
    checks: list[int] = []

    def session() -> Session:
        checks.append(1)
        raise OSError("the disk is away")

    StoreWatcher(session, wait=CountedWaits(3)).run()
    assert len(checks) == 3


def test_stop_ends_the_only_thread() -> None:
    """One thread runs however often `start` is called, and none after `stop`."""
    running = threading.Event()
    end = threading.Event()

    def wait(_seconds: float) -> bool:
        running.set()
        return end.wait(JOIN_S)

    before = watcher_threads()
    watcher = StoreWatcher(lambda: None, wait=wait)  # type: ignore[arg-type,return-value]  # never called
    watcher.start()
    watcher.start()
    assert running.wait(JOIN_S)
    (thread,) = watcher_threads() - before
    assert thread.daemon
    watcher.stop()
    end.set()
    thread.join(JOIN_S)
    watcher.start()
    assert watcher_threads() <= before


def watcher_threads() -> set[threading.Thread]:
    """Return the threads of all watchers; those of earlier tests may be about to end."""
    return {each for each in threading.enumerate() if each.name == "modelarts-watch"}


def test_stop_does_not_wait_for_the_next_check() -> None:
    """The thread ends immediately, however long the period is."""
    watcher = StoreWatcher(lambda: None, period_s=100 * JOIN_S)  # type: ignore[arg-type,return-value]  # never called
    before = watcher_threads()
    watcher.start()
    threads = watcher_threads() - before
    assert len(threads) == 1
    watcher.stop()
    for each in threads:
        each.join(JOIN_S)
        assert not each.is_alive()
