"""What can go wrong, as one tree.

    ModelArtsError                  every error of this package; has a message and a hint
    ├── InputError                  what was entered is not valid; nothing was sent
    │   ├── UsageError              the command's words are off
    │   ├── DescriptionError        a description the API would refuse
    │   └── DurationError           a duration or clock time that cannot be read or is out of bounds
    ├── ConfigurationError          a setting is missing or wrong; nothing was sent
    │   └── NoCredentialsError      no token and no key was found
    ├── RefusedError                the change makes no sense now; nothing was sent
    ├── ApiError                  the cloud answered with an error; has its status and code
    │   ├── AuthenticationError     401: the token or the signature was not accepted
    │   ├── ForbiddenError          403: accepted, but not allowed to do this
    │   ├── NoSuchInstanceError     the instance does not exist in this project
    │   ├── NoSuchApiError          404: the endpoint does not serve this API
    │   ├── WrongStateError         not possible in the instance's present state
    │   ├── RejectedValueError      the cloud refused a value
    │   ├── ThrottledError          429: too many requests
    │   └── ServerError             5xx: the cloud failed
    ├── UnreachableError            no answer: connection, name, TLS, proxy
    │   └── DeadlineError           no complete answer in time
    ├── InvalidResponseError              an answer that cannot be understood
    ├── LockTimeoutError                  the lock of this instance could not be had
    └── OutcomeUnknownError              a write was sent and its outcome is not known
        └── PartialUpdateError            one part of a write holds, another was refused

The message and the hint are looked up by `code` when they are shown, so an error can cross to a
browser as its code and values.
"""

from __future__ import annotations

import re
from typing import Any

from modelarts_magics import messages

UNPRINTABLE_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
"""What would break a line, drive a terminal or could not be written at all."""


class ModelArtsError(Exception):
    """Any error of this package.

    Attributes:
        code: Names the sentence in `modelarts_magics.messages`.
        values: What fills the sentence's places; never a secret.
    """

    def __init__(self, code: str, **values: Any) -> None:  # noqa: ANN401 - values of any sentence
        super().__init__(code)
        self.code = code
        self.values = values

    @property
    def message(self) -> str:
        """What went wrong, in one line."""
        return _to_single_line(messages.text(self.code, **self.values))

    @property
    def hint(self) -> str:
        """What to do next, in one line; empty where there is nothing to say."""
        code = f"{self.code}.hint"
        return (
            _to_single_line(messages.text(code, **self.values)) if messages.has_text(code) else ""
        )

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}".rstrip()

    def _render_traceback_(self) -> list[str]:
        """IPython's hook: the message and the hint instead of a traceback."""
        return str(self).splitlines()


class InputError(ModelArtsError):
    """What was entered is not valid; nothing was sent."""


class UsageError(InputError):
    """The words of a command are off."""


class DescriptionError(InputError):
    """A description that the API would refuse."""


class DurationError(InputError):
    """A duration or a clock time that cannot be read, or is out of bounds."""


class ConfigurationError(ModelArtsError):
    """A setting is missing or wrong; nothing was sent."""


class NoCredentialsError(ConfigurationError):
    """No token and no key was found."""


class RefusedError(ModelArtsError):
    """The change makes no sense in the instance's present state; nothing was sent."""


class ApiError(ModelArtsError):
    """The cloud answered with an error.

    Attributes:
        status: The HTTP status.
        error_code: The cloud's own code, as ``ModelArts.6309``; empty if it gave none.
        request_id: What the cloud calls this request in its logs; empty if it gave none.
    """

    def __init__(
        self,
        code: str,
        *,
        status: int = 0,
        error_code: str = "",
        request_id: str = "",
        **values: Any,  # noqa: ANN401 - values of any sentence
    ) -> None:
        super().__init__(
            code, status=status, error_code=error_code, request_id=request_id, **values
        )
        self.status = status
        self.error_code = error_code
        self.request_id = request_id

    @property
    def message(self) -> str:
        """What went wrong, with the cloud's code and request id for who asks its support."""
        parts = [self.error_code or f"HTTP {self.status}"]
        if self.request_id:
            parts.append(messages.text("api.request", request_id=self.request_id))
        details = messages.join_list(parts)
        return messages.text(
            "api.details", message=super().message.rstrip(" :\N{FULLWIDTH COLON}"), details=details
        )


class AuthenticationError(ApiError):
    """401: the token or the signature was not accepted."""


class ForbiddenError(ApiError):
    """403: who asks is known, and not allowed to do this."""


class NoSuchInstanceError(ApiError):
    """The instance does not exist in this project."""


class NoSuchApiError(ApiError):
    """404: the endpoint does not serve this API."""


class WrongStateError(ApiError):
    """Not possible in the instance's present state."""


class RejectedValueError(ApiError):
    """The cloud refused a value."""


class ThrottledError(ApiError):
    """429: too many requests."""


class ServerError(ApiError):
    """5xx: the cloud failed; a write may or may not have been applied."""


class UnreachableError(ModelArtsError):
    """No answer: connection, name, TLS or proxy.

    Attributes:
        sent: Whether the request may have reached the cloud.
    """

    def __init__(self, code: str, *, sent: bool = False, **values: Any) -> None:  # noqa: ANN401
        super().__init__(code, **values)
        self.sent = sent


class DeadlineError(UnreachableError):
    """No complete answer in time."""


class InvalidResponseError(ModelArtsError):
    """An answer that cannot be understood; it is named, never shown."""


class LockTimeoutError(ModelArtsError):
    """The lock of this instance could not be had in time."""


class OutcomeUnknownError(ModelArtsError):
    """A write was sent and its outcome is not known, or only a part of it holds.

    Attributes:
        cause: The error that interrupted the write.
    """

    def __init__(self, code: str, *, cause: ModelArtsError, **values: Any) -> None:  # noqa: ANN401
        super().__init__(code, cause=cause.message, **values)
        self.cause = cause


def _to_single_line(sentence: str) -> str:
    """A sentence that quotes what somebody entered, as one line that can be shown anywhere."""
    return UNPRINTABLE_CHARACTERS.sub(" ", sentence)


class PartialUpdateError(OutcomeUnknownError):
    """One part of a write holds, another was refused; the message says which."""
