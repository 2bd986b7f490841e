"""The interface of an API backend, and the table of the available backends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from modelarts_magics.api.demanager import DemanagerBackend
from modelarts_magics.api.notebooks import NotebooksBackend

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta
    from typing import Any

    from modelarts_magics.domain.clock import Deadline
    from modelarts_magics.domain.models import Capabilities, Edit, Instance


class Backend(Protocol):
    """One API generation, bound to one instance."""

    @property
    def capabilities(self) -> Capabilities:
        """What this generation can do."""

    @property
    def skew(self) -> timedelta:
        """How far the cloud's clock is ahead of the local one."""

    def read(self, *, deadline: Deadline) -> Instance:
        """Ask the cloud for the instance."""

    def write(self, before: Instance, edit: Edit, *, deadline: Deadline) -> None:
        """Send the edit; what it leaves out stays as `before` has it."""

    def stop(self, *, deadline: Deadline) -> None:
        """Stop the instance itself."""

    def parse(self, raw: Mapping[str, Any], *, observed_at: datetime, demo: bool) -> Instance:
        """The instance that a stored answer described."""

    def close(self) -> None:
        """Close the connections."""


BACKENDS: dict[str, type[NotebooksBackend | DemanagerBackend]] = {
    "notebooks": NotebooksBackend,
    "demanager": DemanagerBackend,
}
"""The backend of each API, by the API's name."""
