"""The thread that makes the calls: left behind when it hangs, never lost, never two at a time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Callable

import pytest

from modelarts_magics.api.worker import Worker
from modelarts_magics.clock import Deadline

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def worker() -> Iterator[Worker]:
    """A worker, stopped afterwards."""
    made = Worker()
    yield made
    made.stop()


def test_it_returns_what_the_call_returns(worker: Worker) -> None:
    """From a thread that is not the caller's, and the same one each time."""
    threads = {worker.run(threading.get_ident, deadline=Deadline(5)) for _ in range(3)}
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    assert worker.run(lambda: None, deadline=Deadline(5)) is None


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_it_raises_what_the_call_raises(worker: Worker, error: BaseException) -> None:
    """And goes on working."""

    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        worker.run(fail, deadline=Deadline(5))
    assert worker.run(lambda: 1, deadline=Deadline(5)) == 1


def test_a_call_that_hangs_is_left_behind(worker: Worker) -> None:
    """The next one has a thread of its own."""
    end = threading.Event()
    with pytest.raises(TimeoutError):
        worker.run(lambda: end.wait(20), deadline=Deadline(0.05))
    assert worker.run(lambda: 2, deadline=Deadline(5)) == 2
    end.set()


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_deadline_that_has_passed_is_over_at_once(worker: Worker, seconds: float) -> None:
    """Nobody waits for what cannot be in time."""
    with pytest.raises(TimeoutError):
        worker.run(lambda: 1, deadline=Deadline(seconds))


def test_a_call_given_up_in_the_queue_is_never_made(worker: Worker) -> None:
    """Two callers, the first hangs, both give up: the second's call must not happen afterwards."""
    end, begun = threading.Event(), threading.Event()
    made: list[str] = []

    def hang() -> None:
        begun.set()
        end.wait(20)

    def give_up(call: object) -> None:
        with pytest.raises(TimeoutError):
            worker.run(call, deadline=Deadline(0.1))  # type: ignore[arg-type]

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(give_up, hang)
        assert begun.wait(5)
        left_behind = worker._thread
        pool.submit(give_up, lambda: made.append("late")).result()
        first.result()
    end.set()
    assert left_behind is not None
    left_behind.join(5)
    assert not left_behind.is_alive()
    assert not made


def test_one_call_given_up_does_not_stop_the_others_new_thread(worker: Worker) -> None:
    """A late quitter leaves its own thread, not the one that somebody else began to use."""
    end, begun = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        end.wait(20)

    def give_up(call: Callable[[], object], seconds: float) -> None:
        with pytest.raises(TimeoutError):
            worker.run(call, deadline=Deadline(seconds))

    with ThreadPoolExecutor(2) as pool:
        early = pool.submit(give_up, hang, 0.2)
        assert begun.wait(5)
        late = pool.submit(give_up, lambda: None, 0.4)
        early.result()
        new = worker.run(threading.current_thread, deadline=Deadline(5))
        late.result()
    assert worker.run(threading.current_thread, deadline=Deadline(5)) is new
    end.set()


def test_each_thread_closes_what_it_opened() -> None:
    """When it is stopped, and also when it was left behind, once it is free."""
    closed: list[int] = []
    worker = Worker(lambda: closed.append(threading.get_ident()))
    used = worker.run(threading.get_ident, deadline=Deadline(5))
    end = threading.Event()
    with pytest.raises(TimeoutError):
        worker.run(lambda: end.wait(20), deadline=Deadline(0.05))
    left_behind = worker._thread
    assert not closed
    end.set()
    assert left_behind is not None
    left_behind.join(5)
    assert closed == [used]
    other = worker.run(threading.get_ident, deadline=Deadline(5))
    worker.stop()
    assert closed == [used, other]


def test_stopping_what_never_ran_or_has_stopped_is_nothing(worker: Worker) -> None:
    """As often as one likes."""
    worker.stop()
    worker.run(lambda: 1, deadline=Deadline(5))
    worker.stop()
    worker.stop()
    assert worker.run(lambda: 1, deadline=Deadline(5)) == 1


def test_many_callers_at_once(worker: Worker) -> None:
    """One call at a time, each outcome to its own caller."""
    inside: list[int] = []

    def alone(number: int) -> int:
        inside.append(number)
        assert inside == [number]
        inside.clear()
        return number

    def ask(number: int) -> int:
        return worker.run(lambda: alone(number), deadline=Deadline(10))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(200))) == list(range(200))
