"""What this server knows of the instance at one moment."""

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
"""What asking again does not mend."""


@dataclass(frozen=True)
class Snapshot:
    """What is known at one moment.

    Attributes:
        instance: The instance; None if nobody on this machine ever saw it.
        problem: Why the cloud could not be asked the last time; None if it could.
        session: Who can say more of the instance; None if there is none.
    """

    instance: Instance | None = None
    problem: ModelArtsError | None = None
    session: Session | None = None

    @property
    def read_only(self) -> bool:
        """Whether nothing can be changed through this server until settings or credentials change."""
        return isinstance(self.problem, PERMANENT_ERRORS)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known yet, not even a problem."""
        return self.instance is None and self.problem is None
