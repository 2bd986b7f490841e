"""Loading into an IPython that does not fit: replaced on disk, or without widget packages."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import TYPE_CHECKING

import IPython
import pytest

from modelarts_magics.errors import ConfigurationError
from modelarts_magics.kernel.restart import check_loaded_ipython

if TYPE_CHECKING:
    from conftest import NotebookShell


def test_replaced_ipython_asks_for_a_restart() -> None:
    """Both versions are named, and the hint says what to do."""
    with pytest.raises(ConfigurationError) as caught:
        check_loaded_ipython("7.34.0", installed=lambda _name: "8.18.1")
    assert caught.value._render_traceback_() == [
        "IPython 8.18.1 was installed while this kernel runs 7.34.0.",
        "Restart the kernel, then run this cell again.",
    ]


def test_ipython_without_metadata_is_accepted() -> None:
    """Nothing is known about it."""

    def raise_not_found(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    check_loaded_ipython("7.34.0", installed=raise_not_found)
    check_loaded_ipython()


def test_load_ext_prints_no_traceback_after_ipython_was_replaced(
    notebook: NotebookShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cell fails with two lines, and works once the versions agree."""
    notebook.run("%unload_ext modelarts_magics")
    with monkeypatch.context() as patch:
        patch.setattr(IPython, "__version__", "7.31.0")
        result, output = notebook.run_allowing_errors("%load_ext modelarts_magics")
    assert not result.success
    assert output.endswith("Restart the kernel, then run this cell again.\n")
    assert "Traceback" not in output
    assert len(output.splitlines()) == 2
    notebook.run("%load_ext modelarts_magics")


@pytest.mark.parametrize("command", ["countdown", "form"])
def test_missing_widget_package_is_a_sentence(
    notebook: NotebookShell, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """The instance is shown as text, with what works instead."""
    for name in list(sys.modules):
        if name.startswith(("modelarts_magics.kernel.countdown", "modelarts_magics.kernel.form")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "anywidget", None)
    output = notebook.run(f"%modelarts {command}")
    assert "demo-notebook" in output
    assert "No widget can be shown" in output
    assert "%modelarts extend" in output
