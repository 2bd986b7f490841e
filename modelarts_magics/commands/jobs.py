"""``jobs``: list recorded outputs, show one, and write it as a notebook."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from modelarts_magics import messages
from modelarts_magics.commands.as_json import iso_time
from modelarts_magics.commands.results import JsonListResult, JsonResult, RecordedOutput, TextResult
from modelarts_magics.config.settings_file import expand_user
from modelarts_magics.errors import InputError, ModelArtsError, UsageError
from modelarts_magics.keepalive.notebook import recorded_outputs, write_notebook
from modelarts_magics.keepalive.records import find_record, list_records, records_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelarts_magics.commands.context import CommandContext
    from modelarts_magics.commands.parser import CommandRequest
    from modelarts_magics.keepalive.outputs import Output
    from modelarts_magics.keepalive.records import Record

_ESCAPE_SEQUENCE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])"
)
"""Colours and cursor movements. Source: ECMA-48, sections 5.4 and 5.6."""


def jobs(
    request: CommandRequest,
    context: CommandContext,
    *,
    environ: Mapping[str, str] | None = None,
) -> object:
    """List the records, or show the one with an ID.

    Raises:
        InputError: There is no record with this ID.
        UsageError: The arguments are invalid.
        ModelArtsError: The notebook cannot be written.
    """
    environ = os.environ if environ is None else environ
    folder = records_folder(context.get_settings(), environ)
    if not request.arguments:
        if request.has_option("--notebook"):
            raise UsageError(
                "usage.missing", command="jobs", what="show ID", usage=request.command.synopsis
            )
        return _list(list_records(folder), as_json=request.has_option("--json"))
    record = _find(request, folder)
    if request.has_option("--notebook"):
        return _save_notebook(record, request.options["--notebook"])
    outputs = recorded_outputs(record)
    if request.has_option("--json"):
        return JsonResult(**record_json(record), outputs=outputs)
    return RecordedOutput(outputs, output_text(outputs), context.show_outputs)


def record_json(record: Record) -> dict[str, Any]:
    """Return the index of a record as JSON."""
    return {
        "id": record.id,
        "name": record.name,
        "started_at": iso_time(record.started_at),
        "ended_at": iso_time(record.end_time()),
        "lines": record.lines,
        "bytes": record.size,
        "path": str(record.path),
    }


def output_text(outputs: list[Output]) -> str:
    """Return outputs as plain text, without colours."""
    shown = "".join(map(_plain_text, outputs))
    return _ESCAPE_SEQUENCE.sub("", shown).removesuffix("\n")


def _plain_text(output: Output) -> str:
    if output["output_type"] == "stream":
        return str(output["text"])
    if output["output_type"] == "error":
        return "\n".join(output["traceback"]) + "\n"
    plain = output["data"].get("text/plain", "")
    return (plain if isinstance(plain, str) else "".join(plain)) + "\n"


def _list(records: list[Record], *, as_json: bool) -> object:
    if as_json:
        return JsonListResult(JsonResult(record_json(record)) for record in records)
    if not records:
        return TextResult(messages.text("jobs.none"))
    return TextResult("\n".join(map(_line, records)))


def _line(record: Record) -> str:
    values = {
        "id": record.id,
        "name": record.name,
        "started": record.started_at,
        "lines": record.lines,
        "bytes": record.size,
    }
    ended = record.end_time()
    if ended is None:
        return messages.text("jobs.running", **values)
    return messages.text("jobs.ended", ended=ended, **values)


def _find(request: CommandRequest, folder: Path) -> Record:
    verb, *ids = request.arguments
    if verb != "show" or len(ids) > 1:
        raise request.unexpected_argument(ids[1] if verb == "show" else verb)
    if not ids:
        raise UsageError(
            "usage.missing", command="jobs show", what="ID", usage=request.command.synopsis
        )
    record = find_record(folder, ids[0])
    if record is None:
        raise InputError("jobs.unknown", id=ids[0])
    return record


def _save_notebook(record: Record, target: str) -> TextResult:
    path = expand_user(target)
    if path.is_dir():
        path /= f"{record.id}.ipynb"
    elif not path.suffix:
        path = path.with_suffix(".ipynb")
    if path.exists():
        raise InputError("jobs.exists", path=str(path))
    try:
        write_notebook(record, path)
    except OSError:
        raise ModelArtsError("jobs.not_writable", path=str(path)) from None
    return TextResult(messages.text("jobs.saved", path=str(path)))
