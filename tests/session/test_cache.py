"""What is known between calls: when this run started, what this cloud does, what was last set."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Callable

import pytest

from modelarts_magics.api.demanager import CAPABILITIES, DemanagerBackend
from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.domain.models import AutoStopEdit, Change, CountsFrom, Edit, Effect, Instance
from modelarts_magics.session.cache import InstanceCache
from modelarts_magics.session.store import Store

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime.now(timezone.utc).replace(microsecond=0)
START = NOW - timedelta(minutes=20)
HOUR = timedelta(hours=1)
BACKEND = DemanagerBackend(None, project_id="p", instance_id="i")  # type: ignore[arg-type]  # it only parses
LONG = timedelta(days=1)


def seen(
    end: datetime | None = None,
    duration: timedelta | None = HOUR,
    *,
    status: str = "RUNNING",
    enable: bool = True,
    at: datetime = NOW,
    **fields: Any,  # noqa: ANN401 - any JSON
) -> Instance:
    """An instance as the cloud shows it."""
    stop: dict[str, Any] = {"enable": enable, "prompt": True}
    if enable and duration is not None:
        stop["duration"] = int(duration.total_seconds())
    if enable and end is not None:
        stop["stop_timestamp"] = datetime_to_ms(end)
    raw = {"id": "i", "name": "n", "description": "d", "status": status, **fields}
    raw["spec"] = {"auto_stop": stop}
    return BACKEND.parse(raw, observed_at=at, demo=False)


def changed(before: Instance, after: Instance, **how: Any) -> Change:  # noqa: ANN401 - fields of a change
    """A change of the duration to two hours, from one instance to the other."""
    edit = Edit(auto_stop=AutoStopEdit(enabled=True, duration=how.pop("duration", 2 * HOUR)))
    how.setdefault("expected_stop_time", START + 2 * HOUR)
    return Change(before, after, how.pop("effect"), edit, CAPABILITIES, **how)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., InstanceCache]:
    """Make memories that share a store, as processes do."""

    def memory(**capabilities: Any) -> InstanceCache:  # noqa: ANN401 - fields of them
        able = type(CAPABILITIES)(**{**vars(CAPABILITIES), **capabilities})
        return InstanceCache(
            Store(tmp_path, key=("e", "p", "i")), parse=BACKEND.parse, capabilities=able
        )

    return memory


@pytest.fixture
def memory(make: Callable[..., InstanceCache]) -> InstanceCache:
    """One memory."""
    return make()


def file_of(memory: InstanceCache) -> Path:
    """Its file."""
    return memory._store.path


def test_what_one_process_saw_another_recalls(make: Callable[..., InstanceCache]) -> None:
    """Equal in all the cloud said, and with the moment it was said."""
    instance = seen(START + HOUR, flavor="f", workspace={"id": "0"}, unknown={"later": 1})
    make().put(instance)
    recalled = make().get(max_age=LONG)
    assert recalled == instance
    assert recalled is not None
    assert recalled.observed_at == NOW
    assert recalled.raw["unknown"] == {"later": 1}


def test_nothing_is_recalled_before_anything_was_seen(memory: InstanceCache) -> None:
    """No snapshot, no start, no duration, no habit."""
    assert memory.get(max_age=timedelta.max) is None
    assert (memory.started_at, memory.last_duration) == (None, None)
    assert not memory.defers_duration


@pytest.mark.parametrize("minutes", [-10, 10])
def test_too_old_is_not_recalled(memory: InstanceCache, minutes: int) -> None:
    """Nor what seems to be of the future; but who asks for the last known gets it."""
    memory.put(seen(START + HOUR))
    moment = datetime.now().timestamp() - minutes * 60  # noqa: DTZ005 - seconds since 1970
    os.utime(file_of(memory), (moment, moment))
    assert memory.get(max_age=timedelta(minutes=9)) is None
    assert memory.get(max_age=timedelta(minutes=11)) is not None
    assert memory.get(max_age=timedelta.max) is not None


def test_a_disk_whose_clock_is_slightly_ahead_is_as_good(memory: InstanceCache) -> None:
    """A shared disk's time is another machine's."""
    memory.put(seen(START + HOUR))
    moment = datetime.now().timestamp() + 0.5  # noqa: DTZ005 - seconds since 1970
    os.utime(file_of(memory), (moment, moment))
    assert memory.get(max_age=timedelta(seconds=5)) is not None


def test_the_same_again_is_not_written_but_confirmed(memory: InstanceCache) -> None:
    """The remaining time changes at every look and is no news."""
    memory.put(seen(START + HOUR))
    os.utime(file_of(memory), (1, 1))
    inode = file_of(memory).stat().st_ino
    memory.put(seen(START + HOUR, at=NOW + timedelta(seconds=9)))
    assert file_of(memory).stat().st_ino == inode
    assert memory.get(max_age=timedelta(seconds=30)) is not None


def wobbling(by_s: float) -> Instance:
    """An instance whose end follows from the time left alone, in whole seconds, seen a little later."""
    stop = {"enable": True, "prompt": True, "duration": 3600, "remain_time": 2400}
    raw = {**seen().raw, "spec": {"auto_stop": stop}}
    return BACKEND.parse(raw, observed_at=NOW + timedelta(seconds=by_s), demo=False)


def test_an_end_that_only_wobbles_is_no_news(make: Callable[..., InstanceCache]) -> None:
    """Else two servers of one machine would ask again and again, each because of the other."""
    one, other = make(), make()
    told: list[Instance] = []
    one.put(wobbling(0))
    end = one.subscribe(told.append, follow_store=False)
    assert other.check_for_updates() is False
    for memory, by_s in ((other, 0.4), (one, 0.8), (other, -3)):
        memory.put(wobbling(by_s))
        assert (one.check_for_updates(), other.check_for_updates()) == (False, False)
    assert told == []
    other.put(wobbling(6))
    assert one.check_for_updates()
    end()


def test_the_start_of_the_run_follows_from_its_end(memory: InstanceCache) -> None:
    """Where nothing hides it."""
    memory.put(seen(START + HOUR))
    assert memory.started_at == START


def test_the_start_is_kept_while_a_waiting_duration_hides_it(
    make: Callable[..., InstanceCache],
) -> None:
    """A later edition shows the next start's duration beside this run's end."""
    make().put(seen(START + HOUR))
    for duration in (2 * HOUR, 5 * HOUR, HOUR):
        make().put(seen(START + HOUR, duration))
        assert make().started_at == START


def test_the_start_is_kept_while_the_run_gets_another_end(memory: InstanceCache) -> None:
    """An edition that follows at once: the end moves, and the duration with it."""
    for duration in (HOUR, 3 * HOUR, 2 * HOUR):
        memory.put(seen(START + duration, duration))
        assert memory.started_at == START


@pytest.mark.parametrize("between", ["STOPPING", "STOPPED", "STARTING", "RESTARTING"])
def test_a_run_that_was_seen_to_end_is_forgotten(memory: InstanceCache, between: str) -> None:
    """Also where the next one shows no end at first."""
    memory.put(seen(START + HOUR))
    memory.put(seen(status=between))
    assert memory.started_at is None
    memory.put(seen())
    assert memory.started_at is None
    memory.put(seen(NOW + 2 * HOUR, 2 * HOUR))
    assert memory.started_at == NOW


@pytest.mark.parametrize("later", [timedelta(minutes=5), timedelta(hours=7)])
def test_a_run_that_ended_unseen_is_noticed_by_its_end(
    memory: InstanceCache, later: timedelta
) -> None:
    """Stopped and started while nobody looked, before or after the old run's end."""
    memory.put(seen(START + HOUR))
    memory.put(seen(START + HOUR, 2 * HOUR))
    memory.put(seen(NOW + later + 2 * HOUR, 2 * HOUR, at=NOW + later + timedelta(minutes=1)))
    assert memory.started_at == NOW + later


