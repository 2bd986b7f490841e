"""The form in a page: one request for all changes, and no overwritten input."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Callable

import pytest
from playwright.sync_api import expect
from ui.notebook_page import FrontEnd

if TYPE_CHECKING:
    from playwright.sync_api import Locator
    from ui.notebook_page import InstanceControl, NotebookPage

FORM_CELL, DESCRIBE_CELL = 1, 2
INITIAL_DESCRIPTION = "Demo instance of the local emulator"
CHANGED_DESCRIPTION = "Changed elsewhere"
RESTARTED = "The kernel was restarted. Run this cell again."
LEFT_EDGES_JS = """output => {
  const controls = [...output.querySelectorAll('textarea, input, button, select')]
    .filter(each => each.checkVisibility() && !each.closest('.ma-Countdown'))
    .map(each => each.getBoundingClientRect());
  const isLeftOf = (one, other) => one.top < other.bottom && other.top < one.bottom && one.left < other.left;
  const isFirst = box => !controls.some(each => isLeftOf(each, box));
  return controls.filter(isFirst).map(each => Math.round(each.left));
}"""
"""The left edges of the first control on each line of a form."""


class Form:
    """The visible elements of the form."""

    def __init__(self, notebook: NotebookPage) -> None:
        self.output = notebook.run_cells(FORM_CELL).output(FORM_CELL)
        self.description = self.output.get_by_role("textbox", name="Description")
        self.duration = self.output.get_by_role("textbox", name="Run time")
        self.apply = self.button("Apply")
        expect(self.description).to_have_value(INITIAL_DESCRIPTION)
        # The countdown describes the fields for screen readers.
        expect(self.output.locator(".ma-Countdown-timer")).to_be_visible()

    def button(self, name: str) -> Locator:
        """Return a button by its name."""
        return self.output.get_by_role("button", name=name, exact=True)


@pytest.fixture
def form(form_page: NotebookPage) -> Form:
    """The form before any input."""
    return Form(form_page)


def test_apply_sends_all_changes_in_one_request(
    form: Form, instance_control: InstanceControl, take_screenshot: Callable[[Locator, str], None]
) -> None:
    """The new stop time shows before Apply, and Apply is enabled after a change."""
    expect(form.apply).to_be_disabled()
    form.description.fill("Training, second try")
    form.duration.fill("2:30")
    expect(form.output).to_contain_text("Will stop")
    edges = form.output.evaluate(LEFT_EDGES_JS)
    assert len(edges) > 4
    assert max(edges) - min(edges) <= 1
    take_screenshot(form.output, "form-entered")
    form.apply.click()
    expect(form.output).to_contain_text("Done")
    expect(form.apply).to_be_disabled()
    take_screenshot(form.output, "form-applied")
    (request,) = instance_control.write_requests
    assert request["body"]["description"] == "Training, second try"
    assert request["body"]["spec"]["auto_stop"]["duration"] == 2.5 * 3600
    assert instance_control.instance["description"] == "Training, second try"
    assert abs(instance_control.time_left - timedelta(hours=2, minutes=10)) < timedelta(minutes=10)


def test_forbidden_character_is_reported_while_typing(
    form: Form, instance_control: InstanceControl, take_screenshot: Callable[[Locator, str], None]
) -> None:
    """The form offers to replace it with its full-width form."""
    form.description.fill("Training ")
    form.description.press_sequentially("a/b")
    expect(form.output).to_contain_text("“/” (position 11) is not allowed")
    expect(form.description).to_have_accessible_description(re.compile("“/” .* is not allowed"))
    expect(form.output).to_contain_text("12 / 512")
    expect(form.apply).to_be_disabled()
    take_screenshot(form.output, "form-refused")
    form.button("Use full-width characters").click()
    expect(form.description).to_have_value("Training a／b")  # noqa: RUF001 - full-width character
    expect(form.apply).to_be_enabled()
    assert instance_control.write_requests == []


def test_typed_text_is_not_overwritten(
    form: Form,
    form_page: NotebookPage,
    instance_control: InstanceControl,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """A change made elsewhere shows beside the typed text, and the user chooses."""
    form.description.fill("Mine")
    expect(form.apply).to_be_enabled()
    form_page.run_cells(DESCRIBE_CELL)
    expect(form.output).to_contain_text(
        "The instance was changed elsewhere. Nothing was overwritten."
    )
    expect(form.output).to_contain_text(
        f"Current description: “{CHANGED_DESCRIPTION}”. Yours: “Mine”."
    )
    expect(form.description).to_have_value("Mine")
    expect(form.apply).to_be_disabled()
    take_screenshot(form.output, "form-conflict")
    form.button("Keep mine").click()
    expect(form.apply).to_be_enabled()
    form.apply.click()
    expect(form.output).to_contain_text("Done")
    assert instance_control.instance["description"] == "Mine"


def test_typo_of_a_duration_is_refused(form: Form, instance_control: InstanceControl) -> None:
    """The bounds are named beside the field, and belong to it."""
    form.duration.fill("99h")
    expect(form.output).to_contain_text("99 h is out of range: this API accepts 1 h to 24 h.")
    expect(form.duration).to_have_accessible_description(re.compile("99 h is out of range"))
    expect(form.apply).to_be_disabled()
    assert instance_control.write_requests == []


@pytest.mark.only(FrontEnd.LAB)
def test_form_of_a_restarted_kernel_is_disabled(
    open_notebook: Callable[..., NotebookPage], take_screenshot: Callable[[Locator, str], None]
) -> None:
    """It says so, and running two cells again brings a form that works."""
    notebook = open_notebook("form.ipynb").wait_until_ready().run_cells(0)
    form = Form(notebook)
    note = form.output.get_by_text(RESTARTED)
    expect(note).to_be_hidden()
    notebook.restart()
    expect(note).to_be_visible()
    expect(form.output.locator("[inert] textarea")).to_be_visible()
    expect(form.output.locator("[inert] button")).not_to_have_count(0)
    take_screenshot(form.output, "form-restarted")
    notebook.run_cells(0)
    again = Form(notebook)
    expect(note).to_be_hidden()
    again.description.fill("After the restart")
    expect(again.apply).to_be_enabled()


def test_unedited_field_follows_change(form: Form, form_page: NotebookPage) -> None:
    """A change made elsewhere shows in a field without input."""
    form_page.run_cells(DESCRIBE_CELL)
    expect(form.description).to_have_value(CHANGED_DESCRIPTION)
    expect(form.apply).to_be_disabled()
