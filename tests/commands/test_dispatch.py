"""What each command does, against a cloud that keeps the contract; bad input never reaches it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Callable

import pytest

from modelarts_magics.commands.results import Details, Json, Text
from modelarts_magics.doctor import Report
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
    from stage import Stage


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("", Instance),
        ("status", Instance),
        ("status --all", Details),
        ("status --json", Json),
        ("describe", Text),
        ("describe --json", Json),
        ("describe a new one", Change),
        ("describe --clear --json", Json),
        ("auto-stop", Instance),
        ("auto-stop --json", Json),
        ("auto-stop 2h", Change),
        ("auto-stop 2h --json", Json),
        ("auto-stop off", Change),
        ("extend", Change),
        ("extend 30m --json", Json),
        ("extend 2h --json", Json),
        ("doctor", Report),
        ("doctor --json", Json),
        ("help", Text),
        ("help extend", Text),
        ("extend -h", Text),
    ],
)
def test_each_returns_a_value(stage: Stage, line: str, kind: type) -> None:
    """Of the kind that its name says."""
    assert type(stage.magic(line)) is kind


def test_a_description_is_set_shown_and_emptied(stage: Stage) -> None:
    """Whichever of the three ways it is given; auto-stop stays as it is."""
    auto_stop = {name: stage.shown()[name] for name in ("stops_at", "duration_s", "prompt")}
    stage.namespace["note"] = "  from\na variable  "
    for line, cell, wanted in (
        ("describe 训练 {x} $HOME; 🤖", None, "训练 {x} $HOME; 🤖"),
        ("describe --replace it's 3/5 & <b>", None, "it’s 3／5 ＆ ＜b＞"),  # noqa: RUF001 - meant
        ("describe", " two\nlines\n", " two\nlines"),
        ("describe --from note", None, "  from\na variable  "),
        ("describe --clear", None, ""),
    ):
        change = stage.magic(line, cell)
        assert change.effect is Effect.NOW
        assert stage.shown()["description"] == wanted == change.after.description
        assert stage.magic("describe") == wanted
    assert {name: stage.shown()[name] for name in auto_stop} == auto_stop


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
def test_an_end_is_set(stage: Stage, line: str, ends_in: int, duration: int) -> None:
    """The run began 20 minutes ago, at 15:40 in Shanghai, which is where clock times are read."""
    change = stage.magic(line)
    assert change.effect is Effect.NOW
    left = change.after.auto_stop.stops_at - change.after.observed_at
    assert abs(left - timedelta(minutes=ends_in)) < timedelta(seconds=2)
    assert stage.shown()["duration_s"] == duration * 60
    assert stage.shown()["description"] == "Demo instance of the local emulator"


def test_shorten_is_extend_the_other_way(stage: Stage) -> None:
    """By an hour, if nothing else is said."""
    stage.magic("extend 3h")
    assert stage.magic("shorten").after.auto_stop.duration == timedelta(hours=3)
    assert stage.magic("shorten 30m").after.auto_stop.duration == timedelta(minutes=150)


def test_reminding_alone_leaves_the_rest(stage: Stage) -> None:
    """Off and on again."""
    before = stage.shown()
    assert stage.magic("auto-stop --no-remind").effect is Effect.NOW
    assert stage.shown()["prompt"] is False
    assert stage.magic("auto-stop --remind").effect is Effect.NOW
    assert stage.shown() == before


def test_on_takes_the_last_known_duration(stage: Stage) -> None:
    """Also after it was off for a while."""
    stage.magic("auto-stop 3h")
    stage.magic("auto-stop off")
    assert stage.shown()["enable"] is False
    assert stage.magic("auto-stop on").after.auto_stop.duration == timedelta(hours=3)


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
        ("describe it's", DescriptionError, "description.character"),
        ('describe say "hi"', DescriptionError, "description.character"),
        ("describe a/b", DescriptionError, "description.character"),
        (f"describe {'x' * 513}", DescriptionError, "description.too_long"),
        (f"describe --replace {'/' * 513}", DescriptionError, "description.too_long"),
        ("auto-stop 90", DurationError, "duration.no_unit"),
        ("auto-stop 18:00", DurationError, "duration.is_clock"),
        ("auto-stop soon", DurationError, "duration.unreadable"),
        ("auto-stop 0h", DurationError, "duration.not_positive"),
        ("auto-stop in 18:00", DurationError, "duration.is_clock"),
        ("auto-stop at noon", DurationError, "clock.unreadable"),
        ("auto-stop at 25:00", DurationError, "clock.unreadable"),
        ("extend -1h", DurationError, "duration.unreadable"),
        ("extend in 1h", DurationError, "duration.unreadable"),
        ("extend 0.1s", DurationError, "duration.fraction"),
        ("shorten one hour", DurationError, "duration.unreadable"),
        ("help xyzzy", UsageError, "usage.command"),
        ("help help me", UsageError, "usage.extra"),
    ],
)
def test_bad_input_never_reaches_the_cloud(
    stage: Stage, line: str, kind: type[InputError], code: str
) -> None:
    """Not even as a read; the error names what is off and what to do."""
    stage.namespace["number"] = 3
    with pytest.raises(InputError) as caught:
        stage.magic(line)
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert caught.value.hint
    assert str(caught.value).count("\n") == 1
    assert stage.emulator.requests == []


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
    stage: Stage, line: str, kind: type[Exception]
) -> None:
    """After one look at the instance."""
    before = stage.shown()
    with pytest.raises(kind) as caught:
        stage.magic(line)
    assert caught.value.hint
    assert [one["method"] for one in stage.emulator.requests] == ["GET"]
    assert stage.shown() == before


@pytest.mark.parametrize("line", ["extend", "shorten", "extend 2h"])
def test_an_unlimited_instance_never_gets_an_end_by_accident(stage: Stage, line: str) -> None:
    """Auto-stop is off: there is nothing to move."""
    stage.magic("auto-stop off")
    stage.emulator.clear_requests()
    with pytest.raises(RefusedError) as caught:
        stage.magic(line)
    assert caught.value.code == "refuse.off"
    assert [one["method"] for one in stage.emulator.requests] == ["GET"]
    assert stage.shown()["enable"] is False


@pytest.mark.parametrize("line", ["help", "help status", "status -h", "describe -h"])
def test_help_asks_no_cloud(stage: Stage, line: str) -> None:
    """And needs no settings."""
    stage.environ.clear()
    assert stage.magic(line)
    assert stage.emulator.requests == []


@pytest.mark.parametrize("name", ["help", "doctor"])
def test_help_and_doctor_work_with_a_zone_that_is_none(stage: Stage, name: str) -> None:
    """It is doctor who says what is wrong with it."""
    stage.environ["MODELARTS_TIMEZONE"] = "Nowhere/Else"
    assert stage.magic(name)


def test_a_zone_that_is_none_is_told_by_who_reads_a_clock_time(stage: Stage) -> None:
    """With what to set."""
    stage.environ["MODELARTS_TIMEZONE"] = "Nowhere/Else"
    with pytest.raises(ConfigurationError) as caught:
        stage.magic("auto-stop at 18:00")
    assert "MODELARTS_TIMEZONE" in caught.value.hint


def test_the_terminal_does_the_same(stage: Stage) -> None:
    """With a shell's words."""
    assert stage.terminal(["describe", "two", "words"]).after.description == "two words"
    assert stage.terminal(["auto-stop", "at", "tomorrow", "09:00"]).effect is Effect.NOW
    assert stage.terminal(["status", "--json"])["description"] == "two words"


