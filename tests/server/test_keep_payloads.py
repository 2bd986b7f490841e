"""The work that the instance is kept running for, on a page: the list, its changes, and the event about them."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from emulator_harness import wait_until

from modelarts_magics.commands.keep import end_all
from modelarts_magics.config.settings import Settings
from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.errors import DurationError, InputError, ModelArtsError, RefusedError
from modelarts_magics.keepalive import client
from modelarts_magics.keepalive.client import KeepRequest
from modelarts_magics.keepalive.folder import daemon_folder
from modelarts_magics.keepalive.guards import NAMED, STOP, Guard, list_guards, save_guard
from modelarts_magics.keepalive.idle_stop import IdleStop, save_idle_stop
from modelarts_magics.keepalive.marks.mark import COMMAND, Mark
from modelarts_magics.keepalive.marks.result import NOT_CONFIRMED, RAN, Result, record
from modelarts_magics.keepalive.pages import are_pages_saved
from modelarts_magics.keepalive.record_lock import RecordLock
from modelarts_magics.keepalive.requests import is_stop_pending, save_pending_stop
from modelarts_magics.keepalive.state import LOCK_FILE, DaemonState, Event, PlannedStop, StateWriter
from modelarts_magics.keepalive.stopping import PendingStop
from modelarts_magics.messages import Message
from modelarts_magics.server.keep_payloads import change_keep, keep_payload
from modelarts_magics.server.request_models import KeepChange, parse_keep_change
from modelarts_magics.session.connect import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelarts_magics.server.service import InstanceService
    from modelarts_magics.session.session import Session

HOUR = timedelta(hours=1)


@pytest.fixture
def session(environ: dict[str, str]) -> Iterator[Session]:
    """Return the session of a server."""
    opened = open_session(Settings.load(environ=environ), environ=environ)
    opened.refresh()
    yield opened
    end_all(folder_of(opened))
    opened.close()


def folder_of(session: Session) -> Path:
    """Return the folder of the daemon."""
    assert session.settings is not None
    return daemon_folder(session.settings)


def add_guard(session: Session, name: str, **fields: Any) -> Guard:
    """Save a guard that nothing watches, as after SIGKILL of the daemon."""
    now = session.now()
    guard = Guard(name, NAMED, os.getpid(), now, now + 8 * HOUR, **fields)
    save_guard(folder_of(session), guard)
    return guard


def test_guards_are_listed_and_a_missing_daemon_is_a_problem(session: Session) -> None:
    """A page shows name, reason, times and what happens afterwards."""
    assert keep_payload(session) is None
    guard = add_guard(session, "upload", then=STOP, reason="dataset")
    payload = keep_payload(session)
    assert payload is not None
    assert payload["guards"] == [
        {
            "id": guard.id,
            "name": "upload",
            "reason": "dataset",
            "since_ms": datetime_to_ms(guard.since),
            "until_ms": datetime_to_ms(guard.until),
            "then": "stop",
            "kind": "named",
        }
    ]
    assert "is not running" in payload["problem"]
    assert (payload["covered_until_ms"], payload["stop"]) == (None, None)


def test_results_before_the_stop_are_shown_for_an_hour(session: Session) -> None:
    """A page shows the last three, and whether they ran; without anything else, and no older ones."""
    marks = [Mark(COMMAND, timedelta(minutes=each), f"save{each}") for each in range(10, 15)]
    now = session.now()
    for age, mark in zip((61, 3, 2, 1, 0), marks):
        outcome = NOT_CONFIRMED if mark is marks[-1] else RAN
        result = Result(mark, outcome, mark.before)
        record(session.history, result, now=now - timedelta(minutes=age))
    payload = keep_payload(session)
    assert payload is not None
    assert payload["problem"] == ""
    names = ["save12", "save13", "save14"]
    assert [name in each["text"] for name, each in zip(names, payload["results"])] == [True] * 3
    assert [each["ok"] for each in payload["results"]] == [True, True, False]
    assert "not confirmed" in payload["results"][-1]["text"]


def test_one_guard_is_ended_or_all(session: Session, environ: dict[str, str]) -> None:
    """Letting go of one leaves the others; one that has ended already is refused."""
    first, second = add_guard(session, "first"), add_guard(session, "second")
    assert "first" in change_keep(session, KeepChange("end", first.id), environ)
    assert [guard.name for guard in list_guards(folder_of(session))] == ["second"]
    with pytest.raises(RefusedError) as caught:
        change_keep(session, KeepChange("end", first.id), environ)
    assert caught.value.code == "keep.ended_meanwhile"
    assert change_keep(session, KeepChange("end"), environ)
    assert keep_payload(session) is None
    assert second.name == "second"


def test_stop_after_the_work_is_cancelled(session: Session, environ: dict[str, str]) -> None:
    """The file that the daemon follows is deleted."""
    add_guard(session, "upload")
    now = session.now()
    save_pending_stop(folder_of(session), PendingStop("upload", since=now, quiet_since=now))
    assert change_keep(session, KeepChange("cancel-stop"), environ)
    assert not is_stop_pending(folder_of(session))


def test_page_reports_are_for_the_current_planned_stop(
    session: Session, environ: dict[str, str]
) -> None:
    """A page registers, which the stop waits for, until it has saved; a report about another stop does nothing."""
    folder, now = folder_of(session), session.now()
    stop = PlannedStop("upload", now, since=now, is_saving=True)
    lock = RecordLock(folder / LOCK_FILE)
    assert lock.acquire()
    StateWriter(folder).write(DaemonState(os.getpid(), now, "0", stop=stop))
    shown = keep_payload(session)
    assert shown is not None
    stop_id = shown["stop"]["id"]
    assert shown["stop"]["is_saving"]
    assert change_keep(session, KeepChange("report-page", "7", tab="a"), environ) == ""
    assert are_pages_saved(folder, now)
    for is_saved in (False, True):
        change = KeepChange("report-page", stop_id, tab="../a", saved=is_saved)
        change_keep(session, change, environ)
        assert are_pages_saved(folder, now) == is_saved
    lock.release()


def test_idle_stop_is_shown_postponed_and_turned_off(
    session: Session, environ: dict[str, str]
) -> None:
    """“Keep 1 h” moves a stop because nothing works, without a call of the API and without a guard."""
    folder, now = folder_of(session), session.now()
    folder.mkdir(parents=True)
    save_idle_stop(folder, IdleStop(HOUR / 2))
    stop = PlannedStop("", now + HOUR / 6, since=now, idle_time=HOUR / 2)
    lock = RecordLock(folder / LOCK_FILE)
    assert lock.acquire()
    failed = Event(1, Message("keep.stop_failed", {"cause": "refused"}))
    StateWriter(folder).write(DaemonState(os.getpid(), now, "0", stop=stop, events=(failed,)))
    shown = keep_payload(session)
    assert shown is not None
    assert shown["stop"]["idle_s"] == 1800
    assert shown["stop_when_idle"] == {"idle_s": 1800, "postponed_until_ms": None}
    assert "refused" in shown["failed_stop"]
    assert change_keep(session, KeepChange("postpone-stop", by=HOUR), environ)
    lock.release()
    shown = keep_payload(session)
    assert shown is not None
    assert shown["guards"] == []
    postponed_s = shown["stop_when_idle"]["postponed_until_ms"] / 1000 - now.timestamp()
    assert HOUR.total_seconds() <= postponed_s < HOUR.total_seconds() + 60
    assert change_keep(session, KeepChange("stop-when-idle"), environ)
    assert keep_payload(session) is None
    with pytest.raises(DurationError):
        change_keep(session, KeepChange("stop-when-idle", by=HOUR / 10), environ)


@pytest.mark.process
def test_limit_stands_when_no_daemon_answers(session: Session, environ: dict[str, str]) -> None:
    """A change that nothing could check is taken back, so that the next daemon does not accept it unchecked."""
    guard = add_guard(session, "upload", details={"admitted": True})
    # Python cannot start with it.
    broken = {**environ, "PYTHONHOME": "/nonexistent"}
    with pytest.raises(ModelArtsError) as caught:
        client.extend_guard(session, guard, guard.until + HOUR, environ=broken)
    assert caught.value.code == "keep.cannot_start"
    assert list_guards(folder_of(session)) == [guard]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action": "stop"},
        {"action": "end", "id": ""},
        {"action": "end", "seconds": 60},
        {"action": "extend", "id": "a"},
        {"action": "extend", "seconds": 60},
        {"action": "extend", "id": "a", "seconds": 0},
        {"action": "cancel-stop", "id": "a"},
        {"action": "postpone-stop"},
        {"action": "postpone-stop", "seconds": 0},
        {"action": "stop-when-idle"},
        {"action": "stop-when-idle", "seconds": -1},
        {"action": "keep-while-busy", "seconds": 60},
        {"action": "report-page", "id": "a", "saved": True},
        {"action": "report-page", "id": "a", "tab": "b", "saved": 1},
    ],
    ids=str,
)
def test_invalid_change_is_refused(body: dict[str, Any]) -> None:
    """Nothing is guessed."""
    with pytest.raises(InputError):
        parse_keep_change(json.dumps(body).encode())


@pytest.mark.process
async def test_page_extends_and_ends_what_another_process_keeps(
    service: InstanceService, session: Session, environ: dict[str, str]
) -> None:
    """The page is notified of the guard, moves its limit by the daemon's rules, and lets it go."""
    await service.get_instance(refresh=True)
    seq = (await service.get_instance())["seq"]
    request = KeepRequest(NAMED, "upload", 3 * HOUR)
    await asyncio.to_thread(client.add_guard, session, request, environ=environ)
    await wait_until(lambda: service._seq > seq)
    (shown,) = (await service.get_instance())["keep"]["guards"]
    made = await service.change_keep(KeepChange("extend", shown["id"], 2 * HOUR))
    assert made["ok"]
    assert "at most" in made["text"]
    (moved,) = made["current"]["keep"]["guards"]
    assert moved["until_ms"] - shown["until_ms"] == 2 * HOUR / timedelta(milliseconds=1)
    if session.capabilities.api == "demanager":
        # This API keeps a run for 24 hours at most.
        with pytest.raises(RefusedError, match="unchanged"):
            await service.change_keep(KeepChange("extend", shown["id"], 48 * HOUR))
        assert (await service.get_instance())["keep"]["guards"] == [moved]
    turned_on = await service.change_keep(KeepChange("stop-when-idle", by=HOUR))
    assert turned_on["current"]["keep"]["stop_when_idle"]["idle_s"] == 3600
    assert any("nothing has worked" in line for line in (await service.get_activity())["lines"])
    await service.change_keep(KeepChange("stop-when-idle"))
    ended = await service.change_keep(KeepChange("end", shown["id"]))
    assert ended["current"]["keep"] is None
    # “Keep 1 h” in a notification before a stop.
    later = await service.change_keep(KeepChange("postpone-stop", by=HOUR))
    (added,) = later["current"]["keep"]["guards"]
    assert (added["name"], added["then"]) == ("page-1", "stop")
