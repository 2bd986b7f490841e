"""The session of widgets that are created without one.

This module imports neither the magics nor a widget, so both can import it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from IPython.core.getipython import get_ipython

if TYPE_CHECKING:
    from modelarts_magics.session.session import Session


def current_session() -> Session:
    """Return the session of the magics, or a session from the environment where no magics are loaded.

    Raises:
        ModelArtsError: The settings or the credentials are missing or invalid.
    """
    shell = get_ipython()
    magics = shell.magics_manager.registry.get("ModelArts") if shell is not None else None
    session: Session = _default_session() if magics is None else magics.session()
    return session


@lru_cache(maxsize=1)
def _default_session() -> Session:
    from modelarts_magics.session.connect import connect  # noqa: PLC0415 - slow to import

    return connect()
