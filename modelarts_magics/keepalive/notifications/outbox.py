"""The notifications that are to be sent: one file each, in the folder that survives a stop.

Only the elected daemon of the instance writes them. A delivery is marked as begun on disk before it begins. One
that a killed daemon has begun has an unknown outcome, and is repeated as such.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from modelarts_magics.config.atomic_file import replace_object
from modelarts_magics.config.private_file import read_private_object
from modelarts_magics.keepalive.claims import is_same_occasion
from modelarts_magics.keepalive.notifications.notification import Notification
from modelarts_magics.keepalive.notifications.send import DELIVERED, NOT_SENT, REFUSED
from modelarts_magics.keepalive.state import decode, encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from modelarts_magics.keepalive.notifications.sender import Result
    from modelarts_magics.messages import Message

FORMAT_VERSION = 1
WAITING, BEGUN, DONE, FAILED, DROPPED = "waiting", "begun", "done", "failed", "dropped"
"""The states of a delivery; the last three are final."""
RETRY_DELAYS_S = (5, 15, 45, 120, 300)
"""The seconds before each further attempt."""
MAX_UNKNOWN = 6
"""The number of attempts whose message may have arrived; after them, no more are made."""
KEPT_FOR = timedelta(hours=1)
"""How long a notification that is done is kept, for the limit per hour."""


@dataclass(frozen=True)
class Delivery:
    """The delivery of a notification to a sink.

    Attributes:
        state: One of the states above.
        attempts: The attempts that were made.
        unknown: How many of them may have arrived.
        next_at: When the next attempt is due.
        cause: Why the last attempt failed; None if it did not.
    """

    state: str = WAITING
    attempts: int = 0
    unknown: int = 0
    next_at: datetime | None = None
    cause: Message | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing more is sent."""
        return self.state in (DONE, FAILED, DROPPED)

    def is_due(self, now: datetime) -> bool:
        """Return whether the next attempt is due."""
        return self.state == WAITING and (self.next_at is None or now >= self.next_at)

    def begun(self) -> Delivery:
        """Return the delivery with an attempt in progress."""
        return replace(self, state=BEGUN)

    def interrupted(self) -> Delivery:
        """Return the delivery whose attempt was in progress when the daemon was killed."""
        return replace(self, state=WAITING, attempts=self.attempts + 1, unknown=self.unknown + 1)

    def finished(self, result: Result, now: datetime) -> Delivery:
        """Return the delivery after an attempt.

        Args:
            result: What came of it.
            now: The current time.
        """
        attempts = self.attempts + 1
        unknown = self.unknown + (result.outcome not in (DELIVERED, NOT_SENT, REFUSED))
        if result.outcome == DELIVERED:
            return Delivery(DONE, attempts, unknown)
        is_last = result.outcome == REFUSED or unknown >= MAX_UNKNOWN
        delay_s = RETRY_DELAYS_S[min(self.attempts, len(RETRY_DELAYS_S) - 1)]
        if result.retry_after_s is not None:
            delay_s = max(delay_s, min(round(result.retry_after_s), RETRY_DELAYS_S[-1]))
        next_at = None if is_last else now + timedelta(seconds=delay_s)
        return Delivery(FAILED if is_last else WAITING, attempts, unknown, next_at, result.cause)


@dataclass
class Entry:
    """A notification and its deliveries.

    Attributes:
        notification: The notification.
        deliveries: The deliveries by the number of the sink.
        key: The name of the claim for it.
        claimed_for: The stop time that the claim belongs to.
        first_sent_at: When the first attempt began; None before that.
    """

    notification: Notification
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    key: str = ""
    claimed_for: datetime | None = None
    first_sent_at: datetime | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing more is sent."""
        return all(each.is_final for each in self.deliveries.values())


class Outbox:
    """The entries of one instance.

    Args:
        folder: The folder of their files; created by the first of them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.entries = list(_load(folder))

    def has(self, key: str, claimed_for: datetime | None) -> bool:
        """Return whether there is a notification for a claim."""
        return any(
            each.key == key and is_same_occasion(each.claimed_for, claimed_for)
            for each in self.entries
        )

    def add(
        self,
        notification: Notification,
        sink_ids: Iterable[str],
        *,
        key: str,
        claimed_for: datetime | None,
    ) -> None:
        """Add a notification.

        Raises:
            OSError: The file cannot be written; nothing is sent.
        """
        deliveries = {sink_id: Delivery() for sink_id in sink_ids}
        entry = Entry(notification, deliveries, key, claimed_for)
        self.save(entry)
        self.entries.append(entry)

    def save(self, entry: Entry) -> None:
        """Write the file of an entry.

        Raises:
            OSError: The file cannot be written.
        """
        content = {
            "version": FORMAT_VERSION,
            "notification": entry.notification.to_json(),
            "key": entry.key,
            "claimed_for": encode(entry.claimed_for),
            "first_sent_at": encode(entry.first_sent_at),
            "deliveries": {
                sink_id: {
                    "state": each.state,
                    "attempts": each.attempts,
                    "unknown": each.unknown,
                    "next_at": encode(each.next_at),
                    "cause": encode(each.cause),
                }
                for sink_id, each in entry.deliveries.items()
            },
        }
        replace_object(self._path(entry), content)

    def discard_old(self, now: datetime) -> None:
        """Delete the entries that are done and no longer count."""
        for entry in [each for each in self.entries if each.is_final]:
            since = entry.first_sent_at
            if since is None or now - since >= KEPT_FOR:
                self.entries.remove(entry)
                with contextlib.suppress(OSError):
                    self._path(entry).unlink(missing_ok=True)

    def sent_within_hour(self, now: datetime) -> int:
        """Return how many notifications were sent in the last hour."""
        times = (each.first_sent_at for each in self.entries)
        return sum(time is not None and now - time < KEPT_FOR for time in times)

    def _path(self, entry: Entry) -> Path:
        return self._folder / f"{entry.notification.id}.json"


def outbox_folder(shared_folder: Path, daemon_folder: Path) -> Path:
    """Return the folder of the notifications of an instance.

    Args:
        shared_folder: The folder of the sinks, which survives a stop.
        daemon_folder: The folder of the daemon.
    """
    return shared_folder / f"outbox-{daemon_folder.stem}"


def _load(folder: Path) -> Iterable[Entry]:
    found = [_read(path) for path in folder.glob("*.json")]
    entries = [entry for entry in found if entry is not None]
    return sorted(entries, key=lambda entry: entry.notification.created_at)


def _read(path: Path) -> Entry | None:
    data = read_private_object(path, version=FORMAT_VERSION)
    try:
        return Entry(
            Notification.from_json(data["notification"]),
            {sink_id: _delivery(each) for sink_id, each in data["deliveries"].items()},
            str(data["key"]),
            decode(data["claimed_for"]),
            decode(data["first_sent_at"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _delivery(data: Mapping[str, Any]) -> Delivery:
    delivery = Delivery(
        str(data["state"]),
        int(data["attempts"]),
        int(data["unknown"]),
        decode(data["next_at"]),
        decode(data["cause"]),
    )
    return delivery.interrupted() if delivery.state == BEGUN else delivery