def test_the_start_outlives_auto_stop_that_is_off_for_a_while(memory: InstanceCache) -> None:
    """Off shows no end; on again shows one, which tells the start anew."""
    memory.put(seen(START + HOUR))
    memory.put(seen(enable=False))
    assert memory.started_at == START
    memory.put(seen(START + 2 * HOUR, 2 * HOUR))
    assert memory.started_at == START


def test_a_run_restarted_while_auto_stop_was_off_has_its_own_start(memory: InstanceCache) -> None:
    """Else its duration would be counted from the run before."""
    memory.put(seen(START + HOUR))
    memory.put(seen(enable=False))
    memory.put(seen(NOW + 9 * HOUR, 2 * HOUR, at=NOW + 8 * HOUR))
    assert memory.started_at == NOW + 7 * HOUR


def test_an_end_that_is_unknown_for_a_moment_loses_nothing(memory: InstanceCache) -> None:
    """A waiting duration still hides the start when the end is back."""
    memory.put(seen(START + HOUR))
    memory.put(seen(START + HOUR, 5 * HOUR))
    memory.put(seen(None, 5 * HOUR))
    memory.put(seen(START + HOUR, 5 * HOUR))
    assert memory.started_at == START


def test_a_start_that_cannot_be_is_not_believed(memory: InstanceCache) -> None:
    """A waiting duration that was there at the first look puts the start into the future."""
    memory.put(seen(NOW + 2 * HOUR, HOUR))
    assert memory.started_at is None


