"""The API generations by name; the one table of them."""

from __future__ import annotations

from modelarts_magics.api.demanager import Demanager
from modelarts_magics.api.notebooks import Notebooks

GENERATIONS: dict[str, type[Notebooks | Demanager]] = {
    "notebooks": Notebooks,
    "demanager": Demanager,
}
