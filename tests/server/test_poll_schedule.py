"""When the cloud is asked again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from factories import (
    HOUR,
    MINUTE,
    NOW,
    disabled_auto_stop,
    idle_auto_stop,
    make_instance,
    timed_auto_stop,
)

from modelarts_magics.domain.models import Instance, Status
from modelarts_magics.server.poll_schedule import JITTER_FRACTION, MAX_BACKOFF_FACTOR, PollSchedule


@pytest.mark.parametrize(
    ("seen", "minutes"),
    [
        (None, 5),
        (make_instance(timed_auto_stop(HOUR)), 5),
        (make_instance(timed_auto_stop(13 * MINUTE)), 3),
        (make_instance(timed_auto_stop(11 * MINUTE)), 1),
        (make_instance(timed_auto_stop(-MINUTE)), 1),
        (make_instance(timed_auto_stop(None)), 5),
        (make_instance(disabled_auto_stop()), 5),
        (make_instance(idle_auto_stop()), 5),
        (make_instance(status=Status.STARTING), 1),
        (make_instance(status=Status.STOPPING), 1),
        (make_instance(status=Status.STOPPED), 5),
    ],
)
def test_the_pause_follows_the_run(seen: Instance | None, minutes: int) -> None:
    """It is short near the end, and while something is under way; never longer than to the last minutes."""
    assert PollSchedule().next_delay(seen, now=NOW) == minutes * MINUTE


@pytest.mark.parametrize(
    ("failures", "times"),
    [
        (0, 1),
        (1, 2),
        (2, 4),
        (3, MAX_BACKOFF_FACTOR),
        (MAX_BACKOFF_FACTOR, MAX_BACKOFF_FACTOR),
        (999, MAX_BACKOFF_FACTOR),
    ],
)
def test_it_grows_while_the_cloud_fails(failures: int, times: int) -> None:
    """Up to half an hour."""
    assert PollSchedule().next_delay(None, now=NOW, failures=failures) == times * 5 * MINUTE


@pytest.mark.parametrize("jitter", [-1.0, 0.5, 1.0])
def test_chance_makes_it_longer_or_shorter(jitter: float) -> None:
    """So that many servers do not ask at once."""
    assert PollSchedule().next_delay(None, now=NOW, jitter=jitter) == 5 * MINUTE * (
        1 + JITTER_FRACTION * jitter
    )


def test_another_rhythm_is_faster_near_the_end_too() -> None:
    """A fifth of what is usual."""
    rhythm = PollSchedule.from_interval(60)
    assert rhythm.next_delay(make_instance(timed_auto_stop(HOUR)), now=NOW) == MINUTE
    assert rhythm.next_delay(make_instance(timed_auto_stop(MINUTE)), now=NOW) == timedelta(
        seconds=12
    )
