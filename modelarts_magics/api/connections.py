"""The connections: one set for each thread that asks, and their failures in this package's words."""

from __future__ import annotations

import socket
import ssl
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from modelarts_magics.config.settings import is_loopback
from modelarts_magics.errors import (
    DeadlineError,
    InvalidResponseError,
    ModelArtsError,
    UnreachableError,
)
from modelarts_magics.messages import Message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelarts_magics.domain.clock import Deadline

_REASONS_BY_ERROR: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "name"),
    (ssl.SSLError, "tls"),
    (httpx.ProxyError, "proxy"),
    (ConnectionRefusedError, "refused"),
)
"""What a failed connection came from, and the word for it in `messages`."""
_PROXY_REASONS = ("name", "refused", "network")
"""Reasons that concern the host next on the way, which is the proxy where there is one."""
_NOT_SENT_ERRORS = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


@dataclass(frozen=True)
class Timeouts:
    """How long to wait, in seconds.

    Attributes:
        connect: For a connection.
        read: For each piece of an answer.
    """

    connect: float = 5.0
    read: float = 15.0

    def capped_by(self, deadline: Deadline) -> dict[str, float]:
        """The same as httpx wants them, none longer than what is left."""
        left = max(0.001, deadline.time_left_s)
        connect, read = min(self.connect, left), min(self.read, left)
        return {"connect": connect, "read": read, "write": read, "pool": connect}


class Connections(threading.local):
    """What carries requests to one endpoint; a stuck one is left behind with its thread.

    No `httpx.Client` stands before it: its cookies and redirects are not wanted here, and cost a tenth of
    a request.

    Args:
        endpoint: Scheme and host.
        transport: What carries the requests instead, for tests.
    """

    def __init__(self, endpoint: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self._endpoint = endpoint
        self._host = urlsplit(endpoint).netloc
        self._fixed_transport = transport
        self._transport: httpx.BaseTransport | None = None

    def transport(self) -> httpx.BaseTransport:
        """The one of the thread that asks.

        Raises:
            UnreachableError: The CA file or the proxy of the environment cannot be used.
        """
        if self._transport is None:
            try:
                self._transport = self._fixed_transport or self._new_transport()
            except OSError:
                raise self._connect_error("tls") from None  # a CA file that is not there
            except ImportError:
                raise self._proxy_error("proxy_kind") from None  # SOCKS needs a package of its own
            except (ValueError, httpx.InvalidURL):
                raise self._proxy_error("proxy_address") from None
        return self._transport

    def close(self) -> None:
        """Close the one of the thread that asks; the next request opens another."""
        carrier, self._transport = self._transport, None
        if carrier is not None:
            carrier.close()

    def to_error(self, error: httpx.HTTPError, deadline: Deadline) -> ModelArtsError:
        """A failure of httpx as an error of this package."""
        sent = not isinstance(error, _NOT_SENT_ERRORS)
        if isinstance(error, httpx.DecodingError):
            return InvalidResponseError("response.not_json", host=self._host)
        if isinstance(error, httpx.ConnectTimeout) and self._proxy_host():
            return self._proxy_error("network")
        if isinstance(error, httpx.TimeoutException):
            return self.timeout_error("unreachable.read_timeout", deadline, sent=sent)
        if sent:
            return UnreachableError("unreachable.connection_lost", sent=True, host=self._host)
        reason = _failure_reason(error)
        if reason in _PROXY_REASONS and self._proxy_host():
            return self._proxy_error(reason)
        return self._connect_error(reason)

    def timeout_error(self, code: str, deadline: Deadline, *, sent: bool) -> DeadlineError:
        """That no complete answer came in time."""
        return DeadlineError(code, sent=sent, host=self._host, seconds=f"{deadline.timeout_s:g}")

    def _new_transport(self) -> httpx.BaseTransport:
        if is_loopback(self._endpoint):
            # no proxy can reach this machine's own loopback; a CA bundle takes 30 ms for nothing there
            return httpx.HTTPTransport(verify=False, trust_env=False)
        return httpx.HTTPTransport(proxy=_proxy_url(self._endpoint))

    def _connect_error(self, reason: str) -> UnreachableError:
        words = Message(f"reason.{reason}")
        return UnreachableError("unreachable.connect", host=self._host, reason=words)

    def _proxy_error(self, reason: str) -> UnreachableError:
        words = Message(f"reason.{reason}")
        return UnreachableError("unreachable.proxy", host=self._proxy_host(), reason=words)

    def _proxy_host(self) -> str:
        """Host and port of the proxy in use, without user and password; "" where there is none."""
        if self._fixed_transport or is_loopback(self._endpoint):
            return ""
        return (
            (_proxy_url(self._endpoint) or "").partition("://")[2].rpartition("@")[2].split("/")[0]
        )


def _proxy_url(endpoint: str) -> str | None:
    """The proxy that the environment wants for the endpoint."""
    parts = urlsplit(endpoint)
    if proxy_bypass(parts.netloc):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy:
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _failure_reason(error: httpx.HTTPError) -> str:
    """The kind of a connection failure, as a word of `messages`."""
    causes = tuple(_exception_chain(error))
    for kind, reason in _REASONS_BY_ERROR:
        if any(isinstance(each, kind) for each in causes):
            return reason
    return "refused" if "refused" in str(error).lower() else "network"


def _exception_chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, down to the operating system's."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__  # httpcore's pool raises "from None"
