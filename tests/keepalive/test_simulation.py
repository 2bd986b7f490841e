"""Thousands of simulated runs with faults: covered work is not stopped, and no bound is exceeded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from factories import HOUR, MINUTE, NOW
from hypothesis import given, settings
from hypothesis import strategies as st
from keep_simulation import DELAY, Interference, Scenario, Simulation, Trouble, Work

if TYPE_CHECKING:
    from datetime import timedelta

APIS = ("notebooks", "demanager")
KINDS = ("down", "throttled", "forbidden", "lost", "ignored", "late", "slow", "stale", "failing")


def minutes(first: int, last: int) -> st.SearchStrategy[timedelta]:
    """Return a strategy for a number of minutes."""
    return st.integers(first, last).map(lambda number: number * MINUTE)


WORKS = st.lists(
    st.builds(Work, start=minutes(0, 90), length=minutes(1, 400), up_to=minutes(60, 480)),
    min_size=1,
    max_size=3,
).map(tuple)
TROUBLES = st.lists(
    st.builds(Trouble, start=minutes(2, 400), length=minutes(1, 70), kind=st.sampled_from(KINDS)),
    max_size=4,
).map(tuple)
INTERFERENCES = st.lists(
    st.builds(Interference, at=minutes(5, 400), kind=st.sampled_from(("earlier", "later", "off"))),
    max_size=1,
).map(tuple)


def scenarios(api: str) -> st.SearchStrategy[Scenario]:
    """Return a strategy for scenarios of an API."""
    return st.builds(
        Scenario,
        api=st.just(api),
        left=minutes(10, 180),
        works=WORKS,
        troubles=TROUBLES,
        interferences=INTERFERENCES,
    )


def simulate(scenario: Scenario, *, until: timedelta = 9 * HOUR) -> Simulation:
    """Run a scenario to its end."""
    simulation = Simulation(scenario)
    simulation.run(until=until)
    return simulation


@pytest.mark.parametrize("api", APIS)
@settings(max_examples=settings().max_examples // 3)
@given(data=st.data())
def test_covered_work_is_not_stopped(api: str, data: st.DataObject) -> None:
    """No run stops during accepted work while renewals are possible, or is renewed beyond its bound."""
    for scenario in data.draw(st.lists(scenarios(api), min_size=3, max_size=3)):
        simulation = simulate(scenario)
        assert simulation.violations == []
        assert simulation.rate_violations() == []
        assert all(simulation.reasons)
        last_end = max(NOW + work.start + work.up_to for work in scenario.works)
        limits = [guard.until for guard in simulation.accepted.values()]
        for _, stops_at, delay in simulation.api.renewals:
            # Where the API counts from now, no duration fits a delay to come.
            assert stops_at <= max([*limits, last_end]) + MINUTE / 2 + delay


def test_late_write_exceeds_the_bound_by_its_delay_only() -> None:
    """The duration of the last renewal fits the bound, although the API counts it from a later moment."""
    work = Work(start=MINUTE, length=250 * MINUTE, up_to=302 * MINUTE)
    late = Trouble(start=187 * MINUTE, length=44 * MINUTE, kind="late")
    forbidden = Trouble(start=150 * MINUTE, length=62 * MINUTE, kind="forbidden")
    simulation = simulate(Scenario("notebooks", 170 * MINUTE, (work,), (late, forbidden)))
    bound = NOW + work.start + work.up_to
    stops_at = simulation.api.stops_at
    assert simulation.violations == []
    assert stops_at is not None
    assert bound < stops_at <= bound + DELAY
    assert all(stop <= bound + delay for _, stop, delay in simulation.api.renewals)
