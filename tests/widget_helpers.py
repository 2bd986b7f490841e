"""Helpers of the widget tests: API versions, schedulers, sessions with hooks, and the text that a page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, NamedTuple

import pytest
from emulator_harness import StrictHtmlParser
from ipywidgets import Widget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelarts_magics.session.session import Session


class ApiVersion(NamedTuple):
    """An API and its edition in the emulator."""

    api: str
    edition: str


DEMANAGER_2019, DEMANAGER_2021, NOTEBOOKS_2021 = (
    ApiVersion("demanager", "2019"),
    ApiVersion("demanager", "2021"),
    ApiVersion("notebooks", "2021"),
)


def parametrize_api_version(*versions: ApiVersion) -> pytest.MarkDecorator:
    """Run a test with each of these API versions."""
    return pytest.mark.parametrize("api_version", versions, ids=lambda each: f"{each[0]}-{each[1]}")


every_api_version = parametrize_api_version(DEMANAGER_2019, DEMANAGER_2021, NOTEBOOKS_2021)


def run_immediately(callback: Callable[[], None]) -> None:
    """Run a callback without the usual delay."""
    callback()


class DeferredJobs:
    """A scheduler that stores callbacks until the test runs them, as a busy kernel queues messages."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[], None]] = []

    def __call__(self, callback: Callable[[], None]) -> None:
        """Store a callback."""
        self.callbacks.append(callback)

    def run_all(self) -> None:
        """Run all stored callbacks in order."""
        callbacks, self.callbacks = self.callbacks, []
        for callback in callbacks:
            callback()


class SessionWithHooks:
    """A session with callbacks around each update.

    Attributes:
        before_update: Called before the request.
        after_update: Called after the response.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.before_update: Callable[[], object] = lambda: None
        self.after_update: Callable[[], object] = lambda: None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any attribute of the session
        return getattr(self._session, name)

    def update(self, **fields: Any) -> Any:  # noqa: ANN401 - as the session's own
        """Update the instance and call the hooks."""
        self.before_update()
        change = self._session.update(**fields)
        self.after_update()
        return change


def widgets_in(widget: Widget) -> Iterator[Any]:
    """Yield a widget and all widgets inside it, in tab order."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from widgets_in(child)


def visible_text(widget: Widget) -> str:
    """Return the visible text of the HTML in a form; invalid HTML fails."""
    documents = [
        StrictHtmlParser(each.value)
        for each in widgets_in(widget)
        if type(each).__name__ == "HTML" and each.layout.display != "none"
    ]
    assert {tag for page in documents for tag in page.tags} <= {"div", "span", "strong", "br"}
    return "\n".join(page.text for page in documents)


def open_widget_ids() -> set[str]:
    """Return the ids of all open widgets of this process."""
    return set(Widget.get_manager_state()["state"])
