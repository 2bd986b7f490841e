"""Tests of claims on disk."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from modelarts_magics.keepalive.claims import LIFETIME, Claims

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 28, 10, tzinfo=timezone.utc)
STOP = NOW + timedelta(hours=1)

CLAIM_IN_A_PROCESS = """
import os, sys
from datetime import datetime
from pathlib import Path
from modelarts_magics.keepalive.claims import Claims
claim = Claims(Path(sys.argv[1])).claim(
    "mark", stops_at=datetime.fromisoformat(sys.argv[2]), now=datetime.fromisoformat(sys.argv[3])
)
print(claim and claim.is_repeat, flush=True)
if claim is None:
    sys.exit()
sys.stdin.read()
os._exit(1)
"""


def start_claimer(folder: Path) -> subprocess.Popen[str]:
    """Claim in another process, which then waits with the claim until its input ends, and dies."""
    return subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", CLAIM_IN_A_PROCESS, folder, STOP.isoformat(), NOW.isoformat()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_second_claim_of_a_stop_time_is_refused(tmp_path: Path) -> None:
    """A second act is refused, also to a daemon that was restarted, whose reading differs by seconds."""
    claim = Claims(tmp_path).claim("mark", stops_at=STOP, now=NOW)
    assert claim is not None
    with claim:
        claim.finish("ran")
    again = Claims(tmp_path)
    assert again.claim("mark", stops_at=STOP, now=NOW) is None
    assert again.claim("mark", stops_at=STOP + timedelta(seconds=3), now=NOW) is None


def test_other_stop_time_and_other_name_are_other_claims(tmp_path: Path) -> None:
    """After an extension, and for another mark, there is a claim that is no repeat."""
    claims = Claims(tmp_path)
    for name, stops_at in (
        ("a", STOP),
        ("a", STOP + timedelta(minutes=1)),
        ("b", STOP),
        ("c", None),
    ):
        claim = claims.claim(name, stops_at=stops_at, now=NOW)
        assert claim is not None
        assert not claim.is_repeat


def test_exception_leaves_a_claim_that_is_repeated(tmp_path: Path) -> None:
    """An act that fails in the middle may have happened, so the next claim is marked."""
    claims = Claims(tmp_path)
    first = claims.claim("mark", stops_at=STOP, now=NOW)
    assert first is not None
    with pytest.raises(ZeroDivisionError), first:
        _ = 1 / 0
    second = claims.claim("mark", stops_at=STOP, now=NOW)
    assert second is not None
    assert second.is_repeat


@pytest.mark.parametrize("is_repeat", [False, True])
def test_claim_that_was_given_back_is_as_before(tmp_path: Path, *, is_repeat: bool) -> None:
    """An act that certainly did not happen makes no repeat, and does not undo an earlier unknown outcome."""
    claims = Claims(tmp_path)
    if is_repeat:
        unknown = claims.claim("mark", stops_at=STOP, now=NOW)
        assert unknown is not None
        with unknown:
            pass
    claim = claims.claim("mark", stops_at=STOP, now=NOW)
    assert claim is not None
    with claim:
        claim.give_back()
    following = claims.claim("mark", stops_at=STOP, now=NOW)
    assert following is not None
    assert following.is_repeat is is_repeat


def test_claims_are_forgotten_after_their_lifetime(tmp_path: Path) -> None:
    """The file does not grow for ever."""
    claims = Claims(tmp_path)
    for day in range(20):
        claim = claims.claim(f"{day}", stops_at=None, now=NOW + timedelta(days=day))
        assert claim is not None
        claim.finish("ran")
    size = (tmp_path / "claims.json").stat().st_size
    assert size < (LIFETIME.days + 1) * 300


def test_one_of_many_threads_gets_the_claim(tmp_path: Path) -> None:
    """Threads of one process exclude each other, each with its own object."""
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(lambda _: Claims(tmp_path).claim("mark", stops_at=STOP, now=NOW), range(24))
        )
    assert sum(claim is not None for claim in found) == 1


@pytest.mark.process
def test_killed_process_leaves_a_claim_that_is_repeated(tmp_path: Path) -> None:
    """While the process lives, no other process gets its claim; when it was killed, the outcome is unknown."""
    with start_claimer(tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "False\n"
        assert Claims(tmp_path).claim("mark", stops_at=STOP, now=NOW) is None
        process.kill()
        process.wait(timeout=60)
    claim = Claims(tmp_path).claim("mark", stops_at=STOP, now=NOW)
    assert claim is not None
    assert claim.is_repeat


@pytest.mark.process
def test_one_of_several_processes_gets_the_claim(tmp_path: Path) -> None:
    """Processes that claim at the same moment exclude each other."""
    processes = [start_claimer(tmp_path) for _ in range(4)]
    try:
        answers = [each.stdout.readline() for each in processes if each.stdout]
    finally:
        for each in processes:
            each.communicate()
    assert sorted(answers) == ["False\n", "None\n", "None\n", "None\n"]
