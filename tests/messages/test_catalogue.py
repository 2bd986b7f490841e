"""Rules for the catalogues: complete, used, unique, short and consistent in both languages."""

from __future__ import annotations

import ast
import re
import string
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from factories import HOUR, MINUTE, NOW

import modelarts_magics
from modelarts_magics import messages
from modelarts_magics.domain.models import Status
from modelarts_magics.messages import en, zh_cn
from modelarts_magics.messages.shared import SHARED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

PACKAGE = Path(modelarts_magics.__file__).parent
CATALOGUES = {PACKAGE / "messages" / f"{name}.py" for name in ("en", "zh_cn", "shared")}
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if path not in CATALOGUES)
KINDS = {code.split(".")[0] for code in en.TEXTS}
CODE = re.compile(rf"(?:{'|'.join(sorted(KINDS))})(?:\.[A-Za-z0-9_-]+)+")
MULTILINE = ("help.", "demo.", "notify.text.")
"""Texts of several lines, which are shown as they are."""
FILE_NAME = re.compile(r".*\.(?:py|json|yaml|md|ipynb|toml|cfg|ini)")
COMMON_VALUES = {"cmd", "login", "prefix", "terminal"}
"""Values that every message may use."""
VALUES_OF_ERROR_CLASSES = {"status", "error_code", "request_id", "cause"}
"""Values that a class of errors passes itself."""
MAX_SENTENCE_WORDS = 30
TRANSLATED = sorted(code for code in en.TEXTS if not code.endswith(".examples"))
"""All codes but the examples of commands, which are the same in every language."""
PANEL_HINT = "server.hint."
PANEL_HINTS = sorted(code for code in (*en.TEXTS, *SHARED) if code.startswith(PANEL_HINT))
NO_ERROR_CODES = ("refused", "http.401", "http.403")
"""Panel hints without an error code of this package."""


def english(code: str) -> str:
    """Return the English text of a code, also of one that shares it."""
    return en.TEXTS[SHARED.get(code, code)]


