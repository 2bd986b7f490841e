"""The form in a real page: one request for everything, nothing overwritten."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Callable

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator
    from ui.notebook_page import InstanceControl, NotebookPage

FORM, DESCRIBE = 1, 2
BEFORE = "Demo instance of the local emulator"
ELSEWHERE = "changed elsewhere"


class Form:
    """The form, as a person sees it."""

    def __init__(self, notebook: NotebookPage) -> None:
        self.output = notebook.run_cells(FORM).output(FORM)
        self.description = self.output.get_by_role("textbox", name="Description")
        self.duration = self.output.get_by_role("textbox", name="Run time")
        self.apply = self.button("Apply")
        expect(self.description).to_have_value(BEFORE)

    def button(self, name: str) -> Locator:
        """Return a button by its name."""
        return self.output.get_by_role("button", name=name, exact=True)


@pytest.fixture
def form(form_page: NotebookPage) -> Form:
    """The form, with nothing entered."""
    return Form(form_page)


def test_everything_goes_in_one_request(
    form: Form, instance_control: InstanceControl, take_screenshot: Callable[[Locator, str], None]
) -> None:
    """The end that would follow is shown before Apply; Apply can be pressed when something changed."""
    expect(form.apply).to_be_disabled()
    form.description.fill("Training, second try")
    form.duration.fill("2:30")
    expect(form.output).to_contain_text("Will stop")
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


def test_a_character_that_may_not_be_is_named_while_typing(
    form: Form, instance_control: InstanceControl, take_screenshot: Callable[[Locator, str], None]
) -> None:
    """And its full-width form is offered."""
    form.description.fill("Training ")
    form.description.press_sequentially("a/b")
    expect(form.output).to_contain_text("'/' (position 11) is not allowed")
    expect(form.output).to_contain_text("12 / 512")
    expect(form.apply).to_be_disabled()
    take_screenshot(form.output, "form-refused")
    form.button("Use Full-Width Characters").click()
    expect(form.description).to_have_value("Training a／b")  # noqa: RUF001 - the full-width one
    expect(form.apply).to_be_enabled()
    assert instance_control.write_requests == []


def test_what_is_typed_is_never_overwritten(
    form: Form,
    form_page: NotebookPage,
    instance_control: InstanceControl,
    take_screenshot: Callable[[Locator, str], None],
) -> None:
    """A change from elsewhere is shown beside it, and the person chooses."""
    form.description.fill("Mine")
    expect(form.apply).to_be_enabled()
    form_page.run_cells(DESCRIBE)
    expect(form.output).to_contain_text(
        "The instance was changed elsewhere. Nothing was overwritten."
    )
    expect(form.output).to_contain_text(f"Current description: “{ELSEWHERE}”. Yours: “Mine”.")
    expect(form.description).to_have_value("Mine")
    expect(form.apply).to_be_disabled()
    take_screenshot(form.output, "form-conflict")
    form.button("Keep Mine").click()
    expect(form.apply).to_be_enabled()
    form.apply.click()
    expect(form.output).to_contain_text("Done")
    assert instance_control.instance["description"] == "Mine"


def test_what_is_not_typed_follows(form: Form, form_page: NotebookPage) -> None:
    """A change from elsewhere shows in a field that nobody touched."""
    form_page.run_cells(DESCRIBE)
    expect(form.description).to_have_value(ELSEWHERE)
    expect(form.apply).to_be_disabled()
