"""The values that describe an instance."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, fields, replace
from datetime import timedelta

import pytest
from factories import (
    DEMANAGER_CAPABILITIES,
    HOUR,
    NOW,
    auto_stop_edit,
    make_instance,
    property_settings,
    timed_auto_stop,
)
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics.domain.models import AutoStop, Change, Effect, Instance, Status

RUNNING = {Status.RUNNING, Status.SNAPSHOTTING}
STOPPING = {Status.STOPPING, Status.DELETING}
STOPPED = {
    Status.STOPPED,
    Status.DELETED,
    Status.FROZEN,
    Status.ERROR,
    Status.CREATE_FAILED,
    Status.START_FAILED,
    Status.RESIZE_FAILED,
    Status.DELETE_FAILED,
}


@pytest.mark.parametrize("status", list(Status))
def test_a_status_is_at_most_one_of_running_stopping_and_stopped(status: Status) -> None:
    """Each documented word answers the three questions; the others answer none of them."""
    assert status.running == (status in RUNNING)
    assert status.stopping == (status in STOPPING)
    assert status.stopped == (status in STOPPED)


@pytest.mark.parametrize(
    "word",
    [
        "STARTING",
        "RUNNING",
        "STOPPING",
        "STOPPED",
        "UNKNOWN",
        "CREATE_QUEUING",
        "CREATING",
        "CREATE_FAILED",
        "START_QUEUING",
        "READY_TO_START",
        "RESTARTING",
        "START_FAILED",
        "UNAVAILABLE",
        "DELETED",
        "RESIZING",
        "RESIZE_FAILED",
        "INIT",
        "DELETING",
        "SNAPSHOTTING",
        "DELETE_FAILED",
        "ERROR",
        "FROZEN",
    ],
)
def test_every_documented_status_is_known(word: str) -> None:
    """The words of both generations and all editions have a member of their own."""
    assert Status(word).name == word


@property_settings
@given(st.text().filter(lambda word: word not in Status.__members__))
def test_an_unknown_status_keeps_its_word_and_claims_nothing(word: str) -> None:
    """It is named UNKNOWN, equals itself and its word alone, and survives copying."""
    status = Status(word)
    assert (status.name, status.value) == ("UNKNOWN", word)
    assert status == Status(word) == word
    assert hash(status) == hash(Status(word))
    assert status != Status.UNKNOWN
    assert (status.running, status.stopping, status.stopped) == (False, False, False)
    assert copy.deepcopy(status) == status
    assert pickle.loads(pickle.dumps(status)) == status  # noqa: S301 - our own
    assert word not in Status.__members__


def test_instances_are_equal_when_the_cloud_says_the_same() -> None:
    """When it was asked, what was left then and the raw answer do not count; all else does."""
    some = make_instance(timed_auto_stop(HOUR, remain_time=HOUR))
    later = replace(
        some,
        observed_at=NOW + HOUR,
        auto_stop=replace(some.auto_stop, remain_time=2 * HOUR),
        raw={"new": 1},
    )
    assert some == later
    assert some != replace(some, description="another")
    assert some != replace(some, status=Status.STOPPED)
    assert some != replace(some, auto_stop=timed_auto_stop(2 * HOUR))
    assert some != replace(some, demo=True)


@pytest.mark.parametrize("value", [make_instance(), timed_auto_stop(HOUR)])
def test_values_are_frozen(value: Instance | AutoStop) -> None:
    """No field of what the cloud said can be changed afterwards."""
    for field in fields(value):
        with pytest.raises(FrozenInstanceError):
            setattr(value, field.name, None)


def test_the_raw_answer_is_not_in_the_repr() -> None:
    """A repr is short enough to read, whatever the cloud added."""
    assert "surprise" not in repr(make_instance(raw={"surprise": 1}))


def test_a_printed_value_is_one_short_line() -> None:
    """What `print` and a log show; all of it is in the repr."""
    some = make_instance()
    assert str(some) == f"{some}" == "notebook-instance: RUNNING"
    assert str(make_instance(name="")) == "6fa459ea-ee8a-3ca4-894e-db77e160355e: RUNNING"
    change = Change(
        some, None, Effect.NEXT_START, auto_stop_edit(HOUR), DEMANAGER_CAPABILITIES, "extend"
    )
    assert str(change) == "extend: next-start"


@pytest.mark.parametrize(("by_s", "same"), [(0, True), (5, True), (-5, True), (5.1, False)])
def test_an_end_that_moves_by_a_few_seconds_is_the_same(by_s: float, same: object) -> None:
    """It follows from the time left, in whole seconds, and from when that was asked."""
    stop = timed_auto_stop(HOUR)
    moved = replace(stop, stops_at=NOW + HOUR + timedelta(seconds=by_s))
    assert stop.equivalent_to(moved) is same
    assert make_instance(stop).equivalent_to(make_instance(moved)) is same


@pytest.mark.parametrize(
    "other",
    [
        replace(timed_auto_stop(HOUR), duration=9 * HOUR),
        replace(timed_auto_stop(HOUR), prompt=False),
        replace(timed_auto_stop(HOUR), stop_timestamp=NOW),
        timed_auto_stop(None),
    ],
)
def test_what_else_differs_is_not_the_same(other: AutoStop) -> None:
    """Above all not an end that the cloud wrote, nor one that is not known."""
    assert not timed_auto_stop(HOUR).equivalent_to(other)
    assert not other.equivalent_to(timed_auto_stop(HOUR))
    assert not make_instance(timed_auto_stop(HOUR)).equivalent_to(make_instance(other))
    assert not make_instance(timed_auto_stop(HOUR)).equivalent_to(
        replace(make_instance(timed_auto_stop(HOUR)), description="x")
    )
