"""What the tests of the widgets share: every API, time that a test decides, and what a page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, NamedTuple

import pytest
from ipywidgets import Widget
from stage import Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelarts_magics.session.session import Session


class Generation(NamedTuple):
    """An API as the emulator plays it."""

    api: str
    edition: str


OLD, NEW, LEASE = (
    Generation("demanager", "2019"),
    Generation("demanager", "2021"),
    Generation("notebooks", "2021"),
)


def generations(*which: Generation) -> pytest.MarkDecorator:
    """Run a test, or all of a module, with each of these."""
    return pytest.mark.parametrize("generation", which, ids=lambda each: f"{each[0]}-{each[1]}")


every_api = generations(OLD, NEW, LEASE)


def at_once(job: Callable[[], None]) -> None:
    """Do a job that would be done a moment later."""
    job()


class Later:
    """Keeps jobs until the test does them, as a busy kernel keeps messages."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], None]] = []

    def __call__(self, job: Callable[[], None]) -> None:
        """Keep a job."""
        self.jobs.append(job)

    def do(self) -> None:
        """Do all that was kept, in order."""
        jobs, self.jobs = self.jobs, []
        for job in jobs:
            job()


class Meanwhile:
    """A session during whose calls something else happens.

    Attributes:
        before: Done before the call goes on.
        after: Done when it has its answer.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.before: Callable[[], object] = lambda: None
        self.after: Callable[[], object] = lambda: None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the session has
        return getattr(self._session, name)

    def update(self, **what: Any) -> Any:  # noqa: ANN401 - as the session's own
        """Change something, with what happens meanwhile."""
        self.before()
        change = self._session.update(**what)
        self.after()
        return change


def widgets_in(widget: Widget) -> Iterator[Any]:
    """Yield a widget and all that stands in it, in the order of Tab."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from widgets_in(child)


def words(widget: Widget) -> str:
    """All the text that a form's HTML shows; what is no strict HTML fails."""
    pages = [
        Page(each.value)
        for each in widgets_in(widget)
        if type(each).__name__ == "HTML" and each.layout.display != "none"
    ]
    assert {tag for page in pages for tag in page.tags} <= {"div", "span", "strong", "br"}
    return "\n".join(page.text for page in pages)


def open_widgets() -> set[str]:
    """Return the ids of all widgets of this process that are not closed."""
    return set(Widget.get_manager_state()["state"])
