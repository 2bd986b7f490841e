"""The effect and the result of each command, against the emulator."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Callable

import pytest

from modelarts_magics.commands.results import InstanceDetails, JsonResult, TextResult
from modelarts_magics.doctor.report import DoctorReport
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
def test_command_returns_its_type(harness: EmulatorHarness, line: str, kind: type) -> None:
    """Code can rely on the type of each result."""
    assert type(harness.run_magic(line)) is kind


def test_describe_sets_shows_and_clears_the_description(harness: EmulatorHarness) -> None:
    """Auto-stop remains as it is."""
    auto_stop = {
        name: harness.instance_state()[name] for name in ("stops_at", "duration_s", "prompt")
    }
    harness.namespace["note"] = "  from\na variable  "
    for line, cell, expected in (
        ("describe 训练 {x} $HOME; 🤖", None, "训练 {x} $HOME; 🤖"),
        ("describe --replace it's 3/5 & <b>", None, "it’s 3／5 ＆ ＜b＞"),  # noqa: RUF001 - meant
        ("describe", " two\nlines\n", " two\nlines"),
        ("describe --from note", None, "  from\na variable  "),
        ("describe --clear", None, ""),
    ):
        change = harness.run_magic(line, cell)
        assert change.effect is Effect.NOW
        assert harness.instance_state()["description"] == expected == change.after.description
        assert harness.run_magic("describe") == expected
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
def test_auto_stop_and_extend_set_the_stop_time(
    harness: EmulatorHarness, line: str, ends_in: int, duration: int
) -> None:
    """The run started 20 minutes ago, at 15:40 in Shanghai, whose time zone is used."""
    change = harness.run_magic(line)
    assert change.effect is Effect.NOW
    left = change.after.auto_stop.stops_at - change.after.observed_at
    assert abs(left - timedelta(minutes=ends_in)) < timedelta(seconds=2)
    assert harness.instance_state()["duration_s"] == duration * 60
    assert harness.instance_state()["description"] == "Demo instance of the local emulator"


def test_shorten_subtracts_from_the_run_time(harness: EmulatorHarness) -> None:
    """The default is one hour."""
    harness.run_magic("extend 3h")
    assert harness.run_magic("shorten").after.auto_stop.duration == timedelta(hours=3)
    assert harness.run_magic("shorten 30m").after.auto_stop.duration == timedelta(minutes=150)


@pytest.mark.parametrize(
    "line",
    ["extend 1h", 'extend "1h"', "extend '1h'", "extend 1h # note", "extend 60m #", "extend 1:00"],
)
def test_extend_ignores_quotes_and_comments(harness: EmulatorHarness, line: str) -> None:
    """All these lines extend by one hour."""
    change = harness.run_magic(line)
    moved = change.after.auto_stop.stops_at - change.before.auto_stop.stops_at
    assert moved == timedelta(hours=1)


@pytest.mark.parametrize(
    "line", ["auto-stop tomorrow 09:00", "auto-stop 明天09:00", 'auto-stop at "tomorrow 09:00"']
)
def test_auto_stop_understands_a_day_without_at(harness: EmulatorHarness, line: str) -> None:
    """The stop time is on the next day, as if ``at`` had been written."""
    plain = harness.run_magic("auto-stop at tomorrow 09:00").after.auto_stop.stops_at
    assert harness.run_magic(line).after.auto_stop.stops_at == plain


def test_remind_changes_only_the_reminder(harness: EmulatorHarness) -> None:
    """The console reminder can be turned off and on."""
    before = harness.instance_state()
    assert harness.run_magic("auto-stop --no-remind").effect is Effect.NOW
    assert harness.instance_state()["prompt"] is False
    assert harness.run_magic("auto-stop --remind").effect is Effect.NOW
    assert harness.instance_state() == before


def test_auto_stop_on_uses_the_last_duration(harness: EmulatorHarness) -> None:
    """It is remembered while auto-stop is off."""
    harness.run_magic("auto-stop 3h")
    harness.run_magic("auto-stop off")
    assert harness.instance_state()["enable"] is False
    assert harness.run_magic("auto-stop on").after.auto_stop.duration == timedelta(hours=3)


@pytest.mark.parametrize(
    ("line", "kind", "code"),
    [
        ("status now", UsageError, "usage.extra"),
        ("doctor now", UsageError, "usage.extra"),
        ("history now", UsageError, "usage.extra"),
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
        ("extend in 1h", DurationError, "duration.from_now"),
        ("extend at 18:00", DurationError, "duration.is_clock_time"),
        ("shorten tomorrow 09:00", DurationError, "duration.is_clock_time"),
        ("extend {hours}h", UsageError, "usage.variable"),
        ("extend 0.1s", DurationError, "duration.not_whole_seconds"),
        ("shorten one hour", DurationError, "duration.invalid"),
        ("help xyzzy", UsageError, "usage.command"),
        ("help help me", UsageError, "usage.extra"),
    ],
)
def test_invalid_input_sends_no_request(
    harness: EmulatorHarness, line: str, kind: type[InputError], code: str
) -> None:
    """The error names the problem, and the hint what to do."""
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
def test_impossible_change_is_refused_without_a_write(
    harness: EmulatorHarness, line: str, kind: type[Exception]
) -> None:
    """The instance is read once."""
    before = harness.instance_state()
    with pytest.raises(kind) as caught:
        harness.run_magic(line)
    assert caught.value.hint
    assert [one["method"] for one in harness.emulator.requests] == ["GET"]
    assert harness.instance_state() == before


@pytest.mark.parametrize("line", ["extend", "shorten", "extend 2h"])
def test_extend_refuses_when_auto_stop_is_off(harness: EmulatorHarness, line: str) -> None:
    """An instance without a stop time must not get one by accident."""
    harness.run_magic("auto-stop off")
    harness.emulator.clear_requests()
    with pytest.raises(RefusedError) as caught:
        harness.run_magic(line)
    assert caught.value.code == "refuse.auto_stop_off"
    assert [one["method"] for one in harness.emulator.requests] == ["GET"]
    assert harness.instance_state()["enable"] is False


@pytest.mark.parametrize("line", ["help", "help status", "status -h", "describe -h"])
def test_help_sends_no_request(harness: EmulatorHarness, line: str) -> None:
    """It needs no settings either."""
    harness.environ.clear()
    assert harness.run_magic(line)
    assert harness.emulator.requests == []


@pytest.mark.parametrize("name", ["help", "doctor"])
def test_help_and_doctor_work_with_an_invalid_time_zone(
    harness: EmulatorHarness, name: str
) -> None:
    """The doctor reports it."""
    harness.environ["MODELARTS_TIMEZONE"] = "Nowhere/Else"
    assert harness.run_magic(name)


def test_clock_time_with_an_invalid_time_zone_fails(harness: EmulatorHarness) -> None:
    """The hint names the setting."""
    harness.environ["MODELARTS_TIMEZONE"] = "Nowhere/Else"
    with pytest.raises(ConfigurationError) as caught:
        harness.run_magic("auto-stop at 18:00")
    assert "MODELARTS_TIMEZONE" in caught.value.hint


def test_terminal_commands_have_the_same_effect(harness: EmulatorHarness) -> None:
    """Arguments are split by the shell."""
    assert harness.run_in_terminal(["describe", "two", "words"]).after.description == "two words"
    assert harness.run_in_terminal(["auto-stop", "at", "tomorrow", "09:00"]).effect is Effect.NOW
    assert harness.run_in_terminal(["status", "--json"])["description"] == "two words"


@pytest.mark.parametrize("given", ["", "  "])
def test_empty_argument_does_not_clear_the_description(
    harness: EmulatorHarness, given: str
) -> None:
    """An unset shell variable becomes an empty argument; clearing has an option of its own."""
    with pytest.raises(UsageError) as caught:
        harness.run_in_terminal(["describe", given])
    assert "describe --clear" in caught.value.hint
    assert harness.emulator.requests == []


def test_terminal_does_not_offer_from(harness: EmulatorHarness) -> None:
    """Neither help nor hints mention the option in a terminal."""
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


def test_notice_is_given_after_a_deferred_change(
    make_harness: Callable[..., EmulatorHarness],
) -> None:
    """The notice comes before the next change that will probably be deferred, too."""
    harness = make_harness(edition="2021")
    assert harness.run_magic("extend 1h").effect is Effect.NEXT_START
    assert harness.notices == ["Later starts will also run for 2 h (now 1 h)."]
    harness.run_magic("auto-stop 3h")
    notice = harness.notices[1]
    assert len(harness.notices) == 2
    assert notice.startswith("Earlier run time changes took effect only at the next start")
    assert notice.endswith("will probably still stop at 2026-11-23 16:40 +08:00.")