def placeholders(template: str) -> set[str]:
    """Return the names of the placeholders of a text."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def required_values(code: str) -> set[str]:
    """Return the values that a message and its hint need."""
    hint = english(f"{code}.hint") if messages.has_text(f"{code}.hint") else ""
    return (placeholders(english(code)) | placeholders(hint)) - COMMON_VALUES


@cache
def nodes() -> tuple[tuple[str, ast.AST], ...]:
    """Return all syntax nodes of the package, each with its file and line."""
    return tuple(
        (f"{path.relative_to(PACKAGE)}:{getattr(node, 'lineno', 0)}", node)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    )


def strings() -> set[str]:
    """Return all string constants of the package."""
    return {
        node.value
        for _, node in nodes()
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def code_patterns() -> list[re.Pattern[str]]:
    """Return a pattern for each f-string of the package that begins like a code."""
    patterns = []
    for _, node in nodes():
        if not isinstance(node, ast.JoinedStr) or not isinstance(node.values[0], ast.Constant):
            continue
        if node.values[0].value.partition(".")[0] in KINDS:
            parts = (
                re.escape(each.value) if isinstance(each, ast.Constant) else r"[\w.-]+"
                for each in node.values
            )
            patterns.append(re.compile("".join(parts)))
    return patterns


def created_messages() -> Iterator[tuple[str, str, str, set[str], bool]]:
    """Yield class, place, code, value names and whether there may be more values, of errors and messages."""
    for place, call in nodes():
        # The emulator answers with texts of its own.
        if place.startswith("emulator") or not (
            isinstance(call, ast.Call) and call.args and isinstance(call.args[0], ast.Constant)
        ):
            continue
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        code = call.args[0].value
        if not name.endswith(("Error", "Message")) or not isinstance(code, str):
            continue
        names = {keyword.arg for keyword in call.keywords if keyword.arg}
        more = any(keyword.arg is None for keyword in call.keywords)
        if name == "Message":
            values = call.args[1] if len(call.args) > 1 else ast.Dict([], [])
            keys = values.keys if isinstance(values, ast.Dict) else [None]
            names = {str(key.value) for key in keys if isinstance(key, ast.Constant)}
            more = any(not isinstance(key, ast.Constant) for key in keys)
        yield name, place, code, names, more


def is_used(code: str, constants: set[str], patterns: list[re.Pattern[str]]) -> bool:
    """Return whether the package names a code, by a constant or an f-string."""
    base = code.removeprefix(PANEL_HINT).removesuffix(".hint")
    kind, _, rest = code.partition(".")
    if kind == "status":
        return rest in {each.value for each in Status}
    return (
        {code, base} & constants != set()
        or base in NO_ERROR_CODES
        or (kind == "type" and rest in constants)
        or any(
            code.startswith(each) for each in constants if each.endswith(".") and CODE.match(each)
        )
        or any(each.fullmatch(name) for each in patterns for name in (code, base))
    )


def test_every_code_in_the_package_has_a_text() -> None:
    """Every string that looks like a code is one, or the beginning of one."""
    codes = (*en.TEXTS, *SHARED)
    unknown = {
        each
        for each in strings()
        if CODE.fullmatch(each)
        and not FILE_NAME.fullmatch(each)
        and not any(code.startswith(each) for code in codes)
    }
    assert unknown == set()


def test_every_message_is_used() -> None:
    """The package names every code, also those that share a text."""
    constants, patterns = strings(), code_patterns()
    unused = {each for each in (*en.TEXTS, *SHARED) if not is_used(each, constants, patterns)}
    assert unused == set()


def test_every_error_passes_all_values() -> None:
    """Every error has a text and a hint, and its code passes the values of both."""
    created = list(created_messages())
    assert len(created) > 50
    for name, place, code, names, more in created:
        assert messages.has_text(code), f"{place}: {code}"
        assert name == "Message" or messages.has_text(f"{code}.hint"), f"{place}: {code}"
        missing = required_values(code) - names - VALUES_OF_ERROR_CLASSES
        assert more or not missing, f"{place}: {code} lacks {missing}"


def test_no_value_is_named_code() -> None:
    """A value named `code` would collide with the parameter of `text`."""
    assert not [place for _, place, _, names, _ in created_messages() if "code" in names]
    assert not [code for code, text in en.TEXTS.items() if "code" in placeholders(text)]


def test_texts_are_well_formed() -> None:
    """A text has plain placeholders with known formats, and one line."""
    for code, text in en.TEXTS.items():
        for _, name, form, conversion in string.Formatter().parse(text):
            assert name is None or re.fullmatch(r"[a-z_]+", name), code
            assert conversion is None, code
            formats = {"", "time_left", "argument", "clock", "status", "type", "size"}
            assert (form or "") in formats, code
        if not code.startswith(MULTILINE):
            assert not re.search(r"\s\s|[^\S ]", text), code
    if code.endswith(".hint") and not code.startswith("doctor."):
        assert messages.has_text(code.removesuffix(".hint"))


def test_sentences_have_at_most_thirty_words() -> None:
    """No sentence is too long to be read at once."""
    for code, text in en.TEXTS.items():
        sentences = re.split(r"(?<=[.?!])\s+|\n", text)
        assert max(len(each.split()) for each in sentences) <= MAX_SENTENCE_WORDS, code


def test_no_two_codes_have_the_same_text() -> None:
    """A text is written once; codes that share it are in `SHARED`."""
    counts = Counter(en.TEXTS[code] for code in TRANSLATED)
    assert [text for text, count in counts.items() if count > 1] == []
    assert set(SHARED) & set(en.TEXTS) == set()
    assert set(SHARED.values()) <= set(en.TEXTS)


def test_texts_use_the_glossary() -> None:
    """Messages name the API or ModelArts, and call the time of the stop the stop time."""
    english_words = r"\bcloud(?! credentials)\b|\bend time\b|\bwish\b|\bwhoever\b"
    for code in TRANSLATED:
        assert not re.search(english_words, en.TEXTS[code]), code
        assert not re.search("云端|结束时间|令牌|控件", zh_cn.TEXTS[code]), code


@pytest.mark.parametrize("code", PANEL_HINTS)
def test_panel_hint_belongs_to_an_error(code: str) -> None:
    """A hint for the panel replaces that of an error and needs no other values."""
    error = code.removeprefix(PANEL_HINT)
    if error in NO_ERROR_CODES:
        assert placeholders(english(code)) <= COMMON_VALUES
    else:
        assert messages.has_text(f"{error}.hint")
        assert placeholders(english(code)) - COMMON_VALUES <= required_values(error)


def test_chinese_is_complete() -> None:
    """The Chinese catalogue has the same codes as the English one."""
    assert sorted(zh_cn.TEXTS) == TRANSLATED


def test_placeholders_are_equal_in_both_languages() -> None:
    """A translation uses exactly the placeholders of the English text."""
    for code in TRANSLATED:
        assert placeholders(zh_cn.TEXTS[code]) == placeholders(en.TEXTS[code]), code


def sample_values(code: str) -> dict[str, object]:
    """Return a value for each placeholder; where a value may be Chinese, it is."""
    times = dict.fromkeys(
        ("stop_time", "now", "latest", "earliest", "asked", "until", "since", "covered"), NOW
    )
    durations: dict[str, timedelta] = dict.fromkeys(
        ("duration", "time_left", "longest", "shortest", "skew", "possible", "cost", "timeout"),
        HOUR + 30 * MINUTE,
    )
    chinese = {
        "stop": messages.Message("stop.off"),
        "status": "RUNNING",
        "expected": "string",
        "verb": messages.Message("verb.extend"),
        "old": messages.text("word.off"),
        "uncertainty": messages.Message("refuse.start_uncertain", {"longest": HOUR}),
        "cause": messages.Message("unreachable.read_timeout", {"host": "h"}),
        "reason": messages.Message("reason.name"),
    }
    sizes = {"bytes": 4_500_000}
    known = {**times, **durations, **chinese, **sizes}
    return {
        name: known.get(name, "X")
        for name in placeholders(en.TEXTS[code]) - {"cmd", "login", "terminal"}
    }


def test_chinese_has_no_space_between_chinese_characters() -> None:
    """A value that ends in a Chinese character is not followed by a space."""
    messages.use_language("zh_CN")
    for code in TRANSLATED:
        assert not re.search("[一-龥] [一-龥]", messages.text(code, **sample_values(code))), code
