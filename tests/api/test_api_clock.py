"""The time of the API while the clock of this machine is changed."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from modelarts_magics.api.api_clock import CONFIRMATION_INTERVAL_S, ApiClock
from modelarts_magics.domain.clock import Clock

TRUE_START = datetime(2026, 11, 23, 8, 0, 0, 500_000, tzinfo=timezone.utc)
TOLERANCE = timedelta(seconds=2)


class Machine:
    """A machine whose wall clock can be changed, and an API whose clock is right."""

    def __init__(self, wall_error: timedelta = timedelta(0)) -> None:
        self.elapsed = timedelta(0)
        self.wall_error = wall_error
        self.clock = Clock(now=self._wall, monotonic=lambda: 500 + self.elapsed.total_seconds())
        self.api_clock = ApiClock(self.clock)

    @property
    def true_now(self) -> datetime:
        """The right time."""
        return TRUE_START + self.elapsed

    def _wall(self) -> datetime:
        return self.true_now + self.wall_error

    def respond(self, error: timedelta = timedelta(0)) -> bool:
        """Receive a response, whose date may be wrong."""
        return self.api_clock.observe((self.true_now + error).replace(microsecond=0))

    def error(self) -> timedelta:
        """Return how far the time of the API clock is from the right one."""
        return abs(self.api_clock.now() - self.true_now)


@pytest.mark.parametrize("step", [timedelta(minutes=5), timedelta(hours=2), timedelta(days=400)])
@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("error", [timedelta(0), timedelta(minutes=7), timedelta(hours=-23)])
def test_step_of_the_wall_clock_changes_nothing(
    step: timedelta, direction: int, error: timedelta
) -> None:
    """Neither before nor after the next response, whether the wall clock was right before or not."""
    machine = Machine(error)
    machine.respond()
    machine.respond()
    assert machine.error() <= TOLERANCE
    machine.wall_error += direction * step
    for _ in range(3):
        machine.elapsed += timedelta(minutes=5)
        assert machine.error() <= TOLERANCE
        assert abs(machine.api_clock.skew + machine.wall_error) <= TOLERANCE
        assert not machine.respond()


def test_time_is_that_of_the_machine_before_a_response() -> None:
    """Also after a step."""
    machine = Machine(timedelta(minutes=3))
    assert machine.api_clock.now() == machine.clock.now()
    machine.wall_error = timedelta(hours=1)
    assert machine.api_clock.now() == machine.clock.now()
    assert machine.api_clock.skew == timedelta(0)


@pytest.mark.parametrize("error", [timedelta(minutes=10), timedelta(hours=-23)])
def test_one_wrong_date_is_ignored(error: timedelta) -> None:
    """The response after it confirms the right time; an equally wrong one later does not count with it."""
    machine = Machine()
    machine.respond()
    machine.respond(error)
    assert machine.error() <= TOLERANCE
    machine.respond()
    machine.elapsed += timedelta(minutes=5)
    machine.respond(error)
    assert machine.error() <= TOLERANCE


@pytest.mark.parametrize("days", [1.01, -1.01, 30, -20_000])
def test_date_more_than_a_day_away_is_ignored(days: float) -> None:
    """However often it comes."""
    machine = Machine()
    for _ in range(4):
        assert not machine.respond(timedelta(days=days))
    assert machine.error() == timedelta(0)


def test_sleep_that_stops_the_monotonic_clock_is_corrected() -> None:
    """The wall clock agrees with the response, so one is enough."""
    machine = Machine()
    machine.respond()
    asleep = timedelta(hours=3)
    wall, true = machine.clock.now() + asleep, machine.true_now + asleep
    clock = Clock(now=lambda: wall, monotonic=machine.clock.monotonic)
    machine.api_clock._clock = clock
    assert not machine.api_clock.observe(true.replace(microsecond=0))
    assert abs(machine.api_clock.now() - true) <= TOLERANCE


def test_confirmations_are_rare() -> None:
    """One a minute at most."""
    machine = Machine()
    assert machine.respond(timedelta(minutes=10))
    assert not machine.respond(timedelta(minutes=20))
    machine.elapsed += timedelta(seconds=CONFIRMATION_INTERVAL_S)
    assert machine.respond(timedelta(minutes=30))
