"""Errors of this package, as one tree.

    ModelArtsError                  any error of this package; has a message and a hint
    ├── InputError                  invalid input; nothing was sent
    │   ├── UsageError              a command is used incorrectly
    │   ├── DescriptionError        a description that the API would refuse
    │   └── DurationError           an invalid duration or clock time, or one out of range
    ├── ConfigurationError          a setting is missing or invalid; nothing was sent
    │   └── NoCredentialsError      no token or access key was found
    ├── RefusedError                a change that is impossible now; nothing was sent
    ├── ApiError                    the API returned an error; has its status and code
    │   ├── AuthenticationError     401: the token or signature was refused
    │   ├── ForbiddenError          403: the credential lacks a permission
    │   ├── NoSuchInstanceError     the instance does not exist in this project
    │   ├── NoSuchApiError          404: the endpoint does not provide this API
    │   ├── WrongStateError         impossible in the present state of the instance
    │   ├── RejectedValueError      the API refused a value
    │   ├── ThrottledError          429: too many requests
    │   └── ServerError             5xx: the API failed
    ├── UnreachableError            no response: connection, name lookup, TLS or proxy
    │   └── DeadlineError           no complete response in time
    ├── InvalidResponseError        a response that cannot be interpreted
    ├── LockTimeoutError            the lock of this instance was not free in time
    └── OutcomeUnknownError         a write was sent and its outcome is unknown
        └── PartialUpdateError      one part of a write was applied, another refused

Message and hint are worded when they are shown, so that an error can be sent to a browser as its code
and values.
"""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Any

from modelarts_magics.messages import has_text, join_list, text

UNPRINTABLE_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
"""Characters that break a line, control a terminal or cannot be encoded."""

_RETRY_AFTER_STATUSES = (429, 503)
_SECONDS_SHOWN_BELOW_S = 120
_MAX_RETRY_AFTER_S = 7 * 86400


class ModelArtsError(Exception):
    """Any error of this package.

    Args:
        code: The key of the message in `modelarts_magics.messages`.
        values: The values in the message; never a secret. ``last_known`` is a message about the last known
            state of the instance, ``retry_after`` the seconds after which the API allows another try.
    """

    def __init__(self, code: str, **values: Any) -> None:  # noqa: ANN401 - values of any message
        super().__init__(code)
        self.code = code
        self.values = values

    @property
    def message(self) -> str:
        """The error in one line."""
        return _to_single_line(text(self.code, **self.values))

    @property
    def hint(self) -> str:
        """A suggestion in one line; "" if there is none."""
        code = f"{self.code}.hint"
        return _to_single_line(text(code, **self.values)) if has_text(code) else ""

    def __str__(self) -> str:
        lines = [self.message, self.values.get("last_known", ""), self.hint]
        return "\n".join(str(line) for line in lines if line)

    def __reduce__(self) -> tuple[Any, ...]:
        # By default an exception is rebuilt from `args`, which contains none of the keyword arguments.
        return _rebuild_error, (type(self), self.args), vars(self)

    def _render_traceback_(self) -> list[str]:
        """Return the message and the hint; IPython shows them instead of a traceback."""
        return str(self).splitlines()


def _rebuild_error(kind: type[ModelArtsError], args: tuple[Any, ...]) -> ModelArtsError:
    """Return an error without attributes; `pickle` and `copy` set them."""
    return kind.__new__(kind, *args)


class InputError(ModelArtsError):
    """Invalid input; nothing was sent."""


class UsageError(InputError):
    """A command is used incorrectly."""


class DescriptionError(InputError):
    """A description that the API would refuse."""


class DurationError(InputError):
    """An invalid duration or clock time, or one that is out of range."""


class ConfigurationError(ModelArtsError):
    """A setting is missing or invalid; nothing was sent."""


class NoCredentialsError(ConfigurationError):
    """No token or access key was found."""


class RefusedError(ModelArtsError):
    """A change that is impossible in the present state of the instance; nothing was sent."""


class ApiError(ModelArtsError):
    """The API returned an error.

    Attributes:
        status: The HTTP status.
        error_code: The error code of the API, such as ``ModelArts.6309``; "" if it returned none.
        request_id: The ID of the request in the logs of the API; "" if it returned none.
    """

    def __init__(
        self,
        code: str,
        *,
        status: int = 0,
        error_code: str = "",
        request_id: str = "",
        **values: Any,  # noqa: ANN401 - values of any message
    ) -> None:
        super().__init__(
            code, status=status, error_code=error_code, request_id=request_id, **values
        )
        self.status = status
        self.error_code = error_code
        self.request_id = request_id

    @property
    def message(self) -> str:
        """The error with the error code and request ID, which the support asks for."""
        parts = [self.error_code or f"HTTP {self.status}"]
        if self.request_id:
            parts.append(text("api.request", request_id=self.request_id))
        details = join_list(parts)
        return text(
            "api.details", message=super().message.rstrip(" :\N{FULLWIDTH COLON}"), details=details
        )

    @property
    def hint(self) -> str:
        """A suggestion in one line; when to try again, if the API says that."""
        retry_after = self.values.get("retry_after")
        if not retry_after or self.status not in _RETRY_AFTER_STATUSES:
            return super().hint
        # Rounded up, so that the next try is not too early.
        unit_s = 60 if retry_after > _SECONDS_SHOWN_BELOW_S else 1
        delay = timedelta(seconds=math.ceil(min(retry_after, _MAX_RETRY_AFTER_S) / unit_s) * unit_s)
        return text("api.retry_after", delay=delay)


class AuthenticationError(ApiError):
    """401: the token or signature was refused."""


class ForbiddenError(ApiError):
    """403: the credential is valid and lacks a permission."""


class NoSuchInstanceError(ApiError):
    """The instance does not exist in this project."""


class NoSuchApiError(ApiError):
    """404: the endpoint does not provide this API."""


class WrongStateError(ApiError):
    """Impossible in the present state of the instance."""


class RejectedValueError(ApiError):
    """The API refused a value."""


class ThrottledError(ApiError):
    """429: too many requests."""


class ServerError(ApiError):
    """5xx: the API failed; a write may have been applied."""


class UnreachableError(ModelArtsError):
    """No response: connection, name lookup, TLS or proxy.

    Attributes:
        sent: Whether the request may have reached the API.
    """

    def __init__(self, code: str, *, sent: bool = False, **values: Any) -> None:  # noqa: ANN401
        super().__init__(code, **values)
        self.sent = sent


class DeadlineError(UnreachableError):
    """No complete response in time."""


class InvalidResponseError(ModelArtsError):
    """A response that cannot be interpreted; its content is never shown."""


class LockTimeoutError(ModelArtsError):
    """The lock of this instance was not free in time."""


class OutcomeUnknownError(ModelArtsError):
    """A write was sent and its outcome is unknown, or it was only partly applied.

    Attributes:
        cause: The error that interrupted the write.
    """

    def __init__(self, code: str, *, cause: ModelArtsError, **values: Any) -> None:  # noqa: ANN401
        super().__init__(code, cause=cause.message, **values)
        self.cause = cause


def _to_single_line(sentence: str) -> str:
    """Return a sentence, which may quote user input, as one printable line."""
    return UNPRINTABLE_CHARACTERS.sub(" ", sentence)


class PartialUpdateError(OutcomeUnknownError):
    """One part of a write was applied, another refused; the message names both."""
