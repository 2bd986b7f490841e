"""Renew the thread locks of objects in a forked child, and close the files that it must not share.

A fork copies locks as they are, also one that another thread holds, and that thread does not exist in the child.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class ForkAware(Protocol):
    """An object with state that a forked child must not share."""

    def reset_after_fork(self) -> None:
        """Renew that state, in the child."""


class Closable(Protocol):
    """An open file or socket."""

    def close(self) -> None:
        """Close it; the parent goes on using its own copy."""


_objects: weakref.WeakSet[ForkAware] = weakref.WeakSet()
_closables: weakref.WeakSet[Closable] = weakref.WeakSet()


def reset_in_child(instance: ForkAware) -> None:
    """Call `reset_after_fork` of the object in each forked child, as long as the object exists."""
    _objects.add(instance)


def close_in_child(opened: Closable) -> None:
    """Close a file or socket in each forked child, as long as the object exists."""
    _closables.add(opened)


def _reset_all() -> None:
    for instance in tuple(_objects):
        instance.reset_after_fork()
    for opened in tuple(_closables):
        opened.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_all)
