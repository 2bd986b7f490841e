"""The example notebooks run from top to bottom in a real kernel, and the instance shows it."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient

from modelarts_magics.emulator.local import LocalEmulator

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
EDITIONS = ("2019", "2021")
LEFT = timedelta(minutes=40)


@pytest.fixture(params=EDITIONS)
def emulator(request: pytest.FixtureRequest) -> Iterator[LocalEmulator]:
    """Serve one edition, with an instance that has 40 minutes left."""
    with LocalEmulator(edition=request.param, minutes_left=LEFT.total_seconds() / 60) as made:
        yield made


def _run(path: Path, emulator: LocalEmulator, folder: Path) -> Any:  # noqa: ANN401 - a notebook
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(folder)}})
    client.kernel_name = "python3"
    own = {"MODELARTS_STATE_DIR": str(folder / "state"), "IPYTHONDIR": str(folder / "ipython")}
    client.execute(env={**os.environ, **emulator.environment(), **own})
    return notebook


def _shown(notebook: Any) -> str:  # noqa: ANN401 - a notebook
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    texts = [output.get("text") or output.get("data", {}).get("text/plain") for output in outputs]
    return "\n".join(text for text in texts if text)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_delivered_clean(path: Path) -> None:
    """No output and no count of a run is stored, every cell has an id, the format is valid."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert cell["id"]
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_changes_what_it_says(
    path: Path, emulator: LocalEmulator, tmp_path: Path
) -> None:
    """Every cell runs, and the emulator holds what the cells said; each notebook has its check here."""
    before = emulator.state()["instances"][0]
    notebook = _run(path, emulator, tmp_path)
    after = emulator.state()["instances"][0]
    _CHECKS[path.name](emulator, before, after, _shown(notebook))


def _quickstart(
    emulator: LocalEmulator, before: dict[str, Any], after: dict[str, Any], shown: str
) -> None:
    moved = datetime.fromisoformat(after["stops_at"]) - datetime.fromisoformat(before["stops_at"])
    writes = [entry for entry in emulator.requests if entry["method"] == "PUT"]
    assert after["description"] == "Trained by a script"
    assert len(writes) == 5  # the cell that fails on purpose sends nothing
    assert "DEMO · local emulator" in shown
    if emulator.state()["edition"] == "2019":
        assert moved == timedelta(hours=2, minutes=30)
        assert after["duration_s"] == 3.5 * 3600
        assert "Extended." in shown
    else:
        assert moved == timedelta()
        assert after["duration_s"] == 1.5 * 3600
        assert "This run was NOT extended" in shown


_CHECKS = {"01-quickstart.ipynb": _quickstart}
