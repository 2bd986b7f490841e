"""Clicks on a countdown that the page could not have answered by itself: the kernel asks the cloud.

A click that waited for a busy kernel may have been cancelled meanwhile; its cancellation stands behind it in
the queue. So a click is done a moment after it arrives, in a thread, and not at all if it was cancelled.
"""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

from modelarts_magics.domain.browser_payloads import change_response, error_response
from modelarts_magics.domain.durations import datetime_from_ms, datetime_to_ms
from modelarts_magics.errors import ModelArtsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from modelarts_magics.domain.models import Change
    from modelarts_magics.session.session import Session

CLICK_DELAY_S = 0.1
"""Long enough for what stands in the queue of an idle kernel, too short to notice."""

_LOG = logging.getLogger(__name__)


def run_after_delay(callback: Callable[[], None]) -> None:
    """Do the job in a thread, a moment later."""
    timer = threading.Timer(CLICK_DELAY_S, callback)
    timer.daemon = True
    timer.start()


class CountdownMessageHandler:
    """Answers the messages of the pages that show one countdown.

    Args:
        get_session: Gives the session, when something has to be asked.
        now: The cloud's time; asks nobody, and cannot fail.
        send: Sends a message to all pages.
        schedule: Does a job a moment later; for tests, at once.
    """

    def __init__(
        self,
        get_session: Callable[[], Session],
        *,
        now: Callable[[], datetime],
        send: Callable[[dict[str, Any]], None],
        schedule: Callable[[Callable[[], None]], None] = run_after_delay,
    ) -> None:
        self._get_session = get_session
        self._now = now
        self._send = send
        self._schedule = schedule
        self._pending_ids: set[str] = set()

    def handle_message(self, message: Mapping[str, Any]) -> None:
        """Take one message; what is none of ours is left alone."""
        kind = message.get("type")
        if kind == "hello":
            self._send({"type": "now", "server_now_ms": datetime_to_ms(self._now())})
        elif kind == "cancel":
            self._cancel(str(message.get("id")))
        elif kind == "request":
            self._pending_ids.add(str(message.get("id")))
            self._schedule(lambda: self._answer_request(message))

    def _cancel(self, request_id: str) -> None:
        if request_id in self._pending_ids:
            self._pending_ids.discard(request_id)
            self._send({"type": "result", "id": request_id, **_failure_result("cancelled")})

    def _answer_request(self, message: Mapping[str, Any]) -> None:
        number = str(message.get("id"))
        if number not in self._pending_ids:
            return
        self._pending_ids.discard(number)
        self._send({"type": "result", "id": number, **self._run_request(message)})

    def _run_request(self, message: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return change_response(self._apply_change(message))
        except ModelArtsError as error:
            return error_response(error)
        except Exception as error:  # noqa: BLE001 - said in the page and logged: nobody else would
            _LOG.exception("a click failed")
            return _failure_result("failed", type(error).__name__)

    def _apply_change(self, message: Mapping[str, Any]) -> Change:
        session = self._get_session()
        by = timedelta(seconds=float(message["seconds"]))
        seen_end = datetime_from_ms(int(message["base_stops_at_ms"]))
        if message["action"] == "shorten":
            return session.shorten(by, seen_stop_time=seen_end)
        return session.extend(by, seen_stop_time=seen_end)


def _failure_result(code: str, text: str = "") -> dict[str, Any]:
    return {"ok": False, "effect": None, "code": code, "values": {}, "text": text}
