"""The list of recorded outputs, and one of them as text, JSON and notebook."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import nbformat
import pytest
from emulator_harness import environment_variables
from record_fixtures import new_record

from modelarts_magics.cli import main
from modelarts_magics.commands.jobs import output_text
from modelarts_magics.keepalive.record_writer import RecordWriter

if TYPE_CHECKING:
    from pathlib import Path

    from modelarts_magics.keepalive.records import Record


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Return a record that has ended."""
    writer = RecordWriter(new_record(tmp_path / "work" / ".modelarts-magics-records"))
    writer.add_text("stdout", b"epoch 1\n\x1b[32mepoch 2\x1b[0m\n")
    writer.add_text("stderr", b"warning\n")
    writer.close()
    return writer.record


class Terminal:
    """Runs commands in a home folder of their own, without any API."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._environ = {"HOME": str(home), "MODELARTS_TIMEZONE": "+08:00"}
        self._capsys = capsys

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Return exit status, output and errors."""
        with environment_variables(self._environ):
            status = main(["jobs", *arguments])
        return (status, *self._capsys.readouterr())


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """Return a terminal with the folder that survives a stop."""
    (tmp_path / "work").mkdir()
    return Terminal(tmp_path, capsys)


def test_no_records_are_no_error(terminal: Terminal) -> None:
    """The text says what would be recorded."""
    assert terminal.run() == (
        0,
        "No recorded output yet. Output of guarded cells and commands is recorded.\n",
        "",
    )
    assert terminal.run("--json") == (0, "[]\n", "")


def test_list_is_readable_and_json(terminal: Terminal, record: Record) -> None:
    """One line or object for each record, the newest first."""
    _, out, _ = terminal.run()
    assert out.startswith(f"{record.id} · 2026-11-28 08:00 +08:00 to ")
    assert out.endswith("3 lines · 33 B · train\n")
    (entry,) = json.loads(terminal.run("--json")[1])
    assert list(entry) == ["id", "name", "started_at", "ended_at", "lines", "bytes", "path"]
    assert entry["id"] == record.id
    assert " " not in entry["id"]
    assert entry["started_at"] == "2026-11-28T08:00:00+08:00"
    assert (entry["lines"], entry["bytes"]) == (3, 33)
    assert entry["path"] == str(record.path)


def test_running_record_has_no_end(terminal: Terminal, tmp_path: Path) -> None:
    """It is in the list from its start on."""
    writer = RecordWriter(new_record(tmp_path / "work" / ".modelarts-magics-records"))
    assert "since 2026-11-28" in terminal.run()[1]
    (entry,) = json.loads(terminal.run("--json")[1])
    assert (entry["id"], entry["ended_at"]) == (writer.record.id, None)


def test_recorded_output_is_shown_without_colours(terminal: Terminal, record: Record) -> None:
    """Control characters of a program do not reach the terminal of the reader."""
    assert terminal.run("show", record.id) == (0, "epoch 1\nepoch 2\nwarning\n", "")


def test_json_has_the_outputs_of_a_notebook(terminal: Terminal, record: Record) -> None:
    """The streams are apart, and unchanged."""
    shown = json.loads(terminal.run("show", record.id, "--json")[1])
    assert [(each["name"], each["text"]) for each in shown["outputs"]] == [
        ("stdout", "epoch 1\n\x1b[32mepoch 2\x1b[0m\n"),
        ("stderr", "warning\n"),
    ]


@pytest.mark.parametrize("target", ["out.ipynb", "out", "."])
def test_notebook_is_written_on_demand(
    terminal: Terminal, record: Record, tmp_path: Path, target: str
) -> None:
    """A name, a name without a suffix, or a folder; an existing file is not replaced."""
    status, out, _ = terminal.run("show", record.id, "--notebook", str(tmp_path / target))
    expected = tmp_path / (f"{record.id}.ipynb" if target == "." else "out.ipynb")
    assert (status, out) == (0, f"Saved as {expected}.\n")
    notebook = nbformat.read(expected, as_version=4)
    assert "epoch 1" in notebook.cells[1].outputs[0].text
    status, _, err = terminal.run("show", record.id, f"--notebook={expected}")
    assert status == 1
    assert "exists already" in err


@pytest.mark.parametrize(
    ("arguments", "status", "expected"),
    [
        (["show"], 2, "jobs show requires ID"),
        (["show", "a", "b"], 2, "b"),
        (["delete"], 2, "delete"),
        (["--notebook", "x"], 2, "requires show ID"),
        (["show", "abc123", "--notebook"], 2, "--notebook requires PATH"),
        (["show", "abc123"], 1, "No recorded output with the ID “abc123”"),
        (["show", "../x"], 1, "No recorded output with the ID “../x”"),
    ],
)
def test_wrong_arguments_are_explained(
    terminal: Terminal, arguments: list[str], status: int, expected: str
) -> None:
    """Nothing is shown for them."""
    code, out, err = terminal.run(*arguments)
    assert (code, out) == (status, "")
    assert expected in err


def test_notebook_that_cannot_be_written_is_an_error(terminal: Terminal, record: Record) -> None:
    """The path is named."""
    status, _, err = terminal.run("show", record.id, "--notebook", "/dev/null/out.ipynb")
    assert status == 1
    assert "Cannot write the notebook to /dev/null/out.ipynb" in err


def test_every_kind_of_output_has_a_text() -> None:
    """A picture has its textual form."""
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": "a\n"},
        {"output_type": "display_data", "data": {"text/plain": ["<Fig", "ure>"]}, "metadata": {}},
        {"output_type": "display_data", "data": {"image/png": "eA=="}, "metadata": {}},
        {"output_type": "error", "traceback": ["\x1b[31mE\x1b[0m", "v"]},
    ]
    assert output_text(outputs) == "a\n<Figure>\n\nE\nv"
