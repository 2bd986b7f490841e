"""The session that a widget uses: the magics' one where they are loaded, else one of its own."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from IPython.core.getipython import get_ipython

from modelarts_magics.kernel.magics import find_magics
from modelarts_magics.session.connect import connect

if TYPE_CHECKING:
    from modelarts_magics.session.session import Session


def current_session() -> Session:
    """The session for the settings as they are now."""
    shell = get_ipython()
    magics = find_magics(shell) if shell is not None else None
    return magics.session() if magics is not None else _default_session()


@lru_cache(maxsize=1)
def _default_session() -> Session:
    return connect()
