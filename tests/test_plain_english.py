"""The language rules of CONTRIBUTING.md hold in all text of this repository, without exceptions."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
LINE_BREAK = re.compile(r"[ \t]*\n[ \t]*(?:(?:#+|//+|\*+|>)[ \t]+)?")
"""A line's end with the next line's indentation and comment sign, inside a paragraph."""
PHRASES = {
    "who without a noun": r"\b(?:for|to|of|by) who\b",
    "nobody as the subject": r"\bnobody (?:is|has|asks)\b",
    "is told of": r"\bis told of\b",
    "mend": r"\bmend(?:s|ed|ing)?\b",
    "anew": r"\banew\b",
    "a component named after furniture or a body": r"\bthe (?:door|desk|hands|voice)\b",
}
CLAUSE_START = re.compile(
    r"\b(?:Who|What) (?:is|are|was|were|has|have|had|can|cannot|could|may|might|must|will|would"
    r"|shall|should|does|did|do|(?!this\b|its\b)[a-z]{2,}(?:s|ed))\b"
)
SENTENCE_END = re.compile(r"[.!?\u2026](?=[\s\"'\u2019\u201d`)\]<]|$)|\n\s*\n")


@cache
def tracked_texts() -> dict[str, str]:
    """Return all text files that git tracks, by name, but this one."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)  # noqa: S603 - fixed words
    texts = {}
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = ROOT / name
        if not path.is_file() or path.samefile(__file__):
            continue
        content = path.read_bytes()
        if b"\0" not in content:
            texts[name] = content.decode("utf-8")
    return texts


def hits(pattern: str) -> list[str]:
    """Return every place where a pattern stands, also across the end of a line."""
    expression = re.compile(pattern.replace(" ", r"\s+"), re.IGNORECASE)
    return [
        f"{name}: {_excerpt(_paragraphs(text), match)}"
        for name, text in tracked_texts().items()
        for match in expression.finditer(_paragraphs(text))
    ]


@cache
def _paragraphs(text: str) -> str:
    return "\n\n".join(LINE_BREAK.sub(" ", part) for part in re.split(r"\n\s*\n", text))


def _excerpt(text: str, match: re.Match[str]) -> str:
    return text[max(0, match.start() - 30) : match.end() + 50]


def statements_with_question_words(text: str) -> Iterator[str]:
    """Yield the sentences that begin with "Who" or "What" and a verb and do not ask."""
    for match in CLAUSE_START.finditer(text):
        end = SENTENCE_END.search(text, match.end())
        if not end or end.group() != "?":
            yield text[match.start() : end.end() if end else None][:100]


@pytest.mark.process
@pytest.mark.parametrize("pattern", PHRASES.values(), ids=PHRASES)
def test_text_has_no_private_phrase(pattern: str) -> None:
    """A reader never has to guess at a person or a component."""
    assert hits(pattern) == []


@pytest.mark.process
def test_who_and_what_begin_questions_only() -> None:
    """A statement begins with its subject, not with a clause that stands for one."""
    found = [
        f"{name}: {sentence}"
        for name, text in tracked_texts().items()
        for sentence in statements_with_question_words(_paragraphs(text))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("What counts is the end.", 1),
        ("- Who asks too often waits.", 1),
        ("What is shown here?", 0),
        ("What does it do, and who asks?", 0),
        ("What was left out. Is it?", 1),
        ("What a page sends.", 0),
    ],
)
def test_statement_is_told_from_question(text: str, count: int) -> None:
    """The sentence's own end decides."""
    assert len(list(statements_with_question_words(text))) == count


def test_phrase_is_found_across_lines() -> None:
    """A phrase that is broken by the end of a comment's line is found too."""
    assert re.search(PHRASES["who without a noun"], _paragraphs("# for\n# who asks"))
