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
    timed_auto_stop,
)
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics.domain.countdown import Phase
from modelarts_magics.domain.models import (
    AutoStop,
    Change,
    CountsFrom,
    Effect,
    Instance,
    Mode,
    Profile,
    Status,
    StopTimeUnknown,
)

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
def test_status_is_at_most_one_of_three_groups(status: Status) -> None:
    """Each documented status is running, stopping, stopped or none of them."""
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
def test_documented_status_is_a_member(word: str) -> None:
    """The words of both APIs and all editions are members."""
    assert Status(word).name == word


@given(st.text().filter(lambda word: word not in Status.__members__))
def test_unknown_status_keeps_its_word(word: str) -> None:
    """It is named UNKNOWN, equals only its own word, and can be copied."""
    status = Status(word)
    assert (status.name, status.value) == ("UNKNOWN", word)
    assert status == Status(word) == word
    assert hash(status) == hash(Status(word))
    assert status != Status.UNKNOWN
    assert (status.running, status.stopping, status.stopped) == (False, False, False)
    assert copy.deepcopy(status) == status
    assert pickle.loads(pickle.dumps(status)) == status  # noqa: S301 - our own
    assert word not in Status.__members__


def test_instances_with_equal_content_are_equal() -> None:
    """The time of reading, the time left and the raw response do not count."""
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
def test_values_are_immutable(value: Instance | AutoStop) -> None:
    """No field can be changed."""
    for field in fields(value):
        with pytest.raises(FrozenInstanceError):
            setattr(value, field.name, None)


def test_repr_omits_the_raw_response() -> None:
    """A repr stays readable, whatever the response contains."""
    assert "surprise" not in repr(make_instance(raw={"surprise": 1}))


def test_str_is_one_short_line() -> None:
    """Print and logs show one line."""
    some = make_instance()
    assert str(some) == f"{some}" == "notebook-instance: RUNNING"
    assert str(make_instance(name="")) == "6fa459ea-ee8a-3ca4-894e-db77e160355e: RUNNING"
    change = Change(
        some, None, Effect.NEXT_START, auto_stop_edit(HOUR), DEMANAGER_CAPABILITIES, "extend"
    )
    assert str(change) == "extend: next-start"


@pytest.mark.parametrize(("by_s", "same"), [(0, True), (5, True), (-5, True), (5.1, False)])
def test_stop_times_within_tolerance_are_equivalent(by_s: float, same: object) -> None:
    """A stop time computed from the time left moves by a few seconds."""
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
def test_other_differences_are_not_equivalent(other: AutoStop) -> None:
    """A stop time returned by the API and an unknown one count exactly."""
    assert not timed_auto_stop(HOUR).equivalent_to(other)
    assert not other.equivalent_to(timed_auto_stop(HOUR))
    assert not make_instance(timed_auto_stop(HOUR)).equivalent_to(make_instance(other))
    assert not make_instance(timed_auto_stop(HOUR)).equivalent_to(
        replace(make_instance(timed_auto_stop(HOUR)), description="x")
    )


@pytest.mark.parametrize("kind", [Status, Mode, StopTimeUnknown, CountsFrom, Effect, Phase])
def test_enumerated_word_is_formatted_as_its_value(kind: type[Effect]) -> None:
    """It is the same in an f-string, with `format`, `str` and ``%s``."""
    for each in kind:
        texts = {f"{each}", f"{each:s}", f"{each:>1}", format(each), str(each), "%s" % each}  # noqa: UP031
        assert texts == {each.value}


def test_undocumented_status_is_formatted_as_its_word() -> None:
    """It is the word of the API, not UNKNOWN."""
    assert f"{Status('NEW_WORD')}" == "NEW_WORD"


def test_equal_instances_have_the_same_hash() -> None:
    """Objects of any content, such as labels, are not compared, because a state file does not hold them."""
    labels = {"c": "label"}
    profile = Profile("ML-1", "ML one", None, "Notebook", None, labels)
    one, other = (make_instance(profile=profile, spec=spec) for spec in ({"a": []}, {"a": []}))
    assert (one, hash(one)) == (other, hash(other))
    assert len({one, other, make_instance(spec=None), make_instance()}) == 2
    assert make_instance(profile=replace(profile, labels={})) == one
    change = Change(one, other, Effect.NOW, auto_stop_edit(HOUR), DEMANAGER_CAPABILITIES)
    assert hash(change) == hash(replace(change))
