"""Conflicts, unconfirmed changes and event numbers of the service."""

from __future__ import annotations

import asyncio
import json
import os
import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Callable

import pytest
from emulator_harness import wait_until

from modelarts_magics import messages
from modelarts_magics.config import settings_file
from modelarts_magics.config.settings import Settings
from modelarts_magics.domain.clock import Clock
from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.emulator.clock import ManualClock
from modelarts_magics.errors import ForbiddenError, OutcomeUnknownError, RefusedError
from modelarts_magics.keepalive.folder import daemon_folder
from modelarts_magics.keepalive.guards import NAMED, Guard, save_guard
from modelarts_magics.server.executor import AsyncRuntime
from modelarts_magics.server.request_models import (
    ExtendRequest,
    parse_save_report,
    parse_update_request,
)
from modelarts_magics.server.service import ConflictError, InstanceService, undo_payload
from modelarts_magics.server.session_provider import SessionFactory
from modelarts_magics.server.snapshot import Snapshot
from modelarts_magics.session.notify import notify
from modelarts_magics.session.restore import find_restore
from modelarts_magics.session.run_store import RunStore
from modelarts_magics.session.store import RUN_FILE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from emulator_harness import EmulatorHarness

    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.session.session import Session


async def run_immediately(call: Callable[[], Any]) -> Any:
    """Make the call at once, and let the loop run the callbacks that it scheduled."""
    try:
        return call()
    finally:
        await asyncio.sleep(0)


class WallClock:
    """The wall clock of this machine, which can be wrong."""

    error = timedelta(0)

    def now(self) -> datetime:
        """Return the time that it shows."""
        return datetime.now(timezone.utc) + self.error


@pytest.fixture
def wall_clock() -> WallClock:
    """Return a wall clock that is right."""
    return WallClock()


@pytest.fixture
def published_events() -> list[dict[str, Any]]:
    """Return the events that the pages receive."""
    return []


@pytest.fixture
def refused_kinds() -> set[str]:
    """Return the kinds of event that Jupyter's event logger refuses."""
    return set()


@pytest.fixture
def new_service(  # noqa: PLR0913 - each of them is a fixture
    environ: dict[str, str],
    tmp_path: Path,
    jp_asyncio_loop: Any,
    published_events: list[dict[str, Any]],
    refused_kinds: set[str],
    wall_clock: WallClock,
) -> Iterator[InstanceService]:
    """Return a service that has not called the API yet."""

    def emit(event: dict[str, Any]) -> None:
        if event["kind"] in refused_kinds:
            raise ValueError(event["kind"])
        published_events.append(event)

    clock = Clock(now=wall_clock.now, sleep=lambda _seconds: None)
    session_factory = SessionFactory({}, environ, clock)
    service = InstanceService(
        session_factory,
        emit=emit,
        listeners=list,
        run_store=RunStore(tmp_path / RUN_FILE_NAME),
        runtime=AsyncRuntime(run_blocking=run_immediately),
    )
    yield service
    jp_asyncio_loop.run_until_complete(service.poller.stop())


async def refused_change(service: InstanceService, base: dict[str, Any]) -> ConflictError:
    """Return the conflict of a new description with this base."""
    body = json.dumps({"description": "mine", "base": base}).encode()
    with pytest.raises(ConflictError) as caught:
        await service.update_instance(parse_update_request(body))
    return caught.value


async def test_base_is_compared_before_the_first_response(
    new_service: InstanceService, emulator: LocalEmulator
) -> None:
    """A server without a state reads the instance first."""
    emulator.add_fault("403", times=2, methods=("GET",))
    assert (await new_service.get_instance())["instance"] is None
    base = {"description": "gone by now"}
    body = json.dumps({"description": "mine", "base": base}).encode()
    with pytest.raises(ForbiddenError):
        await new_service.update_instance(parse_update_request(body))
    assert (await refused_change(new_service, base)).error.code == "refuse.edit_conflict"
    assert {one["method"] for one in emulator.requests} == {"GET"}


async def test_derived_stop_time_may_vary_slightly(
    new_service: InstanceService, emulator: LocalEmulator
) -> None:
    """Only the description is reported as changed."""
    emulator.add_fault("no-stop-timestamp")
    seen = (await new_service.get_instance(refresh=True))["instance"]
    if seen["stops_at_ms"]:
        seen["stops_at_ms"] += 900
    emulator.set_instance(description="by another")
    names = ("enabled", "mode", "duration_s", "prompt", "stops_at_ms")
    auto_stop = {name: seen[name] for name in names}
    base = {"description": seen["description"], "auto_stop": auto_stop}
    assert (await refused_change(new_service, base)).details["changed"] == ["description"]


