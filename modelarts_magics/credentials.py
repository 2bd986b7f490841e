"""Token and keys, masked wherever they could be shown, and the chain that finds them."""

from __future__ import annotations

import configparser
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Union

from modelarts_magics.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


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

    access: str
    secret: str
    security_token: str = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown; the access key's id is not secret."""
        return tuple(value for value in (self.secret, self.security_token) if value)

    def __repr__(self) -> str:
        kind = ", temporary" if self.security_token else ""
        return f"AccessKey({mask(self.access)}{kind})"


Credential = Union[Token, AccessKey]


def mask(value: str) -> str:
    """As much of a value as may be shown: its first four characters if it is long enough."""
    return f"{value[:4]}…" if len(value) > 12 else "…"  # noqa: PLR2004 - leave most of it unseen


@dataclass(frozen=True)
class Found:
    """A credential and where it was found, with the project id that may stand beside it."""

    credential: Credential
    source: str
    project_id: str = ""
    warning: str = ""


@dataclass(frozen=True)
class Link:
    """One place of the chain: its name for `doctor`, and how to look there."""

    name: str
    look: Callable[[], Found | None]


class Chain:
    """The places where credentials may be, in order; the first that has some wins.

    The environment and the files are read at every call: a variable set later counts, and keys may
    rotate.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ

    def links(self) -> Iterator[Link]:
        """The places, in the order in which they are asked."""
        yield Link("MODELARTS_AUTH_TOKEN", self._token)
        yield Link("HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK", self._keys)
        yield Link(str(self.file), self._from_file)

    def find(self) -> Found | None:
        """The first credential of the chain, or None.

        Raises:
            ConfigurationError: A place has half of a credential, or a file that cannot be read.
        """
        found = (link.look() for link in self.links())
        return next((each for each in found if each), None)

    @property
    def file(self) -> Path:
        """The vendor's credentials file, or the one that the environment names instead."""
        named = self._environ.get("HUAWEICLOUD_SDK_CREDENTIALS_FILE")
        return Path(named) if named else self._home / ".huaweicloud" / "credentials"

    @property
    def _home(self) -> Path:
        return Path(self._environ.get("HOME") or Path.home())

    def _token(self) -> Found | None:
        value = self._environ.get("MODELARTS_AUTH_TOKEN", "").strip()
        if not value:
            return None
        _check_header(value, "MODELARTS_AUTH_TOKEN")
        return Found(Token(value), "MODELARTS_AUTH_TOKEN")

    def _keys(self) -> Found | None:
        return _pair(
            {
                "ak": self._environ.get("HUAWEICLOUD_SDK_AK", ""),
                "sk": self._environ.get("HUAWEICLOUD_SDK_SK", ""),
                "security_token": self._environ.get("HUAWEICLOUD_SDK_SECURITY_TOKEN", ""),
            },
            source="HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK",
        )

    def _from_file(self) -> Found | None:
        if not self.file.is_file():
            return None
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read(self.file, encoding="utf-8")
            section = dict(parser["basic"]) if parser.has_section("basic") else {}
        except (configparser.Error, OSError, UnicodeDecodeError):
            raise ConfigurationError("credentials.file", path=str(self.file)) from None
        warning = "credentials.readable" if _others_can_read(self.file) else ""
        return _pair(section, source=str(self.file), warning=warning)


def _pair(values: Mapping[str, str], *, source: str, warning: str = "") -> Found | None:
    access, secret = values.get("ak", "").strip(), values.get("sk", "").strip()
    if not access and not secret:
        return None
    if not access or not secret:
        missing = "SK" if access else "AK"
        raise ConfigurationError("credentials.half", missing=missing, source=source)
    token = values.get("security_token", "").strip()
    for value in (access, secret, token):
        _check_header(value, source)
    project_id = values.get("project_id", "").strip()
    return Found(AccessKey(access, secret, token), source, project_id, warning)


def _check_header(value: str, source: str) -> None:
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise ConfigurationError("credentials.characters", source=source)


def _others_can_read(path: Path) -> bool:
    return os.name == "posix" and bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
