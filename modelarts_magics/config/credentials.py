"""Tokens and access keys, masked wherever they could be shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

from modelarts_magics.errors import ConfigurationError


@dataclass(frozen=True, repr=False)
class Token:
    """An IAM token, sent as ``X-Auth-Token``; lives 24 h."""

    value: str

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        return (self.value,)

    def __repr__(self) -> str:
        return "Token(…)"


@dataclass(frozen=True, repr=False)
class AccessKey:
    """An access key, which signs each request; a temporary one comes with a security token."""

    access_key_id: str
    secret_key: str
    security_token: str = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown; the access key's id is not secret."""
        return tuple(value for value in (self.secret_key, self.security_token) if value)

    def __repr__(self) -> str:
        kind = ", temporary" if self.security_token else ""
        return f"AccessKey({mask(self.access_key_id)}{kind})"


Credential = Union[Token, AccessKey]


def mask(value: str) -> str:
    """As much of a value as may be shown: its first four characters if it is long enough."""
    return f"{value[:4]}…" if len(value) > 12 else "…"  # noqa: PLR2004 - leave most of it unseen


@dataclass(frozen=True)
class FoundCredential:
    """A credential, where it was found, and what stood beside it.

    Attributes:
        credential: The token or key.
        source: The place, for `doctor`.
        project_id: The project that the place names; "" if none.
        region: The region that the place names; "" if none.
        warning: The code of a sentence about the place; "" if there is nothing to say.
    """

    credential: Credential
    source: str
    project_id: str = ""
    region: str = ""
    warning: str = ""


def check_characters(value: str, source: str) -> str:
    """The value, if it can be sent in a header.

    Raises:
        ConfigurationError: It has characters that no token or key has; they are not shown.
    """
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise ConfigurationError("credentials.characters", source=source)
    return value


def make_access_key(
    access_key_id: str, secret_key: str, security_token: str, *, source: str
) -> AccessKey | None:
    """The key that a place has; None if it has none. An empty security token counts as absent.

    Raises:
        ConfigurationError: Only half of it is there.
    """
    access_key_id, secret_key, security_token = (
        access_key_id.strip(),
        secret_key.strip(),
        security_token.strip(),
    )
    if not access_key_id and not secret_key:
        return None
    if not access_key_id or not secret_key:
        raise ConfigurationError(
            "credentials.incomplete", missing="SK" if access_key_id else "AK", source=source
        )
    return AccessKey(
        check_characters(access_key_id, source),
        check_characters(secret_key, source),
        check_characters(security_token, source),
    )
