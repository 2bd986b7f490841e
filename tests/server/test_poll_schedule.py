"""When the cloud is asked again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from factories import HOUR, MINUTE, NOW, idle, instance, off, stop_in

from modelarts_magics.domain.models import Instance, Status
from modelarts_magics.server.poll_schedule import JITTER, LONGEST, Rhythm


@pytest.mark.parametrize(
    ("seen", "minutes"),
    [
        (None, 5),
        (instance(stop_in(HOUR)), 5),
        (instance(stop_in(13 * MINUTE)), 3),
        (instance(stop_in(11 * MINUTE)), 1),
        (instance(stop_in(-MINUTE)), 1),
        (instance(stop_in(None)), 5),
        (instance(off()), 5),
        (instance(idle()), 5),
        (instance(status=Status.STARTING), 1),
        (instance(status=Status.STOPPING), 1),
        (instance(status=Status.STOPPED), 5),
    ],
)
def test_the_pause_follows_the_run(seen: Instance | None, minutes: int) -> None:
    """It is short near the end, and while something is under way; never longer than to the last minutes."""
    assert Rhythm().pause(seen, now=NOW) == minutes * MINUTE


@pytest.mark.parametrize(
    ("failures", "times"),
    [(0, 1), (1, 2), (2, 4), (3, LONGEST), (LONGEST, LONGEST), (999, LONGEST)],
)
def test_it_grows_while_the_cloud_fails(failures: int, times: int) -> None:
    """Up to half an hour."""
    assert Rhythm().pause(None, now=NOW, failures=failures) == times * 5 * MINUTE


@pytest.mark.parametrize("jitter", [-1.0, 0.5, 1.0])
def test_chance_makes_it_longer_or_shorter(jitter: float) -> None:
    """So that many servers do not ask at once."""
    assert Rhythm().pause(None, now=NOW, jitter=jitter) == 5 * MINUTE * (1 + JITTER * jitter)


def test_another_rhythm_is_faster_near_the_end_too() -> None:
    """A fifth of what is usual."""
    rhythm = Rhythm.every(60)
    assert rhythm.pause(instance(stop_in(HOUR)), now=NOW) == MINUTE
    assert rhythm.pause(instance(stop_in(MINUTE)), now=NOW) == timedelta(seconds=12)
