"""The recorder of guarded cells, with a kernel in the process of the test."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from factories import NOW
from keepalive.fake_kernel import FakeKernel
from record_fixtures import FinishedProcess, gaps_of, text_of
from waiting import wait_until

from modelarts_magics.keepalive.components import ComponentContext
from modelarts_magics.keepalive.guards import CELL, Guard
from modelarts_magics.keepalive.notebook import recorded_outputs
from modelarts_magics.keepalive.recorder import DETAIL, Recorder, RecordingRequest
from modelarts_magics.keepalive.records import Record, find_record, new_record_id, read_entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CELL_ID = "request-of-the-cell"


class Recording:
    """A recorder with one guarded cell of a fake kernel."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "records"
        self.kernel = FakeKernel(folder / "kernel.json")
        self.commands: list[Sequence[str]] = []
        self.context = ComponentContext(folder, {})
        self.recorder = self._make_recorder()
        self.guard = self._make_guard()
        self.guards: list[Guard] = [self.guard]

    def start(self) -> None:
        """Begin, and let the cell send its status until messages arrive."""
        self.update()
        self.kernel.wait_for_subscription()
        wait_until(self._is_attached, self._announce)

    def output(self, message_type: str, parent: str = CELL_ID, **content: Any) -> None:  # noqa: ANN401
        """Publish an output of a cell."""
        self.kernel.publish(message_type, content, {"msg_id": parent})

    def end_cell(self) -> None:
        """End the guard, then the cell."""
        self.guards.clear()
        self.update()
        self.kernel.status("idle", CELL_ID)

    def restart_recorder(self) -> None:
        """Replace the recorder, as after the daemon was killed."""
        self.recorder.close()
        self.recorder = self._make_recorder()
        self.update()
        self.kernel.wait_for_subscription()

    def update(self) -> None:
        """Make a pass of the daemon."""
        self.recorder.update(self.guards, NOW)

    def wait_for_end(self) -> Record:
        """Wait until the record is complete and its notebook was ordered, and return its index."""
        wait_until(lambda: self.record().ended_at is not None, self.update)
        # The record is complete on disk a moment before the recorder knows it. A real process that writes the
        # notebook takes long on a busy machine, so that it has a time limit of its own.
        wait_until(lambda: not self.recorder.working(), self.update)
        return self.record()

    def record(self) -> Record:
        """Return the index on disk."""
        found = self.find_record()
        assert found is not None
        return found

    def find_record(self) -> Record | None:
        """Return the index on disk; None before the record exists."""
        return find_record(self.folder, self.guard.details[DETAIL]["id"])

    def close(self) -> None:
        """Release everything."""
        self.recorder.close()
        self.kernel.close()

    def _announce(self) -> None:
        self.kernel.status("busy", CELL_ID)

    def _is_attached(self) -> bool:
        found = self.find_record()
        return found is not None and bool(found.details.get("attached"))

    def _make_recorder(self) -> Recorder:
        return Recorder(self.context, start_process=self._start_process)

    def _start_process(self, command: Sequence[str]) -> Any:  # noqa: ANN401 - a process
        self.commands.append(command)
        return FinishedProcess()

    def _make_guard(self) -> Guard:
        details = {
            "id": new_record_id(),
            "folder": str(self.folder),
            "connection_file": str(self.kernel.path),
            "parent_id": CELL_ID,
            "code": "train()",
            "started": NOW.timestamp(),
            "cell_id": "abc",
            "language": "en",
        }
        until = NOW + timedelta(hours=8)
        return Guard("train", CELL, 1, NOW, until, details={DETAIL: details})


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    """Return a recording that has not begun."""
    made = Recording(tmp_path)
    yield made
    made.close()


