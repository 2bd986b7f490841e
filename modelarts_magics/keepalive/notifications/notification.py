"""A notification: what has happened, when it is pointless, and its text and JSON."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from modelarts_magics.keepalive.state import decode, encode
from modelarts_magics.messages import Message, text, to_local

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelarts_magics.domain.models import Instance

PAYLOAD_VERSION = 1
LIFETIME = timedelta(hours=24)
"""How long a notification about something that has ended is worth sending."""
MAX_LINE = 300
"""The longest last line of an output, in characters."""


@dataclass(frozen=True)
class Notification:
    """Something to tell the user.

    Attributes:
        event: One of `sinks.EVENTS`, or ``test``.
        message: Its text, whose code begins with ``notify.text.``; the title has the same values.
        created_at: When it was created, by the clock of the API.
        instance_id: The ID of the instance.
        instance_name: Its name.
        stops_at: Its stop time; None if it has none, or it is unknown.
        expires_at: When it is pointless to send it.
        follows_stop_time: Whether it is pointless once the stop time has moved.
        job: ``name``, ``duration_s``, ``exit_status`` and ``last_line`` of a job; empty for other events.
        id: Identifies it, so that a receiver can drop a repeated one.
    """

    event: str
    message: Message
    created_at: datetime
    instance_id: str
    instance_name: str
    stops_at: datetime | None
    expires_at: datetime
    follows_stop_time: bool = False
    job: Mapping[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: os.urandom(16).hex())

    @classmethod
    def about(  # noqa: PLR0913 - what differs between the events
        cls,
        instance: Instance,
        event: str,
        message: Message,
        now: datetime,
        *,
        stops_at: datetime | None = None,
        expires_at: datetime | None = None,
        **fields: Any,  # noqa: ANN401 - the other fields
    ) -> Notification:
        """Return a notification about an instance.

        Args:
            instance: The instance.
            event: One of `sinks.EVENTS`.
            message: Its text.
            now: The time by the clock of the API.
            stops_at: The stop time; None for that of the instance.
            expires_at: When it is pointless to send it; None for `LIFETIME` from now.
            fields: Further fields.
        """
        return cls(
            event=event,
            message=message,
            created_at=now,
            instance_id=instance.id,
            instance_name=instance.name,
            stops_at=stops_at or instance.auto_stop.stops_at,
            expires_at=expires_at or now + LIFETIME,
            **fields,
        )

    def title(self, *, repeated: bool = False) -> str:
        """Return the first line, in the language of messages."""
        name = self.message.code.rpartition(".")[2]
        title = text(f"notify.title.{name}", **self.message.values)
        return text("notify.repeated", title=title) if repeated else title

    def body(self) -> str:
        """Return the text: what has happened, the stop time, and what to do."""
        return str(self.message)

    def payload(self, *, repeated: bool = False) -> dict[str, Any]:
        """Return the document that a webhook receives; the README describes it."""
        payload = {
            "version": PAYLOAD_VERSION,
            "id": self.id,
            "event": self.event,
            "repeated": repeated,
            "created_at": _iso(self.created_at),
            "instance": {"id": self.instance_id, "name": self.instance_name},
            "stops_at": _iso(self.stops_at),
            "title": self.title(repeated=repeated),
            "text": self.body(),
        }
        return {**payload, "job": dict(self.job)} if self.job else payload

    def to_json(self) -> dict[str, Any]:
        """Return all fields as JSON."""
        return {
            "event": self.event,
            "message": encode(self.message),
            "created_at": encode(self.created_at),
            "instance_id": self.instance_id,
            "instance_name": self.instance_name,
            "stops_at": encode(self.stops_at),
            "expires_at": encode(self.expires_at),
            "follows_stop_time": self.follows_stop_time,
            "job": dict(self.job),
            "id": self.id,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Notification:
        """Return the notification of `to_json`.

        Raises:
            KeyError, TypeError, ValueError: The data is none.
        """
        return cls(
            event=str(data["event"]),
            message=decode(data["message"]),
            created_at=decode(data["created_at"]),
            instance_id=str(data["instance_id"]),
            instance_name=str(data["instance_name"]),
            stops_at=decode(data["stops_at"]),
            expires_at=decode(data["expires_at"]),
            follows_stop_time=bool(data["follows_stop_time"]),
            job=dict(data["job"]),
            id=str(data["id"]),
        )


def shorten_line(line: str) -> str:
    """Return the end of an output as one printable line of limited length."""
    printable = "".join(each if each.isprintable() else " " for each in line).strip()
    return printable if len(printable) <= MAX_LINE else f"{printable[: MAX_LINE - 1]}…"


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else to_local(moment).isoformat(timespec="seconds")
