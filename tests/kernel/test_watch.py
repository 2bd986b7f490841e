"""The look at the store while something is shown: it costs no request, outlives mistakes, and ends."""

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
    """Waits for nothing, so many times."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.asked: list[float] = []

    def __call__(self, seconds: float) -> bool:
        """Say whether to end."""
        self.asked.append(seconds)
        self.left -= 1
        return self.left < 0


@every_api_version
def test_it_notices_what_another_process_saved(
    make_session: Callable[..., Session], emulator: LocalEmulator
) -> None:
    """Within a second, without a request."""
    session, other = make_session(), make_session()
    session.refresh()
    heard: list[str] = []
    forget = session.subscribe(lambda instance: heard.append(instance.description))
    other._cache._key = "another process"  # its news stay its own
    other.describe("from afar")
    emulator.clear_requests()
    rounds = CountedWaits(3)
    StoreWatcher(lambda: session, wait=rounds).run()
    assert heard == ["from afar"]
    assert emulator.requests == []
    assert rounds.asked == [POLL_PERIOD_S] * 4
    forget()


def test_a_look_that_fails_does_not_end_it() -> None:
    """A setting may be wrong for a moment."""
    looks: list[int] = []

    def session() -> Session:
        looks.append(1)
        raise OSError("the disk is away")

    StoreWatcher(session, wait=CountedWaits(3)).run()
    assert len(looks) == 3


def test_it_ends_when_told() -> None:
    """One thread, however often it is started; none after the end."""
    running = threading.Event()
    end = threading.Event()

    def wait(_seconds: float) -> bool:
        running.set()
        return end.wait(JOIN_S)

    before = watching()
    watch = StoreWatcher(lambda: None, wait=wait)  # type: ignore[arg-type,return-value]  # never asked
    watch.start()
    watch.start()
    assert running.wait(JOIN_S)
    (thread,) = watching() - before
    assert thread.daemon
    watch.stop()
    end.set()
    thread.join(JOIN_S)
    watch.start()
    assert watching() <= before


def watching() -> set[threading.Thread]:
    """Return the threads that watch; those of earlier tests may be about to end."""
    return {each for each in threading.enumerate() if each.name == "modelarts-watch"}


def test_stopping_wakes_it() -> None:
    """Nobody waits for the rest of a period, however long that is."""
    watch = StoreWatcher(lambda: None, period_s=100 * JOIN_S)  # type: ignore[arg-type,return-value]  # never asked
    before = watching()
    watch.start()
    threads = watching() - before
    assert len(threads) == 1
    watch.stop()
    for each in threads:
        each.join(JOIN_S)
        assert not each.is_alive()
