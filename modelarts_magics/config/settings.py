"""Collect the settings: arguments before traits, environment variables and the settings file.

Each value carries its source. Tokens and keys are not settings, see
`modelarts_magics.config.credential_chain`.
"""

from __future__ import annotations

import ipaddress
import os
import re
from datetime import datetime, time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from modelarts_magics.config import settings_file
from modelarts_magics.config.setting_table import SETTINGS
from modelarts_magics.domain.before_stop import parse_before_stop
from modelarts_magics.domain.durations import parse_timezone
from modelarts_magics.errors import ConfigurationError, UsageError
from modelarts_magics.messages import LANGUAGES, join_list

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from modelarts_magics.domain.before_stop import BeforeStop

API_CHOICES = ("auto", "demanager", "notebooks")
_SWITCH = {"on": True, "off": False}
_MAX_TIMEOUT_S = 600
_PRECEDENCE_OF_FILE, _PRECEDENCE_OF_ENVIRONMENT = 1, 2
_PRECEDENCE = {"": 0, "default": 0, "%config": 3, "argument": 4}
"""The precedence of the other sources; a path, or the source of a credential, counts as a file."""

# Compiled when they are first used: not every command needs them.
_REGION_PATTERN = r"[a-z0-9]+(?:-[a-z0-9]+)*"
_NETLOC_PATTERN = r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_HOURS_PATTERN = r"([0-9]{1,2}:[0-9]{2})\s*[-~]\s*([0-9]{1,2}:[0-9]{2})"
_MAX_NOTIFY_LIMIT = 1000
_ID_PATTERN = r"[A-Za-z0-9_-]{1,128}"
_REGIONAL_ENDPOINT = rf"https://modelarts\.({_REGION_PATTERN})\.myhuaweicloud\.[A-Za-z0-9_]+$"
_REGION_TLDS = {"ap-southeast-1": "cn"}
"""The top-level domain of endpoints that do not end in ``.com``, by region.

Source: the region table of Huawei Cloud.
"""


class Setting(NamedTuple):
    """A value and its source.

    Attributes:
        value: The value as text.
        source: ``argument``, ``%config``, ``default``, the name of an environment variable, or the
            path of the settings file.
    """

    value: str
    source: str


