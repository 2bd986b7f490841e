"""Tab completion after ``%modelarts``: from the grammar, without a request, and without effect elsewhere."""

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


def completions(notebook: NotebookShell, text: str) -> set[str]:
    """Return the completions that IPython offers at the end of a text."""
    with provisionalcompleter():
        return {each.text for each in notebook.shell.Completer.completions(text, len(text))}


def test_values_come_first_in_natural_order_with_descriptions(notebook: NotebookShell) -> None:
    """IPython does not sort them, and front ends show the description beside the word."""
    text = "%modelarts extend "
    with provisionalcompleter():
        found = list(notebook.shell.Completer.completions(text, len(text)))
    shown = [(each.text, each.type) for each in found]
    assert shown[:4] == [("30m", "30 min"), ("1h", "1 h"), ("2h", "2 h"), ("4h", "4 h")]
    assert ("--json", "output JSON") in shown[4:]
    assert all(word.startswith("--") for word, _ in shown[4:])


def test_every_completion_has_a_description(notebook: NotebookShell) -> None:
    """It says more than that the word is a parameter."""
    for line in ("", "auto-stop ", "extend ", "shorten ", "stop ", "status ", "help "):
        text = f"%modelarts {line}"
        with provisionalcompleter():
            found = list(notebook.shell.Completer.completions(text, len(text)))
        assert found
        assert [each.text for each in found if each.type == "param"] == []


@pytest.mark.parametrize("prefix", ["", "x = ", "    ", "f(1)\ny = "])
@pytest.mark.parametrize(
    ("typed", "expected"),
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
def test_commands_and_options_are_completed(
    notebook_and_harness: tuple[NotebookShell, EmulatorHarness],
    prefix: str,
    typed: str,
    expected: set[str],
) -> None:
    """Exactly the possible words are offered, and no request is sent."""
    notebook, harness = notebook_and_harness
    assert completions(notebook, f"{prefix}%modelarts{typed}") == expected
    assert harness.emulator.requests == []


@pytest.mark.parametrize(
    ("typed", "expected"), [("des", {"describe"}), ("describe --c", {"--clear"})]
)
def test_first_line_of_a_cell_magic_is_completed(
    notebook: NotebookShell, typed: str, expected: set[str]
) -> None:
    """The magic is typed with two percent signs."""
    assert completions(notebook, f"%%modelarts {typed}") == expected


def test_line_without_percent_sign_is_completed(notebook: NotebookShell) -> None:
    """IPython runs a magic without its percent sign, unless a variable has its name."""
    assert completions(notebook, "modelarts sta") == {"status"}
    notebook.run("modelarts = 'a variable'")
    assert "status" not in completions(notebook, "modelarts sta")


@pytest.mark.parametrize("typed", ["auto-stop 2h o", "help extend ", "xyz", "xyz --", "help help "])
def test_nothing_is_offered_where_no_word_can_follow(notebook: NotebookShell, typed: str) -> None:
    """Commands and options are offered only where they are valid."""
    # Python itself offers `help`.
    own_words = NAMES.union(*OPTIONS.values()) - {"help"}
    assert not completions(notebook, f"%modelarts {typed}") & own_words


def test_complete_request_of_old_front_ends_is_supported(notebook: NotebookShell) -> None:
    """IPython's older completion interface returns the same words."""
    line = "x = %modelarts sta"
    with pytest.warns(PendingDeprecationWarning):
        assert notebook.shell.complete("sta", line, len(line)) == ("sta", ["status"])


@pytest.mark.parametrize(
    ("text", "expected"),
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
def test_other_completions_are_unchanged(notebook: NotebookShell, text: str, expected: str) -> None:
    """Completions before, beside and below the magic are those of IPython."""
    notebook.shell.user_ns["modelarts_thing"] = 1
    assert expected in completions(notebook, text)


@pytest.mark.parametrize("text", ["a text --", "-- --", "--clear nonsense --"])
def test_no_option_is_offered_inside_a_description(notebook: NotebookShell, text: str) -> None:
    """Options are valid only before the text."""
    assert not completions(notebook, f"%modelarts describe {text}") & OPTIONS["describe"]


def test_unloading_removes_the_completion(notebook: NotebookShell) -> None:
    """Without the extension no command is offered."""
    notebook.run("%unload_ext modelarts_magics")
    assert not completions(notebook, "%modelarts st") & NAMES
