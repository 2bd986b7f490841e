"""How values look: valid HTML in which nothing of the cloud's is markup, and text that drives nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Callable

import pytest
from emulator_harness import HTML_INJECTION, StrictHtmlParser

from modelarts_magics.commands.render import render_html, render_text
from modelarts_magics.commands.results import InstanceDetails, JsonResult, TextResult
from modelarts_magics.doctor import DoctorReport, Finding, Level

if TYPE_CHECKING:
    from emulator_harness import EmulatorHarness

LINES = ["", "status --all", "auto-stop", "describe new", "extend", "auto-stop off", "doctor"]
PLAIN = ["status --json", "describe", "help", "help describe", "extend --json", "doctor --json"]


def words(text: str) -> str:
    """Return a text without its white space, which HTML does not keep."""
    return "".join(text.split())


@pytest.mark.parametrize("edition", ["2019", "2021"])
@pytest.mark.parametrize("line", [*LINES, *PLAIN])
def test_text_and_html_say_the_same(
    make_harness: Callable[..., EmulatorHarness], edition: str, line: str
) -> None:
    """Every word of the one is in the other; no sign is a colour alone."""
    value = make_harness(edition=edition).run_magic(line)
    page = StrictHtmlParser(render_html(value))
    assert page.tags <= {"div", "strong", "br", "table", "tr", "th", "td"}
    assert page.attributes <= {"style"}
    if not isinstance(value, InstanceDetails):  # whose table is laid out differently
        assert words(page.text) == words(render_text(value))


@pytest.mark.parametrize("line", ["", "status --all", "auto-stop", "describe new"])
def test_nothing_of_the_clouds_is_markup(harness: EmulatorHarness, line: str) -> None:
    """Neither a name nor a description can add an element or end one."""
    harness.emulator.set_instance(name=HTML_INJECTION, description=HTML_INJECTION)
    page = StrictHtmlParser(render_html(harness.run_magic(line)))
    assert not page.tags & {"img", "script"}
    assert page.attributes <= {"style"}
    assert HTML_INJECTION in page.text


def test_a_finding_is_escaped_too() -> None:
    """Whatever a path or a server's name holds."""
    report = DoctorReport((Finding(HTML_INJECTION, Level.PROBLEM, HTML_INJECTION, HTML_INJECTION),))
    page = StrictHtmlParser(render_html(report))
    assert page.text.count(HTML_INJECTION) == 3
    assert "img" not in page.tags


def test_lines_of_a_description_stay_lines(harness: EmulatorHarness) -> None:
    """In both forms."""
    harness.emulator.set_instance(description="one\ntwo")
    value = harness.run_magic("")
    assert "Description: one\ntwo" in render_text(value)
    assert "Description: one<br>two" in render_html(value)


@pytest.mark.parametrize("line", ["", "status --all", "describe new"])
def test_a_long_word_wraps(harness: EmulatorHarness, line: str) -> None:
    """It does not make the page wider."""
    harness.emulator.set_instance(description="x" * 512)
    markup = render_html(harness.run_magic(line))
    around = markup[: markup.rindex("x" * 512)]
    opened = around[around.rindex("<td" if line == "status --all" else "<div style") :]
    assert "overflow-wrap: anywhere" in opened


@pytest.mark.parametrize("line", ["", "status --all", "describe new", "describe", "status --json"])
@pytest.mark.parametrize(
    "odd", ["\x1b[2J\x1b]0;owned\x07", "\r", "\x00", "\x9b31m", "\ud800", "\x08"]
)
def test_what_the_cloud_says_drives_no_terminal(
    harness: EmulatorHarness, line: str, odd: str
) -> None:
    """And can always be written."""
    harness.emulator.set_instance(name=f"n{odd}n", description=f"d{odd}d")
    value = harness.run_magic(line)
    for shown in (render_text(value), render_html(value), shown_by_ipython(value)):
        shown.encode()
        assert not [letter for letter in shown if letter < " " and letter not in "\n\t"]
        assert not [letter for letter in shown if "\x7f" <= letter <= "\x9f"]


def test_the_theme_decides_the_colours(harness: EmulatorHarness) -> None:
    """By its variables, each with a fallback for where there is none."""
    for line in ("", "extend"):
        markup = render_html(harness.run_magic(line))
        assert "var(--jp-" in markup
        assert "color:" not in markup.replace("border-left", "")


def test_a_table_has_a_row_for_every_field(harness: EmulatorHarness) -> None:
    """Its name, and a dash where nothing is known."""
    text = render_text(harness.run_magic("status --all"))
    assert re.search(r"\nauto_stop\.enabled +true\n", text)
    for name in ("flavor", "workspace.id", "profile.provision.spec.params.image_tag"):
        assert f"\n{name} " in text
    assert text.splitlines()[-2].split() == ["stop_time_unknown", "—"]


def test_an_empty_text_can_be_shown() -> None:
    """As a dash, wherever it is shown; it is still an empty text."""
    empty = TextResult("")
    assert (
        render_text(empty),
        StrictHtmlParser(render_html(empty)).text,
        shown_by_ipython(empty),
    ) == ("—", "—", "—")
    assert empty == ""


def test_text_and_json_show_themselves_without_quotes() -> None:
    """In a terminal's IPython as in a notebook."""
    assert repr(TextResult("a 'b'\nc")) == shown_by_ipython(TextResult("a 'b'\nc")) == "a 'b'\nc"
    assert repr(JsonResult(a=["ü", None])) == '{\n  "a": [\n    "ü",\n    null\n  ]\n}'
    assert JsonResult(a=1) == {"a": 1}


def shown_by_ipython(value: object) -> str:
    """Return what IPython's pretty printer makes of a value that knows how to show itself."""

    class Printer:
        """Collects what it is given."""

        written = ""

        def text(self, words: str) -> None:
            """Collect it."""
            self.written += words

    printer = Printer()
    if not hasattr(value, "_repr_pretty_"):
        return render_text(value)
    value._repr_pretty_(printer, False)
    return printer.written
