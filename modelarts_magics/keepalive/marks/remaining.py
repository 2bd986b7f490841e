"""Follow the time left in the process that works: a flag that costs nothing to read, and calls at marks.

A thread looks once a second at what any process of this machine has read last. It asks the API itself only if no
other process does.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any, Callable
from weakref import WeakSet

from modelarts_magics.domain.durations import parse_duration
from modelarts_magics.domain.models import same_stop_time
from modelarts_magics.errors import ModelArtsError
from modelarts_magics.keepalive.marks.mark import CALLBACK, FRESH, Mark, is_near
from modelarts_magics.keepalive.marks.result import FAILED, RAN, Result, record_of_session
from modelarts_magics.keepalive.policy import (
    PROBLEM_THRESHOLD,
    READ_INTERVAL,
    READ_INTERVAL_NEAR_STOP,
)
from modelarts_magics.keepalive.processes import signals_blocked

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from modelarts_magics.session.session import Session

    Fire = Callable[[datetime, datetime], None]

LOOK_INTERVAL_S = 1.0
READ_RETRY_S = 30.0


class StoppingSoon:
    """Whether less than a given time is left before the stop; calling it takes about 0.1 µs.

    Args:
        before: The time left from which on it is true.
    """

    __slots__ = ("__weakref__", "_due_s", "before")

    def __init__(self, before: timedelta) -> None:
        self.before = before
        self._due_s = float("inf")

    def __call__(self, _monotonic: Callable[[], float] = time.monotonic) -> bool:
        """Return whether the time left is shorter, by the clock of this process."""
        return _monotonic() >= self._due_s

    def set_due(self, due_s: float) -> None:
        """Set when it becomes true, by the monotonic clock."""
        self._due_s = due_s


class RemainingTime:
    """Follow the stop time, set flags, and make calls at marks, each once per stop time.

    Args:
        get_session: Returns the session with the instance.
        scale: Seconds of the session per second of this machine; 1 except in tests.
    """

    def __init__(self, get_session: Callable[[], Session], *, scale: float = 1.0) -> None:
        self._get_session = get_session
        self._scale = scale
        self._flags: WeakSet[StoppingSoon] = WeakSet()
        self._calls: dict[object, tuple[timedelta, Fire]] = {}
        self._fired: dict[object, list[datetime]] = {}
        self._is_reading = False
        self._retry_s = 0.0
        self._thread: threading.Thread | None = None

    def flag(self, before: timedelta) -> StoppingSoon:
        """Return a flag that becomes true at a mark."""
        flag = StoppingSoon(before)
        self._flags.add(flag)
        self.look()
        self._start()
        return flag

    def call_at(self, before: timedelta, key: object, fire: Fire) -> None:
        """Make a call at a mark, once per stop time, in the thread of this object.

        Args:
            before: The time left at the mark.
            key: Identifies the call; an earlier one with this key is replaced.
            fire: Called with the stop time and the current time. It must return soon.
        """
        self._fired.pop(key, None)
        self._calls[key] = (before, fire)
        self._start()

    def cancel(self, key: object) -> None:
        """Do not make a call any more."""
        self._calls.pop(key, None)

    def close(self) -> None:
        """Follow nothing any more, which ends the thread."""
        self._flags.clear()
        self._calls.clear()

    def look(self) -> None:
        """Do what is due, and have the instance read if the last reading is too old."""
        session = self._get_session()
        now, instance = session.now(), session.last_known()
        stops_at = instance.auto_stop.stops_at if instance and instance.running else None
        self._set_flags(stops_at, now)
        self._read_if_due(session, stops_at, now)
        if stops_at is None or now >= stops_at:
            return
        for key, (before, fire) in tuple(self._calls.items()):
            fired = self._fired.setdefault(key, [])
            if now >= stops_at - before and not any(
                same_stop_time(each, stops_at) for each in fired
            ):
                fired.append(stops_at)
                fire(stops_at, now)

    def _set_flags(self, stops_at: datetime | None, now: datetime) -> None:
        for flag in tuple(self._flags):
            if stops_at is None:
                flag.set_due(float("inf"))
            else:
                left = (stops_at - flag.before - now) / self._scale
                flag.set_due(time.monotonic() + left.total_seconds())

    def _read_if_due(self, session: Session, stops_at: datetime | None, now: datetime) -> None:
        if self._is_reading or time.monotonic() < self._retry_s:
            return
        limit, age = self._longest_age(stops_at, now), session.cache_age
        if age is not None and age <= limit:
            return
        self._is_reading = True
        _start_thread(partial(self._read, session, limit))

    def _longest_age(self, stops_at: datetime | None, now: datetime) -> timedelta:
        """Return how old the last reading may be: little before a mark, and near the stop."""
        if stops_at is None:
            return READ_INTERVAL
        marks = [each.before for each in self._flags] + [each[0] for each in self._calls.values()]
        if any(is_near(before, stops_at, now) for before in marks):
            return FRESH
        return READ_INTERVAL_NEAR_STOP if stops_at - now <= PROBLEM_THRESHOLD else READ_INTERVAL

    def _read(self, session: Session, max_age: timedelta) -> None:
        try:
            session.status(max_age=max_age)
        except ModelArtsError:
            self._retry_s = time.monotonic() + READ_RETRY_S / self._scale
        finally:
            self._is_reading = False

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = _start_thread(self._run)

    def _run(self) -> None:
        while self._flags or self._calls:
            # The settings may be invalid for a moment; a call may raise anything.
            with contextlib.suppress(Exception):
                self.look()
            time.sleep(LOOK_INTERVAL_S / self._scale)


class Callbacks:
    """The functions of a session that run at marks.

    Args:
        session: The session.
        remaining: Follows the time left.
    """

    def __init__(self, session: Session, remaining: RemainingTime) -> None:
        self._session = session
        self._remaining = remaining

    def add(self, before: timedelta, function: Callable[[], object]) -> None:
        """Run a function at a mark, in a thread of its own; its errors are shown and kept in the history."""
        name = getattr(function, "__qualname__", repr(function))
        mark = Mark(CALLBACK, before, name)
        # A cell that is run again defines the function again, which replaces the old one.
        key = (getattr(function, "__module__", ""), name, before)
        self._remaining.call_at(before, key, partial(self._fire, mark, function))

    def _fire(
        self, mark: Mark, function: Callable[[], object], stops_at: datetime, now: datetime
    ) -> None:
        _start_thread(partial(self._run, mark, function, stops_at - now))

    def _run(self, mark: Mark, function: Callable[[], object], left: timedelta) -> None:
        try:
            function()
        # The function may raise anything, also SystemExit, and the work goes on.
        except BaseException as error:  # noqa: BLE001 - see above
            traceback.print_exc()
            result = Result(mark, FAILED, left, output=f"{type(error).__name__}: {error}")
        else:
            result = Result(mark, RAN, left)
        record_of_session(self._session, result, actor="python")
        print(result.message(), file=sys.stderr, flush=True)  # noqa: T201 - the work's own output


def remaining_time(session: Session) -> RemainingTime:
    """Return what follows the time left for a session; the instance is read if nothing is known of it.

    Raises:
        ModelArtsError: The instance cannot be read.
    """
    session.status(max_age=READ_INTERVAL_NEAR_STOP)
    if session.remaining is None:
        session.remaining = RemainingTime(lambda: session, scale=session.time_scale)
    remaining: RemainingTime = session.remaining
    return remaining


def stopping_soon(session: Session, before: timedelta | str) -> StoppingSoon:
    """Do what `Session.stopping_soon` describes."""
    return remaining_time(session).flag(_duration(before))


def on_remaining(session: Session, before: timedelta | str) -> Callable[[Any], Any]:
    """Do what `Session.on_remaining` describes."""
    duration, callbacks = _duration(before), Callbacks(session, remaining_time(session))

    def add(function: Callable[[], object]) -> Callable[[], object]:
        callbacks.add(duration, function)
        return function

    return add


def _duration(before: timedelta | str) -> timedelta:
    return parse_duration(before) if isinstance(before, str) else before


def _start_thread(run: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=run, name="modelarts-remaining", daemon=True)
    with signals_blocked():
        thread.start()
    return thread
