"""How values look: valid HTML in which nothing of the cloud's is markup, and text that drives nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Callable

import pytest
from stage import EVIL, Page

from modelarts_magics.commands.render import as_html, as_text
from modelarts_magics.commands.results import Details, Json, Text
from modelarts_magics.doctor import Finding, Level, Report

if TYPE_CHECKING:
    from stage import Stage

LINES = ["", "status --all", "auto-stop", "describe new", "extend", "auto-stop off", "doctor"]
PLAIN = ["status --json", "describe", "help", "help describe", "extend --json", "doctor --json"]


def words(text: str) -> str:
    """Return a text without its white space, which HTML does not keep."""
    return "".join(text.split())


@pytest.mark.parametrize("edition", ["2019", "2021"])
@pytest.mark.parametrize("line", [*LINES, *PLAIN])
def test_text_and_html_say_the_same(
    make_stage: Callable[..., Stage], edition: str, line: str
) -> None:
    """Every word of the one is in the other; no sign is a colour alone."""
    value = make_stage(edition=edition).magic(line)
    page = Page(as_html(value))
    assert page.tags <= {"div", "strong", "br", "table", "tr", "th", "td"}
    assert page.attributes <= {"style"}
    if not isinstance(value, Details):  # whose table is laid out differently
        assert words(page.text) == words(as_text(value))


@pytest.mark.parametrize("line", ["", "status --all", "auto-stop", "describe new"])
def test_nothing_of_the_clouds_is_markup(stage: Stage, line: str) -> None:
    """Neither a name nor a description can add an element or end one."""
    stage.emulator.set_instance(name=EVIL, description=EVIL)
    page = Page(as_html(stage.magic(line)))
    assert not page.tags & {"img", "script"}
    assert page.attributes <= {"style"}
    assert EVIL in page.text


def test_a_finding_is_escaped_too() -> None:
    """Whatever a path or a server's name holds."""
    report = Report((Finding(EVIL, Level.PROBLEM, EVIL, EVIL),))
    page = Page(as_html(report))
    assert page.text.count(EVIL) == 3
    assert "img" not in page.tags


def test_lines_of_a_description_stay_lines(stage: Stage) -> None:
    """In both forms."""
    stage.emulator.set_instance(description="one\ntwo")
    value = stage.magic("")
    assert "Description: one\ntwo" in as_text(value)
    assert "Description: one<br>two" in as_html(value)


@pytest.mark.parametrize("line", ["", "status --all", "describe new"])
def test_a_long_word_wraps(stage: Stage, line: str) -> None:
    """It does not make the page wider."""
    stage.emulator.set_instance(description="x" * 512)
    markup = as_html(stage.magic(line))
    around = markup[: markup.rindex("x" * 512)]
    opened = around[around.rindex("<td" if line == "status --all" else "<div style") :]
    assert "overflow-wrap: anywhere" in opened


@pytest.mark.parametrize("line", ["", "status --all", "describe new", "describe", "status --json"])
@pytest.mark.parametrize(
    "odd", ["\x1b[2J\x1b]0;owned\x07", "\r", "\x00", "\x9b31m", "\ud800", "\x08"]
)
def test_what_the_cloud_says_drives_no_terminal(stage: Stage, line: str, odd: str) -> None:
    """And can always be written."""
    stage.emulator.set_instance(name=f"n{odd}n", description=f"d{odd}d")
    value = stage.magic(line)
    for shown in (as_text(value), as_html(value), shown_by_ipython(value)):
        shown.encode()
        assert not [letter for letter in shown if letter < " " and letter not in "\n\t"]
        assert not [letter for letter in shown if "\x7f" <= letter <= "\x9f"]


def test_the_theme_decides_the_colours(stage: Stage) -> None:
    """By its variables, each with a fallback for where there is none."""
    for line in ("", "extend"):
        markup = as_html(stage.magic(line))
        assert "var(--jp-" in markup
        assert "color:" not in markup.replace("border-left", "")


def test_a_table_has_a_row_for_every_field(stage: Stage) -> None:
    """Its name, and a dash where nothing is known."""
    text = as_text(stage.magic("status --all"))
    assert re.search(r"\nauto_stop\.enabled +true\n", text)
    for name in ("flavor", "workspace.id", "profile.provision.spec.params.image_tag"):
        assert f"\n{name} " in text
    assert text.splitlines()[-2].split() == ["end_unknown", "—"]


def test_an_empty_text_can_be_shown() -> None:
    """As a dash, wherever it is shown; it is still an empty text."""
    empty = Text("")
    assert (as_text(empty), Page(as_html(empty)).text, shown_by_ipython(empty)) == ("—", "—", "—")
    assert empty == ""


def test_text_and_json_show_themselves_without_quotes() -> None:
    """In a terminal's IPython as in a notebook."""
    assert repr(Text("a 'b'\nc")) == shown_by_ipython(Text("a 'b'\nc")) == "a 'b'\nc"
    assert repr(Json(a=["ü", None])) == '{\n  "a": [\n    "ü",\n    null\n  ]\n}'
    assert Json(a=1) == {"a": 1}


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
        return as_text(value)
    value._repr_pretty_(printer, False)
    return printer.written
