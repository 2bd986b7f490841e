"""Text of instances and changes: absolute times, failures first, nothing that the API did not confirm."""

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
def test_saved_output_has_no_relative_times(harness: EmulatorHarness, line: str) -> None:
    """A stop time has date and offset; a time left says as of when."""
    value = harness.run_magic(line)
    for shown in (render_text(value), StrictHtmlParser(render_html(value)).text):
        assert not RELATIVE.search(shown)
        assert shown.count(" left") == len(
            re.findall(r" left \(?as of (?:" + MOMENT + r"|\d\d:\d\d)", shown)
        )
        if "off" not in line:
            assert re.search(f"Stops at {MOMENT} ·", shown)


def test_instance_has_four_lines(harness: EmulatorHarness) -> None:
    """They are title, stop time, auto-stop setting and description."""
    assert instance_lines(harness.run_magic("")) == [
        "demo-notebook · RUNNING · DEMO · local emulator",
        "Stops at 2026-11-23 16:40 +08:00 · 40 min left (as of 16:00)",
        "Auto-stop: on, run time 1 h · console reminder: on",
        "Description: Demo instance of the local emulator",
    ]


def test_stop_time_on_another_day_has_both_dates(harness: EmulatorHarness) -> None:
    """A time without a date would be ambiguous."""
    assert instance_lines(harness.run_magic("auto-stop at 02:00").after)[1] == (
        "Stops at 2026-11-24 02:00 +08:00 · 10 h left (as of 2026-11-23 16:00 +08:00)"
    )


def test_times_are_in_the_configured_time_zone(harness: EmulatorHarness) -> None:
    """The offset is shown."""
    harness.environ["MODELARTS_TIMEZONE"] = "America/St_Johns"
    assert instance_lines(harness.run_magic(""))[1] == (
        "Stops at 2026-11-23 05:10 -03:30 · 40 min left (as of 04:30)"
    )


