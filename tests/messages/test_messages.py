"""The sentences: complete, filled and on one line."""

from __future__ import annotations

import ast
import re
import string
from datetime import timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from factories import (
    HOUR,
    MINUTE,
    NOW,
    property_settings,
)
from hypothesis import given
from hypothesis import strategies as st

import modelarts_magics
from modelarts_magics import messages
from modelarts_magics.messages import Message, en, zh_cn

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(modelarts_magics.__file__).parent
SOURCES = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if not {"messages", "emulator"} & set(path.relative_to(PACKAGE).parts)
)
"""What may name a sentence; the emulator is somebody else's cloud and words nothing."""
KINDS = {code.split(".")[0] for code in en.TEXTS}
CODE = re.compile(rf"(?:{'|'.join(sorted(KINDS))})(?:\.[A-Za-z0-9_-]+)+")
BLOCKS = ("help.", "demo.")
"""Texts of several lines, shown as they are."""
NOT_CODES = re.compile(r".*\.(?:py|json|yaml|md|ipynb|toml|cfg)")
GIVEN_ANYWHERE = {"cmd", "login", "prefix"}
ALWAYS = {
    **dict.fromkeys(("status", "error_code", "request_id"), "ApiError"),
    "cause": "OutcomeUnknownError",
}
"""What a class of error gives to its sentence by itself."""


def places(code: str) -> set[str]:
    """The names that the sentence and its hint want filled."""
    templates = [en.TEXTS[code], en.TEXTS.get(f"{code}.hint", "")]
    parsed = (part for template in templates for part in string.Formatter().parse(template))
    return {name for _, name, _, _ in parsed if name} - GIVEN_ANYWHERE


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call in the package whose first argument is a literal text."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node


def named() -> set[tuple[str, str]]:
    """Every literal text in the package that looks like the code of a sentence."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and CODE.fullmatch(text) and not NOT_CODES.fullmatch(text):
                found.add((str(path.relative_to(PACKAGE)), text))
    return found


def raised() -> list[tuple[str, str, str, set[str], bool]]:
    """Each (class, place, code, names given, whether more may be given) of an error or `Message` made."""
    found = []
    for place, call in calls():
        name = (
            call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        )
        code = call.args[0].value  # type: ignore[attr-defined]
        if not name.endswith(("Error", "Message")) or not isinstance(code, str):
            continue
        given_ = {keyword.arg for keyword in call.keywords if keyword.arg}
        more = any(keyword.arg is None for keyword in call.keywords)
        if name == "Message":
            values = call.args[1] if len(call.args) > 1 else ast.Dict([], [])
            keys = values.keys if isinstance(values, ast.Dict) else [None]
            given_ = {key.value for key in keys if isinstance(key, ast.Constant)}  # type: ignore[misc]
            more = any(not isinstance(key, ast.Constant) for key in keys)
        found.append((name, place, code, given_, more))
    return found


def test_every_code_that_is_named_has_a_sentence() -> None:
    """Each text in the package that looks like a code is one, or begins one made of parts."""
    assert not {
        (path, code)
        for path, code in named()
        if not any(each.startswith(code) for each in en.TEXTS)
    }


def test_every_error_fills_its_sentence() -> None:
    """Wherever an error or a message is made, there are words and a hint, and all their places are given."""
    made = raised()
    assert len(made) > 50, "the scan has lost sight of the code"
    for name, place, code, given_, more in made:
        assert code in en.TEXTS, f"{place} names {code}"
        assert name == "Message" or f"{code}.hint" in en.TEXTS, f"{place}: {code} has no hint"
        missing = places(code) - given_ - set(ALWAYS)
        assert more or not missing, f"{place}: {code} lacks {missing}"


def test_no_value_is_called_code() -> None:
    """`code` is the sentence's own name: as a value it would collide."""
    assert not [place for _, place, _, given_, _ in raised() if "code" in given_]
    assert not [code for code in en.TEXTS if "code" in places_of(code)]


def places_of(code: str) -> set[str]:
    """The names that one template wants filled."""
    return places_in(en.TEXTS[code])


