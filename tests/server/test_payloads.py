"""What an error and an instance are on the wire to a page."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from factories import HOUR, NOW, idle, instance, off, stop_in

from modelarts_magics.domain.durations import moment_to_ms
from modelarts_magics.domain.models import NOT_STATED, Mode
from modelarts_magics.errors import (
    AuthenticationError,
    BadAnswerError,
    ConfigurationError,
    DeadlineError,
    DescriptionError,
    ForbiddenError,
    ModelArtsError,
    NoCredentialsError,
    RefusedError,
    ServerError,
    StoreError,
    ThrottledError,
    UnreachableError,
    UnsettledError,
)
from modelarts_magics.server.payloads import (
    KEY_REFUSED,
    READ_ONLY,
    auto_stop_payload,
    error_payload,
    status_of,
    view_payload,
)
from modelarts_magics.server.snapshot import View

if TYPE_CHECKING:
    from modelarts_magics.domain.models import AutoStop
    from modelarts_magics.session.session import Session

BROKEN = ServerError("cloud.500.0010", status=500, request_id="r-1")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DescriptionError("description.length"), 400),
        (RefusedError("refuse.changed"), 409),
        (RefusedError("refuse.changed_elsewhere"), 409),
        (RefusedError("refuse.off"), 422),
        (AuthenticationError("cloud.401.0201", status=401), 502),
        (ForbiddenError("cloud.403.0108", status=403), 502),
        (BROKEN, 502),
        (BadAnswerError("answer.type"), 502),
        (UnsettledError("unsettled.unread", cause=BROKEN), 502),
        (ConfigurationError("config.api"), 503),
        (NoCredentialsError("credentials.none"), 503),
        (ThrottledError("cloud.429.0308", status=429), 503),
        (UnreachableError("unreachable.broken"), 503),
        (StoreError("store.locked"), 503),
        (DeadlineError("unreachable.deadline"), 504),
    ],
    ids=lambda value: getattr(value, "code", value),
)
def test_the_status_says_whose_fault_it_is(error: ModelArtsError, status: int) -> None:
    """The request's, the moment's, the cloud's, or nobody's for long; never that the page may not ask."""
    assert status_of(error) == status


@pytest.mark.parametrize("error", [BROKEN, UnsettledError("unsettled.unread", cause=BROKEN)])
def test_the_clouds_own_number_is_told_for_its_support(error: ModelArtsError) -> None:
    """Also where that is the error behind another one."""
    assert error_payload(error)["request_id"] == "r-1"


def test_a_key_that_is_refused_is_the_servers_own_whatever_the_status() -> None:
    """The cloud says 403 of it."""
    refused = error_payload(ForbiddenError(KEY_REFUSED, status=403))
    assert "login --save" in refused["hint"]
    assert "login --save" not in error_payload(ForbiddenError("cloud.403.0108", status=403))["hint"]


def test_lengths_are_whole_seconds_and_moments_milliseconds() -> None:
    """Whatever an error carries."""
    values = {"duration": timedelta(seconds=1.6), "end": NOW, "n": 2, "word": Mode.IDLE}
    told = error_payload(RefusedError("refuse.off", verb="", **values))["values"]
    assert told["duration"] == 2
    assert isinstance(told["duration"], int)
    assert (told["end"], told["n"]) == (moment_to_ms(NOW), 2)


@pytest.mark.parametrize(
    ("stop", "enabled", "mode"),
    [
        (stop_in(HOUR), True, "TIMING"),
        (idle(), True, "IDLE"),
        (off(), False, None),
        (NOT_STATED, None, None),
    ],
)
def test_what_the_cloud_does_not_state_is_null(
    stop: AutoStop, enabled: object, mode: str | None
) -> None:
    """Neither on nor off, and no way to decide where nothing is decided."""
    told = auto_stop_payload(stop)
    assert (told["enabled"], told["mode"]) == (enabled, mode)


def test_who_may_not_ask_the_cloud_changes_nothing(kernel: Session) -> None:
    """A countdown in the page says why; where the cloud fails for a while, it may be tried."""
    view = View(instance=instance(), session=kernel)
    assert view_payload(view)["state"]["can_change"] is True
    assert view_payload(replace(view, problem=BROKEN))["state"]["can_change"] is True
    shut = view_payload(replace(view, problem=NoCredentialsError("credentials.none")))
    assert shut["read_only"] is True
    assert (shut["state"]["can_change"], shut["state"]["reason"]) == (False, READ_ONLY)