def test_without_a_run_start_to_count_from_there_is_none(
    make: Callable[..., InstanceCache],
) -> None:
    """An API that counts from now needs none."""
    memory = make(counts_from=CountsFrom.NOW)
    memory.put(seen(START + HOUR))
    assert memory.started_at is None


def test_the_last_duration_outlives_off(make: Callable[..., InstanceCache]) -> None:
    """The cloud does not show it then; `on` shall use it again."""
    make().put(seen(START + 3 * HOUR, 3 * HOUR))
    make().put(seen(enable=False))
    assert make().last_duration == 3 * HOUR


def test_what_the_cloud_does_is_learned_and_kept(make: Callable[..., InstanceCache]) -> None:
    """Over later snapshots, other runs and other processes; until it is seen to do otherwise."""
    before, after = seen(START + HOUR), seen(START + HOUR, 2 * HOUR)
    make().record_effect(changed(before, after, effect=Effect.NEXT_START))
    for instance in (after, seen(status="STOPPED"), seen(NOW + HOUR)):
        make().put(instance)
        assert make().defers_duration
    follows = seen(START + 2 * HOUR, 2 * HOUR)
    make().record_effect(changed(before, follows, effect=Effect.NOW))
    assert not make().defers_duration


def test_what_is_learned_is_not_taken_for_what_was_seen_last(memory: InstanceCache) -> None:
    """Another thread may have asked between the change and what it taught."""
    before, after = seen(START + HOUR), seen(START + HOUR, 2 * HOUR)
    memory.put(after)
    later = seen(status="STOPPED")
    memory.put(later)
    memory.record_effect(changed(before, after, effect=Effect.NEXT_START))
    assert memory.defers_duration
    assert memory.get(max_age=LONG) == later


NOT_TELLING = {
    "unconfirmed": lambda: changed(
        seen(START + HOUR), seen(START + HOUR), effect=Effect.UNCONFIRMED
    ),
    "not read back": lambda: changed(seen(START + HOUR), None, effect=Effect.NOW),
    "no run": lambda: changed(seen(status="STOPPED"), seen(), effect=Effect.NOW),
    "the run ended meanwhile": lambda: changed(
        seen(START + HOUR), seen(status="STOPPED"), effect=Effect.NOW
    ),
    "there was no end": lambda: changed(
        seen(enable=False), seen(START + 2 * HOUR), effect=Effect.NOW
    ),
    "the end was to stay": lambda: changed(
        seen(START + HOUR, 2 * HOUR),
        seen(START + HOUR),
        effect=Effect.NOW,
        duration=HOUR,
        expected_stop_time=START + HOUR,
    ),
    "no end was expected": lambda: changed(
        seen(START + HOUR), seen(START + 2 * HOUR), effect=Effect.NOW, expected_stop_time=None
    ),
    "only the description": lambda: Change(
        seen(START + HOUR), seen(START + HOUR), Effect.NOW, Edit("text"), CAPABILITIES
    ),
}


@pytest.mark.parametrize("name", NOT_TELLING)
def test_a_change_that_shows_nothing_teaches_nothing(memory: InstanceCache, name: str) -> None:
    """Above all not the undoing of a duration that waits, which holds at once by itself."""
    before = seen(START + HOUR)
    memory.record_effect(changed(before, seen(START + HOUR, 2 * HOUR), effect=Effect.NEXT_START))
    memory.record_effect(NOT_TELLING[name]())
    assert memory.defers_duration


def test_the_snapshot_of_another_api_is_not_read(make: Callable[..., InstanceCache]) -> None:
    """Its answers have another shape; what this API then says replaces it."""
    make().put(seen(START + HOUR))
    other = make(api="notebooks")
    assert other.get(max_age=LONG) is None


