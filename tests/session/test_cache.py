"""The cache of the instance state: last response, start of the run, effect of a new duration."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Callable, cast

import pytest
from factories import response_with_auto_stop

from modelarts_magics.api.backend import BACKENDS
from modelarts_magics.api.demanager import CAPABILITIES, DemanagerBackend
from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.domain.models import AutoStopEdit, Change, CountsFrom, Edit, Effect, Instance
from modelarts_magics.session.cache import InstanceCache
from modelarts_magics.session.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from modelarts_magics.api.client import ApiClient

NOW = datetime.now(timezone.utc).replace(microsecond=0)
START = NOW - timedelta(minutes=20)
HOUR = timedelta(hours=1)
BACKEND = DemanagerBackend(None, project_id="p", instance_id="i")  # type: ignore[arg-type]  # it only parses
LONG = timedelta(days=1)


def make_seen(
    end: datetime | None = None,
    duration: timedelta | None = HOUR,
    *,
    status: str = "RUNNING",
    enable: bool = True,
    at: datetime = NOW,
    **fields: Any,  # noqa: ANN401 - any JSON
) -> Instance:
    """Return an instance as the API returns it."""
    stop: dict[str, Any] = {"enable": enable, "prompt": True}
    if enable and duration is not None:
        stop["duration"] = int(duration.total_seconds())
    if enable and end is not None:
        stop["stop_timestamp"] = datetime_to_ms(end)
    raw = {"id": "i", "name": "n", "description": "d", "status": status, **fields}
    raw["spec"] = {"auto_stop": stop}
    return BACKEND.parse(raw, observed_at=at, demo=False)


def make_change(before: Instance, after: Instance, **how: Any) -> Change:  # noqa: ANN401 - fields of a change
    """Return a change of the duration to two hours."""
    edit = Edit(auto_stop=AutoStopEdit(enabled=True, duration=how.pop("duration", 2 * HOUR)))
    how.setdefault("expected_stop_time", START + 2 * HOUR)
    return Change(before, after, how.pop("effect"), edit, CAPABILITIES, **how)


@pytest.fixture
def make_cache(tmp_path: Path) -> Callable[..., InstanceCache]:
    """Create caches that share a state file, as processes do."""

    def cache(**capabilities: Any) -> InstanceCache:  # noqa: ANN401 - fields of them
        able = CAPABILITIES._replace(**capabilities)
        return InstanceCache(
            Store(tmp_path, key=("e", "p", "i")), parse=BACKEND.parse, capabilities=able
        )

    return cache


@pytest.fixture
def cache(make_cache: Callable[..., InstanceCache]) -> InstanceCache:
    """Return one cache."""
    return make_cache()


def file_of(cache: InstanceCache) -> Path:
    """Return its state file."""
    return cache._store.path


def test_get_returns_what_another_process_put(make_cache: Callable[..., InstanceCache]) -> None:
    """All fields are equal, including the time of the response."""
    instance = make_seen(START + HOUR, flavor="f", workspace={"id": "0"})
    make_cache().put(instance)
    recalled = make_cache().get(max_age=LONG)
    assert recalled == instance
    assert recalled is not None
    assert recalled.observed_at == NOW


@pytest.mark.parametrize("api", ["demanager", "notebooks"])
def test_state_file_holds_only_the_fields_that_are_read(api: str, tmp_path: Path) -> None:
    """Whatever else the API returns, at any depth, stays in the memory of one process."""
    secret = "PRIVATE-VALUE"
    extra = {"anything": secret, "deep": [{"more": secret}]}
    responses: dict[str, dict[str, Any]] = {
        "demanager": {
            **response_with_auto_stop(anything=secret),
            "profile": {
                "id": "ML-1",
                "labels": extra,
                "anything": secret,
                "provision": {"annotations": extra, "spec": {"engine": "CCE", "params": extra}},
            },
            "flavor": "modelarts.vm.cpu.2u",
        },
        "notebooks": {
            "id": "i",
            "status": "RUNNING",
            "flavor": "modelarts.vm.cpu.2u",
            "lease": {"create_at": 1795423920000, "duration": 3600000, "anything": secret},
        },
    }
    raw = {**responses[api], **extra, "url": f"https://host/{secret}", "volume": extra}
    backend = BACKENDS[api](cast("ApiClient", None), project_id="p", instance_id="i")
    instance = backend.parse(raw, observed_at=NOW, demo=False)
    store = Store(tmp_path, key=("e", "p", "i"))
    caches = [
        InstanceCache(store, parse=backend.parse, capabilities=backend.capabilities)
        for _ in range(2)
    ]
    caches[0].put(instance)
    assert secret in json.dumps(instance.raw)
    assert secret not in store.path.read_text()
    recalled = caches[1].get(max_age=LONG)
    assert recalled is not None
    assert recalled == instance
    assert (recalled.flavor, recalled.auto_stop) == (instance.flavor, instance.auto_stop)
    before = store.path.stat().st_ino
    caches[1].put(instance)
    assert store.path.stat().st_ino == before


def test_empty_cache_returns_nothing(cache: InstanceCache) -> None:
    """No instance, no start, no duration, no observed effect."""
    assert cache.get(max_age=timedelta.max) is None
    assert (cache.started_at, cache.last_duration) == (None, None)
    assert not cache.defers_duration


@pytest.mark.parametrize("minutes", [-10, 10])
def test_get_respects_max_age(cache: InstanceCache, minutes: int) -> None:
    """A state from the future counts as too old; with an unlimited age it is returned."""
    cache.put(make_seen(START + HOUR))
    moment = datetime.now().timestamp() - minutes * 60  # noqa: DTZ005 - seconds since 1970
    os.utime(file_of(cache), (moment, moment))
    assert cache.get(max_age=timedelta(minutes=9)) is None
    assert cache.get(max_age=timedelta(minutes=11)) is not None
    assert cache.get(max_age=timedelta.max) is not None


def test_small_clock_difference_of_a_disk_is_accepted(cache: InstanceCache) -> None:
    """The clock of a shared disk is that of another machine."""
    cache.put(make_seen(START + HOUR))
    moment = datetime.now().timestamp() + 0.5  # noqa: DTZ005 - seconds since 1970
    os.utime(file_of(cache), (moment, moment))
    assert cache.get(max_age=timedelta(seconds=5)) is not None


def test_unchanged_instance_is_confirmed_without_writing(cache: InstanceCache) -> None:
    """The time left changes with every response and does not count."""
    cache.put(make_seen(START + HOUR))
    os.utime(file_of(cache), (1, 1))
    inode = file_of(cache).stat().st_ino
    cache.put(make_seen(START + HOUR, at=NOW + timedelta(seconds=9)))
    assert file_of(cache).stat().st_ino == inode
    assert cache.get(max_age=timedelta(seconds=30)) is not None


def make_instance_by_time_left(by_s: float) -> Instance:
    """Return an instance whose stop time follows from the time left, received a little later."""
    stop = {"enable": True, "prompt": True, "duration": 3600, "remain_time": 2400}
    raw = {**make_seen().raw, "spec": {"auto_stop": stop}}
    return BACKEND.parse(raw, observed_at=NOW + timedelta(seconds=by_s), demo=False)


def test_stop_time_within_tolerance_is_not_published(
    make_cache: Callable[..., InstanceCache],
) -> None:
    """Otherwise two servers would publish to each other without end."""
    one, other = make_cache(), make_cache()
    received: list[Instance] = []
    one.put(make_instance_by_time_left(0))
    end = one.subscribe(received.append, follow_store=False)
    assert other.check_for_updates() is False
    for cache, by_s in ((other, 0.4), (one, 0.8), (other, -3)):
        cache.put(make_instance_by_time_left(by_s))
        assert (one.check_for_updates(), other.check_for_updates()) == (False, False)
    assert received == []
    other.put(make_instance_by_time_left(6))
    assert one.check_for_updates()
    end()


def test_run_start_follows_from_stop_time(cache: InstanceCache) -> None:
    """It is the stop time minus the duration."""
    cache.put(make_seen(START + HOUR))
    assert cache.started_at == START


def test_run_start_is_kept_while_a_duration_is_deferred(
    make_cache: Callable[..., InstanceCache],
) -> None:
    """A later edition returns the duration of the next start with the stop time of this run."""
    make_cache().put(make_seen(START + HOUR))
    for duration in (2 * HOUR, 5 * HOUR, HOUR):
        make_cache().put(make_seen(START + HOUR, duration))
        assert make_cache().started_at == START


def test_run_start_is_kept_when_stop_time_moves(cache: InstanceCache) -> None:
    """In an edition that applies a duration at once, stop time and duration move together."""
    for duration in (HOUR, 3 * HOUR, 2 * HOUR):
        cache.put(make_seen(START + duration, duration))
        assert cache.started_at == START


@pytest.mark.parametrize("between", ["STOPPING", "STOPPED", "STARTING", "RESTARTING"])
def test_ended_run_is_forgotten(cache: InstanceCache, between: str) -> None:
    """Also if the next one has no stop time at first."""
    cache.put(make_seen(START + HOUR))
    cache.put(make_seen(status=between))
    assert cache.started_at is None
    cache.put(make_seen())
    assert cache.started_at is None
    cache.put(make_seen(NOW + 2 * HOUR, 2 * HOUR))
    assert cache.started_at == NOW


@pytest.mark.parametrize("later", [timedelta(minutes=5), timedelta(hours=7)])
def test_unobserved_restart_is_noticed_by_the_stop_time(
    cache: InstanceCache, later: timedelta
) -> None:
    """The instance was stopped and started before or after the previous stop time."""
    cache.put(make_seen(START + HOUR))
    cache.put(make_seen(START + HOUR, 2 * HOUR))
    cache.put(make_seen(NOW + later + 2 * HOUR, 2 * HOUR, at=NOW + later + timedelta(minutes=1)))
    assert cache.started_at == NOW + later


def test_run_start_is_kept_while_auto_stop_is_off(cache: InstanceCache) -> None:
    """When auto-stop is on again, the start follows from the new stop time."""
    cache.put(make_seen(START + HOUR))
    cache.put(make_seen(enable=False))
    assert cache.started_at == START
    cache.put(make_seen(START + 2 * HOUR, 2 * HOUR))
    assert cache.started_at == START


def test_restart_while_auto_stop_is_off_is_noticed(cache: InstanceCache) -> None:
    """Otherwise a duration would be counted from the previous run."""
    cache.put(make_seen(START + HOUR))
    cache.put(make_seen(enable=False))
    cache.put(make_seen(NOW + 9 * HOUR, 2 * HOUR, at=NOW + 8 * HOUR))
    assert cache.started_at == NOW + 7 * HOUR


def test_unknown_stop_time_keeps_the_run_start(cache: InstanceCache) -> None:
    """A deferred duration still hides the start afterwards."""
    cache.put(make_seen(START + HOUR))
    cache.put(make_seen(START + HOUR, 5 * HOUR))
    cache.put(make_seen(None, 5 * HOUR))
    cache.put(make_seen(START + HOUR, 5 * HOUR))
    assert cache.started_at == START


def test_run_start_in_the_future_is_ignored(cache: InstanceCache) -> None:
    """It follows from a duration that was deferred before the first reading."""
    cache.put(make_seen(NOW + 2 * HOUR, HOUR))
    assert cache.started_at is None


def test_no_run_start_for_an_api_that_counts_from_now(
    make_cache: Callable[..., InstanceCache],
) -> None:
    """Such an API does not need it."""
    cache = make_cache(counts_from=CountsFrom.NOW)
    cache.put(make_seen(START + HOUR))
    assert cache.started_at is None


def test_last_duration_is_kept_while_off(make_cache: Callable[..., InstanceCache]) -> None:
    """The API does not return it then; `on` uses it again."""
    make_cache().put(make_seen(START + 3 * HOUR, 3 * HOUR))
    make_cache().put(make_seen(enable=False))
    assert make_cache().last_duration == 3 * HOUR


def test_observed_effect_is_kept_until_contradicted(
    make_cache: Callable[..., InstanceCache],
) -> None:
    """Over later responses, other runs and other processes."""
    before, after = make_seen(START + HOUR), make_seen(START + HOUR, 2 * HOUR)
    make_cache().record_effect(make_change(before, after, effect=Effect.NEXT_START))
    for instance in (after, make_seen(status="STOPPED"), make_seen(NOW + HOUR)):
        make_cache().put(instance)
        assert make_cache().defers_duration
    follows = make_seen(START + 2 * HOUR, 2 * HOUR)
    make_cache().record_effect(make_change(before, follows, effect=Effect.NOW))
    assert not make_cache().defers_duration


def test_recording_an_effect_keeps_a_newer_instance(cache: InstanceCache) -> None:
    """Another thread may have read the instance after the change."""
    before, after = make_seen(START + HOUR), make_seen(START + HOUR, 2 * HOUR)
    cache.put(after)
    later = make_seen(status="STOPPED")
    cache.put(later)
    cache.record_effect(make_change(before, after, effect=Effect.NEXT_START))
    assert cache.defers_duration
    assert cache.get(max_age=LONG) == later


NOT_TELLING = {
    "unconfirmed": lambda: make_change(
        make_seen(START + HOUR), make_seen(START + HOUR), effect=Effect.UNCONFIRMED
    ),
    "not read back": lambda: make_change(make_seen(START + HOUR), None, effect=Effect.NOW),
    "no run": lambda: make_change(make_seen(status="STOPPED"), make_seen(), effect=Effect.NOW),
    "the run ended meanwhile": lambda: make_change(
        make_seen(START + HOUR), make_seen(status="STOPPED"), effect=Effect.NOW
    ),
    "there was no end": lambda: make_change(
        make_seen(enable=False), make_seen(START + 2 * HOUR), effect=Effect.NOW
    ),
    "the end was to stay": lambda: make_change(
        make_seen(START + HOUR, 2 * HOUR),
        make_seen(START + HOUR),
        effect=Effect.NOW,
        duration=HOUR,
        expected_stop_time=START + HOUR,
    ),
    "no end was expected": lambda: make_change(
        make_seen(START + HOUR),
        make_seen(START + 2 * HOUR),
        effect=Effect.NOW,
        expected_stop_time=None,
    ),
    "only the description": lambda: Change(
        make_seen(START + HOUR), make_seen(START + HOUR), Effect.NOW, Edit("text"), CAPABILITIES
    ),
}


@pytest.mark.parametrize("name", NOT_TELLING)
def test_inconclusive_change_records_no_effect(cache: InstanceCache, name: str) -> None:
    """In particular undoing a deferred duration, which applies at once."""
    before = make_seen(START + HOUR)
    cache.record_effect(
        make_change(before, make_seen(START + HOUR, 2 * HOUR), effect=Effect.NEXT_START)
    )
    cache.record_effect(NOT_TELLING[name]())
    assert cache.defers_duration


def test_state_of_another_api_is_ignored(make_cache: Callable[..., InstanceCache]) -> None:
    """Its responses have another shape; the next response replaces it."""
    make_cache().put(make_seen(START + HOUR))
    other = make_cache(api="notebooks")
    assert other.get(max_age=LONG) is None


@pytest.mark.parametrize(
    "spoilt",
    [
        {"raw": None},
        {"raw": "text"},
        {"raw": {"id": 5}},
        {"raw": {"id": "i", "status": None}},
        {"observed_at": None},
        {"observed_at": "2026-01-01T00:00:00"},
        {"observed_at": 5},
        {"api": None},
    ],
)
def test_corrupt_state_counts_as_missing(
    make_cache: Callable[..., InstanceCache], spoilt: dict[str, Any]
) -> None:
    """Reading it never crashes."""
    cache = make_cache()
    cache.put(make_seen(START + HOUR))
    cache._store.save({**cache._store.load(), **spoilt})
    again = make_cache()
    assert again.get(max_age=LONG) is None
    again.put(make_seen(START + HOUR))
    assert make_cache().get(max_age=LONG) == make_seen(START + HOUR)


@pytest.mark.parametrize("value", ["x", [], {}, float("inf"), float("nan"), 1e300, None])
def test_corrupt_field_counts_as_missing(cache: InstanceCache, value: object) -> None:
    """The same for the fields beside the response."""
    names = ("started_at", "run_stop_time", "last_duration_s", "duration_effect")
    cache._store.save(dict.fromkeys(names, value))
    assert (cache.started_at, cache.last_duration) == (None, None)
    assert not cache.defers_duration
    cache.put(make_seen(START + HOUR))
    assert cache.started_at == START


def test_cache_works_without_a_folder(tmp_path: Path) -> None:
    """An instance can be extended from a read-only home folder."""
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "x", key=("e", "p", "i"))
    cache = InstanceCache(store, parse=BACKEND.parse, capabilities=CAPABILITIES)
    cache.put(make_seen(START + HOUR))
    cache.put(make_seen(START + HOUR, 2 * HOUR))
    assert cache.started_at == START
    assert cache.last_duration == 2 * HOUR
    assert cache.get(max_age=timedelta(seconds=30)) == make_seen(START + HOUR, 2 * HOUR)


def test_put_calls_every_listener_of_the_instance(
    make_cache: Callable[..., InstanceCache], tmp_path: Path
) -> None:
    """Listeners of all caches of the instance are called in order; those of another are not."""
    received: list[tuple[str, Instance]] = []
    another = InstanceCache(
        Store(tmp_path, key=("e", "p", "j")), parse=BACKEND.parse, capabilities=CAPABILITIES
    )
    make_cache().subscribe(lambda each: received.append(("first", each)))
    make_cache().subscribe(lambda each: received.append(("second", each)))
    another.subscribe(lambda each: received.append(("another", each)))
    instance = make_seen(START + HOUR)
    make_cache().put(instance)
    assert received == [("first", instance), ("second", instance)]


def test_unsubscribed_listener_is_not_called(make_cache: Callable[..., InstanceCache]) -> None:
    """Ending a subscription twice is allowed and ends no other subscription."""
    received: list[str] = []
    unsubscribe = make_cache().subscribe(lambda _: received.append("first"))
    make_cache().subscribe(lambda _: received.append("second"))
    unsubscribe()
    unsubscribe()
    make_cache().put(make_seen(START + HOUR))
    assert received == ["second"]


def test_listener_may_unsubscribe_while_called(make_cache: Callable[..., InstanceCache]) -> None:
    """The other listeners are still called."""
    received: list[str] = []

    def once(_: Instance) -> None:
        received.append("once")
        unsubscribe()

    unsubscribe = make_cache().subscribe(once)
    make_cache().subscribe(lambda _: received.append("always"))
    cache = make_cache()
    cache.put(make_seen(START + HOUR))
    cache.put(make_seen(START + 2 * HOUR))
    assert received == ["once", "always", "always"]


def test_failing_listener_does_not_affect_others(
    make_cache: Callable[..., InstanceCache], caplog: pytest.LogCaptureFixture
) -> None:
    """Its exception is logged; the next listener is called and the update is kept."""
    received: list[Instance] = []

    def fail(_: Instance) -> None:
        raise ZeroDivisionError

    cache = make_cache()
    cache.subscribe(fail)
    cache.subscribe(received.append)
    cache.put(make_seen(START + HOUR))
    assert len(received) == 1
    assert [each.exc_info[0] for each in caplog.records if each.exc_info] == [ZeroDivisionError]
