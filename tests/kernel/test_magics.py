"""``%modelarts`` in IPython: arguments, results, errors, settings, loading and unloading."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Callable

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
def test_description_is_sent_verbatim(
    notebook: NotebookShell, harness: EmulatorHarness, text: str
) -> None:
    """Nothing in it is expanded, run or removed, neither in a line nor in a cell."""
    notebook.run("x = 'expanded'")
    notebook.run(f"%modelarts describe {text}")
    assert harness.instance_state()["description"] == text
    notebook.run("%modelarts describe --clear")
    notebook.run(f"%%modelarts describe\n{text}\n  {text}")
    assert harness.instance_state()["description"] == f"{text}\n  {text}"


def test_variables_are_replaced_in_commands(
    notebook: NotebookShell, harness: EmulatorHarness
) -> None:
    """A duration may be computed; a variable that does not exist is named."""
    before = harness.instance_state()["duration_s"]
    notebook.run("hours = 2\nvalue = %modelarts extend {hours // 2}h")
    notebook.run("%modelarts extend {hours}h")
    assert harness.instance_state()["duration_s"] - before == 3 * 3600
    result, shown = notebook.run_allowing_errors("%modelarts extend {minutes}m")
    assert "“{minutes}m” was not replaced" in shown
    assert not result.success


@pytest.mark.parametrize("text", ["it's", 'say "hi"', "a/b", "<b>", "R&D"])
def test_forbidden_character_is_named_by_its_position(
    notebook: NotebookShell, harness: EmulatorHarness, text: str
) -> None:
    """The position is that in the typed text, and nothing is sent."""
    result, shown = notebook.run_allowing_errors(f"%modelarts describe {text}")
    position = next(n for n, letter in enumerate(text, 1) if letter in "&<>\"'/")
    assert f"(position {position})" in shown
    assert "add --replace" in shown
    assert not result.success
    assert harness.emulator.requests == []


def test_trailing_question_mark_is_handled_by_ipython(
    notebook: NotebookShell, harness: EmulatorHarness
) -> None:
    """IPython shows the help of the last word; the magic does not run."""
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
def test_quoted_description_can_end_in_a_question_mark(
    notebook: NotebookShell, harness: EmulatorHarness, cell: str
) -> None:
    """The command that undoes a change is quoted for the same reason."""
    notebook.run(cell)
    assert harness.instance_state()["description"] == "what?"
    shown = notebook.run("%modelarts describe new")
    undo = next(line for line in shown.splitlines() if line.startswith("Undo: "))
    notebook.run(undo.removeprefix("Undo: "))
    assert harness.instance_state()["description"] == "what?"


def test_from_reads_the_description_from_a_variable(
    notebook: NotebookShell, harness: EmulatorHarness
) -> None:
    """Any text is accepted; a missing variable is an error."""
    notebook.run("note = 'two\\n\"lines\"'.replace('\"', '')")
    notebook.run("%modelarts describe --from note")
    assert harness.instance_state()["description"] == "two\nlines"
    result, shown = notebook.run_allowing_errors("%modelarts describe --from nobody")
    assert "Variable nobody does not contain text." in shown
    assert not result.success


@pytest.mark.parametrize(
    "line", ["", "status --all", "describe new", "extend", "auto-stop off", "doctor", "auto-stop"]
)
def test_result_has_text_and_escaped_html(
    notebook: NotebookShell, harness: EmulatorHarness, line: str
) -> None:
    """Both formats contain values of the API as text only."""
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
def test_text_and_json_are_displayed_without_quotes(notebook: NotebookShell, line: str) -> None:
    """They are displayed as plain text only."""
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
def test_error_is_one_line_and_one_hint(notebook: NotebookShell, line: str) -> None:
    """There is no traceback, the rest of the cell does not run, and the cell has failed."""
    result, shown = notebook.run_allowing_errors(f"%modelarts {line}\nafter = True")
    assert len(shown.strip().splitlines()) == 2
    assert "Traceback" not in shown
    assert result.error_in_exec is not None
    assert result.success is False
    assert "after" not in notebook.shell.user_ns


FAULTS = [
    "401", "403", "404", "429", "500", "502", "503", "html", "redirect", "reset", "bad-json",
    "empty", "no-content", "truncated", "reset-after",
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_api_failure_is_one_line_and_one_hint(
    notebook: NotebookShell, harness: EmulatorHarness, fault: str
) -> None:
    """The output contains no HTML, no token and no advice to type a secret into a cell."""
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
    ("missing", "expected"),
    [
        ("MODELARTS_ENDPOINT", "MODELARTS_ENDPOINT"),
        ("MODELARTS_PROJECT_ID", "MODELARTS_PROJECT_ID"),
        ("MODELARTS_AUTH_TOKEN", "No credentials found."),
    ],
)
def test_missing_setting_is_named_before_any_request(
    notebook: NotebookShell, harness: EmulatorHarness, missing: str, expected: str
) -> None:
    """The hint names what to set, without a place to type a secret."""
    del os.environ[missing]
    result, shown = notebook.run_allowing_errors("%modelarts")
    assert not result.success
    assert expected in shown
    assert len(shown.strip().splitlines()) == 2
    assert "%env" not in shown
    assert not re.search(r"(TOKEN|AK|SK) *=", shown)
    assert harness.emulator.requests == []


def test_interrupt_is_one_line(notebook: NotebookShell) -> None:
    """The cell fails with an error that is a KeyboardInterrupt."""

    class InterruptingText(str):
        """A text whose use is interrupted with Ctrl-C."""

        __slots__ = ()

        def translate(self, _table: object) -> str:
            """Interrupt."""
            raise KeyboardInterrupt

    notebook.shell.user_ns["note"] = InterruptingText("x")
    result, shown = notebook.run_allowing_errors("%modelarts describe --replace --from note")
    assert isinstance(result.error_in_exec, CommandInterrupt)
    assert isinstance(result.error_in_exec, KeyboardInterrupt)
    assert (
        shown.strip()
        == "Interrupted. The change may already have been sent; check with: %modelarts status"
    )


def test_environment_is_read_at_each_command(
    make_harness: Callable[..., EmulatorHarness], notebook: NotebookShell
) -> None:
    """A variable set after loading the extension applies to the next command."""
    other = make_harness(name="the other")
    notebook.run("a = %modelarts")
    os.environ.update(other.environ)
    notebook.run("b = %modelarts")
    assert [notebook.variable(name).name for name in "ab"] == ["demo-notebook", "the other"]


def test_config_takes_precedence_over_the_environment(
    notebook: NotebookShell, harness: EmulatorHarness
) -> None:
    """This includes values that equal the default."""
    other = harness.emulator.add_instance(name="second")
    notebook.run(f"%config ModelArts.instance_id = '{other}'")
    assert "second · RUNNING" in notebook.run("%modelarts")
    os.environ["MODELARTS_CONNECT_TIMEOUT"] = "nonsense"
    assert not notebook.run_allowing_errors("%modelarts")[0].success
    notebook.run("%config ModelArts.connect_timeout = 5.0")
    assert "second · RUNNING" in notebook.run("%modelarts")
    shown = notebook.run("%modelarts doctor --all")
    assert f"{other} (%config)" in shown
    assert "5.0 (%config)" in shown
    notebook.run("%config ModelArts.instance_id = ''")
    assert "demo-notebook · RUNNING" in notebook.run("%modelarts")


def test_config_lists_all_settings_but_no_secrets(notebook: NotebookShell) -> None:
    """Each setting has a description."""
    assert "ModelArts" in notebook.run("%config")
    listed = notebook.run("%config ModelArts")
    names = ModelArts.class_trait_names(config=True)
    assert {"endpoint", "region", "instance_id", "timezone"} <= set(names)
    for name in names:
        assert f"ModelArts.{name}=" in listed
        assert ModelArts.class_traits()[name].help
        assert not {"token", "secret", "ak", "sk", "password"} & set(name.split("_"))


def test_ipython_configuration_file_is_used(
    notebook: NotebookShell, harness: EmulatorHarness
) -> None:
    """A value set before the extension is loaded applies."""
    other = harness.emulator.add_instance(name="from the file")
    notebook.run("%unload_ext modelarts_magics")
    notebook.shell.config.ModelArts.instance_id = other
    notebook.run("%load_ext modelarts_magics")
    assert "from the file · RUNNING" in notebook.run("%modelarts")


def test_session_is_reused_until_the_settings_change(notebook: NotebookShell) -> None:
    """A changed setting opens another session."""
    magics = notebook.shell.magics_manager.registry["ModelArts"]
    first = magics.session()
    notebook.run("%modelarts\n%modelarts extend;")
    assert magics.session() is first
    os.environ["MODELARTS_READ_TIMEOUT"] = "9"
    assert magics.session() is not first


def test_time_zone_and_language_are_read_at_each_command(
    notebook: NotebookShell, harness: EmulatorHarness
) -> None:
    """This includes commands that send no request."""
    assert harness.stop_time_text("+08:00") in notebook.run("%modelarts")
    notebook.run("%config ModelArts.timezone = 'UTC'")
    assert harness.stop_time_text("+00:00") in notebook.run("%modelarts")
    notebook.run("%config ModelArts.timezone = 'Nowhere'")
    assert "View and change" in notebook.run("%modelarts help")
    assert "Unknown time zone" in notebook.run("%modelarts doctor")
    result, shown = notebook.run_allowing_errors("%modelarts")
    assert "Unknown time zone" in shown
    assert not result.success


def test_notice_is_printed_before_the_change(
    make_notebook: Callable[..., tuple[NotebookShell, EmulatorHarness]],
) -> None:
    """The notice is above the result that it is about."""
    notebook, _ = make_notebook(edition="2021")
    notebook.run("%modelarts extend 1h")
    shown = notebook.run("%modelarts extend 2h --yes")
    assert shown.index("Earlier run time changes took effect only at the next start") < shown.index(
        "NOT extended"
    )


@pytest.mark.parametrize("question", ["%modelarts?", "?%modelarts", "%%modelarts?"])
def test_question_mark_shows_the_help(notebook: NotebookShell, question: str) -> None:
    """It is the same as `%modelarts help`, without a signature."""
    assert re.search("%modelarts auto-stop +show or set auto-stop", notebook.run(question))


def test_loading_twice_registers_once(notebook: NotebookShell) -> None:
    """Loading prints nothing."""
    shell = notebook.shell
    before = notebook.registrations()
    load_ipython_extension(shell)
    load_ipython_extension(shell)
    assert notebook.registrations() == before
    assert shell.Completer.custom_matchers.count(match_command) == 1
    assert sum(isinstance(each, ModelArts) for each in shell.configurables) == 1


def test_unloading_restores_the_shell(notebook: NotebookShell) -> None:
    """This holds after commands were used, and for unloading twice."""
    shell = notebook.shell
    notebook.run("%unload_ext modelarts_magics")
    without = notebook.registrations()
    assert "modelarts" not in str(without).lower()
    notebook.run("%load_ext modelarts_magics")
    assert notebook.registrations() != without
    for line in ("status", "status --all", "extend", "doctor", "help"):
        notebook.run(f"%modelarts {line}")
    notebook.run("%unload_ext modelarts_magics")
    unload_ipython_extension(shell)
    assert notebook.registrations() == without
    assert shell.find_line_magic("modelarts") is shell.find_cell_magic("modelarts") is None


def test_reloading_preserves_the_configuration(
    notebook: NotebookShell, harness: EmulatorHarness
) -> None:
    """Settings keep their values and can be changed."""
    notebook.run("%config ModelArts.timezone = 'UTC'")
    assert notebook.run("%reload_ext modelarts_magics") == ""
    assert harness.stop_time_text("+00:00") in notebook.run("%modelarts")
    assert "already loaded" in notebook.run("%load_ext modelarts_magics")
    notebook.run("%config ModelArts.timezone = '+09:00'")
    assert harness.stop_time_text("+09:00") in notebook.run("%modelarts")


def test_status_returns_a_typed_value(notebook: NotebookShell) -> None:
    """Code can use its fields without parsing text."""
    notebook.run("s = %modelarts status\nleft = s.auto_stop.stops_at - s.observed_at")
    assert abs(notebook.variable("left") - timedelta(minutes=40)) < timedelta(seconds=2)
    assert notebook.run("s.running").strip().endswith("True")


def test_program_run_in_a_cell_repeats_how_it_was_run(notebook: NotebookShell) -> None:
    """A line for a terminal would fail in the next cell."""
    shown = notebook.run("%run -m modelarts_magics help extend")
    assert "%run -m modelarts_magics extend" in shown