@pytest.mark.parametrize(
    ("instance", "expected"),
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
def test_without_stop_time_the_reason_is_shown(instance: Instance, expected: str) -> None:
    """No time left is shown."""
    stop_line = instance_lines(instance)[1]
    assert expected in stop_line
    assert "left" not in stop_line


@pytest.mark.parametrize("status", [Status("BRAND_NEW"), Status.FROZEN])
def test_unknown_status_is_shown_verbatim(status: Status) -> None:
    """Later versions of the API may have more statuses."""
    assert instance_lines(make_instance(status=status))[0] == f"notebook-instance · {status.value}"


def test_instance_without_name_shows_its_id() -> None:
    """A missing description is a dash."""
    lines = instance_lines(make_instance(name="", description=""))
    assert lines[0].startswith("6fa459ea-")
    assert lines[-1] == "Description: —"


@pytest.mark.parametrize(
    ("auto_stop", "expected"),
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
def test_auto_stop_line_shows_the_setting(auto_stop: object, expected: str) -> None:
    """It includes the console reminder if the API has it."""
    assert auto_stop_line(auto_stop) == expected


def test_extension_shows_stop_time_old_value_and_undo(
    harness: EmulatorHarness,
) -> None:
    """It says that the run time also applies to later starts."""
    assert change_lines(harness.run_magic("extend 1h")) == [
        "Extended. Stops at 2026-11-23 17:40 +08:00 · 1 h 40 min left (as of 16:00).",
        "Run time set to 2 h (was 1 h); also applies to later starts.",
        "Restore 1 h for later starts: %modelarts restore",
        "Undo: %modelarts auto-stop 1h",
    ]


def test_deferred_extension_does_not_look_effective(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """The first line says that this run was not extended."""
    harness = make_harness(edition="2021", minutes_left=2)
    first, way, undo = change_lines(harness.run_magic("extend 1h"))
    assert first == (
        "This run was NOT extended: it still stops at 2026-11-23 16:02 +08:00 "
        "(2 min left as of 2026-11-23 16:00 +08:00). "
        "Saved for the next start: 2 h (was 1 h)."
    )
    assert way.startswith("To keep this run: %modelarts auto-stop off.")
    assert undo == "Undo: %modelarts auto-stop 1h"


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("shorten 1h", "This run was NOT shortened: it still stops at 2026-11-23 21:00 +08:00"),
        ("auto-stop in 6h", "This run is NOT affected: it still stops at 2026-11-23 21:00 +08:00"),
    ],
)
def test_deferred_change_does_not_look_effective(
    make_harness: Callable[..., EmulatorHarness], line: str, first: str
) -> None:
    """The first line says that this run is not affected."""
    harness = make_harness(edition="2021", minutes_left=300)
    assert change_lines(harness.run_magic(line))[0].startswith(first)


def test_turning_off_auto_stop_mentions_billing(harness: EmulatorHarness) -> None:
    """The instance runs until the user stops it."""
    first, *_, last = change_lines(harness.run_magic("auto-stop off"))
    assert "is billed until you stop it" in first
    assert last == "Undo: %modelarts auto-stop 1h"


def test_change_of_the_reminder_mentions_nothing_else(harness: EmulatorHarness) -> None:
    """The unchanged duration is not mentioned."""
    assert change_lines(harness.run_magic("auto-stop --no-remind")) == [
        "Stop time unchanged. Stops at 2026-11-23 16:40 +08:00 · 40 min left (as of 16:00).",
        "Console reminder turned off.",
        "Undo: %modelarts auto-stop --remind",
    ]


def test_unchanged_setting_is_reported_as_unchanged(harness: EmulatorHarness) -> None:
    """No success is claimed."""
    (only,) = change_lines(harness.run_magic("auto-stop 1h"))
    assert only.startswith("Stop time unchanged. Stops at 2026-11-23 16:40 +08:00")


@pytest.mark.parametrize(
    ("line", "run_time"),
    [("auto-stop 2h", "2 h"), ("auto-stop in 90m", "1 h 30 min"), ("extend 1h", "1 h 40 min")],
)
def test_run_time_of_a_lease_is_shown(
    make_harness: Callable[..., EmulatorHarness], line: str, run_time: str
) -> None:
    """It is shown between the new and the old stop time."""
    _, set_, before, *_ = change_lines(make_harness(api="notebooks").run_magic(line))
    assert set_ == f"Runs for {run_time} from now."
    assert before.startswith("Before: Stops at 2026-11-23 16:40")


def test_turning_on_shows_the_default_run_time(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """The API stores none that could be shown later."""
    harness = make_harness(api="notebooks", auto_stop=False)
    assert "Runs for 1 h from now." in change_lines(harness.run_magic("auto-stop on"))


def test_run_time_is_omitted_for_another_stop_time() -> None:
    """No message claims more than the response of the API."""
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


def test_refusal_names_the_alternatives(make_harness: Callable[..., EmulatorHarness]) -> None:
    """These are other commands, and other ways to be reminded."""
    harness = make_harness(api="notebooks")
    with pytest.raises(RefusedError) as off_:
        harness.run_magic("auto-stop off")
    assert "%modelarts auto-stop 72h" in off_.value.hint
    assert "%modelarts auto-stop idle" in off_.value.hint
    with pytest.raises(RefusedError) as remind:
        harness.run_magic("auto-stop --remind")
    assert "%config ModelArts.remind = True" in remind.value.hint
    assert "sidebar" in remind.value.hint


def test_description_change_shows_old_and_new_text(harness: EmulatorHarness) -> None:
    """The old text can be restored."""
    assert change_lines(harness.run_magic("describe new {cmd} {0}")) == [
        "Description saved: “new {cmd} {0}” (was “Demo instance of the local emulator”).",
        "Undo: %modelarts describe 'Demo instance of the local emulator'",
    ]
    (only,) = change_lines(harness.run_magic("describe new {cmd} {0}"))
    assert only == "Description unchanged: “new {cmd} {0}”."


@pytest.mark.parametrize("line", ["describe new", "auto-stop 3h", "extend", "auto-stop off"])
def test_ignored_change_is_reported_as_unconfirmed(harness: EmulatorHarness, line: str) -> None:
    """The status of the response does not matter."""
    harness.emulator.add_fault("ignored")
    change = harness.run_magic(line)
    first, *rest = change_lines(change)
    assert first.startswith("NOT confirmed: ModelArts accepted the request")
    assert not [each for each in rest if each.startswith("Undo")]


@pytest.mark.parametrize("line", ["describe new", "auto-stop 3h", "extend", "auto-stop off"])
def test_unreadable_change_is_reported_as_unconfirmed(harness: EmulatorHarness, line: str) -> None:
    """It says that the request was sent, and why the instance could not be read."""
    harness.emulator.add_fault("403", methods=["GET"], skip=1)
    (only,) = change_lines(harness.run_magic(line))
    assert only.startswith("Sent, but NOT confirmed")
    assert "Permission denied" in only


@pytest.mark.parametrize(
    ("time_left", "expected", "warning"),
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
def test_warning_about_the_new_stop_time(
    time_left: timedelta, expected: timedelta, warning: str
) -> None:
    """It is soon, or not the requested one."""
    use_timezone(_shanghai())
    before, after = make_instance(), make_instance(timed_auto_stop(time_left, duration=4 * HOUR))
    change = Change(
        before,
        after,
        Effect.NOW,
        auto_stop_edit(4 * HOUR),
        DEMANAGER_CAPABILITIES,
        "auto-stop",
        before.observed_at + expected,
    )
    assert warning in change_lines(change)


def _shanghai() -> object:
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - used here only

    return ZoneInfo("Asia/Shanghai")
