"""Display of widgets with static text beside them, in ipywidgets 7 and 8."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import ipywidgets  # type: ignore[import-untyped]
from IPython.display import display

from modelarts_magics.commands.render import NO_MATH, to_html
from modelarts_magics.commands.results import TextResult
from modelarts_magics.doctor.jupyter_server import JupyterServer, find_server_of_kernel
from modelarts_magics.doctor.page_widgets import WidgetObstacle, find_widget_obstacle
from modelarts_magics.messages import text

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
FRAME_CLASS = "ma-CountdownFrame"
"""The CSS class of a widget that contains a countdown and its fallback."""


def find_page_obstacle() -> WidgetObstacle | None:
    """Return why the pages of this kernel cannot show the countdown; None if they can, or it is not known."""
    server = _server_of_kernel()
    if server is None:
        return None
    return find_widget_obstacle(server, os.environ, ipywidgets=ipywidgets.__version__)


@lru_cache(maxsize=1)
def _server_of_kernel() -> JupyterServer | None:
    # Asking its interpreter takes a tenth of a second.
    return find_server_of_kernel(os.environ)


def obstacle_lines(obstacle: WidgetObstacle) -> tuple[str, str]:
    """Return the lines to show in place of a countdown: why it is not shown, and what adds it."""
    return text("widgets.text_only", reason=obstacle.reason), obstacle.hint


def show_as_text(data: dict[str, Any], obstacle: WidgetObstacle) -> None:
    """Remove the widget from the data to display, which then show its text and the reason."""
    del data[WIDGET_VIEW]
    data["text/plain"] = "\n".join([data["text/plain"], *obstacle_lines(obstacle)])
    data["text/html"] += lines_html(obstacle_lines(obstacle))


def lines_html(lines: Iterable[str]) -> str:
    """Return lines of text as HTML."""
    return "".join(f"<p {NO_MATH}>{to_html(line)}</p>" for line in lines)


def countdown_fallback(line: str) -> Any:  # noqa: ANN401 - ipywidgets has no types
    """Return a widget with a line to show in place of a countdown that the page may not load.

    A strict content security policy forbids the script of the countdown, but not its style sheet. In a widget with
    the class `FRAME_CLASS`, the style sheet shows either of them.

    Args:
        line: HTML.
    """
    widget = ipywidgets.HTML(line, layout=ipywidgets.Layout(max_width="100%"))
    widget.add_class("ma-CountdownFallback")
    return widget


class StaticLine(TextResult):
    """A line beside a widget, for notebooks that are reopened without it.

    In a page, the style sheet of the countdown hides it while the widget is shown, because it would not follow
    changes.
    """

    __slots__ = ()

    def _repr_html_(self) -> str:
        return f'<div class="ma-StaticLine mathjax_ignore tex2jax_ignore">{to_html(self)}</div>'


class StaticDisplay:
    """Let a widget of ipywidgets 7 be displayed by its `_repr_mimebundle_`, as ipywidgets 8 does."""

    if not hasattr(ipywidgets.Widget, "_repr_mimebundle_"):
        model_id: str

        def _repr_mimebundle_(self, **_options: Any) -> Any:  # noqa: ANN401 - IPython's hook
            view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
            return {"text/plain": repr(self), WIDGET_VIEW: view}

        def _ipython_display_(self, **_options: Any) -> None:  # noqa: ANN401 - IPython's hook
            bundle = self._repr_mimebundle_()
            display(bundle[0] if isinstance(bundle, tuple) else bundle, raw=True)
