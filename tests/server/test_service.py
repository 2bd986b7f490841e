"""What a page decides on: what it saw must still hold, or nothing is sent."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Callable

import pytest
from emulator_harness import wait_until

from modelarts_magics.domain.clock import Clock
from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.emulator.clock import ManualClock
from modelarts_magics.errors import ForbiddenError, OutcomeUnknownError
from modelarts_magics.server.executor import AsyncRuntime
from modelarts_magics.server.request_models import (
    ExtendRequest,
    parse_save_report,
    parse_update_request,
)
from modelarts_magics.server.run_store import FILE_NAME, RunStore
from modelarts_magics.server.service import ConflictError, InstanceService
from modelarts_magics.server.session_provider import SessionFactory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.session.session import Session


async def run_immediately(call: Callable[[], Any]) -> Any:
    """Do what would be done in a thread; what that tells the loop comes before its end, as from a thread."""
    try:
        return call()
    finally:
        await asyncio.sleep(0)


@pytest.fixture
def published_events() -> list[dict[str, Any]]:
    """Return what the pages are told."""
    return []


@pytest.fixture
def new_service(
    environ: dict[str, str],
    tmp_path: Path,
    jp_asyncio_loop: Any,
    published_events: list[dict[str, Any]],
) -> Iterator[InstanceService]:
    """Return a desk that has not asked for anything yet."""
    place = SessionFactory({}, environ, Clock(sleep=lambda _seconds: None))
    desk = InstanceService(
        place,
        emit=published_events.append,
        listeners=list,
        run_store=RunStore(tmp_path / FILE_NAME),
        runtime=AsyncRuntime(run_blocking=run_immediately),
    )
    yield desk
    jp_asyncio_loop.run_until_complete(desk.poller.stop())


async def refused_change(desk: InstanceService, base: dict[str, Any]) -> ConflictError:
    """Return why a description that is decided on by such a base is refused."""
    body = json.dumps({"description": "mine", "base": base}).encode()
    with pytest.raises(ConflictError) as caught:
        await desk.update_instance(parse_update_request(body))
    return caught.value


async def test_what_a_page_saw_is_never_overwritten_uncompared(
    new_service: InstanceService, emulator: LocalEmulator
) -> None:
    """Where this server never had an answer of the cloud, it is sent only once there is one to compare."""
    emulator.add_fault("403", times=2, methods=("GET",))
    assert (await new_service.get_instance())["instance"] is None
    base = {"description": "gone by now"}
    body = json.dumps({"description": "mine", "base": base}).encode()
    with pytest.raises(ForbiddenError):
        await new_service.update_instance(parse_update_request(body))
    assert (await refused_change(new_service, base)).error.code == "refuse.edit_conflict"
    assert {one["method"] for one in emulator.requests} == {"GET"}


async def test_an_end_that_only_wobbles_is_not_told_as_changed(
    new_service: InstanceService, emulator: LocalEmulator
) -> None:
    """Somebody changed the description; auto-stop is as the page saw it, to the second that it knows."""
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
async def test_what_is_not_known_to_hold_is_asked_for_at_once(
    lost: object, new_service: InstanceService, emulator: LocalEmulator
) -> None:
    """Whether the answer to a change was lost or the reading after it: the pages need not wait for minutes."""
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


async def test_the_present_is_the_clouds(
    new_service: InstanceService, emulator: LocalEmulator
) -> None:
    """The pages count by it; this machine's may be wrong."""
    ahead = datetime.now(timezone.utc) + timedelta(minutes=25)
    emulator.account.clock = ManualClock(ahead)
    got = await new_service.get_instance(refresh=True)
    assert abs(got["server_now_ms"] - datetime_to_ms(ahead)) < 60_000


async def test_the_other_pages_are_told_of_what_was_saved_and_read(
    new_service: InstanceService, published_events: list[dict[str, Any]]
) -> None:
    """Each by a number of its own, so that none is taken for known."""
    await new_service.get_instance()
    published_events.clear()
    await new_service.record_saved(parse_save_report(b'{"stops_at_ms": 1, "saved": ["a.ipynb"]}'))
    await new_service.acknowledge_last_run()
    assert [each["kind"] for each in published_events] == ["last-run", "last-run"]
    assert published_events[1]["seq"] == published_events[0]["seq"] + 1


async def test_a_change_that_was_made_ends_a_problem(
    new_service: InstanceService, emulator: LocalEmulator
) -> None:
    """The cloud is there again; no page shows beside "done" that it is not."""
    await new_service.get_instance()
    emulator.add_fault("500", methods=("GET",))
    assert (await new_service.get_instance(refresh=True))["problem"]
    emulator.clear_faults()
    made = await new_service.extend(ExtendRequest(timedelta(hours=1), None))
    assert (made["effect"], made["current"]["problem"]) == ("now", None)


async def test_the_capabilities_are_told_also_where_nothing_can_be_changed(
    new_service: InstanceService, other_session: Session, environ: dict[str, str]
) -> None:
    """By what others know of the instance."""
    other_session.refresh()
    del environ["MODELARTS_AUTH_TOKEN"]
    capabilities = (await new_service.get_instance())["capabilities"]
    assert capabilities["api"] == other_session.capabilities.api
