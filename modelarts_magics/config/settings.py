"""Settings: arguments before traitlets before the environment before the file; each knows its source.

Nothing secret is here: tokens and keys are found by `modelarts_magics.config.credential_chain`.
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from modelarts_magics.config import settings_file
from modelarts_magics.domain.durations import parse_timezone
from modelarts_magics.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

API_CHOICES = ("auto", "demanager", "notebooks")

ENVIRONMENT_VARIABLES = {
    "endpoint": ("MODELARTS_ENDPOINT",),
    "region": ("MODELARTS_REGION",),
    "project_id": ("MODELARTS_PROJECT_ID", "HUAWEICLOUD_SDK_PROJECT_ID"),
    "instance_id": ("MODELARTS_INSTANCE_ID",),
    "iam_endpoint": ("MODELARTS_IAM_ENDPOINT",),
    "api": ("MODELARTS_API",),
    "timezone": ("MODELARTS_TIMEZONE",),
    "language": ("MODELARTS_LANGUAGE",),
    "connect_timeout": ("MODELARTS_CONNECT_TIMEOUT",),
    "read_timeout": ("MODELARTS_READ_TIMEOUT",),
    "total_timeout": ("MODELARTS_TOTAL_TIMEOUT",),
    "state_dir": ("MODELARTS_STATE_DIR",),
}
"""The variables of each setting; the first that is set wins."""

DEFAULTS = {
    "api": "auto",
    "connect_timeout": "5",
    "read_timeout": "15",
    "total_timeout": "30",
    "state_dir": "~/.modelarts-magics",
}

SETTING_NAMES = tuple(ENVIRONMENT_VARIABLES)

_REGION_PATTERN = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
_NETLOC_PATTERN = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?", re.ASCII)
_ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_REGION_TLDS = {"ap-southeast-1": "cn"}
"""Regions whose endpoint does not end in ``.com``. Source: the vendor's region table."""


@dataclass(frozen=True)
class Setting:
    """A value and where it came from: ``argument``, ``%config``, a variable's name, ``default``."""

    value: str
    source: str


