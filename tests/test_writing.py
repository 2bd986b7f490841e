"""A stop, and a write that the cloud asked to try later: what is settled by reading back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

import pytest

from modelarts_magics.config import Settings
from modelarts_magics.connection import open_session
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.errors import PartialError, UnsettledError
from modelarts_magics.models import Effect
from modelarts_magics.planning import Wish

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Pastime

    from modelarts_magics.session import Session

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("fault", ["applied-500", "reset-after"])
def test_a_stop_whose_answer_was_lost_is_settled_by_reading_back(
    emulator: LocalEmulator, connected: Callable[..., Session], fault: str
) -> None:
    """It happened, so it is told as such."""
    emulator.fault(fault, times=1, methods=("POST",))
    change = connected().stop()
    assert change.effect is Effect.NOW
    assert change.after is not None
    assert change.after.status.stopping


def test_a_stop_that_failed_says_what_holds(
    emulator: LocalEmulator, connected: Callable[..., Session]
) -> None:
    """The instance still runs, and the error says so."""
    emulator.fault("500", methods=("POST",))
    with pytest.raises(UnsettledError, match="the instance is RUNNING") as caught:
        connected().stop()
    assert caught.value.code == "unsettled.not_stopped"


def test_the_second_try_waits_as_long_as_the_cloud_asked_for(
    emulator: LocalEmulator, connected: Callable[..., Session], pastime: Pastime
) -> None:
    """Retry-After counts for a write that may have been applied, too."""
    emulator.fault("503", arg="3", times=1, methods=("PUT",))
    assert connected().describe("later").effect is Effect.NOW
    assert 3 in pastime.slept


def test_what_holds_after_half_a_write_is_remembered(
    emulator: LocalEmulator, connected: Callable[..., Session]
) -> None:
    """Where description and lease are two requests, the saved one is known to all processes."""
    session = connected()
    if session.capabilities.kept:  # one request carries both: there is no half
        emulator.fault("403", methods=("PUT",))
    else:
        emulator.fault("403", methods=("PATCH",))
    wish = Wish(within=2 * HOUR)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is the point below
        session.update(description="half", auto_stop=wish)
    known: Any = session.last_known()
    assert (known.description == "half") is isinstance(caught.value, PartialError)


@pytest.fixture
def late(tmp_path: Path) -> Iterator[Session]:
    """A session with the later edition, whose 4 h run has 2 h left, and which is known to wait."""
    with LocalEmulator(edition="2021", minutes_left=120) as emulator:
        emulator.set_instance(auto_stop={"duration": 14400}, minutes_left=120)
        variables = {**emulator.environment(), "MODELARTS_STATE_DIR": str(tmp_path)}
        session = open_session(Settings.gather(environ=variables), environ=variables)
        assert session.set_auto_stop(Wish(duration=5 * HOUR)).effect is Effect.NEXT_START
        yield session
        session.close()


def test_a_cloud_that_waits_takes_what_this_run_could_not_follow(late: Session) -> None:
    """A run time shorter than this run is already can be saved for the next start."""
    change = late.set_auto_stop(Wish(duration=HOUR))
    assert change.effect is Effect.NEXT_START
    assert change.after is not None
    assert change.after.auto_stop.duration == HOUR


def test_on_a_cloud_that_waits_an_extension_adds_to_what_is_saved(late: Session) -> None:
    """Two extensions add up, though this run follows neither."""
    late.extend(HOUR)
    change = late.extend(HOUR / 2)
    assert change.effect is Effect.NEXT_START
    assert change.after is not None
    assert change.after.auto_stop.duration == 6 * HOUR + HOUR / 2
