"""The usual run time is restored for later starts, without moving the stop time of the run that was changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

import pytest
from api_versions import API_VERSIONS, DEMANAGER_VERSIONS
from factories import HOUR, MINUTE

from modelarts_magics.domain.models import Change, Effect, PendingRestore, same_stop_time
from modelarts_magics.domain.planning import AutoStopRequest
from modelarts_magics.errors import RefusedError
from modelarts_magics.session.restore import (
    find_restore,
    load_pending,
    plan_restore,
    restore_if_due,
    restore_run_time,
    save_pending,
)

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from modelarts_magics.session.session import Session

CHANGES_RUN, DEFERS = DEMANAGER_VERSIONS
NOTEBOOKS = API_VERSIONS[2:]
RUN_TIME = 2 * HOUR

demanager = pytest.mark.parametrize("api_version", [CHANGES_RUN], ids=str)
deferring = pytest.mark.parametrize("api_version", [DEFERS], ids=str)


@pytest.fixture
def session(
    make_session: Callable[..., Session], set_instance: Callable[..., dict[str, Any]]
) -> Session:
    """Return a session with an instance whose run time is 2 h and that stops in 80 minutes."""
    set_instance(auto_stop={"duration": RUN_TIME.total_seconds()}, minutes_left=80)
    opened = make_session()
    opened.refresh()
    return opened


@pytest.fixture
def path(session: Session) -> Path:
    """Return the path of the file."""
    assert session.pending_restores is not None
    return session.pending_restores


def restart(set_instance: Callable[..., dict[str, Any]]) -> None:
    """Begin another run, with the run time that is stored."""
    set_instance(status="STOPPED")
    set_instance(status="RUNNING")


def lengthen(session: Session, path: Path, *, run_is_over: bool, set_duration: timedelta) -> None:
    """Leave a run time to restore, as the renewals of a keep-alive do."""
    instance = session.refresh()
    started_at = session.plan_context(instance).started_at
    assert started_at is not None
    if run_is_over:
        started_at -= 5 * HOUR
    save_pending(path, instance.id, PendingRestore(3 * HOUR, started_at, set_duration))


@demanager
def test_run_time_is_restored_in_the_next_run(session: Session, path: Path) -> None:
    """The run time that renewals had set is replaced by the usual one."""
    lengthen(session, path, run_is_over=True, set_duration=RUN_TIME)
    assert restore_run_time(session, session.refresh()) is not None
    assert session.refresh().auto_stop.duration == 3 * HOUR
    assert not path.exists()


@demanager
def test_run_time_is_not_restored_in_the_same_run(session: Session, path: Path) -> None:
    """While the run lasts, its stop time would move."""
    lengthen(session, path, run_is_over=False, set_duration=RUN_TIME)
    assert restore_run_time(session, session.refresh()) is None
    assert session.refresh().auto_stop.duration == RUN_TIME
    assert load_pending(path, session.refresh().id) is not None


@demanager
def test_run_time_of_the_user_is_left(session: Session, path: Path) -> None:
    """A run time that was changed since the last renewal is not replaced."""
    lengthen(session, path, run_is_over=True, set_duration=RUN_TIME + MINUTE)
    assert restore_run_time(session, session.refresh()) is None
    assert session.refresh().auto_stop.duration == RUN_TIME
    assert not path.exists()


@demanager
def test_run_time_is_not_restored_while_the_lengthened_run_is_unknown(
    session: Session, path: Path
) -> None:
    """A run whose start was not known may be this one, as for the daemon."""
    instance = session.refresh()
    save_pending(path, instance.id, PendingRestore(3 * HOUR, None, RUN_TIME))
    assert restore_run_time(session, instance) is None
    assert load_pending(path, instance.id) is not None


@demanager
def test_run_that_has_lasted_too_long_is_left_alone(
    session: Session, path: Path, set_instance: Callable[..., dict[str, Any]]
) -> None:
    """The usual run time is over already, so it waits for the start after this one."""
    session.extend(4 * HOUR)
    plan_restore(session)
    set_instance(status="STOPPED")
    set_instance(status="RUNNING", minutes_left=3 * 60)
    assert restore_run_time(session, session.refresh()) is None
    kept = load_pending(path, session.refresh().id)
    assert kept is not None
    assert kept.run_started_at == session.plan_context(session.refresh()).started_at
    assert session.refresh().auto_stop.duration == 6 * HOUR


@demanager
def test_extension_offers_the_usual_run_time_of_later_starts(session: Session) -> None:
    """Also after the second extension it is the one from before the first."""
    assert find_restore(session, session.refresh()) is None
    session.extend(HOUR)
    change = session.extend(HOUR)
    assert change.restore is not None
    assert (change.restore.duration, change.restore.planned) == (RUN_TIME, False)
    assert find_restore(session, session.refresh()) == change.restore


@demanager
def test_offer_is_carried_out_at_the_next_start(
    session: Session, path: Path, set_instance: Callable[..., dict[str, Any]]
) -> None:
    """One step is enough; it keeps the stop time of this run and is remembered until it is done."""
    extended = session.extend(3 * HOUR)
    planned = plan_restore(session)
    assert isinstance(planned, PendingRestore)
    assert extended.after is not None
    assert same_stop_time(session.refresh().auto_stop.stops_at, extended.after.auto_stop.stops_at)
    restart(set_instance)
    notices: list[str] = []
    session.on_notice = lambda notice: notices.append(notice.code)
    change = restore_if_due(session, session.refresh())
    assert change is not None
    assert change.effect is Effect.NOW
    assert session.refresh().auto_stop.duration == RUN_TIME
    assert notices == ["notice.run_time_restored"]
    assert not path.exists()


@demanager
def test_offer_that_was_not_taken_ends_with_the_run(
    session: Session, set_instance: Callable[..., dict[str, Any]]
) -> None:
    """The longer run time is then the usual one."""
    session.extend(HOUR)
    restart(set_instance)
    assert restore_run_time(session, session.refresh()) is None
    assert find_restore(session, session.refresh()) is None
    change = session.extend(HOUR)
    assert change.restore is not None
    assert change.restore.duration == 3 * HOUR


@demanager
def test_usual_run_time_is_restored_while_the_instance_is_stopped(
    session: Session, set_instance: Callable[..., dict[str, Any]]
) -> None:
    """There is no stop time that this could move."""
    session.extend(HOUR)
    plan_restore(session)
    set_instance(status="STOPPED")
    assert restore_run_time(session, session.refresh()) is not None
    assert session.refresh().auto_stop.duration == RUN_TIME


@demanager
def test_stop_time_of_one_run_leaves_no_run_time_for_later_ones(
    session: Session, set_instance: Callable[..., dict[str, Any]]
) -> None:
    """A moment is about one run, so nothing has to be asked."""
    request = AutoStopRequest(stop_time=session.now() + 7 * HOUR + MINUTE)
    change = session.set_auto_stop(request)
    assert change.restore is not None
    assert (change.restore.duration, change.restore.planned) == (RUN_TIME, True)
    restart(set_instance)
    assert restore_run_time(session, session.refresh()) is not None
    assert session.refresh().auto_stop.duration == RUN_TIME


@demanager
def test_chosen_run_time_replaces_a_planned_one(session: Session) -> None:
    """It is meant for later starts too; the former one is only offered."""
    session.set_auto_stop(AutoStopRequest(time_left=5 * HOUR))
    extended = session.extend(HOUR)
    assert extended.restore is not None
    assert extended.restore.planned
    chosen = session.set_auto_stop(AutoStopRequest(duration=4 * HOUR))
    assert chosen.restore == extended.restore._replace(set_duration=4 * HOUR, planned=False)
    assert session.set_auto_stop(AutoStopRequest(duration=RUN_TIME)).restore is None


@deferring
def test_run_time_that_only_later_runs_follow_is_restored_at_once(session: Session) -> None:
    """This run did not follow the extension, so its stop time does not follow this change either."""
    before = session.refresh().auto_stop.stops_at
    assert session.extend(HOUR).effect is Effect.NEXT_START
    restored = plan_restore(session)
    assert isinstance(restored, Change)
    assert session.refresh().auto_stop.duration == RUN_TIME
    assert same_stop_time(session.refresh().auto_stop.stops_at, before)


@demanager
def test_later_starts_are_announced_before_the_change(session: Session) -> None:
    """Not where only this run is meant, because its run time is restored."""
    notices: list[str] = []
    session.on_notice = lambda notice: notices.append(str(notice))
    session.extend(HOUR)
    assert notices == ["Later starts will also run for 3 h (now 2 h)."]
    session.set_auto_stop(AutoStopRequest(time_left=5 * HOUR))
    assert len(notices) == 1


@pytest.mark.parametrize("api_version", NOTEBOOKS, ids=str)
def test_api_without_a_stored_run_time_has_nothing_to_restore(session: Session) -> None:
    """An extension there concerns this run only."""
    assert session.extend(HOUR).restore is None
    with pytest.raises(RefusedError, match="no run time to restore"):
        plan_restore(session)
