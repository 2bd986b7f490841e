"""Marks fire once per stop time: single cases, and a thousand simulated stops."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from factories import HOUR, MINUTE, NOW, make_instance, timed_auto_stop

from modelarts_magics.domain.models import Instance, Status
from modelarts_magics.keepalive.components import ComponentContext, RunView
from modelarts_magics.keepalive.marks import component
from modelarts_magics.keepalive.marks.component import Marks
from modelarts_magics.keepalive.marks.mark import (
    CELL,
    COMMAND,
    PROCESSES,
    Mark,
    own_process,
    read_marks,
    save_mark,
)
from modelarts_magics.keepalive.marks.result import RAN
from modelarts_magics.keepalive.stopping import PendingStop
from modelarts_magics.session.history import read_entries

SECOND = timedelta(seconds=1)
MEMORY = "/dev/shm"  # noqa: S108 - a folder of its own is made there
DELIVERY_TIME = 5 * SECOND


class Killed(BaseException):
    """The daemon was killed at this moment."""


@dataclass
class World:
    """A daemon's folder, the instance as it is known, and what was delivered.

    Attributes:
        folder: The folder of the daemon.
        stops_at: The stop time.
        observed_at: When the instance was read; None for now.
        outcome: What came of each delivery.
        delivered: When each mark was delivered, with the stop time.
        limits: The time limit of each.
        kill_at: ``before`` or ``after`` if the daemon is killed at the next delivery.
    """

    folder: Path
    stops_at: datetime | None = NOW + HOUR
    status: Status = Status.RUNNING
    observed_at: datetime | None = None
    outcome: component.ActOutcome = (RAN, None, "")
    command: Mark | None = None
    now: datetime = NOW
    kill_at: str = ""
    delivered: list[tuple[Mark, datetime, datetime | None]] = field(default_factory=list)
    limits: list[timedelta] = field(default_factory=list)
    events: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.marks = self.restart()

    def restart(self) -> Marks:
        """Start the component, as in a new daemon."""
        context = ComponentContext(
            self.folder,
            {},
            history=self.folder / "history",
            get_instance=self.instance,
            report=lambda message, ids: self.events.append((message.code, tuple(ids))),
        )
        self.marks = Marks(
            context,
            load_command=lambda: self.command,
            start_thread=lambda call: call(),
            act=self.deliver,
        )
        return self.marks

    def instance(self) -> Instance:
        """Return the instance as it was read."""
        auto_stop = replace(timed_auto_stop(HOUR), stops_at=self.stops_at)
        observed_at = self.observed_at or self.now
        return make_instance(auto_stop, status=self.status, observed_at=observed_at)

    def deliver(self, mark: Mark, limit: timedelta) -> component.ActOutcome:
        """Record a delivery, unless the daemon is killed before it."""
        kill_at, self.kill_at = self.kill_at, ""
        if kill_at == "before":
            raise Killed
        self.delivered.append((mark, self.now, self.stops_at))
        self.limits.append(limit)
        if kill_at == "after":
            raise Killed
        return self.outcome

    def add(self, before: timedelta, *, kind: str = PROCESSES, **fields: Any) -> Mark:  # noqa: ANN401
        """Set a mark of this process."""
        mark = Mark(
            kind, before, "train", **{"signal": "TERM", "guard": "guard", **own_process(), **fields}
        )
        save_mark(self.folder, mark)
        return mark

    def advance(self, *, to_left: timedelta, step: timedelta = 20 * SECOND) -> None:
        """Make a pass at each step until a time is left."""
        assert self.stops_at is not None
        while self.stops_at - self.now > to_left:
            self.now = min(self.now + step, self.stops_at - to_left)
            self.make_pass()

    def advance_near(self, before: timedelta, after: timedelta) -> None:
        """Make passes each second around a mark, and none until then."""
        assert self.stops_at is not None
        due = self.stops_at - before
        self.now = max(self.now, due - 2 * SECOND)
        while self.now < due + after:
            self.now += SECOND
            self.make_pass()

    def make_pass(self) -> None:
        """Make a pass of the daemon, which is restarted if it was killed."""
        try:
            self.marks.update((), self.now)
        except Killed:
            self.restart()

    def entries(self) -> list[dict[str, Any]]:
        """Return what came of the marks, oldest first, from the history."""
        return [each["mark"] for each in read_entries(self.folder / "history")][::-1]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world an hour before the stop."""
    return World(tmp_path)


