"""What stands on the screen: true tomorrow, the bad news first, never more than the cloud said."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Callable

import pytest
from emulator_harness import StrictHtmlParser
from factories import (
    DEMANAGER_CAPABILITIES,
    HOUR,
    MINUTE,
    NOTEBOOKS_CAPABILITIES,
    auto_stop_edit,
    disabled_auto_stop,
    idle_auto_stop,
    make_instance,
    timed_auto_stop,
)

from modelarts_magics.commands.as_text import auto_stop_line, change_lines, instance_lines
from modelarts_magics.commands.render import render_html, render_text
from modelarts_magics.domain.models import (
    UNKNOWN_AUTO_STOP,
    Change,
    Effect,
    Status,
    StopTimeUnknown,
)
from modelarts_magics.errors import RefusedError
from modelarts_magics.messages import use_timezone

if TYPE_CHECKING:
    from datetime import timedelta

    from emulator_harness import EmulatorHarness

    from modelarts_magics.domain.models import Instance

MOMENT = r"\d{4}-\d\d-\d\d \d\d:\d\d [+-]\d\d:\d\d"
RELATIVE = re.compile(r"\bin \d+ (?:h|min|s)\b|from now|ago\b|today|tomorrow|yesterday")


@pytest.mark.parametrize("line", ["", "status --all", "auto-stop", "extend", "auto-stop off"])
def test_nothing_that_stands_still_is_relative(harness: EmulatorHarness, line: str) -> None:
    """An end has its date and offset; what is left says as of when."""
    value = harness.run_magic(line)
    for shown in (render_text(value), StrictHtmlParser(render_html(value)).text):
        assert not RELATIVE.search(shown)
        assert shown.count(" left") == len(
            re.findall(r" left \(?as of (?:" + MOMENT + r"|\d\d:\d\d)", shown)
        )
        if "off" not in line:
            assert re.search(f"Stops at {MOMENT} ·", shown)


def test_an_instance_in_four_lines(harness: EmulatorHarness) -> None:
    """Who, when it stops, what is set, what it is for."""
    assert instance_lines(harness.run_magic("")) == [
        "demo-notebook · RUNNING · DEMO · local emulator",
        "Stops at 2026-11-23 16:40 +08:00 · 40 min left (as of 16:00)",
        "Auto-stop: on, run time 1 h · console reminder: on",
        "Description: Demo instance of the local emulator",
    ]


def test_an_end_on_another_day_says_both_dates(harness: EmulatorHarness) -> None:
    """So that nobody has to guess which 02:00 it is."""
    assert instance_lines(harness.run_magic("auto-stop at 02:00").after)[1] == (
        "Stops at 2026-11-24 02:00 +08:00 · 10 h left (as of 2026-11-23 16:00 +08:00)"
    )


def test_another_zone_gives_another_wall_clock(harness: EmulatorHarness) -> None:
    """And the offset tells which."""
    harness.environ["MODELARTS_TIMEZONE"] = "America/St_Johns"
    assert instance_lines(harness.run_magic(""))[1] == (
        "Stops at 2026-11-23 05:10 -03:30 · 40 min left (as of 04:30)"
    )


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (make_instance(disabled_auto_stop()), "keeps running until you stop it"),
        (make_instance(idle_auto_stop()), "no fixed stop time"),
        (make_instance(timed_auto_stop(None)), "Stop time unknown"),
        (
            make_instance(timed_auto_stop(None, stop_time_unknown=StopTimeUnknown.INCONSISTENT)),
            "do not agree",
        ),
        (
            make_instance(timed_auto_stop(None, stop_time_unknown=StopTimeUnknown.PAST)),
            "still running",
        ),
        (
            make_instance(timed_auto_stop(None), status=Status.STOPPED),
            "The instance is not running (STOPPED)",
        ),
        (
            make_instance(timed_auto_stop(None), status=Status.STARTING),
            "Stop time not available yet",
        ),
        (
            make_instance(disabled_auto_stop(), status=Status("BRAND_NEW")),
            "keeps running until you stop it",
        ),
    ],
)
def test_without_an_end_nothing_counts_down(shown: Instance, words: str) -> None:
    """It says why instead."""
    stop = instance_lines(shown)[1]
    assert words in stop
    assert "left" not in stop


@pytest.mark.parametrize("status", [Status("BRAND_NEW"), Status.FROZEN])
def test_an_unknown_status_is_shown_as_the_cloud_wrote_it(status: Status) -> None:
    """A later edition may have more of them."""
    assert instance_lines(make_instance(status=status))[0] == f"notebook-instance · {status.value}"


def test_an_instance_without_a_name_has_its_id() -> None:
    """And one without a description a dash."""
    lines = instance_lines(make_instance(name="", description=""))
    assert lines[0].startswith("6fa459ea-")
    assert lines[-1] == "Description: —"


@pytest.mark.parametrize(
    ("stop", "words"),
    [
        (timed_auto_stop(HOUR), "Auto-stop: on, run time 2 h · console reminder: on"),
        (
            timed_auto_stop(HOUR, prompt=False),
            "Auto-stop: on, run time 2 h · console reminder: off",
        ),
        (timed_auto_stop(HOUR, prompt=None, duration=None), "Auto-stop: on"),
        (disabled_auto_stop(), "Auto-stop: off · console reminder: on"),
        (idle_auto_stop(), "Auto-stop: on, when idle · console reminder: on"),
        (UNKNOWN_AUTO_STOP, "Auto-stop: not reported"),
    ],
)
def test_what_is_set(stop: object, words: str) -> None:
    """Beside when it stops."""
    assert auto_stop_line(stop) == words


def test_an_extension_tells_the_new_end_the_old_value_and_the_way_back(
    harness: EmulatorHarness,
) -> None:
    """And that it is kept."""
    assert change_lines(harness.run_magic("extend 1h")) == [
        "Extended. Stops at 2026-11-23 17:40 +08:00 · 1 h 40 min left (as of 16:00).",
        "Run time set to 2 h (was 1 h); also applies to later starts.",
        "Undo: %modelarts auto-stop 1h",
    ]


def test_an_extension_that_does_not_hold_now_never_looks_like_one(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """The bad news is the first thing said."""
    stage = make_harness(edition="2021", minutes_left=2)
    first, undo = change_lines(stage.run_magic("extend 1h"))
    assert first == (
        "This run was NOT extended: it still stops at 2026-11-23 16:02 +08:00 "
        "(2 min left as of 2026-11-23 16:00 +08:00). "
        "Saved for the next start: 2 h (was 1 h)."
    )
    assert undo == "Undo: %modelarts auto-stop 1h"


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("shorten 1h", "This run was NOT shortened: it still stops at 2026-11-23 21:00 +08:00"),
        ("auto-stop in 6h", "This run is NOT affected: it still stops at 2026-11-23 21:00 +08:00"),
    ],
)
def test_nor_does_any_other_change(
    make_harness: Callable[..., EmulatorHarness], line: str, first: str
) -> None:
    """Whichever way it was asked for."""
    stage = make_harness(edition="2021", minutes_left=300)
    assert change_lines(stage.run_magic(line))[0].startswith(first)


def test_off_says_what_that_costs(harness: EmulatorHarness) -> None:
    """Nobody stops the instance any more."""
    first, *_, last = change_lines(harness.run_magic("auto-stop off"))
    assert "is billed until you stop it" in first
    assert last == "Undo: %modelarts auto-stop 1h"


def test_reminding_alone_speaks_of_nothing_else(harness: EmulatorHarness) -> None:
    """No “was 1 h” where 1 h it stays."""
    assert change_lines(harness.run_magic("auto-stop --no-remind")) == [
        "Stop time unchanged. Stops at 2026-11-23 16:40 +08:00 · 40 min left (as of 16:00).",
        "Console reminder turned off.",
        "Undo: %modelarts auto-stop --remind",
    ]


def test_the_same_again_is_as_before(harness: EmulatorHarness) -> None:
    """No success is claimed for nothing."""
    (only,) = change_lines(harness.run_magic("auto-stop 1h"))
    assert only.startswith("Stop time unchanged. Stops at 2026-11-23 16:40 +08:00")


@pytest.mark.parametrize(
    ("line", "taken"),
    [("auto-stop 2h", "2 h"), ("auto-stop in 90m", "1 h 30 min"), ("extend 1h", "1 h 40 min")],
)
def test_a_run_time_that_is_not_kept_is_named_all_the_same(
    make_harness: Callable[..., EmulatorHarness], line: str, taken: str
) -> None:
    """Between the new end and the old one."""
    _, set_, before, *_ = change_lines(make_harness(api="notebooks").run_magic(line))
    assert set_ == f"Runs for {taken} from now."
    assert before.startswith("Before: Stops at 2026-11-23 16:40")


def test_on_tells_which_run_time_it_took(make_harness: Callable[..., EmulatorHarness]) -> None:
    """Where none is kept, nothing else would."""
    stage = make_harness(api="notebooks", auto_stop=False)
    assert "Runs for 1 h from now." in change_lines(stage.run_magic("auto-stop on"))


def test_a_run_time_is_not_named_where_the_cloud_set_another_end() -> None:
    """No message claims more than the cloud's own answer."""
    before = make_instance()
    after = make_instance(timed_auto_stop(3 * HOUR))
    asked = before.observed_at + 4 * HOUR
    change = Change(
        before,
        after,
        Effect.NOW,
        auto_stop_edit(4 * HOUR),
        NOTEBOOKS_CAPABILITIES,
        "auto-stop",
        asked,
    )
    assert not [line for line in change_lines(change) if line.startswith("Set:")]


