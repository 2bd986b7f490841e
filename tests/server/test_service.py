"""What a page decides on: what it saw must still hold, or nothing is sent."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Callable

import pytest
from stage import until

from modelarts_magics.domain.clock import Clock
from modelarts_magics.domain.durations import moment_to_ms
from modelarts_magics.emulator.clock import ManualClock
from modelarts_magics.errors import ForbiddenError, UnsettledError
from modelarts_magics.server.executor import Hands
from modelarts_magics.server.request_models import Shift, change_request, saved
from modelarts_magics.server.run_store import NAME, Kept
from modelarts_magics.server.service import Desk, Stale
from modelarts_magics.server.session_provider import Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelarts_magics.emulator.local import LocalEmulator
    from modelarts_magics.session.session import Session


async def at_once(call: Callable[[], Any]) -> Any:
    """Do what would be done in a thread; what that tells the loop comes before its end, as from a thread."""
    try:
        return call()
    finally:
        await asyncio.sleep(0)


@pytest.fixture
def told() -> list[dict[str, Any]]:
    """Return what the pages are told."""
    return []


@pytest.fixture
def fresh(
    environ: dict[str, str], tmp_path: Path, jp_asyncio_loop: Any, told: list[dict[str, Any]]
) -> Iterator[Desk]:
    """Return a desk that has not asked for anything yet."""
    place = Place({}, environ, Clock(sleep=lambda _seconds: None))
    desk = Desk(
        place,
        emit=told.append,
        listeners=list,
        kept=Kept(tmp_path / NAME),
        hands=Hands(run=at_once),
    )
    yield desk
    jp_asyncio_loop.run_until_complete(desk.monitor.stop())


async def decide(desk: Desk, base: dict[str, Any]) -> Stale:
    """Return why a description that is decided on by such a base is refused."""
    body = json.dumps({"description": "mine", "base": base}).encode()
    with pytest.raises(Stale) as caught:
        await desk.change(change_request(body))
    return caught.value


async def test_what_a_page_saw_is_never_overwritten_uncompared(
    fresh: Desk, emulator: LocalEmulator
) -> None:
    """Where this server never had an answer of the cloud, it is sent only once there is one to compare."""
    emulator.fault("403", times=2, methods=("GET",))
    assert (await fresh.instance())["instance"] is None
    base = {"description": "gone by now"}
    body = json.dumps({"description": "mine", "base": base}).encode()
    with pytest.raises(ForbiddenError):
        await fresh.change(change_request(body))
    assert (await decide(fresh, base)).error.code == "refuse.changed_elsewhere"
    assert {one["method"] for one in emulator.requests} == {"GET"}


async def test_an_end_that_only_wobbles_is_not_told_as_changed(
    fresh: Desk, emulator: LocalEmulator
) -> None:
    """Somebody changed the description; auto-stop is as the page saw it, to the second that it knows."""
    emulator.fault("no-stop-timestamp")
    seen = (await fresh.instance(refresh=True))["instance"]
    if seen["auto_stop"]["stops_at_ms"]:
        seen["auto_stop"]["stops_at_ms"] += 900
    emulator.set_instance(description="by another")
    base = {name: seen[name] for name in ("description", "auto_stop")}
    assert (await decide(fresh, base)).facts["changed"] == ["description"]


@pytest.mark.parametrize("lost", [True, False])
async def test_what_is_not_known_to_hold_is_asked_for_at_once(
    lost: object, fresh: Desk, emulator: LocalEmulator
) -> None:
    """Whether the answer to a change was lost or the reading after it: the pages need not wait for minutes."""
    before = (await fresh.instance(refresh=True))["state"]["stops_at_ms"]
    emulator.fault("500", methods=("GET",), skip=1)
    later = Shift(timedelta(hours=1), None)
    if lost:
        emulator.fault("reset-after", methods=("PUT", "POST", "PATCH"))
        with pytest.raises(UnsettledError):
            await fresh.extend(later)
    else:
        assert (await fresh.extend(later))["effect"] == "unconfirmed"
    emulator.clear_faults()

    def moved() -> bool:
        known = fresh.monitor.view.instance
        end = known.auto_stop.stops_at if known else None
        return end is not None and moment_to_ms(end) > before

    await until(moved)


async def test_the_present_is_the_clouds(fresh: Desk, emulator: LocalEmulator) -> None:
    """The pages count by it; this machine's may be wrong."""
    ahead = datetime.now(timezone.utc) + timedelta(minutes=25)
    emulator.world.clock = ManualClock(ahead)
    got = await fresh.instance(refresh=True)
    assert abs(got["server_now_ms"] - moment_to_ms(ahead)) < 60_000


async def test_the_other_pages_are_told_of_what_was_saved_and_read(
    fresh: Desk, told: list[dict[str, Any]]
) -> None:
    """Each by a number of its own, so that none is taken for known."""
    await fresh.instance()
    told.clear()
    await fresh.saved(saved(b'{"stops_at_ms": 1, "saved": ["a.ipynb"]}'))
    await fresh.acknowledge()
    assert [each["kind"] for each in told] == ["last-run", "last-run"]
    assert told[1]["seq"] == told[0]["seq"] + 1


async def test_a_change_that_was_made_ends_a_problem(fresh: Desk, emulator: LocalEmulator) -> None:
    """The cloud is there again; no page shows beside "done" that it is not."""
    await fresh.instance()
    emulator.fault("500", methods=("GET",))
    assert (await fresh.instance(refresh=True))["problem"]
    emulator.clear_faults()
    made = await fresh.extend(Shift(timedelta(hours=1), None))
    assert (made["effect"], made["now"]["problem"]) == ("now", None)


async def test_the_capabilities_are_told_also_where_nothing_can_be_changed(
    fresh: Desk, kernel: Session, environ: dict[str, str]
) -> None:
    """By what others know of the instance."""
    kernel.refresh()
    del environ["MODELARTS_AUTH_TOKEN"]
    assert (await fresh.capabilities())["api"] == kernel.capabilities.api
