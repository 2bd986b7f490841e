"""``%modelarts`` in IPython: what is typed arrives, what fails is one line, and nothing is left behind."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Callable

import pytest
from emulator_harness import HTML_INJECTION, StrictHtmlParser

from modelarts_magics import load_ipython_extension, unload_ipython_extension
from modelarts_magics.kernel.completion import match_command
from modelarts_magics.kernel.magics import CommandInterrupt, ModelArts

if TYPE_CHECKING:
    from conftest import NotebookShell
    from emulator_harness import EmulatorHarness


@pytest.mark.parametrize(
    "text",
    [
        "plain words",
        "{x} and $x and {{x}}",
        "%time !ls",
        "C:\\data",
        "a  b\tc",
        "训练 🤖",
        "semi; colon;",
        "# no comment",
        "question? inside",
        "x = 1",
        "(unbalanced [",
    ],
)
def test_a_description_arrives_as_typed(
    notebook: NotebookShell, harness: EmulatorHarness, text: str
) -> None:
    """Nothing of it is a variable, a command or a comment, in one line or in a cell."""
    notebook.run("x = 'expanded'")
    notebook.run(f"%modelarts describe {text}")
    assert harness.instance_state()["description"] == text
    notebook.run("%modelarts describe --clear")
    notebook.run(f"%%modelarts describe\n{text}\n  {text}")
    assert harness.instance_state()["description"] == f"{text}\n  {text}"


@pytest.mark.parametrize("text", ["it's", 'say "hi"', "a/b", "<b>", "R&D"])
def test_what_the_api_forbids_is_judged_as_typed(
    notebook: NotebookShell, harness: EmulatorHarness, text: str
) -> None:
    """Its position is the one that the person sees; nothing is sent."""
    result, shown = notebook.run_allowing_errors(f"%modelarts describe {text}")
    position = next(n for n, letter in enumerate(text, 1) if letter in "&<>\"'/")
    assert f"at position {position} " in shown
    assert "add --replace" in shown
    assert not result.success
    assert harness.emulator.requests == []


def test_ipython_takes_a_question_mark_at_the_end_for_itself(
    notebook: NotebookShell, harness: EmulatorHarness
) -> None:
    """Its help for the last word is shown and nothing is set: the magic never sees the line."""
    shown = notebook.run("%modelarts describe what?")
    assert "`what` not found" in shown
    assert harness.emulator.requests == []


@pytest.mark.parametrize(
    "cell",
    [
        '%modelarts describe "what?"',
        "%modelarts describe 'what?'",
        "%%modelarts describe\nwhat?",
        "get_ipython().run_line_magic('modelarts', 'describe what?')",
    ],
)
def test_quoting_or_a_cell_gets_a_question_mark_through(
    notebook: NotebookShell, harness: EmulatorHarness, cell: str
) -> None:
    """And its undo is quoted for the same reason."""
    notebook.run(cell)
    assert harness.instance_state()["description"] == "what?"
    shown = notebook.run("%modelarts describe new")
    undo = next(line for line in shown.splitlines() if line.startswith("Undo: "))
    notebook.run(undo.removeprefix("Undo: "))
    assert harness.instance_state()["description"] == "what?"


def test_a_text_from_a_variable(notebook: NotebookShell, harness: EmulatorHarness) -> None:
    """Of the person's, whatever it holds."""
    notebook.run("note = 'two\\n\"lines\"'.replace('\"', '')")
    notebook.run("%modelarts describe --from note")
    assert harness.instance_state()["description"] == "two\nlines"
    result, shown = notebook.run_allowing_errors("%modelarts describe --from nobody")
    assert "There is no text in a variable named nobody." in shown
    assert not result.success


@pytest.mark.parametrize(
    "line", ["", "status --all", "describe new", "extend", "auto-stop off", "doctor", "auto-stop"]
)
def test_each_has_text_and_html(
    notebook: NotebookShell, harness: EmulatorHarness, line: str
) -> None:
    """Both with everything of the cloud's escaped."""
    harness.emulator.set_instance(name=HTML_INJECTION)
    notebook.run(f"value = %modelarts {line}")
    rich = notebook.mimebundle(notebook.variable("value"))
    assert set(rich) == {"text/plain", "text/html"}
    assert StrictHtmlParser(rich["text/html"]).tags <= {
        "div",
        "strong",
        "br",
        "table",
        "tr",
        "th",
        "td",
    }
    assert not rich["text/plain"].startswith(("Instance(", "Change(", "Report(", "Details("))


@pytest.mark.parametrize(
    "line", ["status --json", "extend --json", "help", "describe", "doctor --json"]
)
def test_texts_and_json_are_shown_as_they_are(notebook: NotebookShell, line: str) -> None:
    """Without quotes, in plain text."""
    notebook.run(f"value = %modelarts {line}")
    value = notebook.variable("value")
    assert notebook.mimebundle(value) == {"text/plain": repr(value)}
    assert not repr(value).startswith("'")


