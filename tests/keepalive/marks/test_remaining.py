"""The time left in the process that works: a flag, and functions at marks."""

from __future__ import annotations

import gc
import threading
import timeit
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from factories import HOUR, MINUTE, NOW, make_instance, timed_auto_stop
from waiting import wait_until

from modelarts_magics.errors import UnreachableError
from modelarts_magics.session.history import read_entries
from modelarts_magics.session.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelarts_magics.domain.models import Instance


class KnownSession:
    """The part of a session that tells the time left, with an hour left at the beginning."""

    stopping_soon = Session.stopping_soon
    on_remaining = Session.on_remaining
    time_scale = 1.0
    settings = None

    def __init__(self, folder: Path) -> None:
        self.history = folder / "history"
        self.stops_at = NOW + HOUR
        self.time = NOW
        self.cache_age = timedelta(0)
        self.remaining: Any = None
        self.reads: list[timedelta] = []
        self.is_unreachable = False

    def now(self) -> datetime:
        """Return the time by the clock of the API."""
        return self.time

    def last_known(self) -> Instance:
        """Return the instance."""
        return make_instance(replace(timed_auto_stop(HOUR), stops_at=self.stops_at))

    def status(self, *, max_age: timedelta) -> Instance:
        """Return the instance, and record that the API may have been asked."""
        self.reads.append(max_age)
        if self.is_unreachable:
            raise UnreachableError("unreachable.connection_lost", host="h")
        return self.last_known()

    def look_at(self, left: timedelta) -> None:
        """Let time pass, and do what is due."""
        self.time = self.stops_at - left
        self.remaining.look()

    def marks(self) -> list[dict[str, Any]]:
        """Return what came of the functions, oldest first."""
        return [entry["mark"] for entry in read_entries(self.history)][::-1]


@pytest.fixture
def session(tmp_path: Path) -> Iterator[KnownSession]:
    """Return a session; afterwards its functions have run, so that none prints into another test."""
    others = set(threading.enumerate())
    made = KnownSession(tmp_path)
    yield made
    if made.remaining is not None:
        made.remaining.close()
        # Its own thread ends within a second, without a word.
        for thread in set(threading.enumerate()) - others - {made.remaining._thread}:
            thread.join()


def test_flag_follows_the_stop_time(session: KnownSession) -> None:
    """It is true from the mark on, and false again after an extension."""
    stopping = session.stopping_soon("10m")
    assert not stopping()
    session.look_at(10 * MINUTE)
    assert stopping()
    session.stops_at += HOUR
    session.remaining.look()
    assert not stopping()


def test_flag_costs_less_than_a_microsecond(session: KnownSession) -> None:
    """Every iteration of a training can read it."""
    stopping = session.stopping_soon("10m")
    assert min(timeit.repeat(stopping, number=1000, repeat=20)) / 1000 < 1e-6


def test_unused_flag_is_forgotten(session: KnownSession) -> None:
    """A flag that the work has dropped is not kept alive."""
    stopping = session.stopping_soon("10m")
    assert len(session.remaining._flags) == 1
    del stopping
    gc.collect()
    assert len(session.remaining._flags) == 0


def test_function_runs_once_per_stop_time(session: KnownSession) -> None:
    """It runs in a thread at the mark, and again after an extension; what came of it is in the history."""
    threads: list[threading.Thread] = []

    @session.on_remaining("10m")
    def save() -> None:
        threads.append(threading.current_thread())

    assert callable(save)
    session.look_at(11 * MINUTE)
    assert threads == []
    session.look_at(10 * MINUTE)
    session.look_at(9 * MINUTE)
    session.stops_at += HOUR
    session.look_at(11 * MINUTE)
    session.look_at(10 * MINUTE)
    wait_until(lambda: len(session.marks()) == 2)
    assert len(threads) == 2
    assert threading.main_thread() not in threads
    assert [(each["outcome"], each["late"]) for each in session.marks()] == [("ran", False)] * 2


@pytest.mark.parametrize("error", [ValueError("disk full"), SystemExit(3), KeyboardInterrupt()])
def test_error_of_a_function_is_shown_and_not_raised(
    session: KnownSession, error: BaseException, capfd: pytest.CaptureFixture[str]
) -> None:
    """The work goes on; the traceback is printed, and the history has the error."""

    @session.on_remaining("10m")
    def save() -> None:
        raise error

    assert callable(save)
    session.look_at(10 * MINUTE)
    wait_until(session.marks)
    (entry,) = session.marks()
    assert (entry["outcome"], entry["output"]) == ("failed", f"{type(error).__name__}: {error}")
    shown: list[str] = []
    wait_until(lambda: shown.append(capfd.readouterr().err) or "save failed" in "".join(shown))
    assert "Traceback" in "".join(shown)


def test_function_set_too_late_runs_at_once_and_says_so(session: KnownSession) -> None:
    """A mark that has passed fires at the first look."""
    session.time = session.stops_at - 5 * MINUTE

    @session.on_remaining("10m")
    def save() -> None:
        """Save nothing."""

    assert callable(save)
    session.remaining.look()
    wait_until(session.marks)
    assert session.marks()[0]["late"]


def test_function_that_is_defined_again_replaces_the_first(session: KnownSession) -> None:
    """A cell that is run twice does not save twice."""
    calls: list[int] = []
    for number in (1, 2):

        @session.on_remaining("10m")
        def save(number: int = number) -> None:
            calls.append(number)

    session.look_at(10 * MINUTE)
    wait_until(lambda: calls)
    assert calls == [2]


@pytest.mark.parametrize(
    ("left", "longest_age"),
    [
        (50 * MINUTE, 5 * MINUTE),
        (20 * MINUTE, MINUTE),
        (10 * MINUTE + timedelta(seconds=5), timedelta(seconds=15)),
    ],
)
def test_instance_is_read_more_often_near_a_mark(
    session: KnownSession, left: timedelta, longest_age: timedelta
) -> None:
    """Nothing is read while another process does; before a mark a reading must be recent."""
    stopping = session.stopping_soon("10m")
    session.reads.clear()
    session.cache_age = longest_age
    session.look_at(left)
    assert session.reads == []
    session.cache_age = longest_age + timedelta(seconds=1)
    session.remaining.look()
    wait_until(lambda: session.reads)
    assert set(session.reads) == {longest_age}
    assert not stopping()


def test_unreadable_instance_is_an_error_at_the_beginning(session: KnownSession) -> None:
    """A flag that never becomes true would not be noticed."""
    session.is_unreachable = True
    with pytest.raises(UnreachableError):
        session.stopping_soon("10m")


def test_unreadable_instance_is_tried_again_later(session: KnownSession) -> None:
    """Afterwards an API that cannot be reached is left alone for a while, and the known stop time counts."""
    stopping = session.stopping_soon("10m")
    session.is_unreachable, session.cache_age = True, HOUR
    session.reads.clear()
    session.look_at(50 * MINUTE)
    wait_until(lambda: session.reads and not session.remaining._is_reading)
    session.look_at(9 * MINUTE)
    assert len(session.reads) == 1
    assert stopping()
