"""Find out what to tell the user: a pure function of the run, without I/O.

Each event has a key; with its stop time, it is claimed once over all processes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from modelarts_magics.domain.countdown import stop_message
from modelarts_magics.domain.models import Mode
from modelarts_magics.keepalive.notifications.notification import LIFETIME, Notification
from modelarts_magics.keepalive.notifications.sinks import (
    BOUND_NEAR,
    STOPPING,
    TIME_LEFT,
    TROUBLE,
)
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelarts_magics.domain.models import Instance
    from modelarts_magics.keepalive.components import RunView
    from modelarts_magics.keepalive.guards import Guard

MARKS = (timedelta(minutes=10), timedelta(minutes=30))
"""The times left at which the user is notified if nothing keeps the instance running."""
LAST_MARK = timedelta(minutes=1)
"""The time left at which a stop is announced that nothing prevents."""
BOUND_LEAD = timedelta(minutes=30)
"""How long before its bound a guard is announced, if it is at least twice as long."""
COVER_TOLERANCE = timedelta(minutes=1)
"""A guard whose bound is this close to the stop time keeps the instance until the stop."""
MAX_AGE = timedelta(seconds=60)
"""A mark needs a reading that is not older: the run may have been extended elsewhere."""
LONGEST_WAIT = timedelta(seconds=30)
"""How long a mark waits for such a reading, for example while the API does not respond."""
ANNOUNCED_FOR = timedelta(minutes=5)
"""How long a stop that the user has asked for is worth announcing."""
STOPPING_NOW = "stopping-now"
"""The key of its announcement."""
TROUBLE_CODES = frozenset(
    (
        "keep.changed.earlier",
        "keep.changed.mode",
        "keep.changed.stopped",
        "keep.refused.next_start",
        "keep.stop_forbidden",
        "keep.stop_failed",
    )
)
"""The events of the keep-alive that need the user."""


@dataclass(frozen=True)
class Due:
    """An event that is due.

    Attributes:
        key: The name of the event, which is told once.
        claimed_for: The stop time that the claim belongs to; None for none.
        notification: What to tell.
    """

    key: str
    claimed_for: datetime | None
    notification: Notification


def find_due(view: RunView, now: datetime) -> Iterator[Due]:
    """Yield the events that are due; the same ones at each call until they are claimed."""
    instance = view.instance
    if instance is None:
        return
    yield from _announced_stop(view, instance, now)
    yield from _pending_stop(view, instance, now)
    yield from _trouble(view, instance, now)
    for guard in view.kept:
        yield from _bound_near(guard, instance, now)
    if _running_stop_time(instance) is not None:
        yield from _marks(view, instance, now)


def wants_reading(view: RunView, now: datetime) -> bool:
    """Return whether a mark is due soon, and the last reading is too old for it."""
    stops_at = _running_stop_time(view.instance) if view.instance else None
    if view.instance is None or stops_at is None or stops_at <= now:
        return False
    left, age = stops_at - now, now - view.instance.observed_at
    near = any(mark - LONGEST_WAIT <= left <= mark + LONGEST_WAIT for mark in (*MARKS, LAST_MARK))
    return near and age > MAX_AGE / 2


def passed_mark(left: timedelta) -> timedelta | None:
    """Return the mark that was passed last, which is the only one to announce; None before all of them."""
    return min((mark for mark in (*MARKS, LAST_MARK) if left <= mark), default=None)


def _running_stop_time(instance: Instance) -> datetime | None:
    """Return the stop time that will end this run; None if there is none, or it is unknown."""
    auto_stop = instance.auto_stop
    if not instance.running or not auto_stop.enabled or auto_stop.mode is Mode.IDLE:
        return None
    return auto_stop.stops_at


def _marks(view: RunView, instance: Instance, now: datetime) -> Iterator[Due]:
    """Yield the mark that was passed last before a stop that nothing prevents."""
    stops_at = instance.auto_stop.stops_at
    if stops_at is None or now > stops_at:
        return
    left = stops_at - now
    mark = passed_mark(left)
    if mark is None or not _is_reading_current(instance, now, waited=mark - left):
        return
    if mark == LAST_MARK:
        message = Message(
            "notify.text.stopping", _values(instance, stop_time=stops_at, time_left=left)
        )
        yield Due("stopping", stops_at, _notification(STOPPING, message, instance, now, stops_at))
        return
    if any(guard.until >= stops_at - COVER_TOLERANCE for guard in view.kept):
        return
    minutes = mark // timedelta(minutes=1)
    message = Message(
        "notify.text.time-left", _values(instance, stop_time=stops_at, time_left=left)
    )
    notification = _notification(TIME_LEFT, message, instance, now, stops_at)
    yield Due(f"time-left-{minutes}", stops_at, notification)


def _is_reading_current(instance: Instance, now: datetime, *, waited: timedelta) -> bool:
    return now - instance.observed_at <= MAX_AGE or waited >= LONGEST_WAIT


def _announced_stop(view: RunView, instance: Instance, now: datetime) -> Iterator[Due]:
    """Yield the stop that the user has asked for, which is carried out at once."""
    at = view.announced_stop
    if at is None or now - at > ANNOUNCED_FOR:
        return
    message = Message("notify.text.stopping_now", _values(instance))
    notification = Notification.about(
        instance, STOPPING, message, now, stops_at=at, expires_at=at + LIFETIME
    )
    yield Due(STOPPING_NOW, at, notification)


def _pending_stop(view: RunView, instance: Instance, now: datetime) -> Iterator[Due]:
    """Yield the stop after the work, which we cause."""
    pending = view.pending_stop
    if pending is None or pending.stops_at is None:
        return
    values = _values(instance, job=pending.name, stop_time=pending.stops_at)
    message = Message("notify.text.stopping_after", values)
    if pending.idle_time is not None:
        idle = _values(instance, duration=pending.idle_time, stop_time=pending.stops_at)
        message = Message("notify.text.stopping_idle", idle)
    stops_at = pending.stops_at
    notification = Notification.about(
        instance, STOPPING, message, now, stops_at=stops_at, expires_at=stops_at + LIFETIME
    )
    yield Due(f"stopping-after-{pending.name}", pending.since, notification)


def _trouble(view: RunView, instance: Instance, now: datetime) -> Iterator[Due]:
    """Yield what endangers or has ended the keep-alive."""
    stops_at = instance.auto_stop.stops_at
    if view.problem is not None:
        yield Due("trouble", stops_at, _trouble_notification(view.problem, instance, now))
    for event in view.events:
        if event.message.code in TROUBLE_CODES:
            # The number counts from the start of the daemon, which passes no events on.
            key = f"trouble-{os.getpid()}-{event.number}"
            yield Due(key, None, _trouble_notification(event.message, instance, now))


def _trouble_notification(cause: Message, instance: Instance, now: datetime) -> Notification:
    message = Message(
        "notify.text.trouble", _values(instance, cause=cause, stop=stop_message(instance))
    )
    return _notification(TROUBLE, message, instance, now, None)


def _bound_near(guard: Guard, instance: Instance, now: datetime) -> Iterator[Due]:
    """Yield the bound of a guard that will soon end the keep-alive."""
    lead = min(BOUND_LEAD, (guard.until - guard.since) / 2)
    if not timedelta(0) < guard.until - now <= lead:
        return
    values = _values(instance, job=guard.name, until=guard.until, stop=stop_message(instance))
    message = Message("notify.text.bound-near", values)
    notification = _notification(BOUND_NEAR, message, instance, now, guard.until)
    yield Due(f"bound-near-{guard.id}", guard.until, notification)


def _values(instance: Instance, **values: object) -> dict[str, object]:
    """Return the values of a text, with the name of the instance."""
    return {"name": instance.name or instance.id, **values}


def _notification(
    event: str, message: Message, instance: Instance, now: datetime, expires_at: datetime | None
) -> Notification:
    follows = event in (TIME_LEFT, STOPPING)
    return Notification.about(
        instance, event, message, now, expires_at=expires_at, follows_stop_time=follows
    )