ERRORS = [
    "nonsense",
    "extend --jsn",
    "auto-stop 90",
    "auto-stop at noon",
    "describe a/b",
    "describe --from nobody",
    "auto-stop 48h",
    "shorten 2h",
    "status extra words",
]


@pytest.mark.parametrize("line", ERRORS)
def test_an_error_is_one_line_and_one_hint(notebook: NotebookShell, line: str) -> None:
    """No traceback, no second cell, and the cell has failed."""
    result, shown = notebook.run_allowing_errors(f"%modelarts {line}\nafter = True")
    assert len(shown.strip().splitlines()) == 2
    assert "Traceback" not in shown
    assert result.error_in_exec is not None
    assert result.success is False
    assert "after" not in notebook.shell.user_ns


FAULTS = [
    "401", "403", "404", "429", "500", "502", "503", "html", "redirect", "reset", "bad-json",
    "empty", "no-content", "truncated", "reset-after", "wrong-types",
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_cloud_is_one_line_and_one_hint(
    notebook: NotebookShell, harness: EmulatorHarness, fault: str
) -> None:
    """Never a page of HTML, never the token, never a request to type a secret into a cell."""
    harness.emulator.add_fault(fault)
    notebook.run("%config ModelArts.total_timeout = 0.5")
    result, shown = notebook.run_allowing_errors("%modelarts")
    assert not result.success
    assert len(shown.strip().splitlines()) == 2
    assert "Traceback" not in shown
    assert harness.emulator.auth_token not in shown
    assert "<" not in shown
    assert "paste" not in shown.lower()


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("MODELARTS_ENDPOINT", "MODELARTS_ENDPOINT"),
        ("MODELARTS_PROJECT_ID", "MODELARTS_PROJECT_ID"),
        ("MODELARTS_AUTH_TOKEN", "No credentials were found."),
    ],
)
def test_a_missing_setting_is_named(
    notebook: NotebookShell, harness: EmulatorHarness, missing: str, words: str
) -> None:
    """With what to set, before anything is sent; no hint has a place for a secret."""
    del os.environ[missing]
    result, shown = notebook.run_allowing_errors("%modelarts")
    assert not result.success
    assert words in shown
    assert len(shown.strip().splitlines()) == 2
    assert "%env" not in shown
    assert not re.search(r"(TOKEN|AK|SK) *=", shown)
    assert harness.emulator.requests == []


def test_an_interrupt_is_one_line(notebook: NotebookShell) -> None:
    """The cell has failed, by an error that is still a KeyboardInterrupt."""

    class Impatient(str):
        """A text at which somebody presses Ctrl-C."""

        __slots__ = ()

        def translate(self, _table: object) -> str:
            """Press it."""
            raise KeyboardInterrupt

    notebook.shell.user_ns["note"] = Impatient("x")
    result, shown = notebook.run_allowing_errors("%modelarts describe --replace --from note")
    assert isinstance(result.error_in_exec, CommandInterrupt)
    assert isinstance(result.error_in_exec, KeyboardInterrupt)
    assert shown.strip() == "Interrupted. A change may have been sent: %modelarts status"


def test_a_variable_set_after_loading_counts(
    make_harness: Callable[..., EmulatorHarness], notebook: NotebookShell
) -> None:
    """At the next command."""
    other = make_harness(name="the other")
    notebook.run("a = %modelarts")
    os.environ.update(other.environ)
    notebook.run("b = %modelarts")
    assert [notebook.variable(name).name for name in "ab"] == ["demo-notebook", "the other"]


def test_config_counts_and_wins(notebook: NotebookShell, harness: EmulatorHarness) -> None:
    """Over the environment, also where it says what is the default anyway."""
    other = harness.emulator.add_instance(name="second")
    notebook.run(f"%config ModelArts.instance_id = '{other}'")
    assert "second · RUNNING" in notebook.run("%modelarts")
    os.environ["MODELARTS_CONNECT_TIMEOUT"] = "nonsense"
    assert not notebook.run_allowing_errors("%modelarts")[0].success
    notebook.run("%config ModelArts.connect_timeout = 5.0")
    assert "second · RUNNING" in notebook.run("%modelarts")
    shown = notebook.run("%modelarts doctor")
    assert f"{other} (%config)" in shown
    assert "5.0 (%config)" in shown
    notebook.run("%config ModelArts.instance_id = ''")
    assert "demo-notebook · RUNNING" in notebook.run("%modelarts")


