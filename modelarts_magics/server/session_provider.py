"""The session of this server: opened when it is wanted, and anew when what it depends on has changed."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable, cast

from modelarts_magics.api.generations import GENERATIONS
from modelarts_magics.config import settings_file
from modelarts_magics.config.credential_chain import FILE, KEYS, METADATA, TOKEN, Chain
from modelarts_magics.config.settings import ENVIRONMENT, Settings
from modelarts_magics.errors import ConfigurationError, ModelArtsError, NoCredentialsError
from modelarts_magics.session.cache import Memory
from modelarts_magics.session.session import Session
from modelarts_magics.session.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path
    from typing import NoReturn

    from modelarts_magics.api.backend import Backend
    from modelarts_magics.api.client import Transport
    from modelarts_magics.config.credentials import Credential
    from modelarts_magics.domain.clock import Clock
    from modelarts_magics.domain.models import Instance

_WATCHED = (
    *(name for names in ENVIRONMENT.values() for name in names),
    *(TOKEN, *KEYS, FILE, METADATA, settings_file.VARIABLE),
)


@dataclass(frozen=True)
class Place:
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
        return Settings.gather(traits=self.traits, environ=self.environ)

    def chain(self) -> Chain:
        """The places of credentials, none of them looked at yet."""
        return Chain(self.environ)

    def open(self, chain: Chain) -> Session:
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
        if self.chain().find() is None:
            raise NoCredentialsError("server.no_credentials")

    def left_behind(self, why: ModelArtsError) -> Session | None:
        """A session that knows what another process of this machine last learned, and can only tell that.

        It is about the instance that was confirmed last, and about the one that is set if one is.

        Args:
            why: What it raises when it is to ask the cloud.
        """
        try:
            settings = self.settings()
        except ModelArtsError:
            return None
        store = Store.newest(settings_file.expanded(settings.get("state_dir")))
        kind = GENERATIONS.get(str(store.load().get("api"))) if store else None
        if store is None or kind is None:
            return None
        silent = _Silent(kind(cast("Transport", None), project_id="", instance_id=""), why)
        able = silent.capabilities
        memory = Memory(store, parse=silent.parse, capabilities=able, clock=self.clock)
        session = Session(silent, memory=memory, settings=settings, clock=self.clock)
        known, wanted = session.last_known(), settings.get("instance_id")
        return session if known and wanted in ("", known.id) else None

    def fingerprint(self) -> int:
        """A number that changes when settings or credentials may have; it tells nothing of them."""
        files = (settings_file.location(self.environ), Chain(self.environ).file)
        variables = tuple(self.environ.get(name) for name in _WATCHED)
        return hash((variables, tuple(_stamp(path) for path in files)))


class Door:
    """Gives the session that there is, or opens one; used from threads, since that may take time.

    Args:
        place: Where sessions come from.
        hear: Told each new state of the instance, in whichever thread learned it.

    Attributes:
        mark: The fingerprint of settings and credentials when a session was last opened, or was to be.
    """

    def __init__(self, place: Place, *, hear: Callable[[Instance], None]) -> None:
        self._place = place
        self._hear = hear
        self._opening = threading.Lock()
        self.mark: int | None = None
        self._session: Session | None = None
        self._chain = place.chain()
        self._tried: Credential | None = None
        self._checked = False
        self._left: Session | None = None
        self._hang_up: Callable[[], None] = _nothing
        self._over = False

    def session(self) -> Session:
        """The session to ask and to change with.

        Raises:
            ModelArtsError: It cannot be opened.
        """
        with self._opening:
            try:
                return self._opened()
            finally:
                if self._over:  # closed meanwhile
                    self._close()

    def renewed(self) -> bool:
        """Whether a credential is found by now that was not refused; the next session is opened with it.

        It looks at every place anew, which may take a while: for who cannot go on with the one that there was.
        """
        found = _found(self._place.chain())
        with self._opening:
            known, self._tried = (None, self._chain.used, self._tried), found
            if found in known:
                return False
            self.mark = None
            return True

    def reader(self, why: ModelArtsError | None) -> Session | None:
        """The session to look with: the opened one, else one that only knows what others left.

        Args:
            why: Why none could be opened; None if that was not tried yet.
        """
        if self._session is not None or why is None:
            return self._session
        if self._left is None:
            self._left = self._place.left_behind(why)
            if self._left is not None:
                self._listen(self._left)
        return self._left

    @property
    def current(self) -> Session | None:
        """The session that `hear` is told of; None if there is none yet."""
        return self._session or self._left

    def close(self) -> None:
        """Close the connections, and listen no more; who is opening one at this moment closes it then.

        It is not waited for: a cloud that does not answer would keep a server from ending.
        """
        self._over = True
        if self._opening.acquire(blocking=False):
            try:
                self._close()
            finally:
                self._opening.release()

    def _opened(self) -> Session:
        mark = self._place.fingerprint()
        if self._session is None or mark != self.mark:
            self._close()
            self.mark, self._checked = mark, False
            self._chain = self._place.chain()
            self._session = self._place.open(self._chain)
            self._listen(self._session)
        if not self._checked:  # else what others know would hide that nothing can be changed here
            self._place.check_credentials()
            self._checked = True
        return self._session

    def _listen(self, session: Session) -> None:
        self._hang_up()
        self._hang_up = session.subscribe(self._hear)
        session.look_around()

    def _close(self) -> None:
        self._hang_up()
        session, self._session, self._left = self._session, None, None
        if session is not None:
            session.close()


class _Silent:
    """An API that can read what it once answered, and is never asked: it raises why not."""

    def __init__(self, api: Backend, why: ModelArtsError) -> None:
        self.capabilities = api.capabilities
        self.skew = timedelta(0)
        self._api = api
        self._why = why

    def parse(self, raw: Mapping[str, Any], *, observed_at: datetime, demo: bool) -> Instance:
        """The instance that a stored answer described."""
        return self._api.parse(raw, observed_at=observed_at, demo=demo)

    def read(self, **_: object) -> NoReturn:
        """Raise why the cloud cannot be asked."""
        raise self._why.with_traceback(None)

    def write(self, *_: object, **__: object) -> NoReturn:
        """Raise why the cloud cannot be asked."""
        raise self._why.with_traceback(None)

    def stop(self, **_: object) -> NoReturn:
        """Raise why the cloud cannot be asked."""
        raise self._why.with_traceback(None)

    def close(self) -> None:
        """Nothing is open."""


def _found(chain: Chain) -> Credential | None:
    try:
        found = chain.find()
    except ConfigurationError:  # half of one, say: as good as none
        return None
    return found.credential if found else None


def _nothing() -> None:
    """Nobody listens yet."""


def _stamp(path: Path | None) -> tuple[int, int, int] | None:
    try:
        stat = path.stat() if path else None
    except OSError:
        return None
    return (stat.st_ino, stat.st_mtime_ns, stat.st_size) if stat else None
