"""What the tests of the widgets share: every API, time that a test decides, and what a page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, NamedTuple

import pytest
from emulator_harness import StrictHtmlParser
from ipywidgets import Widget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelarts_magics.session.session import Session


class ApiVersion(NamedTuple):
    """An API as the emulator plays it."""

    api: str
    edition: str


DEMANAGER_2019, DEMANAGER_2021, NOTEBOOKS_2021 = (
    ApiVersion("demanager", "2019"),
    ApiVersion("demanager", "2021"),
    ApiVersion("notebooks", "2021"),
)


def parametrize_api_version(*versions: ApiVersion) -> pytest.MarkDecorator:
    """Run a test, or all of a module, with each of these."""
    return pytest.mark.parametrize("api_version", versions, ids=lambda each: f"{each[0]}-{each[1]}")


every_api_version = parametrize_api_version(DEMANAGER_2019, DEMANAGER_2021, NOTEBOOKS_2021)


def run_immediately(job: Callable[[], None]) -> None:
    """Do a job that would be done a moment later."""
    job()


class DeferredJobs:
    """Keeps jobs until the test does them, as a busy kernel keeps messages."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], None]] = []

    def __call__(self, job: Callable[[], None]) -> None:
        """Keep a job."""
        self.jobs.append(job)

    def run_all(self) -> None:
        """Do all that was kept, in order."""
        jobs, self.jobs = self.jobs, []
        for job in jobs:
            job()


class SessionWithHooks:
    """A session during whose calls something else happens.

    Attributes:
        before_update: Done before the call goes on.
        after_update: Done when it has its answer.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.before_update: Callable[[], object] = lambda: None
        self.after_update: Callable[[], object] = lambda: None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the session has
        return getattr(self._session, name)

    def update(self, **fields: Any) -> Any:  # noqa: ANN401 - as the session's own
        """Change something, with what happens meanwhile."""
        self.before_update()
        change = self._session.update(**fields)
        self.after_update()
        return change


def widgets_in(widget: Widget) -> Iterator[Any]:
    """Yield a widget and all that stands in it, in the order of Tab."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from widgets_in(child)


def visible_text(widget: Widget) -> str:
    """All the text that a form's HTML shows; what is no strict HTML fails."""
    documents = [
        StrictHtmlParser(each.value)
        for each in widgets_in(widget)
        if type(each).__name__ == "HTML" and each.layout.display != "none"
    ]
    assert {tag for page in documents for tag in page.tags} <= {"div", "span", "strong", "br"}
    return "\n".join(page.text for page in documents)


def open_widget_ids() -> set[str]:
    """Return the ids of all widgets of this process that are not closed."""
    return set(Widget.get_manager_state()["state"])
