"""Jupyter's way in: the extension, its settings, and the end of both."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.utils import url_path_join
from tornado.ioloop import IOLoop
from traitlets import Float, Instance, TraitType, Unicode

from modelarts_magics.config.settings import DEFAULTS, NAMES
from modelarts_magics.domain.clock import Clock
from modelarts_magics.server.handlers import DESK, PREFIX, ROUTES
from modelarts_magics.server.poll_schedule import Rhythm
from modelarts_magics.server.run_store import Kept, place
from modelarts_magics.server.service import Desk
from modelarts_magics.server.session_provider import Place

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable

EVENT = "https://modelarts-magics.github.io/events/modelarts-magics/instance/v1"
"""The id of the event that something changed; its schema is beside this module."""
SCHEMA = Path(__file__).parent / "events" / "instance.v1.yaml"


def _setting(help_text: str) -> TraitType[Any, Any]:
    return Unicode("", help=help_text).tag(config=True)


def _seconds(help_text: str) -> TraitType[Any, Any]:
    return Float(None, allow_none=True, help=help_text).tag(config=True)


class ModelArtsServer(ExtensionApp):
    """Shows and changes the auto-stop of this ModelArts instance; settings as ``c.ModelArtsServer.…``.

    Tokens and keys are no settings: they are found where a kernel of this machine finds them.
    """

    name = "modelarts_magics"
    extension_url = "/lab"
    load_other_extensions = True

    endpoint = _setting("Scheme and host of the API; by default that of the region.")
    region = _setting("The region, as cn-north-4.")
    project_id = _setting("The project id.")
    instance_id = _setting("The instance id.")
    iam_endpoint = _setting("Scheme and host of IAM; by default that of the region.")
    api = _setting("The API generation: auto, demanager or notebooks.")
    timezone = _setting("The zone of clock times, as Asia/Shanghai; by default the system's.")
    language = _setting("en or zh_CN; by default the locale's.")
    state_dir = _setting("Where the last known state is kept.")
    connect_timeout = _seconds("Seconds to wait for a connection; by default 5.")
    read_timeout = _seconds("Seconds to wait for each piece of an answer; by default 15.")
    total_timeout = _seconds("Seconds that a request of a page may take; by default 30.")
    period = Float(
        300.0,
        min=1.0,
        help="Seconds between two looks at the cloud; in the last ten minutes a fifth.",
    ).tag(config=True)

    clock: Any = Instance(Clock, (), help="Time, for tests.").tag(config=True)

    def initialize_settings(self) -> None:
        """Make the desk, and begin to ask once the loop runs; nothing here waits or fails."""
        self.desk = self._make_desk()
        self._events.register_event_schema(SCHEMA)
        self.settings[DESK] = self.desk
        IOLoop.current().add_callback(self.desk.monitor.start)

    def initialize_handlers(self) -> None:
        """Add the routes."""
        self.handlers.extend(
            (url_path_join("/", PREFIX, name), route) for name, route in ROUTES.items()
        )

    async def stop_extension(self) -> None:
        """End the monitor."""
        await self.desk.monitor.stop()

    def _make_desk(self) -> Desk:
        traits = {name: getattr(self, name) for name in NAMES}
        where = place(os.environ, self.state_dir or DEFAULTS["state_dir"])
        return Desk(
            Place(traits, os.environ, self.clock),
            emit=self._emit,
            listeners=self._listeners,
            kept=Kept(where),
            rhythm=Rhythm.every(self.period),
        )

    @property
    def _events(self) -> Any:  # noqa: ANN401 - not annotated
        return self.serverapp.event_logger  # type: ignore[union-attr]  # it is there once initialised

    def _emit(self, event: dict[str, Any]) -> None:
        self._events.emit(schema_id=EVENT, data=event)

    def _listeners(self) -> Collection[Hashable]:
        """The pages that have Jupyter's event socket open: each adds a listener to every schema.

        There is no public way to ask; where this one is gone, somebody is taken to listen.
        """
        listeners = getattr(self._events, "_modified_listeners", {EVENT: {EVENT}})
        return cast("Collection[Hashable]", listeners.get(EVENT) or ())
