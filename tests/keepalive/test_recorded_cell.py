"""A guarded cell from the magic to the record: kernel, daemon and terminal are real, the API is the emulator."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from kernel_session import KernelSession, environment_without_settings
from record_fixtures import gaps_of, text_of
from waiting import wait_until

from modelarts_magics.emulator.local import LocalEmulator
from modelarts_magics.keepalive.records import FOLDER_NAME, Record, list_records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.process

TIMEOUT_S = 30
CELL = """%%modelarts keep {options}
print("first line")
for number in range(500): print("line", number)
from IPython.display import display
handle = display("before", display_id=True)
handle.update("after")
{end}
"""


class Notebook:
    """A kernel with the magics, whose home folder has a folder that survives a stop."""

    def __init__(self, home: Path) -> None:
        self.emulator = LocalEmulator(api="notebooks")
        self.emulator.start()
        self.folder = home / "work" / FOLDER_NAME
        self.folder.parent.mkdir()
        self.environ = {
            **self.emulator.environment(),
            "HOME": str(home),
            "MODELARTS_LANGUAGE": "en",
        }
        self.kernel = KernelSession(self.environ)
        self.run("%load_ext modelarts_magics")

    def run(self, cell: str) -> str:
        """Run a cell and return its output."""
        return self.kernel.run(cell)[1]

    def terminal(self, *arguments: str) -> str:
        """Run a command in a terminal and return its output."""
        return subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "modelarts_magics", *arguments],
            env={**environment_without_settings(), **self.environ},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=True,
        ).stdout

    def newest_record(self) -> Record:
        """Return the newest record once it is complete and its notebook is written."""
        return wait_until(
            lambda: next(
                (
                    each
                    for each in list_records(self.folder)[:1]
                    if each.ended_at and "shown_length" in each.details
                ),
                None,
            )
        )

    def close(self) -> None:
        """End everything."""
        self.terminal("keep", "end", "--all")
        self.kernel.close()
        self.emulator.stop()


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    """Return a notebook with the magics."""
    made = Notebook(tmp_path_factory.mktemp("home"))
    yield made
    made.close()


def test_guarded_cell_is_recorded_from_its_first_line(notebook: Notebook) -> None:
    """Lines, displays and the result are in the record, in ``jobs`` and in a notebook."""
    shown = notebook.run(CELL.format(options="", end="6 * 7"))
    assert "Kept alive" in shown
    record = notebook.newest_record()
    assert record.id in shown
    lines = text_of(record).splitlines()
    start = lines.index("first line")
    assert lines[start + 1 :] == [f"line {number}" for number in range(500)]
    assert gaps_of(record) == []
    (entry, *_) = json.loads(notebook.terminal("jobs", "--json"))
    assert (entry["id"], entry["lines"]) == (record.id, record.lines)
    told = notebook.terminal("jobs", "show", record.id).splitlines()
    assert told[-3:] == ["line 499", "'after'", "42"]
    document = json.loads(record.notebook_path.read_text(encoding="utf-8"))
    assert document["cells"][1]["source"].startswith("%%modelarts keep")


def test_failed_cell_is_recorded_with_its_traceback(notebook: Notebook) -> None:
    """The error is the last output."""
    notebook.run(CELL.format(options="--up-to 2h", end="1 / 0"))
    outputs = json.loads(notebook.newest_record().notebook_path.read_text(encoding="utf-8"))[
        "cells"
    ][1]["outputs"]
    assert outputs[-1]["ename"] == "ZeroDivisionError"


def test_recorded_output_is_shown_in_the_notebook(notebook: Notebook) -> None:
    """Streams and displays appear again as outputs."""
    record = list_records(notebook.folder)[-1]
    shown = notebook.run(f"%modelarts jobs show {record.id}")
    assert "first line\nline 0\n" in shown
    assert "'after'" in shown


def test_cell_is_not_recorded_on_request(notebook: Notebook) -> None:
    """With ``--no-record`` there is a guard only."""
    before = len(list_records(notebook.folder))
    assert "Kept alive" in notebook.run(CELL.format(options="--no-record", end=""))
    assert len(list_records(notebook.folder)) == before
