"""The places, other than the environment, where access keys may be: each looked at by one function."""

from __future__ import annotations

import configparser
import json
import os
import stat
from importlib import import_module, util
from typing import TYPE_CHECKING, Any

from modelarts_magics.config import settings_file
from modelarts_magics.config.credentials import AccessKey, FoundCredential, make_access_key
from modelarts_magics.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PROFILE_SECTION = "basic"
METADATA_ENDPOINT = "http://169.254.169.254"
METADATA_PATH = "/openstack/latest/securitykey"
METADATA_TIMEOUT_S = 2.0
_SESSION_ATTRIBUTES = ("access_key", "secret_key", "security_token", "project_id", "region_name")


def load_credentials_file(path: Path) -> FoundCredential | None:
    """The key in the vendor's credentials file; a ``%`` in a value is only a character.

    Source: the vendor's SDK, "profile credentials": section ``[basic]``, ``ak sk security_token project_id``.

    Raises:
        ConfigurationError: The file is no such file, or has half of a key.
    """
    if not path.is_file():
        return None
    parser = _read_ini(path)
    section = parser[PROFILE_SECTION] if parser.has_section(PROFILE_SECTION) else {}
    key = make_access_key(
        section.get("ak", ""),
        section.get("sk", ""),
        section.get("security_token", ""),
        source=str(path),
    )
    if key is None:
        return None
    warning = "credentials.readable_by_others" if _is_readable_by_others(path) else ""
    return FoundCredential(key, str(path), section.get("project_id", "").strip(), warning=warning)


def save_access_key(key: AccessKey, path: Path) -> None:
    """Write a key into the vendor's credentials file, mode 0600; what else is in it stays.

    Raises:
        ConfigurationError: The file that is there is no such file, or cannot be written.
    """
    parser = (
        _read_ini(path, preserve_case=True) if path.is_file() else _new_parser(preserve_case=True)
    )
    if not parser.has_section(PROFILE_SECTION):
        parser.add_section(PROFILE_SECTION)
    values = {"ak": key.access_key_id, "sk": key.secret_key, "security_token": key.security_token}
    for written in list(parser[PROFILE_SECTION]):
        if written.lower() in values:
            parser.remove_option(PROFILE_SECTION, written)
    for name, value in values.items():
        if value:
            parser.set(PROFILE_SECTION, name, value)
    try:
        settings_file.write_ini(path, parser)
    except OSError:
        raise ConfigurationError("credentials.unwritable", path=str(path)) from None


def load_notebook_session() -> FoundCredential | None:
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
        ak, sk, security_token, project, region = (
            _string_attribute(session, name) for name in _SESSION_ATTRIBUTES
        )
    except Exception as error:  # noqa: BLE001 - somebody else's code may raise anything
        if isinstance(error, ModuleNotFoundError) and error.name == "modelarts.session":
            return None  # another package, or a mere folder, of that name
        raise ConfigurationError(
            "credentials.notebook_session", reason=type(error).__name__
        ) from None
    key = make_access_key(ak, sk, security_token, source=source)
    return FoundCredential(key, source, project.strip(), region.strip()) if key else None


def load_metadata(endpoint: str) -> FoundCredential | None:
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
    key = make_access_key(*parts, source=endpoint)
    return FoundCredential(key, endpoint) if key else None


def _new_parser(*, preserve_case: bool) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    if preserve_case:
        parser.optionxform = str  # type: ignore[assignment,method-assign]  # the documented way to keep capitals
    return parser


def _read_ini(path: Path, *, preserve_case: bool = False) -> configparser.RawConfigParser:
    parser = _new_parser(preserve_case=preserve_case)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        raise ConfigurationError("credentials.file", path=str(path)) from None
    return parser


def _is_readable_by_others(path: Path) -> bool:
    return os.name == "posix" and bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


def _string_attribute(session: object, name: str) -> str:
    value = getattr(session, name, None)
    return value if isinstance(value, str) else ""
