"""Cache of the instance state, shared between processes.

It holds the last response, the start of this run, and whether the API applies a new duration to a
run that has started.
"""

from __future__ import annotations

import itertools
import logging
import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics.api.backend import stored_response
from modelarts_magics.domain.after_fork import reset_in_child
from modelarts_magics.domain.clock import SYSTEM_CLOCK, Clock, Deadline
from modelarts_magics.domain.countdown import STOP_GRACE_PERIOD
from modelarts_magics.domain.durations import MAX_DURATION, is_plausible_time
from modelarts_magics.domain.effects import EXPECTED_STOP_TOLERANCE
from modelarts_magics.domain.models import (
    Change,
    CountsFrom,
    Effect,
    Instance,
    Mode,
    same_stop_time,
)
from modelarts_magics.errors import InvalidResponseError
from modelarts_magics.session import notify

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
    """The state file of an instance as values of `modelarts_magics.domain.models`.

    Args:
        store: The state file.
        parse: Parses a stored response of the API.
        capabilities: The capabilities of the API.
        clock: Time; replaced in tests.
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
        reset_in_child(self)

    def reset_after_fork(self) -> None:
        """Renew the lock."""
        self._thread_lock = threading.RLock()

    def get(self, *, max_age: timedelta) -> Instance | None:
        """Return the instance if any process read it at most `max_age` ago; else None."""
        age = self._store.age(self._clock.now())
        if (
            age is None or abs(age) > max_age
            # The clock of a shared disk may be ahead of that of this machine.
        ):
            return None
        return self._load_instance()

    def put(self, instance: Instance) -> None:
        """Store a response and publish it to the listeners, if it differs from the last one."""
        with self._thread_lock:
            known = self._load_instance()
            unchanged = _is_equivalent(known, instance)
            if unchanged:
                self._store.touch()
            else:
                self._save_instance(known, instance)
            if unchanged if self._published is known else _is_equivalent(self._published, instance):
                return
            self._published = instance
        self._publish(instance)

    def check_for_updates(self) -> bool:
        """Publish what another process has stored since the last call.

        Returns:
            Whether there was anything new.
        """
        with self._thread_lock:
            instance = self._load_instance()
            if instance is None or _is_equivalent(self._published, instance):
                return False
            self._published = instance
        self._publish(instance)
        return True

    def subscribe(self, listener: Listener, *, follow_store: bool = True) -> Callable[[], None]:
        """Call `listener` with each new state that a cache of this process receives.

        The listener runs in the thread that received the state. An exception that it raises is
        logged and does not reach the other listeners.

        Args:
            listener: Called with the new state.
            follow_store: Whether to receive what other processes save, too, in the listener thread of
                `session.notify`.

        Returns:
            A function that ends the subscription; calling it twice is allowed.
        """
        number = next(_subscription_numbers)
        _listeners.setdefault(self._key, {})[number] = listener
        stop_following = (
            notify.subscribe(self._store.path.parent, self.check_for_updates)
            if follow_store
            else _do_nothing
        )

        def unsubscribe() -> None:
            _listeners.get(self._key, {}).pop(number, None)
            stop_following()

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
        started_at, stop_time = self._run_bounds(previous, instance)
        duration = instance.auto_stop.duration
        data.update(
            raw=stored_response(instance.api, instance.raw),
            api=instance.api,
            demo=instance.demo,
            observed_at=instance.observed_at.isoformat(),
            started_at=started_at.isoformat() if started_at else None,
            run_stop_time=stop_time.isoformat() if stop_time else None,
        )
        if duration is not None and self._capabilities.persists_duration:
            data["last_duration_s"] = duration.total_seconds()
        self._save(data, instance)

    def record_effect(self, change: Change) -> None:
        """Store what a change showed: the duration that was set, and when the API applied it."""
        if change.after is None or change.effect is Effect.UNCONFIRMED:
            return
        observed: dict[str, Any] = {}
        edit = change.edit.auto_stop
        persists = self._capabilities.persists_duration
        if edit and edit.duration and edit.mode is Mode.TIMING and not persists:
            observed["last_duration_s"] = edit.duration.total_seconds()
        if _is_conclusive(change):
            observed["duration_effect"] = change.effect.value
        if observed:
            # The cached instance may be newer than that of the change.
            with self._thread_lock:
                self._save({**self._store.load(), **observed}, self._load_instance())

    @property
    def defers_duration(self) -> bool | None:
        """Whether the API applied a new duration at the next start only; None if not observed."""
        deferred = {Effect.NEXT_START.value: True, Effect.NOW.value: False}
        return deferred.get(str(self._store.load().get("duration_effect")))

    @property
    def age(self) -> timedelta | None:
        """The time since any process of this machine last read the instance; None if none did."""
        return self._store.age(self._clock.now())

    @property
    def started_at(self) -> datetime | None:
        """When this run started; None if unknown."""
        return _parse_datetime(self._store.load().get("started_at"))

    @property
    def _stored_stop_time(self) -> datetime | None:
        return _parse_datetime(self._store.load().get("run_stop_time"))

    @property
    def last_duration(self) -> timedelta | None:
        """The run time that was set last; None if unknown."""
        try:
            duration = timedelta(seconds=self._store.load()["last_duration_s"])
        except (KeyError, TypeError, ValueError, OverflowError):
            return None
        return duration if timedelta(0) < duration <= MAX_DURATION else None

    def lock(self, *, deadline: Deadline, clock: Clock) -> AbstractContextManager[None]:
        """Exclude the other processes that change this instance."""
        return self._store.lock(deadline=deadline, clock=clock)

    def share_read(self, *, wait_s: float, clock: Clock) -> AbstractContextManager[None]:
        """Wait shortly for another process that reads this instance, but for no write."""
        return self._store.share_read(wait_s=wait_s, clock=clock)

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
        """Return the start and the stop time of this run, as far as known.

        The start stays the same as long as the stop time does, because a duration that is saved for the next
        start hides it. A stop time that moved belongs to a new run or follows a new duration; in both cases
        the start follows from it.
        """
        if not instance.running or self._capabilities.counts_from is CountsFrom.NOW:
            return None, None
        current, duration = instance.auto_stop.reported_stop_time, instance.auto_stop.duration
        start, stop_time = self.started_at, self._stored_stop_time
        if previous and start and (current is None or same_stop_time(stop_time, current)):
            return start, stop_time
        if current is None or duration is None:
            return None, current
        derived = current - duration
        oldest = instance.observed_at - self._capabilities.max_duration - STOP_GRACE_PERIOD
        if not oldest <= derived <= instance.observed_at + STOP_GRACE_PERIOD:
            # A stop time that passed long ago may be that of an earlier run.
            return (start if instance.auto_stop.passed_stop_time else None), current
        return derived, current


def _do_nothing() -> None:
    """End nothing: the store was not followed."""


def _is_equivalent(previous: Instance | None, instance: Instance) -> bool:
    return previous is instance or (previous is not None and previous.equivalent_to(instance))


def _is_conclusive(change: Change) -> bool:
    """Return whether the change shows when the API applies a duration.

    That requires a run that had a stop time and was to get a different one.
    """
    edit, before, after = change.edit.auto_stop, change.before, change.after
    if edit is None or not edit.enabled or after is None or not (before.running and after.running):
        return False
    previous, expected = before.auto_stop.reported_stop_time, change.expected_stop_time
    if previous is None or expected is None:
        return False
    return abs(expected - previous) > EXPECTED_STOP_TOLERANCE


def _parse_datetime(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)  # type: ignore[arg-type]  # another type raises TypeError
    except (TypeError, ValueError):
        return None
    # A file may hold any time; one that is far away would leave the range of `datetime` in a calculation.
    return moment if moment.tzinfo and is_plausible_time(moment) else None
