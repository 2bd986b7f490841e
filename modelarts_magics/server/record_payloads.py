"""Recorded outputs of cells in the form for a page, which offers to insert them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelarts_magics import messages
from modelarts_magics.domain.durations import datetime_to_ms
from modelarts_magics.errors import InputError
from modelarts_magics.keepalive.notebook import recorded_outputs
from modelarts_magics.keepalive.records import CELL, find_record, list_records

if TYPE_CHECKING:
    from pathlib import Path

    from modelarts_magics.keepalive.records import Record

MAX_TEXT = 2_000_000
"""The number of characters of one text that a page can insert without becoming slow."""


def records_payload(folder: Path) -> dict[str, Any]:
    """Return the complete records of cells, the newest first.

    Args:
        folder: The folder of the records.
    """
    return {"records": [_record(each) for each in list_records(folder) if _is_complete(each)]}


def outputs_payload(folder: Path, record_id: str) -> dict[str, Any]:
    """Return the outputs of one record in the format of a notebook.

    Raises:
        InputError: There is no record with this ID.
    """
    record = find_record(folder, record_id)
    if record is None:
        raise InputError("jobs.unknown", id=record_id)
    outputs = recorded_outputs(record)
    for output in outputs:
        if output["output_type"] == "stream":
            output["text"] = _without_middle(output["text"])
    return {"outputs": outputs}


def _is_complete(record: Record) -> bool:
    details = record.details
    has_cell = record.kind == CELL and bool(details.get("cell_id"))
    return has_cell and record.ended_at is not None and "shown_length" in details


def _record(record: Record) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.name,
        "cell_id": record.details["cell_id"],
        "started_at_ms": datetime_to_ms(record.started_at),
        "lines": record.lines,
        "shown_length": record.details["shown_length"],
    }


def _without_middle(text: str) -> str:
    if len(text) <= MAX_TEXT:
        return text
    head, tail = text[: MAX_TEXT // 2], text[-MAX_TEXT // 2 :]
    lines = text.count("\n") - head.count("\n") - tail.count("\n")
    return f"{head}\n[{messages.text('jobs.shortened', lines=lines)}]\n{tail}"
