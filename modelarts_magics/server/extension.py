"""Define the Jupyter server extension: settings, start and stop."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.utils import url_path_join
from tornado.ioloop import IOLoop, PeriodicCallback
from traitlets import Float, Instance

from modelarts_magics.config.setting_table import SETTINGS
from modelarts_magics.config.setting_traits import setting_traits
from modelarts_magics.config.time_scale import valid_time_scale
from modelarts_magics.domain.clock import Clock
from modelarts_magics.keepalive.launch import CHECK_INTERVAL_S, restart_all_if_needed
from modelarts_magics.server.executor import run_in_thread
from modelarts_magics.server.handlers import HANDLERS, SERVICE_KEY, URL_PREFIX
from modelarts_magics.server.poll_schedule import PollSchedule
from modelarts_magics.server.service import InstanceService
from modelarts_magics.server.session_provider import SessionFactory
from modelarts_magics.session.run_store import RunStore
from modelarts_magics.session.store import run_file_path

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable

EVENT_SCHEMA_ID = "https://modelarts-magics.github.io/events/modelarts-magics/instance/v1"
"""The id of the schema of the events, which is in ``events/instance.v1.yaml``."""
EVENT_SCHEMA_PATH = Path(__file__).parent / "events" / "instance.v1.yaml"


class ModelArtsServer(ExtensionApp):
    """Show and change the auto-stop of this ModelArts instance; settings are ``c.ModelArtsServer.…``.

    Credentials are not among the settings: they come from the same providers as in a kernel.
    """

    name = "modelarts_magics"
    extension_url = "/lab"
    load_other_extensions = True

    # In a class body, locals() is the namespace of the class.
    locals().update(setting_traits())
    poll_interval = Float(
        300.0,
        min=1.0,
        help="Seconds between two calls of the API; a fifth in the last ten minutes of a run.",
    ).tag(config=True)

    clock: Any = Instance(Clock, (), help="The clock; tests replace it.").tag(config=True)

    def initialize_settings(self) -> None:
        """Create the service, and start polling when the loop runs; nothing here waits or fails."""
        time_scale = valid_time_scale(self._session_factory.settings(), os.environ)
        self.service = self._create_service(max(1.0, self.poll_interval / time_scale))
        self._event_logger.register_event_schema(EVENT_SCHEMA_PATH)
        self.settings[SERVICE_KEY] = self.service
        IOLoop.current().add_callback(self.service.poller.start)
        self._supervision = PeriodicCallback(
            self._restart_keep_alive, CHECK_INTERVAL_S * 1000 / time_scale
        )
        self._supervision.start()

    def initialize_handlers(self) -> None:
        """Add the handlers."""
        self.handlers.extend(
            (url_path_join("/", URL_PREFIX, name), handler) for name, handler in HANDLERS.items()
        )

    async def stop_extension(self) -> None:
        """Stop the poller."""
        self._supervision.stop()
        await self.service.poller.stop()

    async def _restart_keep_alive(self) -> None:
        """Restart the daemon that keeps the instance running, if it was killed."""
        state_folder = self._session_factory.state_folder()
        if state_folder is not None:
            await run_in_thread(lambda: restart_all_if_needed(state_folder, dict(os.environ)))
            await run_in_thread(self.service.start_notifier)

    @cached_property
    def _session_factory(self) -> SessionFactory:
        traits = {name: getattr(self, name) for name in SETTINGS}
        return SessionFactory(traits, os.environ, self.clock)

    def _create_service(self, poll_interval_s: float) -> InstanceService:
        run_store_path = run_file_path(self._session_factory.settings(), os.environ)
        return InstanceService(
            self._session_factory,
            emit=self._emit,
            listeners=self._listeners,
            run_store=RunStore(run_store_path),
            schedule=PollSchedule.from_interval(poll_interval_s),
        )

    @property
    def _event_logger(self) -> Any:  # noqa: ANN401 - Jupyter does not annotate it
        return self.serverapp.event_logger  # type: ignore[union-attr]  # set before this is called

    def _emit(self, event: dict[str, Any]) -> None:
        self._event_logger.emit(schema_id=EVENT_SCHEMA_ID, data=event)

    def _listeners(self) -> Collection[Hashable]:
        """Return the pages that have Jupyter's event socket open: each adds a listener to every schema.

        There is no public method for this. Where the private attribute is missing, one page is assumed.
        """
        listeners = getattr(
            self._event_logger, "_modified_listeners", {EVENT_SCHEMA_ID: {EVENT_SCHEMA_ID}}
        )
        return cast("Collection[Hashable]", listeners.get(EVENT_SCHEMA_ID) or ())
