"""The proxy and the certificates that the environment variables of the process select."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
KEY_LOG_VARIABLE = "SSLKEYLOGFILE"


class ProxySetting(NamedTuple):
    """A proxy and its source.

    Attributes:
        url: The URL, which may contain a password.
        variable: The environment variable; "" if the operating system is configured with it.
    """

    url: str
    variable: str

    @property
    def host(self) -> str:
        """Host and port, without user and password."""
        return self.url.partition("://")[2].rpartition("@")[2].split("/")[0]


def find_proxy(endpoint: str) -> ProxySetting | None:
    """Return the proxy for an endpoint; None if there is none, or if NO_PROXY excludes the host."""
    # Takes 4 ms, which an instance on this machine does not need.
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415

    parts, proxies = urlsplit(endpoint), getproxies()
    if proxy_bypass(parts.netloc) or _is_excluded(parts.netloc, proxies.get("no", "")):
        return None
    scheme = parts.scheme if proxies.get(parts.scheme) else "all"
    url = proxies.get(scheme)
    if not url:
        return None
    name = f"{scheme}_proxy"
    variable = next((each for each in (name, name.upper()) if os.environ.get(each)), "")
    return ProxySetting(url if "://" in url else f"http://{url}", variable)


def _is_excluded(host: str, no_proxy: str) -> bool:
    # Python accepts `.domain`, and `*` only by itself; other programs also accept `*.domain`.
    entries = (entry.strip().lower() for entry in no_proxy.split(","))
    suffixes = tuple(entry[1:] for entry in entries if entry.startswith("*.") and entry != "*.")
    names = (host.lower(), host.lower().partition(":")[0])
    return any(name.endswith(suffixes) for name in names)


class CertificateError(OSError):
    """An environment variable about certificates cannot be used.

    Attributes:
        variable: Its name.
        path: Its value.
    """

    def __init__(self, variable: str, path: str) -> None:
        super().__init__(variable, path)
        self.variable = variable
        self.path = path


def create_ssl_context(*, verify: bool = True) -> ssl.SSLContext:
    """Return the context for a connection with TLS.

    Args:
        verify: Whether to verify the certificate of the server.

    Raises:
        CertificateError: An environment variable names a file that cannot be used.
    """
    try:
        return _verifying_context() if verify else _trusting_context()
    except OSError:
        unusable = next(_unusable_variables(os.environ), None)
        if unusable is None:
            raise
        raise CertificateError(*unusable) from None


def _verifying_context() -> ssl.SSLContext:
    """Return a context with the certificates of the environment, or else with those of certifi."""
    file, folder = (os.environ.get(name) for name in _CERTIFICATE_VARIABLES)
    if file:
        return ssl.create_default_context(cafile=file)
    if folder:
        return ssl.create_default_context(capath=folder)
    import certifi  # noqa: PLC0415 - seldom needed

    return ssl.create_default_context(cafile=certifi.where())


def _trusting_context() -> ssl.SSLContext:
    context = _new_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def certificate_variable() -> tuple[str, str] | None:
    """Return name and value of the variable that replaces the known certificates; None if none does."""
    found = ((name, os.environ.get(name, "")) for name in _CERTIFICATE_VARIABLES)
    return next((each for each in found if each[1]), None)


def _unusable_variables(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, check in (
        (_CERTIFICATE_VARIABLES[0], lambda path: _new_context().load_verify_locations(path)),
        (_CERTIFICATE_VARIABLES[1], lambda path: _new_context().load_verify_locations(None, path)),
        (KEY_LOG_VARIABLE, _open_key_log),
    ):
        path = environ.get(name, "")
        try:
            if path:
                check(path)
        except OSError:
            yield name, path


def _new_context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _open_key_log(path: str) -> None:
    _new_context().keylog_filename = path
