"""What a command gives back: values that show themselves well wherever they are shown."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelarts_magics.models import Instance


class Text(str):
    """A text that shows itself without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ANN401, ARG002 - IPython's hook
        printer.text(str(self))


class Json(dict[str, Any]):
    """A JSON object that shows itself as JSON."""

    def __repr__(self) -> str:
        return json.dumps(self, ensure_ascii=False, indent=2)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ANN401, ARG002 - IPython's hook
        printer.text(repr(self))


@dataclass(frozen=True)
class Details:
    """An instance that shows all of its fields, not only those that matter daily."""

    instance: Instance
