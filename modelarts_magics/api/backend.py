"""The interface of an API backend, and the table of the available backends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from modelarts_magics.api.demanager import DemanagerBackend
from modelarts_magics.api.json_reader import select_fields
from modelarts_magics.api.notebooks import NotebooksBackend

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta
    from typing import Any

    from modelarts_magics.domain.clock import Deadline
    from modelarts_magics.domain.models import Capabilities, Edit, Instance


class Backend(Protocol):
    """One API, bound to one instance."""

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of this API."""

    @property
    def skew(self) -> timedelta:
        """How far the clock of the API is ahead of the local clock."""

    def read(self, *, deadline: Deadline) -> Instance:
        """Read the instance from the API."""

    def write(self, before: Instance, edit: Edit, *, deadline: Deadline) -> None:
        """Send the edit; what it leaves out stays as it is in `before`."""

    def stop(self, *, deadline: Deadline) -> None:
        """Stop the instance."""

    def parse(self, raw: Mapping[str, Any], *, observed_at: datetime, demo: bool) -> Instance:
        """Parse a stored response."""

    def close(self) -> None:
        """Close the connections."""


def stored_response(api: str, raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of a response that are read, which are those that a state file may hold.

    Args:
        api: The name of the API.
        raw: The response.
    """
    return select_fields(raw, BACKENDS[api].stored_fields)


BACKENDS: dict[str, type[NotebooksBackend | DemanagerBackend]] = {
    "notebooks": NotebooksBackend,
    "demanager": DemanagerBackend,
}
"""The backend of each API, by the API's name."""