def test_what_cannot_be_done_names_what_can(make_harness: Callable[..., EmulatorHarness]) -> None:
    """The two ways beside off, and the local ways to be reminded."""
    stage = make_harness(api="notebooks")
    with pytest.raises(RefusedError) as off_:
        stage.run_magic("auto-stop off")
    assert "%modelarts auto-stop 72h" in off_.value.hint
    assert "%modelarts auto-stop idle" in off_.value.hint
    with pytest.raises(RefusedError) as remind:
        stage.run_magic("auto-stop --remind")
    assert "%config ModelArts.remind = True" in remind.value.hint
    assert "sidebar" in remind.value.hint


def test_a_description_shows_old_and_new(harness: EmulatorHarness) -> None:
    """So that it can be undone by hand, too."""
    assert change_lines(harness.run_magic("describe new {cmd} {0}")) == [
        "Description saved: “new {cmd} {0}” (was “Demo instance of the local emulator”).",
        "Undo: %modelarts describe 'Demo instance of the local emulator'",
    ]
    (only,) = change_lines(harness.run_magic("describe new {cmd} {0}"))
    assert only == "Description unchanged: “new {cmd} {0}”."


@pytest.mark.parametrize("line", ["describe new", "auto-stop 3h", "extend", "auto-stop off"])
def test_an_answer_that_ignores_the_change_is_no_success(
    harness: EmulatorHarness, line: str
) -> None:
    """Whatever the status of the answer was."""
    harness.emulator.add_fault("ignored")
    change = harness.run_magic(line)
    first, *rest = change_lines(change)
    assert first.startswith("NOT confirmed: ModelArts accepted the request")
    assert not [each for each in rest if each.startswith("Undo")]


