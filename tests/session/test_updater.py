"""A stop, and a write that the cloud asked to try later: what is settled by reading back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Callable

import pytest
from factories import DEMANAGER_CAPABILITIES, make_instance

from modelarts_magics.config.settings import Settings
from modelarts_magics.domain.clock import SYSTEM_CLOCK, Clock, Deadline
from modelarts_magics.domain.models import Change, Edit, Effect
from modelarts_magics.domain.planning import AutoStopRequest
from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.errors import (
    DeadlineError,
    OutcomeUnknownError,
    PartialUpdateError,
    ServerError,
)
from modelarts_magics.session.connect import open_session
from modelarts_magics.session.updater import READ_BACK_DELAY_S, WRITE_TIMEOUT_SHARE, Updater

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import InstantSleepClock

    from modelarts_magics.domain.models import Instance
    from modelarts_magics.errors import ModelArtsError
    from modelarts_magics.session.session import Session

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("fault", ["applied-500", "reset-after"])
def test_a_stop_whose_answer_was_lost_is_settled_by_reading_back(
    emulator: LocalEmulator, make_session: Callable[..., Session], fault: str
) -> None:
    """It happened, so it is told as such."""
    emulator.add_fault(fault, times=1, methods=("POST",))
    change = make_session().stop()
    assert change.effect is Effect.NOW
    assert change.after is not None
    assert change.after.status.stopping


def test_a_stop_that_failed_says_what_holds(
    emulator: LocalEmulator, make_session: Callable[..., Session]
) -> None:
    """The instance still runs, and the error says so."""
    emulator.add_fault("500", methods=("POST",))
    with pytest.raises(OutcomeUnknownError, match="the instance is RUNNING") as caught:
        make_session().stop()
    assert caught.value.code == "outcome_unknown.not_stopped"


def test_the_second_try_waits_as_long_as_the_cloud_asked_for(
    emulator: LocalEmulator, make_session: Callable[..., Session], instant_clock: InstantSleepClock
) -> None:
    """Retry-After counts for a write that may have been applied, too."""
    emulator.add_fault("503", arg="3", times=1, methods=("PUT",))
    assert make_session().describe("later").effect is Effect.NOW
    assert 3 in instant_clock.sleeps


def test_the_second_try_does_not_wait_longer_than_there_is_time(
    emulator: LocalEmulator, make_session: Callable[..., Session], instant_clock: InstantSleepClock
) -> None:
    """It is made at once, and may do."""
    emulator.add_fault("503", arg="60", times=1, methods=("PUT",))
    assert make_session().describe("at once").effect is Effect.NOW
    assert 60 not in instant_clock.sleeps


def test_what_holds_after_half_a_write_is_remembered(
    emulator: LocalEmulator, make_session: Callable[..., Session]
) -> None:
    """Where description and lease are two requests, the saved one is known to all processes."""
    session = make_session()
    if session.capabilities.persists_duration:  # one request carries both: there is no half
        emulator.add_fault("403", methods=("PUT",))
    else:
        emulator.add_fault("403", methods=("PATCH",))
    wish = AutoStopRequest(time_left=2 * HOUR)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is the point below
        session.update(description="half", auto_stop=wish)
    known: Any = session.last_known()
    assert (known.description == "half") is isinstance(caught.value, PartialUpdateError)


class Cloud:
    """A writer and the backend behind it, in time that only the two spend.

    Args:
        known: What reading back says.
        takes: How long a write takes; None for as long as it may.
        fails: What a write then raises.

    Attributes:
        slept: How long was waited, each time.
        left: How much time there was for each reading.
    """

    capabilities = DEMANAGER_CAPABILITIES

    def __init__(
        self, known: Instance, *, takes: float | None = 0, fails: ModelArtsError | None = None
    ) -> None:
        self.slept: list[float] = []
        self.left: list[float] = []
        self._known, self._takes, self._fails = known, takes, fails
        self._passed = 0.0
        self.clock = Clock(monotonic=lambda: self._passed, sleep=self._sleep)
        memory: Any = SimpleNamespace(put=lambda _: None, record_effect=lambda _: None)
        backend: Any = self
        self._writer = Updater(backend, cache=memory, total_timeout_s=30, clock=self.clock)

    def read(self, *, deadline: Deadline) -> Instance:
        """Say what is known."""
        self.left.append(deadline.time_left_s)
        return self._known

    def write(self, *_: object, deadline: Deadline) -> None:
        """Spend time, and fail or not."""
        self._passed += deadline.time_left_s if self._takes is None else self._takes
        if self._fails is not None:
            raise self._fails

    def describe(self, text: str, *, seconds: float = 30) -> Change:
        """Change the description within so much time."""
        edit = Edit(description=text)
        change = Change(
            make_instance(), None, Effect.UNCONFIRMED, edit, DEMANAGER_CAPABILITIES, "describe"
        )
        return self._writer.write(change, Deadline(seconds, clock=self.clock))

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._passed += seconds


def test_a_write_leaves_time_to_read_back() -> None:
    """Also one that nobody answers: it may hold."""
    silent = DeadlineError("unreachable.read_timeout", sent=True, host="cloud", seconds="18")
    cloud = Cloud(make_instance(description="new"), takes=None, fails=silent)
    assert cloud.describe("new").effect is Effect.NOW
    assert cloud.left == [pytest.approx(30 * (1 - WRITE_TIMEOUT_SHARE))]


def test_without_time_there_is_no_second_look() -> None:
    """It would only fail, and what the first one showed would be lost."""
    late = Cloud(make_instance(), takes=1.5)
    assert late.describe("new", seconds=2).effect is Effect.UNCONFIRMED
    assert (late.slept, len(late.left)) == ([], 1)
    in_time = Cloud(make_instance(), takes=0.5)
    assert in_time.describe("new", seconds=2).effect is Effect.UNCONFIRMED
    assert (in_time.slept, len(in_time.left)) == ([READ_BACK_DELAY_S], 2)


def test_a_write_that_never_shows_says_what_was_read_back() -> None:
    """Somebody else may have changed it meanwhile."""
    cloud = Cloud(
        make_instance(description="by another"), fails=ServerError("api.500.0010", status=500)
    )
    with pytest.raises(OutcomeUnknownError) as caught:
        cloud.describe("new")
    assert caught.value.values["description"] == "by another"


class Slow:
    """A backend whose first answer comes after that to a second question.

    Args:
        answers: What is answered first, and second.
    """

    def __init__(self, *answers: Instance) -> None:
        self.answers = answers
        self.questions = 0
        self.memory: list[Instance] = []
        memory = SimpleNamespace(put=self.memory.append)
        backend: Any = self
        self.writer = Updater(backend, cache=memory, total_timeout_s=30, clock=SYSTEM_CLOCK)  # type: ignore[arg-type]

    def read(self, *, deadline: Deadline) -> Instance:
        """Answer; the first time another question comes in between."""
        self.questions += 1
        if self.questions == 1:
            self.writer.read(deadline)
            return self.answers[1]
        return self.answers[0]


def test_an_answer_that_was_overtaken_by_a_later_question_counts_no_more(
    make_session: Callable[..., Session],
) -> None:
    """It may tell what held before a change that was made meanwhile."""
    before = make_session().refresh()
    after = replace(before, description="has changed to")
    slow = Slow(after, before)
    assert slow.writer.read(Deadline(30, clock=SYSTEM_CLOCK)) is after
    assert slow.memory == [after]


@pytest.fixture
def late(tmp_path: Path) -> Iterator[Session]:
    """A session with the later edition, whose 4 h run has 2 h left, and which is known to wait."""
    with LocalEmulator(edition="2021", minutes_left=120) as emulator:
        emulator.set_instance(auto_stop={"duration": 14400}, minutes_left=120)
        variables = {**emulator.environment(), "MODELARTS_STATE_DIR": str(tmp_path)}
        session = open_session(Settings.load(environ=variables), environ=variables)
        assert session.set_auto_stop(AutoStopRequest(duration=5 * HOUR)).effect is Effect.NEXT_START
        yield session
        session.close()


def test_a_cloud_that_waits_takes_what_this_run_could_not_follow(late: Session) -> None:
    """A run time shorter than this run is already can be saved for the next start."""
    change = late.set_auto_stop(AutoStopRequest(duration=HOUR))
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
