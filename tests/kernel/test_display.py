"""A command on a line of its own is displayed exactly once, wherever it stands, unless a ``;`` ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelarts_magics.domain.models import Change, Instance
from modelarts_magics.kernel.display import show_outputs

if TYPE_CHECKING:
    from conftest import NotebookShell
    from emulator_harness import EmulatorHarness

STOP_LINE = "Stops at 20"


@pytest.mark.parametrize(
    ("cell", "times"),
    [
        ("%modelarts", 1),
        ("%modelarts status", 1),
        ("%modelarts status\n", 1),
        ("%modelarts status\nprint('after')", 1),
        ("1 + 1\n%modelarts status", 1),
        ("%modelarts status\n%modelarts status", 2),
        ("%modelarts status\n# a comment", 1),
        ("%modelarts status\nx = 1", 1),
        ("%modelarts status\npass", 1),
        ("if True:\n    %modelarts status", 1),
        ("if True:\n    %modelarts status\nelse:\n    pass", 1),
        ("for i in range(3):\n    %modelarts status", 3),
        ("for i in range(3):\n    %modelarts status\n'last'", 3),
        ("try:\n    %modelarts status\nfinally:\n    pass", 1),
        ("with open('/dev/null') as f:\n    %modelarts status\n    f.read()", 1),
        ("def f():\n    %modelarts status\nf()", 1),
        ("def f():\n    %modelarts status\n    return 1\nx = f()", 1),
        ("def f():\n    %modelarts status\nf()\nf()", 2),
        ("def f():\n    x = %modelarts status\n    return x\nf()", 1),
        ("def f():\n    x = %modelarts status\nf()", 0),
        ("x = %modelarts status", 0),
        ("x = %modelarts status\nx", 1),
        ("x = %modelarts status\nx.name", 0),
        ("x = [0]\nx[0] = %modelarts status", 0),
        ("%modelarts status;", 0),
        ("%modelarts status ;", 0),
        ("%modelarts status;\nprint('after')", 0),
        ("if True:\n    %modelarts status;", 0),
        ("for i in range(3):\n    %modelarts status;", 0),
        ("def f():\n    %modelarts status;\nf()", 0),
        ("get_ipython().run_line_magic('modelarts', 'status')", 1),
        ("get_ipython().run_line_magic('modelarts', 'status')\n1", 1),
        ("len([get_ipython().run_line_magic('modelarts', 'status')])\n1", 0),
        ("x = [get_ipython().run_line_magic('modelarts', 'status') for _ in 'ab']", 0),
        ("exec(\"get_ipython().run_line_magic('modelarts', 'status')\")", 1),
        ("x = eval(\"get_ipython().run_line_magic('modelarts', 'status')\")", 0),
        ("%time %modelarts status", 1),
        ("%%time\n%modelarts status", 1),
        ("%%time\n%modelarts status\nx = 1", 1),
        ("%%capture\n%modelarts status", 0),
        ("%%capture c\n%modelarts status\nx = 1", 0),
        ("import asyncio\nawait asyncio.sleep(0)\n%modelarts status", 1),
        ("import asyncio\nawait asyncio.sleep(0)\n%modelarts status\nx = 1", 1),
    ],
)
def test_command_is_displayed_once_per_run(notebook: NotebookShell, cell: str, times: int) -> None:
    """A command on a line of its own is displayed once each time it runs; an assigned or silenced one never."""
    assert notebook.run(cell).count(STOP_LINE) == times


def test_command_in_a_function_of_another_cell_is_displayed(notebook: NotebookShell) -> None:
    """A change made inside a function is displayed, too."""
    notebook.run("def f():\n    %modelarts extend 1h")
    assert notebook.run("f()\n'last'").count("Extended.") == 1
    assert notebook.run("x = f()").count("Extended.") == 1


def test_command_in_a_cell_without_history_is_displayed(
    notebook: NotebookShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """Front ends run such cells by themselves."""
    notebook.shell.run_cell("%modelarts status\nx = 1", store_history=False)
    assert capsys.readouterr().out.count(STOP_LINE) == 1


@pytest.mark.parametrize(("mode", "times"), [("all", 2), ("last_expr", 2), ("last", 2)])
def test_node_interactivity_does_not_change_the_count(
    notebook: NotebookShell, mode: str, times: int
) -> None:
    """IPython displays some values by itself, depending on this setting."""
    before = notebook.shell.ast_node_interactivity
    notebook.shell.ast_node_interactivity = mode
    try:
        assert notebook.run("%modelarts status\n%modelarts status").count(STOP_LINE) == times
    finally:
        notebook.shell.ast_node_interactivity = before


def test_assignment_returns_the_value_despite_a_semicolon(notebook: NotebookShell) -> None:
    """A `;` suppresses the display, not the value."""
    notebook.run("a = %modelarts status\nb = %modelarts status;\nc = %modelarts extend;")
    assert isinstance(notebook.variable("a"), Instance)
    assert notebook.variable("a") == notebook.variable("b")
    assert isinstance(notebook.variable("c"), Change)


@pytest.mark.parametrize("line", ["extend 1h;", "auto-stop 2h;", "auto-stop off;", "status --all;"])
def test_semicolon_suppresses_the_display_only(
    notebook: NotebookShell, harness: EmulatorHarness, line: str
) -> None:
    """The command runs all the same."""
    before = harness.instance_state()
    assert notebook.run(f"%modelarts {line}") == ""
    assert (harness.instance_state() != before) is ("status" not in line)


@pytest.mark.parametrize("line", ["describe a; b;", "describe new;", "describe --clear;"])
def test_description_is_displayed_despite_a_semicolon(
    notebook: NotebookShell, harness: EmulatorHarness, line: str
) -> None:
    """A `;` at the end of a description is part of it."""
    outcome = "Description cleared" if "--clear" in line else "Description saved"
    assert notebook.run(f"%modelarts {line}").count(outcome) == 1
    assert notebook.run(f"%modelarts {line}\nx = 1").count("Description unchanged") == 1
    expected = "" if "--clear" in line else line.removeprefix("describe ")
    assert harness.instance_state()["description"] == expected


def test_semicolon_does_not_suppress_errors(notebook: NotebookShell) -> None:
    """A command that fails is shown as an error."""
    result, shown = notebook.run_allowing_errors("%modelarts auto-stop 90;")
    assert not result.success
    assert "has no unit" in shown


def test_recorded_output_is_displayed_as_outputs(
    notebook: NotebookShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """Streams, pictures and errors appear as the cell had them, long text without its middle."""
    del notebook
    lines = "".join(f"line {number}\n" for number in range(50_000))
    show_outputs(
        [
            {"output_type": "stream", "name": "stdout", "text": lines},
            {"output_type": "stream", "name": "stderr", "text": "warning\n"},
            {"output_type": "display_data", "data": {"text/plain": "<Figure>"}, "metadata": {}},
            {"output_type": "error", "traceback": ["E", "v"]},
        ]
    )
    out, err = capsys.readouterr()
    shown = out.splitlines()
    (note,) = (line for line in shown if line.startswith("["))
    assert shown[0] == "line 0"
    assert shown[-2:] == ["line 49999", "<Figure>"]
    assert f"{50_000 - (len(shown) - 2)} lines left out" in note
    assert err == "warning\nE\nv\n"
