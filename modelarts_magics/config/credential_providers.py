"""Read access keys from files, the notebook session and the metadata service."""

from __future__ import annotations

import json
import os
import stat
from importlib import import_module, util
from typing import TYPE_CHECKING, Any

from modelarts_magics.config.credentials import AccessKey, FoundCredential, make_access_key
from modelarts_magics.config.settings_file import write_ini
from modelarts_magics.errors import ConfigurationError

if TYPE_CHECKING:
    import configparser
    from collections.abc import Mapping
    from pathlib import Path

PROFILE_SECTION = "basic"
METADATA_ENDPOINT = "http://169.254.169.254"
METADATA_PATH = "/openstack/latest/securitykey"
METADATA_TIMEOUT_S = 2.0
_SESSION_ATTRIBUTES = ("access_key", "secret_key", "security_token", "project_id", "region_name")


def load_credentials_file(path: Path) -> FoundCredential | None:
    """Return the key in the vendor's credentials file; None if there is none.

    The file is read without interpolation, so a value may contain ``%``.

    Source: the vendor's SDK, "profile credentials": section ``[basic]``, ``ak sk security_token project_id``.

    Raises:
        ConfigurationError: The file cannot be parsed, or the key is incomplete.
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
    """Write a key to the vendor's credentials file with mode 0600; other content is preserved.

    Raises:
        ConfigurationError: The file cannot be parsed or written.
    """
    parser = (
        _read_ini(path, preserve_case=True) if path.is_file() else _new_parser(preserve_case=True)
    )
    if not parser.has_section(PROFILE_SECTION):
        parser.add_section(PROFILE_SECTION)
    values = {"ak": key.access_key_id, "sk": key.secret_key, "security_token": key.security_token}
    for name in list(parser[PROFILE_SECTION]):
        if name.lower() in values:
            parser.remove_option(PROFILE_SECTION, name)
    for name, value in values.items():
        if value:
            parser.set(PROFILE_SECTION, name, value)
    try:
        write_ini(path, parser)
    except (OSError, UnicodeError):
        raise ConfigurationError("credentials.unwritable", path=str(path)) from None


def load_notebook_session() -> FoundCredential | None:
    """Return the key that the preinstalled `modelarts` package provides inside a notebook.

    Source: observed in public code; ``modelarts.session.Session()`` has the attributes read here.

    Returns:
        The key; None if the package is not installed or its session has no key.

    Raises:
        ConfigurationError: The package fails, or the key is incomplete.
    """
    source = "modelarts.session.Session()"
    if util.find_spec("modelarts") is None:
        return None
    try:
        session = import_module("modelarts.session").Session()
        ak, sk, security_token, project, region = (
            _string_attribute(session, name) for name in _SESSION_ATTRIBUTES
        )
    except Exception as error:  # noqa: BLE001 - foreign code may raise anything
        names = ("modelarts", "modelarts.session")
        if isinstance(error, ModuleNotFoundError) and error.name in names:
            # Another package, a folder or the start file of that name.
            return None
        raise ConfigurationError(
            "credentials.notebook_session", reason=type(error).__name__
        ) from None
    key = make_access_key(ak, sk, security_token, source=source)
    return FoundCredential(key, source, project.strip(), region.strip()) if key else None


def load_metadata(endpoint: str) -> FoundCredential | None:
    """Return the temporary key of the agency of a cloud server.

    Source: the ECS page "Obtaining Metadata", ``securitykey``.

    Args:
        endpoint: The address of the metadata service.

    Raises:
        ConfigurationError: There is no metadata service at this address.
    """
    url = f"{endpoint.rstrip('/')}{METADATA_PATH}"
    import urllib.request  # noqa: PLC0415 - takes 10 ms and is rarely used
    from http.client import HTTPException  # noqa: PLC0415 - as above
    from urllib.error import HTTPError  # noqa: PLC0415 - as above

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=METADATA_TIMEOUT_S) as response:
            values: Mapping[str, Any] = json.loads(response.read(1 << 16))["credential"]
        parts = [str(values[name]) for name in ("access", "secret", "securitytoken")]
    except (OSError, ValueError, KeyError, TypeError, HTTPException, RecursionError) as error:
        if isinstance(error, HTTPError):
            # The error holds the open response.
            error.close()
        raise ConfigurationError("credentials.metadata", endpoint=endpoint) from None
    key = make_access_key(*parts, source=endpoint)
    return FoundCredential(key, endpoint) if key else None


def _new_parser(*, preserve_case: bool) -> configparser.RawConfigParser:
    import configparser  # noqa: PLC0415 - takes 2 ms, and most users have no such file

    parser = configparser.RawConfigParser()
    if preserve_case:
        parser.optionxform = str  # type: ignore[assignment,method-assign]  # documented in configparser
    return parser


def _read_ini(path: Path, *, preserve_case: bool = False) -> configparser.RawConfigParser:
    import configparser  # noqa: PLC0415 - as above

    parser = _new_parser(preserve_case=preserve_case)
    try:
        parser.read(path, encoding="utf-8-sig")
    except (configparser.Error, OSError, UnicodeDecodeError):
        raise ConfigurationError("credentials.file", path=str(path)) from None
    return parser


def _is_readable_by_others(path: Path) -> bool:
    return os.name == "posix" and bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


def _string_attribute(session: object, name: str) -> str:
    value = getattr(session, name, None)
    return value if isinstance(value, str) else ""
