"""Record the output of guarded cells, in a thread of the daemon.

The recorder subscribes to everything that the kernel publishes, so nothing is lost while no page is open. At the
end of a cell a process of its own writes a notebook from the record.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from modelarts_magics import messages
from modelarts_magics.keepalive.message_sequence import MessageSequence
from modelarts_magics.keepalive.record_writer import RecordWriter
from modelarts_magics.keepalive.records import CELL, Record, find_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    import zmq

    from modelarts_magics.keepalive.components import ComponentContext
    from modelarts_magics.keepalive.guards import Guard
    from modelarts_magics.keepalive.kernel_channel import KernelChannel, KernelMessage

    StartProcess = Callable[[Sequence[str]], "subprocess.Popen[bytes]"]

_LOG = logging.getLogger(__name__)
DETAIL = "recording"
"""The entry of `Guard.details` with a `RecordingRequest`; a guard without it is not recorded."""
ATTACHED = "attached"
"""The detail of a record that is set once messages of the cell arrive."""
OUTPUT_TYPES = frozenset(
    (
        "stream",
        "display_data",
        "update_display_data",
        "execute_result",
        "error",
        "clear_output",
    )
)
END_TIMEOUT_S = 3.0
"""How long to wait, after the end of a guard, for the kernel's message that the cell has ended."""
RECEIVE_LIMIT = 50_000
"""The number of messages that are kept while the thread is busy, besides those that the kernel keeps."""
_ALIVE_INTERVAL_S = 5.0
_POLL_MS = 1000
_MESSAGES_AT_ONCE = 100
_COLLECT_S = 0.1


@dataclass(frozen=True)
class RecordingRequest:
    """The recording that a guard asks for; the values of its `DETAIL`.

    Attributes:
        id: The ID of the record.
        folder: The folder of the records.
        connection_file: The connection file of the kernel.
        parent_id: The ID of the request whose outputs are recorded; "" for that of the cell that runs.
        code: The code of the cell; "" if it is unknown.
        started: When the cell began, or from when on the cell that runs is recorded, in seconds since 1970.
        cell_id: The ID of the cell; "" if it is unknown.
        language: The language of notes in the record.
    """

    id: str
    folder: str
    connection_file: str
    parent_id: str
    code: str
    started: float
    cell_id: str = ""
    language: str = ""

    @classmethod
    def of(cls, guard: Guard) -> RecordingRequest | None:
        """Return the request of a guard; None if it asks for no recording."""
        values = guard.details.get(DETAIL)
        if not isinstance(values, dict):
            return None
        # A kernel may have loaded a newer version, which knows more.
        known = {each.name: values[each.name] for each in fields(cls) if each.name in values}
        try:
            return cls(**known)
        except TypeError:
            _LOG.warning("A recording cannot be begun: its guard names only %s", sorted(values))
            return None


