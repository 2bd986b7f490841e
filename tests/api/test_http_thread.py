"""The thread that makes the calls."""

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


class ManualDeadline:
    """A deadline that passes when the test says so."""

    def __init__(self) -> None:
        self._over = threading.Event()
        clock = Clock(monotonic=lambda: 1.0 if self._over.is_set() else 0.0)
        self.deadline = Deadline(TICK_S, clock=clock)

    def expire(self) -> None:
        """Let the deadline pass."""
        self._over.set()


@pytest.fixture
def worker() -> Iterator[HttpThread]:
    """Return a thread that is stopped after the test."""
    made = HttpThread()
    yield made
    made.stop()


def test_run_returns_the_result(worker: HttpThread) -> None:
    """The call runs in the same other thread each time."""
    threads = {worker.run(threading.get_ident, deadline=Deadline(PATIENCE_S)) for _ in range(3)}
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    assert worker.run(lambda: None, deadline=Deadline(PATIENCE_S)) is None


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_run_raises_the_error_of_the_call(worker: HttpThread, error: BaseException) -> None:
    """The thread continues to work."""

    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        worker.run(fail, deadline=Deadline(PATIENCE_S))
    assert worker.run(lambda: 1, deadline=Deadline(PATIENCE_S)) == 1


def test_hanging_call_is_abandoned(worker: HttpThread) -> None:
    """The next call has a new thread."""
    end = threading.Event()
    with pytest.raises(TimeoutError):
        worker.run(lambda: end.wait(PATIENCE_S), deadline=Deadline(0.05))
    assert worker.run(lambda: 2, deadline=Deadline(PATIENCE_S)) == 2
    end.set()


@pytest.mark.parametrize("seconds", [0, -1])
def test_passed_deadline_raises_at_once(worker: HttpThread, seconds: float) -> None:
    """The caller does not wait."""
    with pytest.raises(TimeoutError):
        worker.run(lambda: 1, deadline=Deadline(seconds))


def wait_until_queued(worker: HttpThread) -> None:
    """Wait until a call is queued behind the current one."""
    jobs, pause = worker._queue, threading.Event()
    assert jobs is not None
    for _ in range(round(PATIENCE_S / TICK_S)):
        if not jobs.empty():
            return
        pause.wait(TICK_S)
    raise AssertionError("no call was queued")


def test_call_abandoned_in_the_queue_is_never_made(worker: HttpThread) -> None:
    """Two callers give up while the first call hangs; the second call is never made."""
    end, begun, patience = threading.Event(), threading.Event(), ManualDeadline()
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
        wait_until_queued(worker)
        patience.expire()
        for each in (first, second):
            each.result()
    end.set()
    assert left_behind is not None
    left_behind.join(PATIENCE_S)
    assert not left_behind.is_alive()
    assert not made


def test_late_abandonment_keeps_the_new_thread(worker: HttpThread) -> None:
    """It expire only the thread of its own call."""
    end, begun = threading.Event(), threading.Event()
    short, long = ManualDeadline(), ManualDeadline()

    def hang() -> None:
        begun.set()
        end.wait(PATIENCE_S)

    def give_up(call: Callable[[], object], patience: ManualDeadline) -> None:
        with pytest.raises(TimeoutError):
            worker.run(call, deadline=patience.deadline)

    with ThreadPoolExecutor(2) as pool:
        early = pool.submit(give_up, hang, short)
        assert begun.wait(PATIENCE_S)
        late = pool.submit(give_up, lambda: None, long)
        wait_until_queued(worker)
        short.expire()
        early.result()
        new = worker.run(threading.current_thread, deadline=Deadline(PATIENCE_S))
        long.expire()
        late.result()
    assert worker.run(threading.current_thread, deadline=Deadline(PATIENCE_S)) is new
    end.set()


def test_each_thread_closes_its_connections() -> None:
    """After stop, and also after it was abandoned."""
    closed: list[int] = []
    worker = HttpThread(lambda: closed.append(threading.get_ident()), shutdown_timeout_s=PATIENCE_S)
    used = worker.run(threading.get_ident, deadline=Deadline(PATIENCE_S))
    end, patience = threading.Event(), ManualDeadline()

    def hang() -> None:
        # It has begun, so it is abandoned and not dropped.
        patience.expire()
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


def test_stop_may_be_repeated(worker: HttpThread) -> None:
    """Also before the first call."""
    worker.stop()
    worker.run(lambda: 1, deadline=Deadline(PATIENCE_S))
    worker.stop()
    worker.stop()
    assert worker.run(lambda: 1, deadline=Deadline(PATIENCE_S)) == 1


def test_concurrent_callers_get_their_own_results(worker: HttpThread) -> None:
    """One call is made at a time."""
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
