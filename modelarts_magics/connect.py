"""From settings and credentials to a session."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modelarts_magics import messages
from modelarts_magics.api.demanager import Demanager
from modelarts_magics.api.transport import Timeouts, Transport
from modelarts_magics.clock import SYSTEM_CLOCK, Clock
from modelarts_magics.config import Settings
from modelarts_magics.credentials import Chain
from modelarts_magics.errors import NoCredentialsError
from modelarts_magics.memory import Memory
from modelarts_magics.session import Session
from modelarts_magics.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from modelarts_magics.credentials import Credential


def connect(**arguments: str) -> Session:
    """A session with the instance that the arguments, the environment and the files name.

    Nothing is sent before the session is first asked for something.

    Args:
        **arguments: Any of the settings by name: ``endpoint``, ``region``, ``project_id``,
            ``instance_id``, ``api``, ``timezone``, ``language`` and the time-outs.

    Raises:
        ConfigurationError: A setting is missing or wrong; the message names it.
    """
    return open_session(Settings.gather(arguments))


def open_session(
    settings: Settings,
    *,
    environ: Mapping[str, str] | None = None,
    clock: Clock = SYSTEM_CLOCK,
    http: httpx.BaseTransport | None = None,
) -> Session:
    """A session by settings that were gathered already.

    Args:
        settings: What to connect to, and how.
        environ: Where credentials are looked for; None for the process's environment.
        clock: Time, for tests.
        http: What carries the requests, for tests.
    """
    chain = Chain(environ)
    endpoint, instance_id = settings.endpoint, settings.instance_id
    project_id = _project_id(settings, chain)
    messages.use_language(settings.get("language"))
    messages.use_zone(settings.zone)
    transport = Transport(
        endpoint,
        project_id=project_id,
        credential=lambda: _credential(chain),
        timeouts=Timeouts(settings.seconds("connect_timeout"), settings.seconds("read_timeout")),
        clock=clock,
        http=http,
    )
    backend = Demanager(transport, project_id=project_id, instance_id=instance_id)
    store = Store(
        Path(settings.get("state_dir")).expanduser(), key=(endpoint, project_id, instance_id)
    )
    memory = Memory(store, parse=backend.parse, capabilities=backend.capabilities, clock=clock)
    total = settings.seconds("total_timeout")
    return Session(backend, memory=memory, total_timeout=total, clock=clock)


def _credential(chain: Chain) -> Credential:
    found = chain.find()
    if found is None:
        raise NoCredentialsError("credentials.none")
    return found.credential


def _project_id(settings: Settings, chain: Chain) -> str:
    """The project that is set, else the one that stands beside the credentials."""
    if not settings.get("project_id"):
        found = chain.find()
        if found and found.project_id:
            return found.project_id
    return settings.project_id
