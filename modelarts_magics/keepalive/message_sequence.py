"""Find out how many messages a kernel has dropped because a subscriber was too slow.

The IPython kernel numbers its messages. A number is missing at a subscriber if the message was dropped, or was a
reply on another channel. Messages are dropped only while very many are sent, which tells the two apart.

Source: jupyter_client's `Session.msg_id`, and zmq_setsockopt(3), ZMQ_SNDHWM.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from modelarts_magics.keepalive.kernel_channel import KernelMessage

BURST = 200
"""Messages within about a second from which on some may have been dropped."""
_NUMBERED_ID = re.compile(rb'"msg_id": ?"([^"\\]+)_(\d+)"')
SETTLE_S = 1.0
"""The time in which messages from several threads of the kernel arrive in another order."""


class Lost(NamedTuple):
    """Messages that were dropped.

    Attributes:
        messages: Their number.
        since: When the message before the first of them was sent, in seconds since 1970.
        until: When the message after the last of them was sent.
    """

    messages: int
    since: float
    until: float


class MessageSequence:
    """The numbers of the messages of one kernel."""

    def __init__(self) -> None:
        self._next: dict[bytes, int] = {}
        self._missing = 0
        self._replies = 0
        self._since = self._until = 0.0
        self._last: KernelMessage | None = None
        self._noticed_at: float | None = None
        self._window = 0.0
        self._counts = (0, 0)

    def add(self, message: KernelMessage, now: float) -> None:
        """Take the number of a message that has arrived.

        Args:
            message: The message.
            now: The time in seconds since 1970.
        """
        self._count(now)
        # Decoding every header would take as long as the rest of the recorder.
        found = _NUMBERED_ID.search(message.raw_header)
        if found is None:
            return
        process, number = found[1], int(found[2])
        expected = self._next.get(process, number)
        if number >= expected:
            self._next[process] = number + 1
            if number > expected and sum(self._counts) >= BURST:
                self._notice(number - expected, message, now)
        elif self._missing:
            self._missing -= 1
        if _is_reply_due(message):
            self._replies += 1
        self._last = message

    def take_lost(self, now: float, *, at_once: bool = False) -> Lost | None:
        """Return what has been lost since the last call, once late messages have had time to arrive.

        Args:
            now: The time in seconds since 1970.
            at_once: Whether no more messages will arrive.
        """
        if self._noticed_at is None or (not at_once and now - self._noticed_at < SETTLE_S):
            return None
        messages = self._missing - self._replies
        lost = Lost(messages, self._since, self._until) if messages > 1 else None
        self._missing = self._replies = 0
        self._noticed_at = None
        return lost

    def _count(self, now: float) -> None:
        """Count the messages of the current and of the last second."""
        if not 0 <= now - self._window < 1:
            is_next = 0 <= now - self._window < 2  # noqa: PLR2004 - the window after this one
            self._counts = (self._counts[1] if is_next else 0, 0)
            self._window = now
        self._counts = (self._counts[0], self._counts[1] + 1)

    def _notice(self, messages: int, message: KernelMessage, now: float) -> None:
        if self._noticed_at is None:
            self._noticed_at = now
            self._since = _sent(self._last, now) if self._last else now
            self._replies = 0
        self._missing += messages
        self._until = _sent(message, now)


def _is_reply_due(message: KernelMessage) -> bool:
    """Return whether the kernel has just replied to a request on another channel."""
    if b'"status"' not in message.raw_header or message.content.get("execution_state") != "idle":
        return False
    return str(message.parent_header.get("msg_type", "")).endswith("_request")


def _sent(message: KernelMessage, default: float) -> float:
    """Return when a message was sent, in seconds since 1970."""
    try:
        date = str(message.header.get("date"))
        return datetime.fromisoformat(date.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return default
