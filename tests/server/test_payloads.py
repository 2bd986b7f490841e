"""Serialised errors and snapshots."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from factories import HOUR, NOW, disabled_auto_stop, idle_auto_stop, make_instance, timed_auto_stop

from modelarts_magics.domain.browser_payloads import READ_ONLY_REASON, auto_stop_payload
from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.domain.models import UNKNOWN_AUTO_STOP, Mode
from modelarts_magics.errors import (
    AuthenticationError,
    ConfigurationError,
    DeadlineError,
    DescriptionError,
    ForbiddenError,
    InvalidResponseError,
    LockTimeoutError,
    ModelArtsError,
    NoCredentialsError,
    OutcomeUnknownError,
    RefusedError,
    ServerError,
    ThrottledError,
    UnreachableError,
)
from modelarts_magics.server.payloads import (
    REJECTED_KEY_CODE,
    error_payload,
    http_status,
    snapshot_payload,
)
from modelarts_magics.server.snapshot import Snapshot

if TYPE_CHECKING:
    from modelarts_magics.domain.models import AutoStop
    from modelarts_magics.session.session import Session

BROKEN = ServerError("api.500.0010", status=500, request_id="r-1")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DescriptionError("description.length"), 400),
        (RefusedError("refuse.stop_time_changed"), 409),
        (RefusedError("refuse.edit_conflict"), 409),
        (RefusedError("refuse.auto_stop_off"), 422),
        (AuthenticationError("api.401.0201", status=401), 502),
        (ForbiddenError("api.403.0108", status=403), 502),
        (BROKEN, 502),
        (InvalidResponseError("response.type"), 502),
        (OutcomeUnknownError("outcome_unknown.not_read_back", cause=BROKEN), 502),
        (ConfigurationError("config.api"), 503),
        (NoCredentialsError("credentials.not_found"), 503),
        (ThrottledError("api.429.0308", status=429), 503),
        (UnreachableError("unreachable.connection_lost"), 503),
        (LockTimeoutError("store.locked"), 503),
        (DeadlineError("unreachable.total_timeout"), 504),
    ],
    ids=lambda value: getattr(value, "code", value),
)
def test_http_status_shows_the_cause(error: ModelArtsError, status: int) -> None:
    """It is never 401 or 403, which mean that Jupyter refuses the page."""
    assert http_status(error) == status


@pytest.mark.parametrize(
    "error", [BROKEN, OutcomeUnknownError("outcome_unknown.not_read_back", cause=BROKEN)]
)
def test_request_id_of_the_api_is_included(error: ModelArtsError) -> None:
    """Also if the API error is the cause of another one."""
    assert error_payload(error)["request_id"] == "r-1"


def test_refused_key_gets_the_hint_for_credentials() -> None:
    """The API sends 403 for it."""
    refused = error_payload(ForbiddenError(REJECTED_KEY_CODE, status=403))
    assert "login --save" in refused["hint"]
    assert "login --save" not in error_payload(ForbiddenError("api.403.0108", status=403))["hint"]


def test_durations_are_seconds_and_times_milliseconds() -> None:
    """Also among the values of an error."""
    values = {"duration": timedelta(seconds=1.6), "end": NOW, "n": 2, "word": Mode.IDLE}
    payload = error_payload(RefusedError("refuse.auto_stop_off", verb="", **values))["values"]
    assert payload["duration"] == 2
    assert isinstance(payload["duration"], int)
    assert (payload["end"], payload["n"]) == (datetime_to_ms(NOW), 2)


@pytest.mark.parametrize(
    ("stop", "enabled", "mode"),
    [
        (timed_auto_stop(HOUR), True, "TIMING"),
        (idle_auto_stop(), True, "IDLE"),
        (disabled_auto_stop(), False, None),
        (UNKNOWN_AUTO_STOP, None, None),
    ],
)
def test_missing_auto_stop_is_null(stop: AutoStop, enabled: object, mode: str | None) -> None:
    """It is neither on nor off, and has no mode."""
    payload = auto_stop_payload(stop)
    assert (payload["enabled"], payload["mode"]) == (enabled, mode)


def test_server_without_credentials_is_read_only(other_session: Session) -> None:
    """The countdown shows the reason; after a temporary failure changes stay possible."""
    view = Snapshot(instance=make_instance(), session=other_session)
    assert snapshot_payload(view)["instance"]["can_change"] is True
    assert snapshot_payload(replace(view, problem=BROKEN))["instance"]["can_change"] is True
    shut = snapshot_payload(replace(view, problem=NoCredentialsError("credentials.not_found")))
    assert shut["read_only"] is True
    assert (shut["instance"]["can_change"], shut["instance"]["reason"]) == (False, READ_ONLY_REASON)
