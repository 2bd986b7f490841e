"""What each command does, against a cloud that keeps the contract; bad input never reaches it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Callable

import pytest

from modelarts_magics.commands.results import InstanceDetails, JsonResult, TextResult
from modelarts_magics.doctor import DoctorReport
from modelarts_magics.domain.models import Change, Effect, Instance
from modelarts_magics.errors import (
    ConfigurationError,
    DescriptionError,
    DurationError,
    InputError,
    RefusedError,
    UsageError,
)

if TYPE_CHECKING:
    from emulator_harness import EmulatorHarness


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("", Instance),
        ("status", Instance),
        ("status --all", InstanceDetails),
        ("status --json", JsonResult),
        ("describe", TextResult),
        ("describe --json", JsonResult),
        ("describe a new one", Change),
        ("describe --clear --json", JsonResult),
        ("auto-stop", Instance),
        ("auto-stop --json", JsonResult),
        ("auto-stop 2h", Change),
        ("auto-stop 2h --json", JsonResult),
        ("auto-stop off", Change),
        ("extend", Change),
        ("extend 30m --json", JsonResult),
        ("extend 2h --json", JsonResult),
        ("doctor", DoctorReport),
        ("doctor --json", JsonResult),
        ("help", TextResult),
        ("help extend", TextResult),
        ("extend -h", TextResult),
    ],
)
def test_each_returns_a_value(harness: EmulatorHarness, line: str, kind: type) -> None:
    """Of the kind that its name says."""
    assert type(harness.run_magic(line)) is kind


def test_a_description_is_set_shown_and_emptied(harness: EmulatorHarness) -> None:
    """Whichever of the three ways it is given; auto-stop stays as it is."""
    auto_stop = {
        name: harness.instance_state()[name] for name in ("stops_at", "duration_s", "prompt")
    }
    harness.namespace["note"] = "  from\na variable  "
    for line, cell, wanted in (
        ("describe 训练 {x} $HOME; 🤖", None, "训练 {x} $HOME; 🤖"),
        ("describe --replace it's 3/5 & <b>", None, "it’s 3／5 ＆ ＜b＞"),  # noqa: RUF001 - meant
        ("describe", " two\nlines\n", " two\nlines"),
        ("describe --from note", None, "  from\na variable  "),
        ("describe --clear", None, ""),
    ):
        change = harness.run_magic(line, cell)
        assert change.effect is Effect.NOW
        assert harness.instance_state()["description"] == wanted == change.after.description
        assert harness.run_magic("describe") == wanted
    assert {name: harness.instance_state()[name] for name in auto_stop} == auto_stop


@pytest.mark.parametrize(
    ("line", "ends_in", "duration"),
    [
        ("auto-stop 2h", 100, 120),
        ("auto-stop in 2h", 120, 140),
        ("auto-stop at 18:00", 120, 140),
        ("auto-stop at 18:00+08:00", 120, 140),
        ("auto-stop at 2026-11-23 12:00Z", 240, 260),
        ("auto-stop on", 40, 60),
        ("extend", 100, 120),
        ("extend 1 h 30 min", 130, 150),
        ("extend 90m", 130, 150),
    ],
)
def test_an_end_is_set(harness: EmulatorHarness, line: str, ends_in: int, duration: int) -> None:
    """The run began 20 minutes ago, at 15:40 in Shanghai, which is where clock times are read."""
    change = harness.run_magic(line)
    assert change.effect is Effect.NOW
    left = change.after.auto_stop.stops_at - change.after.observed_at
    assert abs(left - timedelta(minutes=ends_in)) < timedelta(seconds=2)
    assert harness.instance_state()["duration_s"] == duration * 60
    assert harness.instance_state()["description"] == "Demo instance of the local emulator"


def test_shorten_is_extend_the_other_way(harness: EmulatorHarness) -> None:
    """By an hour, if nothing else is said."""
    harness.run_magic("extend 3h")
    assert harness.run_magic("shorten").after.auto_stop.duration == timedelta(hours=3)
    assert harness.run_magic("shorten 30m").after.auto_stop.duration == timedelta(minutes=150)


def test_reminding_alone_leaves_the_rest(harness: EmulatorHarness) -> None:
    """Off and on again."""
    before = harness.instance_state()
    assert harness.run_magic("auto-stop --no-remind").effect is Effect.NOW
    assert harness.instance_state()["prompt"] is False
    assert harness.run_magic("auto-stop --remind").effect is Effect.NOW
    assert harness.instance_state() == before


def test_on_takes_the_last_known_duration(harness: EmulatorHarness) -> None:
    """Also after it was off for a while."""
    harness.run_magic("auto-stop 3h")
    harness.run_magic("auto-stop off")
    assert harness.instance_state()["enable"] is False
    assert harness.run_magic("auto-stop on").after.auto_stop.duration == timedelta(hours=3)


@pytest.mark.parametrize(
    ("line", "kind", "code"),
    [
        ("status now", UsageError, "usage.extra"),
        ("doctor now", UsageError, "usage.extra"),
        ("auto-stop in", UsageError, "usage.missing"),
        ("auto-stop at", UsageError, "usage.missing"),
        ("auto-stop on 2h", UsageError, "usage.extra"),
        ("auto-stop off please", UsageError, "usage.extra"),
        ("auto-stop 2h --remind --no-remind", UsageError, "usage.conflict"),
        ('describe ""', UsageError, "usage.empty_text"),
        ("describe --replace '  '", UsageError, "usage.empty_text"),
        ("describe --clear text", UsageError, "usage.conflict"),
        ("describe --clear --from note", UsageError, "usage.conflict"),
        ("describe --from note text", UsageError, "usage.conflict"),
        ("describe --from nobody", InputError, "description.name"),
        ("describe --from number", InputError, "description.name"),
        ("describe it's", DescriptionError, "description.invalid_character"),
        ('describe say "hi"', DescriptionError, "description.invalid_character"),
        ("describe a/b", DescriptionError, "description.invalid_character"),
        (f"describe {'x' * 513}", DescriptionError, "description.too_long"),
        (f"describe --replace {'/' * 513}", DescriptionError, "description.too_long"),
        ("auto-stop 90", DurationError, "duration.no_unit"),
        ("auto-stop 18:00", DurationError, "duration.is_clock_time"),
        ("auto-stop soon", DurationError, "duration.invalid"),
        ("auto-stop 0h", DurationError, "duration.not_positive"),
        ("auto-stop in 18:00", DurationError, "duration.is_clock_time"),
        ("auto-stop at noon", DurationError, "clock_time.invalid"),
        ("auto-stop at 25:00", DurationError, "clock_time.invalid"),
        ("extend -1h", DurationError, "duration.invalid"),
        ("extend in 1h", DurationError, "duration.invalid"),
        ("extend 0.1s", DurationError, "duration.not_whole_seconds"),
        ("shorten one hour", DurationError, "duration.invalid"),
        ("help xyzzy", UsageError, "usage.command"),
        ("help help me", UsageError, "usage.extra"),
    ],
)
def test_bad_input_never_reaches_the_cloud(
    harness: EmulatorHarness, line: str, kind: type[InputError], code: str
) -> None:
    """Not even as a read; the error names what is off and what to do."""
    harness.namespace["number"] = 3
    with pytest.raises(InputError) as caught:
        harness.run_magic(line)
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert caught.value.hint
    assert str(caught.value).count("\n") == 1
    assert harness.emulator.requests == []


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("auto-stop 59m", DurationError),
        ("auto-stop 25h", DurationError),
        ("auto-stop in 24h", RefusedError),
        ("auto-stop in 4m", RefusedError),
        ("auto-stop at 2026-11-23 15:00", RefusedError),
        ("auto-stop at 2026-11-25 15:00", RefusedError),
        ("auto-stop idle", RefusedError),
        ("extend 24h", RefusedError),
        ("shorten", RefusedError),
        ("extend 9999h", RefusedError),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    harness: EmulatorHarness, line: str, kind: type[Exception]
) -> None:
    """After one look at the instance."""
    before = harness.instance_state()
    with pytest.raises(kind) as caught:
        harness.run_magic(line)
    assert caught.value.hint
    assert [one["method"] for one in harness.emulator.requests] == ["GET"]
    assert harness.instance_state() == before


@pytest.mark.parametrize("line", ["extend", "shorten", "extend 2h"])
def test_an_unlimited_instance_never_gets_an_end_by_accident(
    harness: EmulatorHarness, line: str
) -> None:
    """Auto-stop is off: there is nothing to move."""
    harness.run_magic("auto-stop off")
    harness.emulator.clear_requests()
    with pytest.raises(RefusedError) as caught:
        harness.run_magic(line)
    assert caught.value.code == "refuse.auto_stop_off"
    assert [one["method"] for one in harness.emulator.requests] == ["GET"]
    assert harness.instance_state()["enable"] is False


@pytest.mark.parametrize("line", ["help", "help status", "status -h", "describe -h"])
def test_help_asks_no_cloud(harness: EmulatorHarness, line: str) -> None:
    """And needs no settings."""
    harness.environ.clear()
    assert harness.run_magic(line)
    assert harness.emulator.requests == []


@pytest.mark.parametrize("name", ["help", "doctor"])
def test_help_and_doctor_work_with_a_zone_that_is_none(harness: EmulatorHarness, name: str) -> None:
    """It is doctor who says what is wrong with it."""
    harness.environ["MODELARTS_TIMEZONE"] = "Nowhere/Else"
    assert harness.run_magic(name)


def test_a_zone_that_is_none_is_told_by_who_reads_a_clock_time(harness: EmulatorHarness) -> None:
    """With what to set."""
    harness.environ["MODELARTS_TIMEZONE"] = "Nowhere/Else"
    with pytest.raises(ConfigurationError) as caught:
        harness.run_magic("auto-stop at 18:00")
    assert "MODELARTS_TIMEZONE" in caught.value.hint


def test_the_terminal_does_the_same(harness: EmulatorHarness) -> None:
    """With a shell's words."""
    assert harness.run_in_terminal(["describe", "two", "words"]).after.description == "two words"
    assert harness.run_in_terminal(["auto-stop", "at", "tomorrow", "09:00"]).effect is Effect.NOW
    assert harness.run_in_terminal(["status", "--json"])["description"] == "two words"


