"""Outputs of a recorded cell, as a front end shows them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from record_fixtures import new_record

from modelarts_magics.keepalive.notebook import (
    gap_text,
    main,
    nbformat_converter,
    recorded_outputs,
    write_notebook,
)
from modelarts_magics.keepalive.outputs import OutputArea, TextScreen, output_from_message
from modelarts_magics.keepalive.record_writer import RecordWriter, _dump
from modelarts_magics.keepalive.records import find_record

if TYPE_CHECKING:
    from pathlib import Path

    from modelarts_magics.keepalive.outputs import Output

STREAM = "stream"


def area_with(*messages: tuple[str, dict[str, Any]]) -> list[Output]:
    """Return the outputs after these messages."""
    area = OutputArea()
    for message_type, content in messages:
        area.add(message_type, content)
    return area.outputs()


def out(text: str, name: str = "stdout") -> tuple[str, dict[str, Any]]:
    """Return a message of a stream."""
    return STREAM, {"name": name, "text": text}


def display(
    text: str, display_id: str = "", kind: str = "display_data"
) -> tuple[str, dict[str, Any]]:
    """Return a message with data."""
    transient = {"display_id": display_id} if display_id else {}
    return kind, {"data": {"text/plain": text}, "metadata": {}, "transient": transient}


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (["a\nb\n"], "a\nb\n"),
        (["10%\r", "100%"], "100%"),
        (["100%\r", "5"], "500%"),
        (["100%\rdone\n", "next"], "done\nnext"),
        (["100%\r", "\n", "next"], "100%\nnext"),
        (["abc\b", "\bX"], "aX"),
        (["a\n\b\bb"], "a\nb"),
        (["\r\r\n\r"], "\n"),
        (["one\ntwo\rTWO", "\nthree"], "one\nTWO\nthree"),
        (["ab\r", "cd\nef\r", "g\n"], "cd\ngf\n"),
        (["a\r\nb\r\n"], "a\nb\n"),
    ],
)
def test_progress_bar_overwrites_its_line(pieces: list[str], expected: str) -> None:
    """A carriage return moves back, and overwrites only as far as the new text reaches."""
    screen = TextScreen()
    for piece in pieces:
        screen.write(piece)
    assert screen.text() == expected


def test_streams_are_joined_while_they_follow_each_other() -> None:
    """An output of another kind between two texts separates them."""
    outputs = area_with(out("a"), out("b\n"), out("e", "stderr"), out("c"), display("1"), out("d"))
    assert [each.get("text") for each in outputs] == ["ab\n", "e", "c", None, "d"]


def test_display_is_updated_in_place() -> None:
    """Every output with the ID shows the new data; an unknown ID shows nothing."""
    update = "update_display_data"
    outputs = area_with(
        display("old", "x"),
        out("text"),
        display("old", "x"),
        display("other", "y"),
        display("new", "x", update),
        display("lost", "z", update),
    )
    shown = [each["data"]["text/plain"] for each in outputs if each["output_type"] != STREAM]
    assert shown == ["new", "new", "other"]


@pytest.mark.parametrize(
    ("wait", "expected"), [(False, ["b"]), (True, ["b"])], ids=["at once", "with the next output"]
)
def test_clear_output_removes_everything_before(*, wait: bool, expected: list[str]) -> None:
    """With `wait` the outputs stay until the next one."""
    before = [out("a"), display("old", "x"), ("clear_output", {"wait": wait})]
    assert (area_with(*before) != []) is wait
    outputs = area_with(*before, display("lost", "x", "update_display_data"), out("b"))
    assert [each["text"] for each in outputs] == expected


def test_message_without_output_is_ignored() -> None:
    """Status, comm and unknown messages show nothing."""
    assert area_with(("status", {}), ("comm_open", {}), ("execute_input", {"code": "1"})) == []


@pytest.mark.parametrize("convert", [None, nbformat_converter()], ids=["ours", "nbformat"])
def test_notebook_is_valid(tmp_path: Path, convert: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
    """Every kind of output is written as nbformat requires it, also without nbformat's help."""
    if convert is None:
        monkeypatch.setitem(sys.modules, "nbformat.v4", None)
    writer = RecordWriter(new_record(tmp_path))
    writer.add_entry("start", {"code": "train()"})
    error = {"ename": "E", "evalue": "v", "traceback": ["\x1b[31mE\x1b[0m"]}
    result = {"execution_count": 7, "data": {"text/plain": "42"}, "metadata": {}}
    for message_type, content in (
        out("a\n"),
        display("1"),
        ("error", error),
        ("execute_result", result),
    ):
        writer.add_message(message_type, _dump(content))
    writer.close()
    path = tmp_path / "out.ipynb"
    write_notebook(writer.record, path)
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = notebook.cells[1]
    assert (code.source, code.execution_count) == ("train()", 7)
    kinds = [each.output_type for each in code.outputs]
    assert kinds == ["stream", "display_data", "error", "execute_result"]
    assert "Recorded output of train" in notebook.cells[0].source


