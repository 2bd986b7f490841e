"""Try the sources of credentials in order; the first that has one is used."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Callable, NamedTuple

from modelarts_magics.config import credential_providers
from modelarts_magics.config.credentials import (
    Credential,
    FoundCredential,
    Token,
    check_characters,
    make_access_key,
)
from modelarts_magics.config.platform_session import load_platform_session, searched_places
from modelarts_magics.config.settings_file import NO_FOLDER, expand_user, home_folder
from modelarts_magics.errors import ConfigurationError, NoCredentialsError
from modelarts_magics.messages import Message, source_label

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

TOKEN_VARIABLE = "MODELARTS_AUTH_TOKEN"  # noqa: S105 - the name of a variable
ACCESS_KEY_VARIABLES = (
    "HUAWEICLOUD_SDK_AK",
    "HUAWEICLOUD_SDK_SK",
    "HUAWEICLOUD_SDK_SECURITY_TOKEN",
)
FILE_VARIABLE = "HUAWEICLOUD_SDK_CREDENTIALS_FILE"
LOGIN = "login"
"""The name of the source of a credential that was entered by hand."""
METADATA_VARIABLE = "MODELARTS_METADATA"
"""Set to ``on`` or to an endpoint to use the metadata service; it is not used otherwise."""


class CredentialProvider(NamedTuple):
    """One source of credentials.

    Attributes:
        name: The name of the source, for `doctor`.
        load: Returns the credential of the source; None if it has none.
        places: Where it is looked for, if the name does not say that.
    """

    name: str
    load: Callable[[], FoundCredential | None]
    places: tuple[str, ...] = ()


class CredentialChain:
    """The sources of credentials in order. The environment and files are read at every call.

    A credential that has expired is replaced by that of the next source.

    The notebook session and the metadata service are slow and rotate their keys, so their keys are kept
    until one is refused.

    Args:
        environ: The environment variables; None for those of the process.
        interactive: The credential entered with ``login``, which comes first until it is refused.
        only: The name of the only source to use; None for all.

    Attributes:
        on_warning: Called with each message for the user: a warning about the source of the credential in use, and
            which source is used instead of another one.
        last_used: The credential that was sent last; None if none was.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        interactive: FoundCredential | None = None,
        only: str | None = None,
    ) -> None:
        self._only = only
        self._environ = os.environ if environ is None else environ
        self._interactive = interactive
        self._loaded: dict[str, FoundCredential | None] = {}
        self._replaced: set[Credential] = set()
        self._notices: list[Message] = []
        self._warned = False
        self.on_warning: Callable[[Message], None] | None = None
        self.last_used: Credential | None = None

    def providers(self) -> Iterator[CredentialProvider]:
        """Yield the sources in order."""
        return (each for each in self._all_providers() if self._only in (None, each.name))

    def find_provider(self) -> CredentialProvider | None:
        """Return the source of the first credential; None if no source has one.

        Raises:
            ConfigurationError: As for `find`.
        """
        return next((each for each in self.providers() if each.load()), None)

    @property
    def interactive(self) -> FoundCredential | None:
        """The credential entered with ``login``; None if there is none, or it was refused."""
        return self._interactive

    def _all_providers(self) -> Iterator[CredentialProvider]:
        yield CredentialProvider(LOGIN, lambda: self._interactive)
        yield CredentialProvider(TOKEN_VARIABLE, self._load_token)
        yield CredentialProvider(", ".join(ACCESS_KEY_VARIABLES[:2]), self._load_access_key)
        yield CredentialProvider(
            str(self.credentials_file),
            lambda: credential_providers.load_credentials_file(self.credentials_file),
        )
        yield CredentialProvider(
            "modelarts.session",
            lambda: self._load_once("session", lambda: load_platform_session(self._environ)),
            searched_places(self._environ),
        )
        if self._metadata_endpoint:
            yield CredentialProvider(
                METADATA_VARIABLE, lambda: self._load_once("metadata", self._load_metadata)
            )

    def find(self) -> FoundCredential | None:
        """Return the first credential that was not replaced; None if no source has one.

        Raises:
            ConfigurationError: A source has an incomplete key or a file that cannot be read.
        """
        try:
            found = (provider.load() for provider in self.providers())
            return next((each for each in found if each and not self.is_replaced(each)), None)
        # Remove the traceback, whose frames hold secrets.
        except ConfigurationError as error:
            raise error.with_traceback(None) from None

    def current(self) -> Credential:
        """Return the credential for the next request.

        Raises:
            NoCredentialsError: No source has a credential.
            ConfigurationError: As for `find`.
        """
        found = self.find()
        if found is None:
            raise NoCredentialsError("credentials.not_found")
        if found.warning and not self._warned:
            self._warned = True
            self._notices.append(Message(found.warning, {"path": found.source}))
        while self._notices and self.on_warning:
            self.on_warning(self._notices.pop(0))
        self.last_used = found.credential
        return found.credential

    def current_for_write(self) -> Credential:
        """Return the credential for a request that changes something.

        Raises:
            ConfigurationError: The credential that the user entered was replaced by that of another source: a
                change would be made with another identity.
        """
        if self._interactive is not None and self.is_replaced(self._interactive):
            found = self.find()
            source = source_label(found.source) if found else ""
            raise ConfigurationError("credentials.login_replaced", source=source)
        return self.current()

    def is_replaced(self, found: FoundCredential) -> bool:
        """Return whether a credential is skipped because it has expired, or is a login that was refused."""
        return found.credential in self._replaced

    def renew(self, refused: Credential, *, expired: bool = False) -> bool:
        """Return whether there is another credential after one was refused.

        One that has expired is replaced by that of the next source, if another source has one. So is a login
        that was refused, because it would hide the others forever. A notice names both sources.

        Args:
            refused: The credential that was sent.
            expired: Whether it has expired.
        """
        self._loaded.clear()
        interactive = self._interactive
        is_login = interactive is not None and interactive.credential == refused
        if not expired and not is_login:
            found = self.find()
            return found is not None and found.credential != refused
        return self._replace(refused, "notice.expired" if expired else "notice.refused")

    def _replace(self, refused: Credential, notice: str) -> bool:
        try:
            old = self.find()
            self._replaced.add(refused)
            new = self.find()
        except ConfigurationError:
            # A later source is broken; the refusal of this one is the first problem.
            new = None
        if new is None or old is None:
            self._replaced.discard(refused)
            return False
        if old.credential == refused:
            sources = {"old": source_label(old.source), "new": source_label(new.source)}
            self._notices.append(Message(notice, sources))
        return True

    @property
    def credentials_file(self) -> Path:
        """The vendor's credentials file, or the file that the environment names."""
        explicit = self._environ.get(FILE_VARIABLE)
        if explicit:
            return expand_user(explicit)
        home = home_folder(self._environ) or NO_FOLDER
        return home / ".huaweicloud" / "credentials"

    @property
    def _metadata_endpoint(self) -> str:
        value = self._environ.get(METADATA_VARIABLE, "").strip()
        return credential_providers.METADATA_ENDPOINT if value.lower() == "on" else value

    def _load_token(self) -> FoundCredential | None:
        value = self._environ.get(TOKEN_VARIABLE, "").strip()
        if not value:
            return None
        return FoundCredential(Token(check_characters(value, TOKEN_VARIABLE)), TOKEN_VARIABLE)

    def _load_access_key(self) -> FoundCredential | None:
        source = ", ".join(ACCESS_KEY_VARIABLES[:2])
        ak, sk, security_token = (self._environ.get(name, "") for name in ACCESS_KEY_VARIABLES)
        key = make_access_key(ak, sk, security_token, source=source)
        return FoundCredential(key, source) if key else None

    def _load_metadata(self) -> FoundCredential | None:
        return credential_providers.load_metadata(self._metadata_endpoint)

    def _load_once(
        self, name: str, load: Callable[[], FoundCredential | None]
    ) -> FoundCredential | None:
        if name not in self._loaded:
            self._loaded[name] = load()
        return self._loaded[name]
