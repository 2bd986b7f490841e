"""Write a record, entry by entry as output arrives.

The first 20 MB go to the file of the record. The rest goes to files of 5 MB, of which the last five are kept, so
that a record has at most 50 MB; at the end they are appended to the first file. A killed process loses nothing
that it has written.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from modelarts_magics.keepalive.records import Record, prune, read_entries, save_index

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    _Bytes = bytes | memoryview

RECORD_LIMIT = 50_000_000
"""The largest size of a record, in bytes."""
INDEX_INTERVAL_S = 2.0
"""Seconds between two updates of the index while output arrives."""
RETRY_INTERVAL_S = 1.0
"""Seconds after a failed write until the next attempt."""
MAX_TEXT = 1_000_000
"""The number of characters of one entry; a longer text is written as several entries."""
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
_PLAIN = bytes(range(0x20, 0x7F)) + b"\n"
_STREAM_START = re.compile(rb'\{"name": ?"(\w+)", ?"text": ?"')
_STREAM_END = b'"}'
_FEW_LINES = 30
_MERGED_SIZE = 100000
"""The size of an entry up to which the texts of a stream that arrive together are put into one."""
_POSITION_SIZE = 200
"""More than an entry with the counts needs."""


class Limits(NamedTuple):
    """The sizes of the files of a record, in bytes.

    Attributes:
        head: The largest size of the first file until the end of the recording.
        tail: The largest size of each file that continues it.
        tail_files: The number of these files.
    """

    head: int = 20_000_000
    tail: int = 5_000_000
    # The files are joined one by one, so one of them exists twice for a moment.
    tail_files: int = (RECORD_LIMIT - 20_000_000) // 5_000_000 - 1


class RecordWriter:
    """The writer of one record; it never raises an error for a disk that is full.

    Args:
        record: The record. If its file exists, it is continued.
        limits: The sizes of the files.
        clock: Returns the time in seconds since 1970.

    Attributes:
        problem: The reason why the last write failed; "" after a successful write.
    """

    def __init__(
        self,
        record: Record,
        *,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._record = record.with_own_process()
        self.problem = ""
        self._limits = limits or Limits()
        self._clock = clock
        self._descriptor: int | None = None
        self._tail_number = 0
        self._number = 0
        self._total = _Counts()
        self._missed_size = 0
        self._gaps = 0
        self._file_size = 0
        self._missed_since: float | None = None
        self._missed = _Counts()
        self._failed_at = 0.0
        self._index_saved = 0.0
        self._saved_size = 0
        self._open_lines: set[str] = set()
        self._batch: _Batch | None = None
        self._texts = _Texts()
        self._continue()
        prune(record.folder)
        self.save_index()

    @property
    def record(self) -> Record:
        """The current index of the record."""
        lines, size = self._total
        return replace(self._record, lines=lines, size=size, missed=self._missed_size)

    @contextlib.contextmanager
    def batch(self) -> Iterator[None]:
        """Write the entries of a block together, which takes less time than writing each."""
        self._batch = _Batch()
        try:
            yield
        finally:
            self._write_batch()
            self._batch = None

    def add_text(self, stream: str, data: bytes) -> None:
        """Append the output of a command; a byte that is not UTF-8 is recorded as an escape sequence.

        Args:
            stream: ``stdout`` or ``stderr``.
            data: The bytes, with whole characters.
        """
        if not data:
            return
        self._add_texts()
        content = b'{"name":"%s","text":%s}' % (stream.encode(), _encode_text(data))
        lines = self._count_lines(stream, data.count(b"\n"), is_ended=data.endswith(b"\n"))
        self._add("stream", content, _Counts(lines, len(data)))

    def add_message(self, message_type: str, content: bytes) -> None:
        """Append a message of a kernel.

        Args:
            message_type: For example ``stream`` or ``display_data``.
            content: The content of the message in JSON.
        """
        if message_type == "stream" and self._add_plain_text(content):
            return
        # Lines are counted in order.
        self._add_texts()
        try:
            decoded = json.loads(content)
        # A kernel may have sent an unpaired surrogate.
        except UnicodeDecodeError:
            content = content.decode("utf-8", "replace").encode()
            decoded = json.loads(content)
        if message_type != "stream":
            self._add(message_type, content, _Counts(0, len(content)))
            return
        name, text = str(decoded["name"]), str(decoded["text"])
        if len(content) <= MAX_TEXT:
            self._add("stream", content, self._count_text(name, text))
            return
        for raw, piece in _split_stream(content, name, text):
            self._add("stream", raw, self._count_text(name, piece))

    def _add_plain_text(self, content: bytes) -> bool:
        """Append a plain text of few lines; return whether it is one.

        It is not decoded, and in a batch it becomes one entry with its neighbors: both take longer than all the
        rest. It ends with the first quotation mark, so it has no escape sequence for one, and no key follows it.
        """
        start = _STREAM_START.match(content)
        end = len(content) - len(_STREAM_END)
        if start is None or not start.end() < content.find(b'"', start.end()) == end:
            return False
        newlines = _count_newlines(content, start.end())
        if newlines is None or end > MAX_TEXT or b"\n" in content or not content.isascii():
            return False
        texts, size = self._texts, end - start.end()
        if texts.start != start[0] or texts.size + size > _MERGED_SIZE:
            self._add_texts()
            texts = self._texts = _Texts(start[0], start[1].decode())
        texts.parts.append(memoryview(content)[start.end() : end])
        texts.size += size
        texts.newlines += newlines
        texts.is_ended = content.endswith(b'\\n"}')
        if self._batch is None:
            self._add_texts()
        return True

    def _add_texts(self) -> None:
        """Append the collected texts as one entry."""
        texts, self._texts = self._texts, _Texts()
        if texts.parts:
            lines = self._count_lines(texts.stream, texts.newlines, is_ended=texts.is_ended)
            counts = _Counts(lines, texts.size - texts.newlines)
            self._add_parts("stream", (texts.start, *texts.parts, _STREAM_END), counts)

    def add_entry(self, entry_type: str, content: dict[str, Any]) -> None:
        """Append an entry that is no output, for example ``start`` or ``gap``."""
        self._add(entry_type, _dump(content), _Counts())

    def add_gap(self, reason: str, since: float, until: float, **values: object) -> None:
        """Append the note that output is missing.

        Args:
            reason: ``daemon``, ``attached``, ``publisher``, ``disk``, ``limit`` or ``size``.
            since: When the missing part begins, in seconds since 1970.
            until: When it ends.
            **values: More about it, for example the number of bytes.
        """
        self.add_entry("gap", {"reason": reason, "since": since, "until": until, **values})

    def set_details(self, **details: object) -> None:
        """Add details to the index, and save it."""
        self._record = replace(self._record, details={**self._record.details, **details})
        self.save_index()

    def save_index(self) -> None:
        """Save the index now."""
        self._index_saved, self._saved_size = self._clock(), self._total.size
        try:
            save_index(self.record)
        except OSError as error:
            self.problem = _reason(error)

    def save_index_if_due(self) -> None:
        """Save the index if it was saved some time ago and has changed since."""
        is_recent = 0 <= self._clock() - self._index_saved < INDEX_INTERVAL_S
        if not is_recent and self._total.size != self._saved_size:
            self.save_index()

    def close(self) -> None:
        """End the record: join its files, and save the index with the end."""
        if self._record.ended_at is not None:
            return
        self._write_batch()
        if self._missed_since is not None:
            self._note_missed(self._clock())
        self._close_file()
        self._join()
        _flush_to_disk(self._record.path)
        ended_at = datetime.fromtimestamp(self._clock(), timezone.utc)
        self._record = replace(self._record, ended_at=ended_at)
        self.save_index()
        prune(self._record.folder)

    def _count_text(self, stream: str, text: str) -> _Counts:
        size = len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
        lines = self._count_lines(stream, text.count("\n"), is_ended=text.endswith("\n"))
        return _Counts(lines, size)

    def _count_lines(self, stream: str, newlines: int, *, is_ended: bool) -> int:
        """Return the number of lines that begin in a text; the streams are counted apart."""
        continued = stream in self._open_lines
        (self._open_lines.discard if is_ended else self._open_lines.add)(stream)
        return newlines + (not is_ended) - continued

    def _add(self, entry_type: str, content: bytes, counts: _Counts) -> None:
        self._add_texts()
        # An entry is one line.
        self._add_parts(entry_type, (content.replace(b"\n", b" "),), counts)

    def _add_parts(self, entry_type: str, parts: Sequence[_Bytes], counts: _Counts) -> None:
        now = self._clock()
        if not self._try_write(entry_type, parts, now):
            self._note_failure(counts, now)
        elif self._batch is not None and self._batch.lines:
            self._batch.counts = self._batch.counts.plus(counts)
        self._total = self._total.plus(counts)
        self.save_index_if_due()

    def _note_failure(self, counts: _Counts, now: float) -> None:
        self._missed_since = self._missed_since or now
        self._missed = self._missed.plus(counts)
        self._missed_size += counts.size

    def _try_write(self, entry_type: str, parts: Sequence[_Bytes], now: float) -> bool:
        if self._missed_since is not None:
            waits = 0 <= now - self._failed_at < RETRY_INTERVAL_S
            if waits or not self._note_missed(now):
                return False
        return self._write(entry_type, parts, now)

    def _note_missed(self, now: float) -> bool:
        """Write the note about what could not be written; return whether that was possible."""
        content = {
            "reason": "disk",
            "since": self._missed_since,
            "until": now,
            "lines": self._missed.lines,
            "bytes": self._missed.size,
        }
        if not self._write("gap", [_dump(content)], now):
            return False
        self._missed_since, self._missed = None, _Counts()
        return True

    def _write(self, entry_type: str, parts: Sequence[_Bytes], now: float) -> bool:
        line = _entry(self._number + 1, entry_type, parts, now)
        size = sum(map(len, line))
        if self._file_size + size > self._file_limit():
            if size > self._limits.tail:
                gap = {"reason": "size", "since": now, "until": now, "bytes": sum(map(len, parts))}
                return self._write("gap", [_dump(gap)], now)
            if not self._start_tail_file(now):
                return False
        if not self._write_line(line, now):
            return False
        self._number += 1
        self._gaps += entry_type == "gap"
        if self._batch is not None:
            self._batch.gaps += entry_type == "gap"
        return True

    def _write_line(self, line: Sequence[_Bytes], now: float) -> bool:
        """Append a line to the current file, or nothing; return whether that was possible."""
        try:
            descriptor = self._open_file()
        except OSError as error:
            self.problem, self._failed_at = _reason(error), now
            return False
        # After a failure, each entry is written by itself until one has succeeded.
        if self._batch is not None and self._missed_since is None:
            self._batch.lines.append(line)
            self._file_size += sum(map(len, line))
            return True
        return self._write_bytes(descriptor, b"".join(line), now)

    def _write_bytes(self, descriptor: int, data: bytes, now: float) -> bool:
        try:
            _write_whole(descriptor, data)
        except OSError as error:
            self.problem, self._failed_at = _reason(error), now
            # A part of the line must not stay, or the next one could not be read.
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, self._file_size)
            return False
        self.problem = ""
        self._file_size += len(data)
        return True

    def _write_batch(self) -> None:
        """Write the entries that were collected; what cannot be written counts as missed."""
        self._add_texts()
        batch = self._batch
        if batch is None or not batch.lines or self._descriptor is None:
            return
        self._batch = _Batch()
        data, now = b"".join(part for line in batch.lines for part in line), self._clock()
        self._file_size -= len(data)
        if not self._write_bytes(self._descriptor, data, now):
            self._number -= len(batch.lines)
            self._gaps -= batch.gaps
            self._note_failure(batch.counts, now)

    def _file_limit(self) -> int:
        # The counts at the end of the first file need a line too.
        limit = self._limits.tail if self._tail_number else self._limits.head
        return limit - _POSITION_SIZE

    def _start_tail_file(self, now: float) -> bool:
        """Continue in another file.

        The counts at the end of the first file and at the beginning of the others show how much is left out.
        """
        lines, size = self._total
        counts = _dump({"lines": lines, "bytes": size, "gaps": self._gaps})
        position = _entry(self._number, "position", [counts], now)
        if not self._tail_number and not self._write_line(position, now):
            return False
        self._close_file()
        self._tail_number += 1
        self._make_room()
        return self._write_line(position, now)

    def _make_room(self) -> None:
        """Delete the oldest files that continue the record; a record that does not lose any grows."""
        oldest = self._record.tail_paths()[: 1 - self._limits.tail_files or None]
        for path in oldest:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        if not oldest:
            prune(self._record.folder)

    def _current_path(self) -> Path:
        if not self._tail_number:
            return self._record.path
        return self._record.path.with_suffix(f".tail-{self._tail_number:06d}.jsonl")

    def _open_file(self) -> int:
        """Return the descriptor of the current file."""
        if self._descriptor is None:
            path = self._current_path()
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(path, _FLAGS, 0o600)
            self._file_size = os.fstat(self._descriptor).st_size
        return self._descriptor

    def _close_file(self) -> None:
        self._write_batch()
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None
        self._file_size = 0

    def _continue(self) -> None:
        """Continue the files of a process that was killed."""
        if not self._record.path.exists():
            return
        self._missed_size = self._record.missed
        for entry in read_entries(self._record):
            self._total = self._total.plus(self._count_entry(entry))
            self._number = max(self._number, entry["n"])
            self._gaps += 1 if entry["type"] == "gap" else 0
        tails = self._record.tail_paths()
        self._tail_number = int(tails[-1].stem.rpartition("-")[2]) if tails else 0
        with contextlib.suppress(OSError):
            self._remove_partial_line()

    def _remove_partial_line(self) -> None:
        descriptor = self._open_file()
        with self._current_path().open("rb") as file:
            self._file_size = file.read().rfind(b"\n") + 1
        os.ftruncate(descriptor, self._file_size)

    def _count_entry(self, entry: dict[str, Any]) -> _Counts:
        content = entry["content"]
        if entry["type"] == "stream":
            return self._count_text(content["name"], content["text"])
        if entry["type"] == "gap":
            return _Counts(content.get("lines", 0), content.get("bytes", 0))
        return _Counts() if entry["type"] == "start" else _Counts(0, len(_dump(content)))

    def _join(self) -> None:
        """Append the files that continue the record to the first one; what cannot be appended stays beside it."""
        with contextlib.suppress(OSError):
            for path in self._record.tail_paths():
                _append(self._record.path, path)
                path.unlink()


class _Counts(NamedTuple):
    """Lines and bytes of output."""

    lines: int = 0
    size: int = 0

    def plus(self, other: _Counts) -> _Counts:
        return _Counts(self.lines + other.lines, self.size + other.size)


@dataclass
class _Batch:
    """Entries that are to be written together, their output, and how many of them are notes about gaps."""

    lines: list[Sequence[_Bytes]] = field(default_factory=list)
    counts: _Counts = _Counts()  # noqa: RUF009 - immutable
    gaps: int = 0


@dataclass
class _Texts:
    """Texts of one stream that become one entry.

    Attributes:
        start: The JSON before the text.
        stream: The name of the stream.
        parts: The texts in JSON.
        size: Their size in bytes.
        newlines: The number of ends of lines in them.
        is_ended: Whether the last one ends with the end of a line.
    """

    start: bytes = b""
    stream: str = ""
    parts: list[memoryview] = field(default_factory=list)
    size: int = 0
    newlines: int = 0
    is_ended: bool = False


def _entry(number: int, entry_type: str, parts: Sequence[_Bytes], now: float) -> list[_Bytes]:
    """Return the parts of a line, which are joined when they are written: copies of them take time."""
    start = b'{"n":%d,"t":%.3f,"type":"%s","content":' % (number, now, entry_type.encode())
    return [start, *parts, b"}\n"]


def _encode_text(data: bytes) -> bytes:
    """Return a text in UTF-8 as a JSON string."""
    # Most output is plain; this takes a third of the time of the encoder.
    if not data.translate(None, _PLAIN):
        escaped = data.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
        return b'"%s"' % escaped
    return json.dumps(data.decode("utf-8", "backslashreplace"), ensure_ascii=False).encode()


def _split_stream(content: bytes, name: str, text: str) -> Iterator[tuple[bytes, str]]:
    """Split a long text of a stream; yield the content of each piece in JSON, and its text."""
    start = _STREAM_START.match(content)
    rest = content[start.end() : -2] if start and content.endswith(b'"}') else b""
    # The encoder is slow, so the JSON is cut after the ends of lines wherever it can be.
    while start and len(rest) > MAX_TEXT:
        cut = rest.rfind(b"\\n", 0, MAX_TEXT) + 2
        if cut <= 2 or rest[cut - 3 : cut - 2] == b"\\":  # noqa: PLR2004 - no end of a line, or a backslash
            break
        piece = str(json.loads(b'"%s"' % rest[:cut]))
        yield b'%s%s"}' % (start[0], rest[:cut]), piece
        rest, text = rest[cut:], text[len(piece) :]
    for index in range(0, len(text), MAX_TEXT):
        piece = text[index : index + MAX_TEXT]
        yield _dump({"name": name, "text": piece}), piece


def _count_newlines(content: bytes, start: int) -> int | None:
    """Return the number of ends of lines in JSON; None for many, or another escape sequence."""
    count = 0
    found = content.find(b"\\", start)
    while found >= 0:
        count += 1
        if content[found + 1 : found + 2] != b"n" or count > _FEW_LINES:
            return None
        found = content.find(b"\\", found + 2)
    return count


def _dump(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")


def _append(target: Path, source: Path) -> None:
    """Append a file to another one, or nothing.

    Raises:
        OSError: The disk is full.
    """
    with target.open("ab", buffering=0) as file:
        size = file.tell()
        try:
            _write_whole(file.fileno(), source.read_bytes())
        except OSError:
            file.truncate(size)
            raise


def _write_whole(descriptor: int, data: bytes) -> None:
    """Write to a regular file, which takes less than all of it only if the disk is full.

    Raises:
        OSError: The data was not written, or only a part of it.
    """
    if os.write(descriptor, data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _flush_to_disk(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("rb") as file:
        os.fsync(file.fileno())


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
