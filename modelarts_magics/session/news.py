"""Telling everybody in this process what the cloud last said of an instance, as soon as it said it."""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from modelarts_magics.domain.models import Instance

Listener = Callable[["Instance"], None]

_LOG = logging.getLogger(__name__)
_listeners: dict[str, dict[int, Listener]] = {}
_subscription_ids = itertools.count()


def subscribe(key: str, listener: Listener) -> Callable[[], None]:
    """Call `listener` with each new state of the instance that `key` stands for.

    It is called in whichever thread learned the news.

    Returns:
        What ends the subscription; calling it twice is fine.
    """
    number = next(_subscription_ids)
    _listeners.setdefault(key, {})[number] = listener

    def unsubscribe() -> None:
        _listeners.get(key, {}).pop(number, None)

    return unsubscribe


def publish(key: str, instance: Instance) -> None:
    """Tell all listeners of the instance; one that fails is logged, and hinders nobody."""
    for listener in tuple(_listeners.get(key, {}).values()):
        try:
            listener(instance)
        except Exception:  # noqa: BLE001 - what the cloud said is true, whoever cannot show it
            _LOG.exception("news could not be shown")
