"""The API generations by name; the one table of them."""

from __future__ import annotations

from modelarts_magics.api.demanager import DemanagerBackend
from modelarts_magics.api.notebooks import NotebooksBackend

BACKENDS: dict[str, type[NotebooksBackend | DemanagerBackend]] = {
    "notebooks": NotebooksBackend,
    "demanager": DemanagerBackend,
}
