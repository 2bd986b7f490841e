"""How long a widget lives: as long as a page shows it, or something in the kernel refers to it.

By itself, ipywidgets keeps each widget and its comm until `close`: each run of a cell would leave one behind.
"""

from __future__ import annotations

import gc
import re
import weakref
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable

from IPython.core.getipython import get_ipython
from ipywidgets.widgets import widget as registry  # type: ignore[import-untyped]

from modelarts_magics.kernel.scheduling import when_idle

if TYPE_CHECKING:
    from collections.abc import Iterator

_OUTPUT_NAME = re.compile(r"_\d*|__|___")
"""The names under which IPython stores the outputs of cells."""


@dataclass(frozen=True)
class _Cell:
    """A cell as far as the front end identifies it.

    Attributes:
        name: Its ID, or its code if the front end sends no ID.
        is_exact: Whether the name is an ID.
        run: Identifies the execution.
    """

    name: str
    is_exact: bool
    run: object


@dataclass
class _ShownWidget:
    """A widget that was displayed, with the pages' views of it as far as they have said hello."""

    widget: Any
    cell: _Cell
    views: set[str] = field(default_factory=set)


class _OpenWidgets(MutableMapping[str, Any]):
    """The open widgets of ipywidgets by model ID; those that were weakened are not kept alive."""

    def __init__(self, strong: MutableMapping[str, Any]) -> None:
        self._strong = strong
        self._weak: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()

    def weaken(self, model_id: str) -> None:
        """Do not keep this widget alive."""
        if model_id in self._strong:
            self._weak[model_id] = self._strong.pop(model_id)

    def __getitem__(self, model_id: str) -> Any:  # noqa: ANN401 - ipywidgets has no types
        return self._weak[model_id] if model_id in self._weak else self._strong[model_id]

    def __setitem__(self, model_id: str, widget: Any) -> None:  # noqa: ANN401 - as above
        self._strong[model_id] = widget

    def __delitem__(self, model_id: str) -> None:
        del (self._weak if model_id in self._weak else self._strong)[model_id]

    def __iter__(self) -> Iterator[str]:
        return iter([*self._strong, *self._weak])

    def __len__(self) -> int:
        return len(self._strong) + len(self._weak)


def _replace_registry() -> _OpenWidgets:
    """Replace the registry of ipywidgets 8 or 7."""
    if hasattr(registry, "_instances"):
        registry._instances = replaced = _OpenWidgets(registry._instances)  # noqa: SLF001 - no public access
    else:
        registry.Widget.widgets = replaced = _OpenWidgets(registry.Widget.widgets)
    return replaced


_open_widgets = _replace_registry()
_shown: dict[str, _ShownWidget] = {}
"""The widgets that are kept because they were displayed, by model ID."""


def close_when_unreferenced(widget: Any) -> None:  # noqa: ANN401 - ipywidgets has no types
    """Let garbage collection close a widget and all widgets inside it.

    Call it at the end of the constructor; `Widget.__del__` calls `close`.
    """
    for each in _widgets_in(widget):
        if each.comm is not None:
            each.comm.on_msg(weak_callback(each._handle_msg))  # noqa: SLF001 - ipywidgets keeps it strongly
            _open_widgets.weaken(each.model_id)


def close_tree(widget: Any) -> None:  # noqa: ANN401 - ipywidgets has no types
    """Close a widget and all widgets inside it."""
    for each in tuple(_widgets_in(widget)):
        each.close()


def weak_callback(method: Callable[..., object]) -> Callable[..., None]:
    """Return a function that calls a method as long as its object exists, and does not keep it alive."""
    reference = weakref.WeakMethod(method)

    def call(*arguments: object) -> None:
        found = reference()
        if found is not None:
            found(*arguments)

    return call


def keep_while_shown(widget: Any) -> None:  # noqa: ANN401 - ipywidgets has no types
    """Keep a widget that is being displayed, in place of those that the last run of the same cell displayed."""
    cell = _current_cell()
    replaced = [
        model_id
        for model_id, each in tuple(_shown.items())
        if (each.cell.name == cell.name and each.cell.run != cell.run)
        and (cell.is_exact or not each.views)
        and each.widget is not widget
    ]
    for model_id in replaced:
        release(model_id)
    earlier = _shown.get(widget.model_id)
    _shown[widget.model_id] = _ShownWidget(widget, cell, earlier.views if earlier else set())


def view_opened(model_id: str, view: str) -> None:
    """Note that a page shows the widget."""
    if view and model_id in _shown:
        _shown[model_id].views.add(view)


def view_closed(model_id: str, view: str) -> None:
    """Note that a view was removed from its page; the last one releases the widget."""
    shown = _shown.get(model_id)
    if shown is not None and view in shown.views:
        shown.views.discard(view)
        if not shown.views:
            del shown
            release(model_id)


def release(model_id: str) -> None:
    """Stop keeping a widget for its views; without other references it is closed soon."""
    shown = _shown.pop(model_id, None)
    if shown is not None:
        _forget_output(shown.widget)
        del shown
        # A widget refers to itself, so that it is collected only here or much later.
        when_idle(_collect)


def _collect() -> None:
    gc.collect()


def _forget_output(value: object) -> None:
    """Remove a value from IPython's outputs (``_``, ``Out[3]``), which are no use of the user."""
    shell = get_ipython()
    if shell is None:
        return
    outputs = shell.user_ns.get("_oh", {})
    for names in (shell.user_ns, shell.user_ns_hidden, outputs, vars(shell.displayhook)):
        for name in [name for name, each in names.items() if each is value]:
            if isinstance(name, int) or _OUTPUT_NAME.fullmatch(name):
                names[name] = ""
    last = shell.last_execution_result
    if last is not None and last.result is value:
        last.result = None


def _current_cell() -> _Cell:
    shell = get_ipython()
    if shell is None:
        return _Cell("", is_exact=False, run=None)
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    cell_id = parent.get("metadata", {}).get("cellId")
    if cell_id:
        return _Cell(cell_id, is_exact=True, run=parent["header"]["msg_id"])
    return _Cell(shell.user_ns["In"][-1], is_exact=False, run=shell.execution_count)


def _widgets_in(widget: Any) -> Iterator[Any]:  # noqa: ANN401 - ipywidgets has no types
    yield widget
    for part in (getattr(widget, "layout", None), getattr(widget, "style", None)):
        if isinstance(part, registry.Widget):
            yield part
    for child in getattr(widget, "children", ()):
        yield from _widgets_in(child)
