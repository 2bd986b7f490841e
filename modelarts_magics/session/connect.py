"""From settings and credentials to a session."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modelarts_magics import messages
from modelarts_magics.config.credential_chain import CredentialChain
from modelarts_magics.config.settings import Settings
from modelarts_magics.domain.clock import SYSTEM_CLOCK, Clock
from modelarts_magics.session.cache import InstanceCache
from modelarts_magics.session.discovery import Discovery
from modelarts_magics.session.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from modelarts_magics.config.credential_chain import FoundCredential


def connect(**arguments: str) -> Session:
    """A session with the instance that the arguments, the environment and the files name.

    What none of them names is looked for, and the cloud asked for it where nothing else tells.

    Args:
        **arguments: Any of the settings by name: ``endpoint``, ``region``, ``find_project_id``,
            ``instance_id``, ``api``, ``timezone``, ``language`` and the time-outs.

    Raises:
        ConfigurationError: A setting is missing or wrong; the message names it.
        ModelArtsError: The cloud had to be asked and could not be.
    """
    return open_session(Settings.load(arguments))


def open_session(  # noqa: PLR0913 - each is one thing a test or a caller replaces
    settings: Settings,
    *,
    environ: Mapping[str, str] | None = None,
    interactive: FoundCredential | None = None,
    chain: CredentialChain | None = None,
    clock: Clock = SYSTEM_CLOCK,
    transport: httpx.BaseTransport | None = None,
    hostname: str | None = None,
) -> Session:
    """A session by settings that were gathered already.

    Args:
        settings: What to connect to, and how.
        environ: Where credentials and candidates are looked for; None for the process's environment.
        interactive: The credential that a person entered, if one did.
        chain: The chain itself, for who wants to know what it gave; None for one of these two.
        clock: Time, for tests.
        transport: What carries the requests, for tests.
        hostname: This machine's name, for tests.
    """
    environ = os.environ if environ is None else environ
    messages.use_language(settings.get("language"))
    if settings.file_error is not None:
        raise settings.file_error
    messages.use_timezone(settings.timezone)
    chain = chain or CredentialChain(environ, interactive=interactive)
    found = Discovery(
        settings,
        chain=chain,
        environ=environ,
        clock=clock,
        transport=transport,
        hostname=hostname,
    ).resolve()
    able, parse = found.backend.capabilities, found.backend.parse
    session = Session(
        found.backend,
        cache=InstanceCache(found.store, parse=parse, capabilities=able, clock=clock),
        settings=found.settings,
        total_timeout_s=settings.timeout_s("total_timeout"),
        clock=clock,
    )

    def warn(warning: messages.Message) -> None:
        session.on_notice(warning)  # whoever is told by then

    chain.on_warning = warn
    return session
