"""Run a notebook without a browser in a real kernel and print the result of each cell."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Any

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from modelarts_magics.demo.console import print_lines
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from pathlib import Path

    from modelarts_magics.demo.workspace import DemoWorkspace

CELL_TIMEOUT_S = 120
_ANSI_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def run_notebook(path: Path, workspace: DemoWorkspace) -> int:
    """Run a notebook with the kernel of this environment and print the result of each cell.

    Args:
        path: The notebook.
        workspace: The folders and environment of the demo.

    Returns:
        0, or 1 if a cell failed or a cell tagged `raises-exception` did not.
    """
    report = CellReporter()
    client = NotebookClient(
        nbformat.read(path, as_version=4),  # type: ignore[no-untyped-call] # nbformat has no types
        km=AsyncKernelManager(
            kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[])
        ),
        resources={"metadata": {"path": str(workspace.work_folder)}},
        timeout=CELL_TIMEOUT_S,
        allow_errors=True,
        on_cell_executed=report.record_cell,
    )
    # Messages of the kernel itself are not part of the result; stderr of a cell is one of its outputs.
    client.execute(env=dict(workspace.environment), stderr=subprocess.DEVNULL, cleanup_kc=True)
    print_lines(text("demo.checked", cells=report.cells, wrong=report.unexpected))
    return 1 if report.unexpected else 0


class CellReporter:
    """Printer of cell results, with counts.

    Attributes:
        cells: How many code cells were run.
        unexpected: How many failed, or did not fail although they should.
    """

    def __init__(self) -> None:
        self.cells = 0
        self.unexpected = 0

    def record_cell(self, *, cell: dict[str, Any], **_: object) -> None:
        """Print and count a cell; nbclient calls this after each cell."""
        if cell["cell_type"] != "code":
            return
        self.cells += 1
        failed = any(output["output_type"] == "error" for output in cell["outputs"])
        expected = "raises-exception" in cell["metadata"].get("tags", ())
        self.unexpected += failed is not expected
        mark = text("doctor.ok" if failed is expected else "doctor.problem")
        outputs = [f"        {_indent(_plain_text(output))}" for output in cell["outputs"]]
        print_lines(f"{mark} [{self.cells}] {_indent(cell['source'])}", *outputs, "")


def _indent(output: str) -> str:
    return output.rstrip().replace("\n", "\n        ")


def _plain_text(output: dict[str, Any]) -> str:
    if output["output_type"] == "stream":
        return str(output["text"])
    if output["output_type"] == "error":
        return _ANSI_COLOUR.sub("", "\n".join(output["traceback"]))
    return str(output["data"].get("text/plain", ""))
