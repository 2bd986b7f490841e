"""Record a cell of a real kernel: no line is lost, and the recorder uses little of a processor."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from background import repeated
from factories import NOW
from kernel_session import KernelSession
from record_fixtures import FinishedProcess, gaps_of, text_of

from modelarts_magics.domain.clock import wait_until
from modelarts_magics.keepalive.components import ComponentContext
from modelarts_magics.keepalive.guards import CELL, Guard
from modelarts_magics.keepalive.recorder import DETAIL, Recorder
from modelarts_magics.keepalive.records import Record, find_record, list_records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.process

PREPARE = """
import json, os, pathlib
from modelarts_magics.kernel.recorded_cell import recording_of_cell, wait_until_recorded
folder = pathlib.Path({folder!r})
def begin():
    recording = recording_of_cell(get_ipython(), "code", folder=folder / "records")
    (folder / "request.new").write_text(json.dumps(recording))
    (folder / "request.new").rename(folder / "request.json")
    print("recorded", wait_until_recorded(get_ipython(), recording, timeout_s=30))
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KernelSession]:
    """Return a kernel."""
    made = KernelSession({"HOME": str(tmp_path_factory.mktemp("home"))})
    yield made
    made.close()


@contextmanager
def recorder_for(folder: Path) -> Iterator[None]:
    """Record the cell that writes a request into the folder; the guard lasts as long as the block."""
    recorder = Recorder(ComponentContext(folder, {}), start_process=lambda _: FinishedProcess())
    request = folder / "request.json"
    guards: list[Guard] = []

    def update() -> None:
        if not guards and request.exists():
            details = {DETAIL: json.loads(request.read_text())}
            guards.append(Guard("cell", CELL, 1, NOW, NOW, details=details))
        recorder.update(guards, NOW)

    def has_ended() -> bool:
        recorder.update([], NOW)
        return not recorder.working()

    try:
        with repeated(update, interval_s=0.02):
            yield
        wait_until(has_ended, timeout_s=10)
    finally:
        recorder.close()


def record_cell(kernel: KernelSession, folder: Path, code: str) -> Record:
    """Run a recorded cell and return its record."""
    folder.mkdir(exist_ok=True)
    kernel.run(PREPARE.format(folder=str(folder)))
    with recorder_for(folder):
        kernel.run(f"begin()\n{code}")
    (record,) = list_records(folder / "records")
    return record


def test_no_line_of_a_real_cell_is_lost(kernel: KernelSession, tmp_path: Path) -> None:
    """From the first line to the result, without a gap."""
    code = "for i in range(2000): print('line', i, flush=i % 10 == 0)\nprint('没有丢失')\n6 * 7"
    record = record_cell(kernel, tmp_path, code)
    lines = text_of(record).splitlines()
    assert lines[0] == "recorded True"
    assert lines[1:-1] == [f"line {number}" for number in range(2000)]
    assert lines[-1] == "没有丢失"
    assert gaps_of(record) == []
    assert record.ended_at is not None
    assert record.lines == 2002


def test_failed_cell_is_recorded_with_its_error(kernel: KernelSession, tmp_path: Path) -> None:
    """The traceback is the last output."""
    record = record_cell(kernel, tmp_path, "print('before')\n1 / 0")
    found = find_record(tmp_path / "records", record.id)
    assert found is not None
    last = record.path.read_text(encoding="utf-8").splitlines()[-1]
    assert json.loads(last)["type"] == "error"


def test_cell_runs_without_a_recorder(kernel: KernelSession, tmp_path: Path) -> None:
    """It waits for a while, and then goes on."""
    kernel.run(PREPARE.format(folder=str(tmp_path)))
    code = """
recording = recording_of_cell(get_ipython(), "code", folder=folder)
print(wait_until_recorded(get_ipython(), recording, timeout_s=0.1))
"""
    assert "False" in kernel.run(code)[1]


@pytest.mark.soak
def test_flood_of_output_is_recorded_in_part(kernel: KernelSession, tmp_path: Path) -> None:
    """Of 100 MB the head and the tail are kept; lines that the kernel dropped are noted."""
    code = "for i in range(10_000): sys.stdout.write('x' * 9_999 + '\\n'); sys.stdout.flush()"
    record = record_cell(kernel, tmp_path, f"import sys\n{code}")
    gaps = gaps_of(record)
    dropped = sum(int(str(gap["messages"])) for gap in gaps if gap["reason"] == "publisher")
    assert [gap["reason"] for gap in gaps].count("limit") == 1
    assert 0 <= record.lines + dropped - 10_001 <= 10_001 - record.lines
    assert record.path.stat().st_size <= 50_000_000
