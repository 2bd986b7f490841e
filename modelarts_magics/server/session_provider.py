"""The session of this server: opened when it is wanted, and anew when what it depends on has changed."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable, cast

from modelarts_magics.api.backend import BACKENDS
from modelarts_magics.config import settings_file
from modelarts_magics.config.credential_chain import (
    ACCESS_KEY_VARIABLES,
    FILE_VARIABLE,
    METADATA_VARIABLE,
    TOKEN_VARIABLE,
    CredentialChain,
)
from modelarts_magics.config.setting_table import SETTINGS
from modelarts_magics.config.settings import Settings
from modelarts_magics.errors import ConfigurationError, ModelArtsError, NoCredentialsError
from modelarts_magics.session.cache import InstanceCache
from modelarts_magics.session.session import Session
from modelarts_magics.session.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path
    from typing import NoReturn

    from modelarts_magics.api.backend import Backend
    from modelarts_magics.api.client import ApiClient
    from modelarts_magics.config.credentials import Credential
    from modelarts_magics.domain.clock import Clock
    from modelarts_magics.domain.models import Instance

_FINGERPRINT_VARIABLES = (
    *(variable for setting in SETTINGS.values() for variable in setting.variables),
    *(
        TOKEN_VARIABLE,
        *ACCESS_KEY_VARIABLES,
        FILE_VARIABLE,
        METADATA_VARIABLE,
        settings_file.PATH_VARIABLE,
    ),
)


@dataclass(frozen=True)
class SessionFactory:
    """Where a session of this server comes from.

    Attributes:
        traits: The settings of Jupyter's configuration, by name.
        environ: The environment.
        clock: Time.
    """

    traits: Mapping[str, object]
    environ: Mapping[str, str]
    clock: Clock

    def settings(self) -> Settings:
        """The settings as they are now.

        Raises:
            ConfigurationError: The settings file cannot be read.
        """
        return Settings.load(traits=self.traits, environ=self.environ)

    def credential_chain(self) -> CredentialChain:
        """The places of credentials, none of them looked at yet."""
        return CredentialChain(self.environ)

    def open(self, chain: CredentialChain) -> Session:
        """Open a session by the settings as they are now; may ask the cloud.

        Raises:
            ModelArtsError: A setting is missing or wrong, or the cloud had to be asked and could not be.
        """
        from modelarts_magics.session.connect import open_session  # noqa: PLC0415 - brings httpx, in a thread

        return open_session(self.settings(), environ=self.environ, chain=chain, clock=self.clock)

    def check_credentials(self) -> None:
        """Look whether there are any; they are not tried.

        Raises:
            ConfigurationError: There are none, or half of one.
        """
        if self.credential_chain().find() is None:
            raise NoCredentialsError("server.no_credentials")

    def offline_session(self, error: ModelArtsError) -> Session | None:
        """A session that knows what another process of this machine last learned, and can only tell that.

        It is about the instance that was confirmed last, and about the one that is set if one is.

        Args:
            error: What it raises when it is to ask the cloud.
        """
        try:
            settings = self.settings()
        except ModelArtsError:
            return None
        store = Store.latest(settings_file.expand_user(settings.get("state_dir")))
        backend_class = BACKENDS.get(str(store.load().get("api"))) if store else None
        if store is None or backend_class is None:
            return None
        backend = OfflineBackend(
            backend_class(cast("ApiClient", None), project_id="", instance_id=""), error
        )
        capabilities = backend.capabilities
        memory = InstanceCache(
            store, parse=backend.parse, capabilities=capabilities, clock=self.clock
        )
        session = Session(backend, cache=memory, settings=settings, clock=self.clock)
        cached, configured_id = session.last_known(), settings.get("instance_id")
        return session if cached and configured_id in ("", cached.id) else None

    def fingerprint(self) -> int:
        """A number that changes when settings or credentials may have; it tells nothing of them."""
        files = (
            settings_file.current_path(self.environ),
            CredentialChain(self.environ).credentials_file,
        )
        variables = tuple(self.environ.get(name) for name in _FINGERPRINT_VARIABLES)
        return hash((variables, tuple(_file_stamp(path) for path in files)))


class SessionProvider:
    """Gives the session that there is, or opens one; used from threads, since that may take time.

    Args:
        session_factory: Where sessions come from.
        on_change: Told each new state of the instance, in whichever thread learned it.

    Attributes:
        fingerprint: The fingerprint of settings and credentials when a session was last opened, or was to be.
    """

    def __init__(
        self, session_factory: SessionFactory, *, on_change: Callable[[Instance], None]
    ) -> None:
        self._session_factory = session_factory
        self._on_change = on_change
        self._lock = threading.Lock()
        self.fingerprint: int | None = None
        self._session: Session | None = None
        self._chain = session_factory.credential_chain()
        self._last_tried_credential: Credential | None = None
        self._credentials_checked = False
        self._offline_session: Session | None = None
        self._unsubscribe: Callable[[], None] = _no_subscription
        self._closed = False

    def get_session(self) -> Session:
        """The session to ask and to change with.

        Raises:
            ModelArtsError: It cannot be opened.
        """
        with self._lock:
            try:
                return self._open_if_needed()
            finally:
                if self._closed:  # closed meanwhile
                    self._close_session()

    def has_new_credential(self) -> bool:
        """Whether a credential is found by now that was not refused; the next session is opened with it.

        It looks at every place anew, which may take a while: for who cannot go on with the one that there was.
        """
        found = _find_credential(self._session_factory.credential_chain())
        with self._lock:
            tried, self._last_tried_credential = (
                (None, self._chain.last_used, self._last_tried_credential),
                found,
            )
            if found in tried:
                return False
            self.fingerprint = None
            return True

    def cached_or_offline(self, error: ModelArtsError | None) -> Session | None:
        """The session to look with: the opened one, else one that only knows what others left.

        Args:
            error: Why none could be opened; None if that was not tried yet.
        """
        if self._session is not None or error is None:
            return self._session
        if self._offline_session is None:
            self._offline_session = self._session_factory.offline_session(error)
            if self._offline_session is not None:
                self._subscribe(self._offline_session)
        return self._offline_session

    @property
    def current(self) -> Session | None:
        """The session that `hear` is told of; None if there is none yet."""
        return self._session or self._offline_session

    def close(self) -> None:
        """Close the connections, and listen no more; who is opening one at this moment closes it then.

        It is not waited for: a cloud that does not answer would keep a server from ending.
        """
        self._closed = True
        if self._lock.acquire(blocking=False):
            try:
                self._close_session()
            finally:
                self._lock.release()

    def _open_if_needed(self) -> Session:
        fingerprint = self._session_factory.fingerprint()
        if self._session is None or fingerprint != self.fingerprint:
            self._close_session()
            self.fingerprint, self._credentials_checked = fingerprint, False
            self._chain = self._session_factory.credential_chain()
            self._session = self._session_factory.open(self._chain)
            self._subscribe(self._session)
        if (
            not self._credentials_checked
        ):  # else what others know would hide that nothing can be changed here
            self._session_factory.check_credentials()
            self._credentials_checked = True
        return self._session

    def _subscribe(self, session: Session) -> None:
        self._unsubscribe()
        self._unsubscribe = session.subscribe(self._on_change)
        session.check_for_updates()

    def _close_session(self) -> None:
        self._unsubscribe()
        session, self._session, self._offline_session = self._session, None, None
        if session is not None:
            session.close()


class OfflineBackend:
    """An API that can read what it once answered, and is never asked: it raises why not."""

    def __init__(self, backend: Backend, error: ModelArtsError) -> None:
        self.capabilities = backend.capabilities
        self.skew = timedelta(0)
        self._backend = backend
        self._error = error

    def parse(self, raw: Mapping[str, Any], *, observed_at: datetime, demo: bool) -> Instance:
        """The instance that a stored answer described."""
        return self._backend.parse(raw, observed_at=observed_at, demo=demo)

    def read(self, **_: object) -> NoReturn:
        """Raise why the cloud cannot be asked."""
        raise self._error.with_traceback(None)

    def write(self, *_: object, **__: object) -> NoReturn:
        """Raise why the cloud cannot be asked."""
        raise self._error.with_traceback(None)

    def stop(self, **_: object) -> NoReturn:
        """Raise why the cloud cannot be asked."""
        raise self._error.with_traceback(None)

    def close(self) -> None:
        """Nothing is open."""


def _find_credential(chain: CredentialChain) -> Credential | None:
    try:
        found = chain.find()
    except ConfigurationError:  # half of one, say: as good as none
        return None
    return found.credential if found else None


def _no_subscription() -> None:
    """Nobody listens yet."""


def _file_stamp(path: Path | None) -> tuple[int, int, int] | None:
    try:
        stat = path.stat() if path else None
    except OSError:
        return None
    return (stat.st_ino, stat.st_mtime_ns, stat.st_size) if stat else None
