"""What became of a change, by the cloud's own answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from factories import (
    HOUR,
    LEASE,
    MINUTE,
    NOW,
    SEED,
    edit_to,
    examples,
    idle,
    instance,
    off,
    stop_in,
)
from hypothesis import given
from hypothesis import strategies as st

from modelarts_magics.domain.effects import effect_of
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
BEFORE = stop_in(HOUR)
"""Two hours set, one left."""
OFF = Edit(auto_stop=AutoStopEdit(enabled=False, prompt=True))


@dataclass(frozen=True)
class Case:
    """One write: what the cloud said before and after, what was sent, and what that means."""

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
        stop_in(2 * HOUR, duration=3 * HOUR),
        edit_to(3 * HOUR),
        NOW + 2 * HOUR,
        Effect.NOW,
    ),
    Case(
        "2019: a moment late",
        BEFORE,
        stop_in(2 * HOUR + 4 * SECOND, duration=3 * HOUR),
        edit_to(3 * HOUR),
        NOW + 2 * HOUR,
        Effect.NOW,
    ),
    Case(
        "2019: shortened",
        BEFORE,
        stop_in(30 * MINUTE, duration=90 * MINUTE),
        edit_to(90 * MINUTE),
        NOW + 30 * MINUTE,
        Effect.NOW,
    ),
    Case(
        "2019: the start was not known, the end moved",
        BEFORE,
        stop_in(2 * HOUR, duration=3 * HOUR),
        edit_to(3 * HOUR),
        None,
        Effect.NOW,
    ),
    Case(
        "2019: moved by less than is lost on the way",
        BEFORE,
        stop_in(HOUR + 30 * SECOND, duration=2 * HOUR + 30 * SECOND),
        edit_to(2 * HOUR + 30 * SECOND),
        NOW + HOUR + 30 * SECOND,
        Effect.NOW,
    ),
    Case(
        "2021: saved, this run ends when it did",
        BEFORE,
        stop_in(HOUR, duration=3 * HOUR),
        edit_to(3 * HOUR),
        NOW + 2 * HOUR,
        Effect.NEXT_START,
    ),
    Case(
        "2021: the same by an end that wavers",
        BEFORE,
        stop_in(HOUR - 2 * SECOND, duration=3 * HOUR),
        edit_to(3 * HOUR),
        NOW + 2 * HOUR,
        Effect.NEXT_START,
    ),
    Case(
        "2021: the start was not known, the end stayed",
        BEFORE,
        stop_in(HOUR, duration=3 * HOUR),
        edit_to(3 * HOUR),
        None,
        Effect.NEXT_START,
    ),
    Case(
        "2021: a small move is no success",
        BEFORE,
        stop_in(HOUR, duration=2 * HOUR + 30 * SECOND),
        edit_to(2 * HOUR + 30 * SECOND),
        NOW + HOUR + 30 * SECOND,
        Effect.NEXT_START,
    ),
    Case(
        "2021: nor is one of three seconds",
        BEFORE,
        stop_in(HOUR, duration=2 * HOUR + 3 * SECOND),
        edit_to(2 * HOUR + 3 * SECOND),
        NOW + HOUR + 3 * SECOND,
        Effect.NEXT_START,
    ),
    Case(
        "2021: asked again for what waits already",
        stop_in(HOUR, duration=8 * HOUR),
        stop_in(HOUR, duration=8 * HOUR),
        edit_to(8 * HOUR),
        NOW + 7 * HOUR,
        Effect.NEXT_START,
    ),
    Case(
        "what is set already holds",
        BEFORE,
        BEFORE,
        edit_to(2 * HOUR),
        NOW + HOUR,
        Effect.NOW,
    ),
    Case(
        "the cloud chose another end",
        BEFORE,
        stop_in(5 * HOUR, duration=3 * HOUR),
        edit_to(3 * HOUR),
        NOW + 2 * HOUR,
        Effect.NOW,
    ),
    Case(
        "the change was ignored",
        BEFORE,
        BEFORE,
        edit_to(3 * HOUR),
        NOW + 2 * HOUR,
        Effect.UNCONFIRMED,
    ),
    Case(
        "another duration than the one sent",
        BEFORE,
        stop_in(2 * HOUR, duration=4 * HOUR),
        edit_to(3 * HOUR),
        NOW + 2 * HOUR,
        Effect.UNCONFIRMED,
    ),
    Case(
        "no duration came back",
        BEFORE,
        stop_in(2 * HOUR, duration=None),
        edit_to(3 * HOUR),
        NOW + 2 * HOUR,
        Effect.UNCONFIRMED,
    ),
    Case(
        "the end is not known afterwards",
        BEFORE,
        stop_in(None, duration=3 * HOUR),
        edit_to(3 * HOUR),
        NOW + 2 * HOUR,
        Effect.UNCONFIRMED,
    ),
    Case(
        "turned on and still off",
        off(),
        off(),
        edit_to(HOUR),
        NOW + HOUR,
        Effect.UNCONFIRMED,
    ),
    Case(
        "turned on",
        off(),
        stop_in(HOUR, duration=HOUR),
        edit_to(HOUR),
        None,
        Effect.NOW,
    ),
    Case(
        "turned on, with an end as it should be",
        off(),
        stop_in(HOUR, duration=2 * HOUR),
        edit_to(2 * HOUR),
        NOW + HOUR,
        Effect.NOW,
    ),
    Case("turned off", BEFORE, off(), OFF, None, Effect.NOW),
    Case("off already", off(), off(), OFF, None, Effect.NOW),
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
        off(prompt=False),
        OFF,
        None,
        Effect.UNCONFIRMED,
    ),
    Case(
        "only the reminder",
        BEFORE,
        stop_in(HOUR, prompt=False),
        edit_to(2 * HOUR, prompt=False),
        NOW + HOUR,
        Effect.NOW,
    ),
    Case(
        "only the reminder, ignored",
        BEFORE,
        BEFORE,
        edit_to(2 * HOUR, prompt=False),
        NOW + HOUR,
        Effect.UNCONFIRMED,
    ),
    Case(
        "only the reminder, while another duration waits",
        stop_in(HOUR, duration=8 * HOUR),
        stop_in(HOUR, duration=8 * HOUR, prompt=False),
        edit_to(8 * HOUR, prompt=False),
        NOW + HOUR,
        Effect.NOW,
    ),
    Case(
        "only the reminder, with an end that is not known",
        stop_in(None),
        stop_in(None, prompt=False),
        edit_to(2 * HOUR, prompt=False),
        None,
        Effect.NOW,
    ),
    Case(
        "only the reminder, auto-stop off",
        off(),
        off(prompt=False),
        Edit(auto_stop=AutoStopEdit(enabled=False, prompt=False)),
        None,
        Effect.NOW,
    ),
    Case(
        "only the reminder, not running",
        stop_in(None),
        stop_in(None, prompt=False),
        edit_to(2 * HOUR, prompt=False),
        None,
        Effect.NOW,
        Status.STOPPED,
    ),
    Case(
        "not running: for the next start",
        stop_in(None),
        stop_in(None, duration=3 * HOUR),
        edit_to(3 * HOUR),
        None,
        Effect.NEXT_START,
        Status.STOPPED,
    ),
    Case(
        "not running, ignored",
        stop_in(None),
        stop_in(None),
        edit_to(3 * HOUR),
        None,
        Effect.UNCONFIRMED,
        Status.STOPPED,
    ),
    Case("not running, off", stop_in(None), off(), OFF, None, Effect.NOW, Status.STOPPED),
]

FROM_NOW = [
    Case(
        "the lease was renewed",
        BEFORE,
        stop_in(3 * HOUR),
        edit_to(3 * HOUR, prompt=None),
        NOW + 3 * HOUR,
        Effect.NOW,
    ),
    Case(
        "a moment late",
        BEFORE,
        stop_in(3 * HOUR + 20 * SECOND),
        edit_to(3 * HOUR, prompt=None),
        NOW + 3 * HOUR,
        Effect.NOW,
    ),
    Case(
        "renewed to the same end",
        BEFORE,
        stop_in(HOUR + 2 * SECOND),
        edit_to(HOUR, prompt=None),
        NOW + HOUR,
        Effect.NOW,
    ),
    Case(
        "ignored",
        BEFORE,
        BEFORE,
        edit_to(3 * HOUR, prompt=None),
        NOW + 3 * HOUR,
        Effect.UNCONFIRMED,
    ),
    Case(
        "a small move, ignored",
        BEFORE,
        BEFORE,
        edit_to(HOUR + 30 * SECOND, prompt=None),
        NOW + HOUR + 30 * SECOND,
        Effect.UNCONFIRMED,
    ),
    Case(
        "a longer lease than the cloud grants",
        BEFORE,
        stop_in(2 * HOUR),
        edit_to(3 * HOUR, prompt=None),
        NOW + 3 * HOUR,
        Effect.UNCONFIRMED,
    ),
    Case(
        "no end afterwards",
        BEFORE,
        stop_in(None),
        edit_to(3 * HOUR, prompt=None),
        NOW + 3 * HOUR,
        Effect.UNCONFIRMED,
    ),
    Case(
        "the expected end was not known",
        BEFORE,
        stop_in(3 * HOUR),
        edit_to(3 * HOUR, prompt=None),
        None,
        Effect.UNCONFIRMED,
    ),
    Case(
        "to idle",
        BEFORE,
        idle(),
        edit_to(HOUR, mode=Mode.IDLE, prompt=None),
        None,
        Effect.NOW,
    ),
    Case(
        "to idle, ignored",
        BEFORE,
        BEFORE,
        edit_to(HOUR, mode=Mode.IDLE, prompt=None),
        None,
        Effect.UNCONFIRMED,
    ),
    Case(
        "from idle, ignored",
        idle(),
        idle(),
        edit_to(HOUR, prompt=None),
        NOW + HOUR,
        Effect.UNCONFIRMED,
    ),
    Case(
        "from idle",
        idle(),
        stop_in(HOUR),
        edit_to(HOUR, prompt=None),
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


def told(case: Case, able: Capabilities) -> Effect:
    """What is told of a case."""
    return effect_of(
        instance(case.before, status=case.status),
        instance(case.after, status=case.status),
        case.edit,
        expected=case.expected,
        capabilities=able,
    )


@pytest.mark.parametrize("case", FROM_RUN_START, ids=lambda case: case.name)
def test_where_a_duration_counts_from_the_start(case: Case) -> None:
    """Now, next start or unconfirmed: decided by what the cloud says of this run's end."""
    assert told(case, SEED) is case.effect