@dataclass(frozen=True)
class Settings:
    """All settings as text, each with its source; the properties check and convert.

    Attributes:
        values: By the names in `NAMES`; a setting that is nowhere set is absent.
        file_error: Why the settings file could not be read; raised by who opens a session.
    """

    values: Mapping[str, Setting]
    file_error: ConfigurationError | None = None

    @classmethod
    def load(
        cls,
        arguments: Mapping[str, object] | None = None,
        *,
        traits: Mapping[str, object] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Settings:
        """Collect the settings from everywhere, the most explicit first.

        Args:
            arguments: By name; None and "" count as not given.
            traits: What ``%config ModelArts`` or a Jupyter configuration file set.
            environ: The environment, which also says where the file is; None for the process's.

        Raises:
            ConfigurationError: An argument has no such name.
        """
        environ = os.environ if environ is None else environ
        unknown = set(arguments or ()) - set(SETTING_NAMES)
        if unknown:
            raise ConfigurationError(
                "config.unknown", name=min(unknown), names=", ".join(SETTING_NAMES)
            )
        values = {name: Setting(value, "default") for name, value in DEFAULTS.items()}
        problem = _add_file_settings(values, environ)
        for name, variables in ENVIRONMENT_VARIABLES.items():
            for variable in reversed(variables):
                _add_setting(values, name, environ.get(variable), variable)
        for source, given in (("%config", traits or {}), ("argument", arguments or {})):
            for name, value in given.items():
                _add_setting(values, name, value, source)
        return cls(values, problem)

    def with_default(self, name: str, value: str, source: str) -> Settings:
        """These settings with one more, unless that is set already or the value is empty."""
        if self.get(name) or not value:
            return self
        return replace(self, values={**self.values, name: Setting(value, source)})

    def get(self, name: str) -> str:
        """A setting's text, or ""."""
        setting = self.values.get(name)
        return setting.value if setting else ""

    def source(self, name: str) -> str:
        """Where a setting came from, or ""."""
        setting = self.values.get(name)
        return setting.source if setting else ""

    @property
    def endpoint(self) -> str:
        """Scheme and host of the API.

        Raises:
            ConfigurationError: Neither endpoint nor region is set, or the endpoint is not safe.
        """
        written = self.get("endpoint").rstrip("/")
        if not written:
            return self._region_endpoint()
        return _validate_endpoint(written, self.source("endpoint"))

    @property
    def iam_endpoint(self) -> str:
        """Scheme and host of IAM; "" where neither it nor the region is known."""
        written = self.get("iam_endpoint").rstrip("/")
        if written:
            return _validate_endpoint(written, self.source("iam_endpoint"))
        region = self.get("region").lower()
        return (
            f"https://iam.{region}.myhuaweicloud.com" if _REGION_PATTERN.fullmatch(region) else ""
        )

    @property
    def project_id(self) -> str:
        """The project id.

        Raises:
            ConfigurationError: It is not set, or cannot be one.
        """
        return self._require_id("project_id", "MODELARTS_PROJECT_ID")

    @property
    def instance_id(self) -> str:
        """The instance id.

        Raises:
            ConfigurationError: It is not set, or cannot be one.
        """
        return self._require_id("instance_id", "MODELARTS_INSTANCE_ID")

    @property
    def api(self) -> str:
        """The API generation: ``auto``, ``demanager`` or ``notebooks``."""
        value = self.get("api").lower()
        if value not in API_CHOICES:
            raise ConfigurationError("config.api", value=value, choices=", ".join(API_CHOICES))
        return value

    @property
    def timezone(self) -> tzinfo:
        """The time zone in which clock times are read and written; the system's by default."""
        return parse_timezone(self.get("timezone"))

    def timeout_s(self, name: str) -> float:
        """A time-out in seconds, more than 0 and at most 600.

        Raises:
            ConfigurationError: It is not such a number.
        """
        try:
            value = float(self.get(name))
        except ValueError:
            value = 0.0
        if not 0 < value <= 600:  # noqa: PLR2004 - ten minutes: nobody waits longer for one call
            raise ConfigurationError("config.seconds", name=name, value=self.get(name))
        return value

    def _require_id(self, name: str, variable: str) -> str:
        value = self.get(name)
        if not value:
            raise ConfigurationError(f"config.missing_{name}", variable=variable)
        if not _ID_PATTERN.fullmatch(value):
            raise ConfigurationError("config.id", name=name, source=self.source(name))
        return value

    def _region_endpoint(self) -> str:
        region = self.get("region").lower()
        if not region:
            raise ConfigurationError("config.missing_endpoint")
        if not _REGION_PATTERN.fullmatch(region):
            raise ConfigurationError("config.region", value=region)
        return f"https://modelarts.{region}.myhuaweicloud.{_REGION_TLDS.get(region, 'com')}"


def _validate_endpoint(text: str, source: str) -> str:
    host = _hostname(text)
    if not re.match(r"https?://", text, re.IGNORECASE) or not host:
        raise ConfigurationError("config.endpoint", value=_redact_endpoint(text))
    parts = urlsplit(text)
    if "@" in parts.netloc or parts.path or "?" in text or "#" in text:
        raise ConfigurationError("config.endpoint_extra", source=source)
    if parts.scheme == "http" and not is_loopback(text):
        raise ConfigurationError("config.endpoint_plain", host=host)
    if not _NETLOC_PATTERN.fullmatch(text.partition("://")[2]):  # urlsplit leaves line breaks out
        raise ConfigurationError("config.endpoint", value=_redact_endpoint(text))
    return f"{parts.scheme}://{parts.netloc}"


def is_loopback(endpoint: str) -> bool:
    """Whether the endpoint is on this machine's loopback."""
    host = _hostname(endpoint)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _hostname(endpoint: str) -> str:
    try:
        parts = urlsplit(endpoint)
        parts.port  # noqa: B018 - raises where the port is not a number
        return parts.hostname or ""
    except ValueError:
        return ""


def _redact_endpoint(endpoint: str) -> str:
    """What may be shown of an endpoint: not the user and password, nor a query."""
    return re.sub(r"(?s).*@", "…@", endpoint).split("?", 1)[0]


def _add_file_settings(
    values: dict[str, Setting], environ: Mapping[str, str]
) -> ConfigurationError | None:
    """Put what the settings file says; what is wrong with it must not keep help and repair away."""
    try:
        kept = settings_file.read(environ)
    except ConfigurationError as error:
        return error.with_traceback(None)
    for name, written in kept.items():
        _add_setting(values, name, written, str(settings_file.current_path(environ)))
    return None


def _add_setting(values: dict[str, Setting], name: str, value: object, source: str) -> None:
    if value is not None and str(value).strip():
        values[name] = Setting(str(value).strip(), source)