@pytest.mark.parametrize("line", ["describe new", "auto-stop 3h", "extend", "auto-stop off"])
def test_a_change_that_cannot_be_read_back_is_no_success(
    harness: EmulatorHarness, line: str
) -> None:
    """It says that it was sent, and why nothing more is known."""
    harness.emulator.add_fault("403", methods=["GET"], skip=1)
    (only,) = change_lines(harness.run_magic(line))
    assert only.startswith("Sent, but NOT confirmed")
    assert "Permission denied" in only


@pytest.mark.parametrize(
    ("end", "expected", "word"),
    [
        (
            3 * HOUR,
            4 * HOUR,
            "You asked for 2026-11-23 20:52 +08:00; ModelArts set 2026-11-23 19:52 +08:00.",
        ),
        (
            4 * MINUTE,
            4 * MINUTE,
            "Save your work: the instance stops soon, at 2026-11-23 16:56 +08:00.",
        ),
    ],
)
def test_what_a_person_should_know_of_the_new_end(
    end: timedelta, expected: timedelta, word: str
) -> None:
    """That it is another one than asked for, or that it is near."""
    use_timezone(_shanghai())
    before, after = make_instance(), make_instance(timed_auto_stop(end, duration=4 * HOUR))
    change = Change(
        before,
        after,
        Effect.NOW,
        auto_stop_edit(4 * HOUR),
        DEMANAGER_CAPABILITIES,
        "auto-stop",
        before.observed_at + expected,
    )
    assert word in change_lines(change)


def _shanghai() -> object:
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - for this test

    return ZoneInfo("Asia/Shanghai")
