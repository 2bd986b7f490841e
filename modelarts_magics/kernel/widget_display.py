"""Display of widgets with static text beside them, in ipywidgets 7 and 8."""

from __future__ import annotations

from typing import Any

import ipywidgets  # type: ignore[import-untyped]
from IPython.display import display

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
FRAME_CLASS = "ma-CountdownFrame"
"""The CSS class of a widget that contains a countdown and its fallback."""


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