def test_mark_fires_once_and_is_reported(world: World) -> None:
    """It fires within the pass after its mark, is in the history, and its guard's users are shown it."""
    mark = world.add(10 * MINUTE)
    world.advance(to_left=10 * MINUTE + SECOND)
    assert world.delivered == []
    world.advance(to_left=10 * MINUTE)
    world.advance(to_left=9 * MINUTE)
    world.restart()
    world.advance(to_left=8 * MINUTE)
    assert [each[:2] for each in world.delivered] == [(mark, NOW + 50 * MINUTE)]
    assert world.events == [("mark.processes.ran", ("guard",))]
    (entry,) = world.entries()
    assert (entry["outcome"], entry["late"], entry["repeated"]) == (RAN, False, False)


def test_two_marks_at_once_both_fire(world: World) -> None:
    """Each mark has a claim of its own, also at the same moment, and a command of the settings too."""
    world.command = Mark(COMMAND, 10 * MINUTE, "sync", command="sync")
    world.add(10 * MINUTE)
    second = Mark(PROCESSES, 10 * MINUTE, "train", "USR1", guard="guard", **own_process())
    save_mark(world.folder, second)
    world.advance(to_left=9 * MINUTE, step=5 * SECOND)
    fired = {(mark.kind, mark.signal) for mark, *_ in world.delivered}
    assert fired == {(PROCESSES, "TERM"), (PROCESSES, "USR1"), (COMMAND, "")}
    assert len(world.delivered) == len(fired)


def test_extension_just_before_a_mark_postpones_it(world: World) -> None:
    """A stop time that was moved by any process a second before the mark counts, and the mark fires again then."""
    world.add(10 * MINUTE)
    world.advance(to_left=10 * MINUTE + SECOND)
    world.stops_at = NOW + 2 * HOUR
    world.advance(to_left=10 * MINUTE + SECOND, step=MINUTE)
    assert world.delivered == []
    world.advance(to_left=9 * MINUTE)
    assert len(world.delivered) == 1


def test_mark_fires_again_after_an_extension(world: World) -> None:
    """Another stop time is another occasion."""
    world.add(10 * MINUTE)
    world.advance(to_left=9 * MINUTE, step=10 * SECOND)
    world.stops_at = NOW + 2 * HOUR
    world.advance(to_left=9 * MINUTE, step=10 * SECOND)
    assert [stops_at for *_, stops_at in world.delivered] == [NOW + HOUR, NOW + 2 * HOUR]
    assert not any(entry["repeated"] for entry in world.entries())


def test_mark_set_too_late_fires_at_once_and_says_so(world: World) -> None:
    """The result tells that the mark had passed."""
    world.advance(to_left=8 * MINUTE, step=MINUTE)
    world.add(10 * MINUTE)
    world.make_pass()
    assert world.events == [("mark.late", ("guard",))]
    assert world.entries()[0]["left_s"] == (8 * MINUTE).total_seconds()


@pytest.mark.parametrize("kill_at", ["before", "after"])
def test_killed_daemon_repeats_after_an_unknown_outcome(world: World, kill_at: str) -> None:
    """An act in which a daemon was killed is done by the next one, and marked."""
    world.add(10 * MINUTE)
    world.kill_at = kill_at
    world.advance(to_left=9 * MINUTE)
    assert len(world.delivered) == 1 + (kill_at == "after")
    (entry,) = world.entries()
    assert entry["repeated"]
    assert world.events == [("mark.repeated", ("guard",))]


def test_kernel_that_does_not_confirm_is_recorded_once(world: World) -> None:
    """The daemon does not call the handler, and records after a while that no kernel has confirmed it."""
    mark = world.add(10 * MINUTE, kind=CELL)
    world.outcome = ("not-confirmed", None, "")
    world.advance(to_left=10 * MINUTE - component.CONFIRMATION_TIME + SECOND)
    assert world.entries() == []
    world.advance(to_left=9 * MINUTE)
    (entry,) = world.entries()
    assert (entry["kind"], entry["outcome"]) == (CELL, "not-confirmed")
    assert mark.kind == CELL