class Recorder:
    """The component of the daemon that records.

    Args:
        context: The environment of the component.
        start_process: Starts the process that writes a notebook; replaced in tests.
    """

    def __init__(
        self, context: ComponentContext, *, start_process: StartProcess | None = None
    ) -> None:
        self._environ = context.environ
        self._start_process = start_process or self._start_python
        self._recordings: dict[str, CellRecording] = {}
        self._thread: _RecordingThread | None = None
        self._processes: list[tuple[str, subprocess.Popen[bytes]]] = []

    def update(self, guards: Sequence[Guard], now: datetime) -> None:  # noqa: ARG002 - the interface
        """Begin the recordings of new guards, and finish those of guards that have ended."""
        current = {guard.id: guard for guard in guards}
        for guard in guards:
            request = RecordingRequest.of(guard)
            if request is not None and guard.id not in self._recordings:
                self._begin(guard, request)
        for guard_id, recording in list(self._recordings.items()):
            if guard_id not in current:
                recording.guard_ended()
            # Read once: the thread sets it at any moment.
            if recording.is_closed:
                self._order_notebook(recording)
                if guard_id not in current:
                    del self._recordings[guard_id]
        self._reap()
        if not self._recordings:
            self.close()

    def working(self) -> list[str]:
        """Return which records are being finished; the instance is not stopped before."""
        names = [each.name for each in self._recordings.values() if each.is_ending]
        names += [name for name, _ in self._processes]
        return [messages.text("record.writing", name=name) for name in names]

    def close(self) -> None:
        """End the recordings; the record of a cell that is still guarded is continued by the next daemon."""
        if self._thread is not None:
            self._thread.stop()
            self._thread = None
        for recording in self._recordings.values():
            if recording.is_closed:
                self._order_notebook(recording)

    def _begin(self, guard: Guard, request: RecordingRequest) -> None:
        recording = CellRecording(guard.name, request)
        self._recordings[guard.id] = recording
        if self._thread is None:
            self._thread = _RecordingThread()
        self._thread.add(recording)

    def _order_notebook(self, recording: CellRecording) -> None:
        """Start the process that writes the notebook of a complete record, once."""
        if recording.take_notebook():
            record = recording.record
            command = ["-m", "modelarts_magics.keepalive.notebook", str(record.index_path)]
            self._processes.append((record.name, self._start_process(command)))

    def _start_python(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, *arguments],
            env=dict(self._environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _reap(self) -> None:
        self._processes = [each for each in self._processes if each[1].poll() is None]


class CellRecording:
    """The recording of one cell, used by the thread; the daemon only reads its flags.

    Args:
        name: The name of the guard.
        request: The recording.
        clock: Returns the time in seconds since 1970.

    Attributes:
        name: The name of the guard.
        channel: The subscription; None before `open`.
        received: The number of messages of the last step.
        is_closed: Whether the record is complete.
    """

    def __init__(
        self, name: str, request: RecordingRequest, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._request = request
        self._clock = clock
        self._parent_id = json.dumps(request.parent_id).encode() if request.parent_id else None
        self._writer: RecordWriter | None = None
        self._sequence = MessageSequence()
        self._gap_since: float | None = None
        self._is_attached = False
        self._guard_ended_at: float | None = None
        self._alive_at = 0.0
        self._needs_notebook = True
        self.name = name
        self.channel: KernelChannel | None = None
        self.received = 0
        self.is_closed = False

    @property
    def record(self) -> Record:
        """The index of the record as it is now."""
        if self._writer is None:
            raise AssertionError
        return self._writer.record

    @property
    def is_ending(self) -> bool:
        """Whether the guard has ended; the recorder forgets the recording when it is complete."""
        return self._guard_ended_at is not None

    def take_notebook(self) -> bool:
        """Return once whether the notebook has to be written."""
        needs, self._needs_notebook = self._needs_notebook, False
        return needs and self._writer is not None

    def guard_ended(self) -> None:
        """Expect the end of the cell."""
        if self._guard_ended_at is None:
            self._guard_ended_at = self._clock()

    def open(self) -> None:
        """Create or continue the record, and subscribe to the kernel.

        Raises:
            OSError: The connection file cannot be read.
            ValueError: It is none.
        """
        # pyzmq is loaded by a daemon that records, and by no other.
        from modelarts_magics.keepalive.kernel_channel import KernelChannel, KernelConnection  # noqa: PLC0415

        existing = find_record(Path(self._request.folder), self._request.id)
        # The guard of a cell that was guarded while it ran may last a little longer than the cell.
        if existing is not None and existing.ended_at is not None:
            self.end()
            return
        self._writer = self._open_record(existing)
        connection = KernelConnection.read(Path(self._request.connection_file))
        self.channel = KernelChannel(connection, max_waiting=RECEIVE_LIMIT)

    def step(self) -> None:
        """Record the messages that have arrived, and end the record if the cell has ended."""
        self.received = 0
        writer, channel = self._writer, self.channel
        if writer is None or channel is None or self.is_closed:
            return
        # Messages that arrived before the end of the connection are recorded first.
        is_over = channel.is_lost or self._has_timed_out()
        received = channel.receive_all(_MESSAGES_AT_ONCE)
        self.received = len(received)
        with writer.batch():
            for message in received:
                self._take(message, writer)
                if self.is_closed:
                    return
        if self._gap_since is not None and channel.is_connected:
            self._end_gap(writer)
        self._note_lost(writer)
        self._stay_alive(writer)
        if is_over and not received:
            self._finish(writer)

    def stop(self) -> None:
        """Stop recording; end the record if its guard has ended, which the next daemon could not know."""
        self.step()
        if self.is_ending:
            self.end()
        else:
            self._disconnect()

    def end(self) -> None:
        """End the record now, for example after an error."""
        if self._writer is not None:
            self._finish(self._writer)
        else:
            self._needs_notebook = False
            self.is_closed = True

    def _open_record(self, existing: Record | None) -> RecordWriter:
        request = self._request
        if existing is not None:
            self._is_attached = bool(existing.details.get(ATTACHED))
            if self._is_attached:
                # Before it is written again.
                self._gap_since = existing.written_at().timestamp()
            return RecordWriter(existing, clock=self._clock)
        started_at = datetime.fromtimestamp(request.started, timezone.utc)
        details = {"cell_id": request.cell_id, "language": request.language}
        folder = Path(request.folder)
        record = Record(request.id, self.name, CELL, folder, started_at, details=details)
        writer = RecordWriter(record, clock=self._clock)
        writer.add_entry("start", {"code": request.code})
        if not request.parent_id:
            writer.add_gap("late", request.started, self._clock())
        return writer

    def _take(self, message: KernelMessage, writer: RecordWriter) -> None:
        self._sequence.add(message, self._clock())
        if self._parent_id is None:
            self._parent_id = _cell_of(message)
        # Decoding the header of every message would take time.
        if self._parent_id is None or self._parent_id not in message.raw_parent_header:
            return
        kind = message.type
        self._end_gap(writer)
        if not self._is_attached:
            is_announced = kind == "status" and b'"busy"' in message.raw_content
            if is_announced and not self._request.parent_id:
                # The next cell begins: the one that ran has ended without a word.
                self._finish(writer)
                return
            self._attach(writer, has_begun=not is_announced)
        if kind in OUTPUT_TYPES:
            writer.add_message(kind, message.raw_content)
        elif kind == "status" and message.content.get("execution_state") == "idle":
            self._note_lost(writer, is_end=True)
            self._finish(writer)

    def _attach(self, writer: RecordWriter, *, has_begun: bool) -> None:
        """Note from when on the cell is recorded; before its first line, the cell sends its status for this."""
        # The record of a cell that ran already begins with a note about what is missing.
        if has_begun and self._request.parent_id:
            writer.add_gap("attached", self._request.started, self._clock())
        self._is_attached = True
        writer.set_details(**{ATTACHED: True})

    def _end_gap(self, writer: RecordWriter) -> None:
        """Note the time without a daemon, if there was one."""
        if self._gap_since is not None:
            writer.add_gap("daemon", self._gap_since, self._clock())
        self._gap_since = None

    def _note_lost(self, writer: RecordWriter, *, is_end: bool = False) -> None:
        lost = self._sequence.take_lost(self._clock(), at_once=is_end)
        if lost is not None:
            writer.add_gap("publisher", lost.since, lost.until, messages=lost.messages)

    def _stay_alive(self, writer: RecordWriter) -> None:
        """Keep the index up to date, and show how long this process was alive."""
        writer.save_index_if_due()
        now = self._clock()
        if not 0 <= now - self._alive_at < _ALIVE_INTERVAL_S:
            self._alive_at = now
            try:
                os.utime(writer.record.index_path)
            except OSError:
                _LOG.debug("The index of a record is not there")

    def _has_timed_out(self) -> bool:
        ended = self._guard_ended_at
        return ended is not None and self._clock() - ended > END_TIMEOUT_S

    def _disconnect(self) -> None:
        if self.channel is not None:
            self.channel.close()

    def _finish(self, writer: RecordWriter) -> None:
        self._end_gap(writer)
        self._disconnect()
        writer.close()
        self.is_closed = True


def _cell_of(message: KernelMessage) -> bytes | None:
    """Return the ID, in JSON, of the cell that a message belongs to; None if it belongs to none."""
    parent = message.parent_header
    is_cell = parent.get("msg_type") == "execute_request"
    return json.dumps(parent.get("msg_id")).encode() if is_cell else None


class _RecordingThread:
    """The thread that receives the messages of all recordings."""

    def __init__(self) -> None:
        self._new: queue.SimpleQueue[CellRecording] = queue.SimpleQueue()
        self._is_stopping = False
        self._wake_reader, self._wake_writer = os.pipe()
        self._thread = threading.Thread(target=self._run, name="modelarts-recorder", daemon=True)
        self._thread.start()

    def add(self, recording: CellRecording) -> None:
        """Begin a recording."""
        self._new.put(recording)
        os.write(self._wake_writer, b"+")

    def stop(self) -> None:
        """End the thread and all recordings."""
        self._is_stopping = True
        os.write(self._wake_writer, b"-")
        self._thread.join()
        os.close(self._wake_writer)
        os.close(self._wake_reader)

    def _run(self) -> None:
        recordings: list[CellRecording] = []
        while not self._is_stopping:
            self._wait([each.channel.socket for each in recordings if each.channel])
            while not self._new.empty():
                recordings.append(self._new.get())
                _attempt(recordings[-1], recordings[-1].open)
            for each in recordings:
                _attempt(each, each.step)
            recordings = [each for each in recordings if not each.is_closed]
            # Taking each message as it comes would cost twice the time of taking some at once.
            if any(0 < each.received < _MESSAGES_AT_ONCE for each in recordings):
                time.sleep(_COLLECT_S)
        for each in recordings:
            _attempt(each, each.stop)

    def _wait(self, sockets: Sequence[zmq.Socket[bytes]]) -> None:
        """Wait until a message has arrived or this thread is woken, at most a second."""
        import zmq  # noqa: PLC0415 - loaded by a daemon that records, and by no other

        poller = zmq.Poller()
        for source in (self._wake_reader, *sockets):
            poller.register(source, zmq.POLLIN)
        if any(source == self._wake_reader for source, _ in poller.poll(_POLL_MS)):
            os.read(self._wake_reader, 1)


def _attempt(recording: CellRecording, call: Callable[[], None]) -> None:
    """Call a step of a recording; an error ends this recording and no other."""
    try:
        call()
    # A kernel may send anything.
    except Exception as error:  # noqa: BLE001 - see above
        _LOG.exception("A recording has failed: %s", error)
        recording.end()