def test_config_lists_what_can_be_set(notebook: NotebookShell) -> None:
    """Each setting with a sentence; nothing secret is among them."""
    assert "ModelArts" in notebook.run("%config")
    listed = notebook.run("%config ModelArts")
    names = ModelArts.class_trait_names(config=True)
    assert {"endpoint", "region", "instance_id", "timezone"} <= set(names)
    for name in names:
        assert f"ModelArts.{name}=" in listed
        assert ModelArts.class_traits()[name].help
        assert not {"token", "secret", "ak", "sk", "password"} & set(name.split("_"))


def test_a_configuration_file_counts(notebook: NotebookShell, harness: EmulatorHarness) -> None:
    """As `ipython_config.py` sets it before the extension is loaded."""
    other = harness.emulator.add_instance(name="from the file")
    notebook.run("%unload_ext modelarts_magics")
    notebook.shell.config.ModelArts.instance_id = other
    notebook.run("%load_ext modelarts_magics")
    assert "from the file · RUNNING" in notebook.run("%modelarts")


def test_the_session_is_kept_while_the_settings_stay(notebook: NotebookShell) -> None:
    """And replaced, the old one closed, when they change."""
    magics = notebook.shell.magics_manager.registry["ModelArts"]
    first = magics.session()
    notebook.run("%modelarts\n%modelarts extend;")
    assert magics.session() is first
    os.environ["MODELARTS_READ_TIMEOUT"] = "9"
    assert magics.session() is not first


def test_the_zone_and_the_language_of_the_moment_count(notebook: NotebookShell) -> None:
    """Also for a command that asks no cloud."""
    assert "16:40 +08:00" in notebook.run("%modelarts")
    notebook.run("%config ModelArts.timezone = 'UTC'")
    assert "08:40 +00:00" in notebook.run("%modelarts")
    notebook.run("%config ModelArts.timezone = 'Nowhere'")
    assert "See and change" in notebook.run("%modelarts help")
    assert "not a time zone" in notebook.run("%modelarts doctor")
    result, shown = notebook.run_allowing_errors("%modelarts")
    assert "not a time zone" in shown
    assert not result.success


def test_a_notice_is_shown_before_the_write(
    make_notebook: Callable[..., tuple[NotebookShell, EmulatorHarness]],
) -> None:
    """Above the change that it is about."""
    notebook, _ = make_notebook(edition="2021")
    notebook.run("%modelarts extend 1h")
    shown = notebook.run("%modelarts extend 2h")
    assert shown.index("This cloud has let a new duration wait") < shown.index("NOT extended")


@pytest.mark.parametrize("question", ["%modelarts?", "?%modelarts", "%%modelarts?"])
def test_a_question_mark_shows_the_help(notebook: NotebookShell, question: str) -> None:
    """The same as `%modelarts help`, and no signature of ours."""
    assert "%modelarts auto-stop  show or set auto-stop" in notebook.run(question)


def test_loading_is_silent_and_once(notebook: NotebookShell) -> None:
    """However often it is done."""
    shell = notebook.shell
    before = snapshot(shell)
    load_ipython_extension(shell)
    load_ipython_extension(shell)
    assert snapshot(shell) == before
    assert shell.Completer.custom_matchers.count(match_command) == 1
    assert sum(isinstance(each, ModelArts) for each in shell.configurables) == 1


def test_unloading_leaves_nothing_behind(notebook: NotebookShell) -> None:
    """Not after use either; and twice is as good as once."""
    shell = notebook.shell
    notebook.run("%unload_ext modelarts_magics")
    without = snapshot(shell)
    assert "modelarts" not in str(without).lower()
    notebook.run("%load_ext modelarts_magics")
    assert snapshot(shell) != without
    for line in ("status", "status --all", "extend", "doctor", "help"):
        notebook.run(f"%modelarts {line}")
    notebook.run("%unload_ext modelarts_magics")
    unload_ipython_extension(shell)
    assert snapshot(shell) == without
    assert shell.find_line_magic("modelarts") is shell.find_cell_magic("modelarts") is None


def test_reloading_works(notebook: NotebookShell) -> None:
    """With what was set still set, and still to be set."""
    notebook.run("%config ModelArts.timezone = 'UTC'")
    assert notebook.run("%reload_ext modelarts_magics") == ""
    assert "08:40 +00:00" in notebook.run("%modelarts")
    assert "already loaded" in notebook.run("%load_ext modelarts_magics")
    notebook.run("%config ModelArts.timezone = '+09:00'")
    assert "17:40 +09:00" in notebook.run("%modelarts")


def test_a_status_is_a_value_to_work_with(notebook: NotebookShell) -> None:
    """Typed, and with nothing to parse."""
    notebook.run("s = %modelarts status\nleft = s.auto_stop.stops_at - s.observed_at")
    assert abs(notebook.variable("left") - timedelta(minutes=40)) < timedelta(seconds=2)
    assert notebook.run("s.running").strip().endswith("True")


def snapshot(shell: Any) -> dict[str, Any]:  # noqa: ANN401 - IPython
    """Return all places of a shell in which an extension can leave something."""
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
