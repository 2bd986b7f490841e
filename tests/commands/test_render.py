"""Rendering of results: valid, escaped HTML, and text without control characters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Callable

import pytest
from emulator_harness import HTML_INJECTION, StrictHtmlParser

from modelarts_magics.commands.render import render_html, render_text
from modelarts_magics.commands.results import InstanceDetails, JsonResult, TextResult
from modelarts_magics.doctor.findings import Finding, Level
from modelarts_magics.doctor.report import DoctorReport

if TYPE_CHECKING:
    from emulator_harness import EmulatorHarness

LINES = ["", "status --all", "auto-stop", "describe new", "extend", "auto-stop off", "doctor"]
PLAIN = ["status --json", "describe", "help", "help describe", "extend --json", "doctor --json"]


def without_whitespace(text: str) -> str:
    """Return a text without white space, which HTML does not preserve."""
    return "".join(text.split())


@pytest.mark.parametrize("edition", ["2019", "2021"])
@pytest.mark.parametrize("line", [*LINES, *PLAIN])
def test_text_and_html_have_the_same_content(
    make_harness: Callable[..., EmulatorHarness], edition: str, line: str
) -> None:
    """Nothing is expressed by colour alone."""
    value = make_harness(edition=edition).run_magic(line)
    page = StrictHtmlParser(render_html(value))
    assert page.tags <= {"div", "strong", "br", "table", "tr", "th", "td"}
    assert page.attributes <= {"style", "class"}
    # Tables have another layout as text.
    if not isinstance(value, InstanceDetails):
        assert without_whitespace(page.text) == without_whitespace(render_text(value))


@pytest.mark.parametrize("line", ["", "status --all", "auto-stop", "describe new"])
def test_values_of_the_api_are_escaped(harness: EmulatorHarness, line: str) -> None:
    """A name or description can neither open nor close an element."""
    harness.emulator.set_instance(name=HTML_INJECTION, description=HTML_INJECTION)
    page = StrictHtmlParser(render_html(harness.run_magic(line)))
    assert not page.tags & {"img", "script"}
    assert page.attributes <= {"style", "class"}
    assert HTML_INJECTION in page.text


def test_findings_are_escaped() -> None:
    """A path or a name may contain anything."""
    report = DoctorReport((Finding(HTML_INJECTION, Level.PROBLEM, HTML_INJECTION, HTML_INJECTION),))
    page = StrictHtmlParser(render_html(report))
    assert page.text.count(HTML_INJECTION) == 3
    assert "img" not in page.tags


def test_line_breaks_of_a_description_are_preserved(harness: EmulatorHarness) -> None:
    """This holds for text and HTML."""
    harness.emulator.set_instance(description="one\ntwo")
    value = harness.run_magic("")
    assert "Description: one\ntwo" in render_text(value)
    assert "Description: one<br>two" in render_html(value)


@pytest.mark.parametrize("line", ["", "status --all", "describe new"])
def test_long_word_is_wrapped(harness: EmulatorHarness, line: str) -> None:
    """It does not make the page wider."""
    harness.emulator.set_instance(description="x" * 512)
    markup = render_html(harness.run_magic(line))
    around = markup[: markup.rindex("x" * 512)]
    opened = around[around.rindex("<td" if line == "status --all" else "<div ") :]
    assert "overflow-wrap: anywhere" in opened


@pytest.mark.parametrize("line", ["", "status --all", "describe new", "describe", "status --json"])
@pytest.mark.parametrize(
    "odd", ["\x1b[2J\x1b]0;owned\x07", "\r", "\x00", "\x9b31m", "\ud800", "\x08"]
)
def test_control_characters_are_replaced(harness: EmulatorHarness, line: str, odd: str) -> None:
    """The output has no effect on a terminal and can always be encoded."""
    harness.emulator.set_instance(name=f"n{odd}n", description=f"d{odd}d")
    value = harness.run_magic(line)
    for shown in (render_text(value), render_html(value), pretty_printed(value)):
        shown.encode()
        assert not [letter for letter in shown if letter < " " and letter not in "\n\t"]
        assert not [letter for letter in shown if "\x7f" <= letter <= "\x9f"]


def test_colours_are_variables_of_the_theme(harness: EmulatorHarness) -> None:
    """Each has a fallback for pages without the theme."""
    for line in ("", "extend"):
        markup = render_html(harness.run_magic(line))
        assert "var(--jp-" in markup
        assert "color:" not in markup.replace("border-left", "")


def test_status_all_has_a_row_for_every_field(harness: EmulatorHarness) -> None:
    """Unknown values are a dash."""
    text = render_text(harness.run_magic("status --all"))
    assert re.search(r"\nauto_stop\.enabled +true\n", text)
    for name in ("flavor", "workspace.id", "profile.provision.spec.params.image_tag"):
        assert f"\n{name} " in text
    assert text.splitlines()[-2].split() == ["stop_time_unknown", "—"]


def test_empty_text_is_shown_as_a_dash() -> None:
    """Its value is still empty."""
    empty = TextResult("")
    assert (
        render_text(empty),
        StrictHtmlParser(render_html(empty)).text,
        pretty_printed(empty),
    ) == ("—", "—", "—")
    assert empty == ""


def test_text_and_json_have_no_quotes() -> None:
    """This holds for `repr` and for IPython."""
    assert repr(TextResult("a 'b'\nc")) == pretty_printed(TextResult("a 'b'\nc")) == "a 'b'\nc"
    assert repr(JsonResult(a=["ü", None])) == '{\n  "a": [\n    "ü",\n    null\n  ]\n}'
    assert JsonResult(a=1) == {"a": 1}


def pretty_printed(value: object) -> str:
    """Return the output of IPython's pretty printer for a value."""

    class Printer:
        """Collects the output."""

        output = ""

        def text(self, text: str) -> None:
            """Append to the output."""
            self.output += text

    printer = Printer()
    if not hasattr(value, "_repr_pretty_"):
        return render_text(value)
    value._repr_pretty_(printer, False)
    return printer.output