def test_every_output_of_the_cell_is_recorded(recording: Recording) -> None:
    """Outputs of other cells, comm messages and the status are not."""
    recording.start()
    recording.output("stream", name="stdout", text="one\n")
    recording.output("stream", parent="another", name="stdout", text="not mine\n")
    recording.output("comm_msg", data={})
    recording.output("display_data", data={"text/plain": "d"}, metadata={})
    recording.output("clear_output", wait=True)
    recording.output("error", ename="E", evalue="v", traceback=[])
    recording.end_cell()
    record = recording.wait_for_end()
    kinds = [entry["type"] for entry in read_entries(record)]
    assert kinds == ["start", "stream", "display_data", "clear_output", "error"]
    assert text_of(record) == "one\n"
    assert next(read_entries(record))["content"] == {"code": "train()"}
    assert gaps_of(record) == []
    assert record.name == "train"
    assert record.details["cell_id"] == "abc"


@pytest.mark.parametrize("prints", [True, False], ids=["prints", "silent"])
def test_cell_that_runs_already_is_recorded_from_then_on(
    recording: Recording, *, prints: bool
) -> None:
    """The record begins with the note that what came before is missing; the next cell is not in it."""
    cell = {"msg_id": "of the user", "msg_type": "execute_request"}
    recording.guard.details[DETAIL].update(parent_id="", code="")  # type: ignore[index]
    recording.update()
    recording.kernel.wait_for_subscription()
    wait_until(lambda: recording.find_record() is not None, recording.update)
    recording.output("stream", parent="of a widget", name="stdout", text="not mine\n")
    if prints:
        recording.kernel.publish("stream", {"name": "stdout", "text": "late\n"}, cell)
        recording.kernel.publish("status", {"execution_state": "idle"}, cell)
    following = {"msg_id": "the next", "msg_type": "execute_request"}
    recording.kernel.publish("status", {"execution_state": "busy"}, following)
    recording.kernel.publish("stream", {"name": "stdout", "text": "next cell\n"}, following)
    recording.guards.clear()
    record = recording.wait_for_end()
    assert text_of(record) == ("late\n" if prints else "")
    (gap,) = gaps_of(record)
    assert (gap["reason"], gap["since"]) == ("late", NOW.timestamp())
    note = recorded_outputs(record)[0]["text"]
    assert "is missing here: the recording began while the cell ran" in note


def test_output_is_on_disk_while_the_cell_runs(recording: Recording) -> None:
    """A killed daemon loses nothing that had arrived."""
    recording.start()
    recording.output("stream", name="stdout", text="one\n")
    wait_until(lambda: text_of(recording.record()) == "one\n")


def test_record_ends_with_the_kernel_message_not_with_the_guard(recording: Recording) -> None:
    """The last output arrives after the guard has ended."""
    recording.start()
    recording.guards.clear()
    recording.update()
    recording.output("execute_result", data={"text/plain": "42"}, metadata={}, execution_count=1)
    assert recording.recorder.working() == ["the record of train"]
    recording.kernel.status("idle", CELL_ID)
    record = recording.wait_for_end()
    assert [entry["type"] for entry in read_entries(record)] == ["start", "execute_result"]
    assert recording.recorder.working() == []


def test_killed_kernel_ends_the_record(recording: Recording) -> None:
    """It has everything that was published before."""
    recording.start()
    recording.output("stream", name="stdout", text="last words\n")
    recording.kernel.end()
    recording.guards.clear()
    assert text_of(recording.wait_for_end()) == "last words\n"


def test_notebook_is_written_at_the_end_once(recording: Recording) -> None:
    """A process of its own does it."""
    recording.start()
    recording.end_cell()
    record = recording.wait_for_end()
    recording.update()
    expected = ["-m", "modelarts_magics.keepalive.notebook", str(record.index_path)]
    assert recording.commands == [expected]


def test_end_of_the_daemon_completes_a_record(recording: Recording) -> None:
    """The guard is gone, so that no other daemon would do it."""
    recording.start()
    recording.guards.clear()
    recording.update()
    recording.recorder.close()
    assert recording.record().ended_at is not None
    assert len(recording.commands) == 1


