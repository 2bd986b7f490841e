"""A session that reads only what other processes have saved, for one that cannot call the API."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from modelarts_magics.api.backend import BACKENDS
from modelarts_magics.config.settings_file import expand_user
from modelarts_magics.domain.clock import SYSTEM_CLOCK
from modelarts_magics.session.cache import InstanceCache
from modelarts_magics.session.session import Session
from modelarts_magics.session.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import NoReturn

    from modelarts_magics.api.backend import Backend
    from modelarts_magics.api.client import ApiClient
    from modelarts_magics.config.settings import Settings
    from modelarts_magics.domain.clock import Clock
    from modelarts_magics.domain.models import Instance
    from modelarts_magics.errors import ModelArtsError


def open_offline(
    settings: Settings, error: ModelArtsError, *, clock: Clock = SYSTEM_CLOCK
) -> Session | None:
    """Return a session for the instance of the newest state file; None if another instance is configured.

    Args:
        settings: The settings.
        error: Raised by the session when it has to call the API.
        clock: Time; replaced in tests.

    Raises:
        ConfigurationError: A setting is invalid.
    """
    store = Store.latest(expand_user(settings.get("state_dir")))
    backend_class = BACKENDS.get(str(store.load().get("api"))) if store else None
    if store is None or backend_class is None:
        return None
    backend = OfflineBackend(
        backend_class(cast("ApiClient", None), project_id="", instance_id=""), error
    )
    cache = InstanceCache(
        store, parse=backend.parse, capabilities=backend.capabilities, clock=clock
    )
    session = Session(backend, cache=cache, settings=settings, clock=clock)
    cached, configured_id = session.last_known(), settings.get("instance_id")
    return session if cached and configured_id in ("", cached.id) else None


class OfflineBackend:
    """A backend that parses saved responses, and raises an error instead of calling the API."""

    def __init__(self, backend: Backend, error: ModelArtsError) -> None:
        self.capabilities = backend.capabilities
        self.skew = timedelta(0)
        self._backend = backend
        self._error = error

    def parse(self, raw: Mapping[str, Any], *, observed_at: datetime, demo: bool) -> Instance:
        """Return the instance of a saved response."""
        return self._backend.parse(raw, observed_at=observed_at, demo=demo)

    def read(self, **_: object) -> NoReturn:
        """Raise the reason why the API cannot be called."""
        raise self._error.with_traceback(None)

    def write(self, *_: object, **__: object) -> NoReturn:
        """Raise the reason why the API cannot be called."""
        raise self._error.with_traceback(None)

    def stop(self, **_: object) -> NoReturn:
        """Raise the reason why the API cannot be called."""
        raise self._error.with_traceback(None)

    def close(self) -> None:
        """Do nothing: there is no connection."""
