"""What a command gives back: values that show themselves well wherever they are shown."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelarts_magics.models import Instance


_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters but tab and line break, and halves of characters."""


def printable(text: str) -> str:
    """A text that drives no terminal and can be encoded, whatever the cloud put into a field."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


class Text(str):
    """A text that shows itself without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ANN401, ARG002 - IPython's hook
        printer.text(printable(str(self)))


class Json(dict[str, Any]):
    """A JSON object that shows itself as JSON."""

    def __repr__(self) -> str:
        written = json.dumps(self, ensure_ascii=False, indent=2)
        return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", written)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ANN401, ARG002 - IPython's hook
        printer.text(repr(self))


@dataclass(frozen=True)
class Details:
    """An instance that shows all of its fields, not only those that matter daily."""

    instance: Instance
