"""Write a notebook from a record.

The daemon runs this module in a process of its own (``python -m modelarts_magics.keepalive.notebook INDEX``),
because nbformat and a long record take memory that the daemon should not keep.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import datetime, timezone
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelarts_magics import messages
from modelarts_magics.config.atomic_file import replace_file
from modelarts_magics.keepalive.outputs import OutputArea, output_from_message, shown_length
from modelarts_magics.keepalive.records import read_entries, read_index, save_index

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelarts_magics.keepalive.outputs import Converter, Output
    from modelarts_magics.keepalive.records import Record


def recorded_outputs(record: Record, *, convert: Converter | None = None) -> list[Output]:
    """Return the outputs of a record as a front end would show them, with a note where something is missing.

    Args:
        record: The record; it may still be written.
        convert: See `OutputArea`.
    """
    area = OutputArea(convert)
    for entry in read_entries(record):
        if entry["type"] == "gap":
            area.write("stderr", f"[{gap_text(entry['content'])}]\n")
        else:
            area.add(entry["type"], entry["content"])
    if record.missed and not record.is_running:
        area.write("stderr", f"[{gap_text({'reason': 'incomplete', 'bytes': record.missed})}]\n")
    return area.outputs()


def gap_text(gap: Mapping[str, Any]) -> str:
    """Return the note about a part that is missing in a record."""
    values = dict(gap)
    reason = values.pop("reason", "")
    # The part that was left out may have been incomplete itself.
    if values.pop("gaps", 0):
        reason = f"{reason}_incomplete"
    for name in ("since", "until"):
        if name in values:
            values[name] = datetime.fromtimestamp(values[name], timezone.utc)
    return messages.text(f"record.gap.{reason}", **values)


def write_notebook(record: Record, path: Path) -> list[Output]:
    """Write a notebook with the outputs of a record.

    Returns:
        The outputs.

    Raises:
        OSError: The file cannot be written.
    """
    outputs = recorded_outputs(record, convert=nbformat_converter())
    replace_file(
        path,
        json.dumps(_document(record, outputs), ensure_ascii=False, indent=1).encode(
            "utf-8", "replace"
        ),
    )
    return outputs


def nbformat_converter() -> Converter:
    """Return nbformat's conversion of messages, or our own where nbformat is not installed."""
    try:
        nbformat = import_module("nbformat.v4")
    except ImportError:
        return output_from_message
    return lambda message: dict(nbformat.output_from_msg(message))


def _document(record: Record, outputs: Sequence[Output]) -> dict[str, Any]:
    counts = [each.get("execution_count") for each in outputs]
    end = record.end_time()
    title = messages.text("record.title", name=record.name, started=record.started_at)
    ended = messages.text("record.ended", ended=end) if end else messages.text("record.running")
    code_cell: dict[str, Any] = {
        "cell_type": "code",
        "id": f"{record.id}-output",
        "metadata": {},
        "execution_count": next((count for count in counts if count), None),
        "source": _source(record),
        "outputs": list(outputs),
    }
    note = {
        "cell_type": "markdown",
        "id": f"{record.id}-title",
        "metadata": {},
        "source": f"{title}  \n{ended}",
    }
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [note, code_cell]}


def _source(record: Record) -> str:
    """Return the code of the cell, or the command."""
    start = next((each for each in read_entries(record) if each["type"] == "start"), None)
    return str(start["content"].get("code", "")) if start else ""


def main(arguments: Sequence[str]) -> int:
    """Write the notebook beside a record that has ended.

    Args:
        arguments: The path of the index.
    """
    record = read_index(Path(arguments[0]))
    if record is None:
        return 1
    messages.use_language(record.details.get("language"))
    try:
        outputs = write_notebook(record, record.notebook_path)
        details = {**record.details, "shown_length": shown_length(outputs)}
        save_index(replace(record, details=details))
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
