"""Fixtures of the kernel's tests: an IPython shell, an emulator, and the displayed output of cells."""

from __future__ import annotations

import atexit
import sys
from typing import TYPE_CHECKING, Any, Callable

import pytest
from emulator_harness import EmulatorHarness, environment_variables
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from IPython.core.interactiveshell import ExecutionResult


class NotebookShell:
    """A notebook whose cells run in an IPython shell.

    Attributes:
        shell: The shell.
    """

    def __init__(self, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
        self.shell = shell
        self._capsys = capsys

    def run(self, cell: str) -> str:
        """Run a cell that has to succeed, and return everything that it displayed."""
        result, output = self.run_allowing_errors(cell)
        assert result.success, output
        return output

    def run_allowing_errors(self, cell: str) -> tuple[ExecutionResult, str]:
        """Run a cell, and return its result and everything that it displayed."""
        self._capsys.readouterr()
        result = self.shell.run_cell(cell, store_history=True)
        out, err = self._capsys.readouterr()
        assert err == ""
        return result, out

    def variable(self, name: str) -> object:
        """Return a variable of the user."""
        return self.shell.user_ns[name]

    def mimebundle(self, value: object) -> dict[str, str]:
        """Return a value in all formats in which IPython would display it."""
        return self.shell.display_formatter.format(value)[0]

    def registrations(self) -> dict[str, Any]:
        """Return all places of the shell that an extension can change."""
        shell: Any = self.shell
        formatters = shell.display_formatter.formatters
        return {
            "magics": {kind: sorted(found) for kind, found in shell.magics_manager.magics.items()},
            "registry": sorted(shell.magics_manager.registry),
            "configurables": [type(each).__name__ for each in shell.configurables],
            "matchers": [str(each) for each in shell.Completer.custom_matchers],
            "printers": {
                kind: sorted(map(str, [*each.type_printers, *each.deferred_printers]))
                for kind, each in formatters.items()
            },
            "callbacks": {name: len(found) for name, found in shell.events.callbacks.items()},
            "hooks": sorted(vars(shell.hooks)),
            "observers": len(shell._trait_notifiers),
        }


@pytest.fixture(scope="session")
def ipython(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InteractiveShell]:
    """Return the one IPython shell of this process, without files on disk."""
    main = sys.modules["__main__"]
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.ipython_dir = str(tmp_path_factory.mktemp("ipython"))
    config.Completer.use_jedi = False
    # IPython warns in the output of a cell when the cache is full.
    config.InteractiveShell.cache_size = 1_000_000
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config)
    sys.modules["__main__"] = main
    yield shell
    atexit.unregister(shell.atexit_operations)
    shell.atexit_operations()
    InteractiveShell.clear_instance()


@pytest.fixture
def make_notebook(
    ipython: InteractiveShell,
    capsys: pytest.CaptureFixture[str],
    make_harness: Callable[..., EmulatorHarness],
) -> Iterator[Callable[..., tuple[NotebookShell, EmulatorHarness]]]:
    """Return a function that makes a notebook with the extension loaded, and an emulator with options."""
    for name in set(ipython.user_ns) - set(ipython.user_ns_hidden):
        del ipython.user_ns[name]
    # A failed test may have left the extension loaded.
    ipython.run_cell("%unload_ext modelarts_magics")
    ipython.config.pop("ModelArts", None)
    capsys.readouterr()
    environments = []

    def make(**options: object) -> tuple[NotebookShell, EmulatorHarness]:
        harness = make_harness(real_time=True, **options)
        environments.append(environment_variables(harness.environ))
        environments[-1].__enter__()
        notebook = NotebookShell(ipython, capsys)
        assert notebook.run("%load_ext modelarts_magics") == ""
        return notebook, harness

    yield make
    ipython.run_cell("%unload_ext modelarts_magics")
    for each in environments:
        each.__exit__(None, None, None)


@pytest.fixture
def notebook_and_harness(
    make_notebook: Callable[..., tuple[NotebookShell, EmulatorHarness]],
) -> tuple[NotebookShell, EmulatorHarness]:
    """Return a notebook and an emulator with default options."""
    return make_notebook()


@pytest.fixture
def notebook(notebook_and_harness: tuple[NotebookShell, EmulatorHarness]) -> NotebookShell:
    """Return a notebook connected to the emulator `harness`."""
    return notebook_and_harness[0]


@pytest.fixture
def harness(notebook_and_harness: tuple[NotebookShell, EmulatorHarness]) -> EmulatorHarness:
    """Return the emulator of `notebook`."""
    return notebook_and_harness[1]