@pytest.mark.parametrize("case", FROM_NOW, ids=lambda case: case.name)
def test_where_a_duration_counts_from_now(case: Case) -> None:
    """There is no next start to wait for: it holds, or it is not confirmed."""
    assert told(case, LEASE) is case.effect


@pytest.mark.parametrize(
    ("stored", "effect"),
    [
        ("new", Effect.NOW),
        ("", Effect.UNCONFIRMED),
        ("new ", Effect.UNCONFIRMED),
        ("training", Effect.UNCONFIRMED),
    ],
)
@pytest.mark.parametrize("able", [SEED, LEASE])
def test_a_description_holds_when_it_reads_back_the_same(
    stored: str, effect: Effect, able: Capabilities
) -> None:
    """Character by character; auto-stop does not matter to it."""
    result = effect_of(
        instance(BEFORE),
        instance(stop_in(None), description=stored),
        Edit(description="new"),
        expected=None,
        capabilities=able,
    )
    assert result is effect


def test_both_parts_of_an_edit_must_hold() -> None:
    """A description that did not hold outweighs an auto-stop that did."""
    both = Edit(description="new", auto_stop=edit_to(3 * HOUR).auto_stop)
    result = effect_of(
        instance(BEFORE),
        instance(stop_in(2 * HOUR, duration=3 * HOUR)),
        both,
        expected=NOW + 2 * HOUR,
        capabilities=SEED,
    )
    assert result is Effect.UNCONFIRMED


