"""What crosses to a browser: codes and numbers, in the units and names of its side."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from factories import HOUR, LEASE, NOW, SEED, edit_to, idle, instance, off, stop_in

from modelarts_magics.domain.browser_payloads import change_answer, error_answer, page_state
from modelarts_magics.domain.durations import moment_to_ms
from modelarts_magics.domain.models import Change, Effect, EndUnknown, Status
from modelarts_magics.domain.planning import SHORTEST_NOTICE, Circumstances
from modelarts_magics.errors import ForbiddenError, RefusedError, UnreachableError

MESSAGES_TS = Path(__file__).parents[2] / "labextension/src/countdown/messages.ts"
SENTENCES_TS = MESSAGES_TS.with_name("sentences.ts")
NOW_MS = moment_to_ms(NOW)


def fields_of(interface: str) -> set[str]:
    """The names of an interface of the page's side."""
    found = re.search(
        rf"interface {interface} {{(.*?)\n}}", MESSAGES_TS.read_text(encoding="utf-8"), re.DOTALL
    )
    assert found
    return set(re.findall(r"readonly (\w+)", found[1]))


def state(given: Circumstances) -> dict[str, Any]:
    """The state, after a journey as JSON."""
    return json.loads(json.dumps(page_state(given)))


def test_both_sides_name_the_same_fields() -> None:
    """Every one, of the state and of its bounds; whose it is a page may do without."""
    full = state(Circumstances(instance(), SEED, NOW - HOUR))
    assert full["id"] == instance().id
    assert set(full) == fields_of("InstanceState")
    assert set(full["bounds"]) == fields_of("Bounds")


def test_a_run_that_ends() -> None:
    """Moments in milliseconds, lengths in seconds."""
    full = state(Circumstances(instance(), SEED, NOW - HOUR))
    assert full["stops_at_ms"] == NOW_MS + 3_600_000
    assert full["run_started_at_ms"] == NOW_MS - 3_600_000
    assert full["duration_s"] == 7200
    assert (full["enabled"], full["mode"], full["status"]) == (True, "TIMING", "RUNNING")
    assert (full["can_change"], full["reason"], full["unknown_reason"]) == (True, "", "")


def test_bounds_from_the_start_of_the_run() -> None:
    """They stand still: at least the shortest run, and not under the person's hands."""
    limits = state(Circumstances(instance(), SEED, NOW - HOUR))["bounds"]
    notice = round(SHORTEST_NOTICE.total_seconds() * 1000)
    assert limits["earliest_stop_ms"] == NOW_MS + notice
    assert limits["latest_stop_ms"] == NOW_MS + 23 * 3_600_000
    assert limits["from_now"] is False


def test_bounds_from_now() -> None:
    """They move on with the clock, and the page is told so."""
    limits = state(Circumstances(instance(), LEASE))["bounds"]
    assert limits["earliest_stop_ms"] == NOW_MS + 3_600_000
    assert limits["latest_stop_ms"] == NOW_MS + 72 * 3_600_000
    assert limits["from_now"] is True


def test_a_lease_counts_from_its_own_start() -> None:
    """Its length is not what a request would say, so it is not given as one."""
    lease = stop_in(HOUR, counts_from=NOW - HOUR)
    full = state(Circumstances(instance(lease), LEASE))
    assert full["run_started_at_ms"] == NOW_MS - 3_600_000
    assert full["duration_s"] is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (instance(off()), {"enabled": False, "mode": None, "stops_at_ms": None}),
        (instance(idle()), {"enabled": True, "mode": "IDLE", "stops_at_ms": None}),
        (
            instance(stop_in(None, end_unknown=EndUnknown.PAST)),
            {"stops_at_ms": None, "unknown_reason": "past-end"},
        ),
        (instance(stop_in(None)), {"stops_at_ms": None, "unknown_reason": ""}),
        (instance(off(), status=Status.STOPPED), {"status": "STOPPED", "bounds": None}),
        (instance(status=Status("LATER_WORD")), {"status": "LATER_WORD"}),
    ],
)
def test_states_without_an_end(given: Any, expected: dict[str, Any]) -> None:  # noqa: ANN401
    """None of them invents one."""
    full = state(Circumstances(given, SEED))
    assert {name: full[name] for name in expected} == expected


def test_no_bounds_without_a_start() -> None:
    """What cannot be computed is not there."""
    assert state(Circumstances(instance(), SEED))["bounds"] is None


@pytest.mark.parametrize("effect", Effect)
def test_a_change_is_its_effect(effect: Effect) -> None:
    """With both durations, for the words."""
    before, after = instance(), instance(replace(stop_in(HOUR), duration=3 * HOUR))
    change = Change(before, after, effect, edit_to(3 * HOUR), SEED, "extend")
    answer = change_answer(change)
    assert (answer["ok"], answer["effect"]) == (True, effect.value)
    assert answer["values"] == {"duration_s": 10800, "previous_duration_s": 7200}
    json.dumps(answer)


def test_a_change_that_could_not_be_read_back() -> None:
    """It has no new duration to tell."""
    change = Change(instance(), None, Effect.UNCONFIRMED, edit_to(HOUR), SEED, "extend")
    answer = change_answer(change)
    assert answer["effect"] == "unconfirmed"
    assert answer["values"]["duration_s"] is None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RefusedError("refuse.off", verb="extend"), "off"),
        (RefusedError("refuse.idle", verb="extend"), "idle"),
        (RefusedError("refuse.unknown_end", verb="extend"), "past-end"),
        (RefusedError("refuse.changed", end=NOW), "changed"),
        (ForbiddenError("cloud.403.0108", status=403), "no-permission"),
    ],
)
def test_a_refusal_has_a_code_that_the_page_words(error: Any, code: str) -> None:  # noqa: ANN401
    """In its own language."""
    answer = error_answer(error)
    assert (answer["ok"], answer["effect"], answer["code"]) == (False, None, code)
    words = SENTENCES_TS.read_text(encoding="utf-8")
    assert re.search(rf"^  '?{code}'?: \[", words, re.MULTILINE)


def test_any_other_error_brings_its_own_words() -> None:
    """The message and what to do next."""
    answer = error_answer(UnreachableError("unreachable.timeout", host="h"))
    assert answer["code"] == "unreachable.timeout"
    assert answer["text"].startswith("h did not answer in time. Try again")
    late = RefusedError("refuse.end_past", end=NOW)
    assert "is past" in error_answer(late)["text"]
