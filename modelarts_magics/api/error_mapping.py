"""Map a failed HTTP response to an error of this package, by HTTP status and error code.

Source: the error code pages of ModelArts and API Gateway. Some numbers are used with several
statuses, so the status is part of the key.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
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
"""The codes of a 403 that concern the credential, not a missing permission."""


def error_from_response(
    status: int, content: bytes, *, request_id: str = "", secrets: tuple[str, ...] = ()
) -> ApiError:
    """Return the error for a response with a failing HTTP status.

    Args:
        status: The HTTP status.
        content: The body; only the fields of a JSON error are used.
        request_id: The request ID of the API.
        secrets: Values that must not be shown if the API repeats them.
    """
    envelope = _parse_envelope(content)
    error_code = _sanitize(envelope.get("error_code"), secrets)
    detail = _sanitize(envelope.get("error_msg") or envelope.get("error_message"), secrets)
    number = error_code.rpartition(".")[2]
    request_id = _sanitize(request_id, secrets)
    error_class = _ERRORS_BY_CODE.get((status, number))
    if error_class:
        code = f"api.{status}.{number}"
    else:
        is_server_error = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        fallback = ServerError if is_server_error else ApiError
        error_class = _ERRORS_BY_STATUS.get(status, fallback)
        code = f"api.{error_class.__name__}"
    return error_class(
        code, status=status, error_code=error_code, request_id=request_id, detail=detail
    )


def missing_permission(operation: str, error: ForbiddenError) -> ForbiddenError:
    """Return an error that names the missing permission, since reading may still be allowed.

    Args:
        operation: The refused operation; the last part of the message code ``api.forbidden.…``.
        error: The 403 response; returned unchanged if it concerns the credential.
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
    """Return one short printable line without secrets."""
    if not isinstance(value, str):
        return ""
    # Replace long secrets first, because one may contain another.
    for secret in sorted(secrets, key=len, reverse=True):
        value = value.replace(secret, "…")
    line = re.sub(r"\s+", " ", "".join(char if char.isprintable() else " " for char in value))
    return line.strip()[:_MAX_TEXT_LENGTH]
