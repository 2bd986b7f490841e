"""The usual run time is restored once a new run has begun, unless the user has chosen another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

import pytest
from api_versions import DEMANAGER_VERSIONS
from factories import HOUR, MINUTE

from modelarts_magics.keepalive.restore import (
    PendingRestore,
    load_pending,
    restore_run_time,
    save_pending,
)

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from modelarts_magics.session.session import Session

pytestmark = pytest.mark.parametrize("api_version", DEMANAGER_VERSIONS[:1], ids=str)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of the file."""
    return tmp_path / "restore.json"


def lengthen(session: Session, path: Path, *, run_is_over: bool, set_duration: timedelta) -> None:
    """Leave a run time to restore, as renewals do."""
    instance = session.refresh()
    started_at = session.plan_context(instance).started_at
    assert started_at is not None
    if run_is_over:
        started_at -= 5 * HOUR
    save_pending(path, instance.id, PendingRestore(2 * HOUR, started_at, set_duration))


def test_run_time_is_restored_in_the_next_run(
    make_session: Callable[..., Session], path: Path
) -> None:
    """The run time that renewals had set is replaced by the usual one."""
    session = make_session()
    lengthen(session, path, run_is_over=True, set_duration=HOUR)
    change = restore_run_time(session, session.refresh(), path)
    assert change is not None
    assert session.refresh().auto_stop.duration == 2 * HOUR
    assert not path.exists()


def test_run_time_is_not_restored_in_the_same_run(
    make_session: Callable[..., Session], path: Path
) -> None:
    """While the run lasts, its stop time would move."""
    session = make_session()
    lengthen(session, path, run_is_over=False, set_duration=HOUR)
    assert restore_run_time(session, session.refresh(), path) is None
    assert session.refresh().auto_stop.duration == HOUR
    assert load_pending(path, session.refresh().id) is not None


def test_run_time_of_the_user_is_left(make_session: Callable[..., Session], path: Path) -> None:
    """A run time that was changed since the last renewal is not replaced."""
    session = make_session()
    lengthen(session, path, run_is_over=True, set_duration=HOUR + MINUTE)
    assert restore_run_time(session, session.refresh(), path) is None
    assert session.refresh().auto_stop.duration == HOUR
    assert not path.exists()


def test_run_time_is_not_restored_while_the_lengthened_run_is_unknown(
    make_session: Callable[..., Session], path: Path
) -> None:
    """A run whose start was not known may be this one, as for the daemon."""
    session = make_session()
    instance = session.refresh()
    save_pending(path, instance.id, PendingRestore(2 * HOUR, None, HOUR))
    assert restore_run_time(session, instance, path) is None
    assert session.refresh().auto_stop.duration == HOUR
    assert load_pending(path, instance.id) is not None
