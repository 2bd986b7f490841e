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
    Found,
    Token,
    access_key,
    checked,
    mask,
)
from modelarts_magics.errors import ConfigurationError, NoCredentialsError
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["AccessKey", "Chain", "Credential", "Found", "Link", "Token", "mask"]

TOKEN = "MODELARTS_AUTH_TOKEN"  # noqa: S105 - the variable's name
KEYS = ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_SECURITY_TOKEN")
FILE = "HUAWEICLOUD_SDK_CREDENTIALS_FILE"
METADATA = "MODELARTS_METADATA"
"""Set to ``on``, or to an endpoint, to have the server's metadata asked; never asked otherwise."""


@dataclass(frozen=True)
class Link:
    """One place of the chain: its name for `doctor`, and how to look there."""

    name: str
    look: Callable[[], Found | None]


class Chain:
    """The places, in order; the environment and the files are read at every call.

    What is slow to ask and rotates (the notebook's own session, the metadata) is kept until refused.

    Args:
        environ: The environment; None for the process's.
        entered: What a person entered by ``login``, which wins until it is refused.

    Attributes:
        warn: Told once what a person should know about the place of the credential in use.
        used: The credential that was last given to be sent; None if none was.
    """

    def __init__(
        self, environ: Mapping[str, str] | None = None, *, entered: Found | None = None
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._entered = entered
        self._kept: dict[str, Found | None] = {}
        self._warned = False
        self.warn: Callable[[Message], None] | None = None
        self.used: Credential | None = None

    def links(self) -> Iterator[Link]:
        """The places, in the order in which they are asked."""
        yield Link("login", lambda: self._entered)
        yield Link(TOKEN, self._token)
        yield Link(", ".join(KEYS[:2]), self._keys)
        yield Link(str(self.file), lambda: key_sources.from_file(self.file))
        yield Link("modelarts.session", lambda: self._keep("session", key_sources.from_notebook))
        if self._metadata:
            yield Link(METADATA, lambda: self._keep("metadata", self._from_metadata))

    def find(self) -> Found | None:
        """The first credential of the chain, or None.

        Raises:
            ConfigurationError: A place has half of a credential, or a file that cannot be read.
        """
        try:
            found = (link.look() for link in self.links())
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
            raise NoCredentialsError("credentials.none")
        if found.warning and self.warn and not self._warned:
            self._warned = True
            self.warn(Message(found.warning, {"path": found.source}))
        self.used = found.credential
        return found.credential

    def renew(self, refused: Credential) -> bool:
        """Whether there is another credential, now that this one was refused.

        One that was entered gives way to the other places, if they have any: it would shadow them for ever.
        """
        self._kept.clear()
        entered = self._entered
        if entered is not None and entered.credential == refused:
            self._entered = None
        found = self.find()
        if found is None:
            self._entered = entered
            return False
        return found.credential != refused

    @property
    def file(self) -> Path:
        """The vendor's credentials file, or the one that the environment names instead."""
        named = self._environ.get(FILE)
        home = settings_file.expanded(self._environ.get("HOME") or "~")
        return settings_file.expanded(named) if named else home / ".huaweicloud" / "credentials"

    @property
    def _metadata(self) -> str:
        wanted = self._environ.get(METADATA, "").strip()
        return key_sources.METADATA_ENDPOINT if wanted.lower() == "on" else wanted

    def _token(self) -> Found | None:
        value = self._environ.get(TOKEN, "").strip()
        return Found(Token(checked(value, TOKEN)), TOKEN) if value else None

    def _keys(self) -> Found | None:
        source = ", ".join(KEYS[:2])
        ak, sk, security_token = (self._environ.get(name, "") for name in KEYS)
        key = access_key(ak, sk, security_token, source=source)
        return Found(key, source) if key else None

    def _from_metadata(self) -> Found | None:
        return key_sources.from_metadata(self._metadata)

    def _keep(self, name: str, look: Callable[[], Found | None]) -> Found | None:
        if name not in self._kept:
            self._kept[name] = look()
        return self._kept[name]
