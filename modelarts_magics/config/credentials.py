"""Tokens and access keys; their secret parts never appear in a repr."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Union

from modelarts_magics.errors import ConfigurationError


@dataclass(frozen=True, repr=False)
class Token:
    """An IAM token, sent as ``X-Auth-Token``; valid for 24 h."""

    value: str

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must never be shown."""
        return (self.value,)

    def __repr__(self) -> str:
        return "Token(…)"


@dataclass(frozen=True, repr=False)
class AccessKey:
    """An access key, which signs each request.

    Attributes:
        access_key_id: The ID (AK), which is not secret.
        secret_key: The secret key (SK).
        security_token: The token of a temporary key; "" for a permanent key.
    """

    access_key_id: str
    secret_key: str
    security_token: str = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must never be shown; the ID is not secret."""
        return tuple(value for value in (self.secret_key, self.security_token) if value)

    def __repr__(self) -> str:
        kind = ", temporary" if self.security_token else ""
        return f"AccessKey({mask(self.access_key_id)}{kind})"


Credential = Union[Token, AccessKey]


def mask(value: str) -> str:
    """Return the part of a value that may be shown: its first four characters, if it is long enough."""
    return f"{value[:4]}…" if len(value) > 12 else "…"  # noqa: PLR2004 - hides most of a value


class FoundCredential(NamedTuple):
    """A credential with its source and the values stored with it.

    Attributes:
        credential: The token or key.
        source: Where it was found, for `doctor`.
        project_id: The project stored with it; "" if there is none.
        region: The region stored with it; "" if there is none.
        warning: The message code of a warning about the source; "" if there is none.
    """

    credential: Credential
    source: str
    project_id: str = ""
    region: str = ""
    warning: str = ""


def check_characters(value: str, source: str) -> str:
    """Return the value if it can be sent in a header.

    Args:
        value: The secret; it never appears in the error.
        source: Where it was found.

    Raises:
        ConfigurationError: It has characters that no token or key has.
    """
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise ConfigurationError("credentials.characters", source=source)
    return value


def make_access_key(
    access_key_id: str, secret_key: str, security_token: str, *, source: str
) -> AccessKey | None:
    """Return the access key; None if ID and secret key are empty.

    Args:
        access_key_id: The ID (AK).
        secret_key: The secret key (SK).
        security_token: The token of a temporary key; empty counts as absent.
        source: Where the values were found, for an error.

    Raises:
        ConfigurationError: Only the ID or only the secret key is present.
    """
    values = [value.strip() for value in (access_key_id, secret_key, security_token)]
    has_id, has_secret = bool(values[0]), bool(values[1])
    if not has_id and not has_secret:
        return None
    if not has_id or not has_secret:
        missing = "SK" if has_id else "AK"
        raise ConfigurationError("credentials.incomplete", missing=missing, source=source)
    return AccessKey(*(check_characters(value, source) for value in values))
