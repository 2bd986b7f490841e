"""Tab behind ``%modelarts``: from the grammar, without the cloud, and harmless to everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from IPython.core.completer import provisionalcompleter

from modelarts_magics.commands.grammar import COMMANDS

if TYPE_CHECKING:
    from conftest import NotebookShell
    from emulator_harness import EmulatorHarness

NAMES = set(COMMANDS)
OPTIONS = {name: {each.name for each in command.options} for name, command in COMMANDS.items()}


def offered(notebook: NotebookShell, text: str) -> set[str]:
    """Return what IPython offers at the end of a text."""
    with provisionalcompleter():
        return {each.text for each in notebook.shell.Completer.completions(text, len(text))}


@pytest.mark.parametrize("prefix", ["", "x = ", "    ", "f(1)\ny = "])
@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        (" ", NAMES),
        ("  ", NAMES),
        (" sta", {"status"}),
        (" status", {"status"}),
        (" status ", OPTIONS["status"]),
        (" status --a", {"--all"}),
        (" status --all ", OPTIONS["status"] - {"--all"}),
        (" describe --re", {"--replace"}),
        (" describe --", OPTIONS["describe"]),
        (" describe --replace --", OPTIONS["describe"] - {"--replace"}),
        (" auto-stop o", {"on", "off"}),
        (" auto-stop --no", {"--no-remind"}),
        (" auto-stop 2h --", OPTIONS["auto-stop"]),
        (" help ", NAMES - {"help"}),
        (" help ext", {"extend"}),
    ],
)
def test_what_may_follow_is_offered(
    notebook_and_harness: tuple[NotebookShell, EmulatorHarness],
    prefix: str,
    typed: str,
    wanted: set[str],
) -> None:
    """Nothing else, and nobody is asked for it."""
    notebook, stage = notebook_and_harness
    assert offered(notebook, f"{prefix}%modelarts{typed}") == wanted
    assert stage.emulator.requests == []


@pytest.mark.parametrize(
    ("typed", "wanted"), [("des", {"describe"}), ("describe --c", {"--clear"})]
)
def test_a_cells_first_line_too(notebook: NotebookShell, typed: str, wanted: set[str]) -> None:
    """With two percent signs."""
    assert offered(notebook, f"%%modelarts {typed}") == wanted


@pytest.mark.parametrize("typed", ["auto-stop 2h o", "help extend ", "xyz", "xyz --", "help help "])
def test_where_nothing_of_ours_may_follow_nothing_is_offered(
    notebook: NotebookShell, typed: str
) -> None:
    """Of ours."""
    ours = NAMES.union(*OPTIONS.values()) - {"help"}  # which Python has, too
    assert not offered(notebook, f"%modelarts {typed}") & ours


def test_an_old_front_end_gets_the_same(notebook: NotebookShell) -> None:
    """By IPython's first way of asking."""
    line = "x = %modelarts sta"
    with pytest.warns(PendingDeprecationWarning):
        assert notebook.shell.complete("sta", line, len(line)) == ("sta", ["status"])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("import o", "os"),
        ("prin", "print"),
        ("%modelart", "%modelarts"),
        ("%%modelart", "%%modelarts"),
        ("%tim", "%time"),
        ("modelarts_thing = 1; modelarts_th", "modelarts_thing"),
        ("%time modelarts_th", "modelarts_thing"),
        ("%modelarts describe --from modelarts_th", "modelarts_thing"),
        ("%%modelarts describe\nmodelarts_th", "modelarts_thing"),
        ("%modelarts status\nmodelarts_th", "modelarts_thing"),
        ("print('%modelarts', modelarts_th", "modelarts_thing"),
    ],
)
def test_other_completions_are_unharmed(notebook: NotebookShell, text: str, wanted: str) -> None:
    """Before, beside and below ours."""
    notebook.shell.user_ns["modelarts_thing"] = 1
    assert wanted in offered(notebook, text)


@pytest.mark.parametrize("text", ["a text --", "-- --", "--clear nonsense --"])
def test_a_text_is_not_ours_to_complete(notebook: NotebookShell, text: str) -> None:
    """Options stand only before it."""
    assert not offered(notebook, f"%modelarts describe {text}") & OPTIONS["describe"]


def test_nothing_is_offered_without_the_extension(notebook: NotebookShell) -> None:
    """After it was unloaded."""
    notebook.run("%unload_ext modelarts_magics")
    assert not offered(notebook, "%modelarts st") & NAMES
