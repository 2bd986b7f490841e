"""Rich output of results in IPython and Jupyter, with or without ``%load_ext``.

The classes of results own their output, and `modelarts_magics.commands.render` words it. Nothing is imported
upwards: the package registers that renderer as its attribute `load_renderer`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


class RichResult:
    """A result that IPython and Jupyter show as sentences, as text and as HTML."""

    def __init_subclass__(cls) -> None:
        # IPython prefers the `__repr__` of a class, here of a dataclass, to a method that it inherits.
        cls._repr_pretty_ = RichResult._repr_pretty_  # type: ignore[method-assign]

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ANN401, ARG002 - IPython's hook
        printer.text(_renderer().render_text(self))

    def _repr_html_(self) -> str:
        return str(_renderer().render_html(self))


def _renderer() -> Any:  # noqa: ANN401 - a module of a layer above
    # Read at each use: %autoreload empties a module before it reloads it, and would lose what was registered here.
    return import_module(__name__.partition(".")[0]).load_renderer()
