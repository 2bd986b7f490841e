"""A notifier with sinks, attempts and a clock in memory, for tests."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from factories import HOUR, NOW, make_instance, timed_auto_stop

from modelarts_magics.config.settings import Settings
from modelarts_magics.keepalive.components import RunView
from modelarts_magics.keepalive.folder import FOLDER_SUFFIX
from modelarts_magics.keepalive.guards import NAMED, Guard
from modelarts_magics.keepalive.notifications.component import Notifier
from modelarts_magics.keepalive.notifications.send import DELIVERED
from modelarts_magics.keepalive.notifications.sender import Result
from modelarts_magics.keepalive.notifications.sinks import WEBHOOK, SinkList, load_sinks, save_sinks

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Mapping
    from datetime import datetime, timedelta
    from pathlib import Path

    from modelarts_magics.keepalive.notifications.sinks import Sink

SECRET = "https://example.com/hook/MARKED-SECRET"
OK = Result(DELIVERED)


@dataclass
class FakeAttempt:
    """An attempt whose outcome is known after some polls.

    Attributes:
        result: The outcome; None for an attempt that never ends.
        polls: How often `poll` returns None before that.
        is_closed: Whether it was ended.
    """

    result: Result | None
    polls: int = 0
    is_closed: bool = False

    def poll(self) -> Result | None:
        """Return the outcome after the polls."""
        self.polls -= 1
        return self.result if self.polls < 0 else None

    def close(self) -> None:
        """Note that it was ended."""
        self.is_closed = True


@dataclass
class NotificationWorld:
    """A notifier and what it has sent.

    Attributes:
        folder: A folder for all files.
        settings: Settings as in the environment.
        sent: Time, number of the sink and document of each attempt.
        attempts: The outcomes of the next attempts by the number of the sink; then all are delivered.
        now: The current time.
        view: The run.
    """

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    sent: list[tuple[datetime, str, Mapping[str, Any]]] = field(default_factory=list)
    attempts: dict[str, deque[FakeAttempt]] = field(default_factory=dict)
    now: datetime = NOW
    view: RunView = field(default_factory=RunView)

    def __post_init__(self) -> None:
        self.shared_folder = self.folder / "shared"
        self.daemon_folder = self.folder / f"digest{FOLDER_SUFFIX}"
        self.daemon_folder.mkdir(parents=True)
        self.notifier = self.start_daemon()

    def start_daemon(self) -> Notifier:
        """Start another notifier, as after the death of the daemon."""
        environ = {"MODELARTS_TIMEZONE": "+08:00", "MODELARTS_LANGUAGE": "en", **self.settings}
        self.notifier = Notifier(
            self.daemon_folder,
            self.shared_folder,
            load_settings=lambda: Settings.load(environ=environ),
            start=self._start,
        )
        return self.notifier

    def add_sink(self, address: str = SECRET) -> str:
        """Add a webhook, and return its number."""
        changed = load_sinks(self.shared_folder).with_sink(WEBHOOK, address)
        save_sinks(self.shared_folder, changed)
        return changed.sinks[-1].id

    def mute(self, *events: str) -> None:
        """Turn events off."""
        found: SinkList = load_sinks(self.shared_folder)
        save_sinks(self.shared_folder, found.with_events(frozenset(events), on=False))

    def run(self, left: timedelta, *kept: Guard, **changes: Any) -> None:  # noqa: ANN401 - fields of the view
        """Let the instance stop so long after now."""
        auto_stop = timed_auto_stop(left + (self.now - NOW))
        instance = replace(make_instance(auto_stop), observed_at=self.now)
        started_at = changes.pop("started_at", NOW - HOUR)
        self.view = RunView(instance, started_at, kept=kept, **changes)

    def advance(self, by: timedelta, *, reads: bool = True) -> None:
        """Let time pass, read the instance, and make a pass."""
        self.now += by
        if reads and self.view.instance is not None:
            read = replace(self.view.instance, observed_at=self.now)
            self.view = replace(self.view, instance=read)
        self.make_pass()

    def make_pass(self) -> None:
        """Do what the daemon does in a pass."""
        self.notifier.observe(self.view)
        self.notifier.needs_daemon()
        self.notifier.update((), self.now)

    def events(self, sink_id: str = "1") -> list[str]:
        """Return the events that were sent to a sink."""
        return [payload["event"] for _, to, payload in self.sent if to == sink_id]

    def _start(self, sink: Sink, payload: Mapping[str, Any]) -> FakeAttempt:
        self.sent.append((self.now, sink.id, payload))
        waiting = self.attempts.get(sink.id)
        return waiting.popleft() if waiting else FakeAttempt(OK)


def make_guard(
    until: datetime,
    *,
    name: str = "train",
    since: datetime = NOW - HOUR,
    **changes: Any,  # noqa: ANN401 - any field
) -> Guard:
    """Return a guard that is ended by its name."""
    return Guard(name=name, kind=NAMED, pid=1, since=since, until=until, **changes)
