"""Which requests may change the instance."""

from __future__ import annotations

import pytest

from modelarts_magics.commands.parser import parse_line
from modelarts_magics.commands.writes import interrupt_message_code, may_write


@pytest.mark.parametrize(
    ("line", "writes"),
    [
        ("", False),
        ("status", False),
        ("doctor", False),
        ("describe", False),
        ("describe --json", False),
        ("describe new", True),
        ("describe --clear", True),
        ("describe --from note", True),
        ("auto-stop", False),
        ("auto-stop --json", False),
        ("auto-stop 2h", True),
        ("auto-stop --no-remind", True),
        ("extend", True),
        ("shorten 10m", True),
        ("stop", True),
    ],
)
def test_only_what_writes_is_said_to(line: str, writes: bool) -> None:
    """An interrupted look sent no change."""
    request = parse_line(line)
    assert may_write(request) is writes
    assert interrupt_message_code(request).endswith(".write") is writes


def test_what_was_not_read_yet_sent_nothing() -> None:
    """An interrupt may come before the words are known."""
    assert interrupt_message_code(None) == "cli.interrupted"
