"""Open the session of this server when it is needed, and again when settings or credentials have changed."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable

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
from modelarts_magics.domain.after_fork import reset_in_child
from modelarts_magics.errors import ConfigurationError, ModelArtsError, NoCredentialsError
from modelarts_magics.keepalive.folder import daemon_folder
from modelarts_magics.session import notify
from modelarts_magics.session.offline import open_offline
from modelarts_magics.session.session import LATER_STARTS_NOTICE, Session
from modelarts_magics.session.store import file_fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelarts_magics.config.credentials import Credential
    from modelarts_magics.domain.clock import Clock
    from modelarts_magics.domain.models import Instance
    from modelarts_magics.messages import Message

_ABOUT_A_WRITE = frozenset(
    {"notice.raised", "notice.applies_at_next_start", "notice.undo", LATER_STARTS_NOTICE}
)
"""The notices about one write, whose result says the same."""
MAX_NOTICES = 3
"""The number of notices that pages show."""
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


_LOG = logging.getLogger(__name__)


def _do_nothing() -> None:
    """End nothing: there is no subscription."""


@dataclass(frozen=True)
class SessionFactory:
    """Create sessions from the settings and credentials as they are at the moment.

    Attributes:
        traits: The settings of Jupyter's configuration, by name.
        environ: The environment variables.
        clock: The clock.
    """

    traits: Mapping[str, object]
    environ: Mapping[str, str]
    clock: Clock

    def settings(self) -> Settings:
        """Return the current settings.

        Raises:
            ConfigurationError: The settings file cannot be read.
        """
        return Settings.load(traits=self.traits, environ=self.environ)

    def state_folder(self) -> Path | None:
        """Return the folder of the state files; None if the settings cannot be read."""
        try:
            return settings_file.expand_user(self.settings().get("state_dir"))
        except ModelArtsError:
            return None

    def credential_chain(self) -> CredentialChain:
        """Return the credential chain; no provider has been asked yet."""
        return CredentialChain(self.environ)

    def open(self, chain: CredentialChain) -> Session:
        """Open a session with the current settings; may call the API.

        Raises:
            ModelArtsError: A setting is missing or invalid, or a call of the API failed.
        """
        # Imports the HTTP client, which takes a while: this runs in a thread.
        from modelarts_magics.session.connect import open_session  # noqa: PLC0415 - see above

        return open_session(
            self.settings(), environ=self.environ, chain=chain, clock=self.clock, actor="page"
        )

    def check_credentials(self) -> None:
        """Check that there are credentials, without using them.

        Raises:
            ConfigurationError: There are none, or they are incomplete.
        """
        if self.credential_chain().find() is None:
            raise NoCredentialsError("server.no_credentials")

    def offline_session(self, error: ModelArtsError) -> Session | None:
        """Return a session that reads only what another process has saved; see `open_offline`."""
        try:
            return open_offline(self.settings(), error, clock=self.clock)
        except ConfigurationError:
            # The settings cannot be read, so the state folder is not known.
            return None

    def fingerprint(self) -> int:
        """Return a number that changes with settings and credentials; it does not reveal them."""
        files = (
            settings_file.current_path(self.environ),
            CredentialChain(self.environ).credentials_file,
        )
        variables = tuple(self.environ.get(name) for name in _FINGERPRINT_VARIABLES)
        return hash((variables, tuple(file_fingerprint(path) if path else None for path in files)))


class SessionProvider:
    """Provide the open session, or open one. The methods may block: call them in threads.

    Args:
        session_factory: Creates the sessions.
        on_change: Called with each new state of the instance, in the thread that received it.
        on_store_written: Called in another thread when another process may have written a state file.
        on_notice: Called in any thread when there is a new notice.
        follow_folder: Subscribes to a folder, as `session.notify.subscribe` does.

    Attributes:
        fingerprint: The fingerprint of settings and credentials when a session was last opened or tried to.
        notices: What the user should know about the session, the newest last.
    """

    def __init__(
        self,
        session_factory: SessionFactory,
        *,
        on_change: Callable[[Instance], None],
        on_store_written: Callable[[], object] = _do_nothing,
        on_notice: Callable[[], object] = _do_nothing,
        follow_folder: Callable[
            [Path, Callable[[], object]], Callable[[], None]
        ] = notify.subscribe,
    ) -> None:
        self._session_factory = session_factory
        self._on_change = on_change
        self._on_store_written = on_store_written
        self._on_notice = on_notice
        self.notices: tuple[Message, ...] = ()
        self._follow_folder = follow_folder
        self._lock = threading.Lock()
        self.fingerprint: int | None = None
        self._session: Session | None = None
        self._chain = session_factory.credential_chain()
        self._last_tried_credential: Credential | None = None
        self._credentials_checked = False
        self._offline_session: Session | None = None
        self._followed_folder: Path | None = None
        self._stop_following: Callable[[], None] = _do_nothing
        self._guards_folder: Path | None = None
        self._stop_following_guards: Callable[[], None] = _do_nothing
        self._unsubscribe: Callable[[], None] = _do_nothing
        self._closed = False
        reset_in_child(self)

    def reset_after_fork(self) -> None:
        """Renew the lock."""
        self._lock = threading.Lock()

    def get_session(self) -> Session:
        """Return the session to read and change the instance with.

        Raises:
            ModelArtsError: It cannot be opened.
        """
        with self._lock:
            try:
                return self._open_if_needed()
            finally:
                # `close` may have been called meanwhile, from another thread.
                if self._closed:
                    self._close_session()

    def follow_store(self) -> None:
        """Report from now on what other processes write to the state folder of the settings."""
        with self._lock:
            if not self._closed:
                self._follow_store()

    def has_new_credential(self) -> bool:
        """Return whether there is a credential that was not refused; the next session is opened with it.

        This asks all credential providers, which may take a while, so it is meant for a server that cannot go on.
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
        """Return the open session, else one that reads only what other processes have saved.

        Args:
            error: The reason why no session could be opened; None if that was not tried yet.
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
        """The session whose changes are reported; None if there is none yet."""
        return self._session or self._offline_session

    def close(self) -> None:
        """Close the connections and end all subscriptions.

        A session that is being opened at this moment is closed by the thread that opens it: waiting for it
        would keep the server from ending while the API does not answer.
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
            self._follow_store()
            self._chain = self._session_factory.credential_chain()
            self._session = self._session_factory.open(self._chain)
            self._session.on_notice = self._add_notice
            self._subscribe(self._session)
        # At each call, because it may have failed: a thread or a socket can be refused once.
        self._follow_guards(self._session)
        # A cached state would hide that nothing can be changed without credentials.
        if not self._credentials_checked:
            self._session_factory.check_credentials()
            self._credentials_checked = True
        return self._session

    def _add_notice(self, notice: Message) -> None:
        """Keep a notice for the pages, and log it."""
        _LOG.warning("%s", notice)
        if notice.code in _ABOUT_A_WRITE:
            return
        others = [each for each in self.notices if str(each) != str(notice)]
        self.notices = (*others, notice)[-MAX_NOTICES:]
        self._on_notice()

    def _follow_store(self) -> None:
        folder = self._session_factory.state_folder()
        if folder is None or folder == self._followed_folder:
            return
        self._stop_following()
        self._stop_following = self._follow_folder(folder, self._on_store_written)
        # Not before: where this failed, the next call tries again.
        self._followed_folder = folder

    def _follow_guards(self, session: Session) -> None:
        """Follow the folder of the keep-alive where it is not below the state folder."""
        if session.settings is None:
            return
        folder = daemon_folder(session.settings).parent
        if folder not in (self._followed_folder, self._guards_folder):
            self._stop_following_guards()
            self._stop_following_guards = self._follow_folder(folder, self._on_store_written)
            self._guards_folder = folder

    def _subscribe(self, session: Session) -> None:
        self._unsubscribe()
        self._unsubscribe = session.subscribe(self._on_change, follow_store=False)
        # The first look is the one that later looks are compared with.
        session.check_for_updates()

    def _close_session(self) -> None:
        self._unsubscribe()
        if self._closed:
            self._stop_following()
            self._stop_following_guards()
            self._stop_following = self._stop_following_guards = _do_nothing
        session, self._session, self._offline_session = self._session, None, None
        if session is not None:
            session.close()


def _find_credential(chain: CredentialChain) -> Credential | None:
    try:
        found = chain.find()
    except ConfigurationError:
        # An incomplete credential, such as an access key without its secret, is as good as none.
        return None
    return found.credential if found else None
