"""Dropped messages of a kernel are found by their numbers."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

pytest.importorskip("zmq")

from modelarts_magics.keepalive.kernel_channel import KernelMessage
from modelarts_magics.keepalive.message_sequence import Lost, MessageSequence

START = 1_800_000_000.0


def message(
    number: int, *, sent: float = START, kind: str = "stream", parent: str = "execute_request"
) -> KernelMessage:
    """Return a message with a number."""
    date = datetime.fromtimestamp(sent, timezone.utc).isoformat()
    header = {"msg_id": f"a1_77_{number}", "date": date, "msg_type": kind}
    content = {"execution_state": "idle"} if kind == "status" else {}
    parts = (header, {"msg_type": parent}, {}, content)
    return KernelMessage(b"", [json.dumps(part).encode() for part in parts])


def lost_in(numbers: list[int], *, per_second: float = 1000) -> Lost | None:
    """Return what is lost in a series of messages."""
    sequence = MessageSequence()
    for index, number in enumerate(numbers):
        now = START + index / per_second
        sequence.add(message(number, sent=now), now)
    return sequence.take_lost(now, at_once=True)


def test_complete_series_has_lost_nothing() -> None:
    """It may begin with any number."""
    assert lost_in(list(range(5000, 9000))) is None


def test_dropped_messages_are_counted_and_dated() -> None:
    """The times are those of the messages around them."""
    lost = lost_in([*range(1000), *range(1500, 2000)])
    assert lost is not None
    assert lost.messages == 500
    assert lost.since == pytest.approx(START + 0.999)
    assert lost.until == pytest.approx(START + 1.0)


def test_messages_in_another_order_are_not_lost() -> None:
    """Threads of the kernel may overtake each other."""
    numbers = list(range(1000))
    numbers[500:510] = reversed(numbers[500:510])
    assert lost_in(numbers) is None


def test_missing_number_of_a_quiet_kernel_is_a_reply() -> None:
    """A question of ``input()`` also takes a number."""
    assert lost_in([*range(20), *range(25, 40)], per_second=10) is None


def test_replies_during_a_burst_are_not_lost() -> None:
    """Each request on another channel takes a number for its reply."""
    sequence = MessageSequence()
    for number in range(1000):
        sequence.add(message(number), START)
    number = 1000
    for _ in range(10):
        sequence.add(message(number + 1, kind="status", parent="usage_request"), START)
        number += 2
    assert sequence.take_lost(START, at_once=True) is None


def test_late_messages_have_a_second_to_arrive() -> None:
    """Only then are they counted as lost."""
    sequence = MessageSequence()
    for number in (*range(1000), *range(1100, 1200)):
        sequence.add(message(number), START)
    assert sequence.take_lost(START + 0.5) is None
    assert sequence.take_lost(START + 1) is not None
    assert sequence.take_lost(START + 2) is None


@pytest.mark.parametrize("msg_id", ["", "0b1f", "a_b", "c3-d4", 7, None])
def test_kernel_without_numbers_loses_nothing(msg_id: object) -> None:
    """Other kernels have random IDs."""
    parts = ({"msg_id": msg_id}, {}, {}, {})
    sequence = MessageSequence()
    for _ in range(1000):
        sequence.add(KernelMessage(b"", [json.dumps(part).encode() for part in parts]), START)
    assert sequence.take_lost(START, at_once=True) is None
