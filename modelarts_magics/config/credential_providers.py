"""The places, other than the environment, where access keys may be: each looked at by one function."""

from __future__ import annotations

import configparser
import json
import os
import stat
from importlib import import_module, util
from typing import TYPE_CHECKING, Any

from modelarts_magics.config import settings_file
from modelarts_magics.config.credentials import AccessKey, Found, access_key
from modelarts_magics.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SECTION = "basic"
METADATA_ENDPOINT = "http://169.254.169.254"
METADATA_PATH = "/openstack/latest/securitykey"
METADATA_TIMEOUT_S = 2.0
_ATTRIBUTES = ("access_key", "secret_key", "security_token", "project_id", "region_name")


def from_file(path: Path) -> Found | None:
    """The key in the vendor's credentials file; a ``%`` in a value is only a character.

    Source: the vendor's SDK, "profile credentials": section ``[basic]``, ``ak sk security_token project_id``.

    Raises:
        ConfigurationError: The file is no such file, or has half of a key.
    """
    if not path.is_file():
        return None
    parser = _parse(path)
    section = parser[SECTION] if parser.has_section(SECTION) else {}
    key = access_key(
        section.get("ak", ""),
        section.get("sk", ""),
        section.get("security_token", ""),
        source=str(path),
    )
    if key is None:
        return None
    warning = "credentials.readable" if _others_can_read(path) else ""
    return Found(key, str(path), section.get("project_id", "").strip(), warning=warning)


def save(key: AccessKey, path: Path) -> None:
    """Write a key into the vendor's credentials file, mode 0600; what else is in it stays.

    Raises:
        ConfigurationError: The file that is there is no such file, or cannot be written.
    """
    parser = _parse(path, as_written=True) if path.is_file() else _parser(as_written=True)
    if not parser.has_section(SECTION):
        parser.add_section(SECTION)
    values = {"ak": key.access, "sk": key.secret, "security_token": key.security_token}
    for written in list(parser[SECTION]):
        if written.lower() in values:
            parser.remove_option(SECTION, written)
    for name, value in values.items():
        if value:
            parser.set(SECTION, name, value)
    try:
        path.resolve().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings_file.replace(path, parser)
    except OSError:
        raise ConfigurationError("credentials.unwritable", path=str(path)) from None


def from_notebook() -> Found | None:
    """The key that the platform's preinstalled package gives inside one of its notebooks.

    Source: seen in public code; ``modelarts.session.Session()`` has the attributes read here.

    Returns:
        None where the package is not there, or its session has no key.

    Raises:
        ConfigurationError: The package is there and fails, or gives half of a key.
    """
    source = "modelarts.session.Session()"
    if util.find_spec("modelarts") is None:
        return None
    try:
        session = import_module("modelarts.session").Session()
        ak, sk, security_token, project, region = (_text(session, name) for name in _ATTRIBUTES)
    except Exception as error:  # noqa: BLE001 - somebody else's code may raise anything
        if isinstance(error, ModuleNotFoundError) and error.name == "modelarts.session":
            return None  # another package, or a mere folder, of that name
        raise ConfigurationError("credentials.sdk", reason=type(error).__name__) from None
    key = access_key(ak, sk, security_token, source=source)
    return Found(key, source, project.strip(), region.strip()) if key else None


def from_metadata(endpoint: str) -> Found | None:
    """The temporary key of the agency that a cloud server runs under.

    Source: the ECS page "Obtaining Metadata", ``securitykey``.

    Raises:
        ConfigurationError: Nothing there answers so.
    """
    url = f"{endpoint.rstrip('/')}{METADATA_PATH}"
    import urllib.request  # noqa: PLC0415 - 10 ms that nobody else has to wait for
    from http.client import HTTPException  # noqa: PLC0415 - likewise
    from urllib.error import HTTPError  # noqa: PLC0415 - likewise

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=METADATA_TIMEOUT_S) as answer:
            given: Mapping[str, Any] = json.loads(answer.read(1 << 16))["credential"]
        parts = [str(given[name]) for name in ("access", "secret", "securitytoken")]
    except (OSError, ValueError, KeyError, TypeError, HTTPException, RecursionError) as error:
        if isinstance(error, HTTPError):
            error.close()  # it is the answer, with its connection
        raise ConfigurationError("credentials.metadata", endpoint=endpoint) from None
    key = access_key(*parts, source=endpoint)
    return Found(key, endpoint) if key else None


def _parser(*, as_written: bool) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    if as_written:
        parser.optionxform = str  # type: ignore[assignment,method-assign]  # the documented way to keep capitals
    return parser


def _parse(path: Path, *, as_written: bool = False) -> configparser.RawConfigParser:
    parser = _parser(as_written=as_written)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        raise ConfigurationError("credentials.file", path=str(path)) from None
    return parser


def _others_can_read(path: Path) -> bool:
    return os.name == "posix" and bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


def _text(session: object, name: str) -> str:
    value = getattr(session, name, None)
    return value if isinstance(value, str) else ""
