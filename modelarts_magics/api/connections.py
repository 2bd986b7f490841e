"""One connection pool per thread, and connection errors as errors of this package."""

from __future__ import annotations

import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any, Callable, NamedTuple
from urllib.parse import urlsplit

import httpcore

from modelarts_magics.api import environment
from modelarts_magics.api.environment import CertificateError, ProxySetting
from modelarts_magics.api.transport import PooledTransport, Transport
from modelarts_magics.config.settings import is_loopback
from modelarts_magics.errors import (
    DeadlineError,
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
    (httpcore.ProxyError, "proxy"),
    (ConnectionRefusedError, "refused"),
)
"""The causes of a failed connection, with the last part of the message code ``reason.…``."""
_PROXY_REASONS = ("name", "refused", "network")
"""The reasons that concern the next host on the route, which is the proxy if there is one."""
_NOT_SENT_ERRORS = (
    httpcore.ConnectError,
    httpcore.ConnectTimeout,
    httpcore.PoolTimeout,
    httpcore.ProxyError,
)


class Timeouts(NamedTuple):
    """Timeouts in seconds.

    Attributes:
        connect: For opening a connection.
        read: For each part of a response.
    """

    connect: float = 5.0
    read: float = 15.0

    def capped_by(self, deadline: Deadline) -> dict[str, float]:
        """Return the timeouts in the form of httpcore, none longer than the time left."""
        left = max(0.001, deadline.time_left_s)
        connect, read = min(self.connect, left), min(self.read, left)
        return {"connect": connect, "read": read, "write": read, "pool": connect}


class Connections(threading.local):
    """The transport of each thread to one endpoint. A thread that hangs keeps its own.

    Args:
        endpoint: Scheme and host.
        verify: Whether to verify the certificate of the server.
        transport: Replaces the network in tests.
        create: Creates a transport from the context for ``https``, or None, and the URL of the proxy, or "".
    """

    def __init__(
        self,
        endpoint: str,
        *,
        verify: bool = True,
        transport: Transport | None = None,
        create: Callable[[ssl.SSLContext | None, str], Any] = PooledTransport,
    ) -> None:
        self._endpoint = endpoint
        self._verify = verify
        self._host = urlsplit(endpoint).netloc
        self._fixed_transport = transport
        self._create = create
        self._transport: Any = None

    def transport(self) -> Any:  # noqa: ANN401 - the result of `create`
        """Return the transport of the current thread.

        Raises:
            UnreachableError: The certificates or the proxy in the environment cannot be used.
        """
        if self._transport is None:
            try:
                self._transport = self._fixed_transport or self._new_transport()
            except CertificateError as error:
                raise self._variable_error(error.variable, error.path) from None
            except OSError:
                raise self._connect_error("tls") from None
            except ImportError:
                # A SOCKS proxy needs an additional package.
                raise self._proxy_error("proxy_kind") from None
            except ValueError:
                raise self._proxy_error("proxy_address") from None
        return self._transport

    def close(self) -> None:
        """Close the transport of the current thread; the next request opens another."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def to_error(self, error: Exception, deadline: Deadline) -> ModelArtsError:
        """Convert an error of a transport to an error of this package."""
        sent = not isinstance(error, _NOT_SENT_ERRORS)
        if isinstance(error, httpcore.ConnectTimeout) and self._proxy():
            return self._proxy_error("network")
        if isinstance(error, httpcore.TimeoutException):
            return self.timeout_error("unreachable.read_timeout", deadline, sent=sent)
        if sent:
            return UnreachableError("unreachable.connection_lost", sent=True, host=self._host)
        reason = _failure_reason(error)
        if reason == "proxy" or (reason in _PROXY_REASONS and self._proxy()):
            return self._proxy_error(reason)
        replaced = environment.certificate_variable() if reason == "tls" else None
        return self._variable_error(*replaced) if replaced else self._connect_error(reason)

    def timeout_error(self, code: str, deadline: Deadline, *, sent: bool) -> DeadlineError:
        """Return an error for a response that was not complete in time."""
        return DeadlineError(code, sent=sent, host=self._host, seconds=f"{deadline.timeout_s:g}")

    def _new_transport(self) -> Any:  # noqa: ANN401 - the result of `create`
        proxy = self._proxy()
        # Without TLS, skip the 30 ms for the certificates.
        context = (
            environment.create_ssl_context(verify=self._verify)
            if urlsplit(self._endpoint).scheme == "https"
            else None
        )
        return self._create(context, proxy.url if proxy else "")

    def _connect_error(self, reason: str) -> UnreachableError:
        message = Message(f"reason.{reason}")
        return UnreachableError("unreachable.connect", host=self._host, reason=message)

    def _variable_error(self, variable: str, path: str) -> UnreachableError:
        key_log = variable == environment.KEY_LOG_VARIABLE
        code = "unreachable.key_log" if key_log else "unreachable.certificates"
        return UnreachableError(code, host=self._host, variable=variable, path=path)

    def _proxy_error(self, reason: str) -> UnreachableError:
        proxy = self._proxy()
        if proxy is None:
            return self._connect_error(reason)
        code = "unreachable.proxy_variable" if proxy.variable else "unreachable.proxy"
        message = Message(f"reason.{reason}")
        return UnreachableError(code, host=proxy.host, reason=message, variable=proxy.variable)

    def _proxy(self) -> ProxySetting | None:
        """Return the proxy to use; a proxy cannot reach the loopback interface."""
        if self._fixed_transport or is_loopback(self._endpoint):
            return None
        return environment.find_proxy(self._endpoint)


def _failure_reason(error: Exception) -> str:
    """Return the cause of a failed connection as the last part of the message code ``reason.…``."""
    causes = tuple(_exception_chain(error))
    for kind, reason in _REASONS_BY_ERROR:
        if any(isinstance(each, kind) for each in causes):
            return reason
    return "refused" if "refused" in str(error).lower() else "network"


def _exception_chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and its causes, down to that of the operating system."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        # The connection pool of httpcore raises "from None", so look at the context too.
        cause = cause.__cause__ or cause.__context__