@pytest.mark.parametrize(
    "spoilt",
    [
        {"raw": None},
        {"raw": "text"},
        {"raw": {"id": 5}},
        {"raw": {"id": "i", "status": "RUNNING", "spec": 3}},
        {"observed_at": None},
        {"observed_at": "2026-01-01T00:00:00"},
        {"observed_at": 5},
        {"api": None},
    ],
)
def test_a_spoilt_snapshot_is_as_none(
    make: Callable[..., InstanceCache], spoilt: dict[str, Any]
) -> None:
    """Whatever somebody put into the file, reading it does not crash."""
    memory = make()
    memory.put(seen(START + HOUR))
    memory._store.save({**memory._store.load(), **spoilt})
    again = make()
    assert again.get(max_age=LONG) is None
    again.put(seen(START + HOUR))
    assert make().get(max_age=LONG) == seen(START + HOUR)


@pytest.mark.parametrize("value", ["x", [], {}, float("inf"), float("nan"), 1e300, None])
def test_a_spoilt_detail_is_as_none(memory: InstanceCache, value: object) -> None:
    """The same for what stands beside the snapshot."""
    names = ("started_at", "run_stop_time", "last_duration_s", "duration_effect")
    memory._store.save(dict.fromkeys(names, value))
    assert (memory.started_at, memory.last_duration) == (None, None)
    assert not memory.defers_duration
    memory.put(seen(START + HOUR))
    assert memory.started_at == START


def test_without_a_folder_it_remembers_all_the_same(tmp_path: Path) -> None:
    """Else an instance could not be extended from a home that is read-only."""
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "x", key=("e", "p", "i"))
    memory = InstanceCache(store, parse=BACKEND.parse, capabilities=CAPABILITIES)
    memory.put(seen(START + HOUR))
    memory.put(seen(START + HOUR, 2 * HOUR))
    assert memory.started_at == START
    assert memory.last_duration == 2 * HOUR
    assert memory.get(max_age=timedelta(seconds=30)) == seen(START + HOUR, 2 * HOUR)


def test_put_calls_every_listener_of_the_instance(
    make: Callable[..., InstanceCache], tmp_path: Path
) -> None:
    """Listeners of all caches of the instance are called in order; those of another are not."""
    received: list[tuple[str, Instance]] = []
    another = InstanceCache(
        Store(tmp_path, key=("e", "p", "j")), parse=BACKEND.parse, capabilities=CAPABILITIES
    )
    make().subscribe(lambda each: received.append(("first", each)))
    make().subscribe(lambda each: received.append(("second", each)))
    another.subscribe(lambda each: received.append(("another", each)))
    instance = seen(START + HOUR)
    make().put(instance)
    assert received == [("first", instance), ("second", instance)]


def test_unsubscribed_listener_is_not_called(make: Callable[..., InstanceCache]) -> None:
    """Ending a subscription twice is allowed and ends no other subscription."""
    received: list[str] = []
    unsubscribe = make().subscribe(lambda _: received.append("first"))
    make().subscribe(lambda _: received.append("second"))
    unsubscribe()
    unsubscribe()
    make().put(seen(START + HOUR))
    assert received == ["second"]


def test_listener_may_unsubscribe_while_called(make: Callable[..., InstanceCache]) -> None:
    """The other listeners are still called."""
    received: list[str] = []

    def once(_: Instance) -> None:
        received.append("once")
        unsubscribe()

    unsubscribe = make().subscribe(once)
    make().subscribe(lambda _: received.append("always"))
    memory = make()
    memory.put(seen(START + HOUR))
    memory.put(seen(START + 2 * HOUR))
    assert received == ["once", "always", "always"]


def test_failing_listener_does_not_affect_others(
    make: Callable[..., InstanceCache], caplog: pytest.LogCaptureFixture
) -> None:
    """Its exception is logged; the next listener is called and the update is kept."""
    received: list[Instance] = []

    def fail(_: Instance) -> None:
        raise ZeroDivisionError

    memory = make()
    memory.subscribe(fail)
    memory.subscribe(received.append)
    memory.put(seen(START + HOUR))
    assert len(received) == 1
    assert [each.exc_info[0] for each in caplog.records if each.exc_info] == [ZeroDivisionError]
