"""What is known of an instance between calls: the snapshot, this run's start, this cloud's habits."""

from __future__ import annotations

import itertools
import logging
import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics.domain.clock import SYSTEM_CLOCK, Clock, Deadline
from modelarts_magics.domain.countdown import STOP_GRACE_PERIOD
from modelarts_magics.domain.effects import EXPECTED_STOP_TOLERANCE
from modelarts_magics.domain.models import (
    STOP_TIME_TOLERANCE,
    Change,
    CountsFrom,
    Effect,
    Instance,
    Mode,
)
from modelarts_magics.errors import InvalidResponseError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from modelarts_magics.domain.models import Capabilities
    from modelarts_magics.session.store import Store

ParseInstance = Callable[..., Instance]
Listener = Callable[[Instance], None]

_LOG = logging.getLogger(__name__)
_listeners: dict[str, dict[int, Listener]] = {}
"""The listeners of this process, by the path of the store and the number of the subscription."""
_subscription_numbers = itertools.count()


class InstanceCache:
    """The store's content in the words of the models.

    Args:
        store: Where it is kept.
        parse: The API's reading of its own raw answer.
        capabilities: What the API can do.
        clock: Time, for tests.
    """

    def __init__(
        self,
        store: Store,
        *,
        parse: ParseInstance,
        capabilities: Capabilities,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._store = store
        self._parse = parse
        self._capabilities = capabilities
        self._clock = clock
        self._key = str(store.path)
        self._thread_lock = threading.RLock()
        self._instance: Instance | None = None
        self._instance_data: dict[str, Any] | None = None
        self._published: Instance | None = None

    def get(self, *, max_age: timedelta) -> Instance | None:
        """The instance as last seen by any process, if that is at most `max_age` ago."""
        age = self._store.age(self._clock.now())
        if (
            age is None or abs(age) > max_age
        ):  # a shared disk's clock may be ahead of this machine's
            return None
        return self._load_instance()

    def put(self, instance: Instance) -> None:
        """Keep what the cloud just said, and tell who listens; writes only if it says something new."""
        with self._thread_lock:
            known = self._load_instance()
            if _is_equivalent(known, instance):
                self._store.touch()
            else:
                self._save_instance(known, instance)
            if _is_equivalent(self._published, instance):
                return
            self._published = instance
        self._publish(instance)

    def check_for_updates(self) -> bool:
        """Tell who listens what another process has saved since this one last looked.

        Returns:
            Whether there was anything.
        """
        with self._thread_lock:
            told, instance = self._published, self._load_instance()
            if (
                instance is None
                or _is_equivalent(told, instance)
                or _is_equivalent(self._published, instance)
            ):
                return False
            self._published = instance
        self._publish(instance)
        return True

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with each new state that a cache of this process receives.

        The listener runs in the thread that received the state. An exception that it raises is
        logged and does not reach the other listeners.

        Returns:
            A function that ends the subscription; calling it twice is allowed.
        """
        number = next(_subscription_numbers)
        _listeners.setdefault(self._key, {})[number] = listener

        def unsubscribe() -> None:
            _listeners.get(self._key, {}).pop(number, None)

        return unsubscribe

    def _publish(self, instance: Instance) -> None:
        for listener in tuple(_listeners.get(self._key, {}).values()):
            try:
                listener(instance)
            # The state is valid even if one listener cannot show it.
            except Exception:  # noqa: BLE001 - a listener may raise anything
                _LOG.exception("A listener for instance updates failed")

    def _save_instance(self, previous: Instance | None, instance: Instance) -> None:
        data = dict(self._store.load())
        started_at, ends_at = self._run_bounds(previous, instance)
        duration = instance.auto_stop.duration
        data.update(
            raw=dict(instance.raw),
            api=instance.api,
            demo=instance.demo,
            observed_at=instance.observed_at.isoformat(),
            started_at=started_at.isoformat() if started_at else None,
            run_ends_at=ends_at.isoformat() if ends_at else None,
        )
        if duration is not None and self._capabilities.persists_duration:
            data["last_duration_s"] = duration.total_seconds()
        self._save(data, instance)

    def record_effect(self, change: Change) -> None:
        """Keep whether a run of this cloud follows a new duration, once a change has shown it."""
        if change.after is None or change.effect is Effect.UNCONFIRMED:
            return
        seen: dict[str, Any] = {}
        edit = change.edit.auto_stop
        if (
            not self._capabilities.persists_duration
            and edit
            and edit.duration
            and edit.mode is Mode.TIMING
        ):
            seen["last_duration_s"] = edit.duration.total_seconds()
        if _is_conclusive(change):
            seen["applies"] = change.effect.value
        if seen:
            with self._thread_lock:  # the snapshot may be a later one by now
                self._save({**self._store.load(), **seen}, self._load_instance())

    @property
    def defers_duration(self) -> bool | None:
        """Whether this cloud was seen to let a new duration wait for the next start; None: not seen."""
        seen = {Effect.NEXT_START.value: True, Effect.NOW.value: False}
        return seen.get(str(self._store.load().get("applies")))

    @property
    def age(self) -> timedelta | None:
        """How long ago any process of this machine last had the cloud's word; None if none did."""
        return self._store.age(self._clock.now())

    @property
    def started_at(self) -> datetime | None:
        """When this run started, as far as that is known."""
        return _parse_datetime(self._store.load().get("started_at"))

    @property
    def last_duration(self) -> timedelta | None:
        """The run time that was last seen set."""
        try:
            return timedelta(seconds=self._store.load()["last_duration_s"])
        except (KeyError, TypeError, ValueError, OverflowError):
            return None

    def lock(self, *, deadline: Deadline, clock: Clock) -> AbstractContextManager[None]:
        """Exclude the other processes that work on this instance."""
        return self._store.lock(deadline=deadline, clock=clock)

    def _save(self, data: dict[str, Any], instance: Instance | None) -> None:
        self._store.save(data)
        self._instance, self._instance_data = instance, self._store.load()

    def _load_instance(self) -> Instance | None:
        with self._thread_lock:
            data = self._store.load()
            if data is not self._instance_data:
                self._instance, self._instance_data = self._parse_instance(data), data
            self._published = self._published or self._instance
            return self._instance

    def _parse_instance(self, data: dict[str, Any]) -> Instance | None:
        observed_at = _parse_datetime(data.get("observed_at"))
        if observed_at is None or data.get("api") != self._capabilities.api:
            return None
        try:
            return self._parse(
                data.get("raw"), observed_at=observed_at, demo=data.get("demo") is True
            )
        except InvalidResponseError:
            return None

    def _run_bounds(
        self, previous: Instance | None, instance: Instance
    ) -> tuple[datetime | None, datetime | None]:
        """Start and end of the present run, as far as they are known.

        The start is kept as long as the end stands still, since a duration that waits for the next
        start hides it. An end that moved is that of another run, or of this one by a new duration;
        the start follows from it either way.
        """
        if not instance.running or self._capabilities.counts_from is CountsFrom.NOW:
            return None, None
        stop = instance.auto_stop
        start, end = self.started_at, _parse_datetime(self._store.load().get("run_ends_at"))
        if previous and start and (stop.stops_at is None or _is_close(end, stop.stops_at)):
            return start, end
        if stop.stops_at is None or stop.duration is None:
            return None, stop.stops_at
        start = stop.stops_at - stop.duration
        return (start if start <= instance.observed_at + STOP_GRACE_PERIOD else None), stop.stops_at


def _is_equivalent(previous: Instance | None, instance: Instance) -> bool:
    return previous is instance or (previous is not None and previous.equivalent_to(instance))


def _is_close(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and other is not None and abs(one - other) <= STOP_TIME_TOLERANCE


def _is_conclusive(change: Change) -> bool:
    """Whether the change shows what this cloud does: the run had an end, and was to get another."""
    edit, before, after = change.edit.auto_stop, change.before, change.after
    if edit is None or not edit.enabled or after is None or not (before.running and after.running):
        return False
    old_end, expected = before.auto_stop.stops_at, change.expected_stop_time
    return (
        old_end is not None
        and expected is not None
        and abs(expected - old_end) > EXPECTED_STOP_TOLERANCE
    )


def _parse_datetime(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)  # type: ignore[arg-type]  # a TypeError is an answer too
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None
