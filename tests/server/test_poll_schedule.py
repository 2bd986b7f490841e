"""Delays between calls of the API."""

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
def test_delay_depends_on_the_time_left(seen: Instance | None, minutes: int) -> None:
    """It is short near the stop time and while the instance starts or stops."""
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
def test_delay_grows_with_failures(failures: int, times: int) -> None:
    """Up to half an hour."""
    assert PollSchedule().next_delay(None, now=NOW, failures=failures) == times * 5 * MINUTE


@pytest.mark.parametrize("jitter", [-1.0, 0.5, 1.0])
def test_jitter_lengthens_the_delay(jitter: float) -> None:
    """Many servers do not call at the same time."""
    assert PollSchedule().next_delay(None, now=NOW, jitter=jitter) == 5 * MINUTE * (
        1 + JITTER_FRACTION * jitter
    )


def test_configured_interval_is_shorter_near_the_stop() -> None:
    """It is a fifth of the usual one."""
    rhythm = PollSchedule.from_interval(60)
    assert rhythm.next_delay(make_instance(timed_auto_stop(HOUR)), now=NOW) == MINUTE
    assert rhythm.next_delay(make_instance(timed_auto_stop(MINUTE)), now=NOW) == timedelta(
        seconds=12
    )
