"""The effect of a change, determined from the response of the API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from factories import (
    DEMANAGER_CAPABILITIES,
    HOUR,
    MINUTE,
    NOTEBOOKS_CAPABILITIES,
    NOW,
    auto_stop_edit,
    disabled_auto_stop,
    idle_auto_stop,
    make_instance,
    timed_auto_stop,
)
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics.domain.effects import determine_effect
from modelarts_magics.domain.models import (
    AutoStop,
    AutoStopEdit,
    Capabilities,
    Edit,
    Effect,
    Mode,
    Status,
)

SECOND = timedelta(seconds=1)
BEFORE = timed_auto_stop(HOUR)
"""Two hours set, one hour left."""
OFF = Edit(auto_stop=AutoStopEdit(enabled=False, prompt=True))


@dataclass(frozen=True)
class Case:
    """One write: the state before and after it, the edit, and the expected effect."""

    name: str
    before: AutoStop
    after: AutoStop
    edit: Edit
    expected: datetime | None
    effect: Effect
    status: Status = Status.RUNNING


FROM_RUN_START = [
    Case(
        "2019: this run follows the new duration",
        BEFORE,
        timed_auto_stop(2 * HOUR, duration=3 * HOUR),
        auto_stop_edit(3 * HOUR),
        NOW + 2 * HOUR,
        Effect.NOW,
    ),
    Case(
        "2019: a moment late",
        BEFORE,
        timed_auto_stop(2 * HOUR + 4 * SECOND, duration=3 * HOUR),
        auto_stop_edit(3 * HOUR),
        NOW + 2 * HOUR,
        Effect.NOW,
    ),
    Case(
        "2019: shortened",
        BEFORE,
        timed_auto_stop(30 * MINUTE, duration=90 * MINUTE),
        auto_stop_edit(90 * MINUTE),
        NOW + 30 * MINUTE,
        Effect.NOW,
    ),
    Case(
        "2019: the start was not known, the end moved",
        BEFORE,
        timed_auto_stop(2 * HOUR, duration=3 * HOUR),
        auto_stop_edit(3 * HOUR),
        None,
        Effect.NOW,
    ),
    Case(
        "2019: moved by less than is lost on the way",
        BEFORE,
        timed_auto_stop(HOUR + 30 * SECOND, duration=2 * HOUR + 30 * SECOND),
        auto_stop_edit(2 * HOUR + 30 * SECOND),
        NOW + HOUR + 30 * SECOND,
        Effect.NOW,
    ),
    Case(
        "2021: saved, this run ends when it did",
        BEFORE,
        timed_auto_stop(HOUR, duration=3 * HOUR),
        auto_stop_edit(3 * HOUR),
        NOW + 2 * HOUR,
        Effect.NEXT_START,
    ),
    Case(
        "2021: the same by an end that wavers",
        BEFORE,
        timed_auto_stop(HOUR - 2 * SECOND, duration=3 * HOUR),
        auto_stop_edit(3 * HOUR),
        NOW + 2 * HOUR,
        Effect.NEXT_START,
    ),
    Case(
        "2021: the start was not known, the end stayed",
        BEFORE,
        timed_auto_stop(HOUR, duration=3 * HOUR),
        auto_stop_edit(3 * HOUR),
        None,
        Effect.NEXT_START,
    ),
    Case(
        "2021: a small move is no success",
        BEFORE,
        timed_auto_stop(HOUR, duration=2 * HOUR + 30 * SECOND),
        auto_stop_edit(2 * HOUR + 30 * SECOND),
        NOW + HOUR + 30 * SECOND,
        Effect.NEXT_START,
    ),
    Case(
        "2021: nor is one of three seconds",
        BEFORE,
        timed_auto_stop(HOUR, duration=2 * HOUR + 3 * SECOND),
        auto_stop_edit(2 * HOUR + 3 * SECOND),
        NOW + HOUR + 3 * SECOND,
        Effect.NEXT_START,
    ),
    Case(
        "either: asked for the stop time that the run has",
        BEFORE,
        BEFORE,
        auto_stop_edit(2 * HOUR),
        NOW + HOUR + SECOND / 2,
        Effect.NOW,
    ),
    Case(
        "2021: asked again for what waits already",
        timed_auto_stop(HOUR, duration=8 * HOUR),
        timed_auto_stop(HOUR, duration=8 * HOUR),
        auto_stop_edit(8 * HOUR),
        NOW + 7 * HOUR,
        Effect.NEXT_START,
    ),
    Case(
        "what is set already holds",
        BEFORE,
        BEFORE,
        auto_stop_edit(2 * HOUR),
        NOW + HOUR,
        Effect.NOW,
    ),
    Case(
        "the API chose another stop time",
        BEFORE,
        timed_auto_stop(5 * HOUR, duration=3 * HOUR),
        auto_stop_edit(3 * HOUR),
        NOW + 2 * HOUR,
        Effect.NOW,
    ),
    Case(
        "the change was ignored",
        BEFORE,
        BEFORE,
        auto_stop_edit(3 * HOUR),
        NOW + 2 * HOUR,
        Effect.UNCONFIRMED,
    ),
    Case(
        "another duration than the one sent",
        BEFORE,
        timed_auto_stop(2 * HOUR, duration=4 * HOUR),
        auto_stop_edit(3 * HOUR),
        NOW + 2 * HOUR,
        Effect.UNCONFIRMED,
    ),
    Case(
        "no duration came back",
        BEFORE,
        timed_auto_stop(2 * HOUR, duration=None),
        auto_stop_edit(3 * HOUR),
        NOW + 2 * HOUR,
        Effect.UNCONFIRMED,
    ),
    Case(
        "the end is not known afterwards",
        BEFORE,
        timed_auto_stop(None, duration=3 * HOUR),
        auto_stop_edit(3 * HOUR),
        NOW + 2 * HOUR,
        Effect.UNCONFIRMED,
    ),
    Case(
        "turned on and still off",
        disabled_auto_stop(),
        disabled_auto_stop(),
        auto_stop_edit(HOUR),
        NOW + HOUR,
        Effect.UNCONFIRMED,
    ),
    Case(
        "turned on",
        disabled_auto_stop(),
        timed_auto_stop(HOUR, duration=HOUR),
        auto_stop_edit(HOUR),
        None,
        Effect.NOW,
    ),
    Case(
        "turned on, with an end as it should be",
        disabled_auto_stop(),
        timed_auto_stop(HOUR, duration=2 * HOUR),
        auto_stop_edit(2 * HOUR),
        NOW + HOUR,
        Effect.NOW,
    ),
    Case("turned off", BEFORE, disabled_auto_stop(), OFF, None, Effect.NOW),
    Case("off already", disabled_auto_stop(), disabled_auto_stop(), OFF, None, Effect.NOW),
    Case("turned off and still on", BEFORE, BEFORE, OFF, None, Effect.UNCONFIRMED),
    Case(
        "turned off, and the answer says nothing of auto-stop",
        BEFORE,
        AutoStop(enabled=False),
        OFF,
        None,
        Effect.UNCONFIRMED,
    ),
    Case(
        "turned off, and the reminder is not what was sent",
        BEFORE,
        disabled_auto_stop(prompt=False),
        OFF,
        None,
        Effect.UNCONFIRMED,
    ),
    Case(
        "only the reminder",
        BEFORE,
        timed_auto_stop(HOUR, prompt=False),
        auto_stop_edit(2 * HOUR, prompt=False),
        NOW + HOUR,
        Effect.NOW,
    ),
    Case(
        "only the reminder, ignored",
        BEFORE,
        BEFORE,
        auto_stop_edit(2 * HOUR, prompt=False),
        NOW + HOUR,
        Effect.UNCONFIRMED,
    ),
    Case(
        "only the reminder, while another duration waits",
        timed_auto_stop(HOUR, duration=8 * HOUR),
        timed_auto_stop(HOUR, duration=8 * HOUR, prompt=False),
        auto_stop_edit(8 * HOUR, prompt=False),
        NOW + HOUR,
        Effect.NOW,
    ),
    Case(
        "only the reminder, with an end that is not known",
        timed_auto_stop(None),
        timed_auto_stop(None, prompt=False),
        auto_stop_edit(2 * HOUR, prompt=False),
        None,
        Effect.NOW,
    ),
    Case(
        "only the reminder, auto-stop off",
        disabled_auto_stop(),
        disabled_auto_stop(prompt=False),
        Edit(auto_stop=AutoStopEdit(enabled=False, prompt=False)),
        None,
        Effect.NOW,
    ),
    Case(
        "only the reminder, not running",
        timed_auto_stop(None),
        timed_auto_stop(None, prompt=False),
        auto_stop_edit(2 * HOUR, prompt=False),
        None,
        Effect.NOW,
        Status.STOPPED,
    ),
    Case(
        "not running: for the next start",
        timed_auto_stop(None),
        timed_auto_stop(None, duration=3 * HOUR),
        auto_stop_edit(3 * HOUR),
        None,
        Effect.NEXT_START,
        Status.STOPPED,
    ),
    Case(
        "not running, ignored",
        timed_auto_stop(None),
        timed_auto_stop(None),
        auto_stop_edit(3 * HOUR),
        None,
        Effect.UNCONFIRMED,
        Status.STOPPED,
    ),
    Case(
        "not running, off",
        timed_auto_stop(None),
        disabled_auto_stop(),
        OFF,
        None,
        Effect.NOW,
        Status.STOPPED,
    ),
]

FROM_NOW = [
    Case(
        "the lease was renewed",
        BEFORE,
        timed_auto_stop(3 * HOUR),
        auto_stop_edit(3 * HOUR, prompt=None),
        NOW + 3 * HOUR,
        Effect.NOW,
    ),
    Case(
        "a moment late",
        BEFORE,
        timed_auto_stop(3 * HOUR + 20 * SECOND),
        auto_stop_edit(3 * HOUR, prompt=None),
        NOW + 3 * HOUR,
        Effect.NOW,
    ),
    Case(
        "renewed to the same end",
        BEFORE,
        timed_auto_stop(HOUR + 2 * SECOND),
        auto_stop_edit(HOUR, prompt=None),
        NOW + HOUR,
        Effect.NOW,
    ),
    Case(
        "ignored",
        BEFORE,
        BEFORE,
        auto_stop_edit(3 * HOUR, prompt=None),
        NOW + 3 * HOUR,
        Effect.UNCONFIRMED,
    ),
    Case(
        "a small move, ignored",
        BEFORE,
        BEFORE,
        auto_stop_edit(HOUR + 30 * SECOND, prompt=None),
        NOW + HOUR + 30 * SECOND,
        Effect.UNCONFIRMED,
    ),
    Case(
        "a longer lease than the API grants",
        BEFORE,
        timed_auto_stop(2 * HOUR),
        auto_stop_edit(3 * HOUR, prompt=None),
        NOW + 3 * HOUR,
        Effect.UNCONFIRMED,
    ),
    Case(
        "no end afterwards",
        BEFORE,
        timed_auto_stop(None),
        auto_stop_edit(3 * HOUR, prompt=None),
        NOW + 3 * HOUR,
        Effect.UNCONFIRMED,
    ),
    Case(
        "the expected end was not known",
        BEFORE,
        timed_auto_stop(3 * HOUR),
        auto_stop_edit(3 * HOUR, prompt=None),
        None,
        Effect.UNCONFIRMED,
    ),
    Case(
        "to idle",
        BEFORE,
        idle_auto_stop(),
        auto_stop_edit(HOUR, mode=Mode.IDLE, prompt=None),
        None,
        Effect.NOW,
    ),
    Case(
        "to idle, ignored",
        BEFORE,
        BEFORE,
        auto_stop_edit(HOUR, mode=Mode.IDLE, prompt=None),
        None,
        Effect.UNCONFIRMED,
    ),
    Case(
        "from idle, ignored",
        idle_auto_stop(),
        idle_auto_stop(),
        auto_stop_edit(HOUR, prompt=None),
        NOW + HOUR,
        Effect.UNCONFIRMED,
    ),
    Case(
        "from idle",
        idle_auto_stop(),
        timed_auto_stop(HOUR),
        auto_stop_edit(HOUR, prompt=None),
        NOW + HOUR,
        Effect.NOW,
    ),
    Case(
        "turned off, ignored",
        BEFORE,
        BEFORE,
        Edit(auto_stop=AutoStopEdit(enabled=False)),
        None,
        Effect.UNCONFIRMED,
    ),
]


def effect_of(case: Case, able: Capabilities) -> Effect:
    """Return the effect of a case."""
    return determine_effect(
        make_instance(case.before, status=case.status),
        make_instance(case.after, status=case.status),
        case.edit,
        expected=case.expected,
        capabilities=able,
    )


@pytest.mark.parametrize("case", FROM_RUN_START, ids=lambda case: case.name)
def test_effect_when_duration_counts_from_run_start(case: Case) -> None:
    """The stop time of this run shows whether a change applies now, at the next start, or is unconfirmed."""
    assert effect_of(case, DEMANAGER_CAPABILITIES) is case.effect


@pytest.mark.parametrize("case", FROM_NOW, ids=lambda case: case.name)
def test_effect_when_duration_counts_from_now(case: Case) -> None:
    """There is no next start, so a change applies now or is unconfirmed."""
    assert effect_of(case, NOTEBOOKS_CAPABILITIES) is case.effect


@pytest.mark.parametrize(
    ("stored", "effect"),
    [
        ("new", Effect.NOW),
        ("", Effect.UNCONFIRMED),
        ("new ", Effect.UNCONFIRMED),
        ("training", Effect.UNCONFIRMED),
    ],
)
@pytest.mark.parametrize("able", [DEMANAGER_CAPABILITIES, NOTEBOOKS_CAPABILITIES])
def test_description_is_confirmed_when_read_back_unchanged(
    stored: str, effect: Effect, able: Capabilities
) -> None:
    """Every character is compared; auto-stop does not matter."""
    result = determine_effect(
        make_instance(BEFORE),
        make_instance(timed_auto_stop(None), description=stored),
        Edit(description="new"),
        expected=None,
        capabilities=able,
    )
    assert result is effect


def test_unconfirmed_description_makes_edit_unconfirmed() -> None:
    """An auto-stop that was applied does not outweigh it."""
    both = Edit(description="new", auto_stop=auto_stop_edit(3 * HOUR).auto_stop)
    result = determine_effect(
        make_instance(BEFORE),
        make_instance(timed_auto_stop(2 * HOUR, duration=3 * HOUR)),
        both,
        expected=NOW + 2 * HOUR,
        capabilities=DEMANAGER_CAPABILITIES,
    )
    assert result is Effect.UNCONFIRMED


@given(st.timedeltas(timedelta(seconds=1), timedelta(hours=20)), st.booleans())
def test_unchanged_stop_time_is_not_a_successful_extension(by: timedelta, known: bool) -> None:
    """Even a small shift is compared with the previous stop time, on both APIs."""
    new = timedelta(seconds=int(by.total_seconds()))
    case = Case(
        "",
        BEFORE,
        timed_auto_stop(HOUR, duration=2 * HOUR + new),
        auto_stop_edit(2 * HOUR + new),
        NOW + HOUR + new if known else None,
        Effect.NEXT_START,
    )
    assert effect_of(case, DEMANAGER_CAPABILITIES) is Effect.NEXT_START
    assert effect_of(case, NOTEBOOKS_CAPABILITIES) is Effect.UNCONFIRMED


@given(st.timedeltas(timedelta(seconds=1), timedelta(hours=20)))
def test_moved_stop_time_is_a_successful_extension(by: timedelta) -> None:
    """The stop time is the expected one, on both APIs."""
    new = timedelta(seconds=int(by.total_seconds()))
    after = timed_auto_stop(HOUR + new, duration=2 * HOUR + new)
    case = Case("", BEFORE, after, auto_stop_edit(2 * HOUR + new), NOW + HOUR + new, Effect.NOW)
    assert (
        effect_of(case, DEMANAGER_CAPABILITIES)
        is effect_of(case, NOTEBOOKS_CAPABILITIES)
        is Effect.NOW
    )