class Settings(NamedTuple):
    """All settings as text with their sources; the properties validate and convert them.

    Attributes:
        values: The settings by name; one without value and default is absent.
        file_error: Why the settings file could not be read; raised when a session is opened, so that
            `help` and `doctor` still work.
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
        """Collect the settings from all sources, the most explicit first.

        Args:
            arguments: Values by name; None and "" count as not given.
            traits: Values set by ``%config ModelArts`` or in a Jupyter configuration file.
            environ: The environment variables, which also locate the settings file; None for those
                of the process.

        Raises:
            ConfigurationError: An argument is not the name of a setting.
        """
        environ = os.environ if environ is None else environ
        _check_names(arguments or {})
        values: dict[str, Setting] = {}
        _add_all(values, {name: each.default for name, each in SETTINGS.items()}, "default")
        file_error = _add_file_settings(values, environ)
        for name, definition in SETTINGS.items():
            for variable in reversed(definition.variables):
                _add_all(values, {name: environ.get(variable)}, variable)
        _add_all(values, traits or {}, "%config")
        _add_all(values, arguments or {}, "argument")
        return cls(values, file_error)

    def with_default(self, name: str, value: str, source: str) -> Settings:
        """Return the settings with one more value, unless it is set already or empty."""
        if self.get(name) or not value:
            return self
        return self._replace(values={**self.values, name: Setting(value, source)})

    def get(self, name: str) -> str:
        """Return the text of a setting, or ""."""
        setting = self.values.get(name)
        return setting.value if setting else ""

    def source(self, name: str) -> str:
        """Return the source of a setting, or ""."""
        setting = self.values.get(name)
        return setting.source if setting else ""

    def check(self, name: str) -> None:
        """Validate one setting by itself; one without rules is always valid.

        Raises:
            ConfigurationError, UsageError: The value cannot be used.
        """
        if name == "region":
            self._region_endpoint()
        elif name == "language":
            self._check_language()
        elif SETTINGS[name].is_seconds:
            self.timeout_s(name)
        else:
            getattr(self, name, None)

    @property
    def endpoint(self) -> str:
        """Scheme and host of the API.

        Raises:
            ConfigurationError: Neither endpoint nor region is set, or the one that counts is invalid.
        """
        value = self.get("endpoint").rstrip("/")
        if not value or self._precedence("region") > self._precedence("endpoint"):
            return self._region_endpoint()
        return _validate_endpoint(value, self.source("endpoint"))

    @property
    def console_url(self) -> str:
        """The address of ModelArts in the console; "" if the endpoint is not that of a region.

        Raises:
            ConfigurationError: The endpoint cannot be determined.
        """
        found = re.match(_REGIONAL_ENDPOINT, self.endpoint)
        return f"https://console.huaweicloud.com/modelarts/?region={found[1]}" if found else ""

    @property
    def verify_tls(self) -> bool:
        """Whether to verify the certificate of the API.

        Raises:
            ConfigurationError: It is neither on nor off, or off for another machine.
        """
        value = self.get("verify_tls").lower() or "on"
        if value not in _SWITCH:
            choices = join_list(_SWITCH)
            raise ConfigurationError("config.verify_tls", value=value, choices=choices)
        if not _SWITCH[value] and not is_loopback(self.endpoint):
            raise ConfigurationError("config.verify_tls_remote", source=self.source("verify_tls"))
        return _SWITCH[value]

    @property
    def iam_endpoint(self) -> str:
        """Scheme and host of IAM; "" if neither it nor the region is set."""
        value = self.get("iam_endpoint").rstrip("/")
        if value:
            return _validate_endpoint(value, self.source("iam_endpoint"))
        region = self.get("region").lower()
        return (
            f"https://iam.{region}.myhuaweicloud.com"
            if re.fullmatch(_REGION_PATTERN, region)
            else ""
        )

    @property
    def before_stop(self) -> BeforeStop | None:
        """The command that is run before each stop; None if there is none.

        Raises:
            UsageError, DurationError: The setting is invalid.
        """
        text = self.get("before_stop")
        return parse_before_stop(text) if text else None

    @property
    def project_id(self) -> str:
        """The project ID.

        Raises:
            ConfigurationError: It is not set or invalid.
        """
        return self._require_id("project_id")

    @property
    def instance_id(self) -> str:
        """The instance ID.

        Raises:
            ConfigurationError: It is not set or invalid.
        """
        return self._require_id("instance_id")

    @property
    def api(self) -> str:
        """The API: ``auto``, ``demanager`` or ``notebooks``.

        Raises:
            ConfigurationError: It is another word.
        """
        value = self.get("api").lower()
        if value not in API_CHOICES:
            raise ConfigurationError("config.api", value=value, choices=join_list(API_CHOICES))
        return value

    @property
    def timezone(self) -> tzinfo:
        """The time zone in which clock times are read and shown.

        Raises:
            ConfigurationError: The time zone is unknown.
        """
        return parse_timezone(self.get("timezone"))

    @property
    def notify_quiet_hours(self) -> tuple[time, time] | None:
        """Begin and end of the hours in which no notification is sent; None if there are none.

        Raises:
            ConfigurationError: The value is no range of clock times.
        """
        value = self.get("notify_quiet_hours")
        if not value:
            return None
        found = re.fullmatch(_HOURS_PATTERN, value)
        try:
            begin, end = (time.fromisoformat(each.zfill(5)) for each in found.groups())  # type: ignore[union-attr]
        except (AttributeError, ValueError):
            raise ConfigurationError("config.quiet_hours", value=value) from None
        return begin, end

    @property
    def notify_limit(self) -> int:
        """The number of notifications within an hour.

        Raises:
            ConfigurationError: The value is no positive whole number.
        """
        value = self.get("notify_limit")
        if not value.isdecimal() or not 0 < int(value) <= _MAX_NOTIFY_LIMIT:
            raise ConfigurationError("config.notify_limit", value=value)
        return int(value)

    @property
    def is_utc_by_default(self) -> bool:
        """Whether clock times are in UTC only because no time zone is set, as in most containers.

        Raises:
            ConfigurationError: The time zone is unknown.
        """
        if self.get("timezone") or os.environ.get("TZ"):
            return False
        return datetime.now(self.timezone).tzname() == "UTC"

    def timeout_s(self, name: str) -> float:
        """Return a timeout in seconds, greater than 0 and at most 600.

        Raises:
            ConfigurationError: The value is not such a number.
        """
        try:
            value = float(self.get(name))
        except ValueError:
            value = 0.0
        if not 0 < value <= _MAX_TIMEOUT_S:
            raise ConfigurationError("config.seconds", name=name, value=self.get(name))
        return value

    def is_from_file(self, name: str) -> bool:
        """Return whether a setting is in the settings file, and nothing more explicit replaces it."""
        return self._precedence(name) == _PRECEDENCE_OF_FILE

    def _precedence(self, name: str) -> int:
        """Return a number that is larger for a setting from a source of higher precedence."""
        source = self.source(name)
        if source in SETTINGS[name].variables:
            return _PRECEDENCE_OF_ENVIRONMENT
        return _PRECEDENCE.get(source, _PRECEDENCE_OF_FILE)

    def _require_id(self, name: str) -> str:
        value = self.get(name)
        if not value:
            raise ConfigurationError(f"config.missing_{name}", variable=SETTINGS[name].variable)
        if not re.fullmatch(_ID_PATTERN, value):
            raise ConfigurationError("config.id", name=name, source=self.source(name))
        return value

    def _check_language(self) -> None:
        value = self.get("language")
        if value not in LANGUAGES:
            raise UsageError("usage.language", word=value, choices=join_list(LANGUAGES))

    def _region_endpoint(self) -> str:
        region = self.get("region").lower()
        if not region:
            raise ConfigurationError("config.missing_endpoint")
        if not re.fullmatch(_REGION_PATTERN, region):
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
    # urlsplit drops line breaks, so match the text itself.
    if not re.fullmatch(_NETLOC_PATTERN, text.partition("://")[2]):
        raise ConfigurationError("config.endpoint", value=_redact_endpoint(text))
    return f"{parts.scheme}://{parts.netloc}"


def is_loopback(endpoint: str) -> bool:
    """Return whether the endpoint is on the loopback interface of this machine."""
    host = _hostname(endpoint)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _hostname(endpoint: str) -> str:
    try:
        parts = urlsplit(endpoint)
        parts.port  # noqa: B018 - raises ValueError if the port is not a number
        return parts.hostname or ""
    except ValueError:
        return ""


def _redact_endpoint(endpoint: str) -> str:
    """Return the endpoint without user, password and query, which may be secrets."""
    return re.sub(r"(?s).*@", "…@", endpoint).split("?", 1)[0]


def _check_names(arguments: Mapping[str, object]) -> None:
    unknown = set(arguments) - set(SETTINGS)
    if unknown:
        raise ConfigurationError("config.unknown", name=min(unknown), names=join_list(SETTINGS))


def _add_file_settings(
    values: dict[str, Setting], environ: Mapping[str, str]
) -> ConfigurationError | None:
    """Add the values of the settings file; return the error if it cannot be read."""
    try:
        stored = settings_file.read_all(environ)
    except ConfigurationError as error:
        return error.with_traceback(None)
    page_language = stored.pop(settings_file.PAGE_LANGUAGE, "")
    if page_language in LANGUAGES:
        stored.setdefault("language", page_language)
    _add_all(values, stored, str(settings_file.current_path(environ)))
    return None


def _add_all(values: dict[str, Setting], added: Mapping[str, object], source: str) -> None:
    for name, value in added.items():
        if value is not None and str(value).strip():
            values[name] = Setting(str(value).strip(), source)