@pytest.mark.parametrize("code", sorted(en.TEXTS))
def test_every_sentence_is_well_made(code: str) -> None:
    """It parses, its places are plain names with known forms, and it is one line."""
    for _, name, form, conversion in string.Formatter().parse(en.TEXTS[code]):
        assert name is None or re.fullmatch(r"[a-z_]+", name), name
        assert conversion is None
        assert (form or "") in {"", "left", "arg", "clock"}
    if not code.startswith(BLOCKS):
        assert not re.search(r"\s\s|[^\S ]", en.TEXTS[code])
    if code.endswith(".hint") and not code.startswith("doctor."):
        assert code[: -len(".hint")] in en.TEXTS


@pytest.mark.parametrize(
    ("duration", "words", "argument"),
    [
        (timedelta(0), "0 s", "0s"),
        (timedelta(seconds=5), "5 s", "5s"),
        (MINUTE, "1 min", "1m"),
        (HOUR, "1 h", "1h"),
        (HOUR + timedelta(seconds=5), "1 h 5 s", "1h5s"),
        (HOUR + 30 * MINUTE, "1 h 30 min", "1h30m"),
        (24 * HOUR, "24 h", "24h"),
        (72 * HOUR, "72 h", "72h"),
        (timedelta(seconds=3599.6), "1 h", "1h"),
    ],
)
def test_a_duration_is_exact_in_words_and_as_an_argument(
    duration: timedelta, words: str, argument: str
) -> None:
    """Days are hours, zero parts are left out, and nothing is rounded away but fractions."""
    assert (messages.format_duration(duration), messages.format_duration_argument(duration)) == (
        words,
        argument,
    )


@pytest.mark.parametrize(
    ("remaining", "words"),
    [
        (timedelta(seconds=-5), "0 s"),
        (timedelta(0), "0 s"),
        (timedelta(seconds=59.9), "59 s"),
        (10 * MINUTE - timedelta(milliseconds=1), "9 min 59 s"),
        (10 * MINUTE, "10 min"),
        (HOUR + timedelta(seconds=59), "1 h"),
        (25 * HOUR + MINUTE, "25 h 1 min"),
    ],
)
def test_a_time_left_is_as_fine_as_it_matters(remaining: timedelta, words: str) -> None:
    """Seconds only in the last ten minutes, rounded down, and never below zero."""
    assert messages.format_time_left(remaining) == words


@property_settings
@given(st.timedeltas(timedelta(days=-1), timedelta(days=9)))
def test_a_time_left_is_never_more_than_there_is(remaining: timedelta) -> None:
    """Who plans by the words is not late."""
    shown = re.findall(r"(\d+) (h|min|s)", messages.format_time_left(remaining))
    seconds = sum(int(n) * {"h": 3600, "min": 60, "s": 1}[unit] for n, unit in shown)
    assert seconds <= max(0.0, remaining.total_seconds())


def test_a_moment_is_named_with_date_and_offset() -> None:
    """So that it is still true tomorrow and elsewhere."""
    assert messages.format_datetime(NOW) == "2026-11-23 08:52 +00:00"
    assert messages.format_clock_time(NOW) == "08:52"


@pytest.mark.parametrize(
    ("offset", "when", "clock"),
    [
        (8 * HOUR, "2026-11-23 16:52 +08:00", "16:52"),
        (-5 * HOUR - 30 * MINUTE, "2026-11-23 03:22 -05:30", "03:22"),
        (16 * HOUR, "2026-11-24 00:52 +16:00", "00:52"),
    ],
)
def test_a_chosen_zone_holds_for_every_moment(offset: timedelta, when: str, clock: str) -> None:
    """In sentences and alone."""
    messages.use_timezone(timezone(offset))
    assert (messages.format_datetime(NOW), messages.format_clock_time(NOW)) == (when, clock)
    assert messages.text("refuse.end_past", end=NOW) == f"{when} is in the past."
    messages.use_timezone(None)
    assert messages.format_datetime(NOW) == "2026-11-23 08:52 +00:00"


def test_the_day_is_the_reader_s() -> None:
    """Two moments of one UTC day may be two days where the reader is."""
    assert messages.same_day(NOW, NOW + 10 * HOUR)
    messages.use_timezone(timezone(8 * HOUR))
    assert not messages.same_day(NOW, NOW + 10 * HOUR)