def test_kernel_has_time_to_confirm_a_mark_that_was_set_too_late(world: World) -> None:
    """The time for the confirmation begins when the mark is set, or the stop time moved, not at the mark."""
    world.outcome = ("not-confirmed", None, "")
    world.now = NOW + 55 * MINUTE
    world.add(10 * MINUTE, kind=CELL)
    world.make_pass()
    world.now += component.CONFIRMATION_TIME - SECOND
    world.make_pass()
    assert world.entries() == []
    world.now += SECOND
    world.make_pass()
    assert len(world.entries()) == 1
    world.stops_at = NOW + 58 * MINUTE
    world.make_pass()
    assert len(world.entries()) == 1
    world.now += component.CONFIRMATION_TIME
    world.make_pass()
    assert len(world.entries()) == 2


@pytest.mark.parametrize(
    ("idle_time", "left", "limit"),
    [(None, MINUTE, 55 * SECOND), (HOUR, 10 * MINUTE, 9 * MINUTE)],
    ids=["after work", "when idle"],
)
def test_command_runs_before_a_stop_of_the_daemon(
    world: World, idle_time: timedelta | None, left: timedelta, limit: timedelta
) -> None:
    """It begins with the announcement of the stop, once, ends before the stop, and is not called late."""
    world.command = Mark(COMMAND, 15 * MINUTE, "sync", command="sync")
    world.add(15 * MINUTE, kind=CELL)
    pending = PendingStop("train", NOW, NOW, idle_time=idle_time)
    for busy in (("download",), ()):
        world.marks.observe(RunView(pending_stop=replace(pending, waiting_for=busy)))
        for _ in range(3):
            world.make_pass()
        assert len(world.delivered) == (0 if busy else 1)
    assert world.limits == [limit]
    (entry,) = world.entries()
    assert (entry["kind"], entry["left_s"], entry["late"]) == (COMMAND, left.total_seconds(), False)


def test_commands_and_their_signals_fire_before_a_stop_by_the_user(world: World) -> None:
    """They have a minute, once, and are not called late; cells are left alone, and auto-stop comes as before."""
    world.command = Mark(COMMAND, 10 * SECOND, "sync", command="sync")
    world.add(15 * MINUTE)
    world.add(15 * MINUTE, kind=CELL)
    world.marks.observe(RunView(announced_stop=NOW - SECOND))
    for _ in range(3):
        world.make_pass()
    assert sorted(mark.kind for mark, *_ in world.delivered) == [COMMAND, PROCESSES]
    assert world.limits[-1] == 54 * SECOND
    assert not any(entry["late"] for entry in world.entries())
    world.advance(to_left=9 * MINUTE)
    assert [mark.kind for mark, *_ in world.delivered[2:]] == [PROCESSES, CELL]


def test_stop_of_the_daemon_that_fails_leaves_the_marks_before_auto_stop(world: World) -> None:
    """After the time of a stop that did not succeed, the command runs before auto-stop."""
    world.command = Mark(COMMAND, 10 * MINUTE, "sync", command="sync")
    world.marks.observe(RunView(pending_stop=PendingStop("train", NOW, NOW)))
    world.advance(to_left=9 * MINUTE)
    assert [at for _, at, _ in world.delivered] == [NOW + 20 * SECOND, NOW + 50 * MINUTE]


@pytest.mark.parametrize("status", [Status.STOPPED, Status.STOPPING])
def test_nothing_fires_for_an_instance_that_does_not_run(world: World, status: Status) -> None:
    """A stop time of an instance that is not running means nothing."""
    world.add(10 * MINUTE)
    world.status = status
    world.now = NOW + 55 * MINUTE
    world.make_pass()
    world.status, world.stops_at = Status.RUNNING, None
    world.make_pass()
    assert world.delivered == []


