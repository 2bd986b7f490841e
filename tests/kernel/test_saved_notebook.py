"""Notebooks run without a page, as papermill runs them, and exported as HTML."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from emulator_harness import EmulatorHarness
from kernel_session import environment_without_settings
from nbclient import NotebookClient
from nbconvert import HTMLExporter

import modelarts_magics

if TYPE_CHECKING:
    from nbformat import NotebookNode

pytestmark = pytest.mark.process

FORMULAS = "$a$ and $b$"
CELLS = (
    "%load_ext modelarts_magics",
    *("%modelarts countdown", "%modelarts form", "%modelarts status", "%modelarts status --all"),
    *("%modelarts describe no $c$ and $d$", "%modelarts extend 1h", "%modelarts help"),
    "from modelarts_magics import *\ndisplay(Countdown(), InstanceForm(), connect().refresh())",
)


@pytest.fixture(scope="module")
def saved_notebook(tmp_path_factory: pytest.TempPathFactory) -> NotebookNode:
    """Return a notebook that was run with the state of its widgets, which nbclient stores by default."""
    with closing(EmulatorHarness(tmp_path_factory.mktemp("notebook"), real_time=True)) as harness:
        harness.emulator.set_instance(description=FORMULAS)
        environ = {**environment_without_settings(), **harness.environ}
        environ["IPYTHONDIR"] = harness.environ["HOME"]
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(each) for each in CELLS]
        )
        return NotebookClient(notebook, kernel_name="python3").execute(env=environ)


def test_notebook_contains_no_path_of_the_machine(saved_notebook: NotebookNode) -> None:
    """It may be published; neither outputs nor widgets name a folder or an interpreter."""
    text = nbformat.writes(saved_notebook)
    assert "application/vnd.jupyter.widget-state+json" in text
    package = str(Path(modelarts_magics.__file__).parent)
    for path in (sys.executable, sys.prefix, package, str(Path.home()), os.getcwd(), "/tmp/"):  # noqa: S108, PTH109
        assert len(path) < 3 or path not in text


@pytest.mark.parametrize("command", ["countdown", "form"])
def test_line_is_stored_above_each_widget(saved_notebook: NotebookNode, command: str) -> None:
    """The line is still there when the notebook is reopened without its widgets."""
    (cell,) = [each for each in saved_notebook.cells if each.source == f"%modelarts {command}"]
    line, widget = (each.data for each in cell.outputs)
    assert line["text/plain"].startswith("Stops at 20")
    assert 'class="ma-StaticLine ' in line["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in widget


class TextOutsideMath(HTMLParser):
    """Collects the text that MathJax 2 and 3 search for formulas.

    They skip elements with the classes `tex2jax_ignore` and `mathjax_ignore`, and those that contain code.
    """

    SKIPPED, VOID = (
        {"pre", "code", "script", "style", "textarea"},
        {"br", "meta", "link", "img", "hr", "input"},
    )

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text: dict[str, str] = {"mathjax_ignore": "", "tex2jax_ignore": ""}
        self._open: list[tuple[str, set[str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element with its classes."""
        if tag not in self.VOID:
            self._open.append((tag, set((dict(attrs).get("class") or "").split())))

    def handle_endtag(self, tag: str) -> None:
        """Close an element and those inside it that were not closed."""
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        """Collect a text for each class that no element around it has."""
        if not any(tag in self.SKIPPED for tag, _ in self._open):
            for name in self.text:
                if not any(name in classes for _, classes in self._open):
                    self.text[name] += data


def test_exported_page_contains_no_formulas(saved_notebook: NotebookNode) -> None:
    """The pages of nbconvert load MathJax, which would typeset what is between two dollar signs."""
    page, _ = HTMLExporter().from_notebook_node(saved_notebook)
    assert page.count(FORMULAS) >= len(["status", "status --all", "describe", "connect"])
    assert "tex2jax" in page
    for text in TextOutsideMath(page).text.values():
        assert "$" not in text