def test_a_command_is_written_as_the_reader_types_it() -> None:
    """In a notebook the magic, in a terminal what was chosen there."""
    assert messages.text("refuse.off.hint") == "To turn it on: %modelarts auto-stop on"
    messages.use_command_prefix("/usr/bin/python3 -m modelarts_magics")
    assert messages.text("refuse.off.hint").endswith("-m modelarts_magics auto-stop on")


def test_a_terminal_is_told_to_save_what_it_would_forget() -> None:
    """Wherever a hint says how to enter a key."""
    assert messages.text("login.nothing.hint") == "Try again: %modelarts login"
    messages.use_command_prefix("python -m modelarts_magics")
    for code in ("login.nothing.hint", "credentials.none.hint", "cloud.401.0202.hint"):
        assert "python -m modelarts_magics login --save" in messages.text(code)


def test_login_comes_first_where_a_credential_is_missing() -> None:
    """A variable would tempt to write a secret into a cell."""
    for code in ("credentials.none", "cloud.401.0201", "cloud.401.0202"):
        for language in messages.LANGUAGES:
            messages.use_language(language)
            hint = messages.text(f"{code}.hint")
            assert hint.index("%modelarts login") < hint.index("MODELARTS_AUTH_TOKEN")


def test_values_are_shown_and_never_interpreted() -> None:
    """Braces in what a person entered are just braces."""
    assert "“{cmd} {0} {x!r}”" in messages.text("duration.unreadable", text="{cmd} {0} {x!r}")


def test_a_message_is_worded_when_it_is_shown() -> None:
    """Also inside another sentence, in the zone that is then in force."""
    inner = Message("refuse.end_past", {"end": NOW})
    messages.use_timezone(timezone(8 * HOUR))
    assert str(inner) == "2026-11-23 16:52 +08:00 is in the past."
    assert str(Message("unreachable.connect", {"host": "h", "reason": Message("reason.name")})) == (
        "Cannot connect to h: host name not resolved."
    )


PAGE = "server.hint."
OF_THE_PAGE = sorted(code for code in en.TEXTS if code.startswith(PAGE))
NO_ERROR = ("refused", "http.401", "http.403")


@pytest.mark.parametrize("code", OF_THE_PAGE)
def test_a_hint_for_a_page_can_be_filled(code: str) -> None:
    """It stands for the hint of an error that there is, and wants no other value."""
    of = code[len(PAGE) :]
    assert of in NO_ERROR or f"{of}.hint" in en.TEXTS
    assert places_of(code) - GIVEN_ANYWHERE <= (set() if of in NO_ERROR else places(of))


TRANSLATED = sorted(code for code in en.TEXTS if not code.endswith(".examples"))
"""All but what is typed, which is the same in every language."""


def test_chinese_is_complete() -> None:
    """It has every sentence, and none that nobody can ever see."""
    assert sorted(zh_cn.TEXTS) == TRANSLATED


@pytest.mark.parametrize("code", TRANSLATED)
def test_both_languages_show_the_same_values(code: str) -> None:
    """A sentence of the one has exactly the places of the other."""
    assert places_in(zh_cn.TEXTS.get(code, "")) == places_in(en.TEXTS[code])


def places_in(template: str) -> set[str]:
    """The names that a template wants filled."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("tag", ["en", "EN_us", "de", "xx", "C"])
def test_an_unknown_language_is_english(tag: str) -> None:
    """A setting never takes the words away."""
    messages.use_language(tag)
    assert messages.language() == "en"
    assert messages.text("refuse.no_prompt") == en.TEXTS["refuse.no_prompt"]


@pytest.mark.parametrize("tag", ["zh", "zh_CN", "zh-Hans", "ZH_cn.UTF-8"])
def test_chinese_has_many_tags(tag: str) -> None:
    """All of them choose the one that ships."""
    messages.use_language(tag)
    assert messages.language() == "zh_CN"


def test_a_sentence_that_does_not_exist_is_a_mistake_of_ours() -> None:
    """It is a KeyError, and `has` tells beforehand."""
    assert messages.has_text("refuse.off")
    assert not messages.has_text("refuse.no-such-thing")
    with pytest.raises(KeyError):
        messages.text("refuse.no-such-thing")
