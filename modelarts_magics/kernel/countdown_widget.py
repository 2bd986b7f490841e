"""The countdown as a widget: the page ticks by itself and needs the kernel only for changes.

The traits and messages are those of ``labextension/src/countdown/messages.ts``.
"""

from __future__ import annotations

import shlex
import sys
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import anywidget
import traitlets

from modelarts_magics.domain.browser_payloads import countdown_payload
from modelarts_magics.domain.countdown import stop_message
from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.kernel.clicks import CountdownMessageHandler, run_after_delay
from modelarts_magics.kernel.current_session import current_session
from modelarts_magics.kernel.watch import StoreWatcher

if TYPE_CHECKING:
    from modelarts_magics.domain.models import Instance
    from modelarts_magics.session.session import Session

_STATIC_FOLDER = Path(__file__).parent.parent / "static"


class Countdown(anywidget.AnyWidget):
    """How long until this instance stops, with buttons to move the end.

    It ticks in the browser; every view follows every change made anywhere in the kernel, and what other
    processes of this machine change shows within about a second.

    Args:
        session: What to show and change; by default the session of the magics, or of the settings.
        schedule: Does a clicked job a moment later; for tests, at once.

    Raises:
        ModelArtsError: The cloud could not be asked.
    """

    _esm = _STATIC_FOLDER / "countdown.js"
    _css = _STATIC_FOLDER / "countdown.css"

    state = traitlets.Dict().tag(sync=True)
    as_of_ms = traitlets.Int(0).tag(sync=True)
    own_id = traitlets.Unicode("").tag(sync=True)
    terminal_prefix = traitlets.Unicode("").tag(sync=True)
    language = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        session: Session | None = None,
        *,
        schedule: Callable[[Callable[[], None]], None] = run_after_delay,
    ) -> None:
        self._get_session = current_session if session is None else lambda: session
        self._unsubscribe: Callable[[], None] = lambda: None
        self._watcher: StoreWatcher | None = None
        self._session = opened = self._get_session()
        self._instance = opened.refresh()  # before there is a widget that nobody would close
        super().__init__()
        self.own_id = self.model_id or ""
        self.terminal_prefix = f"{shlex.quote(sys.executable)} -m modelarts_magics"
        self.language = opened.settings.get("language") if opened.settings else ""
        self._message_handler = CountdownMessageHandler(
            self._get_session, now=opened.now, send=self.send, schedule=schedule
        )
        self.on_msg(self._on_message)
        self._update_state(self._instance)
        self._unsubscribe = opened.subscribe(self._update_state)
        self._watcher = StoreWatcher(
            lambda: opened
        )  # its thread may look at what is saved, and open nothing
        self._watcher.start()

    @property
    def instance(self) -> Instance:
        """The instance as it is shown."""
        return self._instance

    def close(self) -> None:
        """Remove all views, and listen no more."""
        if self._watcher is not None:
            self._watcher.stop()
        self._unsubscribe()
        super().close()

    def _update_state(self, instance: Instance) -> None:
        self._instance = instance
        given = self._session.plan_context(instance)
        with self.hold_sync():
            self.state = countdown_payload(given)
            self.as_of_ms = datetime_to_ms(instance.observed_at)

    def _on_message(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        self._message_handler.handle_message(content)

    def _repr_mimebundle_(self, **options: Any) -> Any:  # noqa: ANN401 - IPython's hook
        """The widget, and beside it a line that stays true where there are no widgets."""
        bundle = super()._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data is not None:
            line = str(stop_message(self._instance))
            data["text/plain"] = line
            data["text/html"] = f"<p>{escape(line)}</p>"
        return bundle
