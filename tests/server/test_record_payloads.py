"""Recorded outputs for a page: complete records of cells, and the outputs of one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from record_fixtures import START, new_record

from modelarts_magics.errors import InputError
from modelarts_magics.keepalive.record_writer import RecordWriter
from modelarts_magics.keepalive.records import CELL, COMMAND, Record
from modelarts_magics.server import record_payloads

if TYPE_CHECKING:
    from pathlib import Path

COMPLETE = {"cell_id": "c1", "shown_length": 7}


def make_record(
    folder: Path,
    *,
    kind: str = CELL,
    is_ended: bool = True,
    text: str = "output\n",
    **details: object,
) -> Record:
    """Write a record."""
    writer = RecordWriter(replace(new_record(folder), kind=kind, details=details))
    writer.add_text("stdout", text.encode())
    if is_ended:
        writer.close()
    return writer.record


def test_complete_record_of_a_cell_is_listed(tmp_path: Path) -> None:
    """A page finds the cell, and whether it shows less."""
    record = make_record(tmp_path, **COMPLETE)
    assert record_payloads.records_payload(tmp_path) == {
        "records": [
            {
                "id": record.id,
                "name": "train",
                "cell_id": "c1",
                "started_at_ms": round(START.timestamp() * 1000),
                "lines": 1,
                "shown_length": 7,
            }
        ]
    }


@pytest.mark.parametrize(
    "options",
    [
        {"kind": COMMAND, **COMPLETE},
        {"is_ended": False, **COMPLETE},
        {"cell_id": "c1"},
        {"shown_length": 7, "cell_id": ""},
    ],
    ids=["command", "still running", "no notebook yet", "unknown cell"],
)
def test_other_record_is_not_listed(tmp_path: Path, options: dict[str, object]) -> None:
    """There is nothing to insert, or nowhere."""
    make_record(tmp_path, **options)  # type: ignore[arg-type]
    assert record_payloads.records_payload(tmp_path) == {"records": []}


def test_outputs_are_those_of_a_notebook(tmp_path: Path) -> None:
    """A page inserts them as they are."""
    record = make_record(tmp_path, **COMPLETE)
    stream = {"output_type": "stream", "name": "stdout", "text": "output\n"}
    assert record_payloads.outputs_payload(tmp_path, record.id) == {"outputs": [stream]}


def test_very_long_text_has_no_middle(tmp_path: Path) -> None:
    """A page with all of it would be too slow to use."""
    record = make_record(tmp_path, text="x" * 99 + "\n", **COMPLETE)
    writer = RecordWriter(replace(record, ended_at=None))
    for _ in range(25_000):
        writer.add_text("stdout", b"x" * 99 + b"\n")
    (output,) = record_payloads.outputs_payload(tmp_path, record.id)["outputs"]
    assert len(output["text"]) < record_payloads.MAX_TEXT + 200
    assert "lines left out here" in output["text"]


@pytest.mark.parametrize("record_id", ["abcdef", "", "../x"])
def test_unknown_record_is_an_error(tmp_path: Path, record_id: str) -> None:
    """The message names the ID."""
    with pytest.raises(InputError, match="No recorded output"):
        record_payloads.outputs_payload(tmp_path, record_id)