def test_notebook_is_ordered_by_a_daemon_that_ends(recording: Recording) -> None:
    """The next daemon leaves a complete record alone."""
    recording.start()
    recording.kernel.status("idle", CELL_ID)
    wait_until(lambda: recording.record().ended_at is not None)
    recording.recorder.close()
    assert len(recording.commands) == 1


def test_restarted_daemon_continues_the_record(recording: Recording) -> None:
    """The time without a daemon is noted, and nothing is recorded twice."""
    recording.start()
    recording.output("stream", name="stdout", text="before\n")
    wait_until(lambda: text_of(recording.record()) == "before\n")
    recording.recorder.close()
    recording.output("stream", name="stdout", text="missed\n")
    recording.restart_recorder()
    wait_until(lambda: len(gaps_of(recording.record())) == 1)
    recording.output("stream", name="stdout", text="after\n")
    recording.end_cell()
    record = recording.wait_for_end()
    assert text_of(record) == "before\nafter\n"
    (gap,) = gaps_of(record)
    assert gap["reason"] == "daemon"
    assert 0 <= gap["until"] - gap["since"] < 20
    assert record.lines == 2


def test_late_start_is_noted(recording: Recording) -> None:
    """Output that came before the first message of the cell may be missing."""
    recording.update()
    recording.kernel.wait_for_subscription()
    wait_until(lambda: recording.find_record() is not None)
    wait_until(
        lambda: gaps_of(recording.record()) != [],
        lambda: recording.output("stream", name="stdout", text="x\n"),
    )
    (gap,) = gaps_of(recording.record())
    assert (gap["reason"], gap["since"]) == ("attached", NOW.timestamp())


def test_guard_without_recording_is_left_alone(recording: Recording) -> None:
    """With ``--no-record`` there is neither a record nor a thread."""
    recording.guards[:] = [Guard("x", CELL, 1, NOW, NOW + timedelta(hours=1))]
    recording.update()
    assert not recording.folder.exists()
    assert recording.recorder.working() == []


def test_missing_connection_file_fails_one_recording(recording: Recording) -> None:
    """The record says when it ended, and other recordings go on."""
    recording.kernel.path.unlink()
    recording.update()
    wait_until(lambda: recording.find_record() is not None)
    assert recording.wait_for_end().lines == 0


def test_recorded_cell_that_has_ended_is_not_recorded_again(recording: Recording) -> None:
    """A guard may last longer than its cell, also under the next daemon."""
    recording.start()
    recording.output("stream", name="stdout", text="one\n")
    recording.kernel.status("idle", CELL_ID)
    before = recording.wait_for_end()
    recording.recorder.close()
    recording.recorder = Recorder(recording.context)
    recording.update()
    recording.guards.clear()
    recording.update()
    wait_until(lambda: recording.recorder.working() == [], recording.update)
    assert recording.record() == before


@pytest.mark.process
def test_notebook_process_works_for_real(recording: Recording) -> None:
    """The notebook has the output of the cell, and its code."""
    recording.recorder = Recorder(recording.context)
    recording.start()
    recording.output("stream", name="stdout", text="10%\r100%\n")
    recording.end_cell()
    record = recording.wait_for_end()
    cell = json.loads(record.notebook_path.read_text(encoding="utf-8"))["cells"][1]
    assert cell["source"] == "train()"
    assert cell["outputs"] == [{"output_type": "stream", "name": "stdout", "text": "100%\n"}]
    assert recording.record().details["shown_length"] == 5


def test_recording_of_a_newer_version_is_begun() -> None:
    """A kernel that has loaded a newer version may name more values than this daemon knows."""
    values = {"id": "a", "folder": "f", "connection_file": "c", "parent_id": "p", "code": ""}
    details = {DETAIL: {**values, "started": 0.0, "mood": "new"}}
    guard = Guard("cell-1", CELL, 1, NOW, NOW, details=details)
    assert RecordingRequest.of(guard) == RecordingRequest(**values, started=0.0)
    incomplete = Guard("cell-1", CELL, 1, NOW, NOW, details={DETAIL: {"id": "a"}})
    assert RecordingRequest.of(incomplete) is None