@examples
@given(st.timedeltas(timedelta(seconds=1), timedelta(hours=20)), st.booleans())
def test_an_extension_that_does_not_hold_never_looks_like_success(
    by: timedelta, known: bool
) -> None:
    """However small the move, an end that stayed is not the new one, in either kind of API."""
    new = timedelta(seconds=int(by.total_seconds()))
    case = Case(
        "",
        BEFORE,
        stop_in(HOUR, duration=2 * HOUR + new),
        edit_to(2 * HOUR + new),
        NOW + HOUR + new if known else None,
        Effect.NEXT_START,
    )
    assert told(case, SEED) is Effect.NEXT_START
    assert told(case, LEASE) is Effect.UNCONFIRMED


@examples
@given(st.timedeltas(timedelta(seconds=1), timedelta(hours=20)))
def test_an_extension_that_holds_is_told_so(by: timedelta) -> None:
    """The end is where it should be, so it holds now, in either kind of API."""
    new = timedelta(seconds=int(by.total_seconds()))
    after = stop_in(HOUR + new, duration=2 * HOUR + new)
    case = Case("", BEFORE, after, edit_to(2 * HOUR + new), NOW + HOUR + new, Effect.NOW)
    assert told(case, SEED) is told(case, LEASE) is Effect.NOW
