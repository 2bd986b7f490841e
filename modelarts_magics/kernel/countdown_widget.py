"""The countdown widget and the messages between it and the pages that show it.

The page counts down by itself and needs the kernel only for changes. Traits and messages are defined in
``labextension/src/countdown/messages.ts``.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import anywidget
import ipywidgets  # type: ignore[import-untyped]
import traitlets

from modelarts_magics.commands.render import NO_MATH
from modelarts_magics.domain.browser_payloads import (
    change_response,
    countdown_payload,
    error_response,
)
from modelarts_magics.domain.countdown import stop_message
from modelarts_magics.domain.durations import datetime_from_ms, datetime_to_ms
from modelarts_magics.errors import ModelArtsError
from modelarts_magics.kernel import widget_lifetime
from modelarts_magics.kernel.current_session import current_session
from modelarts_magics.kernel.scheduling import run_after_delay
from modelarts_magics.kernel.widget_display import (
    FRAME_CLASS,
    WIDGET_VIEW,
    StaticDisplay,
    countdown_fallback,
    find_page_obstacle,
    show_as_text,
)
from modelarts_magics.messages import terminal_command

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from modelarts_magics.doctor.page_widgets import WidgetObstacle
    from modelarts_magics.domain.models import Change, Instance
    from modelarts_magics.session.session import Session

_STATIC_FOLDER = Path(__file__).parent.parent / "static"

_LOG = logging.getLogger(__name__)


class Countdown(StaticDisplay, anywidget.AnyWidget):
    """A countdown to the stop time, with buttons to extend and shorten the run.

    Counts down in the browser. Every view shows changes made by any process of this machine immediately.

    Args:
        session: The session to show and change; by default the session of the magics, or one from the settings.
        schedule: Runs the callback of a click after a short delay; tests run it immediately.
        find_obstacle: Returns why the page cannot show the countdown; it is then displayed as text.

    Attributes:
        shown_as: The model ID of the widget that pages show: this one, or the form that contains it.

    Raises:
        ModelArtsError: The instance could not be read.

    Example:
        ``from modelarts_magics import Countdown; Countdown()`` as the last line of a cell.
    """

    # Text, marked by its line break: to watch a file, anywidget would keep each widget and may start a thread.
    _esm = (_STATIC_FOLDER / "countdown.js").read_text(encoding="utf-8") + "\n"
    _css = (_STATIC_FOLDER / "countdown.css").read_text(encoding="utf-8") + "\n"

    # The front end may be that of another kernel's anywidget; its modules have had one interface since 0.9.
    _model_module_version = traitlets.Unicode("0.x").tag(sync=True)
    _view_module_version = traitlets.Unicode("0.x").tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
    as_of_ms = traitlets.Int(0).tag(sync=True)
    widget_id = traitlets.Unicode("").tag(sync=True)
    language = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        session: Session | None = None,
        *,
        schedule: Callable[[Callable[[], None]], None] = run_after_delay,
        find_obstacle: Callable[[], WidgetObstacle | None] = find_page_obstacle,
    ) -> None:
        self._find_obstacle = find_obstacle
        get_session = current_session if session is None else lambda: session
        self._unsubscribe: Callable[[], None] = lambda: None
        self._session = opened = get_session()
        # A failed read must not leave an open widget behind, so it comes before the widget is created.
        self._instance = opened.refresh()
        self._message_handler = CountdownMessageHandler(
            get_session, now=opened.now, send=self.send, schedule=schedule
        )
        super().__init__()
        self.widget_id = self.shown_as = self.model_id or ""
        self.language = opened.settings.get("language") if opened.settings else ""
        self.on_msg(self._on_message)
        self._update_state(self._instance)
        self._unsubscribe = opened.subscribe(widget_lifetime.weak_callback(self._update_state))
        self._frame: Any = None
        widget_lifetime.close_when_unreferenced(self)

    @property
    def instance(self) -> Instance:
        """The instance as shown."""
        return self._instance

    def close(self) -> None:
        """Remove all views, stop following changes and drop clicks that wait. Closing twice does nothing."""
        self._unsubscribe()
        if self.comm is not None:
            self._message_handler.close()
            widget_lifetime.release(self.widget_id)
            super().close()
            widget_lifetime.close_tree(self._frame or self)

    def _update_state(self, instance: Instance) -> None:
        self._instance = instance
        context = self._session.plan_context(instance)
        with self.hold_sync():
            self.state = countdown_payload(context)
            self.as_of_ms = datetime_to_ms(instance.observed_at)

    def _on_message(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        if content.get("type") == "hello":
            widget_lifetime.view_opened(self.shown_as, str(content.get("view", "")))
        elif content.get("type") == "bye":
            widget_lifetime.view_closed(self.shown_as, str(content.get("view", "")))
        self._message_handler.handle_message(content)

    def _repr_mimebundle_(self, **options: Any) -> Any:  # noqa: ANN401 - IPython's hook
        """Return the widget and, for front ends without widgets, a line of text."""
        bundle = super()._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data is not None:
            widget_lifetime.keep_while_shown(self)
            line = str(stop_message(self._instance))
            data["text/plain"] = line
            data["text/html"] = html = f"<p {NO_MATH}>{escape(line)}</p>"
            obstacle = self._find_obstacle()
            if obstacle:
                show_as_text(data, obstacle)
            else:
                data[WIDGET_VIEW]["model_id"] = self._framed(html).model_id
        return bundle

    def _framed(self, line: str) -> Any:  # noqa: ANN401 - ipywidgets has no types
        """Return the widget to show: the countdown with a line in case that the page may not load it."""
        if self._frame is None:
            self._frame = ipywidgets.VBox([self, countdown_fallback(line)])
            self._frame.add_class(FRAME_CLASS)
            widget_lifetime.close_when_unreferenced(self._frame)
        return self._frame


class CountdownMessageHandler:
    """Handler for the messages of all pages that show one countdown.

    A click that reaches a busy kernel may have been cancelled by the time it is read, with the cancellation queued
    behind it. Each click is therefore scheduled, and dropped if its cancellation arrives first.

    Args:
        get_session: Returns the session; called for each click.
        now: Returns the time by the API's clock, without a request; must not fail.
        send: Sends a message to all pages.
        schedule: Runs a callback after a short delay; tests run it immediately.
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

    def close(self) -> None:
        """Drop the clicks that are scheduled."""
        self._pending_ids.clear()

    def handle_message(self, message: Mapping[str, Any]) -> None:
        """Handle one message of a page. Messages of unknown type are ignored."""
        kind = message.get("type")
        if kind == "hello":
            self._send(
                {
                    "type": "now",
                    "server_now_ms": datetime_to_ms(self._now()),
                    # No trait: notebooks contain the state of widgets, and should name no path of this machine.
                    "terminal_prefix": terminal_command(),
                }
            )
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
        request_id = str(message.get("id"))
        if request_id not in self._pending_ids:
            return
        self._pending_ids.discard(request_id)
        self._send({"type": "result", "id": request_id, **self._run_request(message)})

    def _run_request(self, message: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return change_response(self._apply_change(message))
        except ModelArtsError as error:
            return error_response(error)
        except Exception as error:  # noqa: BLE001 - runs in a thread: shown in the page and logged
            _LOG.exception("Cannot apply a change requested by a countdown")
            return _failure_result("failed", type(error).__name__)

    def _apply_change(self, message: Mapping[str, Any]) -> Change:
        session = self._get_session()
        by = timedelta(seconds=float(message["seconds"]))
        seen_stop_time = datetime_from_ms(int(message["base_stops_at_ms"]))
        if message["action"] == "shorten":
            return session.shorten(by, seen_stop_time=seen_stop_time)
        return session.extend(
            by,
            seen_stop_time=seen_stop_time,
            lengthen_later_runs=message.get("lengthen_later_runs") is True,
        )


def _failure_result(code: str, text: str = "") -> dict[str, Any]:
    return {"ok": False, "effect": None, "code": code, "values": {}, "text": text}
