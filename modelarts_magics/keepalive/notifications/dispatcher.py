"""Send what is in the outbox: each sink by itself, with retries, quiet hours and a limit per hour."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Callable, Protocol

from modelarts_magics.keepalive.notifications.outbox import DROPPED, Delivery, Entry, Outbox
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime, time, tzinfo

    from modelarts_magics.keepalive.notifications.notification import Notification
    from modelarts_magics.keepalive.notifications.sender import Result
    from modelarts_magics.keepalive.notifications.sinks import Sink


@dataclass(frozen=True)
class Rules:
    """When nothing is sent.

    Attributes:
        quiet_hours: Begin and end of the hours in which nothing is sent; None for no such hours.
        timezone: The time zone of these hours.
        limit: The number of notifications within an hour.
    """

    quiet_hours: tuple[time, time] | None
    timezone: tzinfo
    limit: int

    def is_quiet(self, now: datetime) -> bool:
        """Return whether it is in the quiet hours; a range may include midnight."""
        if self.quiet_hours is None:
            return False
        begin, end = self.quiet_hours
        clock = now.astimezone(self.timezone).time()
        return begin <= clock < end if begin <= end else clock >= begin or clock < end


class RunningAttempt(Protocol):
    """An attempt to send a notification to a sink; see `sender.Attempt`."""

    def poll(self) -> Result | None:
        """Return what came of it; None while that is unknown."""

    def close(self) -> None:
        """End it."""


Start = Callable[["Sink", "Mapping[str, Any]"], RunningAttempt]
OnOutcome = Callable[["Sink", "Notification", Delivery], None]


class Dispatcher:
    """Send the entries of an outbox, to each sink one after another and to all sinks at the same time.

    Args:
        outbox: The entries.
        start: Starts an attempt, and returns at once.
        render: Returns the document of a notification; its second argument says whether it is repeated.
        on_outcome: Called after each attempt, and when a notification is not sent at all.
    """

    def __init__(
        self,
        outbox: Outbox,
        *,
        start: Start,
        render: Callable[[Notification, bool], Mapping[str, Any]],
        on_outcome: OnOutcome,
    ) -> None:
        self._outbox = outbox
        self._start = start
        self._render = render
        self._on_outcome = on_outcome
        self._running: dict[str, tuple[Entry, Sink, RunningAttempt]] = {}

    @property
    def is_busy(self) -> bool:
        """Whether something is being sent or waits."""
        return any(not entry.is_final for entry in self._outbox.entries)

    def update(
        self,
        sinks: tuple[Sink, ...],
        rules: Rules,
        now: datetime,
        *,
        is_obsolete: Callable[[Notification], bool] = lambda _: False,
    ) -> None:
        """Take the outcomes of attempts, and start those that are due; never waits.

        Args:
            sinks: The sinks.
            rules: When nothing is sent.
            now: The time by the clock of the API.
            is_obsolete: Returns whether a notification is not true any more.
        """
        self._finish(now)
        for entry, sink_id in list(self._waiting()):
            sink = next((each for each in sinks if each.id == sink_id), None)
            code = _reason_to_drop(entry.notification, sink, now, is_obsolete)
            if code:
                self._drop(entry, sink_id, sink, code)
            elif sink is not None and self._may_start(entry, sink, rules, now):
                self._begin(entry, sink, now)
        self._outbox.discard_old(now)

    def close(self) -> None:
        """End all attempts; what they have sent is unknown to the next daemon."""
        for _, _, attempt in self._running.values():
            attempt.close()
        self._running.clear()

    def _waiting(self) -> Iterator[tuple[Entry, str]]:
        """Yield the deliveries that wait, those that expire first before others."""
        entries = sorted(self._outbox.entries, key=lambda each: each.notification.expires_at)
        for entry in entries:
            for sink_id, delivery in entry.deliveries.items():
                is_running = sink_id in self._running and self._running[sink_id][0] is entry
                if not delivery.is_final and not is_running:
                    yield entry, sink_id

    def _may_start(self, entry: Entry, sink: Sink, rules: Rules, now: datetime) -> bool:
        if sink.id in self._running or not entry.deliveries[sink.id].is_due(now):
            return False
        if rules.is_quiet(now):
            return False
        is_counted = entry.first_sent_at is not None
        return is_counted or self._outbox.sent_within_hour(now) < rules.limit

    def _begin(self, entry: Entry, sink: Sink, now: datetime) -> None:
        delivery = entry.deliveries[sink.id]
        entry.first_sent_at = entry.first_sent_at or now
        entry.deliveries[sink.id] = delivery.begun()
        try:
            # On disk before anything is sent.
            self._outbox.save(entry)
        except OSError:
            entry.deliveries[sink.id] = delivery
            raise
        payload = self._render(entry.notification, delivery.unknown > 0)
        self._running[sink.id] = (entry, sink, self._start(sink, payload))

    def _finish(self, now: datetime) -> None:
        for sink_id, (entry, sink, attempt) in list(self._running.items()):
            result = attempt.poll()
            if result is None:
                continue
            del self._running[sink_id]
            attempt.close()
            before = replace(entry.deliveries[sink_id], state="waiting")
            self._set(entry, sink, before.finished(result, now))

    def _drop(self, entry: Entry, sink_id: str, sink: Sink | None, code: str) -> None:
        delivery = entry.deliveries[sink_id]
        cause = delivery.cause or Message(f"notify.cause.{code}")
        dropped = replace(delivery, state=DROPPED, cause=cause)
        if sink is None:
            entry.deliveries[sink_id] = dropped
        else:
            self._set(entry, sink, dropped)

    def _set(self, entry: Entry, sink: Sink, delivery: Delivery) -> None:
        entry.deliveries[sink.id] = delivery
        self._on_outcome(sink, entry.notification, delivery)
        # After a restart it would count as interrupted, and be repeated as such.
        with contextlib.suppress(OSError):
            self._outbox.save(entry)


def _reason_to_drop(
    notification: Notification,
    sink: Sink | None,
    now: datetime,
    is_obsolete: Callable[[Notification], bool],
) -> str:
    """Return why a notification is not sent any more; "" if it is."""
    if sink is None:
        return "removed"
    if now >= notification.expires_at:
        return "expired"
    return "obsolete" if is_obsolete(notification) else ""
