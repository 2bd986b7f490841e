"""Outputs in a page: no formulas, and nothing left in the kernel after they are removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

import pytest
from playwright.sync_api import expect
from ui.notebook_page import FrontEnd, wait_until

if TYPE_CHECKING:
    from ui.notebook_page import InstanceControl, NotebookPage

FORMULAS = "$a$ and $b$"
FORM_CELL, DESCRIBE_CELL, STATUS_CELL, FORMULA_CELL = 1, 2, 3, 4
OPEN_WIDGETS_CODE = (
    "from ipywidgets import Widget; assert bool(Widget.get_manager_state()['state']) is {expected}"
)
RERUN_CODE = (
    "from ipywidgets import Widget; kinds = [each['model_name'] for each in"
    " Widget.get_manager_state()['state'].values()]; assert kinds.count('AnyModel') == 1, kinds"
)
CLEAR_JS = "jupyterapp.commands.execute('notebook:clear-all-cell-outputs')"

STRICT_POLICY_JS = """new MutationObserver((_, observer) => {
  if (document.head) {
    observer.disconnect();
    const policy = document.createElement('meta');
    policy.httpEquiv = 'Content-Security-Policy';
    policy.content = "script-src 'self' 'unsafe-eval' 'unsafe-inline'";
    document.head.prepend(policy);
  }
}).observe(document, { childList: true, subtree: true })"""


@pytest.mark.only(FrontEnd.LAB)
def test_strict_policy_shows_a_line_instead_of_an_error(
    open_notebook: Callable[..., NotebookPage],
) -> None:
    """The page must not load the script of a countdown; the form works without it."""
    notebook = open_notebook("form.ipynb", script=STRICT_POLICY_JS).wait_until_ready()
    notebook.run_cells(0, FORM_CELL)
    output = notebook.output(FORM_CELL)
    expect(output.locator(".ma-CountdownFallback")).to_contain_text("Stops at ")
    expect(output.locator(".jupyter-widgets-error-widget")).to_have_count(1)
    expect(output.locator(".jupyter-widgets-error-widget")).to_be_hidden()
    output.get_by_role("textbox", name="Description").fill("typed")
    expect(output.get_by_role("button", name="Apply", exact=True)).to_be_enabled()


def test_dollar_signs_are_no_formulas(
    form_page: NotebookPage, instance_control: InstanceControl
) -> None:
    """A real formula in the same page is typeset."""
    instance_control.emulator.set_instance(description=FORMULAS)
    form_page.run_cells(FORM_CELL, STATUS_CELL)
    form = form_page.output(FORM_CELL)
    description = form.get_by_role("textbox", name="Description")
    expect(description).to_have_value(FORMULAS)
    description.fill(f"mine {FORMULAS}")
    form_page.run_cells(DESCRIBE_CELL, FORMULA_CELL)
    expect(form_page.output(FORMULA_CELL).locator("mjx-container")).to_have_count(1)
    for output in (form, form_page.output(STATUS_CELL), form_page.output(DESCRIBE_CELL)):
        expect(output).to_contain_text(FORMULAS)
    expect(form_page.page.locator("mjx-container")).to_have_count(1)


@pytest.mark.only(FrontEnd.LAB)
def test_removed_countdown_is_closed_in_the_kernel(notebook_page: NotebookPage) -> None:
    """Each run of a cell replaces the countdown of the last one."""
    for _ in range(3):
        notebook_page.run_cells(1)
        expect(notebook_page.countdown.element("timer")).to_be_visible()
    page = notebook_page.page
    wait_until(page, lambda: notebook_page.execute(RERUN_CODE) == "ok")
    page.evaluate(CLEAR_JS)
    wait_until(
        page, lambda: notebook_page.execute(OPEN_WIDGETS_CODE.format(expected=False)) == "ok"
    )
