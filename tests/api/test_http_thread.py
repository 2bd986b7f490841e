"""The thread that makes the calls: left behind when it hangs, never lost, never two at a time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Callable

import pytest

from modelarts_magics.api.http_thread import HttpThread
from modelarts_magics.domain.clock import Clock, Deadline

if TYPE_CHECKING:
    from collections.abc import Iterator


PATIENCE_S = 20
TICK_S = 0.01


class Patience:
    """Time for one call, which is over when the test says so and not before."""

    def __init__(self) -> None:
        self._over = threading.Event()
        clock = Clock(monotonic=lambda: 1.0 if self._over.is_set() else 0.0)
        self.deadline = Deadline(TICK_S, clock=clock)

    def ends(self) -> None:
        """Let the deadline pass."""
        self._over.set()


@pytest.fixture
def worker() -> Iterator[HttpThread]:
    """A worker, stopped afterwards."""
    made = HttpThread()
    yield made
    made.stop()


def test_it_returns_what_the_call_returns(worker: HttpThread) -> None:
    """From a thread that is not the caller's, and the same one each time."""
    threads = {worker.run(threading.get_ident, deadline=Deadline(PATIENCE_S)) for _ in range(3)}
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    assert worker.run(lambda: None, deadline=Deadline(PATIENCE_S)) is None


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_it_raises_what_the_call_raises(worker: HttpThread, error: BaseException) -> None:
    """And goes on working."""

    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        worker.run(fail, deadline=Deadline(PATIENCE_S))
    assert worker.run(lambda: 1, deadline=Deadline(PATIENCE_S)) == 1


def test_a_call_that_hangs_is_left_behind(worker: HttpThread) -> None:
    """The next one has a thread of its own."""
    end = threading.Event()
    with pytest.raises(TimeoutError):
        worker.run(lambda: end.wait(PATIENCE_S), deadline=Deadline(0.05))
    assert worker.run(lambda: 2, deadline=Deadline(PATIENCE_S)) == 2
    end.set()


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_deadline_that_has_passed_is_over_at_once(worker: HttpThread, seconds: float) -> None:
    """Nobody waits for what cannot be in time."""
    with pytest.raises(TimeoutError):
        worker.run(lambda: 1, deadline=Deadline(seconds))


def wait_for_the_queue(worker: HttpThread) -> None:
    """Wait until a call stands behind the one that is being made."""
    jobs, pause = worker._queue, threading.Event()
    assert jobs is not None
    for _ in range(round(PATIENCE_S / TICK_S)):
        if not jobs.empty():
            return
        pause.wait(TICK_S)
    raise AssertionError("nobody came")


def test_a_call_given_up_in_the_queue_is_never_made(worker: HttpThread) -> None:
    """Two callers, the first hangs, both give up: the second's call must not happen afterwards."""
    end, begun, patience = threading.Event(), threading.Event(), Patience()
    made: list[str] = []

    def hang() -> None:
        begun.set()
        end.wait(PATIENCE_S)

    def give_up(call: Callable[[], object]) -> None:
        with pytest.raises(TimeoutError):
            worker.run(call, deadline=patience.deadline)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(give_up, hang)
        assert begun.wait(PATIENCE_S)
        left_behind = worker._thread
        second = pool.submit(give_up, lambda: made.append("late"))
        wait_for_the_queue(worker)
        patience.ends()
        for each in (first, second):
            each.result()
    end.set()
    assert left_behind is not None
    left_behind.join(PATIENCE_S)
    assert not left_behind.is_alive()
    assert not made


def test_one_call_given_up_does_not_stop_the_others_new_thread(worker: HttpThread) -> None:
    """A late quitter leaves its own thread, not the one that somebody else began to use."""
    end, begun = threading.Event(), threading.Event()
    short, long = Patience(), Patience()

    def hang() -> None:
        begun.set()
        end.wait(PATIENCE_S)

    def give_up(call: Callable[[], object], patience: Patience) -> None:
        with pytest.raises(TimeoutError):
            worker.run(call, deadline=patience.deadline)

    with ThreadPoolExecutor(2) as pool:
        early = pool.submit(give_up, hang, short)
        assert begun.wait(PATIENCE_S)
        late = pool.submit(give_up, lambda: None, long)
        wait_for_the_queue(worker)
        short.ends()
        early.result()
        new = worker.run(threading.current_thread, deadline=Deadline(PATIENCE_S))
        long.ends()
        late.result()
    assert worker.run(threading.current_thread, deadline=Deadline(PATIENCE_S)) is new
    end.set()


def test_each_thread_closes_what_it_opened() -> None:
    """When it is stopped, and also when it was left behind, once it is free."""
    closed: list[int] = []
    worker = HttpThread(lambda: closed.append(threading.get_ident()), shutdown_timeout_s=PATIENCE_S)
    used = worker.run(threading.get_ident, deadline=Deadline(PATIENCE_S))
    end, patience = threading.Event(), Patience()

    def hang() -> None:
        patience.ends()  # it has begun, so it is left behind and not dropped
        end.wait(PATIENCE_S)

    with pytest.raises(TimeoutError):
        worker.run(hang, deadline=patience.deadline)
    left_behind = worker._thread
    assert not closed
    end.set()
    assert left_behind is not None
    left_behind.join(PATIENCE_S)
    assert closed == [used]
    other = worker.run(threading.get_ident, deadline=Deadline(PATIENCE_S))
    worker.stop()
    assert closed == [used, other]


def test_stopping_what_never_ran_or_has_stopped_is_nothing(worker: HttpThread) -> None:
    """As often as one likes."""
    worker.stop()
    worker.run(lambda: 1, deadline=Deadline(PATIENCE_S))
    worker.stop()
    worker.stop()
    assert worker.run(lambda: 1, deadline=Deadline(PATIENCE_S)) == 1


def test_many_callers_at_once(worker: HttpThread) -> None:
    """One call at a time, each outcome to its own caller."""
    inside: list[int] = []

    def alone(number: int) -> int:
        inside.append(number)
        assert inside == [number]
        inside.clear()
        return number

    def ask(number: int) -> int:
        return worker.run(lambda: alone(number), deadline=Deadline(PATIENCE_S))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(200))) == list(range(200))
