"""What is known of an instance between calls: the snapshot, this run's start, this cloud's habits."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics.clock import SYSTEM_CLOCK, Clock, Deadline
from modelarts_magics.countdown import GRACE
from modelarts_magics.errors import BadAnswerError
from modelarts_magics.models import Change, CountsFrom, Effect, Instance

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from modelarts_magics.models import Capabilities
    from modelarts_magics.store import Store

Parse = Callable[..., Instance]


class Memory:
    """The store's content in the words of the models.

    Args:
        store: Where it is kept.
        parse: The API's reading of its own raw answer.
        capabilities: What the API can do.
        clock: Time, for tests.
    """

    def __init__(
        self, store: Store, *, parse: Parse, capabilities: Capabilities, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._store = store
        self._parse = parse
        self._able = capabilities
        self._clock = clock
        self._known: Instance | None = None
        self._known_from: dict[str, Any] | None = None

    def recall(self, *, max_age: timedelta) -> Instance | None:
        """The instance as last seen by any process, if that is at most `max_age` ago."""
        age = self._store.age(self._clock.now())
        if age is None or not timedelta(0) <= age <= max_age:
            return None
        return self._snapshot()

    def remember(self, instance: Instance) -> None:
        """Keep what the cloud just said; writes only if it says something new."""
        known = self._snapshot()
        if known == instance:
            self._store.touch()
            return
        data = dict(self._store.load())
        started_at = self._start_of_run(known, instance)
        duration = instance.auto_stop.duration
        data.update(
            raw=dict(instance.raw),
            api=instance.api,
            demo=instance.demo,
            observed_at=instance.observed_at.isoformat(),
            started_at=started_at.isoformat() if started_at else None,
        )
        if duration is not None:
            data["last_duration_s"] = duration.total_seconds()
        self._save(data, instance)

    def learn(self, change: Change) -> None:
        """Keep whether a run of this cloud follows a new duration, once a change has shown it."""
        edit, before = change.edit.auto_stop, change.before
        if edit is None or not before.running or before.auto_stop.stops_at is None:
            return
        if not edit.enabled or edit.duration == before.auto_stop.duration:
            return
        if change.effect is not Effect.UNCONFIRMED and change.after is not None:
            data = {**self._store.load(), "applies": change.effect.value}
            self._save(data, change.after)

    @property
    def waits_for_next_start(self) -> bool:
        """Whether this cloud has been seen to let a new duration wait for the next start."""
        return self._store.load().get("applies") == Effect.NEXT_START.value

    @property
    def started_at(self) -> datetime | None:
        """When this run started, as far as that is known."""
        return _moment(self._store.load().get("started_at"))

    @property
    def last_duration(self) -> timedelta | None:
        """The run time that was last seen set."""
        seconds = self._store.load().get("last_duration_s")
        return timedelta(seconds=seconds) if isinstance(seconds, (int, float)) else None

    def lock(self, *, deadline: Deadline, clock: Clock) -> AbstractContextManager[None]:
        """Exclude the other processes that work on this instance."""
        return self._store.lock(deadline=deadline, clock=clock)

    def _save(self, data: dict[str, Any], instance: Instance) -> None:
        self._store.save(data)
        self._known, self._known_from = instance, self._store.load()

    def _snapshot(self) -> Instance | None:
        data = self._store.load()
        if data is not self._known_from:
            self._known, self._known_from = self._read(data), data
        return self._known

    def _read(self, data: dict[str, Any]) -> Instance | None:
        observed_at = _moment(data.get("observed_at"))
        if observed_at is None or data.get("api") != self._able.api:
            return None
        try:
            return self._parse(
                data.get("raw"), observed_at=observed_at, demo=data.get("demo") is True
            )
        except BadAnswerError:
            return None

    def _start_of_run(self, known: Instance | None, instance: Instance) -> datetime | None:
        """The start of the present run; kept while the run lasts, since a pending duration hides it."""
        if not instance.running or self._able.counts_from is CountsFrom.NOW:
            return None
        kept = self.started_at
        if kept and known and _same_run(known, instance):
            return kept
        stop = instance.auto_stop
        if stop.stops_at is None or stop.duration is None:
            return None
        start = stop.stops_at - stop.duration
        return start if start <= instance.observed_at + GRACE else None


def _same_run(known: Instance, instance: Instance) -> bool:
    if not known.running:
        return False
    old, new = known.auto_stop.stops_at, instance.auto_stop.stops_at
    return old is None or old == new or instance.observed_at < old + GRACE


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)  # type: ignore[arg-type]  # a TypeError is an answer too
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None
