"""What the routes answer: codes, values and numbers with their unit; never a secret or a raw answer.

Moments are in milliseconds since 1970 by the cloud's clock, lengths in seconds. The other side is the
labextension; `openapi.yaml` says the same in its own language.
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
"""The refusals of what was decided on something that no longer holds."""
REJECTED_KEY_CODE = "api.403.0206"
"""A key that is not accepted, although the status says that it may not."""
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
    """The HTTP status that an error is told with.

    Never 401 or 403, which would say that Jupyter itself refuses the page: what the cloud refuses is 502.
    """
    if error.code in CONFLICT_CODES:
        return 409
    return next((status for kind, status in _HTTP_STATUSES if isinstance(error, kind)), 502)


def error_payload(error: ModelArtsError, *, field: str = "") -> dict[str, Any]:
    """An error: ``code``, ``message``, ``hint``, ``request_id``, ``values`` and the field it is about.

    ``answer`` says the same in the words of a click on a countdown. The hint is for who types no command.
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
    """What to do next after an error of this code, where a page has words of its own for it; else ""."""
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
    """What the instance's API can do, and what a description may be."""
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
    """Which of description and auto-stop differ."""
    comparisons = (
        ("description", seen.description == current.description),
        ("auto_stop", seen.auto_stop.equivalent_to(current.auto_stop)),
    )
    return [name for name, same in comparisons if not same]


def _to_json(value: Any) -> Any:  # noqa: ANN401 - any value of a sentence
    """A value as JSON has it: a moment in ms, a length in s, a sentence as text."""
    if isinstance(value, timedelta):
        return round(value.total_seconds())
    if isinstance(value, datetime):
        return datetime_to_ms(value)
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)