@pytest.mark.parametrize("lost", [True, False])
async def test_unconfirmed_change_is_read_back_at_once(
    lost: object, new_service: InstanceService, emulator: LocalEmulator
) -> None:
    """Also if the response to the change was lost."""
    before = (await new_service.get_instance(refresh=True))["instance"]["stops_at_ms"]
    emulator.add_fault("500", methods=("GET",), skip=1)
    later = ExtendRequest(timedelta(hours=1), None)
    if lost:
        emulator.add_fault("reset-after", methods=("PUT", "POST", "PATCH"))
        with pytest.raises(OutcomeUnknownError):
            await new_service.extend(later)
    else:
        assert (await new_service.extend(later))["effect"] == "unconfirmed"
    emulator.clear_faults()

    def moved() -> bool:
        known = new_service.poller.snapshot.instance
        end = known.auto_stop.stops_at if known else None
        return end is not None and datetime_to_ms(end) > before

    await wait_until(moved)


async def test_server_time_is_that_of_the_api(
    new_service: InstanceService, emulator: LocalEmulator
) -> None:
    """The local clock may be wrong."""
    ahead = datetime.now(timezone.utc) + timedelta(minutes=25)
    emulator.account.clock = ManualClock(ahead)
    got = await new_service.get_instance(refresh=True)
    assert abs(got["server_now_ms"] - datetime_to_ms(ahead)) < 60_000


@pytest.mark.parametrize("minutes", [-5, 120])
async def test_step_of_the_wall_clock_does_not_reach_a_page(
    new_service: InstanceService, wall_clock: WallClock, minutes: int
) -> None:
    """Neither the time of the server nor the age of the state."""
    before = await new_service.get_instance(refresh=True)
    wall_clock.error = timedelta(minutes=minutes)
    got = await new_service.get_instance()
    true_ms = datetime_to_ms(datetime.now(timezone.utc))
    assert abs(got["server_now_ms"] - true_ms) < 60_000
    assert abs(got["as_of_ms"] - before["as_of_ms"]) < 60_000
    assert got["instance"]["stops_at_ms"] == before["instance"]["stops_at_ms"]
    refreshed = await new_service.get_instance(refresh=True)
    assert abs(refreshed["server_now_ms"] - true_ms) < 60_000


async def test_saving_and_acknowledging_send_numbered_events(
    new_service: InstanceService, published_events: list[dict[str, Any]]
) -> None:
    """Each event has its own number."""
    await new_service.get_instance()
    published_events.clear()
    await new_service.record_saved(parse_save_report(b'{"stops_at_ms": 1, "saved": ["a.ipynb"]}'))
    await new_service.acknowledge_last_run()
    assert [each["kind"] for each in published_events] == ["last-run", "last-run"]
    assert published_events[1]["seq"] == published_events[0]["seq"] + 1


