"""Run the example notebooks in a real kernel against the emulator."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from matrix import all_pairs
from nbclient import NotebookClient
from platform_environments import build_environment
from wheel_builds import ROOT, run_uv

from modelarts_magics.emulator.local import LocalEmulator

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.process

NOTEBOOK_FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(NOTEBOOK_FOLDER.glob("*.ipynb"))
TRANSLATIONS = [path for path in NOTEBOOKS if path.stem.endswith(".zh-CN")]
API_EDITIONS = (("demanager", "2019"), ("demanager", "2021"), ("notebooks", "2019"))
TIME_LEFT = timedelta(minutes=40)
RUN_TIME_USED = timedelta(minutes=20)
"""The emulated run has used 20 minutes of its hour; the current API counts a run time from now."""
NOTEBOOK_DURATION = timedelta(minutes=5)
"""The longest time that a notebook may take until the cell that sets the stop time."""
FRAMEWORK_CELL_S = 300
"""The longest time in seconds of a cell that imports a framework, and compiles a model."""


def _cell_name(value: Path | tuple[str, str]) -> str:
    return value.stem if isinstance(value, Path) else "-".join(value)


@pytest.fixture
def emulator(api_edition: tuple[str, str]) -> Iterator[LocalEmulator]:
    """Serve one API in one edition, with an instance that has 40 minutes left."""
    api, edition = api_edition
    minutes_left = TIME_LEFT.total_seconds() / 60
    with LocalEmulator(api=api, edition=edition, minutes_left=minutes_left) as running:
        yield running


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_has_no_outputs(path: Path) -> None:
    """A notebook is valid, every cell has an id, and no output or execution count is stored."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert cell["id"]
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.parametrize("path", TRANSLATIONS, ids=lambda path: path.stem)
def test_translated_notebook_has_the_same_cells(path: Path) -> None:
    """The cells of the Chinese notebook have the ids and types of the English ones."""
    original = nbformat.read(path.with_name(path.name.replace(".zh-CN", "")), as_version=4)
    translated = nbformat.read(path, as_version=4)
    assert _cell_ids(translated) == _cell_ids(original)


@pytest.mark.parametrize(
    ("path", "api_edition"), all_pairs(NOTEBOOKS, API_EDITIONS, name=_cell_name)
)
def test_notebook_changes_the_instance_as_described(
    path: Path, emulator: LocalEmulator, tmp_path: Path
) -> None:
    """Every cell runs, and the emulated instance has the values that the cells set."""
    before = _instance(emulator)
    notebook = _run_notebook(path, emulator, tmp_path)
    after = _instance(emulator)
    _CHECKS[path.name](emulator, before, after, _output_text(notebook))


