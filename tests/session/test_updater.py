"""The outcome of a stop and of a write, determined by reading back."""

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
def test_stop_with_lost_response_is_read_back(
    emulator: LocalEmulator, make_session: Callable[..., Session], fault: str
) -> None:
    """It was applied, so it is reported as such."""
    emulator.add_fault(fault, times=1, methods=("POST",))
    change = make_session().stop()
    assert change.effect is Effect.NOW
    assert change.after is not None
    assert change.after.status.stopping


def test_failed_stop_reports_the_status(
    emulator: LocalEmulator, make_session: Callable[..., Session]
) -> None:
    """The instance still runs."""
    emulator.add_fault("500", methods=("POST",))
    with pytest.raises(OutcomeUnknownError, match="the instance is RUNNING") as caught:
        make_session().stop()
    assert caught.value.code == "outcome_unknown.not_stopped"


def test_retry_respects_retry_after(
    emulator: LocalEmulator, make_session: Callable[..., Session], instant_clock: InstantSleepClock
) -> None:
    """Also for a write that may have been applied."""
    emulator.add_fault("503", arg="3", times=1, methods=("PUT",))
    assert make_session().describe("later").effect is Effect.NOW
    assert 3 in instant_clock.sleeps


def test_retry_does_not_wait_beyond_the_deadline(
    emulator: LocalEmulator, make_session: Callable[..., Session], instant_clock: InstantSleepClock
) -> None:
    """It is sent at once."""
    emulator.add_fault("503", arg="60", times=1, methods=("PUT",))
    assert make_session().describe("at once").effect is Effect.NOW
    assert 60 not in instant_clock.sleeps


def test_partial_update_is_stored(
    emulator: LocalEmulator, make_session: Callable[..., Session]
) -> None:
    """If description and lease have separate requests, all processes see the saved one."""
    session = make_session()
    # One request has both parts, so there is no partial update.
    if session.capabilities.persists_duration:
        emulator.add_fault("403", methods=("PUT",))
    else:
        emulator.add_fault("403", methods=("PATCH",))
    requested = AutoStopRequest(time_left=2 * HOUR)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the class is checked below
        session.update(description="half", auto_stop=requested)
    known: Any = session.last_known()
    assert (known.description == "half") is isinstance(caught.value, PartialUpdateError)


class SlowApi:
    """An updater and its backend, in time that only both spend.

    Args:
        known: The result of reading back.
        takes: How long a write takes; None for as long as it may.
        fails: The error of a write.

    Attributes:
        slept: The length of each wait.
        left: The time left at each reading.
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
        """Return the known state."""
        self.left.append(deadline.time_left_s)
        return self._known

    def write(self, *_: object, deadline: Deadline) -> None:
        """Spend time, and fail or not."""
        self._passed += deadline.time_left_s if self._takes is None else self._takes
        if self._fails is not None:
            raise self._fails

    def describe(self, text: str, *, seconds: float = 30) -> Change:
        """Change the description within a timeout."""
        edit = Edit(description=text)

        def plan(_: Instance) -> Change:
            before = make_instance()
            return Change(
                before, None, Effect.UNCONFIRMED, edit, DEMANAGER_CAPABILITIES, "describe"
            )

        return self._writer.write(plan, Deadline(seconds, clock=self.clock))

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._passed += seconds


def test_write_leaves_time_to_read_back() -> None:
    """Also a write without response, which may have been applied."""
    silent = DeadlineError("unreachable.read_timeout", sent=True, host="cloud", seconds="18")
    cloud = SlowApi(make_instance(description="new"), takes=None, fails=silent)
    assert cloud.describe("new").effect is Effect.NOW
    assert cloud.left == [30, pytest.approx(30 * (1 - WRITE_TIMEOUT_SHARE))]


def test_read_back_is_not_repeated_without_time() -> None:
    """It would fail and lose the result of the first one."""
    late = SlowApi(make_instance(), takes=1.5)
    assert late.describe("new", seconds=2).effect is Effect.UNCONFIRMED
    assert (late.slept, len(late.left)) == ([], 2)
    in_time = SlowApi(make_instance(), takes=0.5)
    assert in_time.describe("new", seconds=2).effect is Effect.UNCONFIRMED
    assert (in_time.slept, len(in_time.left)) == ([READ_BACK_DELAY_S], 3)


def test_write_that_is_never_applied_reports_what_was_read() -> None:
    """Another process may have changed it."""
    cloud = SlowApi(
        make_instance(description="by another"), fails=ServerError("api.500.0010", status=500)
    )
    with pytest.raises(OutcomeUnknownError) as caught:
        cloud.describe("new")
    assert caught.value.values["description"] == "by another"


class OvertakenBackend:
    """A backend whose first response arrives after that to a later request.

    Args:
        answers: The first and the second response.
    """

    def __init__(self, *answers: Instance) -> None:
        self.answers = answers
        self.questions = 0
        self.memory: list[Instance] = []
        memory = SimpleNamespace(put=self.memory.append)
        backend: Any = self
        self.writer = Updater(backend, cache=memory, total_timeout_s=30, clock=SYSTEM_CLOCK)  # type: ignore[arg-type]

    def read(self, *, deadline: Deadline) -> Instance:
        """Respond; a second request is made during the first one."""
        self.questions += 1
        if self.questions == 1:
            self.writer.read(deadline)
            return self.answers[1]
        return self.answers[0]


def test_overtaken_response_is_discarded(
    make_session: Callable[..., Session],
) -> None:
    """It may show the state before a change."""
    before = make_session().refresh()
    after = replace(before, description="has changed to")
    slow = OvertakenBackend(after, before)
    assert slow.writer.read(Deadline(30, clock=SYSTEM_CLOCK)) is after
    assert slow.memory == [after]


@pytest.fixture
def late(tmp_path: Path) -> Iterator[Session]:
    """Return a session with the later edition, whose run of 4 h has 2 h left and defers durations."""
    with LocalEmulator(edition="2021", minutes_left=120) as emulator:
        emulator.set_instance(auto_stop={"duration": 14400}, minutes_left=120)
        variables = {**emulator.environment(), "MODELARTS_STATE_DIR": str(tmp_path)}
        session = open_session(Settings.load(environ=variables), environ=variables)
        assert session.set_auto_stop(AutoStopRequest(duration=5 * HOUR)).effect is Effect.NEXT_START
        yield session
        session.close()


def test_deferred_duration_may_be_shorter_than_this_run(late: Session) -> None:
    """It is saved for the next start."""
    change = late.set_auto_stop(AutoStopRequest(duration=HOUR))
    assert change.effect is Effect.NEXT_START
    assert change.after is not None
    assert change.after.auto_stop.duration == HOUR


def test_extension_adds_to_a_deferred_duration(late: Session) -> None:
    """Two extensions add up, though this run follows neither."""
    late.extend(HOUR)
    change = late.extend(HOUR / 2)
    assert change.effect is Effect.NEXT_START
    assert change.after is not None
    assert change.after.auto_stop.duration == 6 * HOUR + HOUR / 2
