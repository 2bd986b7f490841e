"""What an error and an instance are on the wire to a page."""

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
def test_the_status_says_whose_fault_it_is(error: ModelArtsError, status: int) -> None:
    """The request's, the moment's, the cloud's, or nobody's for long; never that the page may not ask."""
    assert http_status(error) == status


@pytest.mark.parametrize(
    "error", [BROKEN, OutcomeUnknownError("outcome_unknown.not_read_back", cause=BROKEN)]
)
def test_the_clouds_own_number_is_told_for_its_support(error: ModelArtsError) -> None:
    """Also where that is the error behind another one."""
    assert error_payload(error)["request_id"] == "r-1"


def test_a_key_that_is_refused_is_the_servers_own_whatever_the_status() -> None:
    """The cloud says 403 of it."""
    refused = error_payload(ForbiddenError(REJECTED_KEY_CODE, status=403))
    assert "login --save" in refused["hint"]
    assert "login --save" not in error_payload(ForbiddenError("api.403.0108", status=403))["hint"]


def test_lengths_are_whole_seconds_and_moments_milliseconds() -> None:
    """Whatever an error carries."""
    values = {"duration": timedelta(seconds=1.6), "end": NOW, "n": 2, "word": Mode.IDLE}
    told = error_payload(RefusedError("refuse.auto_stop_off", verb="", **values))["values"]
    assert told["duration"] == 2
    assert isinstance(told["duration"], int)
    assert (told["end"], told["n"]) == (datetime_to_ms(NOW), 2)


@pytest.mark.parametrize(
    ("stop", "enabled", "mode"),
    [
        (timed_auto_stop(HOUR), True, "TIMING"),
        (idle_auto_stop(), True, "IDLE"),
        (disabled_auto_stop(), False, None),
        (UNKNOWN_AUTO_STOP, None, None),
    ],
)
def test_what_the_cloud_does_not_state_is_null(
    stop: AutoStop, enabled: object, mode: str | None
) -> None:
    """Neither on nor off, and no way to decide where nothing is decided."""
    told = auto_stop_payload(stop)
    assert (told["enabled"], told["mode"]) == (enabled, mode)


def test_who_may_not_ask_the_cloud_changes_nothing(other_session: Session) -> None:
    """A countdown in the page says why; where the cloud fails for a while, it may be tried."""
    view = Snapshot(instance=make_instance(), session=other_session)
    assert snapshot_payload(view)["instance"]["can_change"] is True
    assert snapshot_payload(replace(view, problem=BROKEN))["instance"]["can_change"] is True
    shut = snapshot_payload(replace(view, problem=NoCredentialsError("credentials.not_found")))
    assert shut["read_only"] is True
    assert (shut["instance"]["can_change"], shut["instance"]["reason"]) == (False, READ_ONLY_REASON)