@pytest.mark.parametrize("given", ["", "  "])
def test_a_variable_that_is_not_set_does_not_empty_the_description(
    stage: Stage, given: str
) -> None:
    """A shell makes an empty word of it; to empty is an option of its own."""
    with pytest.raises(UsageError) as caught:
        stage.terminal(["describe", given])
    assert "describe --clear" in caught.value.hint
    assert stage.emulator.requests == []


def test_a_terminal_has_no_variables_of_python(stage: Stage) -> None:
    """So it neither takes nor offers them, also not where something else is off."""
    with pytest.raises(UsageError) as caught:
        stage.terminal(["describe", "--from", "note"])
    assert "needs a notebook" in caught.value.message
    with pytest.raises(UsageError) as typo:
        stage.terminal(["describe", "--form", "note"])
    helped = stage.terminal(["help", "describe"])
    for shown in (caught.value.hint, str(typo.value), helped):
        assert "--from" not in shown
    assert "--clear" in helped
    assert "--from PYTHON_NAME" in stage.magic("help describe")


def test_it_is_said_before_writing_that_this_cloud_makes_a_run_wait(
    make_stage: Callable[..., Stage],
) -> None:
    """Once it has been seen to."""
    stage = make_stage(edition="2021")
    assert stage.magic("extend 1h").effect is Effect.NEXT_START
    assert stage.notices == []
    stage.magic("auto-stop 3h")
    (notice,) = stage.notices
    assert notice.startswith("This cloud has let a new duration wait for the next start before")
    assert notice.endswith("will probably still stop at 2026-11-23 16:40 +08:00.")
