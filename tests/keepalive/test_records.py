"""Records of output: written as it arrives, limited in size, readable at any time."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from record_fixtures import START, gaps_of, new_record, text_of

from modelarts_magics.keepalive import record_writer as writers
from modelarts_magics.keepalive.notebook import recorded_outputs, write_notebook
from modelarts_magics.keepalive.record_writer import Limits, RecordWriter
from modelarts_magics.keepalive.records import (
    MAX_RECORDS,
    find_record,
    list_records,
    prune,
    read_entries,
    save_index,
)

SMALL = Limits(head=4000, tail=1000, tail_files=3)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = START.timestamp()

    def __call__(self) -> float:
        """Return the time in seconds since 1970."""
        return self.now


def test_output_can_be_read_while_it_is_recorded(tmp_path: Path) -> None:
    """Every entry is on disk when the call returns."""
    writer = RecordWriter(new_record(tmp_path))
    writer.add_text("stdout", b"one\n")
    assert text_of(writer.record) == "one\n"
    writer.add_text("stdout", "两".encode())
    assert text_of(writer.record) == "one\n两"


def test_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    """Output may contain secrets."""
    writer = RecordWriter(new_record(tmp_path / "records"), limits=SMALL)
    for _ in range(200):
        writer.add_text("stdout", b"x" * 60 + b"\n")
    write_notebook(writer.record, writer.record.notebook_path)
    assert len(writer.record.files()) == 6
    modes = {stat.S_IMODE(path.stat().st_mode) for path in writer.record.files()}
    assert modes == {0o600}
    assert stat.S_IMODE((tmp_path / "records").stat().st_mode) == 0o700


def test_gap_in_the_omitted_part_is_not_forgotten(tmp_path: Path) -> None:
    """The note about the part that was left out says that even this part was incomplete."""
    writer = RecordWriter(new_record(tmp_path), limits=SMALL)
    for number in range(1000):
        writer.add_text("stdout", f"line {number:04d}\n".encode())
        if number == 300:
            writer.add_gap("publisher", 1, 2, messages=5)
    writer.close()
    (gap,) = gaps_of(writer.record)
    assert gap["gaps"] == 1
    assert "not received" in recorded_outputs(writer.record)[1]["text"]


@pytest.mark.parametrize("is_ended", [False, True], ids=["while it runs", "afterwards"])
def test_long_record_keeps_its_head_and_its_tail(tmp_path: Path, *, is_ended: bool) -> None:
    """A part in the middle is left out, and the note says how much."""
    writer = RecordWriter(new_record(tmp_path), limits=SMALL)
    lines = [f"line {number:04d}\n" for number in range(1000)]
    for line in lines:
        writer.add_text("stdout", line.encode())
    if is_ended:
        writer.close()
    found = text_of(writer.record).splitlines(keepends=True)
    (gap,) = gaps_of(writer.record)
    assert found[0] == lines[0]
    assert found[-1] == lines[-1]
    assert gap["reason"] == "limit"
    assert len(found) + gap["lines"] == 1000
    assert gap["bytes"] == gap["lines"] * 10
    kept = writer.record.files()
    size = sum(path.stat().st_size for path in kept if path.suffix == ".jsonl")
    assert size <= SMALL.head + SMALL.tail * SMALL.tail_files
    assert writer.record.tail_paths() == [] or not is_ended
    assert writer.record.lines == 1000
    assert writer.record.size == 10_000


def test_default_limits_add_up_to_the_promised_size() -> None:
    """Joining the files needs the size of one of them for a moment."""
    limits = Limits()
    assert limits.head + limits.tail * (limits.tail_files + 1) <= writers.RECORD_LIMIT


def test_interrupted_joining_leaves_no_line_twice(tmp_path: Path) -> None:
    """A file that was appended and not yet deleted is read once."""
    writer = RecordWriter(new_record(tmp_path), limits=SMALL)
    for number in range(300):
        writer.add_text("stdout", f"line {number}\n".encode())
    before = text_of(writer.record), gaps_of(writer.record)
    first = writer.record.tail_paths()[0]
    with writer.record.path.open("ab") as file:
        file.write(first.read_bytes())
    assert (text_of(writer.record), gaps_of(writer.record)) == before


def test_killed_writer_is_continued(tmp_path: Path) -> None:
    """Counts and output go on, also after a line that was not written in whole."""
    first = RecordWriter(new_record(tmp_path), limits=SMALL)
    for number in range(150):
        first.add_text("stdout", f"line {number}\n".encode())
    with first.record.tail_paths()[-1].open("ab") as file:
        file.write(b'{"n":99999,"t":1')
    record = find_record(tmp_path, first.record.id)
    assert record is not None
    second = RecordWriter(record, limits=SMALL)
    second.add_text("stdout", b"line 150\nunfinished")
    second.close()
    assert text_of(second.record).endswith("line 149\nline 150\nunfinished")
    assert second.record.lines == 152
    assert second.record.size == first.record.size + 19


@pytest.mark.parametrize(
    ("texts", "lines"),
    [
        (["a\nb\n"], 2),
        (["a\nb"], 2),
        (["a", "b", "\n"], 1),
        (["a", "\n", "\n"], 2),
        (["\r10%", "\r20%", "\n"], 1),
    ],
)
def test_lines_are_counted_across_writes(tmp_path: Path, texts: list[str], lines: int) -> None:
    """A line counts from its first character on."""
    for add in ("text", "message"):
        writer = RecordWriter(new_record(tmp_path))
        for text in texts:
            if add == "text":
                writer.add_text("stdout", text.encode())
            else:
                content = json.dumps({"name": "stdout", "text": text}).encode()
                writer.add_message("stream", content)
        assert (writer.record.lines, writer.record.size) == (lines, len("".join(texts)))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'say "x" \\n\n', 'say "x" \\n\n'),
        (b"\x1b[31mred\x1b[0m\r\n", "\x1b[31mred\x1b[0m\r\n"),
        ("中文 \u2028".encode(), "中文 \u2028"),
        (b"\xff\x00", "\\xff\x00"),
    ],
)
def test_any_bytes_can_be_recorded(tmp_path: Path, data: bytes, expected: str) -> None:
    """An entry stays one line of valid JSON."""
    writer = RecordWriter(new_record(tmp_path))
    writer.add_text("stderr", data)
    assert text_of(writer.record) == expected
    assert len(writer.record.path.read_bytes().splitlines()) == 1


def test_message_with_invalid_unicode_is_recorded(tmp_path: Path) -> None:
    """A kernel can send an unpaired surrogate, and JSON with line breaks."""
    writer = RecordWriter(new_record(tmp_path))
    writer.add_message("stream", b'{"name": "stdout",\n "text": "a\xed\xa0\x80b"}')
    writer.add_message("display_data", b'{"data": {"text/plain": "\xed\xa0\x80"}}')
    assert [each["type"] for each in read_entries(writer.record)] == ["stream", "display_data"]


def test_one_huge_text_is_limited_too(tmp_path: Path) -> None:
    """A single print of more than the limit keeps its head and tail."""
    limits = Limits(head=3_000_000, tail=1_500_000, tail_files=2)
    writer = RecordWriter(new_record(tmp_path), limits=limits)
    text = "".join(f"{number:09d}\n" for number in range(700_000))
    writer.add_message("stream", json.dumps({"name": "stdout", "text": text}).encode())
    writer.close()
    assert writer.record.path.stat().st_size <= 6_000_000
    assert text_of(writer.record).startswith("000000000\n")
    assert text_of(writer.record).endswith("000699999\n")
    assert writer.record.lines == 700_000


def test_output_that_fits_nowhere_is_noted(tmp_path: Path) -> None:
    """A picture that is larger than what is left is replaced by a note."""
    writer = RecordWriter(new_record(tmp_path), limits=SMALL)
    writer.add_message("display_data", json.dumps({"data": {"image/png": "x" * 9000}}).encode())
    writer.add_text("stdout", b"after\n")
    (gap,) = gaps_of(writer.record)
    assert gap["reason"] == "size"
    assert text_of(writer.record) == "after\n"


def test_full_disk_is_noted_when_there_is_space_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines that could not be written are counted, and the record goes on."""
    clock = Clock()
    writer = RecordWriter(new_record(tmp_path), clock=clock)
    writer.add_text("stdout", b"before\n")
    real_write = os.write

    def write_half(descriptor: int, data: bytes) -> int:
        return real_write(descriptor, data[: len(data) // 2])

    with monkeypatch.context() as full_disk:
        full_disk.setattr(os, "write", write_half)
        writer.add_text("stdout", b"lost\nlost too\n")
        assert writer.problem == "No space left on device"
        clock.now += 5
        writer.add_text("stdout", b"still lost\n")
    clock.now += 5
    writer.add_text("stdout", b"after\n")
    assert writer.problem == ""
    assert text_of(writer.record) == "before\nafter\n"
    (gap,) = gaps_of(writer.record)
    assert (gap["reason"], gap["lines"], gap["bytes"]) == ("disk", 3, 25)
    assert gap["until"] - gap["since"] == 10
    assert writer.record.lines == 5


MESSAGES = st.lists(
    st.tuples(
        st.sampled_from(["stdout", "stderr"]),
        st.text(alphabet='ab\n\\"\té', min_size=1, max_size=60) | st.just("x" * 300 + "\n"),
    ),
    max_size=60,
)


@settings(max_examples=60)
@given(messages=MESSAGES, at_once=st.integers(1, 30))
def test_batches_record_the_same_as_single_messages(
    messages: list[tuple[str, str]], at_once: int
) -> None:
    """Texts that arrive together become one entry; no line is lost, also where another file begins."""
    with tempfile.TemporaryDirectory() as folder:
        writer = RecordWriter(new_record(Path(folder)), limits=SMALL)
        for start in range(0, len(messages), at_once):
            with writer.batch():
                for name, text in messages[start : start + at_once]:
                    content = json.dumps({"name": name, "text": text}, ensure_ascii=False)
                    writer.add_message("stream", content.encode())
        single = RecordWriter(new_record(Path(folder)), limits=SMALL)
        for name, text in messages:
            single.add_text(name, text.encode())
        printed = "".join(text for _, text in messages)
        left_out = sum(gap["bytes"] for gap in gaps_of(writer.record))
        recorded = text_of(writer.record)
        assert len(recorded.encode()) + left_out == len(printed.encode())
        assert left_out or recorded == printed
        assert (writer.record.lines, writer.record.size) == (
            single.record.lines,
            single.record.size,
        )


def test_batch_on_a_full_disk_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries that were to be written together are lost together, and what follows is numbered on."""
    clock = Clock()
    writer = RecordWriter(new_record(tmp_path), clock=clock)

    def write_batch(*texts: bytes) -> None:
        with writer.batch():
            for text in texts:
                writer.add_text("stdout", text)

    write_batch(b"one\n", b"two\n")
    with monkeypatch.context() as full_disk:
        full_disk.setattr(os, "write", lambda _descriptor, data: len(data) - 1)
        write_batch(b"lost\n", b"lost, too\n")
    clock.now += 5
    write_batch(b"three\n")
    assert text_of(writer.record) == "one\ntwo\nthree\n"
    assert [each["n"] for each in read_entries(writer.record)] == [1, 2, 3, 4]
    (gap,) = gaps_of(writer.record)
    assert (gap["reason"], gap["lines"], gap["bytes"]) == ("disk", 2, 15)
    assert (writer.record.lines, writer.record.missed) == (5, 15)


def test_index_is_saved_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the record and what is missing are known even then."""
    writer = RecordWriter(new_record(tmp_path))
    with monkeypatch.context() as full_disk:
        full_disk.setattr(os, "write", lambda _descriptor, data: len(data) - 1)
        writer.add_text("stdout", b"lost\n")
        writer.close()
    record = find_record(tmp_path, writer.record.id)
    assert record is not None
    assert record.ended_at is not None
    assert record.missed == 5
    assert "5 B could not be written" in recorded_outputs(record)[0]["text"]


def test_file_that_cannot_be_deleted_is_no_problem(tmp_path: Path) -> None:
    """The work goes on, and the record too."""
    writer = RecordWriter(new_record(tmp_path), limits=SMALL)
    writer.record.path.with_suffix(".tail-000000.jsonl").mkdir()
    for number in range(1000):
        writer.add_text("stdout", f"line {number:04d}\n".encode())
    assert writer.problem == ""
    assert writer.record.lines == 1000


def test_folder_that_cannot_be_created_is_a_problem_only(tmp_path: Path) -> None:
    """The work goes on without a record."""
    (tmp_path / "file").touch()
    writer = RecordWriter(new_record(tmp_path / "file" / "records"))
    writer.add_text("stdout", b"x\n")
    writer.close()
    assert writer.problem


def test_index_follows_the_output(tmp_path: Path) -> None:
    """A list of the records reads no record, and is at most two seconds old."""
    clock = Clock()
    writer = RecordWriter(new_record(tmp_path), clock=clock)
    writer.add_text("stdout", b"one\n")
    assert list_records(tmp_path)[0].lines == 0
    clock.now += 2
    writer.add_text("stdout", b"two\n")
    assert list_records(tmp_path)[0].lines == 2
    writer.add_text("stdout", b"three\n")
    clock.now += 2
    writer.save_index_if_due()
    assert list_records(tmp_path)[0].lines == 3


def test_newest_records_are_kept(tmp_path: Path) -> None:
    """The twenty-first record takes the place of the oldest, with all its files."""
    for minute in range(MAX_RECORDS + 3):
        record = new_record(tmp_path, started_at=START + timedelta(minutes=minute))
        writer = RecordWriter(record)
        writer.add_text("stdout", b"x")
        writer.close()
    kept = list_records(tmp_path)
    assert len(kept) == MAX_RECORDS
    assert kept[0].started_at == START + timedelta(minutes=MAX_RECORDS + 2)
    assert len(list(tmp_path.iterdir())) == 2 * MAX_RECORDS


def test_long_record_is_not_deleted_at_its_end(tmp_path: Path) -> None:
    """Records that began and ended while a job of hours went on do not push it out."""
    job = RecordWriter(new_record(tmp_path))
    short = []
    for minute in range(1, MAX_RECORDS + 1):
        writer = RecordWriter(new_record(tmp_path, started_at=START + timedelta(minutes=minute)))
        writer.close()
        short.append(writer.record.id)
    job.close()
    kept = {each.id for each in list_records(tmp_path)}
    assert kept == {job.record.id, *short[1:]}


def test_records_have_a_total_limit(tmp_path: Path) -> None:
    """The oldest are deleted until the rest is small enough."""
    for minute in range(12):
        record = new_record(tmp_path, started_at=START + timedelta(minutes=minute))
        writer = RecordWriter(record)
        writer.close()
        with record.path.open("wb") as file:
            file.truncate(50_000_000)
    prune(tmp_path)
    assert len(list_records(tmp_path)) == 9


def test_running_record_is_never_deleted(tmp_path: Path) -> None:
    """More recordings than the limit can go on at once."""
    writers_ = [RecordWriter(new_record(tmp_path)) for _ in range(MAX_RECORDS + 5)]
    assert len(list_records(tmp_path)) == MAX_RECORDS + 5
    for each in writers_:
        each.close()
    assert len(list_records(tmp_path)) == MAX_RECORDS


def test_record_of_killed_process_has_ended(tmp_path: Path) -> None:
    """Its end is when it last wrote."""
    record = new_record(tmp_path)
    tmp_path.mkdir(exist_ok=True)
    save_index(record)
    record.path.write_bytes(b"")
    os.utime(record.index_path, (1, 1))
    os.utime(record.path, (1_800_000_000, 1_800_000_000))
    found = find_record(tmp_path, record.id)
    assert found is not None
    assert not found.is_running
    assert found.end_time() == datetime.fromtimestamp(1_800_000_000, timezone.utc)


@pytest.mark.parametrize("name", ["../secret", "x", "", "abcdef0", "ABCDEF"])
def test_no_other_file_is_taken_for_a_record(tmp_path: Path, name: str) -> None:
    """An ID names a file of the folder and nothing else."""
    assert find_record(tmp_path, name) is None
