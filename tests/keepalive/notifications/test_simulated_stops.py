"""Simulated stops with faults of sinks, extensions and killed daemons: every mark is delivered in time, once."""

from __future__ import annotations

import random
from collections import Counter, deque
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from factories import HOUR, MINUTE
from notification_world import OK, FakeAttempt, NotificationWorld

from modelarts_magics.keepalive.notifications.send import NOT_SENT, UNKNOWN
from modelarts_magics.keepalive.notifications.sender import Result

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

SECOND = timedelta(seconds=1)
ALLOWED_DELAY = timedelta(seconds=60)
SHARE_IN_TIME = 0.999
STEADY, FLAKY = "1", "2"
MARKS = (30, 10, 1)


class SimulatedStops:
    """One run after another, each with a stop time that is sometimes moved just before a mark."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - faults, not secrets
        self.world = NotificationWorld(folder, {"MODELARTS_NOTIFY_LIMIT": "1000"})
        self.world.add_sink("https://steady.example.com/")
        self.world.add_sink("https://flaky.example.com/")
        self.expected: list[datetime] = []

    def run_one(self) -> None:
        """Let one run come to its stop, or be extended just before a mark."""
        world = self.world
        world.now += 24 * HOUR
        world.run(31 * MINUTE, started_at=world.now - HOUR)
        stops_at = world.now + 31 * MINUTE
        extended_at = self.random.choice((None, None, None, *MARKS))
        for mark in MARKS:
            due_at = stops_at - mark * MINUTE
            self.step_to(due_at - SECOND)
            if mark == extended_at:
                world.run(5 * HOUR)
                self.step_to(due_at + 30 * SECOND)
                return
            self.expected.append(due_at)
            for _ in range(8):
                self.add_fault()
                world.advance(SECOND * self.random.randint(1, 4), reads=self.random.random() < 0.9)
                self.restart_at_times()
        self.step_to(stops_at + 10 * MINUTE)

    def step_to(self, moment: datetime) -> None:
        """Let the time pass until a moment, with one pass then."""
        if moment > self.world.now:
            self.world.advance(moment - self.world.now)

    def add_fault(self) -> None:
        """Let the next attempt to the second sink fail in some way, now and then."""
        kinds = (OK, OK, Result(NOT_SENT), Result(UNKNOWN), None)
        result = self.random.choice(kinds)
        attempt = FakeAttempt(result, polls=self.random.randint(0, 2))
        self.world.attempts[FLAKY] = deque([attempt])

    def restart_at_times(self) -> None:
        """Kill the daemon, and start another one."""
        if self.random.random() < 0.05:
            self.world.start_daemon()


@pytest.mark.parametrize("count", [60, pytest.param(1000, marks=pytest.mark.soak)])
def test_marks_are_delivered_in_time_and_once(tmp_path: Path, count: int) -> None:
    """Whatever the other sink does; a second copy is sent after an unknown outcome only, and says so."""
    simulation = SimulatedStops(tmp_path, seed=count)
    for _ in range(count):
        simulation.run_one()
    sent = [(at, payload) for at, to, payload in simulation.world.sent if to == STEADY]
    first = [at for at, payload in sent if not payload["repeated"]]
    late = [
        due_at
        for due_at in simulation.expected
        if not any(timedelta(0) <= at - due_at <= ALLOWED_DELAY for at in first)
    ]
    assert len(late) <= (1 - SHARE_IN_TIME) * len(simulation.expected)
    assert len(first) == len(simulation.expected)
    for sink in (STEADY, FLAKY):
        copies = Counter(
            payload["id"]
            for _, to, payload in simulation.world.sent
            if to == sink and not payload["repeated"]
        )
        known = [payload for _, to, payload in simulation.world.sent if to == sink]
        assert {payload["id"] for payload in known} == set(copies)
    assert (
        max(Counter(payload["id"] for _, payload in sent if not payload["repeated"]).values()) == 1
    )
