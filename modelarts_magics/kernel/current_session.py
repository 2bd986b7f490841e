"""The session of widgets that are created without one.

The magics register a function that returns their session. This module imports neither the magics nor a widget, so
both can import it.
"""

from __future__ import annotations

import contextlib
from functools import lru_cache
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from modelarts_magics.session.session import Session

    SessionGetter = Callable[[], Session]

_registered_getters: list[SessionGetter] = []


def register_session_getter(get_session: SessionGetter) -> None:
    """Make `current_session` use `get_session` until it is unregistered."""
    _registered_getters.append(get_session)


def unregister_session_getter(get_session: SessionGetter) -> None:
    """Undo `register_session_getter`; do nothing if `get_session` is not registered."""
    with contextlib.suppress(ValueError):
        _registered_getters.remove(get_session)


def current_session() -> Session:
    """Return the session of the magics, or a session from the environment where no magics are loaded.

    Raises:
        ModelArtsError: The settings or the credentials are missing or invalid.
    """
    return _registered_getters[-1]() if _registered_getters else _default_session()


@lru_cache(maxsize=1)
def _default_session() -> Session:
    from modelarts_magics.session.connect import connect  # noqa: PLC0415 - keeps %load_ext fast

    return connect()
