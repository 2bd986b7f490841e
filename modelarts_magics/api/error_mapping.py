"""An HTTP failure as an error of this package, keyed on (HTTP status, cloud code).

Source: the error code pages of ModelArts and API Gateway; numbers recur between statuses, so the
status is part of the key.
"""

from __future__ import annotations

import json
import re
from typing import Any

from modelarts_magics.errors import (
    ApiError,
    AuthenticationError,
    ForbiddenError,
    NoSuchApiError,
    NoSuchInstanceError,
    RejectedValueError,
    ServerError,
    ThrottledError,
    WrongStateError,
)

_ERRORS_BY_CODE: dict[tuple[int, str], type[ApiError]] = {
    (400, "6309"): NoSuchInstanceError,
    (400, "6404"): NoSuchInstanceError,
    (400, "6327"): WrongStateError,
    (400, "6332"): RejectedValueError,
    (400, "6334"): RejectedValueError,
    (400, "6335"): RejectedValueError,
    (400, "6336"): RejectedValueError,
    (400, "6346"): RejectedValueError,
    (400, "6347"): WrongStateError,
    (400, "6348"): RejectedValueError,
    (400, "6349"): RejectedValueError,
    (400, "6357"): WrongStateError,
    (400, "6400"): RejectedValueError,
    (401, "0201"): AuthenticationError,
    (401, "0202"): AuthenticationError,
    (401, "0203"): AuthenticationError,
    (401, "6401"): AuthenticationError,
    (401, "0301"): AuthenticationError,
    (401, "0307"): AuthenticationError,
    (403, "0108"): ForbiddenError,
    (403, "0206"): ForbiddenError,
    (403, "0210"): ForbiddenError,
    (404, "0101"): NoSuchApiError,
    (429, "6101"): ThrottledError,
    (429, "0308"): ThrottledError,
    (500, "0010"): ServerError,
    (500, "6102"): ServerError,
}

_ERRORS_BY_STATUS: dict[int, type[ApiError]] = {
    400: RejectedValueError,
    401: AuthenticationError,
    403: ForbiddenError,
    404: NoSuchApiError,
    409: WrongStateError,
    429: ThrottledError,
}

_MAX_TEXT_LENGTH = 200
_CREDENTIAL_ERROR_CODES = ("0206", "0210")
"""The codes of a 403 that are about the credential, not about a right that it lacks."""


def error_from_response(
    status: int, content: bytes, *, request_id: str = "", secrets: tuple[str, ...] = ()
) -> ApiError:
    """The error that an answer with a failing HTTP status is.

    Args:
        status: The HTTP status.
        content: The body; only a JSON envelope is looked into, and nothing of it is shown raw.
        request_id: The cloud's id of the request.
        secrets: What must not be shown, should the cloud echo it.
    """
    envelope = _parse_envelope(content)
    error_code = _sanitize(envelope.get("error_code"), secrets)
    words = _sanitize(envelope.get("error_msg") or envelope.get("error_message"), secrets)
    number = error_code.rpartition(".")[2]
    request_id = _sanitize(request_id, secrets)
    kind = _ERRORS_BY_CODE.get((status, number))
    if kind:
        code = f"api.{status}.{number}"
    else:
        kind = _ERRORS_BY_STATUS.get(status) or (ServerError if status >= 500 else ApiError)  # noqa: PLR2004
        code = f"api.{kind.__name__}"
    return kind(code, status=status, error_code=error_code, request_id=request_id, detail=words)


def missing_permission(operation: str, error: ForbiddenError) -> ForbiddenError:
    """The refusal with the right that is missing, since reading may be allowed all the same.

    Args:
        operation: What was refused; there is a sentence ``api.forbidden.PART``.
        error: The cloud's 403; one that is about the credential stays as it is.
    """
    if error.code.endswith(_CREDENTIAL_ERROR_CODES):
        return error
    return ForbiddenError(f"api.forbidden.{operation}", **error.values)


def _parse_envelope(content: bytes) -> dict[str, Any]:
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _sanitize(value: object, secrets: tuple[str, ...]) -> str:
    """One short, printable line without secrets."""
    if not isinstance(value, str):
        return ""
    for secret in sorted(secrets, key=len, reverse=True):  # one may be a part of another
        value = value.replace(secret, "…")
    line = re.sub(r"\s+", " ", "".join(char if char.isprintable() else " " for char in value))
    return line.strip()[:_MAX_TEXT_LENGTH]
