"""The last delivery to each sink, for ``notify list``, doctor and panel."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelarts_magics.config.atomic_file import replace_object
from modelarts_magics.config.private_file import read_private_object
from modelarts_magics.keepalive.state import decode, encode
from modelarts_magics.messages import has_text, text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from modelarts_magics.messages import Message

FORMAT_VERSION = 1
FILE_NAME = "deliveries.json"


@dataclass(frozen=True)
class LastDelivery:
    """The outcome of the last delivery to a sink.

    Attributes:
        at: When.
        event: The event, or ``test``.
        state: One of the states of `outbox.Delivery`.
        attempts: The attempts that were made.
        cause: Why it failed; None if it did not.
    """

    at: datetime
    event: str
    state: str
    attempts: int = 1
    cause: Message | None = None


def save_delivery(folder: Path, sink_id: str, last: LastDelivery) -> None:
    """Write the last delivery to a sink; a full disk is not reported."""
    entries = read_private_object(folder / FILE_NAME, version=FORMAT_VERSION)
    entries["version"] = FORMAT_VERSION
    entries[sink_id] = {
        "at": encode(last.at),
        "event": last.event,
        "state": last.state,
        "attempts": last.attempts,
        "cause": encode(last.cause),
    }
    with contextlib.suppress(OSError):
        replace_object(folder / FILE_NAME, entries)


def load_deliveries(folder: Path) -> dict[str, LastDelivery]:
    """Return the last delivery by the number of the sink."""
    entries = read_private_object(folder / FILE_NAME, version=FORMAT_VERSION)
    found = {key: _from_json(value) for key, value in entries.items() if key != "version"}
    return {key: value for key, value in found.items() if value is not None}


def delivery_text(last: LastDelivery | None) -> str:
    """Return what came of the last delivery to a sink as text."""
    if last is None:
        return text("notify.delivery.none")
    values = {"at": last.at, "event": last.event, "cause": cause_text(last.cause)}
    return text(f"notify.delivery.{last.state}", **values)


def cause_text(cause: Message | None) -> str:
    """Return why a delivery failed; one of another version may have no text here."""
    if cause is None or not has_text(cause.code):
        return text("word.empty")
    return str(cause)


def _from_json(data: Mapping[str, Any]) -> LastDelivery | None:
    try:
        return LastDelivery(
            decode(data["at"]),
            str(data["event"]),
            str(data["state"]),
            int(data["attempts"]),
            decode(data["cause"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