def test_mark_of_a_process_that_has_ended_is_deleted(world: World) -> None:
    """Its file is removed, and nothing is signalled."""
    world.add(10 * MINUTE, started=1)
    world.advance(to_left=9 * MINUTE, step=MINUTE)
    assert read_marks(world.folder) == []
    assert world.delivered == []


def test_reading_is_wanted_just_before_a_mark(world: World) -> None:
    """The stop time may have been moved in the console, so that an old reading is not good enough."""
    world.add(10 * MINUTE)
    world.make_pass()
    world.observed_at = NOW
    assert not world.marks.wants_reading(NOW + 49 * MINUTE)
    assert world.marks.wants_reading(NOW + 50 * MINUTE - 5 * SECOND)
    world.observed_at = NOW + 50 * MINUTE - 8 * SECOND
    assert not world.marks.wants_reading(NOW + 50 * MINUTE - 5 * SECOND)


def test_signal_is_sent_and_shown_after_the_limit_of_its_guard(world: World) -> None:
    """The daemon is needed as long as the command runs: the guard ends at its limit, and the stop comes later."""
    world.add(10 * MINUTE, guard="ended")
    world.make_pass()
    assert world.marks.needs_daemon()
    world.advance(to_left=9 * MINUTE)
    assert len(world.delivered) == 1
    assert world.events == [("mark.processes.ran", ("ended",))]


def test_daemon_is_needed_by_a_command_of_the_settings(world: World) -> None:
    """Without it and without marks, nothing is to be done before the stop."""
    world.make_pass()
    assert not world.marks.needs_daemon()
    world.command = Mark(COMMAND, 10 * MINUTE, "sync", command="sync")
    world.now += MINUTE
    world.make_pass()
    assert world.marks.needs_daemon()


def test_a_thousand_stops() -> None:
    """At least 99.9 % of the marks fire in time, none is lost, and only unknown outcomes are repeated."""
    numbers = random.Random(15)  # noqa: S311 - no secret
    in_time, expected = 0, 0
    # In memory where that is possible: a disk takes milliseconds for each claim.
    with TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as folder:
        for number in range(1000):
            in_time_here, expected_here = simulate_stop(Path(folder, str(number)), numbers)
            in_time, expected = in_time + in_time_here, expected + expected_here
    assert expected > 1200
    assert in_time / expected >= 0.999


def simulate_stop(folder: Path, numbers: random.Random) -> tuple[int, int]:
    """Simulate a run with marks, extensions and a daemon that is killed; return the marks in time and all."""
    world = World(folder)
    befores = [numbers.randint(1, 50) * MINUTE for _ in range(numbers.choice([1, 1, 2]))]
    for index, before in enumerate(befores):
        world.add(before, command=str(index))
    if numbers.random() < 0.3:
        # Little before a mark, or little after it.
        world.advance_near(numbers.choice(befores), numbers.randint(-3, 3) * SECOND)
        assert world.stops_at is not None
        world.stops_at += numbers.randint(60, 90) * MINUTE
    killed = numbers.choice(["", "", "before", "after"])
    world.kill_at = killed
    first_stop_time = NOW + HOUR
    for before in sorted(set(befores), reverse=True):
        world.advance_near(before, SECOND)
    stop_times = {first_stop_time, world.stops_at}
    assert {stops_at for *_, stops_at in world.delivered} <= stop_times
    return count_in_time(world, befores, killed=killed)


def count_in_time(world: World, befores: list[timedelta], *, killed: str) -> tuple[int, int]:
    """Return how many marks of the last stop time fired in time, and how many there are."""
    assert world.stops_at is not None
    fired: dict[str, list[datetime]] = {}
    for mark, at, stops_at in world.delivered:
        if stops_at == world.stops_at:
            fired.setdefault(mark.id, []).append(at)
    assert len(fired) == len(befores), "lost"
    extra = sum(len(each) - 1 for each in fired.values())
    assert extra <= (killed == "after"), "duplicate"
    repeated = sum(entry["repeated"] for entry in world.entries())
    assert extra <= repeated
    due = {mark.id: world.stops_at - mark.before for mark in read_marks(world.folder)}
    return sum(fired[each][0] - due[each] <= DELIVERY_TIME for each in fired), len(fired)