def test_both_conversions_agree() -> None:
    """Without nbformat the notebook is the same."""
    convert = nbformat_converter()
    assert convert is not output_from_message
    for message_type, content in (
        out("a"),
        display("1"),
        ("error", {"ename": "E", "evalue": "v", "traceback": ["t"]}),
        (
            "execute_result",
            {"execution_count": 7, "data": {"text/plain": "42"}, "metadata": {"a": 1}},
        ),
    ):
        message = {"header": {"msg_type": message_type}, "content": content}
        assert convert(message) == output_from_message(message)


def test_missing_part_is_shown_where_it_is_missing(tmp_path: Path) -> None:
    """A note stands between the outputs before and after."""
    writer = RecordWriter(new_record(tmp_path))
    writer.add_text("stdout", b"before\n")
    writer.add_gap("daemon", 1_800_000_000, 1_800_000_060)
    writer.add_text("stdout", b"after\n")
    before, note, after = (each["text"] for each in recorded_outputs(writer.record))
    assert (before, after) == ("before\n", "after\n")
    assert note.startswith("[Output from 2027-01-15 08:00 +00:00 to 2027-01-15 08:01 +00:00 may be")


@pytest.mark.parametrize(
    "gap",
    [
        {"reason": "limit", "lines": 3, "bytes": 5_000_000, "gaps": 0},
        {"reason": "limit", "lines": 3, "bytes": 5_000_000, "gaps": 2},
        {"reason": "size", "since": 1, "until": 1, "bytes": 9_000_000},
        {"reason": "disk", "since": 1, "until": 2, "lines": 3, "bytes": 25},
        {"reason": "daemon", "since": 1, "until": 2},
        {"reason": "attached", "since": 1, "until": 2},
        {"reason": "publisher", "since": 1, "until": 2, "messages": 40},
        {"reason": "incomplete", "bytes": 25},
    ],
)
def test_every_missing_part_has_a_text(gap: dict[str, object]) -> None:
    """The note says how much or how long."""
    assert "here" in gap_text(gap) or "could not be written" in gap_text(gap)


def test_process_writes_the_notebook_and_its_length(tmp_path: Path) -> None:
    """A page compares the length with its own outputs."""
    writer = RecordWriter(new_record(tmp_path))
    writer.add_text("stdout", b"10%\r100%\n")
    writer.close()
    assert main([str(writer.record.index_path)]) == 0
    record = find_record(tmp_path, writer.record.id)
    assert record is not None
    assert record.notebook_path.is_file()
    assert record.details["shown_length"] == 5


def test_process_fails_without_a_record(tmp_path: Path) -> None:
    """A record may have been deleted meanwhile."""
    assert main([str(tmp_path / "abcdef.json")]) == 1
