"""Fixtures of the kernel half's tests: one IPython, an emulator, and what a person sees of a cell."""

from __future__ import annotations

import atexit
import sys
from typing import TYPE_CHECKING, Callable

import pytest
from emulator_harness import EmulatorHarness, english_messages, environment_variables
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from IPython.core.interactiveshell import ExecutionResult


class NotebookShell:
    """Runs cells and remembers what they showed.

    Attributes:
        shell: The IPython behind it.
    """

    def __init__(self, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
        self.shell = shell
        self._capsys = capsys

    def run(self, cell: str) -> str:
        """Run a cell that has to succeed, and return all that it showed."""
        result, shown = self.run_allowing_errors(cell)
        assert result.success, shown
        return shown

    def run_allowing_errors(self, cell: str) -> tuple[ExecutionResult, str]:
        """Run a cell, and return what became of it and all that it showed."""
        self._capsys.readouterr()
        result = self.shell.run_cell(cell, store_history=True)
        out, err = self._capsys.readouterr()
        assert err == ""
        return result, out

    def variable(self, name: str) -> object:
        """Return a variable of the person."""
        return self.shell.user_ns[name]

    def mimebundle(self, value: object) -> dict[str, str]:
        """Return a value in every form in which IPython would show it."""
        return self.shell.display_formatter.format(value)[0]


@pytest.fixture(scope="session")
def ipython(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InteractiveShell]:
    """Return the one IPython of this process, which keeps nothing on disk."""
    main = sys.modules["__main__"]
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.ipython_dir = str(tmp_path_factory.mktemp("ipython"))
    config.Completer.use_jedi = False
    config.InteractiveShell.cache_size = 1_000_000  # beyond it a warning is shown in our cell
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config)
    sys.modules["__main__"] = main
    yield shell
    atexit.unregister(shell.atexit_operations)
    shell.atexit_operations()
    InteractiveShell.clear_instance()


@pytest.fixture(autouse=True)
def _english_messages() -> Iterator[None]:
    with english_messages():
        yield


@pytest.fixture
def make_notebook(
    ipython: InteractiveShell,
    capsys: pytest.CaptureFixture[str],
    make_harness: Callable[..., EmulatorHarness],
) -> Iterator[Callable[..., tuple[NotebookShell, EmulatorHarness]]]:
    """Make a notebook, with the extension loaded, at an emulator with options."""
    for name in set(ipython.user_ns) - set(ipython.user_ns_hidden):
        del ipython.user_ns[name]
    ipython.run_cell("%unload_ext modelarts_magics")  # what a failed test may have left
    ipython.config.pop("ModelArts", None)
    capsys.readouterr()
    entered = []

    def make(**options: object) -> tuple[NotebookShell, EmulatorHarness]:
        stage = make_harness(**options)
        entered.append(environment_variables(stage.environ))
        entered[-1].__enter__()
        notebook = NotebookShell(ipython, capsys)
        assert notebook.run("%load_ext modelarts_magics") == ""
        return notebook, stage

    yield make
    ipython.run_cell("%unload_ext modelarts_magics")
    for each in entered:
        each.__exit__(None, None, None)


@pytest.fixture
def make_harness(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., EmulatorHarness]]:
    """Make stages with options, and close them afterwards."""
    made: list[EmulatorHarness] = []

    def make(**options: object) -> EmulatorHarness:
        made.append(EmulatorHarness(tmp_path_factory.mktemp("stage"), **options))
        return made[-1]

    yield make
    for stage in made:
        stage.close()


@pytest.fixture
def notebook_and_harness(
    make_notebook: Callable[..., tuple[NotebookShell, EmulatorHarness]],
) -> tuple[NotebookShell, EmulatorHarness]:
    """Return a notebook at an emulator of the seed's edition."""
    return make_notebook()


@pytest.fixture
def notebook(notebook_and_harness: tuple[NotebookShell, EmulatorHarness]) -> NotebookShell:
    """Return a notebook at the emulator `stage`."""
    return notebook_and_harness[0]


@pytest.fixture
def harness(notebook_and_harness: tuple[NotebookShell, EmulatorHarness]) -> EmulatorHarness:
    """Return the emulator of `notebook`."""
    return notebook_and_harness[1]
