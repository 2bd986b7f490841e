"""Serialise snapshots and errors for pages: codes, values and numbers with units, no secrets and no raw responses.

Times are in milliseconds since 1970 by the API's clock, durations in seconds. `openapi.yaml` describes the format.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from modelarts_magics import messages
from modelarts_magics.domain.browser_payloads import error_response, instance_payload
from modelarts_magics.domain.description import FULL_WIDTH_FORMS, MAX_LENGTH
from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.errors import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    DeadlineError,
    InputError,
    LockTimeoutError,
    ModelArtsError,
    OutcomeUnknownError,
    RefusedError,
    ThrottledError,
    UnreachableError,
)

if TYPE_CHECKING:
    from modelarts_magics.domain.models import Capabilities, Instance
    from modelarts_magics.server.snapshot import Snapshot

CONFLICT_CODES = ("refuse.stop_time_changed", "refuse.edit_conflict")
"""The refusals because the state has changed since the page read it."""
REJECTED_KEY_CODE = "api.403.0206"
"""The code of an access key that is not accepted, which has the status of a missing permission."""
_HINT_PREFIX = "server.hint."
_HTTP_STATUSES: tuple[tuple[type[ModelArtsError], int], ...] = (
    (InputError, 400),
    (RefusedError, 422),
    (ConfigurationError, 503),
    (ThrottledError, 503),
    (DeadlineError, 504),
    (UnreachableError, 503),
    (LockTimeoutError, 503),
)


def http_status(error: ModelArtsError) -> int:
    """Return the HTTP status of the response for an error.

    It is never 401 or 403, which mean that Jupyter refuses the page; a refusal by the API is 502.
    """
    if error.code in CONFLICT_CODES:
        return 409
    return next((status for kind, status in _HTTP_STATUSES if isinstance(error, kind)), 502)


def error_payload(error: ModelArtsError, *, field: str = "") -> dict[str, Any]:
    """Return an error as ``code``, ``message``, ``hint``, ``request_id``, ``values`` and ``field``.

    ``answer`` is the same as the response to a click on a countdown. The hint is for a page, without commands
    to type.

    Args:
        error: The error.
        field: The field of the request that it is about; "" for the one that the error names.
    """
    hint = _error_hint(error)
    cause = error.cause if isinstance(error, OutcomeUnknownError) else error
    return {
        "code": error.code,
        "message": error.message,
        "hint": hint,
        "request_id": cause.request_id if isinstance(cause, ApiError) else "",
        "field": field or str(error.values.get("field", "")),
        "values": {name: _to_json(value) for name, value in error.values.items()},
        "answer": error_response(error, hint=hint),
    }


def page_hint(code: str, **values: Any) -> str:  # noqa: ANN401 - values of any sentence
    """Return the hint for pages about an error with this code; "" if there is none."""
    hint = ModelArtsError(f"{_HINT_PREFIX}{code}", **values)
    return hint.message if messages.has_text(hint.code) else ""


def _error_hint(error: ModelArtsError) -> str:
    rejected = isinstance(error, AuthenticationError) or error.code == REJECTED_KEY_CODE
    return page_hint("refused" if rejected else error.code, **error.values) or error.hint


def snapshot_payload(snapshot: Snapshot) -> dict[str, Any]:
    """Return what the poller knows; reads the store for the bounds of a change."""
    session, instance, problem = snapshot.session, snapshot.instance, snapshot.problem
    payload: dict[str, Any] = {"instance": None, "as_of_ms": None}
    if session is not None and instance is not None:
        context = session.plan_context(instance)
        payload = {
            "instance": instance_payload(context, read_only=snapshot.read_only),
            "as_of_ms": datetime_to_ms(instance.observed_at),
        }
    return {
        **payload,
        "capabilities": capabilities_payload(session.capabilities) if session else None,
        "problem": error_payload(problem) if problem else None,
        "read_only": snapshot.read_only,
    }


def capabilities_payload(capabilities: Capabilities) -> dict[str, Any]:
    """Return the capabilities of the API and the rules for a description."""
    return {
        "api": capabilities.api,
        "counts_from": capabilities.counts_from.value,
        "min_duration_s": _to_json(capabilities.min_duration),
        "max_duration_s": _to_json(capabilities.max_duration),
        "can_disable": capabilities.can_disable,
        "supports_idle": capabilities.supports_idle,
        "supports_reminder": capabilities.supports_reminder,
        "persists_duration": capabilities.persists_duration,
        "description_limit": MAX_LENGTH,
        "description_forbidden": "".join(FULL_WIDTH_FORMS),
    }


def changed_fields(seen: Instance, current: Instance) -> list[str]:
    """Return which of description and auto-stop differ."""
    comparisons = (
        ("description", seen.description == current.description),
        ("auto_stop", seen.auto_stop.equivalent_to(current.auto_stop)),
    )
    return [name for name, same in comparisons if not same]


def _to_json(value: Any) -> Any:  # noqa: ANN401 - any value of a sentence
    """Return a value as JSON: a time in ms, a duration in s, a message as text."""
    if isinstance(value, timedelta):
        return round(value.total_seconds())
    if isinstance(value, datetime):
        return datetime_to_ms(value)
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)