@pytest.mark.soak
@pytest.mark.parametrize("api_edition", [("notebooks", "2019")])
def test_frameworks_save_a_checkpoint(
    emulator: LocalEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an environment with Trainer and MindSpore, their handlers save, and the kernel lives."""
    python = build_environment("frameworks", "checkpoints") / "bin" / "python"
    # The front end is built already.
    monkeypatch.setenv("HATCH_JUPYTER_BUILDER_SKIP_NPM", "1")
    run_uv("pip", "install", "--python", str(python), "--editable", str(ROOT))
    before = _instance(emulator)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    path, name = NOTEBOOK_FOLDER / "04-checkpoints.ipynb", _add_kernel(python, tmp_path)
    notebook = _run_notebook(path, emulator, tmp_path, kernel_name=name, timeout_s=FRAMEWORK_CELL_S)
    output = _output_text(notebook)
    assert "Trainer: saved checkpoint-" in output
    assert "MindSpore: saved line_train.ckpt" in output
    assert "NOT RUN" not in output
    _check_checkpoints(emulator, before, _instance(emulator), output)


def _cell_ids(notebook: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - nbformat has no types
    return [(cell["id"], cell["cell_type"]) for cell in notebook.cells]


def _instance(emulator: LocalEmulator) -> dict[str, Any]:
    instances: list[dict[str, Any]] = emulator.state()["instances"]
    return next(each for each in instances if each["id"] == emulator.instance_id)


def _run_notebook(
    path: Path,
    emulator: LocalEmulator,
    folder: Path,
    *,
    kernel_name: str = "python3",
    timeout_s: int = 60,
) -> Any:  # noqa: ANN401 - nbformat has no types
    """Run all cells, each for a limited time in seconds."""
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=timeout_s, resources=resources)
    client.kernel_name = kernel_name
    folders = {"MODELARTS_STATE_DIR": str(folder / "state"), "IPYTHONDIR": str(folder / "ipython")}
    client.execute(env={**os.environ, **emulator.environment(), **folders})
    return notebook


def _add_kernel(python: Path, folder: Path) -> str:
    """Describe a kernel of an interpreter in a folder of Jupyter, and return its name."""
    spec = folder / "kernels" / "frameworks" / "kernel.json"
    spec.parent.mkdir(parents=True)
    words = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": words, "display_name": "", "language": "python"}))
    return spec.parent.name


def _output_text(notebook: Any) -> str:  # noqa: ANN401 - nbformat has no types
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    texts = [output.get("text") or output.get("data", {}).get("text/plain") for output in outputs]
    return "\n".join(text for text in texts if text)


def _stop_time_change(before: dict[str, Any], after: dict[str, Any]) -> timedelta:
    """Return how much later the instance stops, rounded to seconds."""
    stop_times = (datetime.fromisoformat(instance["stops_at"]) for instance in (after, before))
    return timedelta(seconds=round((next(stop_times) - next(stop_times)).total_seconds()))


def _write_methods(emulator: LocalEmulator) -> list[str]:
    return [entry["method"] for entry in emulator.requests if entry["method"] in ("PUT", "PATCH")]


def _changes_this_run(emulator: LocalEmulator) -> bool:
    """Return whether a new run time changes this run; in the 2021 edition it waits for the next start."""
    return emulator.state()["edition"] == "2019"


def _deviation(before: dict[str, Any], after: dict[str, Any], expected: timedelta) -> timedelta:
    """Return how far the stop time is from the expected one."""
    used = RUN_TIME_USED if "create_at" in after else timedelta()
    return abs(_stop_time_change(before, after) - expected - used)


def _check_quickstart(
    emulator: LocalEmulator, before: dict[str, Any], after: dict[str, Any], output: str
) -> None:
    # The cell that fails on purpose sends nothing.
    assert len(_write_methods(emulator)) == 5
    assert "DEMO · local emulator" in output
    if _changes_this_run(emulator):
        assert _deviation(before, after, timedelta(hours=2)) <= NOTEBOOK_DURATION
        assert "Extended." in output
    else:
        assert _stop_time_change(before, after) == timedelta()
        # The run time is saved for the next start.
        assert after["duration_s"] == 3 * 3600
        assert "This run was NOT extended" in output


def _check_english_quickstart(
    emulator: LocalEmulator, before: dict[str, Any], after: dict[str, Any], output: str
) -> None:
    assert after["description"] == "Trained by a script"
    _check_quickstart(emulator, before, after, output)


def _check_chinese_quickstart(
    emulator: LocalEmulator, before: dict[str, Any], after: dict[str, Any], output: str
) -> None:
    assert after["description"] == "训练脚本写入的描述"
    _check_quickstart(emulator, before, after, output)


def _check_form(
    emulator: LocalEmulator, before: dict[str, Any], after: dict[str, Any], output: str
) -> None:
    assert after["description"] == "run 4\uff0f5"
    if _changes_this_run(emulator):
        assert _deviation(before, after, timedelta(hours=2)) <= NOTEBOOK_DURATION
    else:
        assert _stop_time_change(before, after) == timedelta()
        assert "This run is NOT affected" in output


def _check_long_runs(
    emulator: LocalEmulator, before: dict[str, Any], after: dict[str, Any], output: str
) -> None:
    assert "step 2" in output
    assert "Nothing keeps this instance running." in output
    if _changes_this_run(emulator):
        assert "Kept alive while this cell runs, until" in output
        assert "Kept alive while this block runs, until" in output
        assert _stop_time_change(before, after) > timedelta(minutes=30)
    else:
        assert "NOT kept alive: This API applies a new run time at the next start only" in output
        assert "Not kept: This API applies a new run time at the next start only" in output
        assert _stop_time_change(before, after) == timedelta()
        assert after["duration_s"] == before["duration_s"]


def _check_checkpoints(
    emulator: LocalEmulator, before: dict[str, Any], after: dict[str, Any], output: str
) -> None:
    assert "The handler of SIGTERM was called in the cell" in output
    # The cell prints "saved" or this, beside a thread that prints the result of the delivery.
    assert "not saved" not in output
    assert "stopping soon: True" in output
    assert "['saved by a function']" in output
    for framework in ("Trainer", "MindSpore"):
        assert f"{framework}: saved" in output or f"NOT RUN: {framework}: No module" in output
    assert _write_methods(emulator) == []
    assert _stop_time_change(before, after) == timedelta()


_CHECKS = {
    "01-quickstart.ipynb": _check_english_quickstart,
    "01-quickstart.zh-CN.ipynb": _check_chinese_quickstart,
    "02-form-and-countdown.ipynb": _check_form,
    "03-long-runs.ipynb": _check_long_runs,
    "04-checkpoints.ipynb": _check_checkpoints,
}