async def test_event_that_is_refused_fails_no_request(
    new_service: InstanceService,
    published_events: list[dict[str, Any]],
    refused_kinds: set[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged, and the next number shows the pages that they missed one."""
    await new_service.get_instance()
    published_events.clear()
    refused_kinds.add("last-run")
    report = parse_save_report(b'{"stops_at_ms": 1, "saved": ["a.ipynb"]}')
    missed = (await new_service.get_instance())["seq"] + 1
    await new_service.record_saved(report)
    assert "could not be sent" in caplog.text
    refused_kinds.clear()
    await new_service.acknowledge_last_run()
    assert [each["seq"] for each in published_events] == [missed + 1]


async def test_keep_alive_is_announced_after_an_event_was_refused(
    new_service: InstanceService,
    other_session: Session,
    published_events: list[dict[str, Any]],
    refused_kinds: set[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The task that follows the state files goes on."""
    await new_service.get_instance(refresh=True)
    assert other_session.settings is not None
    folder, now = daemon_folder(other_session.settings), other_session.now()
    refused_kinds.add("keep")
    guards = [Guard(name, NAMED, os.getpid(), now, now + timedelta(hours=1)) for name in "ab"]
    save_guard(folder, guards[0])
    notify(folder.parent)
    await wait_until(lambda: "could not be sent" in caplog.text)
    refused_kinds.clear()
    save_guard(folder, guards[1])
    notify(folder.parent)
    await wait_until(lambda: published_events[-1]["kind"] == "keep")


async def test_successful_change_clears_the_problem(
    new_service: InstanceService, emulator: LocalEmulator
) -> None:
    """The API works again."""
    await new_service.get_instance()
    emulator.add_fault("500", methods=("GET",))
    assert (await new_service.get_instance(refresh=True))["problem"]
    emulator.clear_faults()
    made = await new_service.extend(ExtendRequest(timedelta(hours=1), None))
    assert (made["effect"], made["current"]["problem"]) == ("now", None)


async def test_last_change_is_offered_for_undoing_until_another_one(
    new_service: InstanceService, other_session: Session
) -> None:
    """A page undoes it without knowing what it was; a change made elsewhere withdraws the offer."""
    before = await new_service.get_instance(refresh=True)
    assert before["undo"] is None
    made = await new_service.update_instance(parse_update_request(b'{"description": "mine"}'))
    assert before["instance"]["description"] in made["current"]["undo"]["restores"]
    undone = await new_service.undo()
    assert undone["effect"] == "now"
    assert undone["current"]["instance"]["description"] == before["instance"]["description"]
    # The result has said it; a notice would stay in the panel.
    assert undone["current"]["notices"] == []
    other_session.on_change = lambda _change: None
    await asyncio.to_thread(other_session.describe, "theirs")
    with pytest.raises(RefusedError, match="nothing to undo"):
        await new_service.undo()
    assert (await new_service.get_instance(refresh=True))["undo"] is None


def test_page_says_what_undo_cannot_restore(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """A lease cannot be renewed to a stop time that is less than an hour away, so there is no button."""
    harness = make_harness(api="notebooks")
    harness.clock.advance(timedelta(minutes=30))
    harness.run_magic("extend 1h")
    undo = undo_payload(Snapshot(harness.session.refresh(), session=harness.session))
    assert undo is not None
    assert "restores" not in undo
    assert re.match("Undo cannot restore this: stop time .* Other values", undo["refusal"])


async def test_history_lists_the_changes_newest_first(new_service: InstanceService) -> None:
    """Each line says what was changed, without a call of the API."""
    for description in (b"first", b"second"):
        await new_service.update_instance(
            parse_update_request(b'{"description": "%s"}' % description)
        )
    newest, oldest = (await new_service.get_history())["entries"]
    assert "first" in newest
    assert "second" in newest
    assert "second" not in oldest


async def test_page_stops_the_instance_once(new_service: InstanceService) -> None:
    """The response shows that it stops, and a second request is refused."""
    made = await new_service.stop()
    assert made["ok"] is True
    assert made["current"]["instance"]["status"] in {"STOPPING", "STOPPED"}
    with pytest.raises(RefusedError, match="already"):
        await new_service.stop()


async def test_usual_run_time_of_later_starts_is_restored_by_one_request(
    new_service: InstanceService, other_session: Session
) -> None:
    """It is offered after an extension where later runs become longer too, and shown until it is done."""
    before = await new_service.get_instance(refresh=True)
    assert before["restore"] is None
    made = await new_service.extend(ExtendRequest(timedelta(hours=1), None))
    if not other_session.capabilities.persists_duration:
        assert made["current"]["restore"] is None
        return
    usual_s = before["instance"]["duration_s"]
    assert made["current"]["restore"] == {"duration_s": usual_s, "planned": False}
    planned = await new_service.restore()
    assert (planned["effect"], planned["current"]["restore"]["planned"]) == ("next-start", True)
    stops_at_ms = planned["current"]["instance"]["stops_at_ms"]
    assert stops_at_ms == made["current"]["instance"]["stops_at_ms"]
    # Another process of this machine, for example a kernel, sees it too.
    found = find_restore(other_session, other_session.refresh())
    assert found is not None
    assert found.planned


async def test_language_of_the_page_reaches_other_processes(
    new_service: InstanceService, environ: dict[str, str], tmp_path: Path
) -> None:
    """Kernels and terminals read it from the settings file; a page in the language of the locale writes none."""
    environ.update(HOME=str(tmp_path), MODELARTS_LANGUAGE="")
    messages.use_request_language("en")
    await new_service.get_instance(is_new_page=True)
    assert settings_file.read_all(environ) == {}
    messages.use_request_language("zh-CN")
    await new_service.get_instance(is_new_page=True)
    assert Settings.load(environ=environ).get("language") == "zh_CN"
    # Another page that is still open in the earlier language does not replace it; a new one does.
    messages.use_request_language("en")
    await new_service.get_instance()
    assert Settings.load(environ=environ).get("language") == "zh_CN"
    await new_service.get_instance(is_new_page=True)
    assert Settings.load(environ=environ).get("language") == "en"


async def test_capabilities_are_known_without_credentials(
    new_service: InstanceService, other_session: Session, environ: dict[str, str]
) -> None:
    """They come from the saved state."""
    other_session.refresh()
    del environ["MODELARTS_AUTH_TOKEN"]
    capabilities = (await new_service.get_instance())["capabilities"]
    assert capabilities["api"] == other_session.capabilities.api
