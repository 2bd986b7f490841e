"""What the routes answer: codes, values and numbers with their unit; never a secret or a raw answer.

Moments are in milliseconds since 1970 by the cloud's clock, lengths in seconds. The other side is the
labextension; `openapi.yaml` says the same in its own language.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from modelarts_magics import messages
from modelarts_magics.domain.browser_payloads import error_answer, page_state
from modelarts_magics.domain.description import FULL_WIDTH, MAX_LENGTH
from modelarts_magics.domain.durations import moment_to_ms
from modelarts_magics.errors import (
    AuthenticationError,
    CloudError,
    ConfigurationError,
    DeadlineError,
    InputError,
    ModelArtsError,
    RefusedError,
    StoreError,
    ThrottledError,
    UnreachableError,
    UnsettledError,
)

if TYPE_CHECKING:
    from modelarts_magics.domain.models import AutoStop, Capabilities, Instance
    from modelarts_magics.server.snapshot import View
    from modelarts_magics.session.session import Session

STALE = ("refuse.changed", "refuse.changed_elsewhere")
"""The refusals of what was decided on something that no longer holds."""
READ_ONLY = "read-only"
"""The code of why nothing can be changed, where the server may not ask the cloud."""
KEY_REFUSED = "cloud.403.0206"
"""A key that is not accepted, although the status says that it may not."""
_HINT = "server.hint."
_STATUSES: tuple[tuple[type[ModelArtsError], int], ...] = (
    (InputError, 400),
    (RefusedError, 422),
    (ConfigurationError, 503),
    (ThrottledError, 503),
    (DeadlineError, 504),
    (UnreachableError, 503),
    (StoreError, 503),
)


def status_of(error: ModelArtsError) -> int:
    """The HTTP status that an error is told with.

    Never 401 or 403, which would say that Jupyter itself refuses the page: what the cloud refuses is 502.
    """
    if error.code in STALE:
        return 409
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 502)


def error_payload(error: ModelArtsError, *, field: str = "") -> dict[str, Any]:
    """An error: ``code``, ``message``, ``hint``, ``request_id``, ``values`` and the field it is about.

    ``answer`` says the same in the words of a click on a countdown. The hint is for who types no command.
    """
    hint = _hint(error)
    cause = error.cause if isinstance(error, UnsettledError) else error
    return {
        "code": error.code,
        "message": error.message,
        "hint": hint,
        "request_id": cause.request_id if isinstance(cause, CloudError) else "",
        "field": field or str(error.values.get("field", "")),
        "values": {name: _plain(value) for name, value in error.values.items()},
        "answer": error_answer(error, hint=hint),
    }


def page_hint(code: str, **values: Any) -> str:  # noqa: ANN401 - values of any sentence
    """What to do next after an error of this code, where a page has words of its own for it; else ""."""
    hint = ModelArtsError(f"{_HINT}{code}", **values)
    return hint.message if messages.has(hint.code) else ""


def _hint(error: ModelArtsError) -> str:
    refused = isinstance(error, AuthenticationError) or error.code == KEY_REFUSED
    return page_hint("refused" if refused else error.code, **error.values) or error.hint


def _state(session: Session, instance: Instance, *, read_only: bool) -> dict[str, Any]:
    """The instance as a countdown wants it; looks into the store."""
    state = page_state(session.circumstances(instance))
    return {**state, "can_change": False, "reason": READ_ONLY} if read_only else state


def view_payload(view: View) -> dict[str, Any]:
    """What the monitor knows; looks into the store."""
    session, instance, problem = view.session, view.instance, view.problem
    shown: dict[str, Any] = {"state": None, "as_of_ms": None, "instance": None}
    if session is not None and instance is not None:
        shown = {
            "state": _state(session, instance, read_only=view.read_only),
            "as_of_ms": moment_to_ms(instance.observed_at),
            "instance": instance_payload(instance),
        }
    return {
        **shown,
        "capabilities": capabilities_payload(session.capabilities) if session else None,
        "source": "server",
        "problem": error_payload(problem) if problem else None,
        "read_only": view.read_only,
    }


def instance_payload(instance: Instance) -> dict[str, Any]:
    """What a panel shows of the instance, and what it says it was edited from."""
    return {
        "id": instance.id,
        "name": instance.name,
        "description": instance.description,
        "status": instance.status.value,
        "flavor": instance.flavor,
        "api": instance.api,
        "demo": instance.demo,
        "auto_stop": auto_stop_payload(instance.auto_stop),
    }


def auto_stop_payload(stop: AutoStop) -> dict[str, Any]:
    """Auto-stop as it is set; ``enabled`` is null where the cloud says nothing of it."""
    return {
        "enabled": stop.enabled if stop.stated else None,
        "mode": stop.mode.value if stop.enabled else None,
        "duration_s": _plain(stop.duration),
        "prompt": stop.prompt,
        "stops_at_ms": _plain(stop.stops_at),
    }


def capabilities_payload(able: Capabilities) -> dict[str, Any]:
    """What the instance's API can do, and what a description may be."""
    return {
        "api": able.api,
        "counts_from": able.counts_from.value,
        "shortest_s": _plain(able.shortest),
        "longest_s": _plain(able.longest),
        "off": able.off,
        "idle": able.idle,
        "prompt": able.prompt,
        "kept": able.kept,
        "description_limit": MAX_LENGTH,
        "description_forbidden": "".join(FULL_WIDTH),
    }


def changed_parts(seen: Instance, now: Instance) -> list[str]:
    """Which of description and auto-stop differ."""
    parts = (
        ("description", seen.description == now.description),
        ("auto_stop", seen.auto_stop.same_as(now.auto_stop)),
    )
    return [name for name, same in parts if not same]


def _plain(value: Any) -> Any:  # noqa: ANN401 - any value of a sentence
    """A value as JSON has it: a moment in ms, a length in s, a sentence as text."""
    if isinstance(value, timedelta):
        return round(value.total_seconds())
    if isinstance(value, datetime):
        return moment_to_ms(value)
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)
