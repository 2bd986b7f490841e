"""Open a session from settings and credentials."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

from modelarts_magics.config import time_scale
from modelarts_magics.config.credential_chain import CredentialChain
from modelarts_magics.config.settings import Settings
from modelarts_magics.domain.clock import SYSTEM_CLOCK, Clock, steady_clock
from modelarts_magics.messages import Message, use_language, use_timezone
from modelarts_magics.session.cache import InstanceCache
from modelarts_magics.session.discovery import Discovery, ResolvedInstance
from modelarts_magics.session.history import history_path, record_changes
from modelarts_magics.session.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelarts_magics.api.transport import Transport
    from modelarts_magics.config.credentials import FoundCredential


def connect(**arguments: str) -> Session:
    """Open a session with the instance that the arguments, environment and settings file identify.

    What none of them identifies is detected on the instance, or requested from the API and IAM.

    Example:
        >>> with connect(region="cn-north-4") as session:
        ...     session.status(max_age=timedelta(minutes=1)).auto_stop.stops_at

    Args:
        **arguments: Settings by name, such as ``region``, ``project_id``, ``instance_id``, ``api``,
            ``timezone``, ``language``, ``total_timeout``; see `modelarts_magics.config.setting_table`.

    Raises:
        ConfigurationError: A setting is missing or invalid; the message names it.
        ModelArtsError: The API was asked and cannot be reached or refused.
    """
    return open_session(Settings.load(arguments))


def open_session(  # noqa: PLR0913 - each is one thing a test or a caller replaces
    settings: Settings,
    *,
    environ: Mapping[str, str] | None = None,
    interactive: FoundCredential | None = None,
    chain: CredentialChain | None = None,
    clock: Clock = SYSTEM_CLOCK,
    transport: Transport | None = None,
    hostname: str | None = None,
    actor: str = "python",
) -> Session:
    """Open a session from settings that have been collected already.

    Args:
        actor: The part of this package that makes the changes, for the history; "" to record none.
        settings: The settings.
        environ: The environment variables, for credentials and detection; None for the process's.
        interactive: The credential that the user entered, if any.
        chain: The credential chain, if the caller wants to keep it; None to create one.
        clock: Time; replaced in tests.
        transport: Replaces the network in tests.
        hostname: Replaces the host name of this machine in tests.

    Raises:
        ConfigurationError, ModelArtsError: As for `connect`.
    """
    environ = os.environ if environ is None else environ
    use_language(settings.get("language"))
    if settings.file_error is not None:
        raise settings.file_error
    use_timezone(settings.timezone)
    # The server extension creates a clock of its own, which is equal.
    clock = _scaled_clock(settings, environ) if clock == SYSTEM_CLOCK else clock
    chain = chain or CredentialChain(environ, interactive=interactive)
    discovery = Discovery(
        settings,
        chain=chain,
        environ=environ,
        clock=clock,
        transport=transport,
        hostname=hostname,
    )
    session = _create_session(discovery.resolve(), clock)
    if actor:
        record_changes(session, history_path(settings, environ), actor=actor)
    _show_warnings(session, chain)
    return session


def _show_warnings(session: Session, chain: CredentialChain) -> None:
    """Pass the warnings of the credential chain on to a session."""
    session.credentials = chain
    # A session that is dropped without `close` is collected at once, with its thread and connections.
    reference = weakref.ref(session)

    def warn(warning: Message) -> None:
        opened = reference()
        if opened is not None:
            # The caller may replace on_notice later.
            opened.on_notice(warning)

    chain.on_warning = warn


def _scaled_clock(settings: Settings, environ: Mapping[str, str]) -> Clock:
    """Return the clock of the machine, or a faster one where the time is scaled.

    Raises:
        ConfigurationError: The time scale is invalid or used with an endpoint on another machine.
    """
    if not environ.get(time_scale.VARIABLE):
        return SYSTEM_CLOCK
    scale = time_scale.load_time_scale(environ, endpoint=settings.endpoint)
    return SYSTEM_CLOCK if scale == 1 else steady_clock(scale=scale)


def _create_session(resolved: ResolvedInstance, clock: Clock) -> Session:
    backend = resolved.backend
    cache = InstanceCache(
        resolved.store, parse=backend.parse, capabilities=backend.capabilities, clock=clock
    )
    return Session(
        backend,
        cache=cache,
        settings=resolved.settings,
        total_timeout_s=resolved.settings.timeout_s("total_timeout"),
        clock=clock,
    )
