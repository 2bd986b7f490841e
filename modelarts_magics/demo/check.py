"""A notebook without a browser: run by a real kernel, cell by cell, and told."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Any

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from modelarts_magics.demo.console import say
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from pathlib import Path

    from modelarts_magics.demo.place import Place

CELL_LIMIT_S = 120
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def run(path: Path, place: Place) -> int:
    """Run a notebook in this environment's kernel and print what each cell did.

    Returns:
        1 if a cell failed, or one that is tagged ``raises-exception`` did not.
    """
    report = Report()
    client = NotebookClient(
        nbformat.read(path, as_version=4),  # type: ignore[no-untyped-call] # it is not annotated
        km=AsyncKernelManager(
            kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[])
        ),
        resources={"metadata": {"path": str(place.work)}},
        timeout=CELL_LIMIT_S,
        allow_errors=True,
        on_cell_executed=report.add,
    )
    # What a kernel writes there by itself concerns its makers; the cells' own stderr is an output.
    client.execute(env=dict(place.environment), stderr=subprocess.DEVNULL, cleanup_kc=True)
    say(text("demo.checked", cells=report.cells, wrong=report.wrong))
    return 1 if report.wrong else 0


class Report:
    """Tells of each cell as it was run, and counts.

    Attributes:
        cells: How many were run.
        wrong: How many failed, or did not fail although they should.
    """

    def __init__(self) -> None:
        self.cells = 0
        self.wrong = 0

    def add(self, *, cell: dict[str, Any], **_: object) -> None:
        """Take one more cell, as nbclient hands it over."""
        if cell["cell_type"] != "code":
            return
        self.cells += 1
        failed = any(output["output_type"] == "error" for output in cell["outputs"])
        expected = "raises-exception" in cell["metadata"].get("tags", ())
        self.wrong += failed is not expected
        mark = text("demo.right" if failed is expected else "demo.wrong")
        shown = [f"        {_indented(_plain(output))}" for output in cell["outputs"]]
        say(f"{mark} [{self.cells}] {_indented(cell['source'])}", *shown, "")


def _indented(lines: str) -> str:
    return lines.rstrip().replace("\n", "\n        ")


def _plain(output: dict[str, Any]) -> str:
    if output["output_type"] == "stream":
        return str(output["text"])
    if output["output_type"] == "error":
        return _COLOUR.sub("", "\n".join(output["traceback"]))
    return str(output["data"].get("text/plain", ""))