@pytest.mark.parametrize("given", ["", "  "])
def test_a_variable_that_is_not_set_does_not_empty_the_description(
    harness: EmulatorHarness, given: str
) -> None:
    """A shell makes an empty word of it; to empty is an option of its own."""
    with pytest.raises(UsageError) as caught:
        harness.run_in_terminal(["describe", given])
    assert "describe --clear" in caught.value.hint
    assert harness.emulator.requests == []


def test_a_terminal_has_no_variables_of_python(harness: EmulatorHarness) -> None:
    """So it neither takes nor offers them, also not where something else is off."""
    with pytest.raises(UsageError) as caught:
        harness.run_in_terminal(["describe", "--from", "note"])
    assert "is available in notebooks only" in caught.value.message
    with pytest.raises(UsageError) as typo:
        harness.run_in_terminal(["describe", "--form", "note"])
    helped = harness.run_in_terminal(["help", "describe"])
    for shown in (caught.value.hint, str(typo.value), helped):
        assert "--from" not in shown
    assert "--clear" in helped
    assert "--from PYTHON_NAME" in harness.run_magic("help describe")


def test_it_is_said_before_writing_that_this_cloud_makes_a_run_wait(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """Once it has been seen to."""
    stage = make_harness(edition="2021")
    assert stage.run_magic("extend 1h").effect is Effect.NEXT_START
    assert stage.notices == []
    stage.run_magic("auto-stop 3h")
    (notice,) = stage.notices
    assert notice.startswith("Earlier run time changes took effect only at the next start")
    assert notice.endswith("will probably still stop at 2026-11-23 16:40 +08:00.")
