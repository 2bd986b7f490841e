"""A command on a line of its own is shown exactly once, wherever it stands, unless a ``;`` ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelarts_magics.domain.models import Change, Instance

if TYPE_CHECKING:
    from conftest import NotebookShell
    from emulator_harness import EmulatorHarness

SEEN = "Stops 2026-11-23 16:40 +08:00"


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
def test_shown_as_often_as_it_is_run(notebook: NotebookShell, cell: str, times: int) -> None:
    """No more, and no less."""
    assert notebook.run(cell).count(SEEN) == times


def test_a_function_of_an_earlier_cell_shows_too(notebook: NotebookShell) -> None:
    """A change in a helper is a change."""
    notebook.run("def f():\n    %modelarts extend 1h")
    assert notebook.run("f()\n'last'").count("Extended.") == 1
    assert notebook.run("x = f()").count("Extended.") == 1


def test_a_cell_that_is_not_kept_in_the_history_shows_too(
    notebook: NotebookShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """As those that a front end runs by itself."""
    notebook.shell.run_cell("%modelarts status\nx = 1", store_history=False)
    assert capsys.readouterr().out.count(SEEN) == 1


@pytest.mark.parametrize(("mode", "times"), [("all", 2), ("last_expr", 2), ("last", 2)])
def test_nor_does_the_interactivity_that_a_person_chose_double_it(
    notebook: NotebookShell, mode: str, times: int
) -> None:
    """IPython shows some values by itself, by this setting."""
    before = notebook.shell.ast_node_interactivity
    notebook.shell.ast_node_interactivity = mode
    try:
        assert notebook.run("%modelarts status\n%modelarts status").count(SEEN) == times
    finally:
        notebook.shell.ast_node_interactivity = before


def test_an_assigned_value_is_the_instance_also_with_a_semicolon(notebook: NotebookShell) -> None:
    """Silence is about the screen, not about the value."""
    notebook.run("a = %modelarts status\nb = %modelarts status;\nc = %modelarts extend;")
    assert isinstance(notebook.variable("a"), Instance)
    assert notebook.variable("a") == notebook.variable("b")
    assert isinstance(notebook.variable("c"), Change)


@pytest.mark.parametrize("line", ["extend 1h;", "auto-stop 2h;", "auto-stop off;", "status --all;"])
def test_a_semicolon_silences_but_does_not_prevent(
    notebook: NotebookShell, harness: EmulatorHarness, line: str
) -> None:
    """The command is run all the same."""
    before = harness.instance_state()
    assert notebook.run(f"%modelarts {line}") == ""
    assert (harness.instance_state() != before) is ("status" not in line)


@pytest.mark.parametrize("line", ["describe a; b;", "describe new;", "describe --clear;"])
def test_a_description_is_never_silent(
    notebook: NotebookShell, harness: EmulatorHarness, line: str
) -> None:
    """A `;` at its end is its own."""
    assert notebook.run(f"%modelarts {line}").count("Description saved") == 1
    assert notebook.run(f"%modelarts {line}\nx = 1").count("Description as before") == 1
    wanted = "" if "--clear" in line else line.removeprefix("describe ")
    assert harness.instance_state()["description"] == wanted


def test_a_silenced_error_is_still_an_error(notebook: NotebookShell) -> None:
    """A `;` is about what went well."""
    result, shown = notebook.run_allowing_errors("%modelarts auto-stop 90;")
    assert not result.success
    assert "has no unit" in shown
