"""The chain of places where credentials may be; the first that has some wins."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable

from modelarts_magics.config import credential_providers as key_sources
from modelarts_magics.config import settings_file
from modelarts_magics.config.credentials import (
    AccessKey,
    Credential,
    FoundCredential,
    Token,
    check_characters,
    make_access_key,
    mask,
)
from modelarts_magics.errors import ConfigurationError, NoCredentialsError
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = [
    "AccessKey",
    "Credential",
    "CredentialChain",
    "CredentialProvider",
    "FoundCredential",
    "Token",
    "mask",
]

TOKEN_VARIABLE = "MODELARTS_AUTH_TOKEN"  # noqa: S105 - the variable's name
ACCESS_KEY_VARIABLES = (
    "HUAWEICLOUD_SDK_AK",
    "HUAWEICLOUD_SDK_SK",
    "HUAWEICLOUD_SDK_SECURITY_TOKEN",
)
FILE_VARIABLE = "HUAWEICLOUD_SDK_CREDENTIALS_FILE"
METADATA_VARIABLE = "MODELARTS_METADATA"
"""Set to ``on``, or to an endpoint, to have the server's metadata asked; never asked otherwise."""


@dataclass(frozen=True)
class CredentialProvider:
    """One place of the chain: its name for `doctor`, and how to look there."""

    name: str
    load: Callable[[], FoundCredential | None]


class CredentialChain:
    """The places, in order; the environment and the files are read at every call.

    What is slow to ask and rotates (the notebook's own session, the metadata) is kept until refused.

    Args:
        environ: The environment; None for the process's.
        interactive: What a person entered by ``login``, which wins until it is refused.

    Attributes:
        on_warning: Told once what a person should know about the place of the credential in use.
        last_used: The credential that was last given to be sent; None if none was.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        interactive: FoundCredential | None = None,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._interactive = interactive
        self._loaded: dict[str, FoundCredential | None] = {}
        self._warned = False
        self.on_warning: Callable[[Message], None] | None = None
        self.last_used: Credential | None = None

    def providers(self) -> Iterator[CredentialProvider]:
        """The places, in the order in which they are asked."""
        yield CredentialProvider("login", lambda: self._interactive)
        yield CredentialProvider(TOKEN_VARIABLE, self._load_token)
        yield CredentialProvider(", ".join(ACCESS_KEY_VARIABLES[:2]), self._load_access_key)
        yield CredentialProvider(
            str(self.credentials_file),
            lambda: key_sources.load_credentials_file(self.credentials_file),
        )
        yield CredentialProvider(
            "modelarts.session",
            lambda: self._load_once("session", key_sources.load_notebook_session),
        )
        if self._metadata_endpoint:
            yield CredentialProvider(
                METADATA_VARIABLE, lambda: self._load_once("metadata", self._load_metadata)
            )

    def find(self) -> FoundCredential | None:
        """The first credential of the chain, or None.

        Raises:
            ConfigurationError: A place has half of a credential, or a file that cannot be read.
        """
        try:
            found = (link.load() for link in self.providers())
            return next((each for each in found if each), None)
        except ConfigurationError as error:  # its frames hold what must not be shown
            raise error.with_traceback(None) from None

    def current(self) -> Credential:
        """The credential to send with the next request.

        Raises:
            NoCredentialsError: No place has any.
            ConfigurationError: As for `find`.
        """
        found = self.find()
        if found is None:
            raise NoCredentialsError("credentials.not_found")
        if found.warning and self.on_warning and not self._warned:
            self._warned = True
            self.on_warning(Message(found.warning, {"path": found.source}))
        self.last_used = found.credential
        return found.credential

    def renew(self, refused: Credential) -> bool:
        """Whether there is another credential, now that this one was refused.

        One that was entered gives way to the other places, if they have any: it would shadow them for ever.
        """
        self._loaded.clear()
        entered = self._interactive
        if entered is not None and entered.credential == refused:
            self._interactive = None
        found = self.find()
        if found is None:
            self._interactive = entered
            return False
        return found.credential != refused

    @property
    def credentials_file(self) -> Path:
        """The vendor's credentials file, or the one that the environment names instead."""
        named = self._environ.get(FILE_VARIABLE)
        home = settings_file.expand_user(self._environ.get("HOME") or "~")
        return settings_file.expand_user(named) if named else home / ".huaweicloud" / "credentials"

    @property
    def _metadata_endpoint(self) -> str:
        wanted = self._environ.get(METADATA_VARIABLE, "").strip()
        return key_sources.METADATA_ENDPOINT if wanted.lower() == "on" else wanted

    def _load_token(self) -> FoundCredential | None:
        value = self._environ.get(TOKEN_VARIABLE, "").strip()
        return (
            FoundCredential(Token(check_characters(value, TOKEN_VARIABLE)), TOKEN_VARIABLE)
            if value
            else None
        )

    def _load_access_key(self) -> FoundCredential | None:
        source = ", ".join(ACCESS_KEY_VARIABLES[:2])
        ak, sk, security_token = (self._environ.get(name, "") for name in ACCESS_KEY_VARIABLES)
        key = make_access_key(ak, sk, security_token, source=source)
        return FoundCredential(key, source) if key else None

    def _load_metadata(self) -> FoundCredential | None:
        return key_sources.load_metadata(self._metadata_endpoint)

    def _load_once(
        self, name: str, load: Callable[[], FoundCredential | None]
    ) -> FoundCredential | None:
        if name not in self._loaded:
            self._loaded[name] = load()
        return self._loaded[name]
