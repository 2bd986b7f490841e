"""From settings and credentials to a session."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modelarts_magics import messages
from modelarts_magics.config.credential_chain import Chain
from modelarts_magics.config.settings import Settings
from modelarts_magics.domain.clock import SYSTEM_CLOCK, Clock
from modelarts_magics.session.cache import Memory
from modelarts_magics.session.discovery import Discovery
from modelarts_magics.session.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from modelarts_magics.config.credential_chain import Found


def connect(**arguments: str) -> Session:
    """A session with the instance that the arguments, the environment and the files name.

    What none of them names is looked for, and the cloud asked for it where nothing else tells.

    Args:
        **arguments: Any of the settings by name: ``endpoint``, ``region``, ``project_id``,
            ``instance_id``, ``api``, ``timezone``, ``language`` and the time-outs.

    Raises:
        ConfigurationError: A setting is missing or wrong; the message names it.
        ModelArtsError: The cloud had to be asked and could not be.
    """
    return open_session(Settings.gather(arguments))


def open_session(  # noqa: PLR0913 - each is one thing a test or a caller replaces
    settings: Settings,
    *,
    environ: Mapping[str, str] | None = None,
    entered: Found | None = None,
    chain: Chain | None = None,
    clock: Clock = SYSTEM_CLOCK,
    http: httpx.BaseTransport | None = None,
    hostname: str | None = None,
) -> Session:
    """A session by settings that were gathered already.

    Args:
        settings: What to connect to, and how.
        environ: Where credentials and candidates are looked for; None for the process's environment.
        entered: The credential that a person entered, if one did.
        chain: The chain itself, for who wants to know what it gave; None for one of these two.
        clock: Time, for tests.
        http: What carries the requests, for tests.
        hostname: This machine's name, for tests.
    """
    environ = os.environ if environ is None else environ
    messages.use_language(settings.get("language"))
    if settings.problem is not None:
        raise settings.problem
    messages.use_zone(settings.zone)
    chain = chain or Chain(environ, entered=entered)
    found = Discovery(
        settings,
        chain=chain,
        environ=environ,
        clock=clock,
        http=http,
        hostname=hostname,
    ).resolve()
    able, parse = found.backend.capabilities, found.backend.parse
    session = Session(
        found.backend,
        memory=Memory(found.store, parse=parse, capabilities=able, clock=clock),
        settings=found.settings,
        total_timeout=settings.seconds("total_timeout"),
        clock=clock,
    )

    def warn(warning: messages.Message) -> None:
        session.notice(warning)  # whoever is told by then

    chain.warn = warn
    return session
