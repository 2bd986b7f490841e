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
GENERATIONS = (("demanager", "2019"), ("demanager", "2021"), ("notebooks", "2019"))
LEFT = timedelta(minutes=40)
A_MOMENT = timedelta(minutes=5)
"""What a lease may end later because the notebook took time to come to its cell."""


@pytest.fixture(params=GENERATIONS, ids="-".join)
def emulator(request: pytest.FixtureRequest) -> Iterator[LocalEmulator]:
    """Serve one API in one edition, with an instance that has 40 minutes left."""
    api, edition = request.param
    left = LEFT.total_seconds() / 60
    with LocalEmulator(api=api, edition=edition, minutes_left=left) as made:
        yield made


def _instance(emulator: LocalEmulator) -> dict[str, Any]:
    every: list[dict[str, Any]] = emulator.state()["instances"]
    return next(one for one in every if one["id"] == emulator.instance_id)


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
    before = _instance(emulator)
    notebook = _run(path, emulator, tmp_path)
    after = _instance(emulator)
    _CHECKS[path.name](emulator, before, after, _shown(notebook))


def _moved(before: dict[str, Any], after: dict[str, Any]) -> timedelta:
    """How much later this run ends, by the second."""
    ends = (datetime.fromisoformat(one["stops_at"]) for one in (after, before))
    return timedelta(seconds=round((next(ends) - next(ends)).total_seconds()))


def _writes(emulator: LocalEmulator) -> list[str]:
    return [entry["method"] for entry in emulator.requests if entry["method"] in ("PUT", "PATCH")]


def _follows(emulator: LocalEmulator) -> bool:
    """Whether a run follows a new duration; in the later edition it waits for the next start."""
    return emulator.state()["edition"] == "2019"


def _late(before: dict[str, Any], after: dict[str, Any], expected: timedelta) -> timedelta:
    """How far the end is from where it should be; a lease counts from now, not from the run's start."""
    used = timedelta(minutes=20) if "create_at" in after else timedelta()
    return abs(_moved(before, after) - expected - used)


def _quickstart(
    emulator: LocalEmulator, before: dict[str, Any], after: dict[str, Any], shown: str
) -> None:
    assert after["description"] == "Trained by a script"
    assert len(_writes(emulator)) == 5  # the cell that fails on purpose sends nothing
    assert "DEMO · local emulator" in shown
    if _follows(emulator):
        assert _late(before, after, timedelta(hours=2, minutes=30)) <= A_MOMENT
        assert "Extended." in shown
    else:
        assert _moved(before, after) == timedelta()
        assert after["duration_s"] == 3.5 * 3600  # saved for the next start
        assert "This run was NOT extended" in shown


def _form(
    emulator: LocalEmulator, before: dict[str, Any], after: dict[str, Any], shown: str
) -> None:
    assert after["description"] == "run 4\uff0f5"
    if _follows(emulator):
        assert _late(before, after, timedelta(hours=2)) <= A_MOMENT
    else:
        assert _moved(before, after) == timedelta()
        assert "This run does NOT follow" in shown


_CHECKS = {"01-quickstart.ipynb": _quickstart, "02-form-and-countdown.ipynb": _form}
