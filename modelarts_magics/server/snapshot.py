"""The state of the instance as this server knows it at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelarts_magics.errors import (
    AuthenticationError,
    ConfigurationError,
    ForbiddenError,
    ModelArtsError,
)

if TYPE_CHECKING:
    from modelarts_magics.domain.models import Instance
    from modelarts_magics.session.session import Session

PERMANENT_ERRORS = (ConfigurationError, AuthenticationError, ForbiddenError)
"""The errors that persist until settings, credentials or permissions change."""


@dataclass(frozen=True)
class Snapshot:
    """The state of the instance at one moment.

    Attributes:
        instance: The instance; None if no process of this machine has read it yet.
        problem: The error of the last call of the API; None if it succeeded.
        session: The session that the instance was read with; None if there is none.
    """

    instance: Instance | None = None
    problem: ModelArtsError | None = None
    session: Session | None = None

    @property
    def read_only(self) -> bool:
        """Whether this server cannot change anything until settings or credentials change."""
        return isinstance(self.problem, PERMANENT_ERRORS)

    @property
    def is_empty(self) -> bool:
        """Whether there is neither an instance nor a problem yet."""
        return self.instance is None and self.problem is None
